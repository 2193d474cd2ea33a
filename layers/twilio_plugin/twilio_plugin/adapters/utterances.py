"""What the agent says, in the Calls table beside the call: ``call_sid`` / ``UTTERANCE#<utterance id>``; the ids sort by time.

Who may speak into a stream is on the stream's own item: ``speaker`` and ``speaker_until``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from twilio_plugin.adapters.conversations import ConversationsTable
from twilio_plugin.adapters.dynamodb import ConditionFailed, DynamoDB, Item, sets, typed, update
from twilio_plugin.adapters.outbox import OutboxTable
from twilio_plugin.adapters.streams import GOING_ON, kept_until, stream_key
from twilio_plugin.domain.conversation import Entry
from twilio_plugin.domain.events import Event
from twilio_plugin.domain.speech import Piece, Utterance
from twilio_plugin.domain.stream import Stream
from twilio_plugin.errors import NoMediaStream

_UTTERANCE = "UTTERANCE#"
SPEAKING = "speaking"
_FIELDS = [field.name for field in dataclasses.fields(Utterance)]
# Those that are not over are among the newest: behind so many in a row that are, nothing is looked for.
_OVER_IN_A_ROW = 10


class UtterancesTable:
    """`Utterances` on DynamoDB."""

    def __init__(
        self,
        database: DynamoDB,
        table: str,
        outbox: OutboxTable,
        conversations: ConversationsTable,
        *,
        retention_days: int,
    ) -> None:
        self._database = database
        self._table = table
        self._outbox = outbox
        self._conversations = conversations
        self._retention_days = retention_days

    def hold(self, stream: Stream, utterance_id: str, *, until: str, now: str) -> bool:
        free = "attribute_not_exists(#speaker) OR #speaker = :speaker OR #speaker_until < :now"
        values = {"speaker": utterance_id, "speaker_until": until}
        return self._change_stream(stream, sets(values), f"attribute_exists(#sk) AND ({free})", values | {"now": now})

    def let_go(self, stream: Stream, utterance_id: str) -> None:
        self._change_stream(stream, "REMOVE #speaker, #speaker_until", "#speaker = :speaker", {"speaker": utterance_id})

    def begin(self, stream: Stream, utterance: Utterance) -> None:
        said = {"saying": utterance.text, "said_at": utterance.started_at}
        say = update(self._table, stream_key(stream.call_sid, stream.leg), sets(said), condition=GOING_ON, values=said)
        try:
            self._database.transact([say, self._put(utterance)])
        except ConditionFailed as conflict:
            if 0 in conflict.failed:
                raise NoMediaStream("The call's media stream is over. A later one of the same call may follow.") from conflict

    def add_pieces(self, utterance: Utterance, more: Sequence[Piece], *, complete: bool) -> bool:
        expression = "SET #pieces = list_append(#pieces, :more), #complete = :complete"
        values = {"more": [dataclasses.asdict(piece) for piece in more], "complete": complete, "speaking": SPEAKING}
        try:
            # As a transaction it has a token, by which a repeated one is the same one: no piece is counted twice.
            self._database.transact([self._update(utterance, expression, "#state = :speaking", values)])
        except ConditionFailed:
            return False
        return True

    def find(self, call_sid: str, utterance_id: str) -> Utterance | None:
        item = self._database.get(self._table, utterance_key(call_sid, utterance_id))
        return _utterance(item) if item else None

    def open(self, call_sid: str) -> list[Utterance]:
        newest_first = self._database.pages(
            "query",
            TableName=self._table,
            KeyConditionExpression="call_sid = :call AND begins_with(sk, :utterance)",
            ExpressionAttributeValues=typed({":call": call_sid, ":utterance": _UTTERANCE}),
            ScanIndexForward=False,
            ConsistentRead=True,
            Limit=_OVER_IN_A_ROW,
        )
        found: list[Utterance] = []
        over = 0
        for item in newest_first:
            if item["state"] == SPEAKING:
                found.append(_utterance(item))
                over = 0
            elif (over := over + 1) == _OVER_IN_A_ROW:
                break
        return found[::-1]

    def heard(self, utterance: Utterance, pieces: int) -> None:
        condition = "#state = :speaking AND #heard < :heard"
        values = {"heard": pieces, "speaking": SPEAKING}
        try:
            self._database.write(self._update(utterance, "SET #heard = :heard", condition, values))
        except ConditionFailed:
            return

    def end(self, utterance: Utterance, event: Event, entry: Entry | None) -> bool:
        condition = "#state = :speaking AND #heard <= :heard"
        values = {"state": utterance.state, "heard": utterance.heard, "speaking": SPEAKING}
        writes = [self._update(utterance, "SET #state = :state, #heard = :heard", condition, values), self._outbox.put(event)]
        if entry:
            writes.append(self._conversations.put_entry(entry))
        try:
            self._database.transact(writes)
        except ConditionFailed:
            return False
        return True

    def _put(self, utterance: Utterance) -> dict[str, Any]:
        item = dataclasses.asdict(utterance) | utterance_key(utterance.call_sid, utterance.utterance_id)
        item["ttl"] = kept_until(utterance.started_at, self._retention_days)
        return {"Put": {"TableName": self._table, "Item": typed(item), "ConditionExpression": "attribute_not_exists(sk)"}}

    def _update(self, utterance: Utterance, expression: str, condition: str, values: Item) -> dict[str, Any]:
        key = utterance_key(utterance.call_sid, utterance.utterance_id)
        return update(self._table, key, expression, condition=condition, values=values)

    def _change_stream(self, stream: Stream, expression: str, condition: str, values: Item) -> bool:
        key = stream_key(stream.call_sid, stream.leg)
        try:
            self._database.write(update(self._table, key, expression, condition=condition, values=values))
        except ConditionFailed:
            return False
        return True


def utterance_key(call_sid: str, utterance_id: str) -> dict[str, str]:
    """Where an utterance is kept."""
    return {"call_sid": call_sid, "sk": f"{_UTTERANCE}{utterance_id}"}


def _utterance(item: Item) -> Utterance:
    pieces = tuple(Piece(piece["words"], int(piece["milliseconds"])) for piece in item["pieces"])
    return Utterance(**{name: item[name] for name in _FIELDS if name in item} | {"pieces": pieces})
