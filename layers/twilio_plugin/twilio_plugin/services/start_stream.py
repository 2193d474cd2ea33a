"""Twilio opens a media stream: check that it is the one we asked for, announce it, and have a session listen to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from twilio_plugin.domain.call import VoiceMode
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
    leg = leg_shown(start.parameters, start.call_sid, by.auth_tokens, now)
    stream = new_stream(
        by.calls,
        call_sid=start.call_sid,
        account_sid=start.account_sid,
        leg=leg,
        stream_sid=start.stream_sid,
        connection_id=connection_id,
        mode="stream",
        now=now,
    )
    return stream if by.streams.open(stream, started(stream)) else by.streams.read(stream)


def new_stream(
    calls: CallReader,
    *,
    call_sid: str,
    account_sid: str,
    leg: int,
    stream_sid: str,
    connection_id: str,
    mode: VoiceMode,
    now: datetime,
) -> Stream:
    """A stream of a call of ours that begins. Raises StreamRefused where the call is none."""
    call = calls.call(call_sid)
    if call is None:
        raise StreamRefused(f"The stream is of {call_sid}, which is no call of ours.")
    return Stream(
        call_sid=call_sid,
        leg=leg,
        stream_sid=stream_sid,
        connection_id=connection_id,
        account_sid=account_sid,
        conversation_id=call.conversation_id,
        direction=call.direction,
        from_=call.from_,
        to=call.to,
        started_at=iso(now),
        mode=mode,
    )


def started(stream: Stream) -> VoiceStreamStarted:
    """The announcement of a new stream."""
    return VoiceStreamStarted(
        event_id=event_id(VoiceStreamStarted, stream.stream_sid),
        occurred_at=stream.started_at,
        leg=stream.leg,
        mode=stream.mode,
        **stream.envelope,
    )


def leg_shown(parameters: Mapping[str, str], call_sid: str, auth_tokens: AuthTokens, now: datetime | None) -> int:
    """The leg of the token that a stream shows. Raises StreamRefused as `leg_of_token`."""
    token = parameters.get("token", "")
    try:
        return leg_of_token(token, call_sid, auth_tokens(fresh=False), now)
    except StreamRefused:
        return leg_of_token(token, call_sid, auth_tokens(fresh=True), now)
