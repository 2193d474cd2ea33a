from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.fakes import END_OF_TIME, FakeBus, LambdaContext
from twilio_plugin.adapters.dynamodb import DynamoDB
from twilio_plugin.adapters.outbox import OutboxTable, from_stream
from twilio_plugin.domain.events import SmsStatusChanged
from twilio_plugin.errors import StorageUnavailable
from twilio_plugin.runtime.stream import relay
from twilio_plugin.services.relay_events import relay_events

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@pytest.fixture
def outbox(dynamodb: DynamoDBClient, new_table: Callable[[str], str]) -> OutboxTable:
    return OutboxTable(DynamoDB(dynamodb), new_table("OutboxTable"))


def row(outbox: OutboxTable, number: int) -> Any:
    return outbox.put(
        SmsStatusChanged(
            event_id=f"event {number}",
            occurred_at=f"2026-11-22T08:00:0{number}.000Z",
            account_sid="AC1",
            conversation_id="phone|+14155550100|+14155550123",
            message_sid="SM1",
            channel="phone",
            from_="+14155550100",
            to="+14155550123",
            status="sent",
        )
    )["Put"]


def record(item: Any, sequence: str, name: str = "INSERT") -> Any:
    images = {"OldImage": item} if name == "REMOVE" else {"NewImage": item}
    return {"eventName": name, "dynamodb": {"SequenceNumber": sequence, **images}}


def test_the_relay_publishes_in_order_deletes_and_names_exactly_what_failed(
    outbox: OutboxTable, dynamodb: DynamoDBClient, context: LambdaContext
) -> None:
    rows = [row(outbox, number) for number in range(5)]
    for put in rows:
        dynamodb.put_item(**put)
    bus = FakeBus()
    bus.refuses = {"event 1", "event 3"}
    handler = relay(from_stream, lambda announcements: relay_events(announcements, bus, outbox))

    answer = handler({"Records": [record(put["Item"], f"10{number}") for number, put in enumerate(rows)]}, context)

    assert answer == {"batchItemFailures": [{"itemIdentifier": "101"}, {"itemIdentifier": "103"}]}
    assert [one.event_id for one in bus.published] == ["event 0", "event 2", "event 4"]
    assert {one.event_id for one in outbox.leftovers(before=END_OF_TIME)} == {"event 1", "event 3"}


def test_a_row_reads_from_the_stream_as_it_reads_from_the_table(outbox: OutboxTable, dynamodb: DynamoDBClient) -> None:
    put = row(outbox, 0)
    dynamodb.put_item(**put)

    assert [from_stream(put["Item"])] == list(outbox.leftovers(before=END_OF_TIME))


def test_only_inserts_are_events(outbox: OutboxTable, context: LambdaContext) -> None:
    bus = FakeBus()
    handler = relay(from_stream, lambda announcements: relay_events(announcements, bus, outbox))
    item = row(outbox, 0)["Item"]

    answer = handler({"Records": [record(item, "1", "REMOVE"), record(item, "2", "MODIFY")]}, context)

    assert answer == {"batchItemFailures": []}
    assert bus.published == []


def test_a_bus_out_of_reach_fails_the_batch_so_that_lambda_repeats_it(outbox: OutboxTable, context: LambdaContext) -> None:
    def unreachable(_announcements: object) -> set[str]:
        raise StorageUnavailable("EventBridge could not be reached.")

    handler = relay(from_stream, unreachable)

    with pytest.raises(StorageUnavailable):
        handler({"Records": [record(row(outbox, 0)["Item"], "1")]}, context)
