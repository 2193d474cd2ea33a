"""The composition root: one function a Lambda, and the only place that builds adapters.

Each imports what its Lambda needs and nothing else, because a caller waits for every import of a cold start.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

import boto3
from botocore.config import Config

from twilio_plugin.runtime import config
from twilio_plugin.runtime.observability import logger

if TYPE_CHECKING:
    from twilio_plugin.adapters.calls import CallsTable
    from twilio_plugin.adapters.conversations import ConversationsTable
    from twilio_plugin.adapters.dynamodb import DynamoDB
    from twilio_plugin.adapters.outbox import OutboxTable
    from twilio_plugin.adapters.secrets import TwilioSecret
    from twilio_plugin.adapters.twilio_calls import TwilioCalls
    from twilio_plugin.adapters.twilio_messages import TwilioMessages
    from twilio_plugin.adapters.twilio_rest import TwilioRest
    from twilio_plugin.domain.actions import SendMessage, SendResult
    from twilio_plugin.runtime.http import Form, IsSigned

Handler = Callable[[Any, Any], Any]

# Short, because Twilio waits 15 s and a person on the phone less; boto3 repeats what is safe to repeat.
_AWS = Config(connect_timeout=2, read_timeout=4, retries={"mode": "standard", "total_max_attempts": 3})
# A wrong signature makes the secret worth another look, but strangers must not make us read it at will.
_SECRET_SECOND_LOOK_SECONDS = 10.0
# What a caller hears if no agent takes the call over in time.
SORRY = "Sorry, nobody can take your call right now. Goodbye."


def sms_webhook() -> Handler:
    from twilio_plugin.domain.message import inbound_message
    from twilio_plugin.runtime.http import twiml, webhook
    from twilio_plugin.services.receive_sms import receive_sms

    env = config.read(config.SmsWebhook)
    _, conversations = _tables(env)

    def use_case(form: Form, _query: Mapping[str, str]) -> None:
        message = inbound_message(form)
        logger.append_keys(message_sid=message.message_sid)
        new = receive_sms(message, conversations, _now)
        logger.info("text received", extra={"conversation_id": message.conversation_id, "kind": message.kind, "new": new})

    return webhook(use_case, _is_signed(env.twilio_secret), env.twilio_webhook_url, twiml())


def status_webhook() -> Handler:
    from twilio_plugin.domain.call import call_update
    from twilio_plugin.runtime.http import no_content, webhook
    from twilio_plugin.services.track_call import track_call
    from twilio_plugin.services.track_status import status_update, track_status

    env = config.read(config.StatusWebhook)
    outbox, conversations = _tables(env)
    calls = _calls(env, outbox)

    def use_case(form: Form, query: Mapping[str, str]) -> None:
        if "CallSid" in form:
            call = call_update(form, query)
            logger.append_keys(call_sid=call.call_sid)
            new = track_call(call, calls, _now)
            logger.info("call status", extra={"status": call.status, "new": new})
        else:
            message = status_update(form, query)
            logger.append_keys(message_sid=message.message_sid)
            new = track_status(message, conversations, _now)
            logger.info("message status", extra={"status": message.status, "error_code": message.error_code, "new": new})

    return webhook(use_case, _is_signed(env.twilio_secret), env.twilio_webhook_url, no_content())


def voice_webhook() -> Handler:
    from twilio_plugin.domain import twiml as documents
    from twilio_plugin.domain.call import call_update, other_fields
    from twilio_plugin.runtime.http import twiml, webhook
    from twilio_plugin.services.answer_call import answer_call

    env = config.read(config.VoiceWebhook)
    calls = _calls(env, _outbox(env))
    wait = config.number(env.reply_timeout, "REPLY_TIMEOUT")
    greeting = documents.document(documents.say(env.greeting), documents.pause(wait), documents.say(SORRY), documents.hangup())

    def use_case(form: Form, query: Mapping[str, str]) -> None:
        call = call_update(form, query)
        logger.append_keys(call_sid=call.call_sid)
        new = answer_call(call, other_fields(form), calls, _now)
        logger.info("call received", extra={"conversation_id": call.conversation_id, "new": new})

    is_signed = _is_signed(env.twilio_secret)
    return webhook(use_case, is_signed, env.twilio_webhook_url, twiml(greeting), whatever_happens=True)


def make_call() -> Handler:
    from twilio_plugin.adapters.call_requests import CallRequestsTable
    from twilio_plugin.adapters.claims import Claims
    from twilio_plugin.domain.actions import MadeCall, MakeCall
    from twilio_plugin.runtime.invocation import function
    from twilio_plugin.services.make_call import Caller
    from twilio_plugin.services.make_call import make_call as service

    env = config.read(config.MakeCall)
    outbox = _outbox(env)
    claims = Claims(_dynamodb(), env.conversations_table, _now, kind="call")
    by = Caller(
        requests=CallRequestsTable(_dynamodb(), claims, env.calls_table, _calls(env, outbox), outbox),
        calling=_calling(env),
        clock=_now,
        phone_number=env.twilio_phone_number,
        default_region=env.phone_default_region,
        not_recorded=lambda sid: logger.error("called but not recorded; reconcile will", extra={"call_sid": sid}),
    )

    def use_case(request: MakeCall, request_id: str) -> MadeCall:
        return service(request, request_id, by)

    return function(MakeCall, use_case)


def control_call() -> Handler:
    from twilio_plugin.domain.actions import ControlCall, ControlledCall
    from twilio_plugin.runtime.invocation import function
    from twilio_plugin.services.control_call import Controller
    from twilio_plugin.services.control_call import control_call as service

    env = config.read(config.ControlCall)
    by = Controller(
        calling=_calling(env),
        phone_number=env.twilio_phone_number,
        default_region=env.phone_default_region,
        stay_seconds=config.number(env.reply_timeout, "REPLY_TIMEOUT"),
    )

    def use_case(request: ControlCall, _request_id: str) -> ControlledCall:
        return service(request, by)

    return function(ControlCall, use_case)


def call_state() -> Handler:
    from twilio_plugin.adapters.calls import CallsReader
    from twilio_plugin.domain.actions import CallStates, ReadCalls
    from twilio_plugin.runtime.invocation import function
    from twilio_plugin.services.read_calls import read_calls

    calls = CallsReader(_dynamodb(), config.read(config.CallState).calls_table)

    def use_case(request: ReadCalls, _request_id: str) -> CallStates:
        return read_calls(request, calls)

    return function(ReadCalls, use_case)


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
    table = HistoryTable(_dynamodb(), env.conversations_table)

    def use_case(request: ReadHistory, _request_id: str) -> History:
        return read_history(request, table, phone_number=env.twilio_phone_number, default_region=env.phone_default_region)

    return function(ReadHistory, use_case)


def event_relay() -> Handler:
    from twilio_plugin.adapters.event_bus import EventBridgeBus
    from twilio_plugin.adapters.outbox import OutboxTable, from_stream
    from twilio_plugin.runtime.stream import relay
    from twilio_plugin.services.relay_events import relay_events

    env = config.read(config.Relay)
    bus = EventBridgeBus(boto3.client("events", config=_AWS), env.event_bus_name)
    outbox = OutboxTable(_dynamodb(), env.outbox_table)
    return relay(from_stream, lambda announcements: relay_events(announcements, bus, outbox))


def reconcile() -> Handler:
    from dataclasses import asdict

    from twilio_plugin.adapters.call_requests import CallRequestsTable
    from twilio_plugin.adapters.claims import Claims
    from twilio_plugin.adapters.event_bus import EventBridgeBus
    from twilio_plugin.adapters.sends import SendsTable
    from twilio_plugin.services import reconcile as service
    from twilio_plugin.services import reconcile_calls as call_service

    env = config.read(config.Reconcile)
    outbox, conversations = _tables(env)
    by = service.Reconciler(
        outbox=outbox,
        bus=EventBridgeBus(boto3.client("events", config=_AWS), env.event_bus_name),
        sends=SendsTable(_dynamodb(), env.conversations_table, outbox, conversations, _now),
        texting=_texting(env),
        clock=_now,
        account_sid=env.twilio_account_sid,
    )

    claims = Claims(_dynamodb(), env.conversations_table, _now, kind="call")
    calls = _calls(env, outbox)
    calls_by = call_service.CallReconciler(
        requests=CallRequestsTable(_dynamodb(), claims, env.calls_table, calls, outbox),
        calls=calls,
        calling=_calling(env),
        clock=_now,
        account_sid=env.twilio_account_sid,
    )

    @logger.inject_lambda_context(clear_state=True)
    def lambda_handler(_event: Any, _context: Any) -> dict[str, Any]:
        try:
            texts_done = service.reconcile(by)
        finally:  # trouble with the one is no reason to leave the other
            calls_done = call_service.reconcile_calls(calls_by)
        done = asdict(texts_done) | {"calls": asdict(calls_done)}
        logger.info("reconciled", extra=done)
        return done

    return lambda_handler


def _send() -> Callable[[SendMessage, str], SendResult]:
    from twilio_plugin.adapters.sends import SendsTable
    from twilio_plugin.services.send_message import Sender, send_message

    env = config.read(config.Send)
    outbox, conversations = _tables(env)
    by = Sender(
        conversations=conversations,
        sends=SendsTable(_dynamodb(), env.conversations_table, outbox, conversations, _now),
        texting=_texting(env),
        clock=_now,
        phone_number=env.twilio_phone_number,
        default_region=env.phone_default_region,
        account_sid=env.twilio_account_sid,
        not_recorded=lambda sid: logger.error("sent but not recorded; reconcile will", extra={"message_sid": sid}),
    )
    return lambda request, request_id: send_message(request, request_id, by)


def _tables(
    env: config.SmsWebhook | config.StatusWebhook | config.Send | config.Reconcile,
) -> tuple[OutboxTable, ConversationsTable]:
    from twilio_plugin.adapters.conversations import ConversationsTable

    outbox = _outbox(env)
    days = config.number(env.retention_days, "RETENTION_DAYS")
    return outbox, ConversationsTable(_dynamodb(), env.conversations_table, outbox, retention_days=days)


class _WithOutbox(Protocol):
    @property
    def outbox_table(self) -> str: ...


class _WithCalls(Protocol):
    @property
    def calls_table(self) -> str: ...
    @property
    def retention_days(self) -> str: ...


class _WithTwilio(Protocol):
    @property
    def twilio_account_sid(self) -> str: ...
    @property
    def twilio_api_base_url(self) -> str: ...
    @property
    def twilio_secret(self) -> str: ...
    @property
    def twilio_webhook_url(self) -> str: ...


def _outbox(env: _WithOutbox) -> OutboxTable:
    from twilio_plugin.adapters.outbox import OutboxTable

    return OutboxTable(_dynamodb(), env.outbox_table)


def _calls(env: _WithCalls, outbox: OutboxTable) -> CallsTable:
    from twilio_plugin.adapters.calls import CallsTable

    days = config.number(env.retention_days, "RETENTION_DAYS")
    return CallsTable(_dynamodb(), env.calls_table, outbox, retention_days=days)


def _texting(env: _WithTwilio) -> TwilioMessages:
    from twilio_plugin.adapters.twilio_messages import TwilioMessages

    return TwilioMessages(_twilio(env), status_url=f"{env.twilio_webhook_url}/status")


def _calling(env: _WithTwilio) -> TwilioCalls:
    from twilio_plugin.adapters.twilio_calls import TwilioCalls

    return TwilioCalls(_twilio(env), webhook_url=env.twilio_webhook_url)


def _twilio(env: _WithTwilio) -> TwilioRest:
    from twilio_plugin.adapters.twilio_rest import TwilioRest

    return TwilioRest(env.twilio_account_sid, _secret(env.twilio_secret).credentials, api_base_url=env.twilio_api_base_url)


def _is_signed(secret_name: str) -> IsSigned:
    from twilio_plugin.adapters.twilio_signature import is_signed

    secret = _secret(secret_name)

    def check(signature: str, urls: Iterable[str], form: Form) -> bool:
        known = secret.credentials()
        if is_signed(signature, urls, form, known.auth_tokens):
            return True
        # The token may have been rotated since the secret was read.
        fresh = secret.credentials(newer_than_seconds=_SECRET_SECOND_LOOK_SECONDS)
        return fresh is not known and is_signed(signature, urls, form, fresh.auth_tokens)

    return check


def _secret(name: str) -> TwilioSecret:
    from twilio_plugin.adapters.secrets import TwilioSecret

    return TwilioSecret(lambda: boto3.client("secretsmanager", config=_AWS), name)


@cache
def _dynamodb() -> DynamoDB:
    from twilio_plugin.adapters.dynamodb import DynamoDB

    return DynamoDB(boto3.client("dynamodb", config=_AWS))


def _now() -> datetime:
    return datetime.now(UTC)
