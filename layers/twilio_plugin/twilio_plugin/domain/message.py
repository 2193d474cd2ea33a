"""An inbound text: what Twilio's webhook says, in our words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from twilio_plugin.domain.address import Address, conversation_id
from twilio_plugin.errors import UnreadableWebhook

MAX_MEDIA = 10  # Twilio, "Accepted content types for media": at most ten in a message

# What has a place of its own in an event. Whatever else Twilio sends travels in `fields`, under Twilio's names.
_KNOWN = {
    *("AccountSid", "ApiVersion", "Body", "From", "MessageSid", "MessagingServiceSid", "NumMedia", "NumSegments"),
    *("OptOutType", "SmsMessageSid", "SmsSid", "SmsStatus", "To"),
}


@dataclass(frozen=True, slots=True)
class Media:
    """One attachment. Reading an inbound ``url`` needs the account's credentials while Twilio's media protection is on.

    ``s3_key`` is where an inbound one is copied to, in the stack's bucket: known before the copy is there.
    """

    url: str
    content_type: str
    s3_key: str | None = None


@dataclass(frozen=True, slots=True)
class InboundMessage:
    """One text from a person, MMS and WhatsApp too."""

    message_sid: str
    account_sid: str
    sender: Address
    recipient: Address
    body: str
    media: tuple[Media, ...]
    num_segments: int
    messaging_service_sid: str | None
    twilio_opt_out_type: str
    fields: dict[str, str]

    @property
    def conversation_id(self) -> str:
        return conversation_id(ours=self.recipient, theirs=self.sender)

    @property
    def kind(self) -> Literal["sms", "mms"]:
        """``mms`` with attachments, else ``sms``."""
        return "mms" if self.media else "sms"


def inbound_message(form: Mapping[str, str], *, copies_media: bool = False) -> InboundMessage:
    """Read an inbound message webhook. Unknown fields are kept; Twilio adds fields without notice.

    With `copies_media` every attachment is given the key it will be copied to.

    Raises:
        UnreadableWebhook: a field we cannot do without is missing, or a count is not one.
    """
    message_sid = required(form, "MessageSid")
    return InboundMessage(
        message_sid=message_sid,
        account_sid=required(form, "AccountSid"),
        sender=Address.parse(required(form, "From")),
        recipient=Address.parse(required(form, "To")),
        body=form.get("Body", ""),
        media=_media(form, copied_from=message_sid if copies_media else None),
        num_segments=_count(form, "NumSegments", default=1, at_most=100),
        messaging_service_sid=form.get("MessagingServiceSid") or None,
        twilio_opt_out_type=form.get("OptOutType", "").upper(),
        fields={
            name: value
            for name, value in form.items()
            if value and name not in _KNOWN and not name.startswith(("MediaUrl", "MediaContentType"))
        },
    )


def media_prefix(message_sid: str) -> str:
    """Below which the media of a message are kept."""
    return f"inbound/{message_sid}/"


def media_key(message_sid: str, index: int) -> str:
    """Where one of them is kept, counted from 0. Nothing of what a person or the net calls it is in it."""
    return f"{media_prefix(message_sid)}{index}"


def required(form: Mapping[str, str], name: str) -> str:
    """A field's value.

    Raises:
        UnreadableWebhook: missing or blank.
    """
    value = form.get(name, "")
    if not value:
        raise UnreadableWebhook(f"{name} is missing. This is not a webhook of Twilio's Messaging.")
    return value


def _media(form: Mapping[str, str], *, copied_from: str | None) -> tuple[Media, ...]:
    count = _count(form, "NumMedia", default=0, at_most=MAX_MEDIA)
    return tuple(
        Media(
            url,
            form.get(f"MediaContentType{index}") or "application/octet-stream",
            s3_key=media_key(copied_from, index) if copied_from else None,
        )
        for index in range(count)
        if (url := form.get(f"MediaUrl{index}"))
    )


def _count(form: Mapping[str, str], name: str, *, default: int, at_most: int) -> int:
    written = form.get(name) or str(default)
    if not (written.isascii() and written.isdigit() and len(written) < 4 and int(written) <= at_most):
        raise UnreadableWebhook(f"{name} is {written[:20]!r}; a whole number from 0 to {at_most} was expected.")
    return int(written)
