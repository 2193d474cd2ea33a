"""Handlers as `functions/` builds them, over moto: what only fits together once everything is plugged in."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.unit.deployed import OURS, THEIRS, Stack, webhook
from tests.unit.fakes import LambdaContext
from twilio_plugin.adapters.secrets import LOOKS, SECONDS_PER_LOOK, SigningSecret
from twilio_plugin.errors import InvalidRequest, Misconfigured, StorageUnavailable
from twilio_plugin.runtime.wiring import bridge, calls, streams, texts, upkeep

TEXT = {"AccountSid": "AC1", "Body": "Hello", "From": THEIRS, "MessageSid": "SM1", "NumMedia": "0", "To": OURS}
STATUS = {"AccountSid": "AC1", "From": OURS, "MessageSid": "SM2", "MessageStatus": "delivered", "To": THEIRS}


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


@pytest.fixture
def monotonic(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time that has passed, as the secret counts it."""
    now = [1000.0]
    monkeypatch.setattr("twilio_plugin.adapters.secrets.time.monotonic", lambda: now[0])
    return now


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """One for every time that the signing secret was read."""
    noted: list[None] = []
    read = SigningSecret._content

    def counted(secret: SigningSecret) -> tuple[str, ...]:
        noted.append(None)
        return read(secret)

    monkeypatch.setattr(SigningSecret, "_content", counted)
    return noted


def test_a_token_that_was_replaced_a_moment_ago_counts_at_once_and_so_does_the_old_one(
    stack: Stack, context: LambdaContext, monotonic: list[float], reads: list[None]
) -> None:
    handler = texts.sms_webhook()
    assert handler(webhook(TEXT), context)["statusCode"] == 200
    stack.rotate("second")

    answers = [handler(webhook(TEXT, token=token), context)["statusCode"] for token in ("second", "first", "second")]

    assert answers == [200, 200, 200]
    assert len(reads) == 2


def test_strangers_are_refused_and_do_not_make_us_look_all_the_time(
    stack: Stack, context: LambdaContext, monotonic: list[float], reads: list[None]
) -> None:
    handler = texts.sms_webhook()
    answers = [handler(webhook(TEXT, token="guessed"), context)["statusCode"] for _ in range(100)]

    assert answers[:LOOKS] == [403] * LOOKS
    assert set(answers[LOOKS:]) == {503}, "we do not know; Twilio tries again"
    assert len(reads) == 1 + LOOKS
    assert handler(webhook(TEXT), context)["statusCode"] == 200, "who has the token is not kept waiting"
    monotonic[0] += 60 * SECONDS_PER_LOOK
    assert [handler(webhook(TEXT, token="guessed"), context)["statusCode"] for _ in range(100)].count(403) == LOOKS
    assert stack.outbox_rows()


@pytest.mark.parametrize("spoiled", [{"signature": "forged"}, {"signature": "A" * 28}, {"body": "Body=%FF"}])
def test_what_no_token_could_have_signed_is_refused_without_a_look(
    stack: Stack, context: LambdaContext, reads: list[None], spoiled: dict[str, str]
) -> None:
    handler, event = texts.sms_webhook(), webhook(TEXT)
    event["headers"]["x-twilio-signature"] = spoiled.get("signature", event["headers"]["x-twilio-signature"])
    event["body"], event["isBase64Encoded"] = (
        spoiled.get("body", event["body"]),
        "body" not in spoiled and event["isBase64Encoded"],
    )

    assert [handler(event, context)["statusCode"] for _ in range(20)] == [403] * 20
    assert reads == []


def test_what_cannot_be_told_from_a_forgery_right_now_is_taken_as_soon_as_it_can(
    stack: Stack, context: LambdaContext, monotonic: list[float]
) -> None:
    handler = texts.sms_webhook()
    for _ in range(1 + LOOKS):
        handler(webhook(TEXT, token="guessed"), context)
    stack.rotate("second")

    assert handler(webhook(TEXT, token="second"), context)["statusCode"] == 503
    monotonic[0] += SECONDS_PER_LOOK
    assert handler(webhook(TEXT, token="second"), context)["statusCode"] == 200


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
        "streams_ended": 0,
        "transcriptions": {"turns": 0, "ended": 0},
    }


@pytest.mark.parametrize(
    "trouble", ["reconcile.reconcile", "reconcile_calls.reconcile_calls", "reconcile_streams.reconcile_streams"]
)
def test_trouble_with_the_one_does_not_keep_the_others_from_being_reconciled(
    stack: Stack, context: LambdaContext, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    reconciled: list[str] = []

    def note(run: str) -> Callable[[object], None]:
        def reconcile(_by: object) -> None:
            reconciled.append(run)
            if run == trouble:
                raise StorageUnavailable("Twilio's list cannot be read.")

        return reconcile

    runs = ["reconcile.reconcile", "reconcile_calls.reconcile_calls", "reconcile_streams.reconcile_streams"]
    runs.append("reconcile_transcriptions.reconcile_transcriptions")
    for run in runs:
        monkeypatch.setattr(f"twilio_plugin.services.{run}", note(run))

    with pytest.raises(StorageUnavailable):
        upkeep.reconcile()({}, context)

    assert reconciled == runs


@pytest.mark.parametrize(
    ("function", "variable"),
    [
        (texts.sms_webhook, "OUTBOX_TABLE"),
        (texts.send_sms, "OUTBOX_TABLE"),
        (texts.send_mms, "OUTBOX_TABLE"),
        (texts.conversation_history, "CONVERSATIONS_TABLE"),
        (upkeep.status_webhook, "MEDIA_FRAMES_TABLE"),
        (upkeep.event_relay, "OUTBOX_TABLE"),
        (upkeep.reconcile, "MEDIA_FRAMES_TABLE"),
        (calls.voice_webhook, "TWILIO_WEBSOCKET_URL"),
        (calls.make_call, "CALLS_TABLE"),
        (calls.control_call, "CALLS_TABLE"),
        (calls.call_state, "CALLS_TABLE"),
        (streams.stream_authorizer, "TWILIO_WEBSOCKET_URL"),
        (streams.frame_ingest, "MEDIA_FRAMES_TABLE"),
        (streams.media_stream, "WEBSOCKET_MANAGEMENT_URL"),
        (streams.say, "SYNTHESIZER"),
        (bridge.bridge_queue, "AGENT_QUEUE_URL"),
        (bridge.bridge, "AGENT_FUNCTION"),
    ],
)
def test_a_function_without_its_environment_says_what_is_missing_as_it_starts(
    monkeypatch: pytest.MonkeyPatch, function: Callable[[], object], variable: str
) -> None:
    monkeypatch.delenv(variable, raising=False)

    with pytest.raises(Misconfigured, match=variable):
        function()
