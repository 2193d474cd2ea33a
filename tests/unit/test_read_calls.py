from __future__ import annotations

from collections.abc import Sequence

import pytest
from pydantic import ValidationError

from tests.unit.fakes import FakeConversations, FakeOutbox
from tests.unit.fakes_calls import OURS, PAIR, THEIRS, FakeCallWorld, inbound, outbound, sid
from tests.unit.fakes_streams import FakeStreams, stream
from tests.unit.fakes_transcriptions import FakeCallTranscriptions, transcription
from tests.unit.test_calls_contract import answered_event
from twilio_plugin.domain.actions import CallStates, ReadCalls
from twilio_plugin.domain.stream import Stream
from twilio_plugin.domain.transcription import CallTranscription
from twilio_plugin.errors import InvalidRequest
from twilio_plugin.services.answer_call import answer_call
from twilio_plugin.services.read_calls import read_calls
from twilio_plugin.services.track_call import track_call


@pytest.fixture
def world() -> FakeCallWorld:
    """In memory; `test_calls_contract` holds it to the tables."""
    return FakeCallWorld.new()


def read(
    world: FakeCallWorld,
    call_sid: str | None = None,
    streams: Sequence[Stream] = (),
    transcriptions: Sequence[CallTranscription] = (),
) -> CallStates:
    kept = FakeStreams(FakeOutbox(), world.calls)
    kept.keep(*streams)
    running = FakeCallTranscriptions(FakeOutbox(), FakeConversations(FakeOutbox()))
    for one in transcriptions:
        running.open(one)
    return read_calls(ReadCalls(call_sid=call_sid), world.calls, kept, running, world.clock)


def test_without_calls_there_are_none(world: FakeCallWorld) -> None:
    assert read(world) == CallStates(text="No active voice calls.", calls=[])


def test_all_active_calls_are_listed_the_longest_running_first(world: FakeCallWorld) -> None:
    answer_call(inbound(3), {}, world.calls, world.clock)
    track_call(outbound(2, "in-progress"), world.calls, world.clock)
    track_call(outbound(1, "ringing"), world.calls, world.clock)
    track_call(outbound(4, "busy"), world.calls, world.clock)

    states = read(world)

    assert [call.call_sid for call in states.calls] == [sid(3), sid(2), sid(1)]
    first, *lines = states.text.splitlines()
    assert first == "Active voice calls (3):"
    assert [line.split()[0] for line in lines] == [sid(3), sid(2), sid(1)]


def test_a_call_is_told_as_it_is_kept(world: FakeCallWorld) -> None:
    track_call(outbound(1, "ringing"), world.calls, world.clock)
    track_call(outbound(1, "in-progress"), world.calls, world.clock)
    track_call(outbound(1, "completed", duration=42), world.calls, world.clock)

    (call,) = read(world, sid(1)).model_dump(mode="json", by_alias=True, exclude_none=True)["calls"]

    started, answered, ended = call.pop("started_at"), call.pop("answered_at"), call.pop("ended_at")
    assert started < answered < ended
    assert call == {
        "call_sid": sid(1),
        "conversation_id": PAIR,
        "direction": "outbound",
        "from": OURS,
        "to": THEIRS,
        "status": "completed",
        "duration": 42,
    }


@pytest.mark.parametrize("call_sid", [None, sid(2)])
def test_a_call_is_shown_with_its_open_stream(world: FakeCallWorld, call_sid: str | None) -> None:
    for number in (1, 2):
        answer_call(inbound(number), {}, world.calls, world.clock)
    said = {"last_words": "Are you open?", "saying": "We are.", "said_at": "2026-11-22T08:00:20.000Z"}
    streams = [
        stream(1, ended_at="2026-11-22T08:00:09.000Z", end="closed"),
        stream(2, ended_at="2026-11-22T08:00:09.000Z", end="closed"),
        stream(2, leg=1, started_at="2026-11-22T08:00:10.000Z", **said),
    ]

    states = read(world, call_sid, streams)

    shown = {call["call_sid"]: call for call in states.model_dump(by_alias=True, exclude_none=True)["calls"]}
    assert shown[sid(2)]["stream"] == {
        "stream_sid": streams[2].stream_sid,
        "started_at": "2026-11-22T08:00:10.000Z",
        **said,
    }
    assert 'hears "Are you open?", saying "We are."' in states.text
    assert "stream" not in shown.get(sid(1), {})


def test_a_call_whose_stream_is_over_is_shown_without_it(world: FakeCallWorld) -> None:
    answer_call(inbound(1), {}, world.calls, world.clock)
    over = stream(1, ended_at="2026-11-22T08:00:09.000Z", end="closed", saying="Goodbye")

    for call_sid in (None, sid(1)):
        states = read(world, call_sid, [over])
        assert states.calls[0].stream is None
        assert "Goodbye" not in states.text


def test_who_answered_is_told(world: FakeCallWorld) -> None:
    track_call(outbound(1, "in-progress"), world.calls, world.clock)
    world.calls.apply_answered_by(sid(1), "human", answered_event(1))

    (call,) = read(world).calls
    assert call.answered_by == "human"


def test_one_call_is_shown_without_the_others(world: FakeCallWorld) -> None:
    for number in (1, 2):
        answer_call(inbound(number), {}, world.calls, world.clock)

    states = read(world, sid(2))

    assert [call.call_sid for call in states.calls] == [sid(2)]
    assert sid(1) not in states.text


def test_a_call_that_is_not_known_is_refused_with_the_way_out(world: FakeCallWorld) -> None:
    with pytest.raises(InvalidRequest, match=f"{sid(1)}.*Leave `call_sid` out"):
        read(world, sid(1))


@pytest.mark.parametrize("call_sid", ["", "CA1", "SM" + "0" * 32, f"{sid(1)}\n", "CA" + "g" * 32])
def test_what_is_no_call_sid_is_refused(call_sid: str) -> None:
    with pytest.raises(ValidationError):
        ReadCalls(call_sid=call_sid)


def test_a_running_transcription_is_told_with_its_call_and_one_that_is_over_is_not(world: FakeCallWorld) -> None:
    answer_call(inbound(1), {}, world.calls, world.clock)
    answer_call(inbound(2), {}, world.calls, world.clock)
    running = transcription(1, turns=2)
    over = transcription(2, ended_at="2026-11-22T08:00:30.000Z", end="stopped")

    listed = read(world, transcriptions=(running, over))
    (one,) = read(world, sid(1), transcriptions=(running, over)).calls
    (other,) = read(world, sid(2), transcriptions=(running, over)).calls

    told = {"transcription_sid": running.transcription_sid, "started_at": running.started_at, "turns": 2}
    assert one.model_dump(exclude_none=True)["transcription"] == told
    assert other.transcription is None
    assert [call.transcription is not None for call in listed.calls] == [True, False]
    assert listed.text.count("is transcribed (2 so far)") == 1
