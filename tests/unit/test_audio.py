from __future__ import annotations

import math
import struct
from bisect import bisect_right
from itertools import accumulate, pairwise

import pytest

from twilio_plugin.domain.audio import FRAME_BYTES, QUIETEST, SILENCE, decode, encode, loudness

# G.711, table 2a, columns 1 to 4: from zero outwards, how many intervals of which size. In 14 bits.
INTERVALS = [(1, 1), (15, 2), (16, 4), (16, 8), (16, 16), (16, 32), (16, 64), (16, 128), (16, 256)]
SIZES = [size for count, size in INTERVALS for _ in range(count)]
DECISIONS = [0, *accumulate(SIZES)]  # column 5
# Column 8: the middle of each interval, and zero in the first.
OUTPUTS = [0, *((low + high) // 2 for low, high in pairwise(DECISIONS[1:]))]
EVERY_CODE = bytes(range(256))
EVERY_SAMPLE = range(-32768, 32768)


def expected_sample(code: int) -> int:
    """Column 6 numbers positive values down from 11111111, table 2b negative ones down from 01111111."""
    return OUTPUTS[255 - code] * 4 if code >= 128 else -OUTPUTS[127 - code] * 4


def expected_code(sample: int) -> int:
    number = min(bisect_right(DECISIONS, abs(sample) / 4) - 1, 127)
    return 255 - number if sample >= 0 else 127 - number


def test_the_tables_of_the_test_are_those_of_the_standard() -> None:
    assert DECISIONS[-1] == 8159
    assert [DECISIONS[at] for at in (16, 32, 48, 64, 80, 96, 112)] == [31, 95, 223, 479, 991, 2015, 4063]
    assert (OUTPUTS[1], OUTPUTS[16], OUTPUTS[127]) == (2, 33, 8031)


def test_every_code_decodes_to_the_value_of_the_standard() -> None:
    assert struct.unpack("<256h", decode(EVERY_CODE)) == tuple(map(expected_sample, EVERY_CODE))


def test_every_sample_encodes_to_the_code_of_the_standard() -> None:
    codes = encode(struct.pack("<65536h", *EVERY_SAMPLE))

    wrong = [
        (sample, code, expected_code(sample))
        for sample, code in zip(EVERY_SAMPLE, codes, strict=True)
        if code != expected_code(sample)
    ]
    assert wrong == []


def test_what_was_decoded_encodes_to_what_it_was() -> None:
    codes = encode(decode(EVERY_CODE))

    assert codes == EVERY_CODE.replace(b"\x7f", b"\xff"), "minus zero becomes zero"


def test_nothing_is_nothing() -> None:
    assert (decode(b""), encode(b"")) == (b"", b"")


def test_half_a_sample_cannot_be_encoded() -> None:
    with pytest.raises(struct.error):
        encode(b"\x00\x01\x02")


def tone(frequency: int, amplitude: int) -> bytes:
    return struct.pack("<800h", *[round(amplitude * math.sin(math.tau * frequency * at / 8000)) for at in range(800)])


@pytest.mark.parametrize("pcm", [b"", decode(SILENCE * FRAME_BYTES), struct.pack("<3h", 900, 900, 900)])
def test_what_does_not_change_cannot_be_heard(pcm: bytes) -> None:
    assert loudness(pcm) == QUIETEST


def test_loudness_is_in_decibels() -> None:
    at_full_scale = struct.pack("<800h", *[32767, -32767] * 400)

    assert loudness(at_full_scale) == pytest.approx(6.0, abs=0.1), "from end to end with every sample"
    assert loudness(tone(1000, 10_000)) - loudness(tone(1000, 1000)) == pytest.approx(20, abs=0.1)


def test_hum_is_less_loud_than_a_voice_of_the_same_amplitude() -> None:
    assert loudness(tone(1000, 5000)) - loudness(tone(50, 5000)) > 20
