"""A text to a person, in parts if it is long, each part at most once."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from mimetypes import guess_type

from twilio_plugin.domain.actions import SendMessage, SendResult, SentMessage
from twilio_plugin.domain.address import masked
from twilio_plugin.domain.composition import compose
from twilio_plugin.domain.conversation import Entry
from twilio_plugin.domain.correlation import correlation_id
from twilio_plugin.domain.events import SmsSent, event_id
from twilio_plugin.domain.guards import Draw
from twilio_plugin.domain.message import Media
from twilio_plugin.domain.outbound import Part, Receipt
from twilio_plugin.domain.timestamp import iso
from twilio_plugin.errors import PluginError, RecipientOptedOut, SendOutcomeUnknown, StorageUnavailable, TwilioRejected
from twilio_plugin.services.check_media import check_media
from twilio_plugin.services.learn_opt_out import OPTED_OUT, learn_opt_out
from twilio_plugin.services.outbound_guard import OutboundGuard
from twilio_plugin.services.ports import Clock, Conversations, OutboundMedia, Sends, Texting


@dataclass(frozen=True, slots=True)
class Sender:
    """Everything sending needs: ports, and the stack's own defaults."""

    conversations: Conversations
    sends: Sends
    texting: Texting
    guard: OutboundGuard
    clock: Clock
    phone_number: str
    default_region: str
    account_sid: str
    media: OutboundMedia
    not_recorded: Callable[[str], None]
    """Told the SID of a message that Twilio took and storage did not; reconciliation will record it."""


def send_message(request: SendMessage, request_id: str, by: Sender) -> SendResult:
    """Send, part after part; each goes out after Twilio accepted the one before.

    `request_id` stands in for the idempotency key where the caller gave none: Lambda keeps it over its own retries.

    Raises:
        InvalidPhoneNumber, InvalidMessage, MediaNotAllowed, RecipientNotAllowed, RecipientOptedOut: refused before Twilio.
        CeilingReached: so is the part it stopped at; parts before it are sent.
        TwilioRejected, TwilioUnavailable, SendOutcomeUnknown: the part it stopped at; parts before it are sent.
        IdempotencyKeyReused, SendInProgress: see `twilio_plugin.errors`.
    """
    parts = _compose(request, request_id, by)
    first = parts[0]
    by.guard.admit(first.sender, first.recipient, "text")
    _refuse_opted_out(first, by)
    return SendResult(
        conversation_id=first.conversation_id,
        to=str(first.recipient),
        from_=str(first.sender),
        messages=[_send_part(part, by) for part in parts],
    )


def prepare(request: SendMessage, request_id: str, by: Sender) -> list[Part]:
    """The parts that `send_message` sends, at least one, refused where it refuses them. Nothing is changed or sent.

    Raises:
        InvalidPhoneNumber, InvalidMessage, MediaNotAllowed, RecipientNotAllowed, RecipientOptedOut: as `send_message`.
    """
    parts = _compose(request, request_id, by)
    by.guard.check(parts[0].recipient)
    _refuse_opted_out(parts[0], by)
    return parts


def _compose(request: SendMessage, request_id: str, by: Sender) -> list[Part]:
    send_id = request.idempotency_key or request_id
    return compose(request, send_id, phone_number=by.phone_number, default_region=by.default_region)


def _refuse_opted_out(part: Part, by: Sender) -> None:
    if by.conversations.contact_state(part.conversation_id) == "opted_out":
        raise RecipientOptedOut(
            f"{masked(str(part.recipient))} said STOP to {masked(str(part.sender))} ({OPTED_OUT}). "
            "Do not text them; they can reopen it by texting START."
        )


def _send_part(part: Part, by: Sender) -> SentMessage:
    try:
        receipt = by.sends.claim(part)
        if receipt is None:
            receipt = _hand_over(part, _counted(part, by), by)
            _record(part, receipt, by)
    except PluginError as error:
        if part.parts > 1:
            error.args = (f"Part {part.number} of {part.parts} ({part.number - 1} sent): {error}",)
        raise
    return SentMessage(
        message_sid=receipt.message_sid,
        status=receipt.status,
        body=part.text(receipt),
        encoding=part.encoding,
        segments=part.segments,
    )


def _counted(part: Part, by: Sender) -> tuple[Draw, ...]:
    """What the part takes of the ceilings, behind its claim: a key that comes again is answered and counts nothing."""
    try:
        return by.guard.take_text(part)
    except PluginError:
        with suppress(StorageUnavailable):
            by.sends.release(part)
        raise


def _hand_over(part: Part, counted: tuple[Draw, ...], by: Sender) -> Receipt:
    try:
        check_media(part, by.media)  # and not before the claim: a repeated send is answered whatever became of its media
        return by.texting.send(part)
    except PluginError as error:
        # What became of the text matters more to the caller than whether that could be written down: a claim that stays
        # is settled by reconciliation.
        with suppress(StorageUnavailable):
            if isinstance(error, SendOutcomeUnknown):
                by.sends.mark_unknown(part)
            else:
                by.sends.release(part)
                by.guard.give_back(counted)
        if isinstance(error, TwilioRejected) and error.twilio_code == OPTED_OUT:
            with suppress(StorageUnavailable):
                _learn_opt_out(part, by)
            raise RecipientOptedOut(str(error)) from error
        raise


def _learn_opt_out(part: Part, by: Sender) -> None:
    now = iso(by.clock())
    learn_opt_out(
        by.conversations,
        sender=part.sender,
        recipient=part.recipient,
        account_sid=by.account_sid,
        # With the time: a key may be refused, reopened by START, and refused again.
        learnt_from=f"{part.send_id}#{now}",
        now=now,
    )


def _record(part: Part, receipt: Receipt, by: Sender) -> None:
    now = by.clock()
    try:
        event = dataclasses.replace(sent_event(part, receipt, iso(now)), reply_ms=_reply_milliseconds(part, now, by))
        by.sends.record_sent(part, receipt, sent_entry(part, receipt, iso(now)), event)
    except StorageUnavailable:
        # The text is out. To fail now would invite the caller to send it again.
        by.not_recorded(receipt.message_sid)


def _reply_milliseconds(part: Part, now: datetime, by: Sender) -> int | None:
    """How long the person waited, where the send names the text that it answers; later parts are no reply of their own."""
    answered = correlation_id(part.send_id)
    received_at = None
    if answered and part.number == 1:
        with suppress(StorageUnavailable):
            received_at = by.conversations.received_at(answered)
    return max(0, int((now - datetime.fromisoformat(received_at)).total_seconds() * 1000)) if received_at else None


def sent_entry(part: Part, receipt: Receipt, now: str) -> Entry:
    """The history's entry of a part that Twilio accepted."""
    return Entry(
        conversation_id=part.conversation_id,
        occurred_at=now,
        kind=part.kind,
        direction="outbound",
        message_sid=receipt.message_sid,
        from_=str(part.sender),
        to=str(part.recipient),
        body=part.text(receipt),
        media=tuple(Media(url, guess_type(url)[0] or "application/octet-stream") for url in part.media_url),
    )


def sent_event(part: Part, receipt: Receipt, now: str) -> SmsSent:
    """The announcement of a part that Twilio accepted."""
    return SmsSent(
        event_id=event_id(SmsSent, receipt.message_sid),
        occurred_at=now,
        account_sid=receipt.account_sid,
        conversation_id=part.conversation_id,
        message_sid=receipt.message_sid,
        channel=part.recipient.channel,
        from_=str(part.sender),
        to=str(part.recipient),
        body=part.text(receipt),
        media_url=part.media_url,
        content_sid=part.template.sid if part.template else None,
        status=receipt.status,
        encoding=part.encoding,
        segments=part.segments,
        part=part.number,
        parts=part.parts,
        send_id=part.send_id,
    )
