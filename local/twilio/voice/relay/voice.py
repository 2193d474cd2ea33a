"""Twilio's voice in a relay session: tokens become sentences, which are spoken one after another in the call's time.

A sentence is spoken as soon as its end has come, the rest of a reply with its last token. What waits when the person
interrupts is thrown away; tokens of that reply that come later are spoken, because Twilio nowhere promises to drop them.
"""

import asyncio
import time
from collections import deque
from collections.abc import Sequence

from ..clock import KEY_SECONDS, PLAY_SECONDS, speaking_seconds
from ..line import Line
from .messages import ENDLESS, Message
from .news import News
from .noun import Noun
from .passages import Passage, Reply, phrases, split_sentences
from .record import RelayRecord

TURN_SECONDS = 0.7  # of silence, after which a person takes it to be their turn
UNFINISHED_SECONDS = 3.0  # the same, where the last token of the reply is still to come


class Voice:
    """Speaks on a line. ``replying`` is set with the first word that is not the greeting's."""

    def __init__(self, line: Line, noun: Noun, news: News, record: RelayRecord) -> None:
        self._line, self._noun, self._news, self._record = line, noun, news, record
        self.replying = asyncio.Event()
        self._waiting: deque[Passage] = deque()
        self._reply: Reply | None = None
        self._tokens: list[Message] = []
        self._unspoken = ""
        self._passage: Passage | None = None
        self._playing: asyncio.Task[None] | None = None
        self._began = 0.0
        self._is_on = False

    @property
    def is_speaking(self) -> bool:
        """Whether the person hears something now."""
        return self._passage is not None

    def greet(self) -> None:
        """Speak the welcome greeting, if there is one."""
        reply, manner = Reply(is_greeting=True), (self._noun.greeting_interruptible, self._noun.preemptible)
        sentences, rest = split_sentences(self._noun.greeting)
        for sentence in [*sentences, rest]:
            self._put_words(reply, sentence, *manner)

    def take_text(self, message: Message) -> None:
        """A token."""
        if self._reply is None:
            self._preempt()
            self._reply = Reply()
        self._unspoken += message["token"]
        self._tokens.append(message)
        sentences, self._unspoken = split_sentences(self._unspoken)
        for sentence in sentences:
            self._put_words(self._reply, sentence, *self._manner(self._tokens))
            self._tokens = [message]
        if message.get("last"):
            self._put_words(self._reply, self._unspoken, *self._manner(self._tokens))
            self._tokens, self._unspoken, self._reply = [], "", None

    def take_play(self, message: Message) -> None:
        """Audio, a reply of its own."""
        self._preempt()
        interruptible, preemptible = self._manner([message])
        what = f"[play {message['source']}]"
        passage = Passage(Reply(), what, PLAY_SECONDS, interruptible=interruptible, preemptible=preemptible)
        for _ in range(message.get("loop", 1) or ENDLESS):
            self._put(passage)

    def take_digits(self, message: Message) -> None:
        """Keys, which nothing interrupts."""
        digits = message["digits"]
        self._put(Passage(Reply(), f"[play digits {digits}]", len(digits) * KEY_SECONDS))

    def interrupt(self, kind: str) -> tuple[str, float] | None:
        """The person does something, ``speech`` or ``dtmf``: what they heard of the reply, and in how many seconds.

        None where nothing is spoken that it may interrupt.
        """
        passage = self._passage
        if passage is None or not passage.yields_to(kind):
            return None
        words, seconds = self._stop()
        self._waiting = deque(waiting for waiting in self._waiting if not waiting.yields_to(kind))
        if self._manner(self._tokens)[0] in {kind, "any"}:
            self._tokens, self._unspoken = [], ""
        self._fall_silent()
        return " ".join([*passage.reply.spoken, words]).strip(), passage.reply.seconds + seconds

    async def run(self) -> None:
        """Speak what there is to be spoken, for ever."""
        await self._give_turn()
        while True:
            await self._line.changes.wait_until(lambda: bool(self._waiting))
            was_cut = await self._speak(self._waiting.popleft())
            if not self._waiting and not was_cut:
                self._fall_silent()
                await self._give_turn()

    async def _speak(self, passage: Passage) -> bool:
        """Whether it was cut short."""
        self._passage, self._began = passage, time.monotonic()
        self._line.listening = False
        if not self._is_on:
            self._is_on = True
            self._news.speaks("agent", on=True)
        if not passage.reply.is_greeting:
            self.replying.set()
        self._line.hear(passage.what)
        self._playing = playing = asyncio.create_task(self._play(passage))
        try:
            await asyncio.wait({playing})
        finally:
            playing.cancel()
        if self._passage is not passage:
            return True
        playing.result()
        passage.reply.seconds += passage.seconds
        if passage.words is not None:
            passage.reply.spoken.append(passage.words)
            self._record.spoken.append(passage.words)
        self._passage = None
        self._tell()
        return False

    async def _play(self, passage: Passage) -> None:
        if passage.words is None:
            await self._line.clock.sleep(passage.seconds)
            return
        for phrase in phrases(passage.words):
            await self._line.clock.sleep(speaking_seconds(phrase))
            self._news.played(phrase)

    def _stop(self) -> tuple[str, float]:
        """Stop in the midst of what is spoken; the words and the seconds of it that were heard."""
        passage, playing = self._passage, self._playing
        assert passage is not None
        assert playing is not None
        playing.cancel()
        seconds = min(passage.seconds, self._line.clock.on_the_phone(time.monotonic() - self._began))
        words = passage.words_until(seconds)
        if words:
            self._record.spoken.append(words)
        self._passage = None
        return words, seconds

    def _preempt(self) -> None:
        """A reply begins: what may give way to it does."""
        self._waiting = deque(waiting for waiting in self._waiting if not waiting.preemptible)
        if self._passage is not None and self._passage.preemptible:
            self._stop()
            self._line.note("twilio", "(is replaced by the next reply)")
        self._tell()

    def _fall_silent(self) -> None:
        if self._is_on and not self._waiting:
            self._is_on = False
            self._news.speaks("agent", on=False)
        self._tell()

    async def _give_turn(self) -> None:
        seconds = TURN_SECONDS if self._reply is None else UNFINISHED_SECONDS
        if not await self._line.changes.wait_until(lambda: bool(self._waiting), self._line.clock.here(seconds)):
            self._line.begin_to_listen()

    def _put_words(self, reply: Reply, text: str, interruptible: str, preemptible: bool) -> None:
        if words := " ".join(text.split()):
            self._put(Passage(reply, words, speaking_seconds(words), words, interruptible, preemptible))

    def _put(self, passage: Passage) -> None:
        self._waiting.append(passage)
        self._tell()

    def _tell(self) -> None:
        self._record.waiting = len(self._waiting) + self.is_speaking
        self._line.changes.tell()

    def _manner(self, messages: Sequence[Message]) -> tuple[str, bool]:
        """``interruptible`` and ``preemptible`` of what came in these messages: what one of them forbids is forbidden."""
        given = {message["interruptible"] for message in messages if "interruptible" in message}
        allowed = "any" if given and self._noun.interruptible == "none" else self._noun.interruptible
        preemptible = all(message.get("preemptible", self._noun.preemptible) for message in messages)
        return "none" if False in given else allowed, preemptible
