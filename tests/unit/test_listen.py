"""A call session hears one stream: turns become events and history, and whoever goes on after it misses nothing."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from tests.unit.fakes_streams import utterance
from tests.unit.test_streams import Line
from twilio_plugin.domain.events import CallEnded
from twilio_plugin.domain.media_stream import Frame
from twilio_plugin.domain.speech import Piece
from twilio_plugin.domain.stream import Stream, StreamEnd
from twilio_plugin.domain.timestamp import iso
from twilio_plugin.domain.turns import TurnDetector
from twilio_plugin.errors import SpeechUnavailable, StorageUnavailable
from twilio_plugin.services.end_stream import announce_end, end_stream
from twilio_plugin.services.listen import Ears, Outcome, listen
from twilio_plugin.services.ports import Announcement, Transcript
from twilio_plugin.services.stop_speaking import Interrupter

SPEECH, QUIET = b"\x10", b"\xff"  # µ-law: loud, and nothing
SYLLABLE = b"\x10\x14\x1a\x22\x2c\x22\x1a\x14"  # how loud a voice is from frame to frame


@dataclass
class FakeTranscription:
    """Takes a turn down by the loud frames in it: "3 2" is three frames, a pause, and two."""

    engine: FakeTranscriber
    audio: bytes = b""
    finished: bool = False
    cancelled: bool = False
    rounds: int = 0

    def write(self, audio: bytes) -> None:
        assert not self.finished
        self.audio += audio

    def partial(self) -> str:
        return f"{len(self.audio)}"

    def finish(self) -> None:
        self.finished = True

    def result(self) -> Transcript | None:
        assert self.finished
        self.rounds += 1
        if self.engine.fails > 0:
            self.engine.fails -= 1
            raise SpeechUnavailable("The fake ear is deaf.")
        if self.rounds <= self.engine.takes_rounds:
            return None
        loud = [len(run) // 160 for run in self.audio.split(QUIET * 160) if run]
        return Transcript(" ".join(map(str, loud)) if not self.engine.understands_nothing else "", 0.9)

    def cancel(self) -> None:
        self.cancelled = True


@dataclass
class FakeTranscriber:
    takes_rounds: int = 0
    fails: int = 0
    understands_nothing: bool = False
    begun: list[FakeTranscription] = field(default_factory=list)

    def begin(self) -> FakeTranscription:
        self.begun.append(FakeTranscription(self))
        return self.begun[-1]


@dataclass
class FakeBus:
    events: list[Any] = field(default_factory=list)
    down: bool = False

    def publish(self, announcements: list[Announcement]) -> set[str]:
        if self.down:
            return {one.event_id for one in announcements}
        self.events += [{"type": one.detail_type, "event_id": one.event_id, **json.loads(one.detail)} for one in announcements]
        return set()


class Call:
    """A person on the phone, heard by sessions. Time passes only while a session sleeps."""

    def __init__(self, **ears: Any) -> None:
        self.line = Line()
        self.world = self.line.world
        self.stream: Stream = self.line.opened()
        self.transcriber = FakeTranscriber()
        self.bus = FakeBus()
        self.to_come: list[tuple[float, Callable[[], object]]] = []
        self.slept = 0.0
        self.until = 900.0
        self.chunk = 0
        ids = (f"session-{number}" for number in itertools.count(2))
        world = self.world
        self.ears = Ears(
            **{
                "calls": world.calls,
                "streams": world.streams,
                "frames": world.frames,
                "connections": world.connections,
                "conversations": world.conversations,
                "sessions": world.sessions,
                "bus": self.bus,
                "transcriber": self.transcriber,
                "turn_detector": lambda cursor: TurnDetector(lambda pcm: any(pcm), cursor=cursor, endpoint_milliseconds=300),
                "interrupter": Interrupter(world.streams, world.utterances, world.connections, world.clock),
                "ender": self.line.ender,
                "clock": world.clock,
                "sleep": self.sleep,
                "new_id": lambda: next(ids),
                "not_understood": lambda _: None,
                "reply_timeout": timedelta(seconds=30),
                "partials": False,
                **ears,
            }
        )

    def sleep(self, seconds: float) -> None:
        """A round of the session: what is to come by then comes."""
        self.slept += seconds
        self.world.clock.advance(seconds=seconds)
        while self.to_come and self.to_come[0][0] <= self.slept:
            self.to_come.pop(0)[1]()
        assert self.slept < 300, "the session does not end"

    def then(self, seconds: float, what: Callable[[], object]) -> None:
        self.to_come.append((self.slept + seconds, what))
        self.to_come.sort(key=lambda one: one[0])

    def hear(self, *sounds: tuple[bytes, int], at: float | None = None, lost: tuple[int, ...] = ()) -> None:
        """Frames of a sound, so many of each, every one when it is spoken."""
        start = self.chunk * 0.02 if at is None else at
        for sound, count in sounds:
            for _ in range(count):
                self.chunk += 1
                level = SYLLABLE[self.chunk % 8] if sound == SPEECH else sound[0]
                frame = Frame(
                    sequence_number=self.chunk + 1,
                    chunk=self.chunk,
                    timestamp=(self.chunk - 1) * 20,
                    track="inbound",
                    payload=bytes([level, level | 0x80]) * 80,
                )
                if self.chunk not in lost:
                    self.to_come.append((start, lambda frame=frame: self.put(frame)))  # type: ignore[misc]
                start += 0.02
        self.to_come.sort(key=lambda one: one[0])

    def put(self, frame: Frame) -> None:
        self.world.frames.put(self.stream.connection_id, frame, stream_sid=self.stream.stream_sid, expires_at=0)

    def end(self, end: StreamEnd = "stopped", *, after: float = 0.0) -> None:
        """The word of an end, when all that is to come has come."""
        last = max([at for at, _ in self.to_come], default=self.slept)
        self.then(last - self.slept + after + 0.01, lambda: announce_end(self.line.now(), end, self.line.ender))

    def run(self, session_id: str = "session-1", seconds: float = 900.0) -> Outcome:
        deadline = self.slept + seconds
        return listen(self.stream.call_sid, session_id, lambda: timedelta(seconds=deadline - self.slept), self.ears)

    def heard(self) -> list[str]:
        return [event["text"] for event in self.bus.events if event["type"] == "SPEECH_RECEIVED"]

    def announced(self) -> list[Any]:
        return [{"type": one.detail_type, **json.loads(one.detail)} for one in self.world.announced()]


@pytest.fixture
def call() -> Call:
    return Call()


def test_what_a_person_says_is_announced_and_kept(call: Call) -> None:
    call.hear((QUIET, 20), (SPEECH, 30), (QUIET, 40))
    call.end()

    assert call.run() == "ended"

    (event,) = call.bus.events
    assert (event["type"], event["confidence"], event["starts_at_ms"], event["duration_ms"]) == (
        "SPEECH_RECEIVED",
        0.9,
        400,
        600,
    )
    assert event["event_id"] == f"SPEECH_RECEIVED#{call.stream.stream_sid}#1"
    (entry,) = call.world.conversations.entries
    assert (entry.kind, entry.direction, entry.body, entry.from_) == ("speech", "inbound", event["text"], call.stream.from_)
    assert call.line.now().last_words == event["text"]


def test_two_turns_are_two_events_in_order(call: Call) -> None:
    call.transcriber.takes_rounds = 8
    call.hear((QUIET, 15), (SPEECH, 20), (QUIET, 30), (SPEECH, 40), (QUIET, 30))
    call.end()

    call.run()

    assert [event["event_id"][-1] for event in call.bus.events] == ["1", "2"]
    assert len(call.world.conversations.entries) == 2


def test_the_history_has_it_before_the_bus_does(call: Call) -> None:
    kept: list[int] = []
    publish = call.bus.publish

    def look(announcements: list[Announcement]) -> set[str]:
        kept.append(len(call.world.conversations.entries))
        return publish(announcements)

    call.bus.publish = look  # type: ignore[method-assign]
    call.hear((QUIET, 15), (SPEECH, 20), (QUIET, 30))
    call.end()
    call.run()

    assert kept == [1]


def test_words_before_the_end_are_heard_out(call: Call) -> None:
    """The person hangs up in the middle of a word."""
    call.transcriber.takes_rounds = 20
    call.hear((QUIET, 15), (SPEECH, 30))
    call.end()

    assert call.run() == "ended"
    assert len(call.heard()) == 1
    assert [event["type"] for event in call.announced()] == ["VOICE_STREAM_ENDED"]


def test_a_cough_that_is_no_word_is_announced_to_nobody(call: Call) -> None:
    call.transcriber.understands_nothing = True
    call.hear((QUIET, 15), (SPEECH, 20), (QUIET, 30))
    call.end()

    call.run()

    assert call.bus.events == []
    assert call.world.conversations.entries == []


def test_the_end_tells_frames_and_gaps(call: Call) -> None:
    call.hear((QUIET, 50), lost=(10, 11, 30))
    call.end()

    call.run()

    (ended,) = call.announced()
    assert (ended["reason"], ended["frames"], ended["gaps"]) == ("stopped", 47, 3)


def test_the_person_interrupts_as_soon_as_they_speak(call: Call) -> None:
    call.world.utterances.begin(
        call.stream, utterance(call.stream, pieces=(Piece("A long ", 1000), Piece("story.", 900)), complete=True)
    )
    interrupted_at: list[float] = []
    send = call.world.connections.send

    def note(connection_id: str, message: str) -> None:
        interrupted_at.append(call.slept)
        send(connection_id, message)

    call.world.connections.send = note  # type: ignore[method-assign]
    call.hear((QUIET, 50), (SPEECH, 50), (QUIET, 30))
    call.end()

    call.run()

    (at,) = interrupted_at
    assert 1.12 <= at <= 1.35, "after 120 ms of voice, at the next look"
    assert [event["type"] for event in call.announced()] == ["SPEECH_INTERRUPTED", "VOICE_STREAM_ENDED"]


def test_what_the_agent_begins_to_say_while_they_speak_is_stopped_too(call: Call) -> None:
    saying = utterance(call.stream, pieces=(Piece("But ", 1000),), complete=True)
    call.hear((QUIET, 15), (SPEECH, 150), (QUIET, 30))
    call.then(1.0, lambda: call.world.utterances.begin(call.stream, saying))
    call.end()

    call.run()

    assert "SPEECH_INTERRUPTED" in [event["type"] for event in call.announced()]


def test_partial_words_where_they_are_asked_for() -> None:
    call = Call(partials=True)
    call.hear((QUIET, 15), (SPEECH, 100), (QUIET, 30))
    call.end()

    call.run()

    partials = [event for event in call.bus.events if event["type"] == "SPEECH_PARTIAL"]
    assert len(partials) >= 3
    assert len({event["event_id"] for event in partials}) == len(partials)
    assert call.bus.events[-1]["type"] == "SPEECH_RECEIVED"
    assert {event["starts_at_ms"] for event in partials} == {call.bus.events[-1]["starts_at_ms"]}


def test_a_turn_the_engine_fails_on_is_heard_a_second_time(call: Call) -> None:
    call.transcriber.fails = 1
    call.hear((QUIET, 15), (SPEECH, 30), (QUIET, 30))
    call.end()

    call.run()

    first, second = call.transcriber.begun
    assert second.audio == first.audio
    assert len(call.heard()) == 1


def test_and_then_given_up_without_losing_the_next() -> None:
    told: list[str] = []
    call = Call(not_understood=told.append)
    call.transcriber.fails = 2
    call.hear((QUIET, 15), (SPEECH, 20), (QUIET, 30), (SPEECH, 30), (QUIET, 30))
    call.end()

    call.run()

    assert told == ["The fake ear is deaf."]
    assert len(call.heard()) == 1


def test_an_engine_that_never_answers_does_not_keep_the_next_turn_waiting() -> None:
    told: list[str] = []
    call = Call(not_understood=told.append, engine=timedelta(seconds=5))
    call.transcriber.takes_rounds = 10_000
    call.hear((QUIET, 15), (SPEECH, 20), (QUIET, 1000))

    def wake_up() -> None:
        call.transcriber.takes_rounds = 0

    call.then(12.0, wake_up)
    call.hear((SPEECH, 30), (QUIET, 30), at=22.0)
    call.end()

    call.run()

    assert told == ["The engine that hears did not answer in time."]
    assert len(call.transcriber.begun) == 3, "the first turn twice, and the second"
    assert call.transcriber.begun[0].cancelled
    assert len(call.heard()) == 1


def test_it_hands_over_in_silence_and_nothing_is_lost(call: Call) -> None:
    call.hear((QUIET, 15), (SPEECH, 30), (QUIET, 100), (SPEECH, 50), (QUIET, 30))
    call.end()
    whole = Call()
    whole.hear((QUIET, 15), (SPEECH, 30), (QUIET, 100), (SPEECH, 50), (QUIET, 30))
    whole.end()
    whole.run()

    assert call.run(seconds=2.0) == "handed_over"
    assert call.world.sessions.started[-1][2] == "session-2"
    assert call.run("session-2") == "ended"

    assert call.heard() == whole.heard()
    assert [event["event_id"] for event in call.bus.events] == [event["event_id"] for event in whole.bus.events]
    (ended,) = [event for event in call.announced() if event["type"] == "VOICE_STREAM_ENDED"]
    assert (ended["frames"], ended["gaps"]) == (call.chunk, 0)


def test_it_hands_over_in_the_middle_of_a_turn_if_it_must(call: Call) -> None:
    call.hear((QUIET, 10), (SPEECH, 150), (QUIET, 30))
    call.end()

    assert call.run(seconds=2.0) == "handed_over"
    assert call.heard() == []
    assert call.run("session-2") == "ended"

    assert len(call.heard()) == 1
    assert call.transcriber.begun[0].cancelled
    whole = call.transcriber.begun[1].audio
    assert sum(frame != QUIET[0] for frame in whole[::160]) == 150, "the turn was heard from its first frame"


def test_a_session_that_dies_in_a_turn_is_followed_by_one_that_hears_all_of_it(call: Call) -> None:
    call.hear((QUIET, 60), (SPEECH, 100), (QUIET, 30))
    call.end()

    class Killed(BaseException):
        pass

    def kill() -> None:
        raise Killed

    call.then(2.5, kill)
    with pytest.raises(Killed):
        call.run()
    call.world.streams.appoint(call.line.now(), "session-2", restart=True)

    assert call.run("session-2") == "ended"
    assert len(call.heard()) == 1
    assert sum(frame != QUIET[0] for frame in call.transcriber.begun[-1].audio[::160]) == 100
    (ended,) = [event for event in call.announced() if event["type"] == "VOICE_STREAM_ENDED"]
    assert ended["frames"] == call.chunk


def test_of_two_sessions_only_the_appointed_one_acts(call: Call) -> None:
    assert call.run("session-0") == "superseded"
    call.hear((QUIET, 15), (SPEECH, 30), (QUIET, 300))
    call.then(3.0, lambda: call.world.streams.appoint(call.line.now(), "session-9", restart=True))

    assert call.run() == "superseded"
    assert call.run() == "superseded", "a session begins once"


def test_a_session_that_was_replaced_announces_nothing_more(call: Call) -> None:
    call.transcriber.takes_rounds = 20
    call.hear((QUIET, 15), (SPEECH, 30), (QUIET, 300))
    call.then(1.5, lambda: call.world.streams.appoint(call.line.now(), "session-9", restart=True))

    assert call.run() == "superseded"
    assert call.bus.events == []


def test_where_the_successor_cannot_be_started_it_stays_in_charge(call: Call) -> None:
    call.world.sessions.down = True
    call.hear((QUIET, 300))

    with pytest.raises(StorageUnavailable):
        call.run(seconds=3.0)

    assert call.line.now().session_id == "session-1"


def test_a_bus_that_takes_nothing_ends_the_session_before_its_cursor_moves(call: Call) -> None:
    call.bus.down = True
    call.hear((QUIET, 15), (SPEECH, 30), (QUIET, 100))

    with pytest.raises(StorageUnavailable):
        call.run()

    assert call.line.now().turns == 0
    assert call.line.now().cursor <= 2
    call.bus.down = False
    call.world.streams.appoint(call.line.now(), "session-2", restart=True)
    call.end()
    call.run("session-2")
    assert len(call.heard()) == 1
    assert len(call.world.conversations.entries) == 1, "the turn was kept twice under one key"


def test_an_agent_that_says_nothing_loses_the_call(call: Call) -> None:
    call.hear((QUIET, 4000))

    assert call.run() == "ended"

    assert 29 <= call.slept <= 32
    assert call.line.now().end == "no_reply"
    assert call.world.connections.closed == [call.stream.connection_id]


def test_an_agent_that_has_spoken_does_not(call: Call) -> None:
    call.hear((QUIET, 3000))
    call.then(
        10.0, lambda: call.world.utterances.begin(call.stream, utterance(call.stream, started_at=iso(call.world.clock())))
    )
    call.end()

    call.run()

    assert call.line.now().end == "stopped"


def test_it_has_as_long_again_after_every_turn(call: Call) -> None:
    call.hear((QUIET, 1000), (SPEECH, 30), (QUIET, 4000))

    call.run()

    assert call.line.now().end == "no_reply"
    assert 50 <= call.slept <= 54


def test_a_change_of_sessions_does_not_make_the_person_wait_longer_nor_shorter(call: Call) -> None:
    call.hear((QUIET, 4000))
    said = utterance(call.stream, started_at=iso(call.world.clock()))
    call.world.utterances.begin(call.stream, said)

    assert call.run(seconds=20) == "handed_over"
    call.end(after=1)
    call.run("session-2")

    assert call.line.now().end == "stopped", "the agent has spoken, and nobody has answered"


def test_where_frames_stop_and_the_socket_is_gone_the_stream_is_over(call: Call) -> None:
    call.hear((QUIET, 50))
    call.then(2.0, lambda: call.world.connections.gone.add(call.stream.connection_id))

    assert call.run() == "ended"

    assert call.line.now().end == "closed"
    assert call.slept < 15


def test_where_frames_stop_and_the_call_is_over_so_is_the_stream(call: Call) -> None:
    call.hear((QUIET, 50))

    def hang_up() -> None:
        from tests.unit.fakes_calls import inbound

        over = inbound(1, status="completed")
        event = CallEnded(
            event_id="CALL_ENDED#1",
            occurred_at=iso(call.world.clock()),
            account_sid=over.account_sid,
            conversation_id=over.conversation_id,
            direction="inbound",
            from_=str(over.sender),
            to=str(over.recipient),
            status="completed",
        )
        call.world.calls.apply_status(over, event)

    call.then(2.0, hang_up)

    assert call.run() == "ended"
    assert call.line.now().end == "call_ended"


def test_where_frames_stop_but_the_call_goes_on_it_waits(call: Call) -> None:
    call.hear((QUIET, 50))
    call.hear((QUIET, 15), (SPEECH, 30), (QUIET, 30), at=20.0)
    call.end()

    call.run()

    assert len(call.heard()) == 1


def test_frames_that_are_overtaken_by_the_end_are_heard(call: Call) -> None:
    call.hear((QUIET, 20), (SPEECH, 30))
    call.then(0.9, lambda: announce_end(call.line.now(), "stopped", call.line.ender, last=52))

    call.run()

    (ended,) = call.announced()
    assert ended["frames"] == 50


def test_a_stream_that_is_over_is_not_listened_to(call: Call) -> None:
    end_stream(call.stream, "stopped", call.line.ender)

    assert call.run() == "superseded"


def test_a_failing_table_ends_the_session_and_not_the_call(call: Call) -> None:
    call.world.frames.unavailable.add("after")

    with pytest.raises(StorageUnavailable):
        call.run()

    assert call.line.now().ended_at is None
