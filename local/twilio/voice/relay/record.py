"""What happened in a relay session, and when: for tests, and for whoever measures how long a person waits for an answer.

Times are seconds of the call, counted from the first ``setup``; ``began_at`` is that moment on the monotonic clock.
"""

import time
from dataclasses import dataclass, field, replace
from typing import Any

from ..clock import Clock
from .messages import Message


@dataclass(frozen=True)
class Entry:
    """A message. ``way`` is ``sent`` (by Twilio) or ``received`` (by Twilio, from us).

    What Twilio could not read has the type ``invalid``, what a fault sent that is no message ``garbage``.
    """

    at: float
    way: str
    type: str
    message: Message


@dataclass
class RelayRecord:
    """``ended`` is the SessionStatus: ``ended`` (by us), ``completed`` (the call was over), ``failed`` with an ``error_code``.

    It is ``redirected`` where the REST API took the call elsewhere, of which no action is told. ``connections`` counts
    sockets; ``spoken`` has what the person really heard, up to where they interrupted. ``invalid`` has what was wrong with our
    messages, ``gateway_errors`` counts those of API Gateway among them. ``waiting`` is how much is left to be said.
    """

    sid: str
    url: str
    clock: Clock = field(repr=False)
    parameters: dict[str, str] = field(default_factory=dict)
    began_at: float | None = None
    ended_at: float | None = None
    ended: str | None = None
    error_code: int | None = None
    handoff_data: str | None = None
    connections: int = 0
    log: list[Entry] = field(default_factory=list)
    spoken: list[str] = field(default_factory=list)
    invalid: list[str] = field(default_factory=list)
    gateway_errors: int = 0
    waiting: int = 0

    def connect(self) -> None:
        """A socket is open."""
        self.connections += 1
        if self.began_at is None:
            self.began_at = time.monotonic()

    @property
    def now(self) -> float:
        """The session's time."""
        return self.clock.on_the_phone(time.monotonic() - self.began_at) if self.began_at is not None else 0.0

    def end(self, status: str) -> None:
        """It is over; does nothing when it is already."""
        if self.ended is None:
            self.ended, self.ended_at = status, self.now

    def note(self, way: str, message: Message, kind: str | None = None) -> None:
        """A message went over the socket."""
        self.log.append(Entry(self.now, way, kind or str(message.get("type")), message))

    def entries(self, kind: str, way: str = "sent", after: float = 0.0) -> list[Entry]:
        """The messages of one type that went one way, in order."""
        return [entry for entry in self.log if (entry.way, entry.type) == (way, kind) and entry.at >= after]

    def sent(self, kind: str) -> list[Message]:
        """What Twilio sent us of one type."""
        return [entry.message for entry in self.entries(kind)]

    def received(self, kind: str) -> list[Message]:
        """What Twilio got from us of one type."""
        return [entry.message for entry in self.entries(kind, "received")]

    def snapshot(self) -> "RelayRecord":
        """A copy that nothing changes any more."""
        return replace(self, log=list(self.log), spoken=list(self.spoken), invalid=list(self.invalid))

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "sid": self.sid,
            "url": self.url,
            "ended": self.ended,
            "error_code": self.error_code,
            "handoff_data": self.handoff_data,
            "seconds": round(self.now if self.ended_at is None else self.ended_at, 2),
            "connections": self.connections,
            "spoken": self.spoken,
            "invalid": self.invalid,
            "gateway_errors": self.gateway_errors,
            "log": [[round(entry.at, 3), entry.way, entry.message] for entry in self.log],
        }
