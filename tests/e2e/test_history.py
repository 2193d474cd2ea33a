"""Reading a conversation back: newest page first, oldest message first, and never dearer for being long."""

from __future__ import annotations

from typing import Any

import pytest

from local.stack import InvocationFailed
from tests.e2e.conftest import Phone
from twilio_plugin.adapters.dynamodb import DynamoDB, typed
from twilio_plugin.adapters.history import HistoryTable


def fill(phone: Phone, person: str, count: int) -> str:
    """A conversation of `count` texts."""
    conversation = f"phone|{phone.ours}|{person}"
    puts = [{"PutRequest": {"Item": typed(_entry(conversation, phone.ours, person, number))}} for number in range(count)]
    for at in range(0, count, 25):
        phone.dynamodb.batch_write_item(RequestItems={phone.conversations: puts[at : at + 25]})
    return conversation


def _entry(conversation: str, ours: str, person: str, number: int) -> dict[str, Any]:
    at = f"2026-01-01T{number // 3600:02d}:{number // 60 % 60:02d}:{number % 60:02d}.000Z"
    return {
        "conversation_id": conversation,
        "sk": f"ENTRY#{at}#SM{number:032d}",
        "occurred_at": at,
        "kind": "sms",
        "direction": "inbound" if number % 2 == 0 else "outbound",
        "message_sid": f"SM{number:032d}",
        "from_": person if number % 2 == 0 else ours,
        "to": ours if number % 2 == 0 else person,
        "body": f"text {number}",
        "media": [],
    }


def test_a_conversation_pages_back_to_its_beginning(phone: Phone) -> None:
    person = phone.person()
    fill(phone, person, 25)

    first = phone.history(person, limit=10)
    second = phone.history(person, limit=10, next_token=first["next_token"])
    third = phone.history(person, limit=10, next_token=second["next_token"])

    assert [message["body"] for message in first["messages"]] == [f"text {number}" for number in range(15, 25)]
    assert [message["body"] for message in second["messages"]] == [f"text {number}" for number in range(5, 15)]
    assert [message["body"] for message in third["messages"]] == [f"text {number}" for number in range(5)]
    assert "next_token" not in third


def test_a_token_of_another_conversation_is_refused(phone: Phone) -> None:
    person, other = phone.person(), phone.person()
    fill(phone, person, 3)
    token = phone.history(person, limit=1)["next_token"]

    with pytest.raises(InvocationFailed) as failure:
        phone.history(other, next_token=token)

    assert failure.value.error_type == "InvalidPageToken"


def test_ten_of_ten_thousand_cost_the_same_as_ten_of_twenty(phone: Phone) -> None:
    few, many = fill(phone, phone.person(), 20), fill(phone, phone.person(), 10_000)
    read: list[tuple[str, int]] = []
    phone.dynamodb.meta.events.register(
        "after-call.dynamodb", lambda parsed, model, **_: read.append((model.name, parsed.get("ScannedCount", 0)))
    )
    history = HistoryTable(DynamoDB(phone.dynamodb), phone.conversations)

    def cost(conversation: str) -> list[tuple[str, int]]:
        read.clear()
        assert len(history.page(conversation, limit=10, before=None).entries) == 10
        return list(read)

    assert cost(few) == cost(many) == [("Query", 11), ("BatchGetItem", 0)]


def test_history_shows_texts_as_an_agent_reads_them(phone: Phone) -> None:
    person = phone.person()
    phone.post("sms", phone.fields(From=person, Body="Are you open?"))
    phone.stack.invoke("send-sms", {"to": person, "body": "Until nine."})
    phone.twilio.settle()
    phone.post("sms", phone.fields(From=person, Body="Great"))
    phone.post("sms", phone.fields(From=person, Body="See you"))

    history = phone.history(person)

    assert [line.split("] ")[1] for line in history["text"].splitlines()] == [
        "User: Are you open?",
        "Assistant: Until nine.",
        "User: Great",
        "User: See you",
    ]
    assert history["turns"] == [
        {"role": "user", "content": "Are you open?"},
        {"role": "assistant", "content": "Until nine."},
        {"role": "user", "content": "Great\nSee you"},
    ]
