"""The person on a streamed call, as a test plays them."""

from collections.abc import Callable
from typing import TypeVar

from ..line import Line
from .mouth import Utterance
from .record import Entry, StreamRecord
from .ulaw import FRAME_SECONDS, RATE

T = TypeVar("T")


class OnStream:
    """What a person hears and says as audio. Times are seconds of the stream, timeouts seconds of ours.

    Without a stream (yet) there is nothing: no audio, no log; what waits for some waits for the stream too.
    """

    _line: Line

    def wait_for_stream(self, after: int = 0, timeout: float = 5.0) -> StreamRecord:
        """The two-way stream with index ``after`` of this call, once it has begun. Raises TimeoutError or CallEnded."""
        self._wait_unless_ended(lambda: len(self._two_way()) > after, timeout, f"for stream {after}")
        return self.streams[after]

    def wait_until_stream_ended(self, timeout: float = 5.0) -> str:
        """Why the last stream ended: see :class:`~local.twilio.voice.media.record.StreamRecord`. Raises TimeoutError."""
        self._wait(lambda: bool(self._two_way()) and self._two_way()[-1].ended is not None, timeout, "for a stream's end")
        return self.stream.ended or ""

    def wait_for_audio(self, seconds: float = 0.1, timeout: float = 5.0, *, after: float = 0.0) -> float:
        """Wait until so much sound, without the silences, was heard ``after`` a time of the last stream.

        Returns when the first of it was heard. Raises TimeoutError or CallEnded.
        """

        def heard() -> bool:
            # Sound comes in frames: half of one is what rounding may leave over.
            return self._two_way()[-1:] != [] and self._last().sound_since(after)[0] > seconds - FRAME_SECONDS / 2

        self._wait_unless_ended(heard, timeout, f"to hear {seconds} s of sound")
        return self._do(lambda: self._last().sound_since(after)[1]) or 0.0

    def wait_until_quiet(self, milliseconds: float = 500, timeout: float = 10.0) -> float:
        """Wait until nothing is left to be played and nothing was heard for so long; or until the stream or the call ended.

        Returns when the last sound ended, 0 where there was none. Raises TimeoutError.
        """

        def is_quiet() -> bool:
            if not self._two_way():
                return self._line.call.ended
            record = self._last()
            quiet = record.quiet_frames * FRAME_SECONDS * 1000 >= milliseconds and not record.waiting_bytes
            return quiet or record.ended is not None

        self._wait(is_quiet, timeout, f"for {milliseconds} ms of silence")
        sounds = self.stream.sounds() if self._two_way() else []
        return sounds[-1].ended if sounds else 0.0

    def play_sound(self, ulaw: bytes, words: str = "[sound]", *, wait: bool = False, timeout: float = 30.0) -> None:
        """Make this sound (µ-law) on the streams that listen; ``words`` is what the transcript says.

        With ``wait`` returns when it is over. Raises CallEnded or TimeoutError.
        """
        made: list[Utterance] = []
        self._act(lambda: made.append(self._line.sound(ulaw, words)))
        if wait:
            self._wait_until_said(made[0], timeout)

    def heard_audio(self) -> bytes:
        """What was really played on the last two-way stream, µ-law from its beginning, with silence in the gaps."""
        return bytes(self.stream.heard)

    def spoken_audio(self) -> bytes:
        """What the person sent on it, as ``heard_audio``."""
        return bytes(self.stream.spoken)

    @property
    def is_hearing(self) -> bool:
        """Whether something is being played to the person."""
        return self._do(lambda: bool(self._two_way()) and self._last().waiting_bytes > 0)

    @property
    def stream(self) -> StreamRecord:
        """The last two-way stream, as it is now. Raises LookupError where none has begun."""
        streams = self.streams
        if not streams:
            raise LookupError("no stream has begun")
        return streams[-1]

    @property
    def streams(self) -> list[StreamRecord]:
        """All two-way streams of the call, oldest first."""
        return self._do(lambda: [record.snapshot() for record in self._two_way()])

    @property
    def forks(self) -> list[StreamRecord]:
        """All streams of ``<Start>``, oldest first."""
        return self._do(lambda: [record.snapshot() for record in self._line.streams if not record.two_way])

    @property
    def stream_log(self) -> list[Entry]:
        """The messages of the last two-way stream, both ways."""
        return self.stream.log

    @property
    def marks(self) -> list[str]:
        """The names of the marks that came back on it, in order."""
        return self.stream.marks

    def _two_way(self) -> list[StreamRecord]:
        return [record for record in self._line.streams if record.two_way]

    def _last(self) -> StreamRecord:
        return self._two_way()[-1]

    def _wait_until_said(self, utterance: Utterance, timeout: float) -> None:
        seconds = len(utterance.audio) / RATE
        self._wait(lambda: utterance.over or self._line.call.ended, timeout, f"until {seconds:g} s were said")

    def _wait_unless_ended(self, is_so: Callable[[], bool], timeout: float, what: str) -> None:
        raise NotImplementedError

    def _wait(self, is_so: Callable[[], bool], timeout: float, what: str) -> None:
        raise NotImplementedError

    def _act(self, action: Callable[[], None]) -> None:
        raise NotImplementedError

    def _do(self, action: Callable[[], T]) -> T:
        raise NotImplementedError
