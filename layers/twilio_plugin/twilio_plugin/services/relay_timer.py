"""The time is up for something in a ConversationRelay session: is it still so?"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from twilio_plugin.domain import relay
from twilio_plugin.domain.relay_timer import RECONNECT_SECONDS, RelayTimer
from twilio_plugin.domain.stream import Stream
from twilio_plugin.domain.timestamp import iso
from twilio_plugin.services.end_stream import end_stream
from twilio_plugin.services.ports import Clock, ConnectionGone, Connections, RelayTimers, Streams, Utterances


@dataclass(frozen=True, slots=True)
class RelayWatch:
    """What looking needs."""

    streams: Streams
    utterances: Utterances
    connections: Connections
    clock: Clock
    reply_timeout: timedelta


def lose_connection(stream: Stream, connection_id: str, timers: RelayTimers) -> None:
    """A connection was closed, by whomever. Twilio may take the session up again on another; if it does not, it is over.

    Raises:
        StorageUnavailable: the stream lasts until its call ends, or Twilio says that the session is over.
    """
    if not stream.ended_at and stream.connection_id == connection_id:
        timers.set(RelayTimer("reconnect", stream.call_sid, stream.stream_sid, connection_id), RECONNECT_SECONDS)


def time_is_up(timer: RelayTimer, by: RelayWatch) -> str:
    """Look, and do what has to be done; says what it was. Twice does no harm.

    Raises:
        StorageUnavailable: it has to be looked at again.
    """
    stream = by.streams.of_call(timer.call_sid)
    if stream is None or stream.stream_sid != timer.stream_sid:
        return "over"
    match timer.kind:
        case "reply":
            return _reply_is_due(stream, by)
        case "reconnect":
            return _is_cut_off(stream, timer.connection_id, by)


def _reply_is_due(stream: Stream, by: RelayWatch) -> str:
    """The stream ends before the call's document goes on, and asks why."""
    if not stream.ended_at:
        due = iso(by.clock() - by.reply_timeout)
        if stream.waits_since is None or stream.waits_since > due:
            return "answered"
        end_stream(stream, "no_reply", by)
    elif stream.end != "no_reply":
        return "over"
    with suppress(ConnectionGone):
        by.connections.send(stream.connection_id, relay.end())
    return "no_reply"


def _is_cut_off(stream: Stream, connection_id: str, by: RelayWatch) -> str:
    if stream.ended_at:
        return "over"
    if stream.connection_id != connection_id:
        return "reconnected"
    end_stream(stream, "closed", by)
    return "closed"
