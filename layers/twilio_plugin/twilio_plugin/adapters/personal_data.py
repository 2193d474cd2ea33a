"""All that the tables keep of a person, page after page of a whole table: the one place that scans them.

What hangs on an item (a message's status, a call's streams and frames) has a key that follows from it, so nothing needs to be
remembered from page to page. Where the number only stands in what belongs to others, it is masked.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from twilio_plugin.adapters.agent_turns import taken_key
from twilio_plugin.adapters.conversations import ENTRY, message_key
from twilio_plugin.adapters.counters import held_key
from twilio_plugin.adapters.dynamodb import ConditionFailed, DynamoDB, Item, sets, typed, update
from twilio_plugin.adapters.number_settings import PARTITION
from twilio_plugin.adapters.streams import connection_key
from twilio_plugin.domain.address import Address
from twilio_plugin.domain.events import SpeechReceived, event_id
from twilio_plugin.domain.forgetting import Person
from twilio_plugin.domain.guards import holder_of
from twilio_plugin.services.ports import Found, KeptIn, Place

_KEYS: dict[KeptIn, tuple[str, ...]] = {
    "outbox": ("event_id",),
    "calls": ("call_sid", "sk"),
    "conversations": ("conversation_id", "sk"),
}


class PersonalDataTables:
    """`PersonalData` on DynamoDB."""

    def __init__(self, database: DynamoDB, tables: Mapping[KeptIn, str], *, frames_table: str) -> None:
        self._database = database
        self._tables = tables
        self._frames = frames_table

    def page(self, kept_in: KeptIn, person: Person, after: Place | None) -> tuple[Found, Place | None]:
        items, next_place = self._database.scan_page(self._tables[kept_in], after)
        found = Found()
        for item in items:
            if _is_ours(item, person):
                found.is_ours = True
            elif kept_in == "outbox":
                self._look_at_event(item, person, found)
            elif _is_theirs(item, person):
                self._look_at_theirs(kept_in, item, found)
            elif person.is_held_by([item[name] for name in _KEYS[kept_in]]):
                found.keys.append(_key(kept_in, item))
            elif person.is_held_by(item):
                found.mentions.append(item)
        return found, next_place

    def delete(self, kept_in: KeptIn, found: Found) -> None:
        for connection_id in found.connection_ids:
            self._database.delete_many(self._frames, list(self._frames_of(connection_id)))
        self._database.delete_many(self._tables["conversations"], _once(found.elsewhere))
        self._database.delete_many(self._tables[kept_in], _once(found.keys))

    def count_frames(self, found: Found) -> int:
        return sum(1 for connection_id in found.connection_ids for _ in self._frames_of(connection_id))

    def mask(self, kept_in: KeptIn, person: Person, item: Item) -> None:
        values = {
            name: person.masked(value)
            for name, value in item.items()
            if name not in _KEYS[kept_in] and person.is_held_by(value)
        }
        exists = " AND ".join(f"attribute_exists(#{name})" for name in _KEYS[kept_in])
        try:
            self._database.write(
                update(self._tables[kept_in], _key(kept_in, item), sets(values), condition=exists, values=values)
            )
        except ConditionFailed:
            return  # gone meanwhile

    def _look_at_event(self, item: Item, person: Person, found: Found) -> None:
        conversation_id = json.loads(item["detail"]).get("conversation_id", "")
        if person.is_ours_in(conversation_id):
            found.is_ours = True
        elif person.is_in(conversation_id):
            found.keys.append(_key("outbox", item))
        elif person.is_held_by(item):
            found.mentions.append(item)

    def _look_at_theirs(self, kept_in: KeptIn, item: Item, found: Found) -> None:
        if kept_in == "calls":
            self._look_at_call(item["call_sid"], found)
            return
        if item["sk"].startswith(ENTRY) and item["kind"] != "speech":
            found.keys.append(message_key(item["message_sid"]))
            found.message_sids.append(item["message_sid"])
            if item["direction"] == "inbound" and item["media"]:
                found.media_of.append(item["message_sid"])
        found.keys.append(_key(kept_in, item))  # last: it is what leads to the others

    def _look_at_call(self, call_sid: str, found: Found) -> None:
        if call_sid in found.call_sids:
            return
        found.call_sids.append(call_sid)
        of_call = {
            "TableName": self._tables["calls"],
            "KeyConditionExpression": "call_sid = :call",
            "ExpressionAttributeValues": typed({":call": call_sid}),
            "ScanIndexForward": False,  # the call itself last: it is what leads to the others
        }
        for item in self._database.pages("query", **of_call):
            if item["sk"] == "CALL" and (holder := holder_of(item["direction"], call_sid, item.get("request_id"))):
                found.elsewhere.append(held_key(holder))
            if item["sk"].startswith("STREAM#"):
                if item["connection_id"]:  # a gathered call has none
                    found.keys.append(connection_key(item["connection_id"]))
                    found.connection_ids.append(item["connection_id"])
                turns = range(1, item.get("turns", 0) + 1)
                found.elsewhere += [taken_key(event_id(SpeechReceived, item["stream_sid"], turn)) for turn in turns]
            if item["sk"].startswith("RECORDING#"):
                found.recording_sids.append(item["sk"].split("#")[1])
            found.keys.append(_key("calls", item))

    def _frames_of(self, connection_id: str) -> Iterator[Item]:
        return self._database.pages(
            "query",
            TableName=self._frames,
            KeyConditionExpression="connection_id = :connection",
            ProjectionExpression="connection_id, sequence_number",
            ExpressionAttributeValues=typed({":connection": connection_id}),
        )


def _is_ours(item: Item, person: Person) -> bool:
    """Of a conversation in which the number is our side; or what was set on it before it was pointed at this stack."""
    kept_under = str(item.get("conversation_id", ""))
    return person.is_ours_in(kept_under) or (kept_under == PARTITION and item["sk"] == person.number)


def _is_theirs(item: Item, person: Person) -> bool:
    """Of a conversation with them; or a send or a call on its way to them, which names only its two ends."""
    if "to" in item and item["sk"].startswith(("PART#", "CALL")) and "conversation_id" in item and "claim" in item:
        return Address.parse(item["to"]).value == person.number
    return person.is_in(str(item.get("conversation_id", "")))


def _key(kept_in: KeptIn, item: Item) -> dict[str, str]:
    return {name: item[name] for name in _KEYS[kept_in]}


def _once(keys: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """A batch must not name an item twice."""
    return list({tuple(key.items()): key for key in keys}.values())
