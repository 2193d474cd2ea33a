from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from tests.unit.fakes import END_OF_TIME
from tests.unit.fakes_streams import StreamWorld
from tests.unit.test_adapters import EVENT
from tests.unit.test_conversations import Tables, fill

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def test_an_event_waits_in_the_outbox_as_readable_json(dynamodb: DynamoDBClient, new_table: Callable[[str], str]) -> None:
    tables = Tables(dynamodb, new_table, 30)
    fill(tables)

    (announcement,) = tables.outbox.leftovers(before=END_OF_TIME)

    assert json.loads(announcement.detail)["event_id"] == announcement.event_id == EVENT.event_id
    assert " " not in announcement.detail


def test_the_time_of_a_leftover_is_compared_as_time(dynamodb: DynamoDBClient, new_table: Callable[[str], str]) -> None:
    tables = Tables(dynamodb, new_table, 30)
    fill(tables)

    assert not list(tables.outbox.leftovers(before=datetime(2026, 11, 22, 8, 0, tzinfo=UTC)))
    assert list(tables.outbox.leftovers(before=datetime(2026, 11, 22, 8, 0, tzinfo=UTC) + timedelta(milliseconds=1)))


def test_what_is_added_waits_in_the_outbox_and_the_same_twice_is_one(stream_world: StreamWorld) -> None:
    for _ in range(2):
        stream_world.outbox.add(EVENT)

    (announcement,) = stream_world.announced()
    assert announcement.event_id == EVENT.event_id
    assert (announcement.detail_type, announcement.occurred_at) == (EVENT.detail_type, EVENT.occurred_at)
    assert json.loads(announcement.detail) == EVENT.detail()
