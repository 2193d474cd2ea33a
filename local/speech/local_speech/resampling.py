"""Change of sampling rate, by a windowed sinc: good enough that a recogniser understands a synthesizer through a telephone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from operator import mul

_ZERO_CROSSINGS = 12  # of the sinc, to each side: what would alias is some 50 dB down
_KEPT = 0.92  # of the band that both rates have; the rest is where the filter falls off


class Resampler:
    """A sound of one rate becomes one of another, piece by piece. Samples are 16-bit numbers."""

    def __init__(self, from_rate: int, to_rate: int) -> None:
        self._phases = _phases(from_rate, to_rate)
        self._advance = from_rate // math.gcd(from_rate, to_rate)
        self._reach = len(self._phases[0]) // 2
        self._samples = [0] * self._reach
        self._at = 0  # the next sample out, in steps between two samples in

    def feed(self, samples: Sequence[int]) -> list[int]:
        """What can be said so far: the filter looks ahead, so the last samples come with the next piece or with `flush`."""
        self._samples += samples
        steps, width = len(self._phases), len(self._phases[0])
        last = (len(self._samples) - width) * steps + steps - 1
        out = []
        for at in range(self._at, last + 1, self._advance):
            base, phase = divmod(at, steps)
            out.append(round(sum(map(mul, self._phases[phase], self._samples[base : base + width]))))
        self._at += len(out) * self._advance
        used = self._at // steps
        self._samples = self._samples[used:]
        self._at -= used * steps
        return [max(-32768, min(32767, sample)) for sample in out]

    def flush(self) -> list[int]:
        """The rest, as if silence followed."""
        return self.feed([0] * self._reach)


@cache
def _phases(from_rate: int, to_rate: int) -> list[list[float]]:
    """The filter's taps for each position that a sample out can have between two samples in."""
    steps = to_rate // math.gcd(from_rate, to_rate)
    band = min(1.0, to_rate / from_rate) * _KEPT
    reach = math.ceil(_ZERO_CROSSINGS / band)
    return [_taps(band, reach, phase / steps) for phase in range(steps)]


def _taps(band: float, reach: int, offset: float) -> list[float]:
    taps = []
    for number in range(-reach, reach + 1):
        at = number - offset
        window = 0.5 + 0.5 * math.cos(math.pi * at / (reach + 1))
        taps.append(window * (math.sin(math.pi * band * at) / (math.pi * at) if at else band))
    whole = sum(taps)
    return [tap / whole for tap in taps]
