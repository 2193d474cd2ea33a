"""What the services need from the world. Adapters implement these; tests pass fakes held to the same contract."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # a webhook does not pay for what only sends need
    from twilio_plugin.domain.call import Call, CallRequest, CallUpdate
    from twilio_plugin.domain.conversation import Entry
    from twilio_plugin.domain.events import Event
    from twilio_plugin.domain.message_status import StatusUpdate
    from twilio_plugin.domain.opt_out import ContactState
    from twilio_plugin.domain.outbound import Part, Receipt, TwilioMessage

Clock = Callable[[], datetime]


class LedgerMoved(Exception):
    """The contact's state is no longer the one that was read: read again and decide again."""


@dataclass(frozen=True, slots=True)
class LedgerChange:
    """A step of the opt-out ledger, committed only if the contact is still in `before`."""

    conversation_id: str
    before: ContactState
    after: ContactState


@dataclass(frozen=True, slots=True)
class Page:
    """Entries oldest first. `before` is where the next older page starts; None on the last."""

    entries: list[Entry]
    before: str | None


class Conversations(Protocol):
    """Messages, their status and the opt-out ledger. Every method that announces commits state and events together."""

    def contact_state(self, conversation_id: str) -> ContactState:
        """Who has never said anything is ``opted_in``."""

    def add_received(self, entry: Entry, events: Sequence[Event], ledger: LedgerChange | None) -> bool:
        """False if this message is there already: then nothing is written. Raises LedgerMoved."""

    def apply_status(self, update: StatusUpdate, event: Event) -> bool:
        """False if the message has reached this rank already: then nothing is written."""

    def change_ledger(self, change: LedgerChange, event: Event) -> None:
        """Raises LedgerMoved."""


class History(Protocol):
    """Conversations, read back."""

    def page(self, conversation_id: str, *, limit: int, before: str | None) -> Page:
        """The newest `limit` entries, or the newest before `before`."""


class Sends(Protocol):
    """The record of every part on its way, so that none goes out twice."""

    def claim(self, part: Part) -> Receipt | None:
        """Take the part before calling Twilio. A Receipt means that it has been sent before.

        Raises:
            IdempotencyKeyReused, SendInProgress, SendOutcomeUnknown: see `twilio_plugin.errors`.
        """

    def release(self, part: Part) -> None:
        """Twilio did not take it: the key may be used again."""

    def mark_unknown(self, part: Part) -> None:
        """The request left and no answer came."""

    def record_sent(self, part: Part, receipt: Receipt, entry: Entry, event: Event) -> bool:
        """False if it is recorded already."""

    def record_not_sent(self, part: Part, event: Event) -> bool:
        """Twilio never had it: announce that and free the key. False if it is settled already."""

    def unsettled(self, *, before: datetime) -> Iterator[tuple[Part, datetime]]:
        """Parts claimed before a moment and without an outcome, with the moment of their claim; oldest first."""

    def senders_of(self, message_sids: Iterable[str]) -> Mapping[str, tuple[str, int] | None]:
        """Send id and part number of the messages we know; None for one that is known but not as a send of ours."""


class Texting(Protocol):
    """Twilio's Messages resource."""

    def send(self, part: Part) -> Receipt:
        """Hand one part to Twilio, once.

        Raises:
            TwilioRejected, TwilioUnavailable, SendOutcomeUnknown: see `twilio_plugin.errors`.
        """

    def sent(self, part: Part, *, since: datetime) -> list[TwilioMessage]:
        """What Twilio has from this sender to this recipient since a moment; oldest first."""


class CallReader(Protocol):
    """Calls, read back."""

    def call(self, call_sid: str) -> Call | None:
        """One call."""

    def active(self) -> list[Call]:
        """Calls that have not ended, the longest-running first; at most a hundred."""


class Calls(Protocol):
    """Calls and their status. Every method that announces commits state and events together."""

    def add_received(self, update: CallUpdate, event: Event) -> bool:
        """False if this call is announced already: then nothing is written."""

    def apply_status(self, update: CallUpdate, event: Event) -> bool:
        """False if the call has reached this rank already: then nothing is written."""

    def unended(self, *, before: datetime) -> Iterator[Call]:
        """Calls that began before a moment and are still listed as active."""

    def no_longer_active(self, call_sid: str) -> None:
        """Take a call off that list."""


class CallRequests(Protocol):
    """The record of every call on its way to Twilio, so that nobody is called twice."""

    def claim(self, request: CallRequest) -> CallUpdate | None:
        """Take the request before calling Twilio. A CallUpdate means that it was made before.

        Raises:
            IdempotencyKeyReused, SendInProgress, SendOutcomeUnknown: see `twilio_plugin.errors`.
        """

    def release(self, request: CallRequest) -> None:
        """Twilio did not take it: the key may be used again."""

    def mark_unknown(self, request: CallRequest) -> None:
        """The request left and no answer came."""

    def record_made(self, request: CallRequest, made: CallUpdate, event: Event) -> bool:
        """False if it is recorded already."""

    def record_not_made(self, request: CallRequest, event: Event) -> bool:
        """Twilio never had it: announce that and free the key. False if it is settled already."""

    def unsettled(self, *, before: datetime) -> Iterator[tuple[CallRequest, datetime]]:
        """Requests claimed before a moment and without an outcome, with the moment of their claim; oldest first."""

    def requested_by(self, call_sids: Iterable[str]) -> Mapping[str, str | None]:
        """Request ids of the calls we know; None for one that is known but not as a request of ours."""


class Calling(Protocol):
    """Twilio's Calls resource."""

    def make(self, request: CallRequest) -> CallUpdate:
        """Hand a call to Twilio, once.

        Raises:
            TwilioRejected, TwilioUnavailable, SendOutcomeUnknown: see `twilio_plugin.errors`.
        """

    def redirect(self, call_sid: str, *, twiml: str | None = None, url: str | None = None) -> str:
        """Replace what a live call is doing; its status. Raises as `make`."""

    def end(self, call_sid: str) -> str:
        """Hang up; the status. Raises as `make`."""

    def fetch(self, call_sid: str) -> CallUpdate | None:
        """What Twilio says of a call now; None for one it does not know. Raises StorageUnavailable."""

    def made(self, request: CallRequest, *, since: datetime) -> list[CallUpdate]:
        """The calls Twilio has from this sender to this recipient since a moment; oldest first. Raises StorageUnavailable."""


@dataclass(frozen=True, slots=True)
class Announcement:
    """An event as the outbox holds it: the detail is JSON already."""

    event_id: str
    detail_type: str
    detail: str
    occurred_at: str


class EventBus(Protocol):
    """Where events go out."""

    def publish(self, announcements: Sequence[Announcement]) -> set[str]:
        """Put them on the bus, in order. Returns the ids of those that the bus did not take, after retries."""


class Outbox(Protocol):
    """Events committed and not yet on the bus."""

    def delete(self, event_ids: Iterable[str]) -> None:
        """They are on the bus."""

    def leftovers(self, *, before: datetime) -> Iterator[Announcement]:
        """What the relay should have taken by now."""
