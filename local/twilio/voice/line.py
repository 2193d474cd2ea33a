"""The line between Twilio and one phone: what is said over it in both directions, and who ends it.

Used on the loop's thread only.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..changes import Changes
from .call import Call
from .clock import Clock
from .media.audio import CallAudio
from .media.mouth import Utterance
from .media.record import StreamRecord
from .relay.record import RelayRecord

if TYPE_CHECKING:
    from .media.stream import MediaStream
    from .transcriptions import Transcription

Voice = Callable[[str], bytes]


@dataclass(frozen=True)
class Source:
    """Where the next document comes from: a URL that is asked with some fields, or the TwiML itself."""

    url: str = ""
    method: str = "POST"
    fields: Mapping[str, str] = field(default_factory=dict)
    twiml: str | None = None


@dataclass(frozen=True)
class HangUp:
    """The end of a call: the status that it ends with, and who ended it."""

    status: str = "completed"
    by: str = "twilio"


@dataclass(frozen=True)
class Input:
    """What a person did: ``speech`` (its words), ``key`` (one key) or ``silence`` (nothing more will come)."""

    kind: str
    text: str = ""
    confidence: float = 0.95


class Line:
    """``attended``: somebody plays the person step by step, so that Twilio is patient with them.

    ``log`` has (seconds of the call, who, what), ``heard`` what was said to the person, ``documents`` the TwiML executed.
    ``turns`` counts how often Twilio fell silent to listen; ``partner`` is the line that this one is connected with;
    ``orders`` interrupt what Twilio executes; ``deadline`` is when it ends the call, once it has begun to execute;
    ``fallback`` is asked where a document fails. ``streams`` are those that began, ``forks`` those of ``<Start>`` by name,
    ``relays`` the relay sessions, ``recordings`` what stops those of ``<Start>``, by name, ``transcriptions`` those that began;
    ``ears`` are told the words on each track; ``voice`` makes µ-law of words.
    """

    def __init__(self, call: Call, clock: Clock, *, attended: bool = True, voice: Voice | None = None) -> None:
        self.call, self.clock, self.attended, self.voice = call, clock, attended, voice
        self.changes = Changes()
        self.audio = CallAudio(self.changes, clock.media_speed)
        self.streams: list[StreamRecord] = []
        self.relays: list[RelayRecord] = []
        self.recordings: dict[str, asyncio.Event] = {}
        self.forks: dict[str, MediaStream] = {}
        self.transcriptions: list[Transcription] = []
        self.ears: list[Callable[[str, str], None]] = []
        self.log: list[tuple[float, str, str]] = []
        self.heard: list[str] = []
        self.documents: list[str] = []
        self.inputs: deque[Input] = deque()
        self.orders: asyncio.Queue[Source | HangUp] = asyncio.Queue()
        self.deadline: asyncio.Timeout | None = None
        self.fallback: Source | None = None
        self.listening = False
        self.turns = 0
        self.has_rung = self.hung_up = False
        self.partner: Line | None = None
        self._began = time.monotonic()
        self._answered: float | None = None

    def note(self, who: str, what: str) -> None:
        """Write into the log."""
        seconds = self.clock.on_the_phone(time.monotonic() - self._began)
        self.log.append((round(seconds, 3), who, what))
        self.changes.tell()

    def advance(self, status: str) -> None:
        """Move the call to a status."""
        if status in {"ringing", "in-progress"}:
            self.has_rung = True
        if status == "in-progress":
            self._answered = time.monotonic()
        since = time.monotonic() - self._answered if self._answered else 0.0
        self.call.advance(status, max(1, round(self.clock.on_the_phone(since))) if self._answered else 0)
        self.note("call", status)

    def hear(self, what: str, who: str = "twilio") -> None:
        """The person hears something."""
        self.heard.append(what)
        self.note(who, what)
        if who == "partner":
            self.overhear("outbound_track", what)

    def overhear(self, track: str, words: str) -> None:
        """Tell who transcribes the call: words of the person (``inbound_track``), or words to them (``outbound_track``)."""
        for ear in list(self.ears):
            ear(track, words)

    async def speak(self, what: str, seconds: float) -> None:
        """Say something to the person, who hears it from its first word on."""
        self.hear(what)
        await self.clock.sleep(seconds)

    def limit(self, seconds: float) -> None:
        """Twilio ends the call when it is that many seconds old; one that is already, at once."""
        self.note("api", f"time limit {seconds:g}")
        if self.deadline is not None:
            self.deadline.reschedule((self._answered or self._began) + self.clock.here(seconds))

    def begin_to_listen(self) -> None:
        """It is the person's turn."""
        self.listening = True
        self.turns += 1
        self.changes.tell()

    async def wait_for_input(self, timeout: float) -> bool:
        """Whether the person did something within that many seconds of the call, or before."""
        patience = self.clock.patience if self.attended else 0.0
        return await self.changes.wait_until(lambda: bool(self.inputs), max(self.clock.here(timeout), patience))

    async def take(self, kinds: Collection[str], timeout: float) -> Input | None:
        """The next input of those kinds; others are lost, as nobody listens to them. None for silence."""
        while await self.wait_for_input(timeout):
            given = self.inputs.popleft()
            self.changes.tell()
            if given.kind == "silence":
                return None
            if given.kind in kinds:
                return given
            self.note("twilio", f"(does not listen to {given.kind}: {given.text})")
        return None

    async def order_within(self, seconds: float | None) -> Source | HangUp | None:
        """What comes in the way within that many seconds of the call."""
        try:
            async with asyncio.timeout(None if seconds is None else self.clock.here(seconds)):
                return await self.orders.get()
        except TimeoutError:
            return None

    def say(self, words: str, confidence: float = 0.95) -> None:
        """The person speaks: to whom they are connected with, or to the running or next verb that listens."""
        self.note("person", words)
        self.overhear("inbound_track", words)
        if self.partner is not None:
            self.partner.hear(words, "partner")
        else:
            self._put(Input("speech", words, confidence))

    def sound(self, audio: bytes, words: str) -> Utterance:
        """The person makes a sound, which streams hear when they have heard what came before. Nobody else does."""
        self.note("person", words)
        self.overhear("inbound_track", words)
        utterance = Utterance(words, audio)
        self.listening = False
        if self.audio.is_heard:
            self.audio.mouth.put(utterance)
        else:
            utterance.over = True
        return utterance

    def press(self, keys: str) -> None:
        """The person presses keys, one after the other: for the stream, or for the running or next verb that listens.

        Raises ValueError for what is not on a phone.
        """
        if not keys or set(keys) - set("0123456789*#ABCD"):
            raise ValueError(f"{keys!r} are not keys of a phone")
        self.note("person", f"[presses {keys}]")
        for key in keys:
            if self.audio.is_connected:
                self.audio.press(key)
            else:
                self._put(Input("key", key))

    def silence(self) -> None:
        """The person says nothing more: ends the waiting of the running or next verb that listens, after its prompts."""
        self.note("person", "[silence]")
        self._put(Input("silence"))

    def hang_up(self) -> None:
        """The person hangs up."""
        if not self.call.ended:
            self.note("person", "[hangs up]")
            self.hung_up = True
            self.orders.put_nowait(HangUp(by="person"))

    def _put(self, given: Input) -> None:
        self.inputs.append(given)
        self.changes.tell()
