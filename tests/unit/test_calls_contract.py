"""What every `Calls`, `CallReader` and `CallRequests` does: the fakes, and the tables as they are deployed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from tests.unit.fakes import ACCOUNT
from tests.unit.fakes_calls import OURS, PAIR, THEIRS, CallWorld, FakeCallWorld, inbound, outbound, real_call_world, sid
from twilio_plugin.adapters.calls import CallsTable
from twilio_plugin.adapters.dynamodb import DynamoDB
from twilio_plugin.adapters.outbox import OutboxTable
from twilio_plugin.domain.address import Address
from twilio_plugin.domain.call import Call, CallRequest, CallUpdate
from twilio_plugin.domain.events import CallAnsweredBy, CallEnded, CallRecorded, event_id
from twilio_plugin.domain.machine_detection import MachineDetection
from twilio_plugin.domain.recording import Recording
from twilio_plugin.domain.timestamp import iso
from twilio_plugin.errors import IdempotencyKeyReused, SendInProgress, SendOutcomeUnknown
from twilio_plugin.services.answer_call import answer_call
from twilio_plugin.services.make_call import started_event
from twilio_plugin.services.track_call import track_call

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

REQUEST = CallRequest(
    request_id="key 1",
    fingerprint="f" * 64,
    sender=Address("phone", OURS),
    recipient=Address("phone", THEIRS),
    time_limit=60,
    twiml="<Response><Say>👋 &amp; hello</Say></Response>",
)
BY_URL = dataclasses.replace(
    REQUEST,
    request_id="key 2",
    twiml=None,
    url="https://example.com/twiml",
    record=True,
    machine_detection=MachineDetection("leave_message", "<Response><Say>👋</Say></Response>"),
)
WITH_AGENT = dataclasses.replace(
    REQUEST, request_id="key 4", twiml=None, machine_detection=MachineDetection("continue"), time_limit=3600, voice_mode="relay"
)
MADE = outbound(1)


@pytest.fixture(params=["fake", "dynamodb"])
def world(request: pytest.FixtureRequest) -> CallWorld:
    if request.param == "fake":
        return FakeCallWorld.new()
    return real_call_world(request.getfixturevalue("dynamodb"), request.getfixturevalue("new_table"))


def track(world: CallWorld, update: CallUpdate) -> bool:
    return track_call(update, world.calls, world.clock)


def receive(world: CallWorld, update: CallUpdate) -> bool:
    return answer_call(update, {}, world.calls, world.clock)


def record_made(world: CallWorld, request: CallRequest, made: CallUpdate = MADE) -> bool:
    return world.requests.record_made(request, made, started_event(request, made, iso(world.clock())))


def record_not_made(world: CallWorld, request: CallRequest) -> bool:
    return world.requests.record_not_made(
        request,
        CallEnded(
            event_id=event_id(CallEnded, request.request_id),
            occurred_at=iso(world.clock()),
            account_sid=ACCOUNT,
            conversation_id=request.conversation_id,
            direction="outbound",
            from_=str(request.sender),
            to=str(request.recipient),
            status="not_made",
        ),
    )


def claimed_again(world: CallWorld, request: CallRequest) -> str | None:
    """The SID that a claim answers with."""
    made = world.requests.claim(request)
    return made.call_sid if made else None


def unsettled(world: CallWorld) -> list[CallRequest]:
    return [request for request, _ in world.requests.unsettled(before=world.clock() + timedelta(days=1))]


def answered_event(number: int) -> CallAnsweredBy:
    return CallAnsweredBy(
        event_id=event_id(CallAnsweredBy, sid(number)),
        occurred_at="2026-11-22T09:00:00.000Z",
        account_sid=ACCOUNT,
        conversation_id=PAIR,
        call_sid=sid(number),
        from_=OURS,
        to=THEIRS,
        answered_by="human",
    )


def recorded(world: CallWorld, recording: Recording) -> bool:
    return world.calls.add_recording(
        recording,
        CallRecorded(
            event_id=event_id(CallRecorded, recording.recording_sid, recording.status),
            occurred_at=iso(world.clock()),
            account_sid=ACCOUNT,
            conversation_id=PAIR,
            call_sid=recording.call_sid,
            recording_sid=recording.recording_sid,
            status=recording.status,
        ),
    )


def unended(world: CallWorld, *, before: datetime | None = None) -> list[str]:
    return [call.call_sid for call in world.calls.unended(before=before or world.clock())]


# --------------------------------------------------------------------------------------------------------------- calls


def test_a_call_is_kept_as_it_came_and_as_answered_by_us(world: CallWorld) -> None:
    assert receive(world, inbound(1)) is True

    call = world.calls.call(sid(1))
    (event,) = world.announced()
    assert call == Call(
        call_sid=sid(1),
        conversation_id=PAIR,
        direction="inbound",
        from_=THEIRS,
        to=OURS,
        status="in-progress",
        started_at=event["occurred_at"],
        answered_at=event["occurred_at"],
    )
    assert world.calls.call(sid(2)) is None


def test_a_received_call_is_kept_and_announced_once(world: CallWorld) -> None:
    assert receive(world, inbound(1)) is True
    assert receive(world, inbound(1)) is False

    assert [event["event_id"] for event in world.announced()] == [f"CALL_RECEIVED#{sid(1)}"]
    assert world.active() == [sid(1)]


def test_a_status_moves_a_call_forward_only_and_is_announced_each_time(world: CallWorld) -> None:
    moved = [
        track(world, outbound(1, step)) for step in ("ringing", "initiated", "ringing", "in-progress", "busy", "completed")
    ]

    assert moved == [True, False, False, True, True, False]
    assert [event["status"] for event in world.announced()] == ["ringing", "in-progress", "busy"]
    assert world.status(1) == "busy"


def test_the_times_of_a_call_are_those_of_its_steps(world: CallWorld) -> None:
    for step in ("ringing", "in-progress"):
        track(world, outbound(1, step))
    track(world, outbound(1, "completed", duration=0))

    call = world.calls.call(sid(1))
    assert call
    assert [call.started_at, call.answered_at, call.ended_at] == [event["occurred_at"] for event in world.announced()]
    assert call.duration == 0


@pytest.mark.parametrize("first", [["completed"], ["in-progress", "completed"], ["completed", "in-progress"]])
def test_a_call_that_ended_before_it_was_stored_is_announced_and_is_not_active(world: CallWorld, first: list[str]) -> None:
    for step in first:
        track(world, inbound(1, step))
    assert receive(world, inbound(1)) is True
    assert receive(world, inbound(1)) is False

    assert world.status(1) == "completed"
    assert world.active() == []
    assert [event["detail_type"] for event in world.announced()].count("CALL_RECEIVED") == 1


def test_no_call_is_answered_after_its_end(world: CallWorld) -> None:
    track(world, inbound(1, "completed"))
    receive(world, inbound(1))

    call = world.calls.call(sid(1))
    assert call
    assert call.ended_at
    assert call.answered_at is None or call.answered_at <= call.ended_at


def test_active_calls_come_the_longest_running_first_until_they_end(world: CallWorld) -> None:
    receive(world, inbound(2))
    track(world, outbound(1, "ringing"))
    receive(world, inbound(3))
    track(world, outbound(1, "in-progress"))
    track(world, inbound(3, "completed"))

    assert world.active() == [sid(2), sid(1)]


def test_calls_without_an_end_are_found_once_they_are_old_enough_and_taken_off_the_list(world: CallWorld) -> None:
    receive(world, inbound(1))
    receive(world, inbound(2))
    track(world, inbound(2, "completed"))
    between = world.clock()
    receive(world, inbound(3))

    assert unended(world, before=between) == [sid(1)]
    assert unended(world) == [sid(1), sid(3)]
    world.calls.no_longer_active(sid(1))
    assert unended(world) == [sid(3)]
    assert world.active() == [sid(3)]


def test_taking_a_call_off_the_list_that_is_not_there_makes_none(world: CallWorld) -> None:
    """Its retention may have run out between the look and the write."""
    world.calls.no_longer_active(sid(1))

    assert world.calls.call(sid(1)) is None


def test_who_answered_is_kept_and_announced_once(world: CallWorld) -> None:
    track(world, outbound(1, "in-progress"))
    world.announced()

    assert world.calls.apply_answered_by(sid(1), "human", answered_event(1)) is True
    assert world.calls.apply_answered_by(sid(1), "machine_start", answered_event(1)) is False

    call = world.calls.call(sid(1))
    assert call
    assert call.answered_by == "human"
    assert [event["event_id"] for event in world.announced()] == [f"CALL_ANSWERED_BY#{sid(1)}"]


def test_who_answered_a_call_that_is_not_known_is_not_kept(world: CallWorld) -> None:
    assert world.calls.apply_answered_by(sid(1), "human", answered_event(1)) is False

    assert world.calls.call(sid(1)) is None
    assert world.announced() == []


def test_later_callbacks_leave_it_known_who_answered(world: CallWorld) -> None:
    track(world, outbound(1, "in-progress"))
    world.calls.apply_answered_by(sid(1), "human", answered_event(1))

    track(world, outbound(1, "completed", duration=3))

    call = world.calls.call(sid(1))
    assert call
    assert (call.answered_by, call.status) == ("human", "completed")


def test_what_became_of_a_recording_is_kept_once_for_each_recording_and_status(world: CallWorld) -> None:
    track(world, outbound(1, "completed"))
    world.announced()
    first = Recording(
        call_sid=sid(1), account_sid=ACCOUNT, recording_sid="RE1", status="completed", url="https://x", duration=3
    )
    others = [dataclasses.replace(first, recording_sid="RE2"), dataclasses.replace(first, status="failed", url=None)]

    assert [recorded(world, one) for one in (first, first, *others, *others)] == [True, False, True, True, False, False]

    assert [event["event_id"] for event in world.announced()] == [
        "CALL_RECORDED#RE1#completed",
        "CALL_RECORDED#RE2#completed",
        "CALL_RECORDED#RE1#failed",
    ]
    assert world.status(1) == "completed"
    assert world.active() == []


# ------------------------------------------------------------------------------------------------------------ requests


def test_a_fresh_request_is_claimed_once_and_is_in_progress_for_others(world: CallWorld) -> None:
    assert world.requests.claim(REQUEST) is None
    with pytest.raises(SendInProgress):
        world.requests.claim(REQUEST)


def test_a_call_that_was_made_is_answered_with(world: CallWorld) -> None:
    world.requests.claim(REQUEST)
    assert record_made(world, REQUEST) is True

    assert world.requests.claim(REQUEST) == dataclasses.replace(MADE, request_id="key 1")
    assert unsettled(world) == []


def test_a_call_that_was_made_is_active_and_announced_once(world: CallWorld) -> None:
    world.requests.claim(REQUEST)
    assert record_made(world, REQUEST) is True
    assert record_made(world, REQUEST) is False

    assert [event["event_id"] for event in world.announced()] == [f"CALL_STARTED#{sid(1)}"]
    assert world.active() == [sid(1)]
    assert world.status(1) == "queued"


@pytest.mark.parametrize("request_", [REQUEST, BY_URL, WITH_AGENT], ids=lambda one: one.request_id)
@pytest.mark.parametrize("callback_first", [False, True])
def test_a_call_that_was_made_knows_what_a_machine_is_to_get(
    world: CallWorld, request_: CallRequest, callback_first: bool
) -> None:
    world.requests.claim(request_)
    if callback_first:
        track(world, outbound(1, "ringing", request_id=request_.request_id))
        call = world.calls.call(sid(1))
        assert call
        assert call.machine_detection is None

    record_made(world, request_)

    call = world.calls.call(sid(1))
    assert call
    assert call.machine_detection == request_.machine_detection


def test_nothing_is_recorded_of_a_request_that_nobody_claimed(world: CallWorld) -> None:
    assert record_made(world, REQUEST) is False
    assert record_not_made(world, REQUEST) is False

    assert world.announced() == []
    assert world.calls.call(sid(1)) is None


def test_callbacks_that_came_first_keep_their_status_and_their_end(world: CallWorld) -> None:
    world.requests.claim(REQUEST)
    track(world, outbound(1, "busy", request_id="key 1"))

    assert record_made(world, REQUEST) is True

    assert world.status(1) == "busy"
    assert world.active() == []


def test_the_status_at_acceptance_is_where_callbacks_go_on_from(world: CallWorld) -> None:
    world.requests.claim(REQUEST)
    record_made(world, REQUEST, outbound(1, "ringing"))

    assert track(world, outbound(1, "initiated")) is False
    assert track(world, outbound(1, "in-progress")) is True
    assert world.status(1) == "in-progress"


@pytest.mark.parametrize("how", ["unknown", "made", "not made"])
def test_a_key_used_for_another_call_is_refused_whatever_became_of_the_first(world: CallWorld, how: str) -> None:
    world.requests.claim(REQUEST)
    if how == "unknown":
        world.requests.mark_unknown(REQUEST)
    if how == "made":
        record_made(world, REQUEST)
    if how == "not made":
        record_not_made(world, REQUEST)

    with pytest.raises(IdempotencyKeyReused):
        world.requests.claim(dataclasses.replace(REQUEST, fingerprint="0" * 64))


def test_a_released_request_can_be_claimed_again_even_for_another_call(world: CallWorld) -> None:
    world.requests.claim(REQUEST)
    world.requests.release(REQUEST)

    assert unsettled(world) == []
    assert world.requests.claim(dataclasses.replace(REQUEST, fingerprint="0" * 64)) is None


def test_releasing_does_not_forget_what_is_settled_or_unknown(world: CallWorld) -> None:
    world.requests.claim(REQUEST)
    record_made(world, REQUEST)
    world.requests.release(REQUEST)
    world.requests.claim(BY_URL)
    world.requests.mark_unknown(BY_URL)
    world.requests.release(BY_URL)

    assert claimed_again(world, REQUEST) == sid(1)
    with pytest.raises(SendOutcomeUnknown):
        world.requests.claim(BY_URL)


def test_releasing_or_doubting_what_nobody_claimed_is_nothing(world: CallWorld) -> None:
    world.requests.release(REQUEST)
    world.requests.mark_unknown(REQUEST)

    assert unsettled(world) == []
    assert world.requests.claim(REQUEST) is None


def test_a_claim_without_an_outcome_becomes_unknown_when_no_invocation_can_still_hold_it(world: CallWorld) -> None:
    world.requests.claim(REQUEST)

    world.clock.advance(seconds=80)
    with pytest.raises(SendInProgress):
        world.requests.claim(REQUEST)
    world.clock.advance(seconds=11)
    with pytest.raises(SendOutcomeUnknown):
        world.requests.claim(REQUEST)


def test_what_was_not_made_is_announced_once_and_frees_the_key(world: CallWorld) -> None:
    world.requests.claim(REQUEST)
    world.requests.mark_unknown(REQUEST)

    assert record_not_made(world, REQUEST) is True
    assert record_not_made(world, REQUEST) is False
    assert record_made(world, REQUEST) is False
    assert [event["event_id"] for event in world.announced()] == ["CALL_ENDED#key 1"]
    assert unsettled(world) == []
    assert world.requests.claim(REQUEST) is None
    assert unsettled(world) == [REQUEST]


def test_a_key_is_free_for_anything_after_a_day(world: CallWorld) -> None:
    world.requests.claim(REQUEST)
    record_made(world, REQUEST)

    world.clock.advance(hours=23)
    assert claimed_again(world, REQUEST) == sid(1)
    world.clock.advance(hours=1, seconds=2)
    assert world.requests.claim(dataclasses.replace(REQUEST, fingerprint="0" * 64)) is None


def test_unsettled_requests_come_whole_oldest_first_and_only_if_old_enough(world: CallWorld) -> None:
    late = dataclasses.replace(REQUEST, request_id="key 3")
    world.requests.claim(REQUEST)
    world.requests.claim(BY_URL)
    world.requests.mark_unknown(BY_URL)
    world.requests.claim(WITH_AGENT)
    between = world.clock()
    world.requests.claim(late)

    found = list(world.requests.unsettled(before=between))

    assert [request for request, _ in found] == [REQUEST, BY_URL, WITH_AGENT]
    assert all(between - timedelta(seconds=1) < claimed < between for _, claimed in found)
    assert unsettled(world) == [REQUEST, BY_URL, WITH_AGENT, late]


def test_the_requests_of_calls_are_known_from_the_record_and_from_the_callback(world: CallWorld) -> None:
    world.requests.claim(REQUEST)
    record_made(world, REQUEST)
    track(world, outbound(2, "ringing", request_id="key 2"))
    track(world, outbound(3, "ringing"))

    found = world.requests.requested_by([sid(number) for number in (1, 2, 3, 4)])

    assert found == {sid(1): "key 1", sid(2): "key 2", sid(3): None}
    shown = [world.calls.call(sid(number)) for number in (1, 2, 3)]
    assert [call and call.request_id for call in shown] == ["key 1", "key 2", None]


def test_the_requests_of_more_calls_than_one_question_takes(world: CallWorld) -> None:
    track(world, outbound(149, "ringing", request_id="key 1"))

    assert world.requests.requested_by(sid(number) for number in range(150)) == {sid(149): "key 1"}
    assert world.requests.requested_by([]) == {}


# ---------------------------------------------------------------------------------------------------------- the tables


@pytest.mark.parametrize(("days", "kept"), [(30, True), (0, False)])
def test_a_call_is_kept_as_long_as_the_stack_keeps_things(
    dynamodb: DynamoDBClient, new_table: Callable[[str], str], days: int, kept: bool
) -> None:
    database, table = DynamoDB(dynamodb), new_table("CallsTable")
    calls = CallsTable(database, table, OutboxTable(database, new_table("OutboxTable")), retention_days=days)

    def now() -> datetime:
        return datetime.fromisoformat("2026-11-22T08:00:00+00:00")

    answer_call(inbound(1), {}, calls, now)
    track_call(outbound(2, "busy"), calls, now)

    calls.add_recording(
        Recording(call_sid=sid(1), account_sid=ACCOUNT, recording_sid="RE1", status="completed"), answered_event(1)
    )

    until = int((now() + timedelta(days=days)).timestamp()) if kept else None
    items = [database.get(table, {"call_sid": sid(number), "sk": "CALL"}) or {} for number in (1, 2)]
    assert [item.get("ttl") for item in items] == [until, until]
    recording = database.get(table, {"call_sid": sid(1), "sk": "RECORDING#RE1#completed"})
    assert recording
    assert recording.get("ttl") == (until + 3600 if until else None)


def test_calls_that_ended_before_they_were_stored_do_not_push_active_ones_off_the_list(
    dynamodb: DynamoDBClient, new_table: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such calls are in the index until reconciliation; the list is cut there, before they are left out."""
    monkeypatch.setattr("twilio_plugin.adapters.calls._LISTED", 2)
    world = real_call_world(dynamodb, new_table)
    for number in (1, 2):
        track(world, inbound(number, "completed"))
        receive(world, inbound(number))
    receive(world, inbound(3))

    assert world.active() == [sid(3)]
