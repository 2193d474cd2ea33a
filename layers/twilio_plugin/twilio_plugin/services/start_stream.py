"""Twilio opens a media stream: check that it is the one we asked for, announce it, and have a session listen to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from twilio_plugin.domain.events import VoiceStreamStarted, event_id
from twilio_plugin.domain.media_stream import StreamStart
from twilio_plugin.domain.stream import Stream, leg_of_token
from twilio_plugin.domain.timestamp import iso
from twilio_plugin.errors import StorageUnavailable, StreamRefused
from twilio_plugin.services.ports import CallReader, Clock, Connections, Sessions, Streams

_FORMAT = ("audio/x-mulaw", 8000)


class AuthTokens(Protocol):
    """The account's auth tokens; `fresh` where those known so far do not fit, because they may have been rotated."""

    def __call__(self, *, fresh: bool) -> Sequence[str]: ...


@dataclass(frozen=True, slots=True)
class StreamOpener:
    """What opening a stream needs."""

    calls: CallReader
    streams: Streams
    sessions: Sessions
    connections: Connections
    clock: Clock
    new_id: Callable[[], str]
    auth_tokens: AuthTokens


def start_stream(connection_id: str, start: StreamStart, by: StreamOpener) -> Stream:
    """Open the stream, or find it open already: a start may come twice.

    Raises:
        StreamRefused: another format, or a token, call or account that is not ours. The socket is closed.
        StorageUnavailable: nobody listens; the socket is closed, and the call's document opens another stream.
    """
    try:
        stream = _opened(connection_id, start, by)
        if stream.session_id is None:
            appoint_session(stream, by.streams, by.sessions, by.new_id(), restart=False)
    except (StreamRefused, StorageUnavailable):
        by.connections.close(connection_id)
        raise
    return stream


def appoint_session(stream: Stream, streams: Streams, sessions: Sessions, session_id: str, *, restart: bool) -> bool:
    """Let a new session listen. False if another one does already, or the stream is over.

    Raises:
        StorageUnavailable: the one that was in charge before still is.
    """
    if not streams.appoint(stream, session_id, restart=restart):
        return False
    try:
        sessions.start(stream, session_id)
    except StorageUnavailable:
        if stream.session_id:
            streams.appoint(replace(stream, session_id=session_id), stream.session_id, restart=False)
        raise
    return True


def _opened(connection_id: str, start: StreamStart, by: StreamOpener) -> Stream:
    if (start.encoding, start.sample_rate) != _FORMAT:
        raise StreamRefused(f"The stream carries {start.encoding} at {start.sample_rate}; only {_FORMAT[0]} at 8000 is heard.")
    now = by.clock()
    leg = _leg(start, by.auth_tokens, now)
    call = by.calls.call(start.call_sid)
    if call is None:
        raise StreamRefused(f"The stream is of {start.call_sid}, which is no call of ours.")
    stream = Stream(
        call_sid=start.call_sid,
        leg=leg,
        stream_sid=start.stream_sid,
        connection_id=connection_id,
        account_sid=start.account_sid,
        conversation_id=call.conversation_id,
        direction=call.direction,
        from_=call.from_,
        to=call.to,
        started_at=iso(now),
    )
    event = VoiceStreamStarted(
        event_id=event_id(VoiceStreamStarted, stream.stream_sid),
        occurred_at=stream.started_at,
        leg=leg,
        **stream.envelope,
    )
    return stream if by.streams.open(stream, event) else by.streams.read(stream)


def _leg(start: StreamStart, auth_tokens: AuthTokens, now: datetime) -> int:
    token = start.parameters.get("token", "")
    try:
        return leg_of_token(token, start.call_sid, auth_tokens(fresh=False), now)
    except StreamRefused:
        return leg_of_token(token, start.call_sid, auth_tokens(fresh=True), now)
