"""What Twilio refuses to send, in the order in which it looks.

Numbers that always fail: https://www.twilio.com/docs/iam/test-credentials. The length of a body is counted in UTF-16 code
units: Twilio's page on 21617 says that an emoji counts as more than one character, not how many.
"""

import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from multidict import MultiMapping

from .account import Account
from .opt_outs import OptOuts
from .refusals import refusal
from .segments import utf16_length

MAX_BODY = 1600
MAX_MEDIA = 10
MAX_CALLBACK_URL = 4000

_E164 = re.compile(r"\+[1-9]\d{6,14}", re.ASCII)
_RECIPIENT = re.compile(r"(?:whatsapp:)?\+[1-9]\d{6,14}|rcs:\S+", re.ASCII)
_SHORT_CODE = re.compile(r"\d{5,6}", re.ASCII)
_ALPHANUMERIC = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 +&_-]{1,11}", re.ASCII)
_SERVICE = re.compile(r"MG[0-9a-f]{32}", re.ASCII)
_HOST = re.compile(r"[A-Za-z0-9.\-:\[\]]+", re.ASCII)  # an underscore is refused, as Twilio does

_MAGIC_TO = {
    "+15005550001": 21211,
    "+15005550002": 21612,
    "+15005550003": 21408,
    "+15005550004": 21610,
    "+15005550009": 21614,
}
_MAGIC_FROM = {"+15005550001": 21212, "+15005550007": 21606, "+15005550008": 21611}


@dataclass
class NewMessage:
    """What was asked for. ``body`` is None where the parameter was missing, which Twilio tells from an empty one."""

    to: str
    from_: str | None = None
    messaging_service_sid: str | None = None
    body: str | None = None
    media_urls: list[str] = field(default_factory=list)
    status_callback: str | None = None
    scheduled: bool = False
    content_sid: str | None = None
    content_variables: str | None = None

    @classmethod
    def of_form(cls, form: MultiMapping[str]) -> "NewMessage":
        """From the form of ``POST Messages.json``; other parameters are ignored."""
        return cls(
            to=form.get("To", ""),
            from_=form.get("From") or None,
            messaging_service_sid=form.get("MessagingServiceSid") or None,
            body=form.get("Body"),
            media_urls=[url for url in form.getall("MediaUrl", []) if url],
            status_callback=form.get("StatusCallback") or None,
            scheduled=form.get("ScheduleType") == "fixed",
            content_sid=form.get("ContentSid") or None,
            content_variables=form.get("ContentVariables"),
        )


def check(message: NewMessage, account: Account, opt_outs: OptOuts) -> None:
    """Raises the :class:`~local.twilio.refusals.Refusal` that Twilio would answer."""
    _check_recipient(message)
    _check_sender(message, account)
    _check_content(message)
    if message.status_callback and not is_callback_url(message.status_callback):
        raise refusal(21609, url=message.status_callback)
    senders = [message.from_] if message.from_ else [account.sender_for(message.to)]
    if message.messaging_service_sid:
        senders = account.phone_numbers
    if opt_outs.blocks(message.to, senders):
        raise refusal(21610)


def is_url(text: str) -> bool:
    """Whether that is an absolute http(s) URL with a host and without white space."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and not re.search(r"\s", text)


def _check_recipient(message: NewMessage) -> None:
    if not message.to:
        raise refusal(21604)
    if message.to in _MAGIC_TO:
        raise refusal(_MAGIC_TO[message.to], to=message.to, from_=message.from_)
    if not _RECIPIENT.fullmatch(message.to):
        raise refusal(21211, to=message.to)


def _check_sender(message: NewMessage, account: Account) -> None:
    sender, service = message.from_, message.messaging_service_sid
    if service and not _SERVICE.fullmatch(service):
        raise refusal(21701, service=service)
    if sender is None:
        if not service:
            raise refusal(21603)
        return
    if sender in _MAGIC_FROM:
        raise refusal(_MAGIC_FROM[sender], from_=sender)
    if sender == message.to:
        raise refusal(21266, to=sender)
    if _channel(sender) != _channel(message.to):
        raise refusal(21910)
    if _channel(sender) and not account.may_send_from(sender):
        raise refusal(63007)
    if not _channel(sender) and not any(p.fullmatch(sender) for p in (_E164, _SHORT_CODE, _ALPHANUMERIC)):
        raise refusal(21212, from_=sender)
    if not account.may_send_from(sender):
        raise refusal(21606, from_=sender)


def _check_content(message: NewMessage) -> None:
    if message.content_sid:
        return  # body and media beside a template are not looked at
    if message.body is None and not message.media_urls:
        raise refusal(21602)
    if not (message.body or "").strip() and not message.media_urls:
        raise refusal(21619)
    if utf16_length(message.body or "") > MAX_BODY:
        raise refusal(21617)
    if len(message.media_urls) > MAX_MEDIA:
        raise refusal(21623)
    if not all(is_url(url) for url in message.media_urls):
        raise refusal(21620)


def _channel(address: str) -> str:
    return address.rpartition(":")[0]


def is_callback_url(url: str) -> bool:
    """Whether Twilio takes that for a status callback."""
    return is_url(url) and len(url) <= MAX_CALLBACK_URL and bool(_HOST.fullmatch(urlsplit(url).netloc.rpartition("@")[2]))
