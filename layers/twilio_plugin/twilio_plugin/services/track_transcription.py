"""Twilio reports what it transcribes of a call that is only listened to, in any order.

Each report is kept; whoever then finds that the next ones are there announces them, in order. So no report waits for another,
and the one that closes a gap brings out all that stood behind it.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import timedelta

from twilio_plugin.domain.call import Call
from twilio_plugin.domain.conversation import Entry
from twilio_plugin.domain.events import Event, SpeechTranscribed, TranscriptionEnded, event_id
from twilio_plugin.domain.timestamp import iso
from twilio_plugin.domain.transcription import CallTranscription, Track, TranscriptionEnd, TranscriptionReport, next_in_order
from twilio_plugin.errors import UnknownCall
from twilio_plugin.services.ports import CallReader, CallTranscriptions, Clock


@dataclass(frozen=True, slots=True)
class Listener:
    """What following a transcription needs."""

    calls: CallReader
    transcriptions: CallTranscriptions
    clock: Clock
    patience: timedelta = timedelta(seconds=10)
    """How long a report waits for one of a lower number. Nobody waits for an answer, so order is worth more than seconds."""


def track_transcription(report: TranscriptionReport, by: Listener) -> int:
    """Keep a report, and announce what is next in order; how many turns that were.

    Raises:
        UnknownCall: the call is not recorded yet; Twilio delivers it again.
        StorageUnavailable: Twilio may deliver it again; what was announced is not announced twice.
    """
    call = by.calls.call(report.call_sid)
    if call is None:
        raise UnknownCall(f"{report.call_sid} is not recorded, or not yet.")
    now = iso(by.clock())
    by.transcriptions.add(dataclasses.replace(report, received_at=now))
    # Only now: who kept a report before us has looked for ours in vain, or will find it.
    known = by.transcriptions.find(report.call_sid, report.transcription_sid)
    transcription = known or by.transcriptions.open(_begun(call, report, now))
    return announce_in_order(transcription, by, after=min(transcription.cursor, report.sequence_id - 1))


def announce_in_order(transcription: CallTranscription, by: Listener, *, after: int, patience: timedelta | None = None) -> int:
    """Deal with all reports of numbers above `after` that are next in order; how many turns were announced."""
    patient_since = iso(by.clock() - (by.patience if patience is None else patience))
    waiting = by.transcriptions.waiting(transcription, after=after)
    turns = 0
    while report := next_in_order(transcription.cursor, waiting, patient_since=patient_since):
        moved, event, entry = dealt_with(transcription, report, iso(by.clock()))
        if by.transcriptions.settle(transcription, report, moved, event, entry):
            turns += entry is not None
            transcription = moved
            waiting.remove(report)
        else:  # somebody else is at it
            now_kept = by.transcriptions.find(transcription.call_sid, transcription.transcription_sid)
            transcription = now_kept or transcription
            waiting = by.transcriptions.waiting(transcription, after=after) if now_kept else []
    return turns


def ended(
    transcription: CallTranscription, report: TranscriptionReport | None, now: str
) -> tuple[CallTranscription, TranscriptionEnded]:
    """The transcription as it is kept once it is over, and the announcement. Without a report, its call is over."""
    reason: TranscriptionEnd = (report.end if report else None) or "call_ended"
    over = dataclasses.replace(transcription, ended_at=now, end=reason)
    event = TranscriptionEnded(
        event_id=event_id(TranscriptionEnded, transcription.transcription_sid),
        occurred_at=now,
        reason=reason,
        turns=over.turns,
        error_code=report.error_code if report else None,
        error=report.error if report else None,
        **over.envelope,
    )
    return over, event


def _begun(call: Call, report: TranscriptionReport, now: str) -> CallTranscription:
    return CallTranscription(
        call_sid=call.call_sid,
        transcription_sid=report.transcription_sid,
        account_sid=report.account_sid,
        conversation_id=call.conversation_id,
        direction=call.direction,
        from_=call.from_,
        to=call.to,
        started_at=now,
        other=report.other,
    )


def dealt_with(
    transcription: CallTranscription, report: TranscriptionReport, now: str
) -> tuple[CallTranscription, Event | None, Entry | None]:
    """The transcription behind a report, and what the report is told as: words as event and entry, the end as event."""
    moved = dataclasses.replace(transcription, cursor=max(transcription.cursor, report.sequence_id))
    if report.end and not transcription.ended_at:
        return *ended(moved, report, now), None
    if not report.text or not report.track:
        return moved, None, None
    return _heard(transcription, moved, report, report.track, now)


def _heard(
    transcription: CallTranscription, moved: CallTranscription, report: TranscriptionReport, track: Track, now: str
) -> tuple[CallTranscription, Event, Entry]:
    said_at = min(report.at or now, now)  # a clock ahead of ours would keep the event from being looked after
    if report.sequence_id > transcription.cursor:
        # The history sorts by time: what follows another is not before it, whatever the times say.
        said_at = max(said_at, transcription.last_at)
        moved = dataclasses.replace(moved, last_at=said_at)
    moved = dataclasses.replace(moved, turns=transcription.turns + 1)
    speaker = moved.speaker(track)
    event = SpeechTranscribed(
        event_id=event_id(SpeechTranscribed, moved.transcription_sid, report.sequence_id, track),
        occurred_at=said_at,
        turn=moved.turns,
        sequence_id=report.sequence_id,
        track=track,
        speaker=speaker,
        text=report.text,
        confidence=report.confidence,
        **moved.envelope,
    )
    ours, theirs = (moved.to, moved.from_) if moved.direction == "inbound" else (moved.from_, moved.to)
    by_person = speaker == "person"
    entry = Entry(
        conversation_id=moved.conversation_id,
        occurred_at=said_at,
        kind="speech",
        direction="inbound" if by_person else "outbound",
        message_sid=f"{moved.transcription_sid}-{report.sequence_id:06d}-{track}",
        from_=theirs if by_person else ours,
        to=ours if by_person else theirs,
        body=report.text,
        call_sid=moved.call_sid,
        speaker=speaker,
    )
    return moved, event, entry
