from __future__ import annotations

import runpy
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.fakes import ACCOUNT, LambdaContext
from tests.unit.fakes_calls import OURS, PAIR, THEIRS, FakeCallWorld, inbound, sid
from tests.unit.test_twiml import verbs
from twilio_plugin.domain.call import call_update, other_fields
from twilio_plugin.errors import Misconfigured, StorageUnavailable, UnreadableWebhook
from twilio_plugin.runtime.http import Form, Response, twiml, webhook
from twilio_plugin.services.answer_call import answer_call

FALLBACK = Path(__file__).parents[2] / "functions" / "voice_fallback" / "app.py"
CALL = {
    "AccountSid": ACCOUNT,
    "CallSid": sid(1),
    "CallStatus": "ringing",
    "Direction": "inbound",
    "From": THEIRS,
    "To": OURS,
    "FromCity": "BERLIN",
}
GREETING = twiml("<Response><Say>Hello</Say></Response>")


@pytest.fixture
def world() -> FakeCallWorld:
    """In memory; `test_calls_contract` holds it to the tables."""
    return FakeCallWorld.new()


# ----------------------------------------------------------------------------------------------------------- the call


def test_a_call_is_kept_as_active_and_announced_with_all_that_twilio_said(world: FakeCallWorld) -> None:
    assert answer_call(inbound(1), {"FromCity": "BERLIN"}, world.calls, world.clock) is True

    assert world.active() == [sid(1)]
    (event,) = world.announced()
    assert event.pop("occurred_at")
    assert event == {
        "detail_type": "CALL_RECEIVED",
        "version": "1",
        "event_id": f"CALL_RECEIVED#{sid(1)}",
        "account_sid": ACCOUNT,
        "conversation_id": PAIR,
        "call_sid": sid(1),
        "from": THEIRS,
        "to": OURS,
        "fields": {"FromCity": "BERLIN"},
    }


def test_a_repeated_webhook_is_announced_once_and_moves_nothing(world: FakeCallWorld) -> None:
    answer_call(inbound(1), {}, world.calls, world.clock)
    before = world.calls.call(sid(1))
    world.announced()

    assert answer_call(inbound(1), {}, world.calls, world.clock) is False

    assert world.calls.call(sid(1)) == before
    assert world.announced() == []


def test_a_caller_without_a_number_is_announced_as_anonymous(world: FakeCallWorld) -> None:
    call = call_update(CALL | {"From": ""}, {})

    answer_call(call, {}, world.calls, world.clock)

    (event,) = world.announced()
    assert (event["from"], event["conversation_id"]) == ("anonymous", f"phone|{OURS}|anonymous")


def test_nothing_is_announced_that_could_not_be_stored(world: FakeCallWorld) -> None:
    world.calls.unavailable = {"add_received"}
    with pytest.raises(StorageUnavailable):
        answer_call(inbound(1), {}, world.calls, world.clock)
    assert world.announced() == []

    world.calls.unavailable = set()
    assert answer_call(inbound(1), {}, world.calls, world.clock) is True


# -------------------------------------------------------------------------------------------------- what the caller hears


def answered(
    world: FakeCallWorld, form: Mapping[str, str], *, trouble: Exception | None = None, signed: bool = True
) -> Response:
    """The voice webhook's way through HTTP."""

    def use_case(form: Form, query: Mapping[str, str]) -> None:
        answer_call(call_update(form, query), other_fields(form), world.calls, world.clock)
        if trouble:
            raise trouble

    handler = webhook(use_case, lambda *_: signed, "https://example.com/webhooks/twilio", GREETING, whatever_happens=True)
    headers = {"content-type": "application/x-www-form-urlencoded", "x-twilio-signature": "signed"}
    event: dict[str, Any] = {"headers": headers, "rawPath": "/webhooks/twilio/voice", "body": urlencode(form)}
    return handler(event, LambdaContext())


def test_a_caller_hears_the_greeting_and_a_repeated_webhook_the_same(world: FakeCallWorld) -> None:
    assert [answered(world, CALL) for _ in range(2)] == [GREETING, GREETING]

    (event,) = world.announced()
    assert event["fields"] == {"FromCity": "BERLIN"}


@pytest.mark.parametrize("trouble", [StorageUnavailable("down"), Misconfigured("no GREETING"), RuntimeError("a bug")])
def test_a_caller_hears_the_greeting_whatever_happens_to_us(world: FakeCallWorld, trouble: Exception) -> None:
    assert answered(world, CALL, trouble=trouble) == GREETING


def test_a_stranger_is_refused_whatever_happens(world: FakeCallWorld) -> None:
    assert answered(world, CALL, signed=False)["statusCode"] == 403
    assert world.announced() == []


@pytest.mark.parametrize("missing", ["CallSid", "To", "AccountSid", "CallStatus"])
def test_a_request_that_is_no_call_is_refused_by_its_missing_field(world: FakeCallWorld, missing: str) -> None:
    answer = answered(world, {name: value for name, value in CALL.items() if name != missing})

    assert answer["statusCode"] == UnreadableWebhook.status
    assert missing in answer["body"]
    assert world.announced() == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.text(min_size=1, max_size=20), st.text(max_size=50), max_size=5))
def test_whatever_else_twilio_says_the_caller_hears_the_greeting(world: FakeCallWorld, more: dict[str, str]) -> None:
    assert answered(world, more | CALL) == GREETING


def test_the_fallback_apologises_and_hangs_up_without_a_look_at_the_request() -> None:
    handler = runpy.run_path(str(FALLBACK))["lambda_handler"]

    answers = [handler(event, None) for event in ({}, None, {"body": "CallSid=CA1"})]

    assert answers[0] == answers[1] == answers[2]
    assert answers[0]["statusCode"] == 200
    assert answers[0]["headers"] == {"content-type": "text/xml; charset=utf-8"}
    (say, hangup) = verbs(answers[0]["body"])
    assert (say[0], hangup[0]) == ("Say", "Hangup")
    assert "Sorry" in say[2]
