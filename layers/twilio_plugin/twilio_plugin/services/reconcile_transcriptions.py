"""Transcriptions that stand still: behind a report that never came, or because their end was never told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from twilio_plugin.domain.timestamp import iso
from twilio_plugin.domain.transcription import CallTranscription
from twilio_plugin.errors import StorageUnavailable
from twilio_plugin.services.track_transcription import Listener, announce_in_order, ended


@dataclass(frozen=True, slots=True)
class TranscriptionReconciler:
    """What reconciling transcriptions needs, and how long after its call a transcription may go without a word of its end."""

    listener: Listener
    after_call: timedelta = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class ReconciledTranscriptions:
    """What a run did."""

    turns: int
    ended: int


def reconcile_transcriptions(by: TranscriptionReconciler) -> ReconciledTranscriptions:
    """One run.

    Raises:
        StorageUnavailable: a table could not be read or written; whatever could be settled is.
    """
    listener, turns, over = by.listener, 0, 0
    failures: list[StorageUnavailable] = []
    for listed in listener.transcriptions.active():
        try:
            is_over = _call_is_over(listed, by)
            # Of all numbers: one that came late may have died with the function that was at it.
            turns += announce_in_order(_now(listed, by), listener, after=-1, patience=timedelta(0) if is_over else None)
            if is_over:
                over += listener.transcriptions.end(*ended(_now(listed, by), None, iso(listener.clock())))
        except StorageUnavailable as failure:
            failures.append(failure)
    if failures:
        raise failures[0]
    return ReconciledTranscriptions(turns=turns, ended=over)


def _now(listed: CallTranscription, by: TranscriptionReconciler) -> CallTranscription:
    """The transcription as it is: the list may be behind."""
    return by.listener.transcriptions.find(listed.call_sid, listed.transcription_sid) or listed


def _call_is_over(transcription: CallTranscription, by: TranscriptionReconciler) -> bool:
    """Whether it is, for so long that Twilio has no more to say."""
    call = by.listener.calls.call(transcription.call_sid)
    if call is None:
        return True
    return call.ended_at is not None and datetime.fromisoformat(call.ended_at) < by.listener.clock() - by.after_call
