"""A voice without an account: flite, or espeak-ng where that is not installed."""

from __future__ import annotations

import io
import shutil
import struct
import subprocess
import tempfile
import wave
from pathlib import Path

from local_speech.resampling import Resampler
from twilio_plugin.domain.audio import SAMPLE_RATE, encode
from twilio_plugin.errors import SpeechUnavailable

_VOICES = ("rms", "kal16", "kal", "awb", "slt")
_SECONDS = 60  # for a phrase that takes flite a tenth of a second


class LocalSynthesizer:
    """`Synthesizer` on this machine, in English. Of flite's voices, pocketsphinx understands ``rms`` and ``kal16`` best."""

    def __init__(self, language: str = "en-US", voice: str = "rms") -> None:  # noqa: ARG002  (engines are made alike)
        """A voice that flite does not have, such as one of Polly's, is ``rms``."""
        self._voice = voice if voice in _VOICES else "rms"

    def synthesize(self, text: str) -> bytes:
        """The words as µ-law, 8,000 samples a second. Raises SpeechUnavailable."""
        return speak(text, self._voice)


def speak(text: str, voice: str = "kal16") -> bytes:
    """The words as µ-law, 8,000 samples a second. Raises SpeechUnavailable."""
    if not text.strip():
        return b""
    flite = shutil.which("flite")
    rate, samples = _by_flite(flite, text, voice) if flite else _by_espeak(text)
    resampler = Resampler(rate, SAMPLE_RATE)
    narrow = resampler.feed(samples) + resampler.flush()
    return encode(struct.pack(f"<{len(narrow)}h", *narrow))


def _by_flite(flite: str, text: str, voice: str) -> tuple[int, list[int]]:
    with tempfile.TemporaryDirectory() as folder:
        words, sound = Path(folder, "words.txt"), Path(folder, "sound.wav")
        words.write_text(text)
        # By file: a command line is for everybody on the machine to read, and has an end.
        command = [flite, "-voice", voice, "-f", str(words), "-o", str(sound)]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=_SECONDS)
            return _read(sound.read_bytes())
        except (OSError, subprocess.SubprocessError, wave.Error) as error:
            raise SpeechUnavailable(f"flite cannot say this in the voice {voice!r}.") from error


def _by_espeak(text: str) -> tuple[int, list[int]]:
    try:
        from local_speech.espeak import speak as espeak
    except ImportError as error:
        raise SpeechUnavailable("Neither flite nor espeakng-loader is installed.") from error
    return espeak(text)


def _read(sound: bytes) -> tuple[int, list[int]]:
    with wave.open(io.BytesIO(sound)) as file:
        pcm = file.readframes(file.getnframes())
        return file.getframerate(), list(struct.unpack(f"<{len(pcm) // 2}h", pcm))
