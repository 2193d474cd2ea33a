"""A person texted us: keep it, announce it, and let the opt-out ledger know."""

from __future__ import annotations

from twilio_plugin.domain.conversation import Entry
from twilio_plugin.domain.events import Event, OptOutChanged, SmsReceived, event_id
from twilio_plugin.domain.message import InboundMessage
from twilio_plugin.domain.opt_out import ContactState, OptOutType, concerns_the_ledger, opt_out_type, state_after
from twilio_plugin.domain.timestamp import iso
from twilio_plugin.errors import StorageUnavailable
from twilio_plugin.services.inbound_guard import InboundGuard
from twilio_plugin.services.ports import Clock, Conversations, LedgerChange, LedgerMoved


def receive_sms(message: InboundMessage, conversations: Conversations, guard: InboundGuard, clock: Clock) -> bool:
    """Store and announce one inbound text. False if it had been stored before.

    What the guard holds back is stored and not announced: the agent does not hear of it, so nobody answers, and nothing more
    is spent. STOP, START and HELP always pass.

    Raises:
        StorageUnavailable: nothing was stored; Twilio may deliver it again.
    """
    now = iso(clock())
    for _ in range(3):
        before: ContactState = "opted_in"
        if concerns_the_ledger(message.body, message.twilio_opt_out_type):
            before = conversations.contact_state(message.conversation_id)
        kind = opt_out_type(message.body, message.twilio_opt_out_type, contact=before)
        after = state_after(kind, before)
        counted = () if kind else guard.take_text(message)
        events: list[Event] = [] if counted is None else [_received(message, kind, now)]
        ledger = None
        if after != before:
            ledger = LedgerChange(message.conversation_id, before, after)
            events.append(_opt_out_changed(message, after, now))
        try:
            new = conversations.add_received(_entry(message, kind, now), events, ledger)
        except LedgerMoved:
            guard.give_back(counted or ())
            continue
        if not new:
            guard.give_back(counted or ())
        return new
    raise StorageUnavailable("The opt-out ledger kept changing while a text was stored.")


def _entry(message: InboundMessage, kind: OptOutType | None, now: str) -> Entry:
    return Entry(
        conversation_id=message.conversation_id,
        occurred_at=now,
        kind=message.kind,
        direction="inbound",
        message_sid=message.message_sid,
        from_=str(message.sender),
        to=str(message.recipient),
        body=message.body,
        media=message.media,
        opt_out_type=kind,
    )


def _received(message: InboundMessage, kind: OptOutType | None, now: str) -> SmsReceived:
    return SmsReceived(
        event_id=event_id(SmsReceived, message.message_sid),
        occurred_at=now,
        account_sid=message.account_sid,
        conversation_id=message.conversation_id,
        message_sid=message.message_sid,
        channel=message.sender.channel,
        from_=str(message.sender),
        to=str(message.recipient),
        body=message.body,
        media=message.media,
        num_segments=message.num_segments,
        opt_out_type=kind,
        messaging_service_sid=message.messaging_service_sid,
        fields=message.fields,
    )


def _opt_out_changed(message: InboundMessage, state: ContactState, now: str) -> OptOutChanged:
    return OptOutChanged(
        event_id=event_id(OptOutChanged, message.message_sid),
        occurred_at=now,
        account_sid=message.account_sid,
        conversation_id=message.conversation_id,
        channel=message.sender.channel,
        from_=str(message.sender),
        to=str(message.recipient),
        state=state,
        cause="keyword",
        message_sid=message.message_sid,
    )
