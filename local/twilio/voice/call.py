"""The Call resource, and all calls of the account.

Fields as api.twilio.com sends them (https://www.twilio.com/docs/voice/api/call-resource): durations are strings, dates are
RFC 2822 and null while the call is queued. ``initiated`` is a status of callbacks only: the resource says ``queued``.
"""

import math
import re
from dataclasses import dataclass, field
from datetime import datetime

from ..messages import API_VERSION, new_sid, now, rfc2822

FINAL = frozenset({"completed", "busy", "no-answer", "failed", "canceled"})
_PRICES_PER_MINUTE = {"inbound": 0.0085}
_PRICE_PER_MINUTE = 0.014
_SUBRESOURCES = {
    "events": "Events",
    "notifications": "Notifications",
    "payments": "Payments",
    "recordings": "Recordings",
    "siprec": "Siprec",
    "streams": "Streams",
    "transcriptions": "Transcriptions",
    "user_defined_message_subscriptions": "UserDefinedMessageSubscriptions",
    "user_defined_messages": "UserDefinedMessages",
}


@dataclass
class Call:
    """One leg. ``duration`` is seconds of the call, which the stand-in's clock may let pass faster than its dates show."""

    account_sid: str
    direction: str
    from_: str
    to: str
    status: str
    phone_number_sid: str | None = None
    parent_call_sid: str | None = None
    sid: str = field(default_factory=lambda: new_sid("CA"))
    date_created: datetime = field(default_factory=now)
    date_updated: datetime = field(default_factory=now)
    start_time: datetime | None = None
    end_time: datetime | None = None
    duration: int | None = None
    answered_by: str | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing more will become of it."""
        return self.status in FINAL

    @property
    def person(self) -> str:
        """The number of whom the account talks with."""
        return self.from_ if self.direction == "inbound" else self.to

    @property
    def minutes(self) -> int:
        """What is billed."""
        return math.ceil((self.duration or 0) / 60)

    def advance(self, status: str, duration: int = 0) -> None:
        """Move to a status, with the dates that come with it; ``duration`` counts where the call ends."""
        self.status, self.date_updated = status, now()
        if status == "in-progress":
            self.start_time = self.date_updated
        if self.ended:
            self.start_time = self.start_time or self.date_updated
            self.end_time, self.duration = self.date_updated, duration

    @property
    def uri(self) -> str:
        """Path of the resource without ``.json``."""
        return f"/{API_VERSION}/Accounts/{self.account_sid}/Calls/{self.sid}"

    def resource(self) -> dict[str, object]:
        """The JSON of the Call resource."""
        queued = self.status == "queued"
        price = _PRICES_PER_MINUTE.get(self.direction, _PRICE_PER_MINUTE) * self.minutes
        return {
            "account_sid": self.account_sid,
            "annotation": None,
            "answered_by": self.answered_by,
            "api_version": API_VERSION,
            "caller_name": None,
            "date_created": None if queued else rfc2822(self.date_created),
            "date_updated": None if queued else rfc2822(self.date_updated),
            "direction": self.direction,
            "duration": None if self.duration is None else str(self.duration),
            "end_time": rfc2822(self.end_time),
            "forwarded_from": None,
            "from": self.from_,
            "from_formatted": _formatted(self.from_),
            "group_sid": None,
            "parent_call_sid": self.parent_call_sid,
            "phone_number_sid": self.phone_number_sid,
            "price": f"-{price:.5f}" if self.ended else None,
            "price_unit": "USD",
            "queue_time": "0",
            "sid": self.sid,
            "start_time": rfc2822(self.start_time),
            "status": "queued" if self.status == "initiated" else self.status,
            "subresource_uris": {key: f"{self.uri}/{name}.json" for key, name in _SUBRESOURCES.items()},
            "to": self.to,
            "to_formatted": _formatted(self.to),
            "trunk_sid": None,
            "uri": f"{self.uri}.json",
        }


def _formatted(number: str) -> str:
    return re.sub(r"^\+1(\d{3})(\d{3})(\d{4})$", r"(\1) \2-\3", number)
