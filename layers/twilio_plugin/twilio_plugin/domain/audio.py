"""G.711 µ-law at 8,000 samples a second, the only sound Media Streams carries: one byte a sample.

Source: ITU-T G.711, tables 2a and 2b. PCM here is 16-bit, signed, little-endian, at the same rate; G.711's own values have 14
bits and are a quarter of it. All is done by tables: a session hears fifty frames a second of every call.
"""

from __future__ import annotations

import math
import struct
from functools import cache
from operator import mul, sub

SAMPLE_RATE = 8000
BYTES_PER_SECOND = 8000
FRAME_MILLISECONDS = 20
FRAME_BYTES = BYTES_PER_SECOND * FRAME_MILLISECONDS // 1000
SILENCE = b"\xff"  # a sample of zero
QUIETEST = -96.0  # dBFS; what 16 bits can still tell from nothing

_BIAS = 132  # added to a magnitude, it makes the eight segments powers of two: 33 in G.711's 14 bits


def decode(audio: bytes) -> bytes:
    """µ-law as PCM, two bytes for each."""
    pcm = bytearray(2 * len(audio))
    pcm[0::2] = audio.translate(_LOW_BYTES)
    pcm[1::2] = audio.translate(_HIGH_BYTES)
    return bytes(pcm)


def encode(pcm: bytes) -> bytes:
    """PCM as µ-law. Raises `struct.error` for half a sample."""
    samples = struct.unpack(f"<{len(pcm) // 2}H", pcm)
    return bytes(map(_codes().__getitem__, samples))


def loudness(pcm: bytes) -> float:
    """The loudness of PCM's changes from sample to sample, in dB of full scale; `QUIETEST` for none.

    Of changes, not of the samples: that raises the treble, by which speech differs, over hum and rumble.
    """
    samples = struct.unpack(f"<{len(pcm) // 2}h", pcm)
    changes = list(map(sub, samples[1:], samples))
    power = sum(map(mul, changes, changes)) / (len(changes) or 1) / 32768**2
    return max(10 * math.log10(power), QUIETEST) if power else QUIETEST


def _sample(code: int) -> int:
    """What a code stands for. On the wire all its bits are inverted: sign, three bits of segment, four of step."""
    sign, segment, step = ~code & 0x80, ~code >> 4 & 7, ~code & 15
    magnitude = ((step * 8 + _BIAS) << segment) - _BIAS
    return -magnitude if sign else magnitude


_SAMPLES = [_sample(code) for code in range(256)]
_LOW_BYTES = bytes(sample & 0xFF for sample in _SAMPLES)
_HIGH_BYTES = bytes(sample >> 8 & 0xFF for sample in _SAMPLES)


@cache
def _codes() -> bytes:
    """The code of each sample, by its 16 bits read as an unsigned number: 0 to 32,767, then -32,768 to -1."""
    # How many magnitudes each code stands for: 4 for the first (it ends halfway to the next), then 8, 16 … 1,024 a step.
    widths = [8 << (code >> 4) for code in range(128)]
    widths[0] = 4
    widths[127] += 32768 - sum(widths)  # all that is louder
    by_magnitude = b"".join(bytes([code]) * width for code, width in enumerate(widths))
    positive = by_magnitude.translate(bytes(0xFF - code & 0xFF for code in range(256)))
    negative = by_magnitude.translate(bytes(0x7F - code & 0xFF for code in range(256)))
    return positive + negative[-1:] + negative[:0:-1]
