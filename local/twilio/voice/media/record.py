"""What happened on a stream, and when: for tests, and for whoever measures how long a person waits for an answer.

Times are seconds of the stream, counted from its ``start`` message; ``began_at`` is that moment on the monotonic clock.
"""

import time
from copy import copy
from dataclasses import dataclass, field, replace
from typing import Any

from .messages import Message
from .mouth import Utterance
from .ulaw import FRAME_SECONDS, SILENCE, is_sound


@dataclass(frozen=True)
class Entry:
    """A message, without its payload. ``way`` is ``sent`` (by Twilio) or ``received`` (by Twilio, from us).

    ``audio_bytes`` is how much audio came with it, ``has_sound`` whether that was more than silence. What Twilio could not
    read has the event ``invalid``, what a fault sent that is no message ``garbage``.
    """

    at: float
    way: str
    event: str
    message: Message
    audio_bytes: int = 0
    has_sound: bool = False


@dataclass(frozen=True)
class Sound:
    """Something that the person heard, from its first to its last frame that was no silence."""

    began: float
    ended: float


@dataclass
class StreamRecord:
    """``ended`` says why: ``closed`` (by us), ``stopped``, or the code of the error. ``invalid`` has what Twilio warned of."""

    sid: str
    name: str
    url: str
    two_way: bool
    speed: float = 1.0
    parameters: dict[str, str] = field(default_factory=dict)
    began_at: float | None = None
    ended_at: float | None = None
    ended: str | None = None
    log: list[Entry] = field(default_factory=list)
    heard: bytearray = field(default_factory=bytearray, repr=False)
    spoken: bytearray = field(default_factory=bytearray, repr=False)
    utterances: list[Utterance] = field(default_factory=list)
    invalid: list[str] = field(default_factory=list)
    sounding: bytearray = field(default_factory=bytearray, repr=False)
    waiting_bytes: int = 0

    def begin(self) -> None:
        """``start`` is being sent. What is played at the end of the first 20 ms is heard after them."""
        self.began_at = time.monotonic()
        self.hear(SILENCE)

    def end(self, why: str) -> None:
        """It is over."""
        self.ended, self.ended_at = why, self.now

    @property
    def now(self) -> float:
        """The stream's time."""
        return (time.monotonic() - self.began_at) * self.speed if self.began_at is not None else 0.0

    @property
    def marks(self) -> list[str]:
        """The names that were echoed, in order."""
        return [entry.message["mark"]["name"] for entry in self.log if (entry.way, entry.event) == ("sent", "mark")]

    def first(self, event: str, after: float = 0.0, way: str = "received") -> Entry | None:
        """The first such message after a time."""
        return next((entry for entry in self.log if entry.at >= after and (entry.way, entry.event) == (way, event)), None)

    def sounds(self, gap: float = 0.3) -> list[Sound]:
        """What the person heard; silences of less than ``gap`` seconds are part of a sound."""
        found: list[Sound] = []
        for index, is_heard in enumerate(self.sounding):
            if is_heard:
                began = index * FRAME_SECONDS
                joins = bool(found) and began - found[-1].ended < gap
                found.append(Sound(found.pop().began if joins else began, began + FRAME_SECONDS))
        return found

    def note(self, way: str, event: str, message: Message, audio: bytes = b"") -> None:
        """A message went over the socket."""
        kept = dict(message)
        if isinstance(kept.get("media"), dict):
            kept["media"] = {name: value for name, value in kept["media"].items() if name != "payload"}
        self.log.append(Entry(self.now, way, event, kept, len(audio), is_sound(audio)))

    def hear(self, frame: bytes) -> None:
        """The person heard a frame."""
        self.heard += frame
        self.sounding.append(is_sound(frame))

    @property
    def quiet_frames(self) -> int:
        """How many frames of silence were heard last."""
        return len(self.sounding) - 1 - self.sounding.rfind(1)

    def sound_since(self, after: float) -> tuple[float, float | None]:
        """Seconds of sound heard after a time, and when the first of it was."""
        index = int(after / FRAME_SECONDS)
        first = self.sounding.find(1, index)
        return self.sounding.count(1, index) * FRAME_SECONDS, None if first < 0 else first * FRAME_SECONDS

    def say(self, frame: bytes, utterance: Utterance | None) -> None:
        """The person said a frame."""
        self.spoken += frame
        if utterance is None:
            return
        if not self.utterances or self.utterances[-1] is not utterance:
            self.utterances.append(utterance)
        if is_sound(frame):
            utterance.ended = self.now
            utterance.began = utterance.ended if utterance.began is None else utterance.began

    def snapshot(self) -> "StreamRecord":
        """A copy that nothing changes any more."""
        return replace(
            self,
            log=list(self.log),
            heard=bytearray(self.heard),
            spoken=bytearray(self.spoken),
            sounding=bytearray(self.sounding),
            utterances=[copy(utterance) for utterance in self.utterances],
            invalid=list(self.invalid),
        )

    def as_dict(self) -> dict[str, Any]:
        """For JSON: without the audio, and without what goes by every 20 ms."""
        told = [entry for entry in self.log if (entry.way, entry.event) != ("sent", "media")]
        return {
            "sid": self.sid,
            "name": self.name,
            "url": self.url,
            "ended": self.ended,
            "seconds": round(len(self.sounding) * FRAME_SECONDS, 2),
            "marks": self.marks,
            "invalid": self.invalid,
            "sounds": [[round(sound.began, 2), round(sound.ended, 2)] for sound in self.sounds()],
            "said": [[said.words, said.began, said.ended] for said in self.utterances],
            "log": [[round(entry.at, 3), entry.way, entry.event, entry.audio_bytes] for entry in told],
        }
