"""From what a caller asks for to the parts that go out. Everything a send can be refused for before Twilio is refused here."""

from __future__ import annotations

import hashlib
import json
from urllib.parse import urlsplit

from twilio_plugin.domain.actions import SendMessage, SendMms, SendSms
from twilio_plugin.domain.address import Address
from twilio_plugin.domain.message import MAX_MEDIA
from twilio_plugin.domain.outbound import Part, Template
from twilio_plugin.domain.outbound_media import S3Object
from twilio_plugin.domain.phone_number import any_address, recipient
from twilio_plugin.domain.plain_text import plain_text
from twilio_plugin.domain.segments import fold_punctuation, split
from twilio_plugin.errors import InvalidMessage, MediaNotAllowed

MAX_PARTS = 100  # what surely goes out within the function's time


def compose(request: SendMessage, send_id: str, *, phone_number: str, default_region: str) -> list[Part]:
    """The parts of a send, in order; at least one. `phone_number` is ours where the request names none.

    Raises:
        InvalidPhoneNumber, InvalidMessage, MediaNotAllowed: see `twilio_plugin.errors`.
    """
    _refuse_half_characters(request)
    template = _template(request)
    media = _media(request)
    text = plain_text(request.body) if request.strip_markdown else request.body
    text = fold_punctuation(text) if request.smart_encoded else text
    if isinstance(request, SendSms) and not template and not text.strip():
        raise InvalidMessage("`body` is empty. To send media without words, use send_mms.")
    if isinstance(request, SendMms) and not media:
        raise InvalidMessage("`media_url` is empty. To send words alone, use send_sms.")
    to = recipient(request.to, default_region=default_region)
    sender = _our_address(request.from_ or phone_number, to, default_region)
    if sender == to:
        raise InvalidMessage("`to` is our own number: the text would come straight back.")
    bodies = split(text, request.chunk_limit) if text.strip() else [""]
    if len(bodies) > MAX_PARTS:
        raise InvalidMessage(f"`body` would take {len(bodies)} messages; at most {MAX_PARTS} go out in one send. Shorten it.")
    facts = (
        str(to),
        str(sender),
        bodies,
        media,
        request.messaging_service_sid,
        *([template.sid, template.variables] if template else []),
    )
    fingerprint = _fingerprint(*facts)
    return [
        Part(
            send_id=send_id,
            number=number,
            parts=len(bodies),
            fingerprint=fingerprint,
            sender=sender,
            recipient=to,
            body=body,
            media_url=media if number == 1 else (),
            messaging_service_sid=request.messaging_service_sid,
            template=template,
        )
        for number, body in enumerate(bodies, start=1)
    ]


def _refuse_half_characters(request: SendMessage) -> None:
    """JSON can say half of an emoji; nothing that comes after can."""
    for name, value in request.model_dump(by_alias=True).items():
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            raise InvalidMessage(
                f"`{name}` holds half a character (a lone surrogate): a text was cut inside an emoji."
            ) from error


def _template(request: SendMessage) -> Template | None:
    if not isinstance(request, SendSms):
        return None
    if request.content_sid is None:
        if request.content_variables:
            raise InvalidMessage("`content_variables` belong to a template: give its `content_sid`, or leave them out.")
        return None
    if request.body or request.media_url:
        raise InvalidMessage("`content_sid` sends a template and nothing beside it: leave out `body` and `media_url`.")
    return Template(request.content_sid, json.dumps(request.content_variables, ensure_ascii=False, sort_keys=True))


def _media(request: SendMessage) -> tuple[str, ...]:
    if len(request.media_url) > MAX_MEDIA:
        raise MediaNotAllowed(f"{len(request.media_url)} media; Twilio takes at most {MAX_MEDIA} in a message.")
    for url in request.media_url:
        if not _is_public_url(url) and S3Object.named(url) is None:
            raise MediaNotAllowed(f"{url[:80]!r} is not a public http(s) URL, nor s3://bucket/key.")
    return tuple(request.media_url)


def _is_public_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and not any(one.isspace() for one in url)


def _our_address(written: str, to: Address, default_region: str) -> Address:
    address = any_address(written, default_region=default_region)
    if address.channel == "phone":
        return Address(to.channel, address.value)
    if address.channel != to.channel:
        raise InvalidMessage(f"`from` is on {address.channel} and `to` on {to.channel}; a text stays on one channel.")
    return address


def _fingerprint(*facts: object) -> str:
    return hashlib.sha256(json.dumps(facts, ensure_ascii=False).encode()).hexdigest()
