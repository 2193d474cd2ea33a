"""The agent's turns, in the Conversations table.

=========================  =====================  ====================================================================
conversation_id            sk                     what
=========================  =====================  ====================================================================
``phone|<ours>|<theirs>``  ``TURN``               the last turn of texts that is over, with the answer
``phone|<ours>|<theirs>``  ``GUARD#<period>``     how many turns there were; whether it was announced that it is enough
``turn|<event id>``        ``TAKEN``              that a spoken turn is being answered
=========================  =====================  ====================================================================
"""

from __future__ import annotations

import uuid
from datetime import datetime

from twilio_plugin.adapters.conversations import ConversationsTable
from twilio_plugin.adapters.dynamodb import ConditionFailed, DynamoDB, Item, typed, update
from twilio_plugin.adapters.outbox import OutboxTable
from twilio_plugin.domain.agent import AgentAnswer
from twilio_plugin.domain.events import Event
from twilio_plugin.domain.inbound_turn import SettledTurn
from twilio_plugin.domain.timestamp import epoch

_DAYS = 1.0  # longer than any period, and than Lambda or EventBridge repeat anything


def taken_key(event_id: str) -> Item:
    """Where it is kept that a spoken turn is being answered."""
    return {"conversation_id": f"turn|{event_id}", "sk": "TAKEN"}


class AgentTurnsTable:
    """`AgentTurns` on DynamoDB."""

    def __init__(self, database: DynamoDB, table: str, outbox: OutboxTable, conversations: ConversationsTable) -> None:
        self._database = database
        self._table = table
        self._outbox = outbox
        self._conversations = conversations

    def last(self, conversation_id: str) -> SettledTurn | None:
        item = self._database.get(self._table, _turn_key(conversation_id))
        return _turn(item) if item else None

    def settle(self, conversation_id: str, turn: SettledTurn, *, after: SettledTurn | None) -> bool:
        item = _turn_key(conversation_id) | {
            "event_id": turn.event_id,
            "texts": list(turn.texts),
            "up_to": turn.up_to,
            "earlier": list(turn.earlier),
            "answer": turn.answer.model_dump_json() if turn.answer else None,
            "ttl": self._conversations.ttl(turn.up_to.partition("#")[0]),
        }
        if after is None:
            return self._once(item, {"ConditionExpression": "attribute_not_exists(sk)"})
        values = typed({":after": after.event_id})
        return self._once(item, {"ConditionExpression": "event_id = :after", "ExpressionAttributeValues": values})

    def take(self, event_id: str, now: str) -> bool:
        item = taken_key(event_id) | {"ttl": _soon(now)}
        return self._once(item, {"ConditionExpression": "attribute_not_exists(sk)"})

    def admit(self, conversation_id: str, period: str, event_id: str, *, ceiling: int, now: str) -> bool:
        count = update(
            self._table,
            _guard_key(conversation_id, period),
            "SET #turns = if_not_exists(#turns, :none) + :one, #counted = :counted, #ttl = :ttl",
            condition="attribute_not_exists(#turns) OR (#turns < :ceiling AND #counted <> :counted)",
            values={"none": 0, "one": 1, "counted": event_id, "ceiling": ceiling, "ttl": _soon(now)},
        )
        try:
            self._database.write(count)
        except ConditionFailed as full:
            return (full.existing or {}).get("counted") == event_id
        return True

    def refuse(self, conversation_id: str, period: str, event: Event) -> bool:
        announced = update(
            self._table,
            _guard_key(conversation_id, period),
            "SET #announced = :yes, #ttl = :ttl",
            condition="attribute_not_exists(#announced)",
            values={"yes": True, "ttl": _soon(event.occurred_at)},
        )
        try:
            self._database.transact([announced, self._outbox.put(event)])
        except ConditionFailed:
            return False
        return True

    def _once(self, item: Item, condition: Item) -> bool:
        """Whether the item is there now. The SDK repeats a put whose answer was lost: then it is our own that is in the way."""
        write = uuid.uuid4().hex
        try:
            self._database.write({"Put": {"TableName": self._table, "Item": typed(item | {"write": write}), **condition}})
        except ConditionFailed as conflict:
            return (conflict.existing or {}).get("write") == write
        return True


def _turn_key(conversation_id: str) -> dict[str, str]:
    return {"conversation_id": conversation_id, "sk": "TURN"}


def _guard_key(conversation_id: str, period: str) -> dict[str, str]:
    return {"conversation_id": conversation_id, "sk": f"GUARD#{period}"}


def _soon(now: str) -> int:
    return epoch(datetime.fromisoformat(now), days=_DAYS)


def _turn(item: Item) -> SettledTurn:
    return SettledTurn(
        event_id=item["event_id"],
        texts=tuple(item["texts"]),
        up_to=item["up_to"],
        earlier=tuple(item["earlier"]),
        answer=AgentAnswer.model_validate_json(item["answer"]) if "answer" in item else None,
    )
