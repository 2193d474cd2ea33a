from __future__ import annotations

from typing import Any

import pytest

from tests.unit.fakes import ACCOUNT
from tests.unit.fakes_calls import OURS, PAIR, THEIRS, CallWorld, FakeCallWorld, inbound, outbound, real_call_world, sid
from tests.unit.fakes_guards import outbound_guard
from twilio_plugin.domain.actions import ControlCall, MakeCall
from twilio_plugin.domain.machine_detection import AnsweredBy
from twilio_plugin.errors import StorageUnavailable, UnknownCall
from twilio_plugin.services.answer_call import answer_call
from twilio_plugin.services.answered_by import track_answered_by
from twilio_plugin.services.make_call import Caller, make_call
from twilio_plugin.services.track_call import track_call

MESSAGE = {"on_machine": "leave_message", "message": "Call me back."}
HANG_UP = {"on_machine": "hang_up"}
MACHINES = ["machine_start", "machine_end_beep", "machine_end_silence", "machine_end_other", "fax"]


@pytest.fixture(params=["fake", "dynamodb"])
def world(request: pytest.FixtureRequest) -> CallWorld:
    if request.param == "fake":
        return FakeCallWorld.new()
    return real_call_world(request.getfixturevalue("dynamodb"), request.getfixturevalue("new_table"))


def call(world: CallWorld, **wanted: Any) -> None:
    """Call 1 is made, and answered."""
    by = Caller(
        requests=world.requests,
        calling=world.calling,
        guard=outbound_guard(world.clock),
        clock=world.clock,
        phone_number=OURS,
        default_region="US",
        language="en-US",
        webhook_url="https://example.com/webhooks/twilio",
        not_recorded=lambda sid: None,
    )
    make_call(MakeCall.model_validate({"to": THEIRS, "idempotency_key": "key 1"} | wanted), "request 1", by)
    track_call(outbound(1, "in-progress", request_id="key 1"), world.calls, world.clock)
    world.announced()


def found(world: CallWorld, who: str) -> bool:
    return track_answered_by(AnsweredBy(sid(1), ACCOUNT, who, "key 1"), world.calls, world.clock)


def test_who_answered_is_kept_and_announced_once_with_the_conversation_of_the_call(world: CallWorld) -> None:
    call(world, machine_detection={})

    assert [found(world, "human"), found(world, "human"), found(world, "machine_start")] == [True, False, False]

    (event,) = world.announced()
    assert event.pop("occurred_at")
    assert event == {
        "detail_type": "CALL_ANSWERED_BY",
        "version": "1",
        "event_id": f"CALL_ANSWERED_BY#{sid(1)}",
        "account_sid": ACCOUNT,
        "conversation_id": PAIR,
        "call_sid": sid(1),
        "from": OURS,
        "to": THEIRS,
        "answered_by": "human",
        "request_id": "key 1",
    }
    kept = world.calls.call(sid(1))
    assert kept
    assert kept.answered_by == "human"


@pytest.mark.parametrize("who", MACHINES)
def test_a_machine_is_hung_up_on_if_that_was_wanted(world: CallWorld, who: str) -> None:
    call(world, machine_detection=HANG_UP)
    found(world, who)

    (event,) = world.announced()
    assert event["control"] == {"call_sid": sid(1), "action": "end"}
    assert ControlCall.model_validate(event["control"])


@pytest.mark.parametrize("who", MACHINES)
def test_a_machine_is_left_a_message_if_that_was_wanted(world: CallWorld, who: str) -> None:
    call(world, machine_detection=MESSAGE)
    found(world, who)

    (event,) = world.announced()
    twiml = event["control"].pop("twiml")
    assert event["control"] == {"call_sid": sid(1), "action": "update"}
    assert twiml.endswith("<Response><Say>Call me back.</Say><Hangup /></Response>")
    assert ControlCall.model_validate(event["control"] | {"twiml": twiml})


@pytest.mark.parametrize(
    ("wanted", "who"),
    [
        ({}, "machine_start"),
        ({"on_machine": "continue"}, "fax"),
        (HANG_UP, "human"),
        (HANG_UP, "unknown"),
        (MESSAGE, "human"),
    ],
)
def test_otherwise_the_call_goes_on(world: CallWorld, wanted: dict[str, str], who: str) -> None:
    call(world, machine_detection=wanted)
    found(world, who)

    (event,) = world.announced()
    assert "control" not in event


def test_a_call_that_is_over_is_told_nothing(world: CallWorld) -> None:
    call(world, machine_detection=HANG_UP)
    track_call(outbound(1, "completed"), world.calls, world.clock)
    world.announced()

    found(world, "machine_start")

    (event,) = world.announced()
    assert "control" not in event


def test_a_call_whose_making_is_not_recorded_yet_is_asked_about_again(world: CallWorld) -> None:
    """What a machine is to get is not known before."""
    with pytest.raises(UnknownCall) as error:
        found(world, "machine_start")
    track_call(outbound(1, "in-progress", request_id="key 1"), world.calls, world.clock)
    with pytest.raises(UnknownCall):
        found(world, "machine_start")
    world.announced()

    call(world, machine_detection=HANG_UP)

    assert (error.value.status, error.value.retryable) == (503, True)
    assert found(world, "machine_start") is True
    (event,) = world.announced()
    assert event["control"]["action"] == "end"


def test_a_persons_call_is_none_that_asks_who_answers(world: CallWorld) -> None:
    answer_call(inbound(1), {}, world.calls, world.clock)

    with pytest.raises(UnknownCall, match=sid(1)):
        found(world, "human")


def test_nothing_is_announced_that_could_not_be_stored() -> None:
    world = FakeCallWorld.new()
    call(world, machine_detection={})
    world.calls.unavailable = {"apply_answered_by"}
    with pytest.raises(StorageUnavailable):
        found(world, "human")
    assert world.announced() == []

    world.calls.unavailable = set()
    assert found(world, "human") is True
