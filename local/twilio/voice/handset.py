"""The person on the phone, as a test plays them: from another thread than the stand-in's, step by step."""

from collections.abc import Callable
from typing import TypeVar

from ..server import ServerThread
from .line import Line
from .media.mouth import Utterance
from .media.person import OnStream
from .relay.person import OnRelay
from .talking import say

T = TypeVar("T")


class CallEnded(Exception):
    """There is nothing more to hear; the text is the call's transcript."""


class PhoneCall(OnStream, OnRelay):
    """One call. ``sid`` is Twilio's; times are seconds of ours, but for those in ``log`` and of streams."""

    def __init__(self, server: ServerThread, line: Line) -> None:
        self._server, self._line = server, line
        self._heard = 0
        self.sid, self.from_, self.to = line.call.sid, line.call.from_, line.call.to

    def hears(self, timeout: float = 5.0) -> str:
        """The next thing said to the person: words, ``[play URL]`` or ``[play digits …]``; pauses are left out.

        Raises CallEnded, or TimeoutError with the transcript.
        """
        heard, index = self._line.heard, self._heard
        self._wait(lambda: len(heard) > index or self._line.call.ended, timeout, "to hear something")
        if len(heard) == index:
            raise CallEnded(self.transcript)
        self._heard += 1
        return heard[index]

    def say(self, words: str, confidence: float = 0.95, *, wait: bool = False, timeout: float = 30.0) -> None:
        """Speak: on the stream that answers, as audio; else to the Gather, Record or relay that runs or comes next,
        interrupting its prompts if it lets people do so.

        On a stream, ``wait`` is for the end of the words. Raises CallEnded, TimeoutError, and ValueError on a stream of a
        stand-in without a voice.
        """

        async def unless_ended() -> tuple[bool, Utterance | None]:
            if self._line.call.ended:
                return True, None
            return False, await say(self._line, words, confidence)

        ended, utterance = self._server.run(unless_ended)
        if ended:
            raise CallEnded(self.transcript)
        if wait and utterance is not None:
            self._wait_until_said(utterance, timeout)

    def press(self, keys: str) -> None:
        """Press keys, as ``say`` speaks. Raises CallEnded, and ValueError for what is not on a phone."""
        self._act(lambda: self._line.press(keys))

    def silence(self) -> None:
        """Say nothing: ends the waiting of the Gather or Record that runs or comes next, once its prompts are over."""
        self._do(self._line.silence)

    def hang_up(self) -> None:
        """End the call; does nothing when it has ended."""
        self._do(self._line.hang_up)

    def wait_until_ended(self, timeout: float = 5.0) -> str:
        """The status that the call ended with. Raises TimeoutError with the transcript."""
        self._wait(lambda: self._line.call.ended, timeout, "for the end of the call")
        return self.status

    @property
    def status(self) -> str:
        """The call's status now."""
        return self._do(lambda: self._line.call.status)

    @property
    def log(self) -> list[tuple[float, str, str]]:
        """(seconds of the call, who, what) in order.

        Who is ``call``, ``twilio``, ``person``, ``partner``, ``stream``, ``relay`` or ``api``.
        """
        return self._do(lambda: list(self._line.log))

    @property
    def transcript(self) -> str:
        """The log as text, one line each."""
        return "\n".join(f"{seconds:7.1f}  {who:8} {what}" for seconds, who, what in self.log)

    @property
    def twiml(self) -> list[str]:
        """The documents that Twilio received, in order, as they came."""
        return self._do(lambda: list(self._line.documents))

    def _wait_unless_ended(self, is_so: Callable[[], bool], timeout: float, what: str) -> None:
        self._wait(lambda: is_so() or self._line.call.ended, timeout, what)
        if not self._do(is_so):
            raise CallEnded(self.transcript)

    def _wait(self, is_so: Callable[[], bool], timeout: float, what: str) -> None:
        if not self._server.run(lambda: self._line.changes.wait_until(is_so, timeout)):
            raise TimeoutError(f"waited {timeout} s {what}:\n{self.transcript}")

    def _act(self, action: Callable[[], None]) -> None:
        def unless_ended() -> bool:
            if not self._line.call.ended:
                action()
            return self._line.call.ended

        if self._do(unless_ended):
            raise CallEnded(self.transcript)

    def _do(self, action: Callable[[], T]) -> T:
        async def done() -> T:
            return action()

        return self._server.run(done)
