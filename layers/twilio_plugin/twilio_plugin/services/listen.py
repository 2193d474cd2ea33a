"""A call session: hears one stream until it ends, or until another session takes over.

It keeps only what it can find again. Its cursor never stands inside a turn, so whoever goes on there hears that turn from its
first frame; what it does is either idempotent or allowed only to the session that the stream's item names.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from twilio_plugin.domain.call import FINAL_RANK, call_rank
from twilio_plugin.domain.events import Event, SpeechPartial, SpeechReceived, event_id
from twilio_plugin.domain.jitter_buffer import JitterBuffer
from twilio_plugin.domain.media_stream import Frame
from twilio_plugin.domain.stream import Stream, StreamEnd
from twilio_plugin.domain.timestamp import iso
from twilio_plugin.domain.turns import TurnAudio, TurnDetector, TurnEnded, TurnEvent, TurnStarted
from twilio_plugin.errors import StorageUnavailable
from twilio_plugin.services.end_stream import StreamEnder, end_stream
from twilio_plugin.services.heard_turn import heard_turn
from twilio_plugin.services.ports import (
    Announcement,
    Arrived,
    CallReader,
    Clock,
    Connections,
    Conversations,
    EventBus,
    Frames,
    Sessions,
    Streams,
    Superseded,
    Transcriber,
    Transcript,
)
from twilio_plugin.services.start_stream import appoint_session
from twilio_plugin.services.stop_speaking import Interrupter, interrupt
from twilio_plugin.services.transcribe_turns import Turn, Turns

Outcome = Literal["ended", "handed_over", "superseded"]

_PAGE = 200  # frames in a read: four seconds


@dataclass(frozen=True, slots=True)
class Ears:
    """What a session needs, and how it behaves. Times are seconds where they are numbers."""

    calls: CallReader
    streams: Streams
    frames: Frames
    connections: Connections
    conversations: Conversations
    sessions: Sessions
    bus: EventBus
    transcriber: Transcriber
    turn_detector: Callable[[int], TurnDetector]
    """By the sequence number behind which it hears."""
    interrupter: Interrupter
    ender: StreamEnder
    clock: Clock
    sleep: Callable[[float], None]
    new_id: Callable[[], str]
    not_understood: Callable[[str], None]
    """Told why a turn could not be transcribed."""
    reply_timeout: timedelta
    partials: bool
    look_every: float = 0.1
    save_every: timedelta = timedelta(seconds=1)
    talk_over_every: timedelta = timedelta(milliseconds=500)
    """How often, while the person speaks, it is made sure that we do not."""
    partial_every: timedelta = timedelta(milliseconds=300)
    quiet_after: timedelta = timedelta(seconds=5)
    """Twilio sends frames of silence too. Without any for so long, something is wrong."""
    straggle: timedelta = timedelta(milliseconds=500)
    """How long frames may come after the word that the stream is over."""
    engine: timedelta = timedelta(seconds=20)
    """How long it may take for a turn. One that never answers must not keep the turns behind it from being heard."""
    last_words: timedelta = timedelta(seconds=12)
    """How long the engine may take for what was said before the end."""


def listen(call_sid: str, session_id: str, remaining: Callable[[], timedelta], ears: Ears) -> Outcome:
    """Listen until the stream ends, until little time remains, or until another session is in charge.

    Raises:
        StorageUnavailable: whatever was not saved is heard again by the session that replaces this one.
    """
    stream = ears.streams.of_call(call_sid)
    if stream is None:
        return "superseded"
    try:
        return _Session(ears.streams.take(stream, session_id, iso(ears.clock())), remaining, ears).run()
    except Superseded:
        return "superseded"


class _Session:
    def __init__(self, stream: Stream, remaining: Callable[[], timedelta], ears: Ears) -> None:
        self._ears = ears
        self._remaining = remaining
        self._stream = stream
        whole = remaining()
        self._hand_over_in_silence = min(timedelta(seconds=60), whole * 0.3)
        self._hand_over_anyway = min(timedelta(seconds=15), whole * 0.15)
        self._buffer = JitterBuffer(frames=stream.frames, gaps=stream.gaps, chunk=stream.frames + stream.gaps)
        self._detector = ears.turn_detector(stream.cursor)
        self._read_to = self._newest = stream.cursor
        # What had been counted when each frame was heard: a cursor is saved with the counts that belong to it.
        self._counts: deque[tuple[int, int, int]] = deque()
        self._turns = Turns(ears.transcriber, ears.clock, ears.engine, ears.not_understood)
        now = ears.clock()
        self._saved_at = self._heard_at = self._checked_at = self._partial_at = now
        self._end_seen_at: datetime | None = None
        self._waits_since = stream.waits_since

    def run(self) -> Outcome:
        try:
            while True:
                end = self._look()
                if end:
                    return self._end(end)
                if self._is_left_alone():
                    self._end("no_reply")  # before the call's document goes on, and asks why
                    self._ears.connections.close(self._stream.connection_id)
                    return "ended"
                if self._hands_over():
                    return "handed_over"
                self._ears.sleep(self._ears.look_every)
        finally:
            self._turns.cancel()

    def _look(self) -> StreamEnd | None:
        """One round. What ended the stream, once all before it has been heard."""
        arrived = self._ears.frames.after(self._stream.connection_id, self._read_to, limit=_PAGE)
        now = self._ears.clock()
        self._buffer.put(arrived.frames)
        if arrived.frames and arrived.frames[-1].sequence_number > self._newest:
            self._newest, self._heard_at = arrived.frames[-1].sequence_number, now
        over = arrived.end is not None and self._all_is_here(arrived, now)
        for frame in self._buffer.take(flush=over):
            self._hear(frame)
        self._announce()
        self._while_they_speak(now)
        if now - self._saved_at >= self._ears.save_every:
            self._save()
        if over:
            return arrived.end
        return self._end_without_a_word(now)

    def _all_is_here(self, arrived: Arrived, now: datetime) -> bool:
        """Whether nothing is under way any more. Frames may be overtaken by the word that they were the last."""
        self._end_seen_at = self._end_seen_at or now
        return self._newest + 1 == arrived.last or now - self._end_seen_at >= self._ears.straggle

    def _hear(self, frame: Frame) -> None:
        self._read_to = max(self._read_to, frame.sequence_number)
        self._counts.append((frame.sequence_number, self._buffer.frames, self._buffer.gaps))
        self._follow(self._detector.hear(frame))

    def _follow(self, events: Iterable[TurnEvent]) -> None:
        for heard in events:
            match heard:
                case TurnStarted():
                    self._waits_since = None
                    interrupt(self._stream, "speech", self._ears.interrupter)
                    self._turns.begin(heard)
                case TurnAudio():
                    self._turns.write(heard.audio)
                case TurnEnded():
                    self._turns.finish(heard)

    def _while_they_speak(self, now: datetime) -> None:
        if self._turns.spoken is None:
            return
        if now - self._checked_at >= self._ears.talk_over_every:
            self._checked_at = now
            interrupt(self._stream, "speech", self._ears.interrupter)
        if self._ears.partials and now - self._partial_at >= self._ears.partial_every:
            self._partial_at = now
            if words := self._turns.new_words():
                self._publish(self._partial_event(self._turns.spoken, words))

    def _announce(self) -> None:
        """Announce the turns that are understood."""
        while understood := self._turns.understood():
            turn, transcript = understood
            if transcript.text:
                self._received(turn, transcript)
            self._turns.done()
            self._save()

    def _received(self, turn: Turn, transcript: Transcript) -> None:
        """First the history, so that whoever hears of the turn finds it there; then the bus; then the cursor."""
        event = self._event(turn, transcript)
        stream = self._stream
        self._save()  # only who is in charge may announce
        self._ears.conversations.add_turn(heard_turn(stream, event))
        self._publish(event)
        heard_at = iso(self._ears.clock())
        self._stream = replace(self._stream, turns=stream.turns + 1, last_words=transcript.text, heard_at=heard_at)
        self._waits_since = heard_at

    def _event(self, turn: Turn, transcript: Transcript) -> SpeechReceived:
        stream = self._stream
        spoken = datetime.fromisoformat(stream.started_at) + timedelta(milliseconds=turn.starts_at_ms + turn.duration_ms)
        return SpeechReceived(
            event_id=event_id(SpeechReceived, stream.stream_sid, stream.turns + 1),
            occurred_at=iso(spoken),
            turn=stream.turns + 1,
            text=transcript.text,
            confidence=transcript.confidence,
            starts_at_ms=turn.starts_at_ms,
            duration_ms=turn.duration_ms,
            **stream.envelope,
        )

    def _partial_event(self, turn: Turn, words: str) -> SpeechPartial:
        stream = self._stream
        return SpeechPartial(
            event_id=event_id(SpeechPartial, stream.stream_sid, turn.starts_at_ms, len(turn.audio)),
            occurred_at=iso(self._ears.clock()),
            text=words,
            starts_at_ms=turn.starts_at_ms,
            **stream.envelope,
        )

    def _publish(self, event: Event) -> None:
        detail = json.dumps(event.detail(), ensure_ascii=False, separators=(",", ":"))
        if self._ears.bus.publish([Announcement(event.event_id, event.detail_type, detail, event.occurred_at)]):
            raise StorageUnavailable("The event bus did not take what a person said.")

    def _save(self) -> None:
        """Keep where we are: before the first frame that is still needed, with what was counted up to there."""
        cursor = self._detector.safe_cursor
        if (first := self._turns.first_frame) is not None:
            cursor = min(cursor, first - 1)
        frames, gaps = self._stream.frames, self._stream.gaps
        while self._counts and self._counts[0][0] <= cursor:
            _, frames, gaps = self._counts.popleft()
        now = self._ears.clock()
        self._stream = replace(self._stream, cursor=max(cursor, self._stream.cursor), frames=frames, gaps=gaps)
        self._ears.streams.save(self._stream, iso(now))
        self._saved_at = now

    def _end_without_a_word(self, now: datetime) -> StreamEnd | None:
        """No frame has come for a while: perhaps nobody is there any more."""
        if now - self._heard_at < self._ears.quiet_after:
            return None
        self._heard_at = now
        if not self._ears.connections.is_open(self._stream.connection_id):
            return "closed"
        call = self._ears.calls.call(self._stream.call_sid)
        return "call_ended" if call is None or call_rank(call.status) >= FINAL_RANK else None

    def _is_left_alone(self) -> bool:
        """Whether the agent has not said a word since the person did, for too long."""
        since = self._waits_since
        if since is None or self._turns.are_waiting or iso(self._ears.clock() - self._ears.reply_timeout) < since:
            return False
        self._waits_since = self._ears.streams.read(self._stream).waits_since
        return self._waits_since is not None

    def _hands_over(self) -> bool:
        remaining = self._remaining()
        busy = self._turns.spoken is not None or self._turns.are_waiting
        if remaining > (self._hand_over_anyway if busy else self._hand_over_in_silence):
            return False
        self._save()
        return appoint_session(self._stream, self._ears.streams, self._ears.sessions, self._ears.new_id(), restart=False)

    def _end(self, end: StreamEnd) -> Outcome:
        """Hear out what was said before the end, and close the stream."""
        self._follow(self._detector.finish())
        deadline = self._ears.clock() + self._ears.last_words
        self._announce()
        while self._turns.are_waiting and self._ears.clock() < deadline:
            self._ears.sleep(self._ears.look_every)
            self._announce()
        whole = replace(self._stream, frames=self._buffer.frames, gaps=self._buffer.gaps)
        end_stream(whole, end, self._ears.ender)
        return "ended"
