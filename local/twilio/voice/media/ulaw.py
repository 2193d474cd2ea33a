"""G.711 µ-law as phones have it: 8,000 bytes a second, of which 160 are a frame."""

RATE = 8000  # bytes a second
FRAME = 160  # bytes, 20 ms
FRAME_SECONDS = FRAME / RATE
SILENT_BYTE = b"\xff"
SILENCE = SILENT_BYTE * FRAME
_LOUD = 256  # of 32,767: below it is what a quiet line hisses
_LOUD_SHARE = 20  # one byte in so many makes a frame a sound


def _magnitude(byte: int) -> int:
    exponent, mantissa = (~byte >> 4) & 7, ~byte & 15
    return (((mantissa << 3) + 132) << exponent) - 132


_IS_LOUD = bytes(_magnitude(byte) >= _LOUD for byte in range(256))


def is_sound(audio: bytes) -> bool:
    """Whether it is more than silence and hiss."""
    return bool(audio) and audio.translate(_IS_LOUD).count(1) * _LOUD_SHARE >= len(audio)
