"""Turns of the person where Twilio makes the words: counted on the stream's item, kept in the history, in one transaction."""

from __future__ import annotations

from twilio_plugin.adapters.conversations import ConversationsTable
from twilio_plugin.adapters.dynamodb import ConditionFailed, DynamoDB, Item, sets, update
from twilio_plugin.adapters.streams import GOING_ON, stream_key
from twilio_plugin.domain.conversation import Entry
from twilio_plugin.domain.stream import Stream


class PersonTurnsTable:
    """`PersonTurns` on DynamoDB."""

    def __init__(self, database: DynamoDB, table: str, conversations: ConversationsTable) -> None:
        self._database = database
        self._table = table
        self._conversations = conversations

    def add(self, stream: Stream, entry: Entry, now: str) -> bool:
        values: Item = {"turns": stream.turns + 1, "last_words": entry.body, "heard_at": now}
        count = update(
            self._table,
            stream_key(stream.call_sid, stream.leg),
            sets(values),
            condition=f"{GOING_ON} AND #turns = :before",
            values=values | {"before": stream.turns},
        )
        try:
            self._database.transact([count, self._conversations.put_entry(entry)])
        except ConditionFailed:
            return False
        return True
