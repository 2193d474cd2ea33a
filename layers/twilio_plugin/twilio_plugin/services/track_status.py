"""Twilio says how far a message of ours has come."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twilio_plugin.domain.address import Address
from twilio_plugin.domain.events import Event, SmsFailed, SmsStatusChanged, event_id
from twilio_plugin.domain.message import required
from twilio_plugin.domain.message_status import FAILED, StatusUpdate
from twilio_plugin.domain.timestamp import iso
from twilio_plugin.domain.twilio_errors import explain
from twilio_plugin.errors import UnreadableWebhook
from twilio_plugin.services.learn_opt_out import OPTED_OUT, learn_opt_out
from twilio_plugin.services.ports import Clock, Conversations


def status_update(form: Mapping[str, str], query: Mapping[str, str]) -> StatusUpdate:
    """Read a message status callback. ``send`` and ``part`` in the query are ours, brought back by Twilio.

    Raises:
        UnreadableWebhook: a field we cannot do without is missing, or the error code is not a number.
    """
    code = form.get("ErrorCode", "")
    if code and not (code.isascii() and code.isdigit() and len(code) < 10):
        raise UnreadableWebhook(f"ErrorCode is {code[:20]!r}; a number was expected.")
    part = query.get("part", "")
    return StatusUpdate(
        message_sid=required(form, "MessageSid"),
        account_sid=required(form, "AccountSid"),
        status=required(form, "MessageStatus").lower(),
        sender=Address.parse(required(form, "From")),
        recipient=Address.parse(required(form, "To")),
        error_code=int(code) if code else None,
        send_id=query.get("send"),
        part=int(part) if part.isascii() and part.isdigit() else None,
    )


def track_status(update: StatusUpdate, conversations: Conversations, clock: Clock) -> bool:
    """Move the message forward and announce it. False if the callback was late or came before: nothing changes then.

    Raises:
        StorageUnavailable: nothing was stored; Twilio may deliver it again.
    """
    now = iso(clock())
    changed = conversations.apply_status(update, _event(update, now))
    if update.error_code == OPTED_OUT:
        learn_opt_out(
            conversations,
            sender=update.sender,
            recipient=update.recipient,
            account_sid=update.account_sid,
            learnt_from=update.message_sid,
            now=now,
        )
    return changed


def _event(update: StatusUpdate, now: str) -> Event:
    envelope: Any = {
        "occurred_at": now,
        "account_sid": update.account_sid,
        "conversation_id": update.conversation_id,
        "message_sid": update.message_sid,
        "from_": str(update.sender),
        "to": str(update.recipient),
    }
    if update.status in FAILED:
        why = explain(update.error_code)
        return SmsFailed(
            event_id=event_id(SmsFailed, update.message_sid, update.status),
            channel=update.recipient.channel,
            status="failed" if update.status == "failed" else "undelivered",
            error_code=update.error_code,
            error_class=why.error_class,
            meaning=why.meaning,
            remedy=why.remedy,
            send_id=update.send_id,
            **envelope,
        )
    return SmsStatusChanged(
        event_id=event_id(SmsStatusChanged, update.message_sid, update.status),
        channel=update.recipient.channel,
        status=update.status,
        send_id=update.send_id,
        **envelope,
    )
