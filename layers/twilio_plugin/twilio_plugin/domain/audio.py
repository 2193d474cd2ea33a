"""G.711 µ-law at 8,000 samples a second, the only sound Media Streams carries: one byte a sample.

Source: ITU-T G.711. Decoding is a table of 256 values; 16-bit samples are signed, little-endian.
"""

from __future__ import annotations

SAMPLE_RATE = 8000
BYTES_PER_SECOND = 8000
FRAME_MILLISECONDS = 20
FRAME_BYTES = BYTES_PER_SECOND * FRAME_MILLISECONDS // 1000
SILENCE = b"\xff"  # a sample of zero
