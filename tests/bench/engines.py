"""Engines that cost nothing, and one that says what it cost; named to functions as any engine is."""

from __future__ import annotations

import threading
import time
from contextlib import suppress

from twilio_plugin.domain.audio import BYTES_PER_SECOND
from twilio_plugin.errors import SpeechUnavailable
from twilio_plugin.services.ports import Transcriber, Transcript, Transcription

_SECONDS_A_CHARACTER = 0.065  # of speech, as people are used to it


class Immediate:
    """`Transcriber` that listens to nothing and knows the words at once."""

    def __init__(self, language: str = "en-US") -> None:
        self.begin = _Known


class _Known:
    def write(self, audio: bytes) -> None:
        """Heard."""

    def partial(self) -> str:
        """Never any."""
        return ""

    def finish(self) -> None:
        """It is."""

    def result(self) -> Transcript:
        """About as many words as people say in a turn."""
        return Transcript("what time do you close today", 0.95)

    def cancel(self) -> None:
        """Nothing to stop."""


class Timed:
    """`Transcriber` by pocketsphinx whose confidence is a time: the seconds from a turn's end until its words were there."""

    def __init__(self, language: str = "en-US") -> None:
        from local_speech.pocketsphinx import PocketsphinxTranscriber

        self._engine: Transcriber = PocketsphinxTranscriber(language)

    def begin(self) -> _TimedTurn:
        """A new turn."""
        return _TimedTurn(self._engine.begin())


class _TimedTurn:
    def __init__(self, turn: Transcription) -> None:
        self._turn = turn
        self._seconds = 0.0
        self._known = threading.Event()
        self.write, self.partial, self.cancel = turn.write, turn.partial, turn.cancel

    def finish(self) -> None:
        """No more audio comes: from now on it is looked for the words a thousand times a second."""
        self._turn.finish()
        threading.Thread(target=self._wait, args=(time.monotonic(),), daemon=True).start()

    def result(self) -> Transcript | None:
        """The words with the engine's seconds."""
        found = self._turn.result() if self._known.is_set() else None
        return Transcript(found.text, self._seconds) if found else None

    def _wait(self, since: float) -> None:
        with suppress(SpeechUnavailable):  # `result` raises it again
            while self._turn.result() is None:
                time.sleep(0.001)
        self._seconds = time.monotonic() - since
        self._known.set()


class Tone:
    """`Synthesizer` of a hum that lasts as long as the words would."""

    def __init__(self, language: str = "en-US", voice: str = "") -> None:
        """Of no language and no voice."""

    def synthesize(self, text: str) -> bytes:
        """As µ-law, 8,000 samples a second."""
        return b"\x8e\x8e\x0e\x0e" * round(len(text) * _SECONDS_A_CHARACTER * BYTES_PER_SECOND / 4)
