"""A stream ends once, whoever says so first: Twilio's ``stop``, the socket, the stream's status, the call's end, or time."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from twilio_plugin.domain.events import VoiceStreamEnded, event_id
from twilio_plugin.domain.stream import Stream, StreamEnd
from twilio_plugin.domain.stream_status import StreamUpdate
from twilio_plugin.domain.timestamp import epoch, iso
from twilio_plugin.services.ports import Clock, Frames, Streams, Utterances
from twilio_plugin.services.relay_playback import estimate_heard
from twilio_plugin.services.stop_speaking import end_utterances

ALIVE = timedelta(seconds=15)  # a session writes every second
_FRAMES_KEPT = 1 / 8  # days


class StreamCloser(Protocol):
    """What closing a stream needs."""

    @property
    def streams(self) -> Streams: ...
    @property
    def utterances(self) -> Utterances: ...
    @property
    def clock(self) -> Clock: ...


@dataclass(frozen=True, slots=True)
class StreamEnder:
    """What ending a stream needs, whoever listens to it."""

    streams: Streams
    utterances: Utterances
    frames: Frames
    clock: Clock


def announce_end(stream: Stream, end: StreamEnd, by: StreamEnder, *, last: int | None = None) -> None:
    """Somebody says that the stream is over. Its session first hears what was said until then; without one, it ends here.

    `last` is the sequence number of Twilio's ``stop``.
    """
    if stream.ended_at:
        return
    now = by.clock()
    if stream.mode == "stream":
        by.frames.put_end(stream.connection_id, end, last=last, expires_at=epoch(now, days=_FRAMES_KEPT))
    if not is_heard(stream, now):
        end_stream(stream, end, by)


def call_ended(call_sid: str, by: StreamEnder) -> None:
    """A call is over, and its stream with it."""
    stream = by.streams.of_call(call_sid)
    if stream:
        announce_end(stream, "call_ended", by)


def track_stream(update: StreamUpdate, by: StreamEnder) -> None:
    """Twilio says of a stream that it has begun, stopped or failed; the beginning is known by its ``start``."""
    stream = by.streams.of_call(update.call_sid)
    if update.ended and stream and stream.stream_sid == update.stream_sid:
        announce_end(stream, "failed" if update.error else "stopped", by)


def end_stream(
    stream: Stream,
    end: StreamEnd,
    by: StreamCloser,
    *,
    at: str | None = None,
    handoff_data: Mapping[str, Any] | None = None,
) -> bool:
    """Close it for good: what was being said is over too. False if it had ended before.

    `at` is when it was, if that is not now.
    """
    if stream.mode == "relay":
        estimate_heard(stream, at or iso(by.clock()), by.utterances, by.clock)
    end_utterances(stream, "end", by.utterances, by.clock)
    return by.streams.end(*ended(stream, end, at or iso(by.clock()), handoff_data))


def is_heard(stream: Stream, now: datetime) -> bool:
    """Whether a session listens: it has just been appointed, or was there a moment ago."""
    last_sign = datetime.fromisoformat(stream.seen_at or stream.started_at)
    return stream.session_id is not None and now - last_sign < ALIVE


def ended(
    stream: Stream, end: StreamEnd, now: str, handoff_data: Mapping[str, Any] | None = None
) -> tuple[Stream, VoiceStreamEnded]:
    """The stream as it is kept once it is over, and the announcement."""
    seconds = (datetime.fromisoformat(now) - datetime.fromisoformat(stream.started_at)).total_seconds()
    event = VoiceStreamEnded(
        event_id=event_id(VoiceStreamEnded, stream.stream_sid),
        occurred_at=now,
        reason=end,
        duration=round(max(seconds, 0.0), 3),
        frames=stream.frames,
        gaps=stream.gaps,
        handoff_data=None if handoff_data is None else dict(handoff_data),
        **stream.envelope,
    )
    return dataclasses.replace(stream, ended_at=now, end=end), event
