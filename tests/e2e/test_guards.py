"""The guards on the deployed stack, whose ceiling for one recipient is ten texts a day (see conftest)."""

from __future__ import annotations

import importlib.util
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import pytest

from local.bus import is_event
from local.engine import CREDENTIALS, ROOT
from local.stack import InvocationFailed
from tests.e2e.conftest import TEXTS_PER_RECIPIENT, Phone
from tests.e2e.test_handlers_in_process import Context, deployed_environment
from twilio_plugin.errors import CeilingReached
from twilio_plugin.runtime.wiring import parts

ABROAD = "+18765551234"  # Jamaica, which looks domestic in the US


def outcome_of(send: Callable[[], object]) -> str:
    """``sent``, or the error's name."""
    try:
        send()
    except InvocationFailed as failure:
        return failure.error_type
    except CeilingReached:
        return "CeilingReached"
    return "sent"


@pytest.fixture
def handler(phone: Phone, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Any, Any], Any]]:
    """`send_sms` in this process, with the deployed stack's tables and Twilio behind it: a hundred Lambdas do not fit here."""
    environment = deployed_environment(phone) | CREDENTIALS | {"AWS_ENDPOINT_URL": phone.stack.engine.url}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    parts.dynamodb.cache_clear()
    spec = importlib.util.spec_from_file_location("app_send_sms", ROOT / "functions/send_sms/app.py")
    assert spec
    assert spec.loader
    app = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(app)
    yield app.lambda_handler
    parts.dynamodb.cache_clear()


def refusals(phone: Phone, person: str) -> list[dict[str, Any]]:
    """What the bus has told of somebody who was not reached, once nothing more comes."""
    phone.bus.wait_for(is_event("GUARD_REFUSED", to=person))
    while phone.bus.listen(seconds=1):
        pass
    return [one["detail"] for one in phone.bus.of("GUARD_REFUSED", to=person)]


def test_a_hundred_sends_at_once_do_not_pass_a_ceiling_of_ten(phone: Phone, handler: Callable[[Any, Any], Any]) -> None:
    person = phone.person()
    handler({"to": phone.person(), "body": "Is this on?"}, Context())

    def send(number: int) -> str:
        payload = {"to": person, "body": f"text {number}", "idempotency_key": f"{person}-{number}"}
        return outcome_of(lambda: handler(payload, Context()))

    with ThreadPoolExecutor(100) as hundred:
        outcomes = Counter(hundred.map(send, range(100)))

    assert TEXTS_PER_RECIPIENT == 10
    assert outcomes == {"sent": 10, "CeilingReached": 90}
    phone.twilio.settle(30)
    assert len(phone.twilio.texts_to(person)) == 10
    (refused,) = refusals(phone, person)
    assert (refused["guard"], refused["limit"]) == ("texts_per_recipient_per_day", "10")
    assert refused["opens_at"].endswith("T00:00:00.000Z")


def test_lambdas_beside_each_other_share_the_ceiling_and_a_repeated_key_counts_once(phone: Phone) -> None:
    person = phone.person()

    def send(number: int) -> str:
        key = f"{person}-{number}"
        return outcome_of(lambda: phone.stack.invoke("send-sms", {"to": person, "body": "again", "idempotency_key": key}))

    assert [send(0) for _ in range(3)] == ["sent"] * 3
    with ThreadPoolExecutor(5) as five:
        outcomes = Counter(five.map(send, range(1, 15)))

    assert outcomes == {"sent": 9, "CeilingReached": 5}
    assert [send(0), send(99)] == ["sent", "CeilingReached"]
    phone.twilio.settle(30)
    assert len(phone.twilio.texts_to(person)) == 10


def test_nothing_goes_abroad_by_text_call_or_transfer_and_it_is_told_once(phone: Phone) -> None:
    asked: list[tuple[str, dict[str, str]]] = [
        ("send-sms", {"to": ABROAD, "body": "Hello"}),
        ("send-sms", {"to": ABROAD, "body": "Hello"}),
        ("make-call", {"to": ABROAD, "say": "Hello"}),
        ("control-call", {"call_sid": "CA" + "0" * 32, "action": "transfer", "to": ABROAD}),
    ]

    def refusal(function: str, payload: dict[str, str]) -> str:
        return outcome_of(lambda: phone.stack.invoke(function, payload))

    assert [refusal(*one) for one in asked] == ["RecipientNotAllowed"] * 4

    ran = phone.stack.invoke("run-action", {"input": f"Text {ABROAD}: Hello"})
    assert (ran["valid"], "AllowedCountries" in ran["reason"]) == (False, True)
    (refused,) = refusals(phone, ABROAD)
    assert (refused["guard"], refused["limit"], refused["parameter"]) == ("allowed_countries", "US", "AllowedCountries")
    assert phone.twilio.texts_to(ABROAD) == []


def test_twilio_hangs_up_a_persons_call_when_its_time_is_over(phone: Phone) -> None:
    caller = phone.twilio.call_in(phone.person())
    assert caller.hears(30) == "Hello. One moment, please."
    wait_for(lambda: ("api", "time limit 3600") in [(who, what) for _, who, what in caller.log])
    assert "over" not in held_by(phone, caller.sid)

    answer = phone.stack.invoke("control-call", {"call_sid": caller.sid, "action": "limit", "time_limit": 5})
    assert answer == {"call_sid": caller.sid, "status": "in-progress"}
    caller.wait_until_ended(10)

    ended = phone.bus.wait_for(is_event("CALL_ENDED", call_sid=caller.sid))["detail"]
    assert (ended["status"], ended["direction"]) == ("completed", "inbound")
    wait_for(lambda: "over" in held_by(phone, caller.sid))  # it has given its minutes back


def held_by(phone: Phone, call_sid: str) -> dict[str, Any]:
    """The minutes that a call holds, or has held."""
    item = phone.item(f"guard|call|{call_sid}", "HELD")
    assert item
    return item


def wait_for(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Until it holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
