"""Engines that a stack could name, for tests."""

from __future__ import annotations

from twilio_plugin.domain.audio import BYTES_PER_SECOND
from twilio_plugin.errors import SpeechUnavailable
from twilio_plugin.services import ports


class Metronome:
    """Speaks ten characters a second, in a sound of its language and voice, and stumbles over "unspeakable"."""

    def __init__(self, language: str, voice: str) -> None:
        self._sound = f"{language[0]}{voice[0]}".encode()

    def synthesize(self, text: str) -> bytes:
        if "unspeakable" in text:
            raise SpeechUnavailable("The fake voice has stumbled.")
        return self._sound * (len(text) * BYTES_PER_SECOND // 10 // len(self._sound))


class Deaf:
    """Understands nothing, in any language."""

    def __init__(self, language: str) -> None:
        self._language = language

    def begin(self) -> ports.Transcription:
        raise SpeechUnavailable(f"The fake ear hears no {self._language}.")


_transcriber: type[ports.Transcriber] = Deaf
_synthesizer: type[ports.Synthesizer] = Metronome
