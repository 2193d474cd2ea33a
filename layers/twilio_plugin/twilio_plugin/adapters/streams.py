"""Media streams in the Calls table, beside their call.

==============================  ==================  =======================================================================
call_sid                        sk                  what
==============================  ==================  =======================================================================
``CA…``                         ``STREAM#<leg>``    a stream, its session and its speaker; in the sparse index until it ends
``connection|<connection id>``  ``CONNECTION``      which stream came over a connection: ``call``, ``leg``
==============================  ==================  =======================================================================
"""

from __future__ import annotations

import dataclasses
from datetime import datetime
from itertools import islice
from typing import Any

from twilio_plugin.adapters.calls import ACTIVE_INDEX, call_key
from twilio_plugin.adapters.dynamodb import ConditionFailed, DynamoDB, Item, sets, typed, update
from twilio_plugin.adapters.outbox import OutboxTable
from twilio_plugin.domain.call import FINAL_RANK
from twilio_plugin.domain.events import Event
from twilio_plugin.domain.stream import Stream
from twilio_plugin.domain.timestamp import epoch
from twilio_plugin.errors import StreamRefused
from twilio_plugin.services.ports import Superseded

_STREAM = "STREAM#"
_LISTED = 100
_CONNECTION_DAYS = 1  # API Gateway ends a connection after two hours
_FIELDS = [field.name for field in dataclasses.fields(Stream)]
GOING_ON = "attribute_exists(#sk) AND attribute_not_exists(#ended_at)"
# By the position of the write in `open` whose condition did not hold.
_REFUSALS = (
    "The stream's call is not one of this account's, or it is over.",
    "The call has another stream on this leg.",
    "The connection carries another stream.",
)


class StreamsReader:
    """What there is to read of streams."""

    def __init__(self, database: DynamoDB, table: str) -> None:
        self._database = database
        self._table = table

    def of_connection(self, connection_id: str) -> Stream | None:
        connection = self._database.get(self._table, connection_key(connection_id))
        return self._find(connection["call"], connection["leg"]) if connection else None

    def of_call(self, call_sid: str) -> Stream | None:
        items = self._database.query(
            TableName=self._table,
            KeyConditionExpression="call_sid = :call AND begins_with(sk, :stream)",
            ExpressionAttributeValues=typed({":call": call_sid, ":stream": _STREAM}),
            ScanIndexForward=False,
            ConsistentRead=True,
            Limit=1,
        )
        return _stream(items[0]) if items else None

    def read(self, stream: Stream) -> Stream:
        found = self._find(stream.call_sid, stream.leg)
        if found is None:
            raise Superseded
        return found

    def active(self) -> list[Stream]:
        items = self._database.pages(
            "query",
            TableName=self._table,
            IndexName=ACTIVE_INDEX,
            KeyConditionExpression="active = :stream",
            ExpressionAttributeValues=typed({":stream": "stream"}),
            Limit=_LISTED,
        )
        return [_stream(item) for item in islice(items, _LISTED)]

    def _find(self, call_sid: str, leg: int) -> Stream | None:
        item = self._database.get(self._table, stream_key(call_sid, leg))
        return _stream(item) if item else None


class StreamsTable(StreamsReader):
    """`Streams` on DynamoDB."""

    def __init__(self, database: DynamoDB, table: str, outbox: OutboxTable, *, retention_days: int) -> None:
        super().__init__(database, table)
        self._outbox = outbox
        self._retention_days = retention_days

    def open(self, stream: Stream, event: Event) -> bool:
        writes = [self._call_is_going_on(stream), self._put(stream)]
        if stream.connection_id:
            writes.append(self._put_connection(stream))
        writes.append(self._outbox.put(event))
        try:
            self._database.transact(writes)
        except ConditionFailed as conflict:
            if self._is_kept(stream):
                return False
            raise StreamRefused(_REFUSALS[conflict.failed[0]]) from conflict
        return True

    def appoint(self, stream: Stream, session_id: str, *, restart: bool) -> bool:
        values = {"session_id": session_id, "session_state": "appointed"}
        expression = sets(values) + (", #restarts = #restarts + :one" if restart else "")
        before = {"before": stream.session_id} if stream.session_id else {}
        write = self._update(
            stream, expression, _of_session(stream.session_id), values | before | ({"one": 1} if restart else {})
        )
        try:
            self._database.write(write)
        except ConditionFailed as conflict:
            # The SDK repeats a write whose answer was lost; then it is this session that stands there.
            existing = conflict.existing or {}
            return existing.get("session_id") == session_id and "ended_at" not in existing
        return True

    def take(self, stream: Stream, session_id: str, now: str) -> Stream:
        values = {"session_state": "running", "seen_at": now}
        condition = f"{GOING_ON} AND #session_id = :session_id AND #session_state = :appointed"
        write = self._update(stream, sets(values), condition, values | {"session_id": session_id, "appointed": "appointed"})
        try:
            # As a transaction it has a token, by which a repeated one is the same one: nobody supersedes themselves.
            self._database.transact([write])
        except ConditionFailed as conflict:
            raise Superseded from conflict
        taken = self.read(stream)
        if taken.session_id != session_id:
            raise Superseded
        return taken

    def save(self, stream: Stream, now: str) -> None:
        values: Item = {
            "cursor": stream.cursor,
            "frames": stream.frames,
            "gaps": stream.gaps,
            "turns": stream.turns,
            "seen_at": now,
        }
        values |= {name: value for name in ("last_words", "heard_at") if (value := getattr(stream, name)) is not None}
        write = self._update(stream, sets(values), _of_session(stream.session_id), values | {"before": stream.session_id})
        try:
            self._database.write(write)
        except ConditionFailed as conflict:
            raise Superseded from conflict

    def rebind(self, stream: Stream, connection_id: str, now: str) -> Stream:
        values = {"connection_id": connection_id, "seen_at": now}
        try:
            self._database.transact(
                [self._update(stream, sets(values), GOING_ON, values), self._take_connection(stream, connection_id, now)]
            )
        except ConditionFailed as conflict:
            if 0 in conflict.failed:
                raise Superseded from conflict
            raise StreamRefused(_REFUSALS[2]) from conflict
        return self.read(stream)

    def raise_generation(self, stream: Stream) -> None:
        try:
            self._database.write(self._update(stream, "ADD #generation :one", "attribute_exists(#sk)", {"one": 1}))
        except ConditionFailed:
            return  # time to live was here first

    def end(self, stream: Stream, event: Event) -> bool:
        values = {"ended_at": stream.ended_at, "end": stream.end, "frames": stream.frames, "gaps": stream.gaps}
        write = self._update(stream, f"{sets(values)} REMOVE #active", GOING_ON, values)
        try:
            self._database.transact([write, self._outbox.put(event)])
        except ConditionFailed:
            return False
        return True

    def _call_is_going_on(self, stream: Stream) -> dict[str, Any]:
        return {
            "ConditionCheck": {
                "TableName": self._table,
                "Key": typed(call_key(stream.call_sid)),
                "ConditionExpression": "account_sid = :account AND status_rank < :final",
                "ExpressionAttributeValues": typed({":account": stream.account_sid, ":final": FINAL_RANK}),
            }
        }

    def _put(self, stream: Stream) -> dict[str, Any]:
        item = dataclasses.asdict(stream) | stream_key(stream.call_sid, stream.leg)
        return self._put_new(item | {"active": "stream", "ttl": kept_until(stream.started_at, self._retention_days)})

    def _put_connection(self, stream: Stream) -> dict[str, Any]:
        return self._put_new(
            connection_key(stream.connection_id)
            | {"call": stream.call_sid, "leg": stream.leg, "ttl": kept_until(stream.started_at, _CONNECTION_DAYS)}
        )

    def _take_connection(self, stream: Stream, connection_id: str, now: str) -> dict[str, Any]:
        values = {"call": stream.call_sid, "leg": stream.leg}
        return update(
            self._table,
            connection_key(connection_id),
            f"{sets(values)}, #ttl = :ttl",
            condition="attribute_not_exists(#sk) OR (#call = :call AND #leg = :leg)",
            values=values | {"ttl": kept_until(now, _CONNECTION_DAYS)},
        )

    def _put_new(self, item: Item) -> dict[str, Any]:
        return {"Put": {"TableName": self._table, "Item": typed(item), "ConditionExpression": "attribute_not_exists(sk)"}}

    def _is_kept(self, stream: Stream) -> bool:
        kept = self._find(stream.call_sid, stream.leg)
        return kept is not None and (kept.stream_sid, kept.connection_id) == (stream.stream_sid, stream.connection_id)

    def _update(self, stream: Stream, expression: str, condition: str, values: Item) -> dict[str, Any]:
        return update(self._table, stream_key(stream.call_sid, stream.leg), expression, condition=condition, values=values)


def stream_key(call_sid: str, leg: int) -> dict[str, str]:
    """Where a stream is kept. Legs sort as text."""
    return {"call_sid": call_sid, "sk": f"{_STREAM}{leg:03d}"}


def kept_until(moment: str, days: int) -> int | None:
    """When DynamoDB may forget something of this moment; None where all is kept."""
    return epoch(datetime.fromisoformat(moment), days=days) if days else None


def connection_key(connection_id: str) -> dict[str, str]:
    """Where it is kept which stream came over a connection."""
    return {"call_sid": f"connection|{connection_id}", "sk": "CONNECTION"}


def _of_session(session_id: str | None) -> str:
    session = "#session_id = :before" if session_id else "attribute_not_exists(#session_id)"
    return f"{GOING_ON} AND {session}"


def _stream(item: Item) -> Stream:
    return Stream(**{name: item[name] for name in _FIELDS if name in item})
