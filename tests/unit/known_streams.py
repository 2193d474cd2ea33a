"""The part of `Streams` that calls look at, in memory."""

from __future__ import annotations

from typing import Any, cast

from tests.unit.fakes import ACCOUNT
from tests.unit.fakes_calls import OURS, PAIR, THEIRS, sid
from twilio_plugin.domain.events import Event
from twilio_plugin.domain.stream import Stream
from twilio_plugin.errors import StorageUnavailable
from twilio_plugin.services import ports


def stream(number: int, leg: int = 0, **more: Any) -> Stream:
    """A stream of an inbound call, open unless told otherwise."""
    facts: dict[str, Any] = {
        "call_sid": sid(number),
        "leg": leg,
        "stream_sid": f"MZ{number:016x}{leg:016x}",
        "connection_id": f"connection-{number}-{leg}=",
        "account_sid": ACCOUNT,
        "conversation_id": PAIR,
        "direction": "inbound",
        "from_": THEIRS,
        "to": OURS,
        "started_at": "2026-11-22T08:00:00.000Z",
    }
    return Stream(**(facts | more))


class KnownStreams:
    """`down` are the SIDs of calls whose streams storage cannot write; `over` were ended by somebody else meanwhile."""

    def __init__(self, *streams: Stream) -> None:
        self.streams = list(streams)
        self.down: set[str] = set()
        self.over: set[str] = set()
        self.ended: list[tuple[Stream, Event]] = []

    @property
    def port(self) -> ports.Streams:
        return cast(ports.Streams, self)

    def of_call(self, call_sid: str) -> Stream | None:
        legs = [one for one in self.streams if one.call_sid == call_sid]
        return max(legs, key=lambda one: one.leg, default=None)

    def active(self) -> list[Stream]:
        return sorted((one for one in self.streams if not one.ended_at), key=lambda one: one.started_at)

    def end(self, stream: Stream, event: Event) -> bool:
        if stream.call_sid in self.down:
            raise StorageUnavailable("The fake storage is down.")
        if stream.call_sid in self.over:
            return False
        self.streams = [stream if one.stream_sid == stream.stream_sid else one for one in self.streams]
        self.ended.append((stream, event))
        return True
