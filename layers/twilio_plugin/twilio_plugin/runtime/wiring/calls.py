"""Functions for calls, both ways."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from twilio_plugin.runtime import config
from twilio_plugin.runtime.observability import logger
from twilio_plugin.runtime.wiring import parts

if TYPE_CHECKING:
    from twilio_plugin.domain.call import VoiceMode
    from twilio_plugin.runtime.http import Form
    from twilio_plugin.services.control_call import Controller
    from twilio_plugin.services.make_call import Caller

Handler = Callable[[Any, Any], Any]

# What a caller hears if the agent says nothing in time, or if the call cannot be answered.
SORRY = "Sorry, nobody can take your call right now. Goodbye."


def voice_webhook() -> Handler:
    from twilio_plugin.domain.call import call_update, other_fields
    from twilio_plugin.domain.stream import TOKEN_SECONDS, stream_token
    from twilio_plugin.domain.timestamp import epoch
    from twilio_plugin.domain.webhook_retries import RETRY_CALLBACK
    from twilio_plugin.runtime.http import Response, twiml, webhook
    from twilio_plugin.services.answer_call import Answering, answer, apology
    from twilio_plugin.services.gather_call import GatherOpener
    from twilio_plugin.services.relay_line import RelayLine

    env = config.read(config.VoiceWebhook)
    outbox, conversations = parts.tables(env)
    streams = parts.streams(env, outbox)
    auth_tokens = parts.auth_tokens(env.twilio_secret)
    guard = parts.inbound_guard(env)
    warmer = parts.warmer()
    wanted_soon: dict[VoiceMode, list[str]] = {
        "stream": [env.stream_authorizer_function, env.media_stream_function, env.call_session_function],
        "relay": [env.stream_authorizer_function, env.conversation_relay_function],
        "gather": [env.gather_webhook_function],
    }

    def token(call_sid: str, leg: int) -> str:
        expires_at = epoch(parts.now()) + TOKEN_SECONDS
        return stream_token(auth_tokens(fresh=False)[0], call_sid, leg, expires_at=expires_at)

    def warm(mode: VoiceMode) -> None:
        if cold := warmer.warm(wanted_soon[mode]):
            logger.warning("not warmed", extra={"functions": cold})

    by = Answering(
        calls=parts.calls(env, outbox),
        streams=streams,
        guard=guard,
        clock=parts.now,
        greeting=env.greeting,
        sorry=SORRY,
        voice_mode=config.voice_mode(env.voice_mode),
        websocket_url=env.twilio_websocket_url,
        webhook_url=env.twilio_webhook_url,
        token=token,
        gather=GatherOpener(streams, parts.now, parts.manner(env), parts.reply_timeout(env.reply_timeout)),
        warm=warm,
        utterances=parts.utterances(env, outbox, conversations),
        relay=RelayLine(
            attributes=config.texts(env.relay_attributes, "RELAY_ATTRIBUTES"),
            recording_url=f"{env.twilio_webhook_url}/status{RETRY_CALLBACK}",
            stay_seconds=config.number(env.reply_timeout, "REPLY_TIMEOUT"),
        ),
    )

    def use_case(form: Form, query: Mapping[str, str]) -> Response:
        call = call_update(form, query)
        logger.append_keys(call_sid=call.call_sid)
        document = answer(call, other_fields(form), query, by)
        if code := form.get("ErrorCode"):
            logger.warning("session failed", extra={"error_code": code})
        logger.info("call answered", extra={"conversation_id": call.conversation_id, "leg": query.get("leg", "0")})
        return twiml(document)

    is_signed = parts.is_signed(env.twilio_secret)
    return webhook(
        use_case,
        is_signed,
        env.twilio_webhook_url,
        twiml(apology(SORRY)),
        admits_source=guard.limits.admits_source,
        whatever_happens=True,
    )


def gather_webhook() -> Handler:
    from twilio_plugin.domain.call import call_update
    from twilio_plugin.domain.gather import read_place
    from twilio_plugin.runtime.http import Response, twiml, webhook
    from twilio_plugin.services.answer_call import apology
    from twilio_plugin.services.answer_gathered import answer_gathered
    from twilio_plugin.services.gather_call import Gatherer

    env = config.read(config.GatherWebhook)
    outbox, conversations = parts.tables(env)
    by = Gatherer(
        streams=parts.streams(env, outbox),
        utterances=parts.utterances(env, outbox, conversations),
        gathering=parts.gathering(env, outbox, conversations),
        outbox=outbox,
        clock=parts.now,
        manner=parts.manner(env),
        reply_timeout=parts.reply_timeout(env.reply_timeout),
        partials=env.partial_transcripts == "true",
    )

    def use_case(form: Form, query: Mapping[str, str]) -> Response:
        call, place = call_update(form, query), read_place(query)
        logger.append_keys(call_sid=call.call_sid)
        outcome, document = answer_gathered(call.call_sid, place, form, SORRY, by)
        logger.info("gathered", extra={"outcome": outcome, "step": place and place.step})
        return twiml(document)

    return webhook(
        use_case,
        parts.is_signed(env.twilio_secret),
        env.twilio_webhook_url,
        twiml(apology(SORRY)),
        admits_source=config.limits(env.guards).admits_source,
        whatever_happens=True,
    )


def make_call() -> Handler:
    from twilio_plugin.domain.actions import MadeCall, MakeCall
    from twilio_plugin.runtime.invocation import function
    from twilio_plugin.services.make_call import make_call as service

    by = caller(config.read(config.MakeCall))

    def use_case(request: MakeCall, request_id: str) -> MadeCall:
        return service(request, request_id, by)

    return function(MakeCall, use_case)


def caller(env: config.MakeCall | config.RunAction) -> Caller:
    from twilio_plugin.adapters.call_requests import CallRequestsTable
    from twilio_plugin.adapters.claims import Claims
    from twilio_plugin.services.make_call import Caller

    outbox = parts.outbox(env)
    claims = Claims(parts.dynamodb(), env.conversations_table, parts.now, kind="call")
    return Caller(
        requests=CallRequestsTable(parts.dynamodb(), claims, env.calls_table, parts.calls(env, outbox), outbox),
        calling=parts.calling(env),
        guard=parts.outbound_guard(env),
        clock=parts.now,
        phone_number=env.twilio_phone_number,
        default_region=env.phone_default_region,
        language=env.language,
        webhook_url=env.twilio_webhook_url,
        not_recorded=lambda sid: logger.error("called but not recorded; reconcile will", extra={"call_sid": sid}),
    )


def control_call() -> Handler:
    from twilio_plugin.domain.actions import ControlCall, ControlledCall
    from twilio_plugin.runtime.invocation import function
    from twilio_plugin.services.control_call import control_call as service

    by = controller(config.read(config.ControlCall))

    def use_case(request: ControlCall, _request_id: str) -> ControlledCall:
        return service(request, by)

    return function(ControlCall, use_case)


def controller(env: config.ControlCall | config.Bridge) -> Controller:
    """What tells calls what to do."""
    from twilio_plugin.services.control_call import Controller

    outbox, conversations = parts.tables(env)
    return Controller(
        calling=parts.calling(env),
        streams=parts.streams(env, outbox),
        utterances=parts.utterances(env, outbox, conversations),
        connections=cache(lambda: parts.connections(env.websocket_management_url)),
        transcriptions=parts.transcriptions_reader(env.calls_table),
        clock=parts.now,
        sleep=time.sleep,
        guard=parts.outbound_guard(env),
        phone_number=env.twilio_phone_number,
        default_region=env.phone_default_region,
        stay_seconds=config.number(env.reply_timeout, "REPLY_TIMEOUT"),
        webhook_url=env.twilio_webhook_url,
        language=env.language,
    )


def call_state() -> Handler:
    from twilio_plugin.adapters.calls import CallsReader
    from twilio_plugin.domain.actions import CallStates, ReadCalls
    from twilio_plugin.runtime.invocation import function
    from twilio_plugin.services.read_calls import read_calls

    table = config.read(config.CallState).calls_table
    calls, streams = CallsReader(parts.dynamodb(), table), parts.streams_reader(table)
    transcriptions = parts.transcriptions_reader(table)

    def use_case(request: ReadCalls, _request_id: str) -> CallStates:
        return read_calls(request, calls, streams, transcriptions, parts.now)

    return function(ReadCalls, use_case)
