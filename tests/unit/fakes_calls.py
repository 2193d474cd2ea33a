"""Calls under test: the ports in memory, the same ports on the tables that the template deploys, and Twilio's Calls resource.

`test_calls_contract` holds the fakes of the tables to what the adapters do.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from tests.unit.fakes import ACCOUNT, END_OF_TIME, FakeClock, FakeOutbox
from twilio_plugin.adapters.call_requests import CallRequestsTable
from twilio_plugin.adapters.calls import CallsTable
from twilio_plugin.adapters.claims import Claims
from twilio_plugin.adapters.dynamodb import DynamoDB
from twilio_plugin.adapters.outbox import OutboxTable
from twilio_plugin.domain.address import Address
from twilio_plugin.domain.call import Call, CallRequest, CallUpdate, call_rank
from twilio_plugin.domain.events import Event
from twilio_plugin.domain.machine_detection import MachineDetection
from twilio_plugin.domain.recording import Recording
from twilio_plugin.errors import IdempotencyKeyReused, PluginError, SendInProgress, SendOutcomeUnknown, StorageUnavailable
from twilio_plugin.services import ports

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

OURS, THEIRS = "+14155550100", "+14155550123"
PAIR = f"phone|{OURS}|{THEIRS}"


def sid(number: int) -> str:
    """A call's SID."""
    return f"CA{number:032x}"


def outbound(number: int, status: str = "queued", **more: Any) -> CallUpdate:
    """What Twilio's REST API says of a call of ours: without our request id, which only the callback brings back."""
    facts: dict[str, Any] = {"sender": Address("phone", OURS), "recipient": Address("phone", THEIRS)}
    return CallUpdate(call_sid=sid(number), account_sid=ACCOUNT, direction="outbound", status=status, **(facts | more))


def inbound(number: int, status: str = "ringing", **more: Any) -> CallUpdate:
    """What Twilio says of a person's call to us."""
    facts: dict[str, Any] = {"sender": Address("phone", THEIRS), "recipient": Address("phone", OURS)}
    return CallUpdate(call_sid=sid(number), account_sid=ACCOUNT, direction="inbound", status=status, **(facts | more))


class FakeCalls:
    """`unavailable` are the names of the methods that storage fails."""

    def __init__(self, outbox: FakeOutbox) -> None:
        self._outbox = outbox
        self._calls: dict[str, Call] = {}
        self._announced: set[str] = set()
        self._off_the_list: set[str] = set()
        self._recordings: set[tuple[str, str]] = set()
        self.accounts: dict[str, str] = {}
        self.requests: dict[str, str] = {}
        self.unavailable: set[str] = set()

    def call(self, call_sid: str) -> Call | None:
        return self._calls.get(call_sid)

    def active(self) -> list[Call]:
        going_on = [one for one in self._calls.values() if not one.ended_at and one.call_sid not in self._off_the_list]
        return sorted(going_on, key=lambda one: one.started_at)[:100]

    def add_received(self, update: CallUpdate, event: Event) -> bool:
        self._reach("add_received")
        if update.call_sid in self._announced:
            return False
        self.know(update, event.occurred_at)
        self._outbox.put(event)
        return True

    def apply_status(self, update: CallUpdate, event: Event) -> bool:
        self._reach("apply_status")
        known = self._calls.get(update.call_sid)
        if known and call_rank(known.status) >= call_rank(update.status):
            return False
        now, call = event.occurred_at, known or _begun(update, event.occurred_at)
        self.accounts.setdefault(update.call_sid, update.account_sid)
        self._calls[update.call_sid] = dataclasses.replace(
            call,
            status=update.status,
            answered_at=now if update.status == "in-progress" else call.answered_at,
            ended_at=now if update.ended else None,
            duration=call.duration if update.duration is None else update.duration,
        )
        self._remember_request(update)
        self._outbox.put(event)
        return True

    def apply_answered_by(self, call_sid: str, answered_by: str, event: Event) -> bool:
        self._reach("apply_answered_by")
        known = self._calls.get(call_sid)
        if known is None or known.answered_by:
            return False
        self._calls[call_sid] = dataclasses.replace(known, answered_by=answered_by)
        self._outbox.put(event)
        return True

    def add_recording(self, recording: Recording, event: Event) -> bool:
        self._reach("add_recording")
        this = (recording.recording_sid, recording.status)
        if this in self._recordings:
            return False
        self._recordings.add(this)
        self._outbox.put(event)
        return True

    def unended(self, *, before: datetime) -> Iterator[Call]:
        return iter([one for one in self.active() if datetime.fromisoformat(one.started_at) < before])

    def no_longer_active(self, call_sid: str) -> None:
        self._off_the_list.add(call_sid)

    def know(self, update: CallUpdate, now: str, machine_detection: MachineDetection | None = None) -> None:
        """Keep a call unless a status callback was there before, and what was asked of its machine detection."""
        self._announced.add(update.call_sid)
        call = self._calls.get(update.call_sid, _begun(update, now))
        self._calls[update.call_sid] = dataclasses.replace(call, machine_detection=call.machine_detection or machine_detection)
        self.accounts.setdefault(update.call_sid, update.account_sid)
        self._remember_request(update)

    def _remember_request(self, update: CallUpdate) -> None:
        if update.request_id:
            self.requests.setdefault(update.call_sid, update.request_id)
            request_id = self.requests[update.call_sid]
            self._calls[update.call_sid] = dataclasses.replace(self._calls[update.call_sid], request_id=request_id)

    def _reach(self, method: str) -> None:
        if method in self.unavailable:
            raise StorageUnavailable("The fake storage is down.")


def _begun(update: CallUpdate, now: str) -> Call:
    return Call(
        call_sid=update.call_sid,
        conversation_id=update.conversation_id,
        direction=update.direction,
        from_=str(update.sender),
        to=str(update.recipient),
        status=update.status,
        started_at=now,
        answered_at=now if update.status == "in-progress" else None,
    )


@dataclass
class _Claim:
    request: CallRequest
    claimed_at: datetime
    state: str = "sending"
    made: CallUpdate | None = None


class FakeCallRequests:
    """`unavailable` are the names of the methods that storage fails."""

    def __init__(self, outbox: FakeOutbox, calls: FakeCalls, clock: ports.Clock) -> None:
        self._outbox = outbox
        self._calls = calls
        self._clock = clock
        self._claims: dict[str, _Claim] = {}
        self.unavailable: set[str] = set()

    def claim(self, request: CallRequest) -> CallUpdate | None:
        self._reach("claim")
        now, earlier = self._clock(), self._claims.get(request.request_id)
        if earlier and now - earlier.claimed_at <= timedelta(days=1):
            if earlier.request.fingerprint != request.fingerprint:
                raise IdempotencyKeyReused(request.request_id)
            if earlier.state == "sent":
                return earlier.made
            if earlier.state == "sending" and now - earlier.claimed_at < timedelta(seconds=90):
                raise SendInProgress(request.request_id)
            if earlier.state != "not_sent":
                raise SendOutcomeUnknown(request.request_id)
        self._claims[request.request_id] = _Claim(request, now)
        return None

    def release(self, request: CallRequest) -> None:
        self._reach("release")
        claim = self._claims.get(request.request_id)
        if claim and claim.state == "sending":
            del self._claims[request.request_id]

    def mark_unknown(self, request: CallRequest) -> None:
        self._reach("mark_unknown")
        self._settle(request, "unknown")

    def record_made(self, request: CallRequest, made: CallUpdate, event: Event) -> bool:
        self._reach("record_made")
        if not self._settle(request, "sent"):
            return False
        ours = dataclasses.replace(made, request_id=request.request_id)
        self._claims[request.request_id].made = ours
        self._calls.know(ours, event.occurred_at, request.machine_detection)
        self._outbox.put(event)
        return True

    def record_not_made(self, request: CallRequest, event: Event) -> bool:
        self._reach("record_not_made")
        if not self._settle(request, "not_sent"):
            return False
        self._outbox.put(event)
        return True

    def unsettled(self, *, before: datetime) -> Iterator[tuple[CallRequest, datetime]]:
        waiting = [one for one in self._claims.values() if one.state in ("sending", "unknown") and one.claimed_at < before]
        return iter([(one.request, one.claimed_at) for one in sorted(waiting, key=lambda one: one.claimed_at)])

    def requested_by(self, call_sids: Iterable[str]) -> Mapping[str, str | None]:
        return {one: self._calls.requests.get(one) for one in call_sids if self._calls.call(one)}

    def _settle(self, request: CallRequest, state: str) -> bool:
        claim = self._claims.get(request.request_id)
        if claim is None or claim.state not in ("sending", "unknown"):
            return False
        claim.state = state
        return True

    def _reach(self, method: str) -> None:
        if method in self.unavailable:
            raise StorageUnavailable("The fake storage is down.")


class FakeCalling:
    """Takes every call and every change, unless `answers` holds something else for the next ones.

    `listed` is Twilio's own list of the pair, `known` what it says of a call; it cannot be asked about those in `down`.
    """

    def __init__(self) -> None:
        self.asked: list[CallRequest] = []
        self.told: list[tuple[str, str | None, str | None]] = []
        self.limited: list[tuple[str, int]] = []
        self.transcribed: list[tuple[str, Mapping[str, str | bool]]] = []
        self.no_longer_transcribed: list[tuple[str, str]] = []
        self.answers: list[CallUpdate | PluginError] = []
        self.listed: list[CallUpdate] = []
        self.known: dict[str, CallUpdate] = {}
        self.down: set[str] = set()
        self.looked_up: list[tuple[str, datetime]] = []

    def make(self, request: CallRequest) -> CallUpdate:
        self.asked.append(request)
        return self._answer(outbound(len(self.asked), sender=request.sender, recipient=request.recipient))

    def redirect(self, call_sid: str, *, twiml: str | None = None, url: str | None = None) -> str:
        self.told.append((call_sid, twiml, url))
        return self._answer(outbound(0, "in-progress")).status

    def end(self, call_sid: str) -> str:
        self.told.append((call_sid, None, None))
        return self._answer(outbound(0, "completed")).status

    def limit(self, call_sid: str, seconds: int) -> str:
        self.limited.append((call_sid, seconds))
        return self._answer(inbound(0, "in-progress")).status

    def start_transcription(self, call_sid: str, asked: Mapping[str, str | bool]) -> str:
        self.transcribed.append((call_sid, asked))
        self._answer(outbound(0, "in-progress"))
        return f"GT{len(self.transcribed):032x}"

    def stop_transcription(self, call_sid: str, transcription: str) -> str:
        self.no_longer_transcribed.append((call_sid, transcription))
        self._answer(outbound(0, "in-progress"))
        return "stopped"

    def fetch(self, call_sid: str) -> CallUpdate | None:
        if call_sid in self.down:
            raise StorageUnavailable("The fake call cannot be read.")
        return self.known.get(call_sid)

    def made(self, request: CallRequest, *, since: datetime) -> list[CallUpdate]:
        self.looked_up.append((request.request_id, since))
        if str(request.recipient) in self.down:
            raise StorageUnavailable("The fake list cannot be read.")
        return list(self.listed)

    def _answer(self, usual: CallUpdate) -> CallUpdate:
        answer = self.answers.pop(0) if self.answers else usual
        if isinstance(answer, PluginError):
            raise answer
        return answer


@dataclass(frozen=True)
class CallWorld:
    """Everything that calls need, over one storage and a faked Twilio."""

    outbox: ports.Outbox
    calls: ports.Calls
    requests: ports.CallRequests
    clock: FakeClock
    calling: FakeCalling = field(default_factory=FakeCalling)

    def announced(self) -> list[dict[str, Any]]:
        """What has been put into the outbox since the last look, in order; the outbox is empty after it."""
        found = sorted(self.outbox.leftovers(before=END_OF_TIME), key=lambda one: one.occurred_at)
        self.outbox.delete([one.event_id for one in found])
        return [{"detail_type": one.detail_type, **json.loads(one.detail)} for one in found]

    def active(self) -> list[str]:
        """The SIDs of the calls that are shown as active."""
        return [call.call_sid for call in self.calls.active()]

    def status(self, number: int) -> str | None:
        """The status of a call, if there is such a call."""
        call = self.calls.call(sid(number))
        return call.status if call else None


@dataclass(frozen=True)
class FakeCallWorld(CallWorld):
    """All of it in memory."""

    calls: FakeCalls
    requests: FakeCallRequests

    @classmethod
    def new(cls) -> FakeCallWorld:
        clock, outbox = FakeClock(), FakeOutbox()
        calls = FakeCalls(outbox)
        return cls(outbox, calls, FakeCallRequests(outbox, calls, clock), clock)


def real_call_world(dynamodb: DynamoDBClient, new_table: Callable[[str], str]) -> CallWorld:
    """The ports on the deployed tables."""
    database, clock, table = DynamoDB(dynamodb), FakeClock(), new_table("CallsTable")
    outbox = OutboxTable(database, new_table("OutboxTable"))
    calls = CallsTable(database, table, outbox, retention_days=365)
    claims = Claims(database, new_table("ConversationsTable"), clock, kind="call")
    return CallWorld(outbox, calls, CallRequestsTable(database, claims, table, calls, outbox), clock)


_calling: type[ports.Calling] = FakeCalling
