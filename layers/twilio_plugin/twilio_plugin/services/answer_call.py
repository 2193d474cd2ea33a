"""A person calls us: keep it and announce it, while they hear the greeting."""

from __future__ import annotations

import dataclasses

from twilio_plugin.domain.call import CallUpdate
from twilio_plugin.domain.events import CallReceived, event_id
from twilio_plugin.domain.timestamp import iso
from twilio_plugin.services.ports import Calls, Clock


def answer_call(call: CallUpdate, fields: dict[str, str], calls: Calls, clock: Clock) -> bool:
    """Store and announce one inbound call. False if it had been before.

    Raises:
        StorageUnavailable: nothing was stored.
    """
    event = CallReceived(
        event_id=event_id(CallReceived, call.call_sid),
        occurred_at=iso(clock()),
        account_sid=call.account_sid,
        conversation_id=call.conversation_id,
        call_sid=call.call_sid,
        from_=str(call.sender),
        to=str(call.recipient),
        fields=fields,
    )
    # Our answer is what makes it a call; Twilio reports nothing of an inbound one between its ringing and its end.
    return calls.add_received(dataclasses.replace(call, status="in-progress"), event)
