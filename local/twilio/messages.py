"""The Message resource, and all messages of the account.

Fields and their types are those of https://www.twilio.com/docs/messaging/api/message-resource as api.twilio.com sends them:
counts are strings, dates are RFC 2822, absent values are null.
"""

import asyncio
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import format_datetime

API_VERSION = "2010-04-01"
FINAL = frozenset({"delivered", "undelivered", "failed", "canceled", "received", "read"})
PRICE_PER_SEGMENT = 0.0083

DELIVERY_ERRORS = {
    21610: "Attempt to send to unsubscribed recipient",
    30001: "Queue overflow",
    30002: "Account suspended",
    30003: "Unreachable destination handset",
    30004: "Message blocked",
    30005: "Unknown destination handset",
    30006: "Landline or unreachable carrier",
    30007: "Message filtered",
    30008: "Unknown error",
    30034: "Message from an Unregistered Number",
    30036: "Validity Period Expired",
    30450: "Message delivery blocked",
    11200: "HTTP retrieval failure",
    11751: "Media Message - Media exceeds messaging provider size limit",
    12300: "Invalid Content-Type",
    63016: "Failed to send freeform message because you are outside the allowed window",
    63019: "Media failed to download",
}


def new_sid(prefix: str) -> str:
    """``prefix`` and 32 hexadecimal digits, as all of Twilio's."""
    return prefix + secrets.token_hex(16)


def now() -> datetime:
    """The time in UTC."""
    return datetime.now(UTC)


def rfc2822(moment: datetime | None) -> str | None:
    """``Tue, 21 Mar 2023 12:34:03 +0000``."""
    return None if moment is None else format_datetime(moment)


@dataclass
class Message:
    """One text, in or out. Addresses are E.164 or prefixed (``whatsapp:+1…``); ``from_`` is None until a service chose one.

    ``shown`` is False for a text that never reaches the phone, ``logged`` is False for Twilio's own answers to STOP, START
    and HELP: the phone shows those, and the account's log is not known to.
    """

    account_sid: str
    direction: str
    from_: str | None
    to: str
    body: str
    status: str
    num_segments: int = 1
    media_urls: list[str] = field(default_factory=list)
    messaging_service_sid: str | None = None
    status_callback: str | None = None
    sid: str = ""
    date_created: datetime = field(default_factory=now)
    date_updated: datetime = field(default_factory=now)
    date_sent: datetime | None = None
    error_code: int | None = None
    price: str | None = None
    shown: bool = True
    logged: bool = True

    def __post_init__(self) -> None:
        self.sid = self.sid or new_sid("MM" if self.media_urls else "SM")

    def advance(self, status: str, error_code: int | None = None) -> None:
        """Move to a status, with the dates and the price that come with it."""
        self.status, self.error_code, self.date_updated = status, error_code, now()
        if status in {"sent", "received"}:
            self.date_sent = self.date_updated
        if status in {"delivered", "received"}:
            self.price = f"-{PRICE_PER_SEGMENT * max(self.num_segments, 1):.5f}"

    @property
    def uri(self) -> str:
        """Path of the resource without ``.json``."""
        return f"/{API_VERSION}/Accounts/{self.account_sid}/Messages/{self.sid}"

    def resource(self) -> dict[str, object]:
        """The JSON of the Message resource."""
        return {
            "body": self.body,
            "num_segments": str(self.num_segments),
            "direction": self.direction,
            "from": self.from_,
            "to": self.to,
            "date_updated": rfc2822(self.date_updated),
            "price": self.price,
            "error_message": DELIVERY_ERRORS.get(self.error_code) if self.error_code else None,
            "uri": f"{self.uri}.json",
            "account_sid": self.account_sid,
            "num_media": str(len(self.media_urls)),
            "status": self.status,
            "messaging_service_sid": self.messaging_service_sid,
            "sid": self.sid,
            "date_sent": rfc2822(self.date_sent),
            "date_created": rfc2822(self.date_created),
            "error_code": self.error_code,
            "price_unit": "USD",
            "api_version": API_VERSION,
            "subresource_uris": {"media": f"{self.uri}/Media.json"},
        }


class MessageLog:
    """All messages in the order in which they were accepted. Used on the loop's thread only."""

    def __init__(self) -> None:
        self._messages: dict[str, Message] = {}
        self._changed = asyncio.Condition()

    def __iter__(self) -> Iterator[Message]:
        return iter(list(self._messages.values()))

    def get(self, sid: str) -> Message | None:
        """The message in the account's log, if it is there."""
        message = self._messages.get(sid)
        return message if message and message.logged else None

    async def add(self, message: Message) -> None:
        """Accept a message."""
        self._messages[message.sid] = message
        await self.changed()

    async def remove(self, message: Message) -> None:
        """Forget a message; the phone forgets it too."""
        self._messages.pop(message.sid, None)
        await self.changed()

    def newest_first(self) -> list[Message]:
        """The account's log as the list resource has it."""
        return [message for message in reversed(self._messages.values()) if message.logged]

    def texts_to(self, person: str) -> list[Message]:
        """Copies of what that person's phone shows, in the order in which Twilio accepted them."""
        return [
            copy_of(message)
            for message in self._messages.values()
            if message.to == person and message.shown and message.status in {"sent", "delivered", "read"}
        ]

    async def changed(self) -> None:
        """Tell whoever waits that a message was added or moved on."""
        async with self._changed:
            self._changed.notify_all()

    async def wait_until(self, is_so: Callable[[], bool], timeout: float) -> bool:
        """Whether it came to be so within ``timeout`` seconds."""
        try:
            async with asyncio.timeout(timeout), self._changed:
                await self._changed.wait_for(is_so)
        except TimeoutError:
            return is_so()
        return True


def copy_of(message: Message) -> Message:
    """A copy that later deliveries do not touch."""
    return replace(message, media_urls=list(message.media_urls))
