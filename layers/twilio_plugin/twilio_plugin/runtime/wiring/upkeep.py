"""Functions that nobody calls: Twilio's reports, the relay, reconciliation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import boto3

from twilio_plugin.runtime import config
from twilio_plugin.runtime.observability import logger
from twilio_plugin.runtime.wiring import parts

if TYPE_CHECKING:
    from twilio_plugin.runtime.http import Form

Handler = Callable[[Any, Any], Any]


def status_webhook() -> Handler:
    from twilio_plugin.domain.call import call_update
    from twilio_plugin.runtime.http import no_content, webhook
    from twilio_plugin.services.track_call import track_call
    from twilio_plugin.services.track_status import status_update, track_status

    env = config.read(config.StatusWebhook)
    outbox, conversations = parts.tables(env)
    calls = parts.calls(env, outbox)

    def use_case(form: Form, query: Mapping[str, str]) -> None:
        if "CallSid" in form:
            call = call_update(form, query)
            logger.append_keys(call_sid=call.call_sid)
            new = track_call(call, calls, parts.now)
            logger.info("call status", extra={"status": call.status, "new": new})
        else:
            message = status_update(form, query)
            logger.append_keys(message_sid=message.message_sid)
            new = track_status(message, conversations, parts.now)
            logger.info("message status", extra={"status": message.status, "error_code": message.error_code, "new": new})

    return webhook(use_case, parts.is_signed(env.twilio_secret), env.twilio_webhook_url, no_content())


def event_relay() -> Handler:
    from twilio_plugin.adapters.event_bus import EventBridgeBus
    from twilio_plugin.adapters.outbox import OutboxTable, from_stream
    from twilio_plugin.runtime.stream import relay
    from twilio_plugin.services.relay_events import relay_events

    env = config.read(config.Relay)
    bus = EventBridgeBus(boto3.client("events", config=parts.AWS), env.event_bus_name)
    outbox = OutboxTable(parts.dynamodb(), env.outbox_table)
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
    outbox, conversations = parts.tables(env)
    by = service.Reconciler(
        outbox=outbox,
        bus=EventBridgeBus(boto3.client("events", config=parts.AWS), env.event_bus_name),
        sends=SendsTable(parts.dynamodb(), env.conversations_table, outbox, conversations, parts.now),
        texting=parts.texting(env),
        clock=parts.now,
        account_sid=env.twilio_account_sid,
    )

    claims = Claims(parts.dynamodb(), env.conversations_table, parts.now, kind="call")
    calls = parts.calls(env, outbox)
    calls_by = call_service.CallReconciler(
        requests=CallRequestsTable(parts.dynamodb(), claims, env.calls_table, calls, outbox),
        calls=calls,
        calling=parts.calling(env),
        clock=parts.now,
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
