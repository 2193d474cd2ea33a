"""The person in a relay session, as a test plays them, and what went over its socket."""

from collections.abc import Callable
from typing import TypeVar

from ..line import Line
from .messages import Message
from .record import RelayRecord

T = TypeVar("T")


class OnRelay:
    """Times are seconds of the call, timeouts seconds of ours. What waits for something waits for a session too.

    What the person hears and says are ``hears``, ``say`` and ``press``, as with verbs.
    """

    _line: Line

    def wait_for_relay(self, after: int = 0, timeout: float = 5.0) -> RelayRecord:
        """The relay session with index ``after`` of this call, once it has begun. Raises TimeoutError or CallEnded."""
        self._wait_unless_ended(lambda: len(self._line.relays) > after, timeout, f"for relay session {after}")
        return self.relays[after]

    def wait_until_relay_ended(self, timeout: float = 5.0) -> str:
        """How the last session ended: see :class:`~local.twilio.voice.relay.record.RelayRecord`. Raises TimeoutError."""
        relays = self._line.relays
        self._wait(lambda: bool(relays) and relays[-1].ended is not None, timeout, "for the end of a relay session")
        return self.relay.ended or ""

    def wait_for_relay_message(self, kind: str, count: int = 1, way: str = "sent", timeout: float = 5.0) -> list[Message]:
        """The messages of that type, ``sent`` by Twilio or ``received`` by it, once there are so many in the last session.

        Raises TimeoutError or CallEnded.
        """

        def messages() -> list[Message]:
            return [entry.message for entry in self._line.relays[-1].entries(kind, way)] if self._line.relays else []

        self._wait_unless_ended(lambda: len(messages()) >= count, timeout, f"for {count} {kind} {way}")
        return self._do(messages)

    def wait_until_spoken(self, sentence: str = "", timeout: float = 5.0) -> list[str]:
        """Wait until ``sentence``, or part of it, was heard in the last session, and nothing is left to be said.

        Returns all that was heard in the session. Raises TimeoutError or CallEnded.
        """
        relays = self._line.relays

        def is_heard() -> bool:
            return bool(relays) and any(sentence in words for words in relays[-1].spoken)

        def is_silent() -> bool:
            return self._line.call.ended or relays[-1].waiting == 0

        self._wait_unless_ended(is_heard, timeout, f"to hear {sentence!r}")
        self._wait(is_silent, timeout, "for silence")
        return self.relay.spoken

    @property
    def relay(self) -> RelayRecord:
        """The last relay session, as it is now. Raises LookupError where none has begun."""
        relays = self.relays
        if not relays:
            raise LookupError("no relay session has begun")
        return relays[-1]

    @property
    def relays(self) -> list[RelayRecord]:
        """All relay sessions of the call, oldest first."""
        return self._do(lambda: [record.snapshot() for record in self._line.relays])

    def _wait_unless_ended(self, is_so: Callable[[], bool], timeout: float, what: str) -> None:
        raise NotImplementedError

    def _wait(self, is_so: Callable[[], bool], timeout: float, what: str) -> None:
        raise NotImplementedError

    def _do(self, action: Callable[[], T]) -> T:
        raise NotImplementedError
