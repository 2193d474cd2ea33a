"""Functions for a call's media stream: letting it in, listening to it, speaking into it."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from twilio_plugin.runtime import config
from twilio_plugin.runtime.observability import correlate, logger
from twilio_plugin.runtime.wiring import parts

if TYPE_CHECKING:
    from twilio_plugin.domain.media_stream import Key, Mark, StreamStart, StreamStop
    from twilio_plugin.domain.stream import Stream, StreamEnd
    from twilio_plugin.services.speak import Speaker

Handler = Callable[[Any, Any], Any]


def stream_authorizer() -> Handler:
    from twilio_plugin.runtime.websocket import authorizer

    env = config.read(config.StreamAuthorizer)
    return authorizer(
        parts.is_signed_handshake(env.twilio_secret),
        env.twilio_websocket_url,
        admits_source=config.limits(env.guards).admits_source,
    )


def frame_ingest() -> Handler:
    from twilio_plugin.adapters.media_frames import MediaFrames
    from twilio_plugin.runtime.websocket import frames

    return frames(MediaFrames(parts.dynamodb(), config.read(config.FrameIngest).media_frames_table).put)


def media_stream() -> Handler:
    from twilio_plugin.runtime.websocket import messages
    from twilio_plugin.services.end_stream import StreamEnder, announce_end
    from twilio_plugin.services.follow_playback import follow_mark, press_key
    from twilio_plugin.services.relay_timer import lose_connection
    from twilio_plugin.services.restart_session import Restarter, restart_session
    from twilio_plugin.services.start_stream import StreamOpener, start_stream
    from twilio_plugin.services.stop_speaking import Interrupter

    env = config.read(config.MediaStream)
    outbox, conversations = parts.tables(env)
    calls, streams = parts.calls(env, outbox), parts.streams(env, outbox)
    utterances = parts.utterances(env, outbox, conversations)
    connections, sessions = parts.connections(env.websocket_management_url), parts.sessions(env.call_session_function)
    opener = StreamOpener(
        calls=calls,
        streams=streams,
        sessions=sessions,
        connections=connections,
        clock=parts.now,
        new_id=new_id,
        auth_tokens=parts.auth_tokens(env.twilio_secret),
    )
    ender = StreamEnder(streams, utterances, parts.frames(env.media_frames_table), parts.now)
    timers = parts.relay_timers(env.relay_timers_url)
    interrupter = Interrupter(streams, utterances, connections, parts.now)
    restarter = Restarter(streams, sessions, connections, ender, new_id)

    def known(connection_id: str) -> Stream | None:
        stream = streams.of_connection(connection_id)
        if stream:
            correlate(stream.call_sid)
            logger.append_keys(call_sid=stream.call_sid, stream_sid=stream.stream_sid)
        return stream

    def over(stream: Stream, end: StreamEnd, last: int | None = None) -> None:
        announce_end(stream, end, ender, last=last)
        logger.info("stream over", extra={"end": end})

    class Cases:
        def start(self, connection_id: str, start: StreamStart, _expires_at: int) -> None:
            stream = start_stream(connection_id, start, opener)
            logger.info("stream started", extra={"stream_sid": stream.stream_sid, "leg": stream.leg})

        def stop(self, connection_id: str, stop: StreamStop) -> None:
            if stream := known(connection_id):
                over(stream, "stopped", stop.sequence_number)

        def closed(self, connection_id: str) -> None:
            stream = known(connection_id)
            if stream and stream.mode == "relay":
                lose_connection(stream, connection_id, timers)
            elif stream:
                over(stream, "closed")

        def mark(self, connection_id: str, mark: Mark) -> None:
            if stream := known(connection_id):
                follow_mark(stream, mark, utterances, parts.now)

        def key(self, connection_id: str, key: Key) -> None:
            if stream := known(connection_id):
                press_key(stream, key, outbox, interrupter)

        def session_died(self, payload: Mapping[str, Any]) -> None:
            done = restart_session(payload["call_sid"], payload["session_id"], restarter)
            logger.warning("session replaced", extra={"call_sid": payload["call_sid"], "outcome": done})

    return messages(Cases())


def call_session() -> Handler:
    from twilio_plugin.adapters.engines import load
    from twilio_plugin.adapters.voice_activity import WebRtcVoiceActivity
    from twilio_plugin.domain.turns import TurnDetector
    from twilio_plugin.runtime.websocket import session
    from twilio_plugin.services.end_stream import StreamEnder
    from twilio_plugin.services.listen import Ears, listen
    from twilio_plugin.services.ports import Transcriber
    from twilio_plugin.services.stop_speaking import Interrupter

    env = config.read(config.CallSession)
    outbox, conversations = parts.tables(env)
    streams = parts.streams(env, outbox)
    utterances = parts.utterances(env, outbox, conversations)
    frames, connections = parts.frames(env.media_frames_table), parts.connections(env.websocket_management_url)
    endpointing = config.number(env.endpointing_milliseconds, "ENDPOINTING_MILLISECONDS")
    transcriber = cast(Transcriber, load(env.transcriber, language=env.language))
    ears = Ears(
        calls=parts.calls(env, outbox),
        streams=streams,
        frames=frames,
        connections=connections,
        conversations=conversations,
        sessions=parts.sessions(env.call_session_function),
        bus=parts.bus(env.event_bus_name),
        transcriber=transcriber,
        turn_detector=lambda cursor: TurnDetector(
            WebRtcVoiceActivity().is_voiced, cursor=cursor, endpoint_milliseconds=endpointing
        ),
        interrupter=Interrupter(streams, utterances, connections, parts.now),
        ender=StreamEnder(streams, utterances, frames, parts.now),
        clock=parts.now,
        sleep=time.sleep,
        new_id=new_id,
        not_understood=lambda why: logger.error("a turn was not understood", extra={"reason": why}),
        reply_timeout=parts.reply_timeout(env.reply_timeout),
        partials=env.partial_transcripts == "true",
    )

    def run(call_sid: str, _leg: int, session_id: str, remaining_milliseconds: Callable[[], int]) -> None:
        outcome = listen(call_sid, session_id, lambda: timedelta(milliseconds=remaining_milliseconds()), ears)
        logger.info("session over", extra={"outcome": outcome})

    return session(run)


def say() -> Handler:
    from twilio_plugin.domain.actions import Said, Say
    from twilio_plugin.runtime.invocation import function
    from twilio_plugin.services.speak import say as service

    by = speaker(config.read(config.Say))

    def use_case(request: Say, _request_id: str) -> Said:
        return service(request, by)

    return function(Say, use_case)


def speaker(env: config.Say | config.Bridge) -> Speaker:
    """What speaks in calls."""
    from twilio_plugin.adapters.engines import LateSynthesizer
    from twilio_plugin.services.say_between import Waker
    from twilio_plugin.services.speak import Speaker
    from twilio_plugin.services.stop_speaking import Interrupter

    outbox, conversations = parts.tables(env)
    streams = parts.streams(env, outbox)
    return Speaker(
        by=Interrupter(
            streams, parts.utterances(env, outbox, conversations), parts.connections(env.websocket_management_url), parts.now
        ),
        synthesizer=LateSynthesizer(env.synthesizer, language=env.language, voice=env.voice),
        waker=Waker(
            gathering=parts.gathering(env, outbox, conversations),
            calling=cache(lambda: parts.calling(env)),
            webhook_url=env.twilio_webhook_url,
            not_woken=lambda call_sid, why: logger.error("not said at once", extra={"call_sid": call_sid, "reason": why}),
        ),
        clock=parts.now,
        sleep=time.sleep,
        new_id=new_id,
    )


def new_id() -> str:
    """Of a session or an utterance; sorts by time."""
    from twilio_plugin.domain.timestamp import iso

    return f"{iso(parts.now())}-{secrets.token_hex(4)}"
