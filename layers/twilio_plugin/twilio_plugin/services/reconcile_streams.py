"""Media streams that nobody ended: their session died, and so did every word of their end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from twilio_plugin.domain.stream import Stream, StreamEnd
from twilio_plugin.errors import StorageUnavailable
from twilio_plugin.services.end_stream import StreamEnder, end_stream
from twilio_plugin.services.ports import CallReader


@dataclass(frozen=True, slots=True)
class StreamReconciler:
    """What reconciling streams needs, and how long a session, or the end of a call, may go without a word of it."""

    ender: StreamEnder
    calls: CallReader
    patience: timedelta = timedelta(seconds=60)
    gathered: timedelta = timedelta(minutes=3)
    """The same without a session: behind the words of a document comes a lap, or what a person says at length."""


def reconcile_streams(by: StreamReconciler) -> int:
    """One run; how many streams it ended.

    Raises:
        StorageUnavailable: a table could not be read or written; whatever could be settled is.
    """
    now = by.ender.clock()
    found = 0
    failures: list[StorageUnavailable] = []
    for stream in by.ender.streams.active():
        try:
            before = now - (by.gathered if stream.mode == "gather" else by.patience)
            end = _end(stream, by.calls, before)
            if end and end_stream(stream, end[0], by.ender, at=end[1]):
                found += 1
        except StorageUnavailable as failure:
            failures.append(failure)
    if failures:
        raise failures[0]
    return found


def _end(stream: Stream, calls: CallReader, before: datetime) -> tuple[StreamEnd, str] | None:
    """Why a stream is over and since when, if it is. A session that lives is left the time to end it by itself.

    A relayed call gives no signs of life: its stream lasts as long as the call.
    """
    seen_at = max(stream.seen_at or stream.started_at, stream.prompt_ends_at or stream.started_at)
    call = calls.call(stream.call_sid)
    if call is None:
        return "call_ended", seen_at
    if call.ended_at and datetime.fromisoformat(min(call.ended_at, seen_at)) < before:
        return "call_ended", max(call.ended_at, stream.started_at)
    if stream.mode == "relay":
        return None
    return ("lost", seen_at) if datetime.fromisoformat(seen_at) < before else None
