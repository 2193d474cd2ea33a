"""Handlers as `functions/` builds them, over moto: what only fits together once everything is plugged in."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import boto3
import pytest

from tests.unit.fakes import LambdaContext
from tests.unit.test_http import request
from tests.unit.test_twilio_signature import Fields, sign
from twilio_plugin.adapters.secrets import Credentials, TwilioSecret
from twilio_plugin.errors import InvalidRequest, Misconfigured, StorageUnavailable
from twilio_plugin.runtime.wiring import parts, texts, upkeep

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PUBLIC = "https://example.com/webhooks/twilio"
OURS, THEIRS = "+14155550100", "+14155550123"
TEXT = {"AccountSid": "AC1", "Body": "Hello", "From": THEIRS, "MessageSid": "SM1", "NumMedia": "0", "To": OURS}
STATUS = {"AccountSid": "AC1", "From": OURS, "MessageSid": "SM2", "MessageStatus": "delivered", "To": THEIRS}


@dataclass
class Stack:
    """A stack's tables, bus and secret."""

    dynamodb: DynamoDBClient
    conversations: str
    outbox: str
    secret: str

    def rotate(self, *tokens: str) -> None:
        """The newest token first."""
        fields = dict(zip(("auth_token", "previous_auth_token"), tokens, strict=False))
        boto3.client("secretsmanager").put_secret_value(SecretId=self.secret, SecretString=json.dumps(fields))

    def outbox_rows(self) -> list[Any]:
        return list(self.dynamodb.scan(TableName=self.outbox)["Items"])


@pytest.fixture
def stack(dynamodb: DynamoDBClient, new_table: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    stack = Stack(dynamodb, new_table("ConversationsTable"), new_table("OutboxTable"), "")
    stack.secret = f"twilio-{stack.outbox}"
    bus = f"phone-{stack.outbox[-16:]}"
    boto3.client("secretsmanager").create_secret(Name=stack.secret, SecretString='{"auth_token": "first"}')
    boto3.client("events").create_event_bus(Name=bus)
    for name, value in {
        "CALLS_TABLE": new_table("CallsTable"),
        "CONVERSATIONS_TABLE": stack.conversations,
        "EVENT_BUS_NAME": bus,
        "OUTBOX_TABLE": stack.outbox,
        "PHONE_DEFAULT_REGION": "US",
        "RETENTION_DAYS": "365",
        "TWILIO_ACCOUNT_SID": "AC1",
        "TWILIO_API_BASE_URL": "http://127.0.0.1:9",
        "TWILIO_PHONE_NUMBER": OURS,
        "TWILIO_SECRET": stack.secret,
        "TWILIO_WEBHOOK_URL": PUBLIC,
    }.items():
        monkeypatch.setenv(name, value)
    parts.dynamodb.cache_clear()
    yield stack
    parts.dynamodb.cache_clear()


def webhook(fields: dict[str, str], *, path: str = "/sms", query: str = "", token: str = "first") -> dict[str, Any]:
    url = f"{PUBLIC}{path}" + (f"?{query}" if query else "")
    signature = sign(url, Fields(fields.items()), token)
    return request(urlencode(fields), signature, path=f"/webhooks/twilio{path}", query=query)


def test_a_text_goes_from_the_webhook_to_the_bus_and_into_the_history(stack: Stack, context: LambdaContext) -> None:
    sms_webhook, event_relay, history = texts.sms_webhook(), upkeep.event_relay(), texts.conversation_history()

    for _ in range(2):
        answer = sms_webhook(webhook(TEXT), context)
        assert (answer["statusCode"], answer["headers"]["content-type"]) == (200, "text/xml; charset=utf-8")
        assert answer["body"].endswith("<Response/>")

    (row,) = stack.outbox_rows()
    records = [{"eventName": "INSERT", "dynamodb": {"SequenceNumber": "1", "NewImage": row}}]
    assert event_relay({"Records": records}, context) == {"batchItemFailures": []}
    assert stack.outbox_rows() == []
    assert [one["body"] for one in history({"phone_number": THEIRS}, context)["messages"]] == ["Hello"]


def test_a_status_callback_is_stored_with_the_send_its_address_names(stack: Stack, context: LambdaContext) -> None:
    answer = upkeep.status_webhook()(webhook(STATUS, path="/status", query="send=key+1&part=2"), context)

    assert answer == {"statusCode": 204}
    key = {"conversation_id": {"S": "message|SM2"}, "sk": {"S": "MESSAGE"}}
    item = stack.dynamodb.get_item(TableName=stack.conversations, Key=key)["Item"]
    assert (item["status"], item["send_id"], item["part"]) == ({"S": "delivered"}, {"S": "key 1"}, {"N": "2"})


def test_a_stranger_is_refused_and_stores_nothing(stack: Stack, context: LambdaContext) -> None:
    assert texts.sms_webhook()(webhook(TEXT, token="guessed"), context)["statusCode"] == 403
    assert stack.outbox_rows() == []


def test_a_rotated_token_is_found_at_a_second_look_and_strangers_do_not_make_us_look_all_the_time(
    stack: Stack, context: LambdaContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, reads = [1000.0], 0
    read = TwilioSecret._read

    def counted(secret: TwilioSecret) -> Credentials:
        nonlocal reads
        reads += 1
        return read(secret)

    monkeypatch.setattr("twilio_plugin.adapters.secrets.time.monotonic", lambda: now[0])
    monkeypatch.setattr(TwilioSecret, "_read", counted)
    handler = texts.sms_webhook()
    assert handler(webhook(TEXT), context)["statusCode"] == 200
    stack.rotate("second")

    assert handler(webhook(TEXT, token="second"), context)["statusCode"] == 403
    for _ in range(5):
        now[0] += 1
        assert handler(webhook(TEXT, token="guessed"), context)["statusCode"] == 403
    assert reads == 1
    now[0] += 5
    assert handler(webhook(TEXT, token="second"), context)["statusCode"] == 200
    assert reads == 2


def test_both_tokens_count_while_one_replaces_the_other(stack: Stack, context: LambdaContext) -> None:
    stack.rotate("second", "first")
    handler = texts.sms_webhook()

    assert [handler(webhook(TEXT, token=token), context)["statusCode"] for token in ("first", "second")] == [200, 200]


def test_a_secret_that_is_not_there_is_a_503_that_twilio_repeats(
    stack: Stack, context: LambdaContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWILIO_SECRET", "nowhere")

    assert texts.sms_webhook()(webhook(TEXT), context)["statusCode"] == 503


def test_the_sending_functions_hold_callers_to_their_contract(stack: Stack, context: LambdaContext) -> None:
    for handler in (texts.send_sms(), texts.send_mms()):
        with pytest.raises(InvalidRequest, match="`to`"):
            handler({}, context)


def test_reconciling_nothing_says_so(stack: Stack, context: LambdaContext) -> None:
    assert upkeep.reconcile()({}, context) == {
        "republished": 0,
        "found_sent": 0,
        "found_not_sent": 0,
        "still_unknown": 0,
        "calls": {"found_made": 0, "found_not_made": 0, "still_unknown": 0, "ended": 0},
    }


def test_trouble_with_texts_does_not_keep_calls_from_being_reconciled(
    stack: Stack, context: LambdaContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_by: object) -> None:
        raise StorageUnavailable("Twilio's message list cannot be read.")

    reconciled: list[object] = []
    monkeypatch.setattr("twilio_plugin.services.reconcile.reconcile", fail)
    monkeypatch.setattr("twilio_plugin.services.reconcile_calls.reconcile_calls", reconciled.append)

    with pytest.raises(StorageUnavailable):
        upkeep.reconcile()({}, context)

    assert len(reconciled) == 1


@pytest.mark.parametrize(
    "function",
    [texts.sms_webhook, texts.send_sms, texts.send_mms, upkeep.status_webhook, upkeep.event_relay, upkeep.reconcile],
)
def test_a_function_without_its_environment_says_what_is_missing_as_it_starts(
    monkeypatch: pytest.MonkeyPatch, function: Callable[[], object]
) -> None:
    monkeypatch.delenv("OUTBOX_TABLE", raising=False)

    with pytest.raises(Misconfigured, match="OUTBOX_TABLE"):
        function()
