"""A queue's entry: what failed comes back soon, later each time, and in the end is put aside."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from tests.unit.fakes import LambdaContext
from tests.unit.fakes_calls import OURS, PAIR, THEIRS
from twilio_plugin.adapters.text_queue import SqsTextQueue, read
from twilio_plugin.domain.inbound_turn import TextTurn, text_turn
from twilio_plugin.errors import StorageUnavailable
from twilio_plugin.runtime.bus import subscriber
from twilio_plugin.runtime.queue import consumer
from twilio_plugin.services.answer_text import TryAgain

TURN = TextTurn(
    event_id="SMS_RECEIVED#SM1",
    account_sid="AC1",
    conversation_id=PAIR,
    channel="phone",
    person=THEIRS,
    ours=OURS,
    message_sid="SM1",
)


@dataclass
class Queue:
    """A consumer and what it did with its messages."""

    raises: Exception | None = None
    handled: list[tuple[str, int]] = field(default_factory=list)
    put_back: list[tuple[str, int]] = field(default_factory=list)
    is_down: bool = False

    def use_case(self, message: str, attempt: int) -> str:
        self.handled.append((message, attempt))
        if self.raises:
            raise self.raises
        return "replied"

    def retry_in(self, receipt_handle: str, seconds: int) -> None:
        self.put_back.append((receipt_handle, seconds))
        if self.is_down:
            raise StorageUnavailable("SQS is down.")

    def run(self, context: LambdaContext, attempt: int = 1) -> Any:
        record = {
            "messageId": "message 1",
            "receiptHandle": "handle 1",
            "body": "hello",
            "attributes": {"ApproximateReceiveCount": str(attempt)},
        }
        return consumer(str.upper, self.use_case, self.retry_in, attempts=4)({"Records": [record]}, context)


def test_a_message_that_is_done_is_gone(context: LambdaContext) -> None:
    queue = Queue()

    assert queue.run(context, 3) == {"batchItemFailures": []}
    assert queue.handled == [("HELLO", 3)]
    assert queue.put_back == []


@pytest.mark.parametrize("trouble", [TryAgain("ValueError"), StorageUnavailable("down")])
def test_a_message_that_failed_comes_back_soon_and_later_each_time(context: LambdaContext, trouble: Exception) -> None:
    queue = Queue(trouble)

    for attempt in (1, 2, 3, 4):
        assert queue.run(context, attempt) == {"batchItemFailures": [{"itemIdentifier": "message 1"}]}

    assert queue.put_back == [("handle 1", 2), ("handle 1", 4), ("handle 1", 8), ("handle 1", 0)]


def test_a_mistake_of_ours_comes_back_soon_too_and_is_seen(context: LambdaContext) -> None:
    queue = Queue(KeyError("a mistake"))

    with pytest.raises(KeyError):
        queue.run(context)
    assert queue.put_back == [("handle 1", 2)]


def test_a_queue_that_cannot_be_told_returns_it_in_its_own_time(context: LambdaContext) -> None:
    queue = Queue(TryAgain("ValueError"), is_down=True)

    assert queue.run(context) == {"batchItemFailures": [{"itemIdentifier": "message 1"}]}


def test_the_log_says_why_and_nothing_of_what_was_said(context: LambdaContext, log: io.StringIO) -> None:
    Queue(TryAgain("ValueError")).run(context)
    Queue().run(context)

    assert "ValueError" in log.getvalue()
    assert "replied" in log.getvalue()
    assert "hello" not in log.getvalue().lower()


def test_an_event_is_handled_by_its_detail(context: LambdaContext, log: io.StringIO) -> None:
    handled: list[Any] = []

    def use_case(detail: Any) -> str:
        handled.append(detail)
        return "queued"

    subscriber(use_case)({"detail-type": "SMS_RECEIVED", "detail": {"event_id": "SMS_RECEIVED#SM1", "body": "secret"}}, context)

    assert handled[0]["body"] == "secret"
    assert json.loads(log.getvalue())["outcome"] == "queued"
    assert "secret" not in log.getvalue()


def test_texts_of_a_conversation_are_one_group_and_a_text_that_comes_twice_is_one() -> None:
    client = boto3.client("sqs")
    queue, groups = SqsTextQueue(client, "https://sqs/queue.fifo"), []
    with Stubber(client) as stub:

        def keep(params: Any, **_: Any) -> None:
            groups.append(params)

        client.meta.events.register("provide-client-params.sqs.SendMessage", keep)
        for _ in range(3):
            stub.add_response("send_message", {"MessageId": "1", "MD5OfMessageBody": ""})
        queue.put(TURN)
        queue.put(text_turn(_detail(event_id="SMS_RECEIVED#SM2")))
        queue.put(text_turn(_detail(event_id="SMS_RECEIVED#SM3", conversation_id="phone|+1|+2")))

    first, second, other = groups
    assert first["MessageGroupId"] == second["MessageGroupId"] != other["MessageGroupId"]
    assert [one["MessageDeduplicationId"] for one in groups] == [f"SMS_RECEIVED#SM{number}" for number in (1, 2, 3)]
    assert THEIRS not in first["MessageGroupId"]
    assert "DelaySeconds" not in first, "refused for a queue of this kind"
    assert read(first["MessageBody"]) == TURN


def test_a_queue_that_takes_nothing_is_reported() -> None:
    client = boto3.client("sqs")
    with Stubber(client) as stub:
        stub.add_client_error("send_message", "QueueDoesNotExist")
        stub.add_client_error("change_message_visibility", "MessageNotInflight")

        with pytest.raises(StorageUnavailable):
            SqsTextQueue(client, "https://sqs/queue.fifo").put(TURN)
        with pytest.raises(StorageUnavailable):
            SqsTextQueue(client, "https://sqs/queue.fifo").retry_in("handle", 2)


def _detail(**changed: str) -> dict[str, Any]:
    return {
        "event_id": "SMS_RECEIVED#SM1",
        "account_sid": "AC1",
        "conversation_id": PAIR,
        "channel": "phone",
        "message_sid": "SM1",
        "from": THEIRS,
        "to": OURS,
    } | changed
