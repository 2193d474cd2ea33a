"""Calls both ways, on TwiML: answered, taken over, made once, and never left open."""

from __future__ import annotations

import re
import secrets
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local.bus import is_event
from local.stack import InvocationFailed
from local.twilio.voice.phones import Busy, NoAnswer
from tests.e2e.conftest import Phone


def call(phone: Phone, **payload: Any) -> Any:
    return phone.stack.invoke("make-call", payload)


def control(phone: Phone, **payload: Any) -> Any:
    return phone.stack.invoke("control-call", payload)


def make_older(phone: Phone, request_id: str, age: timedelta) -> None:
    """As if the call had been asked for so long ago."""
    claimed_at = (datetime.now(UTC) - age).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    phone.dynamodb.update_item(
        TableName=phone.conversations,
        Key={"conversation_id": {"S": f"send|{request_id}"}, "sk": {"S": "CALL"}},
        UpdateExpression="SET claimed_at = :then",
        ExpressionAttributeValues={":then": {"S": claimed_at}},
    )


def test_a_caller_is_greeted_announced_and_taken_over(phone: Phone) -> None:
    person = phone.person()

    caller = phone.twilio.call_in(person)
    assert caller.hears(30) == "Hello. One moment, please."
    received = phone.bus.wait_for(is_event("CALL_RECEIVED", call_sid=caller.sid))["detail"]
    assert (received["from"], received["to"]) == (person, phone.ours)
    state = phone.stack.invoke("call-state", {})
    assert caller.sid in [one["call_sid"] for one in state["calls"]]
    assert "Active voice calls" in state["text"]
    control(phone, call_sid=caller.sid, action="update", say="This is the agent.")
    assert caller.hears(30) == "This is the agent."
    control(phone, call_sid=caller.sid, action="end")
    caller.wait_until_ended(30)

    ended = phone.bus.wait_for(is_event("CALL_ENDED", call_sid=caller.sid))["detail"]
    assert (ended["status"], ended["direction"]) == ("completed", "inbound")
    assert phone.stack.invoke("call-state", {"call_sid": caller.sid})["calls"][0]["status"] == "completed"


def test_a_caller_whom_no_agent_takes_over_hears_a_sentence(phone: Phone) -> None:
    caller = phone.twilio.call_in(phone.person())

    assert caller.hears(30) == "Hello. One moment, please."
    assert caller.hears(60).startswith("Sorry, nobody can take your call")
    caller.wait_until_ended(30)


def test_the_caller_hears_something_when_nothing_works(phone: Phone) -> None:
    form = {"CallSid": f"CA{secrets.token_hex(16)}", "AccountSid": phone.stack.account.account_sid, "To": phone.ours}
    form |= {"From": "+15555550111", "CallStatus": "ringing", "Direction": "inbound"}

    fallback = phone.post("voice/fallback", form, signature=None)
    broken = phone.post("voice", {**form, "CallSid": "C" * 3000})  # a key that DynamoDB refuses

    for answer in (fallback, broken):
        assert answer.status == 200
        assert "<Say>" in answer.body
    assert phone.post("voice", form, signature=None).status == 403


def test_the_same_voice_webhook_ten_times_at_once_is_one_call(phone: Phone) -> None:
    sid = f"CA{secrets.token_hex(16)}"
    form = {"CallSid": sid, "AccountSid": phone.stack.account.account_sid, "To": phone.ours, "From": phone.person()}
    form |= {"CallStatus": "ringing", "Direction": "inbound"}

    with ThreadPoolExecutor(10) as ten:
        answers = list(ten.map(lambda _: phone.post("voice", form), range(10)))

    # Each with a token of its own second.
    assert len({re.sub(r"value=\"[^\"]*\"", "", answer.body) for answer in answers}) == 1
    phone.bus.wait_for(is_event("CALL_RECEIVED", call_sid=sid))
    phone.bus.listen(seconds=2)
    assert len(phone.bus.of("CALL_RECEIVED", call_sid=sid)) == 1


def test_a_person_called_hears_the_words(phone: Phone) -> None:
    person = phone.person()

    made = call(phone, to=person, say="Good morning & <welcome>.")

    assert (made["to"], made["from"], made["conversation_id"]) == (person, phone.ours, f"phone|{phone.ours}|{person}")
    callee = phone.twilio.wait_for_call(person, timeout=30)
    assert callee.hears(30) == "Good morning & <welcome>."
    callee.wait_until_ended(30)
    started = phone.bus.wait_for(is_event("CALL_STARTED", call_sid=made["call_sid"]))["detail"]
    assert started["to"] == person
    ended = phone.bus.wait_for(is_event("CALL_ENDED", call_sid=made["call_sid"]))["detail"]
    assert (ended["status"], ended["request_id"]) == ("completed", started["request_id"])


@pytest.mark.parametrize(("behaviour", "status"), [(Busy(), "busy"), (NoAnswer(), "no-answer")])
def test_a_call_that_nobody_takes_ends_as_twilio_says(phone: Phone, behaviour: Any, status: str) -> None:
    person = phone.person()
    phone.twilio.phones[person] = behaviour

    made = call(phone, to=person, say="Hello?")

    assert phone.bus.wait_for(is_event("CALL_ENDED", call_sid=made["call_sid"]))["detail"]["status"] == status


def test_the_same_key_twice_is_one_call(phone: Phone) -> None:
    person = phone.person()
    payload = {"to": person, "say": "Once.", "idempotency_key": f"once-{person}"}

    assert call(phone, **payload)["call_sid"] == call(phone, **payload)["call_sid"]


def test_a_lost_answer_is_unknown_then_found_and_nobody_is_called_twice(phone: Phone) -> None:
    person = phone.person()
    key = f"lost-{person}"
    phone.twilio.faults.add("drop_after")

    for _ in range(2):
        with pytest.raises(InvocationFailed) as failure:
            call(phone, to=person, say="Hello?", idempotency_key=key)
        assert failure.value.error_type == "SendOutcomeUnknown"
    make_older(phone, key, timedelta(minutes=3))
    assert phone.stack.invoke("reconcile", {})["calls"]["found_made"] == 1

    made = phone.bus.wait_for(is_event("CALL_STARTED", request_id=key))["detail"]
    assert call(phone, to=person, say="Hello?", idempotency_key=key)["call_sid"] == made["call_sid"]


def test_a_call_that_nobody_ended_is_closed_by_what_twilio_says(phone: Phone) -> None:
    sid = f"CA{secrets.token_hex(16)}"  # Twilio does not know it
    form = {"CallSid": sid, "AccountSid": phone.stack.account.account_sid, "To": phone.ours, "From": phone.person()}
    phone.post("voice", form | {"CallStatus": "ringing", "Direction": "inbound"})
    phone.dynamodb.update_item(
        TableName=phone.stack.outputs["CallsTableName"],
        Key={"call_sid": {"S": sid}, "sk": {"S": "CALL"}},
        UpdateExpression="SET started_at = :then",
        ExpressionAttributeValues={":then": {"S": "2026-01-01T00:00:00.000Z"}},
    )

    phone.stack.invoke("reconcile", {})

    assert sid not in [one["call_sid"] for one in phone.stack.invoke("call-state", {})["calls"]]


def test_status_callbacks_of_a_call_in_any_order_end_in_the_truth(phone: Phone) -> None:
    sid = f"CA{secrets.token_hex(16)}"
    form = {"CallSid": sid, "AccountSid": phone.stack.account.account_sid, "From": phone.ours, "To": phone.person()}
    form |= {"Direction": "outbound-api"}

    for status in ("completed", "ringing", "in-progress", "completed", "initiated"):
        assert phone.post("status", form | {"CallStatus": status}).status == 204

    (state,) = phone.stack.invoke("call-state", {"call_sid": sid})["calls"]
    assert state["status"] == "completed"
    phone.bus.wait_for(is_event("CALL_ENDED", call_sid=sid))
    phone.bus.listen(seconds=1)
    assert len(phone.bus.of("CALL_ENDED", call_sid=sid)) == 1
    assert not phone.bus.of("CALL_STATUS_CHANGED", call_sid=sid)


@pytest.mark.parametrize(
    ("function", "payload", "error_type", "says"),
    [
        ("make-call", {"to": "+15555551234", "say": "x", "url": "https://example.com"}, "InvalidRequest", "one of `say`"),
        ("make-call", {"to": "12", "say": "x"}, "InvalidPhoneNumber", "E.164"),
        ("make-call", {"to": "+15005550001", "say": "x"}, "TwilioRejected", "Twilio refused the call"),
        ("control-call", {"call_sid": "CA" + "0" * 32, "action": "end"}, "TwilioRejected", "20404"),
        ("control-call", {"call_sid": "CA" + "0" * 32, "action": "transfer"}, "InvalidRequest", "`to` is missing"),
        ("control-call", {"call_sid": "CA" + "0" * 32, "action": "end", "say": "x"}, "InvalidRequest", "`say` goes with"),
        ("call-state", {"call_sid": "CA" + "0" * 32}, "InvalidRequest", "No call"),
    ],
)
def test_a_refusal_has_a_stable_type_and_says_what_to_do(
    phone: Phone, function: str, payload: dict[str, Any], error_type: str, says: str
) -> None:
    with pytest.raises(InvocationFailed) as failure:
        phone.stack.invoke(function, payload)

    assert failure.value.error_type == error_type
    assert says in failure.value.message


def test_a_person_is_transferred_and_keys_are_pressed(phone: Phone) -> None:
    person, colleague = phone.person(), phone.person()
    caller = phone.twilio.call_in(person)
    caller.hears(30)

    control(phone, call_sid=caller.sid, action="send_digits", digits="1w2#")
    control(phone, call_sid=caller.sid, action="transfer", to=colleague)

    assert phone.twilio.wait_for_call(colleague, timeout=30)
    assert f'<Dial callerId="{phone.ours}" timeLimit="3600"><Number>{colleague}</Number></Dial>' in caller.twiml[-1]
    assert any('digits="1w2#"' in document for document in caller.twiml)
    caller.hang_up()
