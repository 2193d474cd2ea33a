"""Status callbacks: late, twice, out of order, and all true in the end."""

from __future__ import annotations

import random
import secrets
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from local.bus import is_event
from tests.e2e.conftest import Phone

PATHS = (
    ("queued", "sending", "sent", "delivered"),
    ("queued", "sending", "sent", "undelivered"),
    ("accepted", "queued", "failed"),
    ("queued", "sent", "delivered", "read"),
)


@pytest.mark.timeout(300)
def test_a_thousand_callbacks_in_random_order_end_in_the_truth_and_announce_each_change_once(phone: Phone) -> None:
    shuffle = random.Random(20261122)
    truth = {f"SM{secrets.token_hex(16)}": shuffle.choice(PATHS) for _ in range(170)}
    callbacks = [(sid, status) for sid, path in truth.items() for status in path]
    callbacks += shuffle.choices(callbacks, k=1000 - len(callbacks))
    shuffle.shuffle(callbacks)
    assert len(callbacks) == 1000

    def call_back(callback: tuple[str, str]) -> int:
        sid, status = callback
        fields = {"MessageSid": sid, "MessageStatus": status, "AccountSid": phone.stack.account.account_sid}
        fields |= {"From": phone.ours, "To": "+15555550111"}
        if status in ("undelivered", "failed"):
            fields["ErrorCode"] = "30003"
        return phone.post("status", fields).status

    with ThreadPoolExecutor(8) as eight:
        statuses = list(eight.map(call_back, callbacks))

    assert set(statuses) == {204}
    for sid, path in truth.items():
        item = phone.item(f"message|{sid}", "MESSAGE")
        assert item
        assert item["status"]["S"] == path[-1]
    for sid, path in truth.items():
        last = "SMS_FAILED" if path[-1] in ("undelivered", "failed") else "SMS_STATUS_CHANGED"
        phone.bus.wait_for(is_event(last, message_sid=sid, status=path[-1]), timeout=60)
    ids = [event["detail"]["event_id"] for event in phone.bus.events if event["detail"].get("message_sid") in truth]
    assert len(ids) == len(set(ids))


def test_callbacks_that_overtake_twilios_own_answer_are_kept(phone: Phone) -> None:
    person = phone.person()
    phone.twilio.faults.add("late_response")

    result = phone.stack.invoke("send-sms", {"to": person, "body": "quick"})

    assert phone.history(person)["messages"][0]["status"] == "delivered"
    phone.bus.wait_for(is_event("SMS_SENT", message_sid=result["messages"][0]["message_sid"]))


def test_a_failure_says_why_and_what_to_do_and_is_no_turn_of_the_conversation(phone: Phone) -> None:
    person = phone.person()
    phone.twilio.faults.add("undelivered", error_code=30034)

    phone.stack.invoke("send-sms", {"to": person, "body": "unregistered"})

    failed = phone.bus.wait_for(is_event("SMS_FAILED", to=person))["detail"]
    assert failed["error_code"] == 30034
    assert failed["error_class"] == "configuration"
    assert "A2P 10DLC" in failed["remedy"]
    assert not [
        event for event in phone.bus.of("SMS_STATUS_CHANGED", to=person) if event["detail"]["status"] == failed["status"]
    ]
    history = phone.history(person)
    assert "not delivered, error 30034" in history["text"]
    assert history["turns"] == []


def test_shuffled_and_doubled_callbacks_of_a_real_send_end_in_delivered(phone: Phone) -> None:
    person = phone.person()
    phone.twilio.faults.add("shuffle_status")
    phone.twilio.faults.add("duplicate_status", times=3)

    phone.stack.invoke("send-sms", {"to": person, "body": "shuffled"})
    phone.twilio.settle(20)
    time.sleep(0.5)

    assert phone.history(person)["messages"][0]["status"] == "delivered"
    phone.bus.wait_for(is_event("SMS_STATUS_CHANGED", to=person, status="delivered"))


@pytest.mark.parametrize(
    ("fields", "says"),
    [({"MessageStatus": ""}, "MessageStatus is missing"), ({"ErrorCode": "lots"}, "ErrorCode is 'lots'")],
)
def test_a_callback_that_makes_no_sense_is_refused(phone: Phone, fields: dict[str, str], says: str) -> None:
    form = phone.fields(MessageStatus="sent") | fields

    answer = phone.post("status", form)

    assert answer.status == 400
    assert says in answer.body
