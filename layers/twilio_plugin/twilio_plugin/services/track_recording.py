"""Twilio says what became of a recording."""

from __future__ import annotations

from twilio_plugin.domain.events import CallRecorded, event_id
from twilio_plugin.domain.recording import FINAL_STATUSES, Recording
from twilio_plugin.domain.timestamp import iso
from twilio_plugin.errors import UnknownCall
from twilio_plugin.services.ports import Calls, Clock


def track_recording(recording: Recording, calls: Calls, clock: Clock) -> bool:
    """Keep and announce it. False if that had been before, or if it is still being recorded.

    Raises:
        UnknownCall: the call is not recorded yet; Twilio delivers it again.
        StorageUnavailable: nothing was stored; Twilio may deliver it again.
    """
    if recording.status not in FINAL_STATUSES:
        return False
    call = calls.call(recording.call_sid)
    if call is None:
        raise UnknownCall(f"{recording.call_sid} is not recorded, or not yet.")
    event = CallRecorded(
        event_id=event_id(CallRecorded, recording.recording_sid, recording.status),
        occurred_at=iso(clock()),
        account_sid=recording.account_sid,
        conversation_id=call.conversation_id,
        call_sid=recording.call_sid,
        recording_sid=recording.recording_sid,
        status=recording.status,
        source=recording.source,
        recording_url=recording.url,
        duration=recording.duration,
        channels=recording.channels,
    )
    return calls.add_recording(recording, event)
