"""Functions for texts, both ways."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from twilio_plugin.runtime import config
from twilio_plugin.runtime.observability import logger
from twilio_plugin.runtime.wiring import parts

if TYPE_CHECKING:
    from twilio_plugin.domain.actions import SendMessage, SendResult
    from twilio_plugin.runtime.http import Form
    from twilio_plugin.services.send_message import Sender

Handler = Callable[[Any, Any], Any]


def sms_webhook() -> Handler:
    from twilio_plugin.domain.message import inbound_message
    from twilio_plugin.runtime.http import twiml, webhook
    from twilio_plugin.services.receive_sms import receive_sms

    env = config.read(config.SmsWebhook)
    _, conversations = parts.tables(env, env.ledger_secret)
    guard = parts.inbound_guard(env)
    copies_media = env.copy_media == "true"

    def use_case(form: Form, _query: Mapping[str, str]) -> None:
        message = inbound_message(form, copies_media=copies_media)
        logger.append_keys(message_sid=message.message_sid)
        new = receive_sms(message, conversations, guard, parts.now)
        logger.info("text received", extra={"conversation_id": message.conversation_id, "kind": message.kind, "new": new})

    return webhook(
        use_case,
        parts.is_signed(env.twilio_secret),
        env.twilio_webhook_url,
        twiml(),
        admits_source=guard.limits.admits_source,
    )


def send_sms() -> Handler:
    from twilio_plugin.domain.actions import SendSms
    from twilio_plugin.runtime.invocation import function

    return function(SendSms, _send())


def send_mms() -> Handler:
    from twilio_plugin.domain.actions import SendMms
    from twilio_plugin.runtime.invocation import function

    return function(SendMms, _send())


def conversation_history() -> Handler:
    from twilio_plugin.adapters.history import HistoryTable
    from twilio_plugin.domain.actions import History, ReadHistory
    from twilio_plugin.runtime.invocation import function
    from twilio_plugin.services.read_history import read_history

    env = config.read(config.History)
    table = HistoryTable(parts.dynamodb(), env.conversations_table)

    def use_case(request: ReadHistory, _request_id: str) -> History:
        return read_history(request, table, phone_number=env.twilio_phone_number, default_region=env.phone_default_region)

    return function(ReadHistory, use_case)


def sender(env: config.Send | config.RunAction | config.Bridge) -> Sender:
    from twilio_plugin.adapters.sends import SendsTable
    from twilio_plugin.services.send_message import Sender

    outbox, conversations = parts.tables(env, env.ledger_secret)
    return Sender(
        conversations=conversations,
        sends=SendsTable(parts.dynamodb(), env.conversations_table, outbox, conversations, parts.now),
        texting=parts.texting(env, env.ledger_secret),
        guard=parts.outbound_guard(env),
        clock=parts.now,
        phone_number=env.twilio_phone_number,
        default_region=env.phone_default_region,
        account_sid=env.twilio_account_sid,
        media=parts.outbound_media(env),
        not_recorded=lambda sid: logger.error("sent but not recorded; reconcile will", extra={"message_sid": sid}),
    )


def _send() -> Callable[[SendMessage, str], SendResult]:
    from twilio_plugin.services.send_message import send_message

    by = sender(config.read(config.Send))
    return lambda request, request_id: send_message(request, request_id, by)
