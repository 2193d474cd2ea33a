"""Transcriptions of calls in the Calls table, beside their call.

=========  ==========================================  ===================================================================
call_sid   sk                                          what
=========  ==========================================  ===================================================================
``CA…``    ``TRANSCRIPTION#<sid>``                     a transcription; in the sparse index until it ends
``CA…``    ``TRANSCRIPT#<sid>#<number>#<event>…``      a report of it: its words until they are announced, that it came after
=========  ==========================================  ===================================================================
"""

from __future__ import annotations

import dataclasses
from itertools import islice
from typing import Any

from twilio_plugin.adapters.calls import ACTIVE_INDEX
from twilio_plugin.adapters.conversations import ConversationsTable
from twilio_plugin.adapters.dynamodb import ConditionFailed, DynamoDB, Item, sets, typed, update
from twilio_plugin.adapters.outbox import OutboxTable
from twilio_plugin.adapters.streams import kept_until
from twilio_plugin.domain.conversation import Entry
from twilio_plugin.domain.events import Event
from twilio_plugin.domain.transcription import CallTranscription, TranscriptionReport

_TRANSCRIPTION = "TRANSCRIPTION#"
_LISTED = 100
_FIELDS = [field.name for field in dataclasses.fields(CallTranscription)]
_REPORT_FIELDS = [field.name for field in dataclasses.fields(TranscriptionReport)]
_ONLY_UNTIL_SETTLED = ("text", "confidence", "error")


class TranscriptionsReader:
    """What there is to read of transcriptions."""

    def __init__(self, database: DynamoDB, table: str) -> None:
        self._database = database
        self._table = table

    def of_call(self, call_sid: str) -> list[CallTranscription]:
        items = self._database.pages(
            "query",
            TableName=self._table,
            KeyConditionExpression="call_sid = :call AND begins_with(sk, :transcription)",
            FilterExpression="attribute_not_exists(ended_at)",
            ExpressionAttributeValues=typed({":call": call_sid, ":transcription": _TRANSCRIPTION}),
            ConsistentRead=True,
        )
        return [_transcription(item) for item in items]

    def active(self) -> list[CallTranscription]:
        items = self._database.pages(
            "query",
            TableName=self._table,
            IndexName=ACTIVE_INDEX,
            KeyConditionExpression="active = :transcription",
            ExpressionAttributeValues=typed({":transcription": "transcription"}),
            Limit=_LISTED,
        )
        return [_transcription(item) for item in islice(items, _LISTED)]


class TranscriptionsTable(TranscriptionsReader):
    """`CallTranscriptions` on DynamoDB."""

    def __init__(
        self,
        database: DynamoDB,
        table: str,
        outbox: OutboxTable,
        conversations: ConversationsTable,
        *,
        retention_days: int,
    ) -> None:
        super().__init__(database, table)
        self._outbox = outbox
        self._conversations = conversations
        self._retention_days = retention_days

    def add(self, report: TranscriptionReport) -> None:
        item = dataclasses.asdict(report) | _report_key(report)
        # A number that has a fraction, and whatever reads it back gets whole ones.
        item["confidence"] = None if report.confidence is None else str(report.confidence)
        self._put_new(item, since=report.received_at)

    def open(self, transcription: CallTranscription) -> CallTranscription:
        item = dataclasses.asdict(transcription) | {"active": "transcription"}
        self._put_new(item | _key(transcription.call_sid, transcription.transcription_sid), since=transcription.started_at)
        return self.find(transcription.call_sid, transcription.transcription_sid) or transcription

    def find(self, call_sid: str, transcription_sid: str) -> CallTranscription | None:
        item = self._database.get(self._table, _key(call_sid, transcription_sid))
        return _transcription(item) if item else None

    def waiting(self, transcription: CallTranscription, *, after: int) -> list[TranscriptionReport]:
        reports = _reports_of(transcription.transcription_sid)
        items = self._database.pages(
            "query",
            TableName=self._table,
            KeyConditionExpression="call_sid = :call AND sk BETWEEN :first AND :last",
            FilterExpression="attribute_not_exists(settled)",
            ExpressionAttributeValues=typed(
                {":call": transcription.call_sid, ":first": f"{reports}{_written(after + 1)}", ":last": f"{reports}~"}
            ),
            ConsistentRead=True,
        )
        return [_report(item) for item in items]

    def settle(
        self,
        before: CallTranscription,
        report: TranscriptionReport,
        after: CallTranscription,
        event: Event | None,
        entry: Entry | None,
    ) -> bool:
        writes = [self._move(before, after), self._settled(report)]
        if event:
            writes.append(self._outbox.put(event))
        if entry:
            writes.append(self._conversations.put_entry(entry))
        return self._commit(writes)

    def end(self, transcription: CallTranscription, event: Event) -> bool:
        values = {"ended_at": transcription.ended_at, "end": transcription.end}
        going_on = "attribute_exists(#sk) AND attribute_not_exists(#ended_at)"
        close = self._update(transcription, f"{sets(values)} REMOVE #active", going_on, values)
        return self._commit([close, self._outbox.put(event)])

    def _move(self, before: CallTranscription, after: CallTranscription) -> dict[str, Any]:
        values: Item = {"cursor": after.cursor, "turns": after.turns, "last_at": after.last_at}
        condition = "#cursor = :old_cursor AND #turns = :old_turns"
        expression = sets(values)
        if after.ended_at and not before.ended_at:
            values |= {"ended_at": after.ended_at, "end": after.end}
            expression, condition = f"{sets(values)} REMOVE #active", f"{condition} AND attribute_not_exists(#ended_at)"
        values |= {"old_cursor": before.cursor, "old_turns": before.turns}
        return self._update(after, expression, condition, values)

    def _settled(self, report: TranscriptionReport) -> dict[str, Any]:
        words = ", ".join(f"#{name}" for name in _ONLY_UNTIL_SETTLED)
        return update(
            self._table,
            _report_key(report),
            f"SET #settled = :settled REMOVE {words}",
            condition="attribute_exists(#sk) AND attribute_not_exists(#settled)",
            values={"settled": True},
        )

    def _update(self, transcription: CallTranscription, expression: str, condition: str, values: Item) -> dict[str, Any]:
        key = _key(transcription.call_sid, transcription.transcription_sid)
        return update(self._table, key, expression, condition=condition, values=values)

    def _put_new(self, item: Item, *, since: str) -> None:
        item = item | {"ttl": kept_until(since, self._retention_days)}
        put = {"TableName": self._table, "Item": typed(item), "ConditionExpression": "attribute_not_exists(sk)"}
        try:
            self._database.write({"Put": put})
        except ConditionFailed:
            return

    def _commit(self, writes: list[dict[str, Any]]) -> bool:
        try:
            self._database.transact(writes)
        except ConditionFailed:
            return False
        return True


def _key(call_sid: str, transcription_sid: str) -> dict[str, str]:
    return {"call_sid": call_sid, "sk": f"{_TRANSCRIPTION}{transcription_sid}"}


def _report_key(report: TranscriptionReport) -> dict[str, str]:
    # With event and track, so that it does no harm if two of a number should ever come that are not the same.
    number, kind = _written(report.sequence_id), f"{report.event}#{report.track or ''}"
    return {"call_sid": report.call_sid, "sk": f"{_reports_of(report.transcription_sid)}{number}#{kind}"}


def _reports_of(transcription_sid: str) -> str:
    return f"TRANSCRIPT#{transcription_sid}#"


def _written(number: int) -> str:
    """So that numbers sort as text."""
    return f"{number:010d}"


def _transcription(item: Item) -> CallTranscription:
    return CallTranscription(**{name: item[name] for name in _FIELDS if name in item})


def _report(item: Item) -> TranscriptionReport:
    report = {name: item[name] for name in _REPORT_FIELDS if name in item}
    return TranscriptionReport(**report | {"confidence": float(report["confidence"]) if "confidence" in report else None})
