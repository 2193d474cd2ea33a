"""Handlers as `functions/` builds them, over moto, with the guards that their environment names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.deployed import OURS, THEIRS, Stack, guards, webhook
from tests.unit.fakes import LambdaContext
from tests.unit.http_server import Answer
from tests.unit.test_twiml import verbs
from twilio_plugin.errors import CeilingReached, Misconfigured, RecipientNotAllowed, TwilioRejected
from twilio_plugin.runtime.wiring import agent, bridge, calls, streams, texts, upkeep

TEXT = {"AccountSid": "AC1", "Body": "Hello", "From": THEIRS, "MessageSid": "SM1", "NumMedia": "0", "To": OURS}
CALL = {"AccountSid": "AC1", "CallSid": "CA1", "CallStatus": "ringing", "Direction": "inbound", "From": THEIRS, "To": OURS}
JAMAICAN = "+18765551234"

Limit = Callable[..., None]


@pytest.fixture
def limit(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Limit:
    """Set the stack's limits."""
    return lambda **limits: monkeypatch.setenv("GUARDS", guards(**limits))


def types(stack: Stack) -> list[str]:
    return [detail_type for detail_type, _ in stack.announced()]


def used(stack: Stack) -> int:
    items = stack.dynamodb.scan(TableName=stack.conversations)["Items"]
    return sum(int(item["used"]["N"]) for item in items if "used" in item)


def test_a_sender_over_the_ceiling_is_kept_and_not_announced(stack: Stack, context: LambdaContext, limit: Limit) -> None:
    limit(inbound_texts_per_sender_per_hour=1)
    handler = texts.sms_webhook()

    for number in (1, 2, 2, 3):
        assert handler(webhook(TEXT | {"MessageSid": f"SM{number}"}), context)["statusCode"] == 200

    assert types(stack) == ["GUARD_REFUSED", "SMS_RECEIVED"]
    history = texts.conversation_history()({"phone_number": THEIRS}, context)
    assert len(history["messages"]) == 3


def test_a_caller_who_is_not_listed_is_rejected_and_one_who_is_gets_a_line(
    stack: Stack, context: LambdaContext, limit: Limit
) -> None:
    limit(inbound_allow_list=THEIRS)
    handler = calls.voice_webhook()

    documents = [handler(webhook(CALL | {"From": who}, path="/voice"), context)["body"] for who in (THEIRS, "+14155550177")]

    assert [[verb[0] for verb in verbs(one)] for one in documents] == [["Say", "Connect", "Redirect"], ["Reject"]]
    assert types(stack) == ["CALL_RECEIVED", "GUARD_REFUSED"]


def test_a_call_holds_minutes_from_its_answer_to_its_end(stack: Stack, context: LambdaContext, limit: Limit) -> None:
    limit(call_minutes_per_day=10, max_call_seconds=600)
    ended = CALL | {"CallStatus": "completed", "CallDuration": "61"}

    calls.voice_webhook()(webhook(CALL, path="/voice"), context)
    assert used(stack) == 10
    for _ in range(2):
        assert upkeep.status_webhook()(webhook(ended, path="/status"), context)["statusCode"] == 204

    assert used(stack) == 2


def test_what_goes_abroad_is_refused_by_every_function_that_sends_or_calls(
    stack: Stack, context: LambdaContext, limit: Limit
) -> None:
    limit()
    call_sid = "CA" + "0" * 32
    for handler, payload in (
        (texts.send_sms(), {"to": JAMAICAN, "body": "Hello"}),
        (texts.send_mms(), {"to": JAMAICAN, "media_url": ["https://example.com/a.png"]}),
        (calls.make_call(), {"to": JAMAICAN, "say": "Hello"}),
        (calls.control_call(), {"call_sid": call_sid, "action": "transfer", "to": JAMAICAN}),
    ):
        with pytest.raises(RecipientNotAllowed):
            handler(payload, context)

    ran = agent.run_action()({"action": "SEND_SMS", "input": {"to": JAMAICAN, "body": "Hello"}}, context)
    assert (ran["valid"], "AllowedCountries" in ran["reason"]) == (False, True)
    assert types(stack) == ["GUARD_REFUSED"]


def test_the_ceiling_is_one_for_all_functions_and_what_twilio_did_not_take_is_given_back(
    stack: Stack, context: LambdaContext, limit: Limit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWILIO_API_BASE_URL", stack.aws.url)
    stack.aws.script = [Answer(400, '{"code": 21211, "status": 400, "message": "no such number"}')]
    limit(texts_per_day=1)

    with pytest.raises(TwilioRejected):
        texts.send_sms()({"to": THEIRS, "body": "Hello", "idempotency_key": "1"}, context)
    assert used(stack) == 0

    stack.dynamodb.update_item(
        TableName=stack.conversations,
        Key=next({name: item[name] for name in ("conversation_id", "sk")} for item in counters(stack)),
        UpdateExpression="SET used = :one",
        ExpressionAttributeValues={":one": {"N": "1"}},
    )
    with pytest.raises(CeilingReached, match="TextsPerDay is 1"):
        texts.send_mms()({"to": THEIRS, "media_url": ["https://example.com/a.png"], "idempotency_key": "2"}, context)


def counters(stack: Stack) -> list[Any]:
    return [item for item in stack.dynamodb.scan(TableName=stack.conversations)["Items"] if "used" in item]


def test_webhooks_from_elsewhere_are_refused_where_sources_are_listed(
    stack: Stack, context: LambdaContext, limit: Limit
) -> None:
    limit(source_cidrs="203.0.113.0/24")
    for handler, event in (
        (texts.sms_webhook(), webhook(TEXT)),
        (calls.voice_webhook(), webhook(CALL, path="/voice")),
        (upkeep.status_webhook(), webhook(CALL | {"CallStatus": "completed"}, path="/status")),
    ):
        assert handler(event, context)["statusCode"] == 403
        event["requestContext"]["http"]["sourceIp"] = "203.0.113.9"
        assert handler(event, context)["statusCode"] in (200, 204)


@pytest.mark.parametrize(
    "function",
    [
        *(texts.sms_webhook, texts.send_sms, calls.voice_webhook, calls.make_call, calls.control_call),
        *(upkeep.status_webhook, upkeep.reconcile, streams.stream_authorizer, agent.run_action, bridge.bridge),
    ],
)
def test_limits_that_cannot_be_read_keep_a_function_from_starting(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, function: Callable[[], object]
) -> None:
    monkeypatch.setenv("GUARDS", guards(source_cidrs="nonsense"))

    with pytest.raises(Misconfigured, match="GUARDS"):
        function()


def test_a_country_that_there_is_not_keeps_what_sends_from_starting(limit: Limit) -> None:
    limit(allowed_countries="UK")

    for function in (texts.send_sms, calls.make_call, calls.control_call, agent.run_action, bridge.bridge):
        with pytest.raises(Misconfigured, match="AllowedCountries has UK"):
            function()
