"""Twilio says how far a call has come."""

from __future__ import annotations

from typing import Any

from twilio_plugin.domain.call import CallUpdate
from twilio_plugin.domain.events import CallEnded, CallStatusChanged, Event, event_id
from twilio_plugin.domain.timestamp import iso
from twilio_plugin.services.ports import Calls, Clock


def track_call(update: CallUpdate, calls: Calls, clock: Clock) -> bool:
    """Move the call forward and announce it. False if the callback was late or came before: nothing changes then.

    Raises:
        StorageUnavailable: nothing was stored; Twilio may deliver it again.
    """
    return calls.apply_status(update, _event(update, iso(clock())))


def _event(update: CallUpdate, now: str) -> Event:
    envelope: Any = {
        "occurred_at": now,
        "account_sid": update.account_sid,
        "conversation_id": update.conversation_id,
        "call_sid": update.call_sid,
        "direction": update.direction,
        "from_": str(update.sender),
        "to": str(update.recipient),
        "status": update.status,
        "request_id": update.request_id,
    }
    if update.ended:
        return CallEnded(event_id=event_id(CallEnded, update.call_sid), duration=update.duration, **envelope)
    return CallStatusChanged(event_id=event_id(CallStatusChanged, update.call_sid, update.status), **envelope)
