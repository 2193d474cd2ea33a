"""Functions for ConversationRelay sessions: what comes over the socket, and what is looked at later."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import boto3

from twilio_plugin.runtime import config
from twilio_plugin.runtime.observability import logger
from twilio_plugin.runtime.wiring import parts
from twilio_plugin.runtime.wiring.streams import new_id

if TYPE_CHECKING:
    from twilio_plugin.domain.relay import Interrupt, Prompt, RelayKey, RelaySetup, TokensPlayed
    from twilio_plugin.domain.stream import Stream

Handler = Callable[[Any, Any], Any]


def conversation_relay() -> Handler:
    from twilio_plugin.adapters.event_bus import EventBridgeBus
    from twilio_plugin.adapters.person_turns import PersonTurnsTable
    from twilio_plugin.runtime.relay_socket import relay_messages
    from twilio_plugin.services.hear_relay import RelayEars, hear_key, hear_prompt
    from twilio_plugin.services.relay_playback import follow_tokens, interrupt_relay
    from twilio_plugin.services.start_relay import RelayOpener, start_relay
    from twilio_plugin.services.stop_speaking import Interrupter

    env = config.read(config.ConversationRelay)
    outbox, conversations = parts.tables(env)
    streams = parts.streams(env, outbox)
    utterances = parts.utterances(env, outbox, conversations)
    connections, timers = parts.connections(env.websocket_management_url), parts.relay_timers(env.relay_timers_url)
    reply_seconds = config.number(env.reply_timeout, "REPLY_TIMEOUT")
    interrupter = Interrupter(streams, utterances, connections, parts.now)
    opener = RelayOpener(
        calls=parts.calls(env, outbox),
        streams=streams,
        utterances=utterances,
        connections=connections,
        clock=parts.now,
        timers=timers,
        auth_tokens=parts.auth_tokens(env.twilio_secret),
        reply_seconds=reply_seconds,
    )
    ears = RelayEars(
        interrupter=interrupter,
        turns=PersonTurnsTable(parts.dynamodb(), env.calls_table, conversations),
        bus=EventBridgeBus(boto3.client("events", config=parts.AWS), env.event_bus_name),
        outbox=outbox,
        timers=timers,
        new_id=new_id,
        reply_seconds=reply_seconds,
    )

    def known(connection_id: str) -> Stream | None:
        stream = streams.of_connection(connection_id)
        if stream:
            logger.append_keys(call_sid=stream.call_sid, stream_sid=stream.stream_sid)
        return stream

    class Cases:
        def setup(self, connection_id: str, setup: RelaySetup) -> None:
            stream = start_relay(connection_id, setup, opener)
            logger.info("session set up", extra={"leg": stream.leg, "again": stream.seen_at is not None})

        def prompt(self, connection_id: str, prompt: Prompt) -> None:
            if stream := known(connection_id):
                logger.info("prompt", extra={"last": prompt.last, "new": hear_prompt(stream, prompt, ears)})

        def interrupt(self, connection_id: str, interrupt: Interrupt) -> None:
            if stream := known(connection_id):
                logger.info("interrupt", extra={"of_ours": interrupt_relay(stream, interrupt.said, interrupter)})

        def played(self, connection_id: str, played: TokensPlayed) -> None:
            if stream := known(connection_id):
                follow_tokens(stream, played.words, interrupter)

        def key(self, connection_id: str, key: RelayKey) -> None:
            if stream := known(connection_id):
                hear_key(stream, key, ears)

    return relay_messages(Cases())


def relay_timer() -> Handler:
    from twilio_plugin.adapters.relay_timers import read
    from twilio_plugin.domain.relay_timer import RelayTimer
    from twilio_plugin.runtime.queue import consumer
    from twilio_plugin.services.relay_timer import RelayWatch, time_is_up

    env = config.read(config.RelayTimer)
    outbox, conversations = parts.tables(env)
    by = RelayWatch(
        streams=parts.streams(env, outbox),
        utterances=parts.utterances(env, outbox, conversations),
        connections=parts.connections(env.websocket_management_url),
        clock=parts.now,
        reply_timeout=timedelta(seconds=config.number(env.reply_timeout, "REPLY_TIMEOUT")),
    )

    def use_case(timer: RelayTimer, _attempt: int) -> str:
        logger.append_keys(call_sid=timer.call_sid, stream_sid=timer.stream_sid, timer=timer.kind)
        return time_is_up(timer, by)

    attempts = config.number(env.timer_attempts, "TIMER_ATTEMPTS")
    return consumer(read, use_case, parts.relay_timers(env.relay_timers_url).retry_in, attempts=attempts)
