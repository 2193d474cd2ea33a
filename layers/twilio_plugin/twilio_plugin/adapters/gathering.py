"""Calls that are held by documents, on the items of their streams; see `twilio_plugin.adapters.streams` for the keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twilio_plugin.adapters.conversations import ConversationsTable
from twilio_plugin.adapters.dynamodb import ConditionFailed, DynamoDB, Item, sets, update
from twilio_plugin.adapters.outbox import OutboxTable
from twilio_plugin.adapters.streams import GOING_ON, stream_key
from twilio_plugin.adapters.utterances import SPEAKING, utterance_key
from twilio_plugin.domain.conversation import Entry
from twilio_plugin.domain.events import Event
from twilio_plugin.domain.speech import Utterance
from twilio_plugin.domain.stream import Stream


class GatheringTable:
    """`Gathering` on DynamoDB."""

    def __init__(self, database: DynamoDB, table: str, outbox: OutboxTable, conversations: ConversationsTable) -> None:
        self._database = database
        self._table = table
        self._outbox = outbox
        self._conversations = conversations

    def hear(self, stream: Stream, after: Stream, events: Sequence[Event], entry: Entry | None) -> bool:
        values: Item = {"heard_step": after.heard_step, "turns": after.turns}
        values |= {name: value for name in ("last_words", "heard_at") if (value := getattr(after, name)) is not None}
        before = {"before": stream.heard_step}
        writes = [self._update(stream, sets(values), f"{GOING_ON} AND #heard_step = :before", values | before)]
        writes += [self._outbox.put(event) for event in events]
        if entry:
            writes.append(self._conversations.put_entry(entry))
        return self._committed(writes)

    def give_out(self, stream: Stream, after: Stream, given: Sequence[Utterance]) -> bool:
        values: Item = {"step": after.step, "seen_at": after.seen_at}
        values |= {"prompt_ends_at": after.prompt_ends_at} if after.prompt_ends_at else {}
        expression = sets(values) + ("" if after.prompt_ends_at else " REMOVE #prompt_ends_at")
        # What begins to be said changes `said_at`: a document that does not have it is not given out.
        said = "#said_at = :said" if stream.said_at else "attribute_not_exists(#said_at)"
        condition = f"{GOING_ON} AND #step = :before AND #woken_step = :woken AND {said}"
        read: Item = {"before": stream.step, "woken": stream.woken_step} | ({"said": stream.said_at} if stream.said_at else {})
        writes = [self._update(stream, expression, condition, values | read)]
        return self._committed([*writes, *map(self._says, given)])

    def wake(self, stream: Stream) -> bool:
        condition = f"{GOING_ON} AND #step = :step AND #woken_step < :step"
        write = self._update(stream, "SET #woken_step = :step", condition, {"step": stream.step})
        # As a transaction it has a token, by which a repeated one is the same one: nobody finds their own work done by another.
        return self._committed([write])

    def notice(self, stream: Stream) -> None:
        values = {"spoken_step": stream.spoken_step, "spoken_at": stream.spoken_at}
        condition = f"{GOING_ON} AND #spoken_step < :spoken_step"
        try:
            self._database.write(self._update(stream, sets(values), condition, values))
        except ConditionFailed:
            return

    def _says(self, utterance: Utterance) -> dict[str, Any]:
        key = utterance_key(utterance.call_sid, utterance.utterance_id)
        condition = "#state = :speaking AND attribute_not_exists(#begins_at)"
        values = {"begins_at": utterance.begins_at, "speaking": SPEAKING}
        return update(self._table, key, "SET #begins_at = :begins_at", condition=condition, values=values)

    def _update(self, stream: Stream, expression: str, condition: str, values: Item) -> dict[str, Any]:
        return update(self._table, stream_key(stream.call_sid, stream.leg), expression, condition=condition, values=values)

    def _committed(self, writes: Sequence[dict[str, Any]]) -> bool:
        try:
            self._database.transact(writes)
        except ConditionFailed:
            return False
        return True
