"""Engines that a stack could name, for tests."""

from __future__ import annotations

from twilio_plugin.domain.audio import BYTES_PER_SECOND
from twilio_plugin.errors import SpeechUnavailable
from twilio_plugin.services import ports


class Metronome:
    """Speaks ten characters a second, all alike, and stumbles over "unspeakable"."""

    def __init__(self, language: str, voice: str) -> None:
        self._sound = f"{language} {voice}".encode()[:1]

    def synthesize(self, text: str) -> bytes:
        if "unspeakable" in text:
            raise SpeechUnavailable("The fake voice has stumbled.")
        return self._sound * (len(text) * BYTES_PER_SECOND // 10)


_synthesizer: type[ports.Synthesizer] = Metronome
