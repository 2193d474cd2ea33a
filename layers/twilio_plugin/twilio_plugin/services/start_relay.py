"""Twilio opens a ConversationRelay session: check that it is the one we asked for, and announce it.

A session that is known may show itself again on another connection: Twilio takes a lost one up by itself. Its token is then
older than a first one may be, so it counts by what it was made for, and the session's id must be the one that was kept.
"""

from __future__ import annotations

from dataclasses import dataclass

from twilio_plugin.domain.relay import RelaySetup
from twilio_plugin.domain.relay_timer import RelayTimer
from twilio_plugin.domain.stream import Stream
from twilio_plugin.domain.timestamp import iso
from twilio_plugin.errors import StorageUnavailable, StreamRefused
from twilio_plugin.services.end_stream import end_stream
from twilio_plugin.services.ports import CallReader, Clock, Connections, RelayTimers, Streams, Superseded, Utterances
from twilio_plugin.services.start_stream import AuthTokens, leg_shown, new_stream, started


@dataclass(frozen=True, slots=True)
class RelayOpener:
    """What opening a session needs."""

    calls: CallReader
    streams: Streams
    utterances: Utterances
    connections: Connections
    clock: Clock
    timers: RelayTimers
    auth_tokens: AuthTokens
    reply_seconds: int
    """How long the person waits for a word of the agent."""


def start_relay(connection_id: str, setup: RelaySetup, by: RelayOpener) -> Stream:
    """Open the session's stream, or find it open already and bind it to this connection.

    Raises:
        StreamRefused: a token, call or account that is not ours, or a session that is over. The socket is closed.
        StorageUnavailable: nothing is kept; the socket is closed, and the call's document opens another session.
    """
    try:
        kept = by.streams.of_call(setup.call_sid)
        if kept and kept.stream_sid == setup.session_id:
            return _again(kept, connection_id, setup, by)
        return _opened(connection_id, setup, kept, by)
    except (StreamRefused, StorageUnavailable):
        by.connections.close(connection_id)
        raise


def _again(kept: Stream, connection_id: str, setup: RelaySetup, by: RelayOpener) -> Stream:
    leg = leg_shown(setup.parameters, setup.call_sid, by.auth_tokens, None)
    if (kept.leg, kept.account_sid) != (leg, setup.account_sid):
        raise StreamRefused("The session's token or account is not the one it began with.")
    try:
        return by.streams.rebind(kept, connection_id, iso(by.clock()))
    except Superseded as over:
        raise StreamRefused("The session is over, so no connection can take it up again.") from over


def _opened(connection_id: str, setup: RelaySetup, before: Stream | None, by: RelayOpener) -> Stream:
    now = by.clock()
    leg = leg_shown(setup.parameters, setup.call_sid, by.auth_tokens, now)
    stream = new_stream(
        by.calls,
        call_sid=setup.call_sid,
        account_sid=setup.account_sid,
        leg=leg,
        stream_sid=setup.session_id,
        connection_id=connection_id,
        mode="relay",
        now=now,
    )
    if not by.streams.open(stream, started(stream)):
        return by.streams.read(stream)
    if before and before.leg < leg:
        end_stream(before, "closed", by)  # a document was put in its place, which nobody tells
    by.timers.set(RelayTimer("reply", stream.call_sid, stream.stream_sid, connection_id), by.reply_seconds)
    return stream
