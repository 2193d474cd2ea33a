"""Finding the turns of a person in the audio of their stream: where they begin to speak, and where they have finished.

Audio is judged in windows of 20 ms, counted from the first frame, however it is cut into frames. Frames come in order and
without a gap: who feeds them puts silence where one never came.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from twilio_plugin.domain.audio import BYTES_PER_SECOND, FRAME_BYTES, FRAME_MILLISECONDS, decode, loudness
from twilio_plugin.domain.media_stream import Frame
from twilio_plugin.domain.noise import NoiseFloor, is_lively

ENDPOINT_MILLISECONDS = 700

# All in windows.
_ONSET, _ONSET_WITHIN = 6, 10  # so many voiced make a turn: a click of 60 ms touches four
_GOING_ON, _GOING_ON_WITHIN = 3, 5  # so many prolong it; more would end turns in the middle where the line is noisy
_RUN = 25  # of sound are looked at before a turn, at most
_PRE_ROLL = 15  # a voice begins before it is noticed
_LONG = 30_000 // FRAME_MILLISECONDS  # from here on, the next pause is the turn's end
_PAUSE = 200 // FRAME_MILLISECONDS
_LONGEST = 40_000 // FRAME_MILLISECONDS


@dataclass(frozen=True, slots=True)
class TurnStarted:
    """The person is speaking."""

    sequence_number: int
    """The frame in which `audio` begins."""
    starts_at_ms: int
    """Where in the stream the words begin."""
    audio: bytes
    """µ-law: some 300 ms before the words, and the words so far."""


@dataclass(frozen=True, slots=True)
class TurnAudio:
    """They go on, or pause."""

    audio: bytes
    """µ-law."""


@dataclass(frozen=True, slots=True)
class TurnEnded:
    """They have finished."""

    sequence_number: int
    """The last frame of the turn, and of the silence by which its end was known."""
    starts_at_ms: int
    """As in `TurnStarted`."""
    duration_ms: int
    """From the first sound of the voice to the last."""


TurnEvent = TurnStarted | TurnAudio | TurnEnded


@dataclass(frozen=True, slots=True)
class _Window:
    number: int
    audio: bytes
    voiced: bool
    level: float


@dataclass(slots=True)
class _Turn:
    first: int
    """The first window, pre-roll and all."""
    begins: int
    """The first voiced window."""
    starts_at_ms: int
    last_voiced: int


class TurnDetector:
    """Hears one stream. ``is_voiced`` is asked for each window, 20 ms of PCM, once and in order."""

    def __init__(
        self, is_voiced: Callable[[bytes], bool], *, cursor: int = 0, endpoint_milliseconds: int = ENDPOINT_MILLISECONDS
    ) -> None:
        """`cursor` is the `safe_cursor` from which the stream is heard on."""
        self._is_voiced = is_voiced
        self._endpoint = max(endpoint_milliseconds // FRAME_MILLISECONDS, 1)
        self._noise = NoiseFloor()
        self._places = _Places(cursor)
        self._rest = b""
        self._count = 0
        self._recent: deque[_Window] = deque(maxlen=_RUN + _PRE_ROLL)
        self._turn: _Turn | None = None

    @property
    def speaking(self) -> bool:
        """Whether a turn is open."""
        return self._turn is not None

    @property
    def safe_cursor(self) -> int:
        """The last frame that is neither in an open turn nor may still begin one: who goes on behind it hears the same turns.

        It passes a turn when that ends. Whoever has yet to announce the turn stays before `TurnStarted.sequence_number`.
        """
        return self._places.behind

    def hear(self, frame: Frame) -> list[TurnEvent]:
        """The next frame, of any length."""
        self._places.add(frame)
        self._rest += frame.payload
        whole = len(self._rest) - len(self._rest) % FRAME_BYTES
        events = [event for at in range(0, whole, FRAME_BYTES) for event in self._window(self._rest[at : at + FRAME_BYTES])]
        self._rest = self._rest[whole:]
        self._forget()
        return events

    def finish(self) -> list[TurnEvent]:
        """The stream is over: an open turn ends."""
        events: list[TurnEvent] = []
        if self._turn is not None:
            if self._rest:
                events.append(TurnAudio(self._rest))
            events.append(self._ended(self._turn, self._places.length - 1))
        self._places.forget(self._places.length)
        return events

    def _window(self, audio: bytes) -> Iterator[TurnEvent]:
        pcm = decode(audio)
        level = loudness(pcm)
        stands_out = self._noise.is_below(level)
        window = _Window(self._count, audio, self._is_voiced(pcm) and stands_out, level)
        self._count += 1
        self._recent.append(window)
        if self._turn is None:
            yield from self._maybe_start()
            return
        yield TurnAudio(audio)
        if window.voiced and self._voiced(_GOING_ON_WITHIN) >= _GOING_ON:
            self._turn.last_voiced = window.number
        if self._is_over(self._turn):
            yield self._ended(self._turn, self._count * FRAME_BYTES - 1)

    def _maybe_start(self) -> Iterator[TurnStarted]:
        if self._voiced(_ONSET_WITHIN) < _ONSET:
            return
        run = self._run()
        if not is_lively([window.level for window in run if window.voiced]):
            return
        first = max(run[0].number - _PRE_ROLL, self._recent[0].number)
        audio = b"".join(window.audio for window in self._recent if window.number >= first)
        starts_at_ms = self._places.milliseconds(run[0].number * FRAME_BYTES)
        self._turn = _Turn(first, run[0].number, starts_at_ms, self._count - 1)
        yield TurnStarted(self._places.sequence_number(first * FRAME_BYTES), starts_at_ms, audio)

    def _run(self) -> list[_Window]:
        """From the first voiced window, no 200 ms without one since, to now."""
        run: list[_Window] = []
        for window in list(self._recent)[-_RUN:]:
            if window.voiced or (run and any(one.voiced for one in run[-_ONSET_WITHIN:])):
                run.append(window)
            else:
                run = []
        return run

    def _is_over(self, turn: _Turn) -> bool:
        length, silence = self._count - turn.first, self._count - 1 - turn.last_voiced
        return silence >= self._endpoint or (length >= _LONG and silence >= _PAUSE) or length >= _LONGEST

    def _ended(self, turn: _Turn, last_byte: int) -> TurnEnded:
        self._turn = None
        self._recent.clear()  # what belonged to a turn is no pre-roll of the next
        duration = (turn.last_voiced + 1 - turn.begins) * FRAME_MILLISECONDS
        return TurnEnded(self._places.sequence_number(last_byte), turn.starts_at_ms, duration)

    def _voiced(self, within: int) -> int:
        return sum(window.voiced for window in list(self._recent)[-within:])

    def _forget(self) -> None:
        waiting = self._recent[0].number if self._recent else self._count
        self._places.forget((self._turn.first if self._turn is not None else waiting) * FRAME_BYTES)


class _Places:
    """Which frame each byte came in, as long as it is needed."""

    def __init__(self, cursor: int) -> None:
        self.behind = cursor
        """The last frame that is forgotten."""
        self.length = 0
        """Bytes added so far."""
        self._frames: deque[tuple[int, Frame]] = deque()

    def add(self, frame: Frame) -> None:
        self._frames.append((self.length, frame))
        self.length += len(frame.payload)

    def sequence_number(self, at: int) -> int:
        return self._of(at)[1].sequence_number

    def milliseconds(self, at: int) -> int:
        start, frame = self._of(at)
        return frame.timestamp + (at - start) * 1000 // BYTES_PER_SECOND

    def forget(self, before: int) -> None:
        while self._frames and self._frames[0][0] + len(self._frames[0][1].payload) <= before:
            self.behind = self._frames.popleft()[1].sequence_number

    def _of(self, at: int) -> tuple[int, Frame]:
        return next(one for one in reversed(self._frames) if one[0] <= at)
