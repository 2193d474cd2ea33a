from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.fakes import ACCOUNT, FakeWorld, World
from tests.unit.test_message_status import TRUE_HISTORIES
from twilio_plugin.domain.address import Address
from twilio_plugin.domain.message_status import rank
from twilio_plugin.domain.outbound import Part, Receipt
from twilio_plugin.domain.timestamp import iso
from twilio_plugin.domain.twilio_errors import explain
from twilio_plugin.errors import StorageUnavailable, UnreadableWebhook
from twilio_plugin.services.send_message import sent_entry, sent_event
from twilio_plugin.services.track_status import status_update, track_status

CALLBACK = {
    "AccountSid": ACCOUNT,
    "ApiVersion": "2010-04-01",
    "From": "+14155550100",
    "MessageSid": "SM" + "1" * 32,
    "MessageStatus": "sent",
    "SmsSid": "SM" + "1" * 32,
    "SmsStatus": "sent",
    "To": "+14155550123",
}
PAIR = "phone|+14155550100|+14155550123"


def track(world: World, status: str, *, query: dict[str, str] | None = None, **fields: str) -> bool:
    update = status_update(CALLBACK | {"MessageStatus": status} | fields, query or {})
    return track_status(update, world.conversations, world.clock)


def announced(world: World) -> list[dict[str, Any]]:
    return [{"detail_type": one.detail_type, **json.loads(one.detail)} for one in world.announced()]


# ------------------------------------------------------------------------------------------------ reading the callback


def test_a_callback_is_read_with_what_its_address_brings_back() -> None:
    update = status_update(CALLBACK | {"MessageStatus": "Undelivered", "ErrorCode": "30003"}, {"send": "key 1", "part": "2"})

    assert (update.message_sid, update.account_sid, update.status) == (CALLBACK["MessageSid"], ACCOUNT, "undelivered")
    assert (update.sender, update.recipient) == (Address("phone", "+14155550100"), Address("phone", "+14155550123"))
    assert (update.error_code, update.send_id, update.part) == (30003, "key 1", 2)


@pytest.mark.parametrize("query", [{}, {"part": "x"}, {"part": "²"}, {"part": "-1"}, {"part": ""}])
def test_a_callback_without_our_query_is_still_one(query: dict[str, str]) -> None:
    update = status_update(CALLBACK, query)

    assert (update.error_code, update.send_id, update.part) == (None, None, None)


@pytest.mark.parametrize("name", ["MessageSid", "AccountSid", "MessageStatus", "From", "To"])
def test_a_callback_without_a_field_we_need_is_refused_with_its_name(name: str) -> None:
    with pytest.raises(UnreadableWebhook, match=name):
        status_update(CALLBACK | {name: ""}, {})


@pytest.mark.parametrize("code", ["abc", "-1", "1.5", "３０００３", "9" * 10, "9" * 5000])
def test_an_error_code_that_is_no_number_is_refused(code: str) -> None:
    with pytest.raises(UnreadableWebhook, match="ErrorCode"):
        status_update(CALLBACK | {"ErrorCode": code}, {})


# ------------------------------------------------------------------------------------------------------ what follows


def test_a_step_forward_is_announced(world: World) -> None:
    assert track(world, "sent", query={"send": "key 1", "part": "1"}) is True

    (event,) = announced(world)
    assert event["detail_type"] == "SMS_STATUS_CHANGED"
    assert event["event_id"] == f"SMS_STATUS_CHANGED#{CALLBACK['MessageSid']}#sent"
    assert event["send_id"] == "key 1"
    assert (event["from"], event["to"], event["conversation_id"]) == ("+14155550100", "+14155550123", PAIR)


@pytest.mark.parametrize("status", ["failed", "undelivered"])
@pytest.mark.parametrize("code", [30003, 30007, 30034, 21611, 99999])
def test_a_failure_is_announced_instead_with_its_class_and_its_remedy(fake_world: FakeWorld, status: str, code: int) -> None:
    assert track(fake_world, status, ErrorCode=str(code)) is True

    (event,) = announced(fake_world)
    why = explain(code)
    assert event["detail_type"] == "SMS_FAILED"
    assert (event["status"], event["error_code"]) == (status, code)
    assert (event["error_class"], event["meaning"], event["remedy"]) == (why.error_class, why.meaning, why.remedy)


def test_a_failure_without_a_code_is_of_unknown_class(fake_world: World) -> None:
    track(fake_world, "failed", ErrorCode="")

    (event,) = announced(fake_world)
    assert event["error_class"] == "unknown"
    assert "error_code" not in event


def test_a_late_or_repeated_callback_changes_nothing_and_announces_nothing(world: World) -> None:
    track(world, "delivered")
    announced(world)

    assert track(world, "delivered") is False
    assert track(world, "sent") is False
    assert announced(world) == []


def play(world: World, sid: str, callbacks: list[str]) -> None:
    """Deliver callbacks of one message and check what came of it."""
    part = Part(
        send_id=sid,
        number=1,
        parts=1,
        fingerprint="f",
        sender=Address("phone", "+14155550100"),
        recipient=Address("phone", f"+1{sid[-10:]}"),
        body="Hello",
    )
    events: list[dict[str, Any]] = []
    world.sends.claim(part)
    world.announced()
    for status in callbacks:
        before = len(events)
        changed = track(world, status, MessageSid=sid, To=str(part.recipient))
        events += announced(world)
        assert len(events) - before == changed
    now = iso(world.clock())
    receipt = Receipt(sid, ACCOUNT, "accepted")
    world.sends.record_sent(part, receipt, sent_entry(part, receipt, now), sent_event(part, receipt, now))

    last = max(callbacks, key=rank)
    statuses = [event["status"] for event in events]
    assert [rank(status) for status in statuses] == sorted({rank(status) for status in statuses})
    assert statuses[-1] == last
    assert len({event["event_id"] for event in events}) == len(events)
    (entry,) = world.history.page(part.conversation_id, limit=2, before=None).entries
    assert entry.status == last


@st.composite
def shuffled_with_duplicates(draw: st.DrawFn) -> list[str]:
    history = draw(st.sampled_from(TRUE_HISTORIES))
    return draw(st.permutations(history + draw(st.lists(st.sampled_from(history), max_size=4))))


@given(shuffled_with_duplicates())
def test_callbacks_in_any_order_and_number_end_in_the_true_state_and_announce_each_change_at_most_once(
    callbacks: list[str],
) -> None:
    play(FakeWorld.new(), f"SM{uuid.uuid4().int:032d}", callbacks)


@given(shuffled_with_duplicates())
@settings(max_examples=3, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_callbacks_in_any_order_do_so_on_the_deployed_tables_too(real_world: World, callbacks: list[str]) -> None:
    play(real_world, f"SM{uuid.uuid4().int:032d}", callbacks)


@given(st.permutations(["queued", "sent", "delivered", "undelivered", "failed"]))
def test_of_two_final_states_the_first_to_arrive_stays(callbacks: list[str]) -> None:
    world = FakeWorld.new()
    for status in callbacks:
        track(world, status)

    first = next(status for status in callbacks if rank(status) == rank("delivered"))
    assert world.conversations.messages[CALLBACK["MessageSid"]].status == first
    assert announced(world)[-1]["status"] == first


# ---------------------------------------------------------------------------------------------------------- opt-out


def test_a_refusal_for_stop_closes_the_ledger_once(world: World) -> None:
    assert track(world, "undelivered", ErrorCode="21610") is True
    assert track(world, "undelivered", ErrorCode="21610") is False
    track(world, "failed", ErrorCode="21610", MessageSid="SM" + "2" * 32)

    assert world.conversations.contact_state(PAIR) == "opted_out"
    opt_outs = [event for event in announced(world) if event["detail_type"] == "OPT_OUT_CHANGED"]
    assert [(event["state"], event["cause"], event["from"], event["to"]) for event in opt_outs] == [
        ("opted_out", "twilio_21610", "+14155550123", "+14155550100")
    ]


def test_other_errors_leave_the_ledger_alone(fake_world: World) -> None:
    track(fake_world, "failed", ErrorCode="30004")

    assert fake_world.conversations.contact_state(PAIR) == "opted_in"
    assert [event["detail_type"] for event in announced(fake_world)] == ["SMS_FAILED"]


def test_a_ledger_that_failed_to_close_closes_when_twilio_calls_again(fake_world: FakeWorld) -> None:
    fake_world.conversations.unavailable = {"change_ledger"}
    with pytest.raises(StorageUnavailable):
        track(fake_world, "undelivered", ErrorCode="21610")
    fake_world.conversations.unavailable = set()

    assert track(fake_world, "undelivered", ErrorCode="21610") is False
    assert fake_world.conversations.contact_state(PAIR) == "opted_out"
    assert [event["detail_type"] for event in announced(fake_world)] == ["SMS_FAILED", "OPT_OUT_CHANGED"]


def test_a_ledger_that_somebody_else_closes_in_this_moment_is_announced_by_them_alone(fake_world: FakeWorld) -> None:
    fake_world.conversations.meanwhile = [
        lambda: None,  # before apply_status
        lambda: track(fake_world, "undelivered", ErrorCode="21610", MessageSid="SM" + "2" * 32),
    ]

    track(fake_world, "undelivered", ErrorCode="21610")

    opt_outs = [event for event in announced(fake_world) if event["detail_type"] == "OPT_OUT_CHANGED"]
    assert [event["event_id"] for event in opt_outs] == ["OPT_OUT_CHANGED#SM" + "2" * 32]
