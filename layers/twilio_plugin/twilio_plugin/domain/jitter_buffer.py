"""Frames in the order they were spoken, whatever order they come in; what never comes is silence.

A frame is waited for until others that are 200 ms younger have come. One that comes even later is dropped: its place has been
filled. Frames that come twice count once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from twilio_plugin.domain.audio import BYTES_PER_SECOND, SILENCE
from twilio_plugin.domain.media_stream import INBOUND, Frame

WINDOW_MILLISECONDS = 200
# A stream that was away for longer was not: something is wrong with its numbers, and they are taken as they are.
_LONGEST_GAP = 500  # frames


class JitterBuffer:
    """Of one stream's inbound track. Counts what it has given out."""

    def __init__(self, *, frames: int = 0, gaps: int = 0, chunk: int = 0) -> None:
        """With the counts so far, and the number of the last chunk that was heard: 0 at the beginning of a stream."""
        self.frames = frames
        self.gaps = gaps
        self.chunk = chunk
        self._waiting: dict[int, Frame] = {}

    def put(self, arrived: Iterable[Frame]) -> None:
        """What has arrived, in any order; again and again if need be."""
        for frame in arrived:
            if frame.track == INBOUND and frame.chunk > self.chunk:
                self._waiting.setdefault(frame.chunk, frame)

    def take(self, *, flush: bool = False) -> Iterator[Frame]:
        """What is due, silence in the place of what is missing. With `flush` nothing more is waited for."""
        while self._waiting:
            chunk = min(self._waiting)
            frame = self._waiting[chunk]
            newest = max(one.timestamp for one in self._waiting.values())
            if chunk > self.chunk + 1 and not flush and newest - frame.timestamp < WINDOW_MILLISECONDS:
                return
            missing = chunk - self.chunk - 1
            if 0 < missing <= _LONGEST_GAP:
                yield from self._silence(frame, missing)
            del self._waiting[chunk]
            self.chunk = chunk
            self.frames += 1
            yield frame

    def _silence(self, after: Frame, missing: int) -> Iterator[Frame]:
        length = len(after.payload)
        milliseconds = length * 1000 // BYTES_PER_SECOND
        first = self.chunk + 1
        for chunk in range(first, first + missing):
            self.gaps += 1
            self.chunk = chunk
            yield replace(
                after,
                # No message of that number was seen: the one before the frame that follows stands for it.
                sequence_number=after.sequence_number - 1,
                chunk=chunk,
                timestamp=max(after.timestamp - (first + missing - chunk) * milliseconds, 0),
                payload=SILENCE * length,
            )
