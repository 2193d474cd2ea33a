"""What Twilio was given to play to the person, in order, with the marks between."""

from collections import deque

from .ulaw import FRAME, SILENT_BYTE


class Playback:
    """A buffer that is played frame by frame. Marks are places in it, which come back when they have been reached."""

    def __init__(self) -> None:
        self._audio = bytearray()
        self._end = 0
        self._marks: deque[tuple[int, str]] = deque()

    @property
    def waiting(self) -> int:
        """Bytes not played yet."""
        return len(self._audio)

    def put(self, audio: bytes) -> None:
        """Play this after what is there."""
        self._audio += audio
        self._end += len(audio)

    def mark(self, name: str) -> list[str]:
        """Put a mark behind what is there. Returns it at once where nothing is."""
        self._marks.append((self._end, name))
        return self._reached()

    def clear(self) -> list[str]:
        """Forget what was not played. Returns all marks, in order."""
        self._audio.clear()
        return self._reached()

    def take(self) -> tuple[bytes, list[str]]:
        """The next frame, filled up with silence, and the marks reached by playing it."""
        frame = bytes(self._audio[:FRAME])
        del self._audio[:FRAME]
        return frame.ljust(FRAME, SILENT_BYTE), self._reached()

    def _reached(self) -> list[str]:
        names, played = [], self._end - len(self._audio)
        while self._marks and self._marks[0][0] <= played:
            names.append(self._marks.popleft()[1])
        return names
