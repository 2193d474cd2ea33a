"""Claims: an item that is written before a request to Twilio, so that the same thing is not asked for twice.

A claim is ``sending``, then ``sent``, ``unknown`` or ``not_sent``. While it has no outcome it carries ``unsettled``, the key of
the sparse index by which reconciliation finds it without reading anything else. Claims live in the Conversations table.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from twilio_plugin.adapters.dynamodb import ConditionFailed, DynamoDB, Item, typed
from twilio_plugin.domain.timestamp import epoch, iso
from twilio_plugin.errors import IdempotencyKeyReused, SendInProgress, SendOutcomeUnknown
from twilio_plugin.services.ports import Clock

KEPT_DAYS = 1  # how long an idempotency key is remembered
# No function that sends runs this long: a claim still `sending` after it lost its invocation, and nobody knows the outcome.
CLAIM = timedelta(seconds=90)
UNSETTLED_INDEX = "unsettled_sends"


def claim_partition(request_id: str) -> str:
    """Where the claims of one request are."""
    return f"send|{request_id}"


class Claims:
    """The claims of one kind: ``send`` for texts, ``call`` for calls."""

    def __init__(self, database: DynamoDB, table: str, clock: Clock, *, kind: str) -> None:
        self._database = database
        self._table = table
        self._clock = clock
        self._kind = kind

    def claim(self, key: Mapping[str, str], fingerprint: str, request: Mapping[str, Any]) -> Item | None:
        """Write the claim. What is returned instead is an earlier one that was ``sent``.

        Raises:
            IdempotencyKeyReused, SendInProgress, SendOutcomeUnknown: what an earlier one means for this.
        """
        now, claim = self._clock(), uuid.uuid4().hex
        item = {
            **request,
            **key,
            "state": "sending",
            "claim": claim,
            "fingerprint": fingerprint,
            "unsettled": self._kind,
            "claimed_at": iso(now),
            "ttl": epoch(now, days=KEPT_DAYS),
        }
        put = {
            "TableName": self._table,
            "Item": typed(item),
            "ConditionExpression": "attribute_not_exists(sk) OR #ttl < :now OR (#state = :free AND fingerprint = :same)",
            "ExpressionAttributeNames": {"#ttl": "ttl", "#state": "state"},
            "ExpressionAttributeValues": typed({":now": epoch(now), ":free": "not_sent", ":same": fingerprint}),
        }
        try:
            self._database.write({"Put": put})
        except ConditionFailed as conflict:
            earlier = conflict.existing or {}
            # boto3 repeats a put whose answer was lost: then it is our own claim that is in the way.
            return None if earlier.get("claim") == claim else _earlier(earlier, fingerprint, now)
        return None

    def release(self, key: Mapping[str, str]) -> None:
        """Forget a claim that is still ``sending``."""
        delete = {
            "TableName": self._table,
            "Key": typed(key),
            "ConditionExpression": "#state = :sending",
            "ExpressionAttributeNames": {"#state": "state"},
            "ExpressionAttributeValues": typed({":sending": "sending"}),
        }
        self._unless_settled({"Delete": delete})

    def mark_unknown(self, key: Mapping[str, str]) -> None:
        """Nobody knows what became of it; it stays unsettled."""
        self._unless_settled(self._update(key, {"state": "unknown"}))

    def settle(self, key: Mapping[str, str], outcome: Mapping[str, Any]) -> dict[str, Any]:
        """The write that gives a claim its outcome, for a transaction; its condition is that it has none."""
        write = self._update(key, outcome)
        write["Update"]["UpdateExpression"] += " REMOVE unsettled"
        return write

    def unsettled(self, *, before: datetime) -> Iterator[Item]:
        """Claims older than a moment and without an outcome; oldest first."""
        return self._database.pages(
            "query",
            TableName=self._table,
            IndexName=UNSETTLED_INDEX,
            KeyConditionExpression="unsettled = :kind AND claimed_at < :before",
            ExpressionAttributeValues=typed({":kind": self._kind, ":before": iso(before)}),
        )

    def _update(self, key: Mapping[str, str], outcome: Mapping[str, Any]) -> dict[str, Any]:
        values = {f":{name}": value for name, value in outcome.items()}
        return {
            "Update": {
                "TableName": self._table,
                "Key": typed(key),
                "UpdateExpression": "SET " + ", ".join(f"#{name} = :{name}" for name in outcome),
                "ConditionExpression": "#state IN (:sending, :unknown)",
                "ExpressionAttributeNames": {f"#{name}": name for name in outcome},
                "ExpressionAttributeValues": typed(values | {":sending": "sending", ":unknown": "unknown"}),
            }
        }

    def _unless_settled(self, write: Mapping[str, Any]) -> None:
        try:
            self._database.write(write)
        except ConditionFailed:
            return  # it was settled in the meantime


def _earlier(existing: Item, fingerprint: str, now: datetime) -> Item:
    """What a claim that is there already means for a caller who wants the same."""
    key = repr(existing["conversation_id"].removeprefix(claim_partition(""))[:40])
    if existing["fingerprint"] != fingerprint:
        raise IdempotencyKeyReused(
            f"The idempotency key {key} was used within {KEPT_DAYS * 24} hours for something else. "
            "Use a new key for a new message or call."
        )
    if existing["state"] == "sent":
        return existing
    if existing["state"] == "sending" and now - datetime.fromisoformat(existing["claimed_at"]) < CLAIM:
        raise SendInProgress(f"{key} is being sent by another invocation. Ask again in a minute.")
    raise SendOutcomeUnknown(
        f"The connection to Twilio broke while {key} was sent. It is being looked up; do not send it again. "
        "An event will tell what became of it."
    )
