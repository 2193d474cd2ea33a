"""The record of sends: a claim for every part (``send|<send id>`` / ``PART#<number>``); see `twilio_plugin.adapters.claims`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from twilio_plugin.adapters.claims import Claims, claim_partition
from twilio_plugin.adapters.conversations import ConversationsTable, message_key
from twilio_plugin.adapters.dynamodb import ConditionFailed, DynamoDB, Item, typed
from twilio_plugin.adapters.outbox import OutboxTable
from twilio_plugin.domain.address import Address
from twilio_plugin.domain.conversation import Entry
from twilio_plugin.domain.events import Event
from twilio_plugin.domain.message_status import rank
from twilio_plugin.domain.outbound import Part, Receipt, Template
from twilio_plugin.services.ports import Clock


class SendsTable:
    """`Sends` on DynamoDB."""

    def __init__(
        self, database: DynamoDB, table: str, outbox: OutboxTable, conversations: ConversationsTable, clock: Clock
    ) -> None:
        self._database = database
        self._table = table
        self._outbox = outbox
        self._conversations = conversations
        self._claims = Claims(database, table, clock, kind="send")

    def claim(self, part: Part) -> Receipt | None:
        earlier = self._claims.claim(_key(part), part.fingerprint, _item(part))
        if earlier is None:
            return None
        return Receipt(
            earlier["message_sid"], earlier["account_sid"], earlier["status"], template_text=earlier.get("template_text")
        )

    def release(self, part: Part) -> None:
        self._claims.release(_key(part))

    def mark_unknown(self, part: Part) -> None:
        self._claims.mark_unknown(_key(part))

    def record_sent(self, part: Part, receipt: Receipt, entry: Entry, event: Event) -> bool:
        outcome = {
            "state": "sent",
            "message_sid": receipt.message_sid,
            "account_sid": receipt.account_sid,
            "status": receipt.status,
            **({"template_text": receipt.template_text} if receipt.template_text else {}),
        }
        writes = [
            self._claims.settle(_key(part), outcome),
            self._know_message(part, receipt, entry.occurred_at),
            self._conversations.put_entry(entry),
            self._outbox.put(event),
        ]
        try:
            self._database.transact(writes)
        except ConditionFailed:
            return False
        return True

    def record_not_sent(self, part: Part, event: Event) -> bool:
        try:
            self._database.transact([self._claims.settle(_key(part), {"state": "not_sent"}), self._outbox.put(event)])
        except ConditionFailed:
            return False
        return True

    def unsettled(self, *, before: datetime) -> Iterator[tuple[Part, datetime]]:
        items = self._claims.unsettled(before=before)
        return ((_part(item), datetime.fromisoformat(item["claimed_at"])) for item in items)

    def senders_of(self, message_sids: Iterable[str]) -> Mapping[str, tuple[str, int] | None]:
        sids = list(dict.fromkeys(message_sids))
        found: dict[str, tuple[str, int] | None] = {}
        for at in range(0, len(sids), 100):
            keys = [message_key(sid) for sid in sids[at : at + 100]]
            for item in self._database.get_many(self._table, keys, attributes=("conversation_id", "send_id", "part")):
                sid = item["conversation_id"].removeprefix("message|")
                found[sid] = (item["send_id"], item["part"]) if "send_id" in item and "part" in item else None
        return found

    def _know_message(self, part: Part, receipt: Receipt, now: str) -> dict[str, Any]:
        """A status callback may have been here first: what it wrote stays."""
        values = {
            "status": receipt.status,
            "status_rank": rank(receipt.status),
            "error_code": receipt.error_code,
            "send_id": part.send_id,
            "part": part.number,
            "ttl": self._conversations.ttl(now),
        }
        present = {name: value for name, value in values.items() if value is not None}
        return {
            "Update": {
                "TableName": self._table,
                "Key": typed(message_key(receipt.message_sid)),
                "UpdateExpression": "SET " + ", ".join(f"#{name} = if_not_exists(#{name}, :{name})" for name in present),
                "ExpressionAttributeNames": {f"#{name}": name for name in present},
                "ExpressionAttributeValues": typed({f":{name}": value for name, value in present.items()}),
            }
        }


def _key(part: Part) -> dict[str, str]:
    return {"conversation_id": claim_partition(part.send_id), "sk": f"PART#{part.number:04d}"}


def _item(part: Part) -> Item:
    return {
        "parts": part.parts,
        "from_": str(part.sender),
        "to": str(part.recipient),
        "body": part.body,
        "media_url": list(part.media_url),
        "messaging_service_sid": part.messaging_service_sid,
        "template": dataclasses.asdict(part.template) if part.template else None,
    }


def _part(item: Item) -> Part:
    return Part(
        send_id=item["conversation_id"].removeprefix(claim_partition("")),
        number=int(item["sk"].removeprefix("PART#")),
        parts=item["parts"],
        fingerprint=item["fingerprint"],
        sender=Address.parse(item["from_"]),
        recipient=Address.parse(item["to"]),
        body=item["body"],
        media_url=tuple(item["media_url"]),
        messaging_service_sid=item.get("messaging_service_sid"),
        template=Template(**item["template"]) if item.get("template") else None,
    )
