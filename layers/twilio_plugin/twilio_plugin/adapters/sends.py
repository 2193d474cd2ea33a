"""The record of sends, in the Conversations table (``send|<send id>`` / ``PART#<number>``).

A part is ``sending``, then ``sent``, ``unknown`` or ``not_sent``. While it has no outcome it carries ``unsettled``, the key of
the sparse index by which reconciliation finds it without reading anything else.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from twilio_plugin.adapters.conversations import ConversationsTable, message_key
from twilio_plugin.adapters.dynamodb import ConditionFailed, DynamoDB, Item, typed
from twilio_plugin.adapters.outbox import OutboxTable
from twilio_plugin.domain.address import Address
from twilio_plugin.domain.conversation import Entry
from twilio_plugin.domain.events import Event
from twilio_plugin.domain.message_status import rank
from twilio_plugin.domain.outbound import Part, Receipt
from twilio_plugin.domain.timestamp import epoch, iso
from twilio_plugin.errors import IdempotencyKeyReused, SendInProgress, SendOutcomeUnknown
from twilio_plugin.services.ports import Clock

KEPT_DAYS = 1  # how long an idempotency key is remembered
# No send function runs this long: a part still `sending` after it lost its invocation, and nobody knows the outcome.
CLAIM = timedelta(seconds=90)
UNSETTLED_INDEX = "unsettled_sends"


class SendsTable:
    """`Sends` on DynamoDB."""

    def __init__(
        self, database: DynamoDB, table: str, outbox: OutboxTable, conversations: ConversationsTable, clock: Clock
    ) -> None:
        self._database = database
        self._table = table
        self._outbox = outbox
        self._conversations = conversations
        self._clock = clock

    def claim(self, part: Part) -> Receipt | None:
        now, claim = self._clock(), uuid.uuid4().hex
        put = {
            "TableName": self._table,
            "Item": typed(_item(part, now) | {"claim": claim}),
            "ConditionExpression": "attribute_not_exists(sk) OR #ttl < :now OR (#state = :free AND fingerprint = :same)",
            "ExpressionAttributeNames": {"#ttl": "ttl", "#state": "state"},
            "ExpressionAttributeValues": typed({":now": epoch(now), ":free": "not_sent", ":same": part.fingerprint}),
        }
        try:
            self._database.write({"Put": put})
        except ConditionFailed as conflict:
            earlier = conflict.existing or {}
            # boto3 repeats a put whose answer was lost: then it is our own claim that is in the way.
            return None if earlier.get("claim") == claim else _earlier(earlier, part, now)
        return None

    def release(self, part: Part) -> None:
        try:
            self._database.write({"Delete": {"TableName": self._table, "Key": typed(_key(part)), **_ONLY_SENDING}})
        except ConditionFailed:
            return  # it was settled in the meantime

    def mark_unknown(self, part: Part) -> None:
        try:
            self._database.write(self._settle(part, {"state": "unknown"}, settled=False))
        except ConditionFailed:
            return  # it was settled in the meantime

    def record_sent(self, part: Part, receipt: Receipt, entry: Entry, event: Event) -> bool:
        outcome = {
            "state": "sent",
            "message_sid": receipt.message_sid,
            "account_sid": receipt.account_sid,
            "status": receipt.status,
        }
        writes = [
            self._settle(part, outcome, settled=True),
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
            self._database.transact([self._settle(part, {"state": "not_sent"}, settled=True), self._outbox.put(event)])
        except ConditionFailed:
            return False
        return True

    def unsettled(self, *, before: datetime) -> Iterator[tuple[Part, datetime]]:
        items = self._database.pages(
            "query",
            TableName=self._table,
            IndexName=UNSETTLED_INDEX,
            KeyConditionExpression="unsettled = :unsettled AND claimed_at < :before",
            ExpressionAttributeValues=typed({":unsettled": "send", ":before": iso(before)}),
        )
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

    def _settle(self, part: Part, outcome: Item, *, settled: bool) -> dict[str, Any]:
        sets = ", ".join(f"#{name} = :{name}" for name in outcome)
        return {
            "Update": {
                "TableName": self._table,
                "Key": typed(_key(part)),
                "UpdateExpression": f"SET {sets}" + (" REMOVE unsettled" if settled else ""),
                "ConditionExpression": "#state IN (:sending, :unknown)",
                "ExpressionAttributeNames": {f"#{name}": name for name in outcome},
                "ExpressionAttributeValues": typed(
                    {f":{name}": value for name, value in outcome.items()} | {":sending": "sending", ":unknown": "unknown"}
                ),
            }
        }

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


_ONLY_SENDING: dict[str, Any] = {
    "ConditionExpression": "#state = :sending",
    "ExpressionAttributeNames": {"#state": "state"},
    "ExpressionAttributeValues": typed({":sending": "sending"}),
}


def _key(part: Part) -> dict[str, str]:
    return {"conversation_id": f"send|{part.send_id}", "sk": f"PART#{part.number:04d}"}


def _item(part: Part, now: datetime) -> Item:
    return {
        **_key(part),
        "state": "sending",
        "unsettled": "send",
        "claimed_at": iso(now),
        "ttl": epoch(now, days=KEPT_DAYS),
        "fingerprint": part.fingerprint,
        "parts": part.parts,
        "from_": str(part.sender),
        "to": str(part.recipient),
        "body": part.body,
        "media_url": list(part.media_url),
        "messaging_service_sid": part.messaging_service_sid,
    }


def _part(item: Item) -> Part:
    return Part(
        send_id=item["conversation_id"].removeprefix("send|"),
        number=int(item["sk"].removeprefix("PART#")),
        parts=item["parts"],
        fingerprint=item["fingerprint"],
        sender=Address.parse(item["from_"]),
        recipient=Address.parse(item["to"]),
        body=item["body"],
        media_url=tuple(item["media_url"]),
        messaging_service_sid=item.get("messaging_service_sid"),
    )


def _earlier(existing: Item, part: Part, now: datetime) -> Receipt:
    """What a part that is there already means for a caller who wants to send it."""
    if existing["fingerprint"] != part.fingerprint:
        raise IdempotencyKeyReused(
            f"The idempotency key {part.send_id[:40]!r} was used within {KEPT_DAYS * 24} hours for another message. "
            "Use a new key for a new message."
        )
    if existing["state"] == "sent":
        return Receipt(existing["message_sid"], existing["account_sid"], existing["status"])
    if existing["state"] == "sending" and now - datetime.fromisoformat(existing["claimed_at"]) < CLAIM:
        raise SendInProgress(f"{part.send_id[:40]!r} is being sent by another invocation. Ask again in a minute.")
    raise SendOutcomeUnknown(
        f"The connection to Twilio broke while {part.send_id[:40]!r} was sent. It is being looked up; do not send it again. "
        "SMS_SENT or SMS_FAILED will tell."
    )
