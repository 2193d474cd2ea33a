"""What keeps the phone from being abused and from spending without end: the stack's limits, and what is counted for them.

Days and hours are UTC's. What a number costs to reach is in `domain.destination`, which no webhook imports.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Literal

from twilio_plugin.domain.timestamp import iso

CeilingName = Literal[
    "texts_per_recipient_per_day",
    "texts_per_day",
    "segments_per_day",
    "calls_per_recipient_per_day",
    "call_minutes_per_day",
    "inbound_texts_per_sender_per_hour",
]
GuardName = Literal[CeilingName, "allowed_countries", "premium_numbers", "inbound_allow_list"]
GuardedKind = Literal["text", "call"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The stack's parameters of these names. A ceiling of 0 is off; so is a list that is empty, but for the countries."""

    allowed_countries: str = ""
    """ISO 3166 codes, comma-separated; ``*`` for all. Empty: the country of the stack's number."""
    texts_per_recipient_per_day: int = 0
    texts_per_day: int = 0
    segments_per_day: int = 0
    calls_per_recipient_per_day: int = 0
    call_minutes_per_day: int = 0
    max_call_seconds: int = 14_400
    inbound_texts_per_sender_per_hour: int = 0
    inbound_allow_list: frozenset[str] = frozenset()
    """Numbers, short codes and sender names, without a channel in front."""
    source_cidrs: tuple[IPv4Network | IPv6Network, ...] = ()

    def admits_source(self, address: str) -> bool:
        """Whether a request may come from an IP address. With a list, what is no address may not."""
        if not self.source_cidrs:
            return True
        try:
            source = ip_address(address)
        except ValueError:
            return False
        return any(source in network for network in self.source_cidrs)

    def draw(self, ceiling: CeilingName, now: datetime, *, units: int = 1, whose: str = "") -> tuple[Draw, ...]:
        """What something asks of a ceiling; nothing where that is off. `whose` names the recipient or the sender of one."""
        limit: int = getattr(self, ceiling)
        drawn = Draw(ceiling=ceiling, whose=whose, period=period_of(ceiling, now), units=units, limit=limit)
        return (drawn,) if limit else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """Units that are taken of a ceiling in a period."""

    ceiling: CeilingName
    whose: str
    """The number it is counted for; empty where it is the whole stack's."""
    period: str
    """``2026-11-22`` or ``2026-11-22T08``."""
    units: int
    limit: int

    @property
    def ends(self) -> datetime:
        """When the period is over and the ceiling opens again."""
        length = timedelta(hours=1) if _counts_by_the_hour(self.ceiling) else timedelta(days=1)
        return datetime.fromisoformat(self.period).replace(tzinfo=UTC) + length


def period_of(guard: GuardName, now: datetime) -> str:
    """The hour or the day of a moment, whichever the guard counts by; the day where it counts nothing."""
    return iso(now)[: len("2026-11-22T08") if _counts_by_the_hour(guard) else len("2026-11-22")]


def parameter(guard: GuardName) -> str | None:
    """The stack's parameter that sets a guard: ``TextsPerDay`` for ``texts_per_day``. Premium numbers have none."""
    return None if guard == "premium_numbers" else "".join(word.capitalize() for word in guard.split("_"))


def holder_of(direction: str, call_sid: str, request_id: str | None) -> str | None:
    """Who holds the minutes of a call: its request where we made it, known before Twilio is asked, else the call."""
    if direction == "inbound":
        return f"call|{call_sid}"
    return requested(request_id) if request_id else None


def requested(request_id: str) -> str:
    """The holder of a call that is not made yet."""
    return f"request|{request_id}"


def minutes(seconds: int) -> int:
    """As Twilio bills them: each one begun."""
    return -(-seconds // 60)


def _counts_by_the_hour(guard: GuardName) -> bool:
    return guard.endswith("_per_hour")
