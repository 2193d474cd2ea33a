"""The outbox: events committed with the state they tell of, until they are on the bus."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from twilio_plugin.adapters.dynamodb import DynamoDB, plain, typed
from twilio_plugin.domain.events import Event
from twilio_plugin.domain.timestamp import iso
from twilio_plugin.services.ports import Announcement


class OutboxTable:
    """`Outbox` on DynamoDB: one row an event, keyed by `event_id`."""

    def __init__(self, database: DynamoDB, table: str) -> None:
        self._database = database
        self._table = table

    def put(self, event: Event) -> dict[str, Any]:
        """The write that adds an event, for a transaction."""
        return {"Put": {"TableName": self._table, "Item": row(event)}}

    def add(self, event: Event) -> None:
        self._database.write(self.put(event))

    def delete(self, event_ids: Iterable[str]) -> None:
        self._database.delete_many(self._table, [{"event_id": event_id} for event_id in event_ids])

    def leftovers(self, *, before: datetime) -> Iterator[Announcement]:
        # A scan, on purpose: the table holds only what is not on the bus yet, so it is all but empty.
        rows = self._database.pages(
            "scan",
            TableName=self._table,
            FilterExpression="occurred_at < :before",
            ExpressionAttributeValues=typed({":before": iso(before)}),
        )
        return map(_announcement, rows)


def row(event: Event) -> dict[str, Any]:
    """An event as the table holds it, in DynamoDB's own form."""
    detail = json.dumps(event.detail(), ensure_ascii=False, separators=(",", ":"))
    return typed(
        {
            "event_id": event.event_id,
            "detail_type": event.detail_type,
            "detail": detail,
            "occurred_at": event.occurred_at,
        }
    )


def from_stream(image: Mapping[str, Any]) -> Announcement:
    """A row as the table's stream delivers it (``NewImage``)."""
    return _announcement(plain(image))


def _announcement(item: Mapping[str, Any]) -> Announcement:
    return Announcement(item["event_id"], item["detail_type"], item["detail"], item["occurred_at"])
