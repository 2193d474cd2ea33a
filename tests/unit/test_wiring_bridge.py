"""The bridge as `functions/` builds it, over moto: from the bus through the queue to the agent and to Twilio."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest

from tests.unit.deployed import THEIRS, Stack, webhook
from tests.unit.fakes import LambdaContext
from tests.unit.http_server import Answer
from tests.unit.test_wiring import TEXT
from tests.unit.test_wiring_calls import CALL, STREAM, Phone
from twilio_plugin.runtime.wiring import bridge, texts

SENT = {"sid": "SM9", "account_sid": "AC1", "status": "queued", "error_code": None}


def text_arrives(stack: Stack, context: LambdaContext) -> None:
    """By Twilio's webhook, and from the bus into the queue."""
    texts.sms_webhook()(webhook(TEXT), context)
    ((detail_type, detail),) = stack.announced()
    assert detail_type == "SMS_RECEIVED"
    bridge.bridge_queue()({"detail-type": detail_type, "detail": detail}, context)


def from_queue(stack: Stack) -> dict[str, Any]:
    """What Lambda makes of the next message."""
    (message,) = boto3.client("sqs").receive_message(QueueUrl=stack.queue_url, MessageSystemAttributeNames=["All"])["Messages"]
    record = {"messageId": message["MessageId"], "receiptHandle": message["ReceiptHandle"], "body": message["Body"]}
    return {"Records": [record | {"attributes": message["Attributes"], "eventSource": "aws:sqs"}]}


def test_a_text_goes_through_the_queue_to_the_agent_and_its_reply_to_twilio(
    stack: Stack, context: LambdaContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWILIO_API_BASE_URL", stack.aws.url)
    text_arrives(stack, context)
    stack.aws.script = [Answer(200, '{"reply": "Yes."}'), Answer(201, json.dumps(SENT))]

    assert bridge.bridge()(from_queue(stack), context) == {"batchItemFailures": []}

    invoked, sent = stack.aws.asked
    assert json.loads(invoked.body)["input"]["text"] == "Hello"
    assert (sent.form["To"], sent.form["Body"]) == ([THEIRS], ["Yes."])
    ((detail_type, detail),) = stack.announced()
    assert (detail_type, detail["send_id"]) == ("SMS_SENT", "SMS_RECEIVED#SM1")
    assert {"TURN"} < set(stack.kept(stack.conversations))


def test_what_waits_in_the_queue_says_nothing_of_the_text(stack: Stack, context: LambdaContext) -> None:
    text_arrives(stack, context)

    assert "Hello" not in json.dumps(from_queue(stack))


def test_an_agent_that_answers_nonsense_is_asked_again(stack: Stack, context: LambdaContext) -> None:
    text_arrives(stack, context)
    stack.aws.script = [Answer(200, '"Yes."')]
    event = from_queue(stack)

    assert bridge.bridge()(event, context) == {"batchItemFailures": [{"itemIdentifier": event["Records"][0]["messageId"]}]}
    assert stack.announced() == []

    event["Records"][0]["attributes"]["ApproximateReceiveCount"] = "4"
    bridge.bridge()(event, context)
    ((detail_type, detail),) = stack.announced()
    assert (detail_type, detail["error_type"], detail["attempts"]) == ("AGENT_FAILED", "InvalidAnswer", 4)


def test_a_spoken_turn_goes_to_the_agent_and_its_reply_to_the_socket(stack: Stack, context: LambdaContext) -> None:
    phone = Phone(stack, context)
    phone.call()
    detail = {
        "event_id": f"SPEECH_RECEIVED#{STREAM}#1",
        "account_sid": "AC1",
        "conversation_id": f"phone|+14155550100|{THEIRS}",
        "call_sid": CALL,
        "stream_sid": STREAM,
        "direction": "inbound",
        "from": THEIRS,
        "to": "+14155550100",
        "turn": 1,
        "text": "Hello?",
    }
    stack.aws.asked = []
    stack.aws.script = [Answer(200, '{"reply": "Good morning!"}'), Answer(200, "{}")]

    bridge.bridge()({"detail-type": "SPEECH_RECEIVED", "detail": detail}, context)

    asked = stack.aws.asked[0]
    assert json.loads(asked.body)["call"] == {"call_sid": CALL, "stream_sid": STREAM, "direction": "inbound"}
    assert [message["event"] for _, _, message in stack.sent()][:2] == ["media", "mark"]
