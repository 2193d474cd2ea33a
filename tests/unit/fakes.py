"""The services' ports in memory, and Lambda's context.

`test_conversations_contract` and `test_sends_contract` hold the fakes of the tables to what the adapters do.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from twilio_plugin.domain.conversation import Entry
from twilio_plugin.domain.events import Event
from twilio_plugin.domain.message_status import StatusUpdate, rank
from twilio_plugin.domain.opt_out import ContactState
from twilio_plugin.domain.outbound import Part, Receipt, TwilioMessage
from twilio_plugin.errors import (
    IdempotencyKeyReused,
    PluginError,
    SendInProgress,
    SendOutcomeUnknown,
    StorageUnavailable,
)
from twilio_plugin.services import ports
from twilio_plugin.services.ports import Announcement, LedgerChange, LedgerMoved, Page

ACCOUNT = "AC" + "0" * 32
END_OF_TIME = datetime(2100, 1, 1, tzinfo=UTC)


class FakeClock:
    """A clock that only tests move, but for a millisecond at every reading: no two moments are the same."""

    def __init__(self) -> None:
        self._now = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        self._now += timedelta(milliseconds=1)
        return self._now

    def advance(self, **by: float) -> None:
        self._now += timedelta(**by)


class FakeOutbox:
    def __init__(self) -> None:
        self._held: dict[str, Announcement] = {}

    def put(self, event: Event) -> None:
        detail = json.dumps(event.detail())
        self._held[event.event_id] = Announcement(event.event_id, event.detail_type, detail, event.occurred_at)

    def add(self, event: Event) -> None:
        self.put(event)

    def delete(self, event_ids: Iterable[str]) -> None:
        for event_id in event_ids:
            self._held.pop(event_id, None)

    def leftovers(self, *, before: datetime) -> Iterator[Announcement]:
        return iter([one for one in self._held.values() if datetime.fromisoformat(one.occurred_at) < before])


@dataclass
class KnownMessage:
    status: str | None = None
    status_rank: int | None = None
    error_code: int | None = None
    send_id: str | None = None
    part: int | None = None
    received_at: str | None = None


class FakeConversations:
    """`meanwhile` is what others commit between our reading and our next write, one at a time."""

    def __init__(self, outbox: FakeOutbox) -> None:
        self._outbox = outbox
        self._contacts: dict[str, ContactState] = {}
        self.entries: list[Entry] = []
        self.messages: dict[str, KnownMessage] = {}
        self.contact_reads = 0
        self.meanwhile: list[Callable[[], object]] = []
        self._others_turn = False
        self.unavailable: set[str] = set()

    def contact_state(self, conversation_id: str) -> ContactState:
        self.contact_reads += 1
        return self._contacts.get(conversation_id, "opted_in")

    def received_at(self, message_sid: str) -> str | None:
        known = self.messages.get(message_sid)
        return known.received_at if known else None

    def add_received(self, entry: Entry, events: Sequence[Event], ledger: LedgerChange | None) -> bool:
        self._others_first("add_received")
        if entry.message_sid in self.messages:
            return False
        self._move(ledger)
        self.messages[entry.message_sid] = KnownMessage(received_at=entry.occurred_at)
        self.entries.append(entry)
        for event in events:
            self._outbox.put(event)
        return True

    def apply_status(self, update: StatusUpdate, event: Event) -> bool:
        self._others_first("apply_status")
        known = self.messages.get(update.message_sid, KnownMessage())
        if known.status_rank is not None and known.status_rank >= rank(update.status):
            return False
        self.messages[update.message_sid] = KnownMessage(
            update.status,
            rank(update.status),
            known.error_code if update.error_code is None else update.error_code,
            update.send_id or known.send_id,
            update.part or known.part,
            known.received_at,
        )
        self._outbox.put(event)
        return True

    def change_ledger(self, change: LedgerChange, event: Event) -> None:
        self._others_first("change_ledger")
        self._move(change)
        self._outbox.put(event)

    def add_turn(self, entry: Entry) -> None:
        self._others_first("add_turn")
        self.entries = [one for one in self.entries if _place(one) != _place(entry)] + [entry]

    def _others_first(self, method: str) -> None:
        if self.meanwhile and not self._others_turn:
            self._others_turn = True
            self.meanwhile.pop(0)()
            self._others_turn = False
        if method in self.unavailable:
            raise StorageUnavailable("The fake storage is down.")

    def _move(self, change: LedgerChange | None) -> None:
        if change is None:
            return
        if self._contacts.get(change.conversation_id, "opted_in") != change.before:
            raise LedgerMoved
        self._contacts[change.conversation_id] = change.after


class FakeHistory:
    def __init__(self, conversations: FakeConversations) -> None:
        self._conversations = conversations

    def page(self, conversation_id: str, *, limit: int, before: str | None) -> Page:
        found = {_place(one): one for one in self._conversations.entries if one.conversation_id == conversation_id}
        places = sorted(place for place in found if before is None or place < before)
        shown = places[-limit:]
        return Page([self._with_status(found[place]) for place in shown], shown[0] if len(places) > limit else None)

    def _with_status(self, entry: Entry) -> Entry:
        if entry.direction == "inbound" or entry.kind == "speech":
            return entry
        known = self._conversations.messages.get(entry.message_sid, KnownMessage())
        return dataclasses.replace(entry, status=known.status, error_code=known.error_code)


def _place(entry: Entry) -> str:
    return f"{entry.occurred_at}#{entry.message_sid}"


@dataclass
class SendRecord:
    part: Part
    claimed_at: datetime
    state: str = "sending"
    receipt: Receipt | None = None


class FakeSends:
    """`unavailable` are the names of the methods that storage fails."""

    def __init__(self, outbox: FakeOutbox, conversations: FakeConversations, clock: ports.Clock) -> None:
        self._outbox = outbox
        self._conversations = conversations
        self._clock = clock
        self.records: dict[tuple[str, int], SendRecord] = {}
        self.unavailable: set[str] = set()

    def claim(self, part: Part) -> Receipt | None:
        self._reach("claim")
        now = self._clock()
        record = self.records.get((part.send_id, part.number))
        if record and now - record.claimed_at <= timedelta(days=1):
            if record.part.fingerprint != part.fingerprint:
                raise IdempotencyKeyReused(part.send_id)
            if record.state == "sent":
                return record.receipt
            if record.state == "sending" and now - record.claimed_at < timedelta(seconds=90):
                raise SendInProgress(part.send_id)
            if record.state != "not_sent":
                raise SendOutcomeUnknown(part.send_id)
        self.records[part.send_id, part.number] = SendRecord(part, now)
        return None

    def release(self, part: Part) -> None:
        self._reach("release")
        record = self.records.get((part.send_id, part.number))
        if record and record.state == "sending":
            del self.records[part.send_id, part.number]

    def mark_unknown(self, part: Part) -> None:
        self._reach("mark_unknown")
        self._settle(part, "unknown")

    def record_sent(self, part: Part, receipt: Receipt, entry: Entry, event: Event) -> bool:
        self._reach("record_sent")
        if not self._settle(part, "sent"):
            return False
        self.records[part.send_id, part.number].receipt = receipt
        known = self._conversations.messages.setdefault(receipt.message_sid, KnownMessage())
        if known.status_rank is None:
            known.status, known.status_rank = receipt.status, rank(receipt.status)
        if known.error_code is None:
            known.error_code = receipt.error_code
        known.send_id, known.part = known.send_id or part.send_id, known.part or part.number
        self._conversations.entries.append(entry)
        self._outbox.put(event)
        return True

    def record_not_sent(self, part: Part, event: Event) -> bool:
        self._reach("record_not_sent")
        if not self._settle(part, "not_sent"):
            return False
        self._outbox.put(event)
        return True

    def unsettled(self, *, before: datetime) -> Iterator[tuple[Part, datetime]]:
        open_ones = [one for one in self.records.values() if one.state in ("sending", "unknown") and one.claimed_at < before]
        return iter([(one.part, one.claimed_at) for one in sorted(open_ones, key=lambda one: one.claimed_at)])

    def senders_of(self, message_sids: Iterable[str]) -> Mapping[str, tuple[str, int] | None]:
        known = {sid: self._conversations.messages[sid] for sid in message_sids if sid in self._conversations.messages}
        return {sid: (one.send_id, one.part) if one.send_id and one.part else None for sid, one in known.items()}

    def _reach(self, method: str) -> None:
        if method in self.unavailable:
            raise StorageUnavailable("The fake storage is down.")

    def _settle(self, part: Part, state: str) -> bool:
        record = self.records.get((part.send_id, part.number))
        if record is None or record.state not in ("sending", "unknown"):
            return False
        record.state = state
        return True


class FakeTexting:
    """Takes every part, unless `answers` holds something else for the next ones. `listed` is Twilio's own list."""

    def __init__(self) -> None:
        self.asked: list[Part] = []
        self.answers: list[Receipt | PluginError] = []
        self.listed: list[TwilioMessage] = []
        self.lookup_fails_for: set[str] = set()
        self.looked_up: list[tuple[Part, datetime]] = []

    def send(self, part: Part) -> Receipt:
        self.asked.append(part)
        answer = self.answers.pop(0) if self.answers else Receipt(f"SM{len(self.asked):032x}", ACCOUNT, "queued")
        if isinstance(answer, PluginError):
            raise answer
        return answer

    def sent(self, part: Part, *, since: datetime) -> list[TwilioMessage]:
        self.looked_up.append((part, since))
        if str(part.recipient) in self.lookup_fails_for:
            raise StorageUnavailable("The fake list cannot be read.")
        return list(self.listed)


class FakeBus:
    """Takes every event but those in `refuses`."""

    def __init__(self) -> None:
        self.published: list[Announcement] = []
        self.refuses: set[str] = set()

    def publish(self, announcements: Sequence[Announcement]) -> set[str]:
        self.published += [one for one in announcements if one.event_id not in self.refuses]
        return {one.event_id for one in announcements} & self.refuses


@dataclass
class LambdaContext:
    """What Lambda hands to a handler, as far as the plugin looks at it."""

    function_name: str = "phone-send-sms"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:eu-central-1:123456789012:function:phone-send-sms"
    aws_request_id: str = "11111111-2222-3333-4444-555555555555"


@dataclass(frozen=True)
class World:
    """The ports that share one storage."""

    outbox: ports.Outbox
    conversations: ports.Conversations
    sends: ports.Sends
    history: ports.History
    clock: FakeClock

    def announced(self) -> list[Announcement]:
        """What has been put into the outbox since the last look; the outbox is empty after it, as the relay leaves it."""
        announcements = sorted(self.outbox.leftovers(before=END_OF_TIME), key=lambda one: one.occurred_at)
        self.outbox.delete([one.event_id for one in announcements])
        return announcements


@dataclass(frozen=True)
class FakeWorld(World):
    """All of it in memory, and what is beyond storage too."""

    outbox: FakeOutbox
    conversations: FakeConversations
    sends: FakeSends
    history: FakeHistory
    texting: FakeTexting = field(default_factory=FakeTexting)
    bus: FakeBus = field(default_factory=FakeBus)

    @classmethod
    def new(cls) -> FakeWorld:
        clock, outbox = FakeClock(), FakeOutbox()
        conversations = FakeConversations(outbox)
        sends = FakeSends(outbox, conversations, clock)
        return cls(outbox, conversations, sends, FakeHistory(conversations), clock)


_texting: type[ports.Texting] = FakeTexting
_bus: type[ports.EventBus] = FakeBus
