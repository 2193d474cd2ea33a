"""The Conversations table: entries by time, messages by SID, contacts.

=========================  ==========================  ==================================================================
conversation_id            sk                          what
=========================  ==========================  ==================================================================
``phone|<ours>|<theirs>``  ``ENTRY#<time>#<sid>``      one message or spoken turn
``contact|<hash>``         ``CONTACT``                 the pair's opt-out state, under the ledger's key
``message|<sid>``          ``MESSAGE``                 a message's status; that an inbound one is there already
``send|<send id>``         ``PART#<number>``           a part on its way; see `twilio_plugin.adapters.sends`
``phone|<ours>|<theirs>``  ``TURN``, ``GUARD#…``       the bridge's turns; see `twilio_plugin.adapters.agent_turns`
=========================  ==========================  ==================================================================
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from twilio_plugin.adapters.dynamodb import ConditionFailed, DynamoDB, Item, typed
from twilio_plugin.adapters.outbox import OutboxTable
from twilio_plugin.domain.conversation import Entry
from twilio_plugin.domain.events import Event
from twilio_plugin.domain.message_status import StatusUpdate, rank
from twilio_plugin.domain.opt_out import ContactState, ledger_id
from twilio_plugin.domain.timestamp import epoch
from twilio_plugin.errors import Misconfigured
from twilio_plugin.services.ports import LedgerChange, LedgerMoved

ENTRY = "ENTRY#"


def entry_key(conversation_id: str, occurred_at: str, message_sid: str) -> dict[str, str]:
    """Where an entry is kept."""
    return {"conversation_id": conversation_id, "sk": f"{ENTRY}{occurred_at}#{message_sid}"}


def message_key(message_sid: str) -> dict[str, str]:
    """Where a message's status is kept."""
    return {"conversation_id": f"message|{message_sid}", "sk": "MESSAGE"}


class ConversationsTable:
    """`Conversations` on DynamoDB."""

    def __init__(
        self,
        database: DynamoDB,
        table: str,
        outbox: OutboxTable,
        *,
        retention_days: int,
        ledger_key: Callable[[], bytes] | None = None,
    ) -> None:
        """`ledger_key` is called when the ledger is asked or changed; without it, neither can be done."""
        self._database = database
        self._table = table
        self._outbox = outbox
        self._retention_days = retention_days
        self._ledger_key = ledger_key

    def contact_state(self, conversation_id: str) -> ContactState:
        contact = self._database.get(self._table, self._contact_key(conversation_id))
        return "opted_out" if contact and contact["state"] == "opted_out" else "opted_in"

    def received_at(self, message_sid: str) -> str | None:
        message = self._database.get(self._table, message_key(message_sid))
        return message.get("received_at") if message else None

    def add_received(self, entry: Entry, events: Sequence[Event], ledger: LedgerChange | None) -> bool:
        seen = {**message_key(entry.message_sid), "received_at": entry.occurred_at, "ttl": self.ttl(entry.occurred_at)}
        writes = [
            self._put(seen, condition="attribute_not_exists(sk)"),
            self.put_entry(entry),
            *map(self._outbox.put, events),
        ]
        if ledger:
            writes.append(self._move_ledger(ledger))
        try:
            self._database.transact(writes)
        except ConditionFailed as conflict:
            if 0 in conflict.failed:
                return False
            raise LedgerMoved from conflict
        return True

    def apply_status(self, update: StatusUpdate, event: Event) -> bool:
        try:
            self._database.transact([self._set_status(update, event.occurred_at), self._outbox.put(event)])
        except ConditionFailed:
            return False
        return True

    def change_ledger(self, change: LedgerChange, event: Event) -> None:
        try:
            self._database.transact([self._move_ledger(change), self._outbox.put(event)])
        except ConditionFailed as conflict:
            raise LedgerMoved from conflict

    def add_turn(self, entry: Entry) -> None:
        self._database.write(self.put_entry(entry))

    def put_entry(self, entry: Entry) -> dict[str, Any]:
        """The write that adds an entry, for a transaction."""
        key = entry_key(entry.conversation_id, entry.occurred_at, entry.message_sid)
        return self._put(dataclasses.asdict(entry) | key | {"ttl": self.ttl(entry.occurred_at)})

    def ttl(self, occurred_at: str) -> int | None:
        """When DynamoDB may forget something of this moment; None where all is kept."""
        return epoch(datetime.fromisoformat(occurred_at), days=self._retention_days) if self._retention_days else None

    def _put(self, item: Item, condition: str | None = None) -> dict[str, Any]:
        return {
            "Put": {
                "TableName": self._table,
                "Item": typed(item),
                **({"ConditionExpression": condition} if condition else {}),
            }
        }

    def _set_status(self, update: StatusUpdate, now: str) -> dict[str, Any]:
        values = {
            "status": update.status,
            "status_rank": rank(update.status),
            "error_code": update.error_code,
            "send_id": update.send_id,
            "part": update.part,
            "ttl": self.ttl(now),
        }
        return self._update(
            message_key(update.message_sid),
            {name: value for name, value in values.items() if value is not None},
            condition="attribute_not_exists(status_rank) OR status_rank < :status_rank",
        )

    def _move_ledger(self, change: LedgerChange) -> dict[str, Any]:
        condition = "#state = :before" if change.before == "opted_out" else "attribute_not_exists(#state) OR #state = :before"
        return self._update(
            self._contact_key(change.conversation_id), {"state": change.after}, condition, extra={":before": change.before}
        )

    def _update(self, key: Item, values: Item, condition: str, extra: Item | None = None) -> dict[str, Any]:
        return {
            "Update": {
                "TableName": self._table,
                "Key": typed(key),
                "UpdateExpression": "SET " + ", ".join(f"#{name} = :{name}" for name in values),
                "ConditionExpression": condition,
                "ExpressionAttributeNames": {f"#{name}": name for name in values},
                "ExpressionAttributeValues": typed({f":{name}": value for name, value in values.items()} | (extra or {})),
            }
        }

    def _contact_key(self, conversation_id: str) -> dict[str, str]:
        if self._ledger_key is None:
            raise Misconfigured("This function has no LEDGER_SECRET, so it cannot ask who said STOP.")
        return {"conversation_id": ledger_id(self._ledger_key(), conversation_id), "sk": "CONTACT"}
