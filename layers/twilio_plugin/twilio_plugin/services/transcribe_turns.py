"""The turns of a person from their first frame until they are understood, in the order they were spoken."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from twilio_plugin.domain.turns import TurnEnded, TurnStarted
from twilio_plugin.errors import SpeechUnavailable
from twilio_plugin.services.ports import Clock, Transcriber, Transcript, Transcription


@dataclass(slots=True)
class Turn:
    """One turn."""

    first: int
    """Sequence number of its first frame."""
    starts_at_ms: int
    transcription: Transcription
    audio: list[bytes] = field(default_factory=list)
    duration_ms: int = 0
    asked_at: datetime | None = None
    """When the engine had all of it."""
    partial: str = ""
    tried_again: bool = False


@dataclass(slots=True)
class Turns:
    """What is being said, and what was said and is not understood yet. A turn the engine fails on is given to it once more."""

    transcriber: Transcriber
    clock: Clock
    patience: timedelta
    """How long the engine may take. One that never answers must not keep the turns behind it from being heard."""
    not_understood: Callable[[str], None]
    """Told why a turn could not be transcribed."""
    spoken: Turn | None = None
    """The one that is being said."""
    _waiting: deque[Turn] = field(default_factory=deque)

    @property
    def are_waiting(self) -> bool:
        """Whether some were said and are not announced yet."""
        return bool(self._waiting)

    @property
    def first_frame(self) -> int | None:
        """The first frame that is still needed; None where there is no turn."""
        turns = self._all()
        return min(turn.first for turn in turns) if turns else None

    def begin(self, started: TurnStarted) -> None:
        """Somebody begins to speak."""
        self.spoken = Turn(started.sequence_number, started.starts_at_ms, self.transcriber.begin())
        self.write(started.audio)

    def write(self, audio: bytes) -> None:
        """They go on."""
        if self.spoken:
            self.spoken.audio.append(audio)
            self.spoken.transcription.write(audio)

    def finish(self, ended: TurnEnded) -> None:
        """They have finished."""
        if self.spoken:
            self.spoken.duration_ms = ended.duration_ms
            self.spoken.asked_at = self.clock()
            self.spoken.transcription.finish()
            self._waiting.append(self.spoken)
            self.spoken = None

    def new_words(self) -> str:
        """The words of the turn that is being said, if they have changed since the last look; else nothing."""
        if self.spoken is None:
            return ""
        words = self.spoken.transcription.partial()
        if words == self.spoken.partial:
            return ""
        self.spoken.partial = words
        return words

    def understood(self) -> tuple[Turn, Transcript] | None:
        """The next turn, once it is understood; it stays the next one until `done`. Without words, nothing was."""
        if not self._waiting:
            return None
        turn = self._waiting[0]
        try:
            transcript = self._result(turn)
        except SpeechUnavailable as failure:
            if not turn.tried_again:
                self._try_again(turn)
                return None
            self.not_understood(str(failure))
            transcript = Transcript("")
        return (turn, transcript) if transcript else None

    def done(self) -> None:
        """The next turn is announced."""
        self._waiting.popleft()

    def cancel(self) -> None:
        """Nobody wants them any more."""
        for turn in self._all():
            turn.transcription.cancel()

    def _all(self) -> list[Turn]:
        return [*self._waiting, *([self.spoken] if self.spoken else [])]

    def _result(self, turn: Turn) -> Transcript | None:
        transcript = turn.transcription.result()
        if transcript is None and turn.asked_at and self.clock() - turn.asked_at >= self.patience:
            turn.transcription.cancel()
            raise SpeechUnavailable("The engine that hears did not answer in time.")
        return transcript

    def _try_again(self, turn: Turn) -> None:
        turn.tried_again = True
        turn.asked_at = self.clock()
        turn.transcription = self.transcriber.begin()
        for audio in turn.audio:
            turn.transcription.write(audio)
        turn.transcription.finish()
