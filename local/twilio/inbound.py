"""A text from a person, as Twilio's webhook tells it.

Fields: https://www.twilio.com/docs/messaging/guides/webhook-request, in the order in which Twilio sends them. Geography is
blank but for the country, as it often is; the channels other than SMS have none and send fields of their own.
"""

import json
import mimetypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .media import Media
from .messages import API_VERSION, Message

# The longest calling code that fits decides; enough of them to tell the tests' numbers apart.
_COUNTRIES = {
    "1": "US", "33": "FR", "34": "ES", "39": "IT", "41": "CH", "43": "AT", "44": "GB", "46": "SE", "49": "DE",
    "55": "BR", "61": "AU", "65": "SG", "81": "JP", "91": "IN", "353": "IE",
}  # fmt: skip


@dataclass
class InboundText:
    """``media`` are attachments to serve, or URLs to pass on as they are; ``extra`` fields add to and replace Twilio's."""

    from_: str
    to: str
    body: str = ""
    media: Sequence[tuple[str, bytes] | str] = ()
    extra: Mapping[str, str] = field(default_factory=dict)


def media_fields(message: Message, media: Sequence[Media | str], base_url: str) -> dict[str, str]:
    """``MediaContentType0``, ``MediaUrl0`` and so on."""
    fields: dict[str, str] = {}
    for index, item in enumerate(media):
        if isinstance(item, str):
            content_type, url = mimetypes.guess_type(item)[0] or "image/jpeg", item
        else:
            content_type, url = item.content_type, f"{base_url}{message.uri}/Media/{item.sid}"
        fields |= {f"MediaContentType{index}": content_type, f"MediaUrl{index}": url}
    return fields


def webhook_fields(message: Message, media: Mapping[str, str], extra: Mapping[str, str]) -> dict[str, str]:
    """All fields of the webhook for a received message."""
    person = message.from_ or ""
    channel, _, number = person.rpartition(":")
    standard = {
        "SmsMessageSid": message.sid,
        "NumMedia": str(len(message.media_urls)),
        "SmsSid": message.sid,
        "SmsStatus": "received",
        "Body": message.body,
        "To": message.to,
        "NumSegments": str(message.num_segments),
        "MessageSid": message.sid,
        "AccountSid": message.account_sid,
        "From": person,
        "ApiVersion": API_VERSION,
    }
    about_sender = _whatsapp(number, message) if channel == "whatsapp" else {}
    about_places = {} if channel else geography("To", message.to) | geography("From", person)
    return about_places | about_sender | dict(media) | standard | dict(extra)


def geography(side: str, address: str) -> dict[str, str]:
    """Where Twilio takes one end (``From``, ``To``, ``Caller``, ``Called``) to be."""
    return {f"{side}Country": _country(address), f"{side}State": "", f"{side}City": "", f"{side}Zip": ""}


def _country(address: str) -> str:
    digits = address.removeprefix("+")
    return next((_COUNTRIES[digits[:n]] for n in (3, 2, 1) if digits[:n] in _COUNTRIES), "")


def _whatsapp(number: str, message: Message) -> dict[str, str]:
    wa_id, name = number.removeprefix("+"), "A person"
    metadata = {"type": "whatsapp", "data": {"context": {"ProfileName": name, "WaId": wa_id}}}
    return {
        "ProfileName": name,
        "MessageType": "image" if message.media_urls else "text",
        "WaId": wa_id,
        "ReferralNumMedia": "0",
        "ChannelMetadata": json.dumps(metadata, separators=(",", ":")),
    }
