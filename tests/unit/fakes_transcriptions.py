"""Calls that are only listened to, under test: the port in memory, and on the tables that the template deploys.

`test_transcriptions_contract` holds the fake to what the adapter does.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.unit.fakes import ACCOUNT, END_OF_TIME, FakeClock, FakeConversations, FakeHistory, FakeOutbox
from tests.unit.fakes_calls import OURS, PAIR, THEIRS, FakeCalls, sid
from twilio_plugin.adapters.calls import CallsTable
from twilio_plugin.adapters.conversations import ConversationsTable
from twilio_plugin.adapters.dynamodb import DynamoDB
from twilio_plugin.adapters.history import HistoryTable
from twilio_plugin.adapters.outbox import OutboxTable
from twilio_plugin.adapters.transcriptions import TranscriptionsTable
from twilio_plugin.domain.conversation import Entry
from twilio_plugin.domain.events import Event
from twilio_plugin.domain.transcription import CallTranscription, TranscriptionReport
from twilio_plugin.errors import StorageUnavailable
from twilio_plugin.services import ports

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def transcription_sid(number: int) -> str:
    """A transcription's SID."""
    return f"GT{number:032x}"


def transcription(number: int = 1, **more: Any) -> CallTranscription:
    """The transcription of a person's call to us, of which nothing is dealt with yet."""
    facts: dict[str, Any] = {
        "call_sid": sid(number),
        "transcription_sid": transcription_sid(number),
        "account_sid": ACCOUNT,
        "conversation_id": PAIR,
        "direction": "inbound",
        "from_": THEIRS,
        "to": OURS,
        "started_at": "2026-11-22T08:00:10.000Z",
        "other": "agent",
    }
    return CallTranscription(**(facts | more))


def report(sequence_id: int, text: str = "", number: int = 1, **more: Any) -> TranscriptionReport:
    """What Twilio reports under a number: words of the person where there are any."""
    facts: dict[str, Any] = {
        "call_sid": sid(number),
        "account_sid": ACCOUNT,
        "transcription_sid": transcription_sid(number),
        "event": "transcription-content",
        "sequence_id": sequence_id,
        "at": f"2026-11-22T08:00:{sequence_id % 60:02d}.500Z",
        "other": "agent",
        "track": "inbound_track",
        "text": text,
    }
    return TranscriptionReport(**(facts | more))


class FakeCallTranscriptions:
    """`unavailable` are the names of the methods that storage fails; `meanwhile` runs once, before the next `settle`."""

    def __init__(self, outbox: FakeOutbox, conversations: FakeConversations) -> None:
        self._outbox = outbox
        self._conversations = conversations
        self._transcriptions: dict[tuple[str, str], CallTranscription] = {}
        self._reports: dict[tuple[str, int, str, str | None], TranscriptionReport] = {}
        self._settled: set[tuple[str, int, str, str | None]] = set()
        self.unavailable: set[str] = set()
        self.meanwhile: list[Callable[[], object]] = []

    def of_call(self, call_sid: str) -> list[CallTranscription]:
        return [one for one in self._transcriptions.values() if one.call_sid == call_sid and not one.ended_at]

    def active(self) -> list[CallTranscription]:
        running = [one for one in self._transcriptions.values() if not one.ended_at]
        return sorted(running, key=lambda one: one.started_at)[:100]

    def add(self, report: TranscriptionReport) -> None:
        self._reach("add")
        self._reports.setdefault(_place(report), report)

    def open(self, transcription: CallTranscription) -> CallTranscription:
        self._reach("open")
        return self._transcriptions.setdefault(_key(transcription), transcription)

    def find(self, call_sid: str, transcription_sid: str) -> CallTranscription | None:
        self._reach("find")
        return self._transcriptions.get((call_sid, transcription_sid))

    def waiting(self, transcription: CallTranscription, *, after: int) -> list[TranscriptionReport]:
        self._reach("waiting")
        found = [
            one
            for place, one in self._reports.items()
            if one.transcription_sid == transcription.transcription_sid
            and one.sequence_id > after
            and place not in self._settled
        ]
        return sorted(found, key=lambda one: (one.sequence_id, one.event, one.track or ""))

    def settle(
        self,
        before: CallTranscription,
        report: TranscriptionReport,
        after: CallTranscription,
        event: Event | None,
        entry: Entry | None,
    ) -> bool:
        if self.meanwhile:
            self.meanwhile.pop(0)()
        self._reach("settle")
        kept = self._transcriptions[_key(before)]
        has_moved = (kept.cursor, kept.turns) != (before.cursor, before.turns)
        ends_twice = after.ended_at and not before.ended_at and kept.ended_at
        if has_moved or ends_twice or _place(report) in self._settled or _place(report) not in self._reports:
            return False
        moved: dict[str, Any] = {"cursor": after.cursor, "turns": after.turns, "last_at": after.last_at}
        if after.ended_at and not before.ended_at:
            moved |= {"ended_at": after.ended_at, "end": after.end}
        self._transcriptions[_key(before)] = dataclasses.replace(kept, **moved)
        self._settled.add(_place(report))
        if event:
            self._outbox.put(event)
        if entry:
            self._conversations.add_turn(entry)
        return True

    def end(self, transcription: CallTranscription, event: Event) -> bool:
        self._reach("end")
        kept = self._transcriptions.get(_key(transcription))
        if kept is None or kept.ended_at:
            return False
        end: dict[str, Any] = {"ended_at": transcription.ended_at, "end": transcription.end}
        self._transcriptions[_key(transcription)] = dataclasses.replace(kept, **end)
        self._outbox.put(event)
        return True

    def _reach(self, method: str) -> None:
        if method in self.unavailable:
            raise StorageUnavailable("The fake storage is down.")


def _key(transcription: CallTranscription) -> tuple[str, str]:
    return transcription.call_sid, transcription.transcription_sid


def _place(report: TranscriptionReport) -> tuple[str, int, str, str | None]:
    return report.transcription_sid, report.sequence_id, report.event, report.track


@dataclass(frozen=True)
class ListeningWorld:
    """The ports of calls that are listened to, over one storage."""

    outbox: ports.Outbox
    calls: ports.Calls
    transcriptions: ports.CallTranscriptions
    history: ports.History
    clock: FakeClock

    def announced(self) -> list[dict[str, Any]]:
        """What has been put into the outbox since the last look, turns in their order; the outbox is empty after it."""
        found = list(self.outbox.leftovers(before=END_OF_TIME))
        self.outbox.delete([one.event_id for one in found])
        told: list[dict[str, Any]] = [{"detail_type": one.detail_type, **json.loads(one.detail)} for one in found]
        return sorted(told, key=lambda one: (one.get("turn", 1_000_000), one["occurred_at"]))

    def said(self) -> list[tuple[str, str | None, str]]:
        """The history: direction, speaker and words."""
        entries = self.history.page(PAIR, limit=100, before=None).entries
        return [(one.direction, one.speaker, one.body) for one in entries]


@dataclass(frozen=True)
class FakeListeningWorld(ListeningWorld):
    """All of it in memory."""

    calls: FakeCalls
    transcriptions: FakeCallTranscriptions

    @classmethod
    def new(cls) -> FakeListeningWorld:
        outbox = FakeOutbox()
        conversations = FakeConversations(outbox)
        return cls(
            outbox=outbox,
            calls=FakeCalls(outbox),
            transcriptions=FakeCallTranscriptions(outbox, conversations),
            history=FakeHistory(conversations),
            clock=FakeClock(),
        )


def real_listening_world(
    dynamodb: DynamoDBClient, new_table: Callable[[str], str], *, retention_days: int = 365
) -> ListeningWorld:
    """The ports on the deployed tables."""
    database, table, texts = DynamoDB(dynamodb), new_table("CallsTable"), new_table("ConversationsTable")
    outbox = OutboxTable(database, new_table("OutboxTable"))
    conversations = ConversationsTable(database, texts, outbox, retention_days=retention_days)
    return ListeningWorld(
        outbox=outbox,
        calls=CallsTable(database, table, outbox, retention_days=retention_days),
        transcriptions=TranscriptionsTable(database, table, outbox, conversations, retention_days=retention_days),
        history=HistoryTable(database, texts),
        clock=FakeClock(),
    )
