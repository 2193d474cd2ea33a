"""A session has died: another one goes on where it was."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from twilio_plugin.domain.stream import MAX_RESTARTS
from twilio_plugin.services.end_stream import StreamEnder, end_stream
from twilio_plugin.services.ports import Connections, Sessions, Streams
from twilio_plugin.services.start_stream import appoint_session


@dataclass(frozen=True, slots=True)
class Restarter:
    """What restarting needs."""

    streams: Streams
    sessions: Sessions
    connections: Connections
    ender: StreamEnder
    new_id: Callable[[], str]


def restart_session(call_sid: str, session_id: str, by: Restarter) -> str:
    """Replace the session of this id: ``restarted``, ``given_up`` after too many, ``not_needed`` if it was not in charge.

    A stream that is given up is closed: the call's document opens another, or says that the connection was lost.
    """
    stream = by.streams.of_call(call_sid)
    if stream is None or stream.ended_at or stream.session_id != session_id:
        return "not_needed"
    if stream.restarts >= MAX_RESTARTS:
        end_stream(stream, "failed", by.ender)
        by.connections.close(stream.connection_id)
        return "given_up"
    return "restarted" if appoint_session(stream, by.streams, by.sessions, by.new_id(), restart=True) else "not_needed"
