"""The opt-out ledger knows pairs by a hash, and nothing else of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from tests.unit.test_adapters import CHANGE, EVENT
from twilio_plugin.adapters.conversations import ConversationsTable
from twilio_plugin.adapters.dynamodb import DynamoDB
from twilio_plugin.adapters.outbox import OutboxTable
from twilio_plugin.adapters.secrets import LedgerKey
from twilio_plugin.domain.opt_out import ledger_id
from twilio_plugin.errors import Misconfigured

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PAIR = "phone|+14155550100|+14155550123"


def test_a_pair_is_known_under_its_key_only() -> None:
    assert ledger_id(b"a key", PAIR) == ledger_id(b"a key", PAIR)
    assert ledger_id(b"a key", PAIR) != ledger_id(b"another", PAIR)
    assert ledger_id(b"a key", PAIR) != ledger_id(b"a key", PAIR.replace("phone", "whatsapp"))
    assert "4155550123" not in ledger_id(b"a key", PAIR)


def test_what_the_table_keeps_of_a_stop_names_nobody(dynamodb: DynamoDBClient, new_table: Any) -> None:
    database, table = DynamoDB(dynamodb), new_table("ConversationsTable")
    outbox = OutboxTable(database, new_table("OutboxTable"))
    conversations = ConversationsTable(database, table, outbox, retention_days=1, ledger_key=lambda: b"a key")

    conversations.change_ledger(CHANGE, EVENT)

    (item,) = dynamodb.scan(TableName=table)["Items"]
    assert set(item) == {"conversation_id", "sk", "state"}
    assert "415555" not in json.dumps(item)
    assert conversations.contact_state(CHANGE.conversation_id) == "opted_out"


def test_a_function_without_the_key_cannot_ask(dynamodb: DynamoDBClient, new_table: Any) -> None:
    database = DynamoDB(dynamodb)
    conversations = ConversationsTable(database, "table", OutboxTable(database, "outbox"), retention_days=1)

    with pytest.raises(Misconfigured, match="LEDGER_SECRET"):
        conversations.contact_state(PAIR)


def test_the_key_is_read_once_and_must_be_one(dynamodb: DynamoDBClient) -> None:
    client = boto3.client("secretsmanager")
    client.create_secret(Name="a-ledger", SecretString="a key")
    client.create_secret(Name="an-empty-ledger", SecretBinary=b"x")
    reads: list[int] = []

    def counted() -> Any:
        reads.append(1)
        return client

    ledger = LedgerKey(counted, "a-ledger")
    assert [ledger.key(), ledger.key()] == [b"a key"] * 2
    assert len(reads) == 1
    with pytest.raises(Misconfigured, match="an-empty-ledger"):
        LedgerKey(lambda: client, "an-empty-ledger").key()
