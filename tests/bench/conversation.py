"""A conversation of any length, written as the plugin writes it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from tests.bench.payloads import ANSWER_TEXT, SHORT_TEXT
from tests.bench.stage import Stage
from twilio_plugin.adapters.conversations import ConversationsTable, message_key
from twilio_plugin.adapters.dynamodb import DynamoDB, typed
from twilio_plugin.adapters.outbox import OutboxTable
from twilio_plugin.domain.address import Address, conversation_id
from twilio_plugin.domain.conversation import Entry
from twilio_plugin.domain.message_status import rank
from twilio_plugin.domain.timestamp import iso


@cache
def conversation(stage: Stage, entries: int) -> str:
    """Texts in and out by turns, a minute apart, each of ours with its status. Written once; returns the person's number."""
    person, name = stage.person(), stage.output("ConversationsTableName")
    database = DynamoDB(stage.database)
    table = ConversationsTable(database, name, OutboxTable(database, stage.output("OutboxTableName")), retention_days=365)
    begun = datetime.now(UTC) - timedelta(minutes=entries)
    items: list[Any] = []
    for number in range(entries):
        entry = _entry(stage.our_number, person, number, iso(begun + timedelta(minutes=number)))
        items.append(table.put_entry(entry)["Put"]["Item"])
        if entry.direction == "outbound":
            items.append(_status(entry, table.ttl(entry.occurred_at)))
    stage.put(name, items)
    return person


def _entry(ours: str, theirs: str, number: int, at: str) -> Entry:
    inbound = number % 2 == 0
    return Entry(
        conversation_id=conversation_id(ours=Address.parse(ours), theirs=Address.parse(theirs)),
        occurred_at=at,
        kind="sms",
        direction="inbound" if inbound else "outbound",
        message_sid=f"SM{theirs[-4:]}{number:028x}",
        from_=theirs if inbound else ours,
        to=ours if inbound else theirs,
        body=SHORT_TEXT if inbound else ANSWER_TEXT,
    )


def _status(entry: Entry, ttl: int | None) -> dict[str, Any]:
    """What a delivered message of ours has under its SID."""
    item = {
        **message_key(entry.message_sid),
        "direction": "outbound",
        "status": "delivered",
        "status_rank": rank("delivered"),
        "send_id": "00000000-0000-4000-8000-000000000000",
        "part": 1,
        "ttl": ttl,
    }
    return typed(item)
