"""Audio that is no silence, 20 ms each, and told apart by its bytes."""

TONE = bytes([0x10, 0x90]) * 80
OTHER_TONE = bytes([0x20, 0xA0]) * 80
QUIET = b"\xff" * 160


def count(audio: bytes, tone: bytes) -> int:
    """How many frames of the audio are that tone."""
    return sum(audio[index : index + 160] == tone for index in range(0, len(audio), 160))
