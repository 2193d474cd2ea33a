"""Twilio says who answered a call of ours, a person or a machine."""

from __future__ import annotations

from twilio_plugin.domain.call import Call
from twilio_plugin.domain.events import CallAnsweredBy, event_id
from twilio_plugin.domain.machine_detection import AnsweredBy
from twilio_plugin.domain.timestamp import iso
from twilio_plugin.errors import UnknownCall
from twilio_plugin.services.ports import Calls, Clock


def track_answered_by(found: AnsweredBy, calls: Calls, clock: Clock) -> bool:
    """Keep and announce it, with what the call is told to do because of it. False if it had been before.

    Raises:
        UnknownCall: the making of the call is not recorded yet; Twilio delivers it again.
        StorageUnavailable: nothing was stored; Twilio may deliver it again.
    """
    call = calls.call(found.call_sid)
    if call is None or call.machine_detection is None:
        raise UnknownCall(f"{found.call_sid} is not recorded as a call that asks who answers, or not yet.")
    event = CallAnsweredBy(
        event_id=event_id(CallAnsweredBy, found.call_sid),
        occurred_at=iso(clock()),
        account_sid=found.account_sid,
        conversation_id=call.conversation_id,
        call_sid=found.call_sid,
        from_=call.from_,
        to=call.to,
        answered_by=found.answered_by,
        control=_control(call) if found.by_machine else None,
        request_id=found.request_id,
    )
    return calls.apply_answered_by(found.call_sid, found.answered_by, event)


def _control(call: Call) -> dict[str, str] | None:
    """What `control_call` is to do with a call that a machine has answered."""
    wanted = call.machine_detection
    if wanted is None or call.ended:
        return None
    if wanted.twiml:
        return {"call_sid": call.call_sid, "action": "update", "twiml": wanted.twiml}
    return {"call_sid": call.call_sid, "action": "end"} if wanted.on_machine == "hang_up" else None
