"""Reading a conversation back from the Conversations table; see `twilio_plugin.adapters.conversations` for its keys."""

from __future__ import annotations

from collections.abc import Sequence

from twilio_plugin.adapters.conversations import ENTRY, message_key
from twilio_plugin.adapters.dynamodb import DynamoDB, Item, typed
from twilio_plugin.domain.conversation import Entry, KeptMedia
from twilio_plugin.errors import InvalidPageToken
from twilio_plugin.services.ports import Page


class HistoryTable:
    """`History` on DynamoDB. A page costs the same however long the conversation is."""

    def __init__(self, database: DynamoDB, table: str) -> None:
        self._database = database
        self._table = table

    def page(self, conversation_id: str, *, limit: int, before: str | None) -> Page:
        if before is not None and not before.startswith(ENTRY):
            raise InvalidPageToken("`next_token` is not one of ours. Pass back the one of the last answer.")
        items = self._database.query(
            TableName=self._table,
            KeyConditionExpression="conversation_id = :id AND sk BETWEEN :first AND :last",
            # ENTRY$ sorts right behind every ENTRY#…; BETWEEN includes `before` itself, which was on the page before.
            ExpressionAttributeValues=typed({":id": conversation_id, ":first": ENTRY, ":last": before or "ENTRY$"}),
            ScanIndexForward=False,
            ConsistentRead=True,
            Limit=limit + (2 if before else 1),
        )
        older = [item for item in items if item["sk"] != before]
        shown = older[:limit]
        return Page(self._entries(shown[::-1]), shown[-1]["sk"] if len(older) > limit else None)

    def _entries(self, items: Sequence[Item]) -> list[Entry]:
        sids = [item["message_sid"] for item in items if item["direction"] == "outbound" and item["kind"] != "speech"]
        statuses = self._statuses(sids) if sids else {}
        return [_entry(item, statuses.get(item["message_sid"], {})) for item in items]

    def _statuses(self, message_sids: Sequence[str]) -> dict[str, Item]:
        keys = [message_key(sid) for sid in dict.fromkeys(message_sids)]
        found = self._database.get_many(self._table, keys, attributes=("conversation_id", "status", "error_code"))
        return {item["conversation_id"].removeprefix("message|"): item for item in found}


def _entry(item: Item, status: Item) -> Entry:
    return Entry(
        conversation_id=item["conversation_id"],
        occurred_at=item["occurred_at"],
        kind=item["kind"],
        direction=item["direction"],
        message_sid=item["message_sid"],
        from_=item["from_"],
        to=item["to"],
        body=item["body"],
        media=tuple(KeptMedia(**media) for media in item["media"]),
        opt_out_type=item.get("opt_out_type"),
        call_sid=item.get("call_sid"),
        speaker=item.get("speaker"),
        status=status.get("status"),
        error_code=status.get("error_code"),
    )
