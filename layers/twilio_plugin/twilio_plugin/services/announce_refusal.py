"""A guard held something back: GUARD_REFUSED, once for a guard, a conversation and a period."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from twilio_plugin.domain.address import Address, conversation_id, masked
from twilio_plugin.domain.call import CallDirection
from twilio_plugin.domain.events import GuardRefused, event_id
from twilio_plugin.domain.guards import Draw, GuardedKind, GuardName, parameter, period_of
from twilio_plugin.domain.timestamp import iso
from twilio_plugin.errors import StorageUnavailable
from twilio_plugin.services.ports import Counters


@dataclass(frozen=True, slots=True)
class Refused:
    """What was held back, and by what."""

    guard: GuardName
    direction: CallDirection
    kind: GuardedKind
    sender: Address
    recipient: Address
    limit: str | None = None
    opens_at: str | None = None


def by_ceiling(full: Draw, direction: CallDirection, kind: GuardedKind, sender: Address, recipient: Address) -> Refused:
    """A refusal because of a ceiling that is reached."""
    return Refused(full.ceiling, direction, kind, sender, recipient, str(full.limit), iso(full.ends))


def announce_refusal(refused: Refused, now: datetime, account_sid: str, counters: Counters) -> None:
    """Announce it, unless it has been. That it is refused matters more than that it is told: nothing is raised."""
    ours, theirs = refused.sender, refused.recipient
    if refused.direction == "inbound":
        ours, theirs = theirs, ours
    conversation, period = conversation_id(ours, theirs), period_of(refused.guard, now)
    event = GuardRefused(
        event_id=event_id(GuardRefused, refused.guard, conversation, period),
        occurred_at=iso(now),
        account_sid=account_sid,
        conversation_id=conversation,
        guard=refused.guard,
        direction=refused.direction,
        kind=refused.kind,
        channel=theirs.channel,
        from_=str(refused.sender),
        to=str(refused.recipient),
        parameter=parameter(refused.guard),
        limit=refused.limit,
        opens_at=refused.opens_at,
    )
    with suppress(StorageUnavailable):
        counters.refuse(event, period)


def ceiling_sentence(full: Draw) -> str:
    """What a caller is told who would pass a ceiling."""
    whose = f" for {masked(full.whose)}" if full.whose else ""
    asked = f", and {full.units} more would pass it" if full.units > 1 else ""
    return (
        f"{parameter(full.ceiling)} is {full.limit}{whose}{asked}. It opens again at {iso(full.ends)}. "
        f"If that is too little, raise the stack's parameter {parameter(full.ceiling)}."
    )
