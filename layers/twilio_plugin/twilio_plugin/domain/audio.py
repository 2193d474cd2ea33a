"""G.711 µ-law at 8,000 samples a second, the only sound Media Streams carries: one byte a sample.

Source: ITU-T G.711. Decoding is a table of 256 values; 16-bit samples are signed, little-endian.
"""

from __future__ import annotations

SAMPLE_RATE = 8000
BYTES_PER_SECOND = 8000
FRAME_MILLISECONDS = 20
FRAME_BYTES = BYTES_PER_SECOND * FRAME_MILLISECONDS // 1000
SILENCE = b"\xff"  # a sample of zero


def decode(audio: bytes) -> bytes:
    """µ-law as PCM, two bytes for each."""
    pcm = bytearray(2 * len(audio))
    pcm[0::2] = audio.translate(_LOW_BYTES)
    pcm[1::2] = audio.translate(_HIGH_BYTES)
    return bytes(pcm)


def _sample(code: int) -> int:
    """What a code stands for. On the wire all its bits are inverted: sign, three bits of segment, four of step."""
    sign, segment, step = ~code & 0x80, ~code >> 4 & 7, ~code & 15
    magnitude = ((step * 8 + _BIAS) << segment) - _BIAS
    return -magnitude if sign else magnitude


_BIAS = 132  # added to a magnitude, it makes the eight segments powers of two: 33 in G.711's 14 bits
_SAMPLES = [_sample(code) for code in range(256)]
_LOW_BYTES = bytes(sample & 0xFF for sample in _SAMPLES)
_HIGH_BYTES = bytes(sample >> 8 & 0xFF for sample in _SAMPLES)
