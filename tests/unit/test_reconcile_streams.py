from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.unit.fakes import ACCOUNT
from tests.unit.fakes_calls import OURS, PAIR, THEIRS, FakeCallWorld, inbound, sid
from tests.unit.known_streams import KnownStreams, stream
from twilio_plugin.domain.events import VoiceStreamEnded
from twilio_plugin.domain.timestamp import iso
from twilio_plugin.errors import StorageUnavailable
from twilio_plugin.services.answer_call import answer_call
from twilio_plugin.services.reconcile_streams import StreamReconciler, reconcile_streams
from twilio_plugin.services.track_call import track_call


@dataclass
class Operator:
    """Calls with streams, and a run of reconciliation over them. Every stream begins at eight o'clock."""

    world: FakeCallWorld
    streams: KnownStreams = field(default_factory=KnownStreams)

    def run(self) -> int:
        return reconcile_streams(StreamReconciler(self.streams.port, self.world.calls, self.world.clock))

    def open(self, number: int, **more: Any) -> None:
        """A call comes in and gets its stream."""
        answer_call(inbound(number), {}, self.world.calls, self.world.clock)
        self.streams.streams.append(stream(number, **more))

    def end_call(self, number: int) -> str:
        """It is over; when."""
        track_call(inbound(number, "completed"), self.world.calls, self.world.clock)
        call = self.world.calls.call(sid(number))
        assert call
        assert call.ended_at
        return call.ended_at

    def told(self) -> list[tuple[str, str, float]]:
        """Which streams ended why, and how long they were."""
        events = [event for _, event in self.streams.ended if isinstance(event, VoiceStreamEnded)]
        return [(event.call_sid, event.reason, event.duration) for event in events]


@pytest.fixture
def operator() -> Operator:
    return Operator(FakeCallWorld.new())


def test_a_run_with_nothing_to_do_does_nothing(operator: Operator) -> None:
    assert operator.run() == 0


def test_a_stream_whose_session_is_alive_is_left_alone(operator: Operator) -> None:
    operator.open(1)
    operator.world.clock.advance(minutes=10)
    operator.streams.streams = [stream(1, seen_at=iso(operator.world.clock()))]
    operator.world.clock.advance(seconds=50)

    assert operator.run() == 0
    assert operator.streams.active()


def test_a_young_stream_without_a_sign_of_life_is_given_time(operator: Operator) -> None:
    operator.open(1)
    operator.world.clock.advance(seconds=50)

    assert operator.run() == 0


def test_a_stream_whose_session_died_is_lost_since_it_was_last_seen(operator: Operator) -> None:
    operator.open(1, seen_at="2026-11-22T08:00:20.500Z", frames=1025, gaps=3)
    operator.world.clock.advance(minutes=2)

    assert operator.run() == 1

    ((over, event),) = operator.streams.ended
    assert (over.end, over.ended_at, over.stream_sid) == ("lost", "2026-11-22T08:00:20.500Z", stream(1).stream_sid)
    assert event.detail() == {
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

    assert operator.told() == [(sid(1), "lost", 0.0)]


def test_a_stream_whose_call_is_over_ended_with_it(operator: Operator) -> None:
    operator.open(1, seen_at="2026-11-22T08:00:20.000Z")
    operator.world.clock.advance(seconds=30)
    ended_at = operator.end_call(1)
    operator.world.clock.advance(seconds=55)

    assert operator.run() == 1

    assert operator.streams.ended[0][0].ended_at == ended_at
    ((_, reason, duration),) = operator.told()
    assert reason == "call_ended"
    assert 30 <= duration < 31


def test_a_session_has_time_to_hear_the_last_words_of_a_call_that_is_over_and_no_longer(operator: Operator) -> None:
    """Ended under it, it could not announce them."""
    operator.open(1)
    operator.world.clock.advance(minutes=5)
    operator.end_call(1)
    for seconds, ended in ((30, 0), (35, 1)):
        operator.world.clock.advance(seconds=seconds)
        operator.streams.streams = [stream(1, seen_at=iso(operator.world.clock()))]
        assert operator.run() == ended

    assert [reason for _, reason, _ in operator.told()] == ["call_ended"]


def test_a_stream_that_began_after_the_end_of_its_call_has_no_negative_duration(operator: Operator) -> None:
    operator.open(1)
    operator.end_call(1)
    operator.streams.streams = [stream(1, started_at="2026-11-22T08:00:01.000Z")]
    operator.world.clock.advance(minutes=2)

    operator.run()

    assert operator.told() == [(sid(1), "call_ended", 0.0)]


def test_a_stream_of_a_call_that_nobody_knows_is_over(operator: Operator) -> None:
    operator.streams.streams = [stream(1, seen_at="2026-11-22T08:00:03.000Z")]

    assert operator.run() == 1
    assert operator.told() == [(sid(1), "call_ended", 3.0)]


def test_a_stream_that_somebody_else_ended_meanwhile_is_not_counted(operator: Operator) -> None:
    operator.open(1)
    operator.streams.over = {sid(1)}
    operator.world.clock.advance(minutes=2)

    assert operator.run() == 0


def test_one_stream_that_cannot_be_written_does_not_keep_the_others_open(operator: Operator) -> None:
    for number in (1, 2, 3):
        operator.open(number)
    operator.streams.down = {sid(2)}
    operator.world.clock.advance(minutes=2)

    with pytest.raises(StorageUnavailable):
        operator.run()

    assert [call_sid for call_sid, _, _ in operator.told()] == [sid(1), sid(3)]
