"""A stream's life: let in, listened to by one session after the other, and ended once."""

from __future__ import annotations

import dataclasses
import itertools
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.unit.fakes_calls import inbound
from tests.unit.fakes_streams import FakeStreamWorld, stream, utterance
from twilio_plugin.domain.events import CallReceived
from twilio_plugin.domain.media_stream import StreamStart
from twilio_plugin.domain.speech import Piece
from twilio_plugin.domain.stream import MAX_RESTARTS, Stream, stream_token
from twilio_plugin.domain.stream_status import StreamUpdate
from twilio_plugin.domain.timestamp import iso
from twilio_plugin.errors import StorageUnavailable, StreamRefused
from twilio_plugin.services.end_stream import StreamEnder, announce_end, call_ended, end_stream, ended, track_stream
from twilio_plugin.services.restart_session import Restarter, restart_session
from twilio_plugin.services.start_stream import StreamOpener, start_stream

SECRET = "the auth token"


class Line:
    """One call, and everything that acts on its stream."""

    def __init__(self) -> None:
        self.world = FakeStreamWorld.new()
        ids = (f"session-{number}" for number in itertools.count(1))
        world = self.world
        self.opener = StreamOpener(
            calls=world.calls,
            streams=world.streams,
            sessions=world.sessions,
            connections=world.connections,
            clock=world.clock,
            new_id=lambda: next(ids),
            auth_tokens=lambda fresh: [SECRET],
        )
        self.ender = StreamEnder(world.streams, world.utterances, world.frames, world.clock)
        self.restarter = Restarter(world.streams, world.sessions, world.connections, self.ender, lambda: next(ids))
        ringing = inbound(1, status="in-progress")
        event = CallReceived(
            event_id="CALL_RECEIVED#1",
            occurred_at=iso(world.clock()),
            account_sid=ringing.account_sid,
            conversation_id=ringing.conversation_id,
            call_sid=ringing.call_sid,
            from_=str(ringing.sender),
            to=str(ringing.recipient),
        )
        world.calls.add_received(ringing, event)

    def start(self, **changed: Any) -> StreamStart:
        facts = stream()
        start: dict[str, Any] = {
            "stream_sid": facts.stream_sid,
            "call_sid": facts.call_sid,
            "account_sid": facts.account_sid,
            "encoding": "audio/x-mulaw",
            "sample_rate": 8000,
            "parameters": {"token": self.token()},
        }
        return StreamStart(**(start | changed))

    def token(self, secret: str = SECRET, call_sid: str = "", leg: int = 0) -> str:
        expires_at = int(self.world.clock().timestamp()) + 300
        return stream_token(secret, call_sid or stream().call_sid, leg, expires_at=expires_at)

    def opened(self) -> Stream:
        start_stream(stream().connection_id, self.start(), self.opener)
        self.world.announced()
        return self.now()

    def now(self) -> Stream:
        found = self.world.streams.of_call(stream().call_sid)
        assert found
        return found

    def announced(self) -> list[str]:
        return [one.detail_type for one in self.world.announced()]


@pytest.fixture
def line() -> Line:
    return Line()


def test_a_stream_is_kept_announced_and_listened_to(line: Line) -> None:
    opened = start_stream("c", line.start(), line.opener)

    assert (opened.connection_id, opened.leg, opened.ours, opened.theirs) == ("c", 0, stream().to, stream().from_)
    assert line.now().session_id == "session-1"
    assert line.world.sessions.started == [(opened.call_sid, 0, "session-1")]
    assert "VOICE_STREAM_STARTED" in line.announced()


def test_a_start_that_comes_twice_is_one(line: Line) -> None:
    start = line.start()
    start_stream("c", start, line.opener)
    line.announced()

    start_stream("c", start, line.opener)

    assert line.announced() == []
    assert len(line.world.sessions.started) == 1
    assert line.world.connections.closed == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"parameters": {}},
        {"parameters": {"token": "0.99999999999.ff"}},
        {"account_sid": "AC" + "f" * 32},
        {"call_sid": "CA" + "f" * 32},
        {"encoding": "audio/x-alaw"},
        {"sample_rate": 16000},
    ],
    ids=str,
)
def test_a_stream_that_is_not_the_one_we_asked_for_is_closed_and_never_heard(line: Line, wrong: dict[str, Any]) -> None:
    line.announced()
    with pytest.raises(StreamRefused):
        start_stream("c", line.start(**wrong), line.opener)

    assert line.world.connections.closed == ["c"]
    assert line.world.sessions.started == []
    assert line.announced() == []


def test_a_token_of_another_call_or_secret_does_not_fit(line: Line) -> None:
    for token in (line.token(secret="guessed"), line.token(call_sid="CA" + "f" * 32)):
        with pytest.raises(StreamRefused):
            start_stream("c", line.start(parameters={"token": token}), line.opener)


def test_an_old_token_does_not_open_a_stream(line: Line) -> None:
    start = line.start()
    line.world.clock.advance(seconds=301)

    with pytest.raises(StreamRefused, match="expired"):
        start_stream("c", start, line.opener)


def test_a_token_that_was_shown_by_one_stream_opens_no_other(line: Line) -> None:
    start = line.start()
    start_stream("c", start, line.opener)

    with pytest.raises(StreamRefused):
        start_stream("d", dataclasses.replace(start, stream_sid="MZ" + "f" * 32), line.opener)

    assert line.world.connections.closed == ["d"]
    assert line.now().connection_id == "c"


def test_where_nobody_can_listen_the_socket_is_closed_so_that_the_document_goes_on(line: Line) -> None:
    line.world.sessions.down = True

    with pytest.raises(StorageUnavailable):
        start_stream("c", line.start(), line.opener)

    assert line.world.connections.closed == ["c"]


def test_the_end_is_written_behind_the_audio_for_the_session_to_find(line: Line) -> None:
    opened = line.opened()

    announce_end(opened, "stopped", line.ender, last=7)

    arrived = line.world.frames.after(opened.connection_id, 0, limit=10)
    assert (arrived.end, arrived.last) == ("stopped", 7)
    assert line.announced() == []
    assert line.now().ended_at is None


def test_without_a_session_it_ends_at_once(line: Line) -> None:
    opened = line.opened()
    line.world.clock.advance(minutes=10)

    announce_end(opened, "closed", line.ender)

    assert line.announced() == ["VOICE_STREAM_ENDED"]
    assert line.now().end == "closed"


def test_a_session_that_has_shown_life_is_waited_for(line: Line) -> None:
    opened = line.opened()
    line.world.clock.advance(minutes=10)
    line.world.streams.take(opened, "session-1", iso(line.world.clock()))

    announce_end(line.now(), "closed", line.ender)

    assert line.announced() == []


def test_whoever_says_so_and_however_often_it_ends_once(line: Line) -> None:
    opened = line.opened()
    line.world.clock.advance(minutes=1)

    for end in itertools.permutations(["stopped", "closed", "call_ended"]):
        for one in end:
            announce_end(line.now(), one, line.ender)  # type: ignore[arg-type]
    end_stream(opened, "lost", line.ender)

    assert line.announced() == ["VOICE_STREAM_ENDED"]


def test_a_calls_end_is_written_behind_the_audio_of_its_latest_stream(line: Line) -> None:
    first = line.opened()
    end_stream(first, "closed", line.ender)
    again = line.start(stream_sid="MZ" + "b" * 32, parameters={"token": line.token(leg=1)})
    second = start_stream("connection-b=", again, line.opener)
    line.announced()

    call_ended(first.call_sid, line.ender)

    assert line.world.frames.after(second.connection_id, 0, limit=10).end == "call_ended"
    assert line.world.frames.after(first.connection_id, 0, limit=10).end is None
    assert line.announced() == []


def test_a_calls_end_ends_a_stream_that_nobody_listens_to(line: Line) -> None:
    opened = line.opened()
    line.world.clock.advance(minutes=1)

    call_ended(opened.call_sid, line.ender)

    assert (line.now().end, line.announced()) == ("call_ended", ["VOICE_STREAM_ENDED"])


def test_a_call_without_a_stream_ends_without_one(line: Line) -> None:
    call_ended(stream().call_sid, line.ender)

    assert "VOICE_STREAM_ENDED" not in line.announced()
    assert line.world.frames.after(stream().connection_id, 0, limit=10).end is None


@pytest.mark.parametrize(
    ("event", "error", "end"),
    [
        ("stream-stopped", None, "stopped"),
        ("stream-error", "31921 - Stream closed", "failed"),
        ("stream-started", None, None),
        ("stream-paused", None, None),
    ],
)
def test_twilios_word_on_a_stream_is_written_behind_its_audio(
    line: Line, event: str, error: str | None, end: str | None
) -> None:
    opened = line.opened()

    track_stream(StreamUpdate(opened.call_sid, opened.stream_sid, event, error), line.ender)

    assert line.world.frames.after(opened.connection_id, 0, limit=10).end == end
    assert line.announced() == []


@pytest.mark.parametrize("facts", [{"stream_sid": "MZ" + "f" * 32}, {"call_sid": "CA" + "f" * 32}], ids=str)
def test_twilios_word_on_a_stream_that_is_not_the_calls_latest_changes_nothing(line: Line, facts: dict[str, str]) -> None:
    opened = line.opened()
    line.world.clock.advance(minutes=1)
    named = {"call_sid": opened.call_sid, "stream_sid": opened.stream_sid} | facts

    track_stream(StreamUpdate(event="stream-stopped", **named), line.ender)

    assert line.now().ended_at is None
    assert line.world.frames.after(opened.connection_id, 0, limit=10).end is None


def test_the_end_tells_how_long_it_was_and_what_was_heard(line: Line) -> None:
    opened = line.opened()
    line.world.clock.advance(seconds=90)

    end_stream(dataclasses.replace(opened, frames=4400, gaps=100), "stopped", line.ender)

    (event,) = line.world.announced()
    assert '"frames": 4400, "gaps": 100' in event.detail
    assert '"duration": 90.' in event.detail


def test_what_was_being_said_is_over_with_the_stream(line: Line) -> None:
    opened = line.opened()
    saying = utterance(opened, pieces=(Piece("Hello. ", 1000), Piece("How can I help?", 900)), complete=True)
    line.world.utterances.begin(opened, saying)
    line.world.utterances.heard(saying, 1)

    end_stream(opened, "stopped", line.ender)

    assert line.announced() == ["SPEECH_INTERRUPTED", "VOICE_STREAM_ENDED"]
    assert line.world.utterances.open(opened.call_sid) == []
    assert [entry.body for entry in line.world.conversations.entries] == ["Hello."]


def test_a_dead_session_is_replaced(line: Line) -> None:
    opened = line.opened()

    assert restart_session(opened.call_sid, "session-1", line.restarter) == "restarted"

    assert line.now().session_id == "session-2"
    assert line.now().restarts == 1
    assert line.world.sessions.started[-1] == (opened.call_sid, 0, "session-2")


def test_a_dead_session_that_was_not_in_charge_is_not(line: Line) -> None:
    opened = line.opened()

    assert restart_session(opened.call_sid, "session-0", line.restarter) == "not_needed"
    assert restart_session("CA" + "f" * 32, "session-1", line.restarter) == "not_needed"
    end_stream(opened, "stopped", line.ender)
    assert restart_session(opened.call_sid, "session-1", line.restarter) == "not_needed"
    assert len(line.world.sessions.started) == 1


def test_after_too_many_the_stream_is_given_up_and_the_document_goes_on(line: Line) -> None:
    opened = line.opened()
    outcomes = []
    for _ in range(MAX_RESTARTS + 1):
        session = line.now().session_id
        assert session
        outcomes.append(restart_session(opened.call_sid, session, line.restarter))

    assert outcomes == ["restarted"] * MAX_RESTARTS + ["given_up"]
    assert line.world.connections.closed == [opened.connection_id]
    assert line.now().end == "failed"
    assert line.announced() == ["VOICE_STREAM_ENDED"]


def test_ends_come_with_the_time_they_took() -> None:
    one = stream()
    later = iso(datetime.fromisoformat(one.started_at) + timedelta(seconds=2.5))
    over, event = ended(one, "stopped", later)

    assert (over.ended_at, over.end, event.duration) == (later, "stopped", 2.5)
