"""Calls in the table of that name: one item a call (``call_sid`` / ``CALL``) and one for what became of each recording of it
(``RECORDING#<recording sid>#<status>``). A call is in a sparse index (``active``, ``started_at``) until it has ended.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Any

from twilio_plugin.adapters.dynamodb import ConditionFailed, DynamoDB, Item, typed
from twilio_plugin.adapters.outbox import OutboxTable
from twilio_plugin.domain.call import FINAL_RANK, Call, CallUpdate, call_rank
from twilio_plugin.domain.events import Event
from twilio_plugin.domain.machine_detection import MachineDetection
from twilio_plugin.domain.recording import Recording
from twilio_plugin.domain.timestamp import epoch, iso

ACTIVE_INDEX = "active_calls"
_LISTED = 100
_ANSWERED, _COMPLETED = "in-progress", "completed"


class CallsReader:
    """What there is to read of calls."""

    def __init__(self, database: DynamoDB, table: str) -> None:
        self._database = database
        self._table = table

    def call(self, call_sid: str) -> Call | None:
        item = self._database.get(self._table, call_key(call_sid))
        return _call(item) if item else None

    def active(self) -> list[Call]:
        # A call that ended before we knew of it is in the index all the same, until reconciliation takes it out.
        items = self._database.pages(
            "query",
            TableName=self._table,
            IndexName=ACTIVE_INDEX,
            KeyConditionExpression="active = :call",
            FilterExpression="status_rank < :final",
            ExpressionAttributeValues=typed({":call": "call", ":final": FINAL_RANK}),
        )
        return [_call(item) for item in islice(items, _LISTED)]


class CallsTable(CallsReader):
    """`Calls` on DynamoDB."""

    def __init__(self, database: DynamoDB, table: str, outbox: OutboxTable, *, retention_days: int) -> None:
        super().__init__(database, table)
        self._outbox = outbox
        self._retention_days = retention_days

    def add_received(self, update: CallUpdate, event: Event) -> bool:
        return self._commit(self.know(update, event.occurred_at, condition="attribute_not_exists(announced)"), event)

    def apply_status(self, update: CallUpdate, event: Event) -> bool:
        return self._commit(self._move(update, event.occurred_at), event)

    def apply_answered_by(self, call_sid: str, answered_by: str, event: Event) -> bool:
        update = {
            "TableName": self._table,
            "Key": typed(call_key(call_sid)),
            "UpdateExpression": "SET answered_by = :answered_by",
            "ConditionExpression": "attribute_exists(sk) AND attribute_not_exists(answered_by)",
            "ExpressionAttributeValues": typed({":answered_by": answered_by}),
        }
        return self._commit({"Update": update}, event)

    def add_recording(self, recording: Recording, event: Event) -> bool:
        item = {
            "call_sid": recording.call_sid,
            "sk": f"RECORDING#{recording.recording_sid}#{recording.status}",
            "source": recording.source,
            "recording_url": recording.url,
            "duration": recording.duration,
            "channels": recording.channels,
            "occurred_at": event.occurred_at,
            "ttl": self._ttl(event.occurred_at),
        }
        put = {"TableName": self._table, "Item": typed(item), "ConditionExpression": "attribute_not_exists(sk)"}
        return self._commit({"Put": put}, event)

    def unended(self, *, before: datetime) -> Iterator[Call]:
        items = self._database.pages(
            "query",
            TableName=self._table,
            IndexName=ACTIVE_INDEX,
            KeyConditionExpression="active = :call AND started_at < :before",
            ExpressionAttributeValues=typed({":call": "call", ":before": iso(before)}),
        )
        return map(_call, items)

    def no_longer_active(self, call_sid: str) -> None:
        update = {
            "TableName": self._table,
            "Key": typed(call_key(call_sid)),
            "UpdateExpression": "REMOVE active",
            "ConditionExpression": "attribute_exists(sk)",
        }
        try:
            self._database.write({"Update": update})
        except ConditionFailed:
            return  # time to live was here first

    def know(
        self,
        update: CallUpdate,
        now: str,
        *,
        machine_detection: MachineDetection | None = None,
        condition: str | None = None,
    ) -> dict[str, Any]:
        """The write that makes a call known, for a transaction. What a status callback wrote before stays."""
        first = self._facts(update, now) | {"status": update.status, "status_rank": call_rank(update.status)}
        first |= detection_item(machine_detection)
        if update.status == _ANSWERED:
            first["answered_at"] = now
        sets = [f"#{name} = if_not_exists(#{name}, :{name})" for name in first]
        values = first | {"announced": True}
        return self._update(update.call_sid, [*sets, "#announced = :announced"], "", values, condition)

    def _move(self, update: CallUpdate, now: str) -> dict[str, Any]:
        first = self._facts(update, now)
        moved: Item = {"status": update.status, "status_rank": call_rank(update.status)}
        if update.status == _ANSWERED:
            moved["answered_at"] = now
        if update.ended:
            moved["ended_at"] = now
            first.pop("active")
        if update.status == _COMPLETED:
            first["answered_at"] = now  # so that a late report of the answer does not come after the end
        if update.duration is not None:
            moved["duration"] = update.duration
        sets = [f"#{name} = if_not_exists(#{name}, :{name})" for name in first] + [f"#{name} = :{name}" for name in moved]
        condition = "attribute_not_exists(status_rank) OR status_rank < :status_rank"
        return self._update(update.call_sid, sets, "REMOVE active" if update.ended else "", first | moved, condition)

    def _facts(self, update: CallUpdate, now: str) -> Item:
        facts = {
            "conversation_id": update.conversation_id,
            "account_sid": update.account_sid,
            "direction": update.direction,
            "from_": str(update.sender),
            "to": str(update.recipient),
            "request_id": update.request_id,
            "started_at": now,
            "active": "call",
            "ttl": self._ttl(now),
        }
        return {name: value for name, value in facts.items() if value is not None}

    def _ttl(self, now: str) -> int | None:
        return epoch(datetime.fromisoformat(now), days=self._retention_days) if self._retention_days else None

    def _update(self, call_sid: str, sets: list[str], more: str, values: Item, condition: str | None) -> dict[str, Any]:
        return {
            "Update": {
                "TableName": self._table,
                "Key": typed(call_key(call_sid)),
                "UpdateExpression": f"SET {', '.join(sets)} {more}".strip(),
                "ExpressionAttributeNames": {f"#{name}": name for name in values},
                "ExpressionAttributeValues": typed({f":{name}": value for name, value in values.items()}),
                **({"ConditionExpression": condition} if condition else {}),
            }
        }

    def _commit(self, write: dict[str, Any], event: Event) -> bool:
        try:
            self._database.transact([write, self._outbox.put(event)])
        except ConditionFailed:
            return False
        return True


def call_key(call_sid: str) -> dict[str, str]:
    """Where a call is kept."""
    return {"call_sid": call_sid, "sk": "CALL"}


def detection_item(detection: MachineDetection | None) -> Item:
    """Machine detection as the items of a call and of its claim hold it."""
    if detection is None:
        return {}
    item = {"on_machine": detection.on_machine, "on_machine_twiml": detection.twiml}
    return {name: value for name, value in item.items() if value is not None}


def detection(item: Item) -> MachineDetection | None:
    """Back from such an item."""
    return MachineDetection(item["on_machine"], item.get("on_machine_twiml")) if "on_machine" in item else None


def _call(item: Item) -> Call:
    return Call(
        call_sid=item["call_sid"],
        conversation_id=item["conversation_id"],
        direction=item["direction"],
        from_=item["from_"],
        to=item["to"],
        status=item["status"],
        started_at=item["started_at"],
        answered_at=item.get("answered_at"),
        ended_at=item.get("ended_at"),
        duration=item.get("duration"),
        answered_by=item.get("answered_by"),
        machine_detection=detection(item),
        request_id=item.get("request_id"),
    )
