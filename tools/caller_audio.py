"""Make the sound of the tests anew: ``PYTHONPATH=layers/twilio_plugin:local/speech:. python -m tools.caller_audio``.

What callers say comes from flite 2.2, the noises from arithmetic. What is made is committed, so that tests need no flite.
"""

from __future__ import annotations

import math
import random
import struct

from local.callers import FOLDER, NOISES, SAID
from local_speech.flite import speak
from twilio_plugin.domain.audio import SAMPLE_RATE, encode


def main() -> None:
    """Write every file of the folder."""
    for name, said in SAID.items():
        _write(name, speak(said.words, said.voice))
    for name, samples in zip(NOISES, (_click(), _white_noise(), _cough()), strict=True):
        _write(name, encode(struct.pack(f"<{len(samples)}h", *samples)))


def _write(name: str, audio: bytes) -> None:
    FOLDER.joinpath(f"{name}.ulaw").write_bytes(audio)


def _click() -> list[int]:
    """60 ms: a knock that dies away."""
    chance = random.Random("click")
    return [round(chance.gauss(0, 9000) * math.exp(-at / 120)) for at in range(_samples(60))]


def _white_noise() -> list[int]:
    """Two seconds at -36 dBFS."""
    chance = random.Random("white noise")
    return [round(chance.gauss(0, 520)) for _ in range(_samples(2000))]


def _cough() -> list[int]:
    """Two bursts of 150 ms, sudden and then dying away."""
    chance = random.Random("cough")
    burst = [round(chance.gauss(0, 6000) * math.exp(-at / 400)) for at in range(_samples(150))]
    return burst + [0] * _samples(100) + burst


def _samples(milliseconds: int) -> int:
    return SAMPLE_RATE * milliseconds // 1000


if __name__ == "__main__":
    main()
