"""What should have happened by now and has not: events still in the outbox, sends without an outcome."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from twilio_plugin.domain.events import SmsFailed, event_id
from twilio_plugin.domain.outbound import Part, TwilioMessage
from twilio_plugin.domain.timestamp import iso
from twilio_plugin.errors import StorageUnavailable
from twilio_plugin.services.ports import Announcement, Clock, EventBus, Outbox, Sends, Texting
from twilio_plugin.services.relay_events import relay_events
from twilio_plugin.services.send_message import sent_entry, sent_event

BATCH = 10
TRIAL_PREFIX = "Sent from your Twilio trial account - "  # what Twilio puts before a trial account's texts


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What a run found and did."""

    republished: int
    found_sent: int
    found_not_sent: int
    still_unknown: int


@dataclass(frozen=True, slots=True)
class Patience:
    """How long each thing may take before it is looked into, and how long until Twilio's list is believed."""

    outbox: timedelta = timedelta(minutes=2)
    send: timedelta = timedelta(minutes=2)
    not_sent: timedelta = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Reconciler:
    """The ports that reconciling needs."""

    outbox: Outbox
    bus: EventBus
    sends: Sends
    texting: Texting
    clock: Clock
    account_sid: str
    patience: Patience = Patience()


def reconcile(by: Reconciler) -> Reconciled:
    """One run: republish leftovers, then settle every send that is old enough to be looked up.

    Raises:
        StorageUnavailable: Twilio's list or a table could not be read; whatever could be settled is.
    """
    now = by.clock()
    republished = sum(
        len(batch) - len(relay_events(batch, by.bus, by.outbox))
        for batch in _batches(by.outbox.leftovers(before=now - by.patience.outbox))
    )
    outcomes: list[str] = []
    failures: list[StorageUnavailable] = []
    for part, claimed in by.sends.unsettled(before=now - by.patience.send):
        try:
            outcomes.append(_settle(part, claimed, by, now))
        except StorageUnavailable as failure:
            failures.append(failure)
    if failures:
        raise failures[0]
    return Reconciled(
        republished=republished,
        found_sent=outcomes.count("sent"),
        found_not_sent=outcomes.count("not_sent"),
        still_unknown=outcomes.count("unknown"),
    )


def _settle(part: Part, claimed: datetime, by: Reconciler, now: datetime) -> str:
    message = _find(part, claimed, by)
    if message:
        at = iso(claimed)
        by.sends.record_sent(
            part, message.receipt, sent_entry(part, message.receipt, at), sent_event(part, message.receipt, at)
        )
        return "sent"
    if now - claimed < by.patience.not_sent:
        return "unknown"
    by.sends.record_not_sent(part, _not_sent(part, claimed, by.account_sid, iso(now)))
    return "not_sent"


def _find(part: Part, claimed: datetime, by: Reconciler) -> TwilioMessage | None:
    """The message that is surely ours by its callback, else the first of the same text that is nobody else's."""
    listed = by.texting.sent(part, since=claimed - timedelta(minutes=1))
    senders = by.sends.senders_of(message.receipt.message_sid for message in listed)
    for message in listed:
        if senders.get(message.receipt.message_sid) == (part.send_id, part.number):
            return message
    for message in listed:
        if senders.get(message.receipt.message_sid) is None and _looks_like(message, part):
            return message
    return None


def _looks_like(message: TwilioMessage, part: Part) -> bool:
    if part.template:
        return True  # nobody else's, and what it came to only Twilio knows: rather found than sent twice
    body = message.body.removeprefix(TRIAL_PREFIX).strip()
    return body == part.body.strip() and message.num_media == len(part.media_url)


def _not_sent(part: Part, claimed: datetime, account_sid: str, now: str) -> SmsFailed:
    return SmsFailed(
        # With the time of the claim: a freed key may be used, and lost, again.
        event_id=event_id(SmsFailed, part.send_id, part.number, iso(claimed)),
        occurred_at=now,
        account_sid=account_sid,
        conversation_id=part.conversation_id,
        channel=part.recipient.channel,
        from_=str(part.sender),
        to=str(part.recipient),
        status="not_sent",
        error_class="transient",
        meaning="The connection broke and Twilio has no record of the message.",
        remedy="It is safe to send it again.",
        send_id=part.send_id,
    )


def _batches(announcements: Iterator[Announcement]) -> Iterator[list[Announcement]]:
    while batch := list(islice(announcements, BATCH)):
        yield batch
