from __future__ import annotations

import dataclasses

import pytest

from tests.unit.fakes import ACCOUNT
from tests.unit.fakes_calls import PAIR, CallWorld, FakeCallWorld, inbound, real_call_world, sid
from twilio_plugin.domain.recording import Recording
from twilio_plugin.errors import StorageUnavailable, UnknownCall
from twilio_plugin.services.answer_call import answer_call
from twilio_plugin.services.track_recording import track_recording

DONE = Recording(
    call_sid=sid(1),
    account_sid=ACCOUNT,
    recording_sid="RE1",
    status="completed",
    source="RecordVerb",
    url="https://api.twilio.com/RE1",
    duration=7,
    channels=2,
)


@pytest.fixture(params=["fake", "dynamodb"])
def world(request: pytest.FixtureRequest) -> CallWorld:
    if request.param == "fake":
        return FakeCallWorld.new()
    return real_call_world(request.getfixturevalue("dynamodb"), request.getfixturevalue("new_table"))


def receive(world: CallWorld) -> None:
    """Call 1 is there."""
    answer_call(inbound(1), {}, world.calls, world.clock)
    world.announced()


def track(world: CallWorld, recording: Recording) -> bool:
    return track_recording(recording, world.calls, world.clock)


def test_a_recording_is_announced_once_in_the_conversation_of_its_call(world: CallWorld) -> None:
    receive(world)

    assert [track(world, DONE), track(world, DONE)] == [True, False]

    (event,) = world.announced()
    assert event.pop("occurred_at")
    assert event == {
        "detail_type": "CALL_RECORDED",
        "version": "1",
        "event_id": "CALL_RECORDED#RE1#completed",
        "account_sid": ACCOUNT,
        "conversation_id": PAIR,
        "call_sid": sid(1),
        "recording_sid": "RE1",
        "status": "completed",
        "source": "RecordVerb",
        "recording_url": "https://api.twilio.com/RE1",
        "duration": 7,
        "channels": 2,
    }


@pytest.mark.parametrize("status", ["absent", "failed"])
def test_that_there_is_no_recording_is_announced_too(world: CallWorld, status: str) -> None:
    receive(world)

    assert track(world, Recording(call_sid=sid(1), account_sid=ACCOUNT, recording_sid="RE1", status=status)) is True

    (event,) = world.announced()
    assert (event["status"], event["event_id"]) == (status, f"CALL_RECORDED#RE1#{status}")
    assert "recording_url" not in event


@pytest.mark.parametrize("status", ["in-progress", "paused", "levitating"])
def test_what_is_still_being_recorded_is_not_announced(world: CallWorld, status: str) -> None:
    assert track(world, dataclasses.replace(DONE, status=status)) is False
    assert world.announced() == []


def test_a_recording_of_a_call_that_is_not_known_yet_is_asked_about_again(world: CallWorld) -> None:
    with pytest.raises(UnknownCall, match=sid(1)):
        track(world, DONE)
    receive(world)

    assert track(world, DONE) is True


def test_nothing_is_announced_that_could_not_be_stored() -> None:
    world = FakeCallWorld.new()
    receive(world)
    world.calls.unavailable = {"add_recording"}
    with pytest.raises(StorageUnavailable):
        track(world, DONE)
    assert world.announced() == []

    world.calls.unavailable = set()
    assert track(world, DONE) is True
