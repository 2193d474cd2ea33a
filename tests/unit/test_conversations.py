"""What only the table does: what it keeps, and for how long. The rest is in `test_conversations_contract`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.test_adapters import CHANGE, ENTRY, EVENT, OURS, PART, RECEIPT, THEIRS
from twilio_plugin.adapters.conversations import ConversationsTable
from twilio_plugin.adapters.dynamodb import DynamoDB, plain
from twilio_plugin.adapters.outbox import OutboxTable
from twilio_plugin.adapters.sends import SendsTable
from twilio_plugin.domain.message_status import StatusUpdate
from twilio_plugin.domain.opt_out import ledger_id
from twilio_plugin.domain.timestamp import epoch

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

LEDGER_KEY = b"a ledger's key"
NOW = datetime.fromisoformat(ENTRY.occurred_at)


class Tables:
    def __init__(self, client: DynamoDBClient, new_table: Callable[[str], str], retention_days: int) -> None:
        database, self._client, self._name = DynamoDB(client), client, new_table("ConversationsTable")
        self.outbox = OutboxTable(database, new_table("OutboxTable"))
        self.conversations = ConversationsTable(
            database, self._name, self.outbox, retention_days=retention_days, ledger_key=lambda: LEDGER_KEY
        )
        self.sends = SendsTable(database, self._name, self.outbox, self.conversations, lambda: NOW)

    def items(self) -> dict[str, dict[str, Any]]:
        found = map(plain, self._client.scan(TableName=self._name)["Items"])
        return {f"{item['conversation_id']} {item['sk']}": item for item in found}


def fill(tables: Tables) -> None:
    tables.conversations.add_received(ENTRY, [EVENT], CHANGE)
    tables.conversations.apply_status(StatusUpdate("SM2", "AC1", "sent", OURS, THEIRS, None, "key", 1), EVENT)
    tables.sends.claim(PART)


@pytest.mark.parametrize("days", [1, 365])
def test_what_was_said_is_kept_for_the_days_of_the_parameter_and_the_ledger_for_good(
    dynamodb: DynamoDBClient, new_table: Callable[[str], str], days: int
) -> None:
    tables = Tables(dynamodb, new_table, days)
    fill(tables)

    ttl = {key: item.get("ttl") for key, item in tables.items().items()}

    assert ttl == {
        "phone|+14155550100|+14155550123 ENTRY#2026-11-22T08:00:00.000Z#SM1": epoch(NOW, days=days),
        "message|SM1 MESSAGE": epoch(NOW, days=days),
        "message|SM2 MESSAGE": epoch(NOW, days=days),
        f"{ledger_id(LEDGER_KEY, PART.conversation_id)} CONTACT": None,
        "send|key PART#0001": epoch(NOW, days=1),
    }


def test_nothing_but_idempotency_keys_expires_where_all_is_kept(
    dynamodb: DynamoDBClient, new_table: Callable[[str], str]
) -> None:
    tables = Tables(dynamodb, new_table, 0)
    fill(tables)

    assert [key for key, item in tables.items().items() if "ttl" in item] == ["send|key PART#0001"]


def test_a_message_found_late_expires_with_its_time(dynamodb: DynamoDBClient, new_table: Callable[[str], str]) -> None:
    tables = Tables(dynamodb, new_table, 30)
    tables.sends.claim(PART)
    tables.sends.record_sent(PART, RECEIPT, ENTRY, EVENT)

    assert tables.items()["message|SM1 MESSAGE"]["ttl"] == epoch(NOW, days=30)
