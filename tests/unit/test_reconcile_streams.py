from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.fakes import ACCOUNT
from tests.unit.fakes_calls import OURS, PAIR, THEIRS, inbound, sid
from tests.unit.fakes_streams import FakeStreamWorld, utterance
from tests.unit.fakes_streams import stream as any_stream
from twilio_plugin.domain.events import Event
from twilio_plugin.domain.speech import Piece
from twilio_plugin.domain.stream import Stream
from twilio_plugin.domain.timestamp import iso
from twilio_plugin.errors import StorageUnavailable
from twilio_plugin.services.answer_call import answer_call
from twilio_plugin.services.end_stream import StreamEnder
from twilio_plugin.services.reconcile_streams import StreamReconciler, reconcile_streams
from twilio_plugin.services.track_call import track_call


def stream(number: int, **more: Any) -> Stream:
    """A stream that began at eight o'clock, as the clock does."""
    return any_stream(number, **({"started_at": "2026-11-22T08:00:00.000Z"} | more))


class Operator:
    """Calls with streams, and a run of reconciliation over them."""

    def __init__(self) -> None:
        self.world = FakeStreamWorld.new()
        world = self.world
        self.by = StreamReconciler(
            StreamEnder(world.streams, world.utterances, world.frames, world.clock),
            world.calls,
        )

    def run(self) -> int:
        return reconcile_streams(self.by)

    def open(self, number: int, **more: Any) -> Stream:
        """A call comes in and gets its stream."""
        answer_call(inbound(number), {}, self.world.calls, self.world.clock)
        self.world.streams.keep(stream(number, **more))
        self.world.announced()
        return stream(number, **more)

    def end_call(self, number: int) -> str:
        """It is over; when."""
        track_call(inbound(number, "completed"), self.world.calls, self.world.clock)
        self.world.announced()
        call = self.world.calls.call(sid(number))
        assert call
        assert call.ended_at
        return call.ended_at

    def told(self) -> list[dict[str, Any]]:
        """What was announced since the last look."""
        return [{"detail_type": one.detail_type, **json.loads(one.detail)} for one in self.world.announced()]

    def ends(self) -> list[tuple[str, str, float]]:
        """Which streams ended why, and how long they were."""
        ended = [one for one in self.told() if one["detail_type"] == "VOICE_STREAM_ENDED"]
        return sorted((one["call_sid"], one["reason"], one["duration"]) for one in ended)


@pytest.fixture
def operator() -> Operator:
    return Operator()


def test_a_run_with_nothing_to_do_does_nothing(operator: Operator) -> None:
    assert operator.run() == 0


def test_a_stream_whose_session_is_alive_is_left_alone(operator: Operator) -> None:
    operator.open(1)
    operator.world.clock.advance(minutes=10)
    operator.world.streams.keep(stream(1, seen_at=iso(operator.world.clock())))
    operator.world.clock.advance(seconds=50)

    assert operator.run() == 0
    assert operator.world.streams.active()
    assert operator.told() == []


def test_a_young_stream_without_a_sign_of_life_is_given_time(operator: Operator) -> None:
    operator.open(1)
    operator.world.clock.advance(seconds=50)

    assert operator.run() == 0


def test_a_relayed_stream_has_no_session_to_give_signs_of_life_and_lasts_as_long_as_its_call(operator: Operator) -> None:
    operator.open(1, mode="relay")
    operator.world.clock.advance(hours=2)
    assert operator.run() == 0

    ended_at = operator.end_call(1)
    operator.world.clock.advance(minutes=2)

    assert operator.run() == 1
    over = operator.world.streams.of_call(sid(1))
    assert over
    assert (over.end, over.ended_at) == ("call_ended", ended_at)


def test_a_stream_whose_session_died_is_lost_since_it_was_last_seen(operator: Operator) -> None:
    operator.open(1, seen_at="2026-11-22T08:00:20.500Z", frames=1025, gaps=3)
    operator.world.clock.advance(minutes=2)

    assert operator.run() == 1

    over = operator.world.streams.of_call(sid(1))
    assert over
    assert (over.end, over.ended_at) == ("lost", "2026-11-22T08:00:20.500Z")
    (event,) = operator.told()
    assert event == {
        "detail_type": "VOICE_STREAM_ENDED",
        "version": "1",
        "event_id": f"VOICE_STREAM_ENDED#{stream(1).stream_sid}",
        "occurred_at": "2026-11-22T08:00:20.500Z",
        "account_sid": ACCOUNT,
        "conversation_id": PAIR,
        "call_sid": sid(1),
        "stream_sid": stream(1).stream_sid,
        "from": THEIRS,
        "to": OURS,
        "direction": "inbound",
        "reason": "lost",
        "duration": 20.5,
        "frames": 1025,
        "gaps": 3,
    }
    assert operator.run() == 0


def test_a_stream_that_no_session_ever_took_is_lost_with_no_duration(operator: Operator) -> None:
    operator.open(1)
    operator.world.clock.advance(minutes=2)

    operator.run()

    assert operator.ends() == [(sid(1), "lost", 0.0)]


def test_a_stream_whose_call_is_over_ended_with_it(operator: Operator) -> None:
    operator.open(1, seen_at="2026-11-22T08:00:20.000Z")
    operator.world.clock.advance(seconds=30)
    ended_at = operator.end_call(1)
    operator.world.clock.advance(seconds=55)

    assert operator.run() == 1

    over = operator.world.streams.of_call(sid(1))
    assert over
    assert over.ended_at == ended_at
    ((_, reason, duration),) = operator.ends()
    assert reason == "call_ended"
    assert 30 <= duration < 31


def test_a_session_has_time_to_hear_the_last_words_of_a_call_that_is_over_and_no_longer(operator: Operator) -> None:
    """Ended under it, it could not announce them."""
    operator.open(1)
    operator.world.clock.advance(minutes=5)
    operator.end_call(1)
    for seconds, ended in ((30, 0), (35, 1)):
        operator.world.clock.advance(seconds=seconds)
        operator.world.streams.keep(stream(1, seen_at=iso(operator.world.clock())))
        assert operator.run() == ended

    assert [reason for _, reason, _ in operator.ends()] == ["call_ended"]


def test_a_stream_that_began_after_the_end_of_its_call_has_no_negative_duration(operator: Operator) -> None:
    operator.open(1)
    operator.end_call(1)
    operator.world.streams.keep(stream(1, started_at="2026-11-22T08:00:01.000Z"))
    operator.world.clock.advance(minutes=2)

    operator.run()

    assert operator.ends() == [(sid(1), "call_ended", 0.0)]


def test_a_stream_of_a_call_that_nobody_knows_is_over(operator: Operator) -> None:
    operator.world.streams.keep(stream(1, seen_at="2026-11-22T08:00:03.000Z"))
    operator.world.clock.advance(seconds=5)

    assert operator.run() == 1
    assert operator.ends() == [(sid(1), "call_ended", 3.0)]


def test_a_stream_that_somebody_else_ended_meanwhile_is_not_counted(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = operator.open(1)
    operator.world.clock.advance(minutes=2)
    end = operator.world.streams.end

    def too_late(over: Stream, event: Event) -> bool:
        operator.world.streams.keep(stream(1, ended_at=one.started_at, end="stopped"))
        return end(over, event)

    monkeypatch.setattr(operator.world.streams, "end", too_late)

    assert operator.run() == 0
    assert operator.told() == []


def test_one_stream_that_cannot_be_written_does_not_keep_the_others_open(operator: Operator) -> None:
    for number in (1, 2, 3):
        operator.open(number)
    operator.world.streams.down = {sid(2)}
    operator.world.clock.advance(minutes=2)

    with pytest.raises(StorageUnavailable):
        operator.run()

    assert [call_sid for call_sid, _, _ in operator.ends()] == [sid(1), sid(3)]


def test_what_was_being_said_in_a_lost_stream_is_over_with_what_was_heard_of_it(operator: Operator) -> None:
    one, other = operator.open(1), operator.open(2)
    pieces = (Piece("Hello. ", 620), Piece("How can I help?", 1000))
    for of in (one, other):
        operator.world.utterances.begin(of, utterance(of, f"said in {of.call_sid}", pieces=pieces, complete=True))
    operator.world.utterances.heard(utterance(one, f"said in {sid(1)}"), 1)
    operator.world.clock.advance(minutes=2)
    operator.world.streams.keep(stream(2, seen_at=iso(operator.world.clock())))

    assert operator.run() == 1

    told = {event["detail_type"]: event for event in operator.told()}
    assert set(told) == {"SPEECH_INTERRUPTED", "VOICE_STREAM_ENDED"}
    interrupted = told["SPEECH_INTERRUPTED"]
    assert (interrupted["call_sid"], interrupted["cause"]) == (sid(1), "end")
    assert (interrupted["heard"], interrupted["heard_ms"]) == ("Hello.", 620)
    assert operator.world.utterances.open(sid(1)) == []
    assert [open_.call_sid for open_ in operator.world.utterances.open(sid(2))] == [sid(2)]
    assert [(turn.call_sid, turn.body) for turn in operator.world.conversations.entries] == [(sid(1), "Hello.")]
