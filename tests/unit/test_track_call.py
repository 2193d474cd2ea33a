from __future__ import annotations

import itertools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.fakes import ACCOUNT
from tests.unit.fakes_calls import OURS, PAIR, THEIRS, FakeCallWorld, inbound, outbound, sid
from twilio_plugin.domain.call import CALL_RANK, FINAL_RANK, CallUpdate
from twilio_plugin.errors import StorageUnavailable
from twilio_plugin.services.answer_call import answer_call
from twilio_plugin.services.track_call import track_call

# What Twilio reports of calls, from the first word to the last.
TRUE_HISTORIES = [
    ["initiated", "ringing", "in-progress", "completed"],
    ["initiated", "ringing", "busy"],
    ["initiated", "ringing", "no-answer"],
    ["initiated", "failed"],
    ["queued", "canceled"],
    ["initiated", "ringing", "in-progress"],
]
NUMBERS = itertools.count(1)


@pytest.fixture
def world() -> FakeCallWorld:
    """In memory; `test_calls_contract` holds it to the tables."""
    return FakeCallWorld.new()


def track(world: FakeCallWorld, update: CallUpdate) -> bool:
    return track_call(update, world.calls, world.clock)


# ------------------------------------------------------------------------------------------------------------- one step


def test_a_step_is_kept_and_announced_with_everything_a_listener_needs(world: FakeCallWorld) -> None:
    assert track(world, outbound(1, "ringing", request_id="key 1")) is True

    assert world.status(1) == "ringing"
    (event,) = world.announced()
    assert event.pop("occurred_at")
    assert event == {
        "detail_type": "CALL_STATUS_CHANGED",
        "version": "1",
        "event_id": f"CALL_STATUS_CHANGED#{sid(1)}#ringing",
        "account_sid": ACCOUNT,
        "conversation_id": PAIR,
        "call_sid": sid(1),
        "direction": "outbound",
        "from": OURS,
        "to": THEIRS,
        "status": "ringing",
        "request_id": "key 1",
    }


@pytest.mark.parametrize("end", [name for name, rank in CALL_RANK.items() if rank >= FINAL_RANK])
def test_every_end_is_announced_as_one_and_leaves_nothing_active(world: FakeCallWorld, end: str) -> None:
    track(world, outbound(1, "in-progress"))
    assert world.active() == [sid(1)]

    track(world, outbound(1, end, duration=42))

    (_, event) = world.announced()
    assert (event["detail_type"], event["event_id"]) == ("CALL_ENDED", f"CALL_ENDED#{sid(1)}")
    assert (event["status"], event["duration"]) == (end, 42)
    assert world.active() == []
    assert list(world.calls.unended(before=world.clock())) == []


def test_times_are_kept_as_they_were_heard(world: FakeCallWorld) -> None:
    for step in ("ringing", "in-progress", "completed"):
        track(world, outbound(1, step))
        world.clock.advance(seconds=10)

    call = world.calls.call(sid(1))
    assert call
    assert call.started_at < (call.answered_at or "") < (call.ended_at or "")
    assert [event["occurred_at"] for event in world.announced()] == [call.started_at, call.answered_at, call.ended_at]


def test_a_late_or_repeated_callback_changes_nothing_and_is_not_announced(world: FakeCallWorld) -> None:
    track(world, outbound(1, "in-progress"))
    before = world.calls.call(sid(1))
    world.announced()

    for step in ("in-progress", "ringing", "initiated", "queued", "levitating"):
        assert track(world, outbound(1, step)) is False

    assert world.calls.call(sid(1)) == before
    assert world.announced() == []


def test_the_first_end_stays(world: FakeCallWorld) -> None:
    track(world, outbound(1, "no-answer"))

    assert track(world, outbound(1, "completed", duration=3)) is False
    assert world.status(1) == "no-answer"


def test_a_status_that_is_not_known_yet_is_announced_and_gives_way_to_any_that_is(world: FakeCallWorld) -> None:
    assert track(world, outbound(1, "levitating")) is True
    assert track(world, outbound(1, "queued")) is True

    assert world.status(1) == "queued"


def test_a_request_named_by_any_callback_is_remembered(world: FakeCallWorld) -> None:
    track(world, outbound(1, "ringing"))
    track(world, outbound(1, "in-progress", request_id="key 1"))

    assert world.requests.requested_by([sid(1)]) == {sid(1): "key 1"}


def test_nothing_is_announced_that_could_not_be_stored(world: FakeCallWorld) -> None:
    world.calls.unavailable = {"apply_status"}
    with pytest.raises(StorageUnavailable):
        track(world, outbound(1, "ringing"))
    assert world.announced() == []

    world.calls.unavailable = set()
    assert track(world, outbound(1, "ringing")) is True


# ------------------------------------------------------------------------------------------------------------ any order


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data(), st.sampled_from(TRUE_HISTORIES))
def test_callbacks_in_any_order_and_any_number_end_in_the_truth_announced_once(
    world: FakeCallWorld, data: st.DataObject, history: list[str]
) -> None:
    extra = data.draw(st.lists(st.sampled_from(history), max_size=3))
    deliveries = data.draw(st.permutations(history + extra))
    number = next(NUMBERS)

    news = [step for step in deliveries if track(world, outbound(number, step))]

    assert world.status(number) == history[-1]
    assert [event["status"] for event in world.announced()] == news
    assert news == sorted(set(news), key=CALL_RANK.__getitem__)
    assert (sid(number) in world.active()) is (CALL_RANK[history[-1]] < FINAL_RANK)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.permutations(["the webhook", "the webhook", "in-progress", "completed", "completed"]))
def test_the_voice_webhook_may_come_anywhere_among_the_callbacks(world: FakeCallWorld, deliveries: list[str]) -> None:
    """``completed`` before the webhook's own store leaves nothing active."""
    number = next(NUMBERS)

    for one in deliveries:
        if one == "the webhook":
            answer_call(inbound(number), {}, world.calls, world.clock)
        else:
            track(world, inbound(number, one))

    assert world.status(number) == "completed"
    assert world.active() == []
    announced = [event["detail_type"] for event in world.announced()]
    assert announced.count("CALL_RECEIVED") == 1
    assert announced.count("CALL_ENDED") == 1
    call = world.calls.call(sid(number))
    assert call
    assert call.ended_at
