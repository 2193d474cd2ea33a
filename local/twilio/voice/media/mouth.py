"""What the person says, as audio."""

from collections import deque
from dataclasses import dataclass, field

from .ulaw import FRAME, SILENCE, SILENT_BYTE


@dataclass
class Utterance:
    """One thing said. Times are seconds of the stream that carried it; of its first and its last frame that were sounds."""

    words: str
    audio: bytes = field(repr=False)
    began: float | None = None
    ended: float | None = None
    over: bool = False


class Mouth:
    """Says one thing after another, frame by frame."""

    def __init__(self) -> None:
        self._waiting: deque[Utterance] = deque()
        self._said = 0

    def put(self, utterance: Utterance) -> None:
        """Say this after what is being said."""
        self._waiting.append(utterance)

    def take(self) -> tuple[bytes, Utterance | None]:
        """The next frame, and what it belongs to."""
        if not self._waiting:
            return SILENCE, None
        utterance = self._waiting[0]
        frame = utterance.audio[self._said : self._said + FRAME]
        self._said += FRAME
        if self._said >= len(utterance.audio):
            self._end()
        return frame.ljust(FRAME, SILENT_BYTE), utterance

    def clear(self) -> None:
        """Nobody listens any more."""
        while self._waiting:
            self._end()

    def _end(self) -> None:
        self._waiting.popleft().over = True
        self._said = 0
