"""Telling a voice from the noise around it, by loudness alone.

Voice activity detectors call steady noise a voice: WebRTC's does so in all its modes from about -40 dBFS on. So a window of
sound counts only where it stands out from the quietest of the last second, and speech only where it goes up and down.
Levels are those of `audio.loudness`, in dB, one for each 20 ms.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import islice

from twilio_plugin.domain.audio import QUIETEST

_MEMORY = 50  # windows: speech has a gap of some kind in every second, and noise that sets in is known as noise after one
_LOWEST = -70.0  # below it a line is silent
_ABOVE = 4.0  # noise of any colour strays less from its own quietest window; more would miss speech in noise
_LOST = 5  # windows of digital silence: fewer are frames that never came, and say nothing about the line
_SMOOTHED = 3  # windows
# Measured: over two seconds of steady noise 1.8 dB at most; speech passes 4 dB within 240 ms, nine times in ten within 180.
_LIVELY = 3.5


class NoiseFloor:
    """How loud it is where nobody speaks."""

    def __init__(self) -> None:
        self._levels: deque[float] = deque(maxlen=_MEMORY)
        self._silent = 0

    def is_below(self, level: float) -> bool:
        """Whether a window stands out. Every window is shown once, in order."""
        self._silent = self._silent + 1 if level == QUIETEST else 0
        if not 0 < self._silent < _LOST:
            self._levels.append(level)
        return level > max(min(self._levels, default=_LOWEST), _LOWEST) + _ABOVE


def is_lively(levels: Sequence[float]) -> bool:
    """Whether a run of windows goes up and down as speech does. Its first and last may be cut by noise setting in or ending."""
    whole = levels[1:-1]
    smooth = [sum(islice(whole, at, at + _SMOOTHED)) / _SMOOTHED for at in range(len(whole) - _SMOOTHED + 1)]
    return bool(smooth) and max(smooth) - min(smooth) >= _LIVELY
