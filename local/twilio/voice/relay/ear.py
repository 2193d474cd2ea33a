"""What a relay session hears of the person: their words and keys, and what those interrupt.

Words take the time that it takes to say them, and every ``say`` of a person is a prompt of its own. What they did before the
session began counts too, as for ``<Gather>``. ``interruptSensitivity`` makes no difference: the first word interrupts.
"""

from ..clock import speaking_seconds
from ..line import Line
from . import messages
from .news import News
from .noun import Noun
from .post import Post
from .voice import Voice


class Ear:
    """``so_far`` is what was heard of the words that are being said; ``language`` is that of transcription."""

    def __init__(self, line: Line, noun: Noun, voice: Voice, post: Post, news: News) -> None:
        self._line, self._noun, self._voice, self._post, self._news = line, noun, voice, post, news
        self.language = noun.language
        self.so_far = ""

    async def run(self) -> None:
        """Listen for ever."""
        while True:
            await self._line.changes.wait_until(lambda: bool(self._line.inputs))
            given = self._line.inputs.popleft()
            self._line.changes.tell()
            if given.kind == "speech":
                await self._listen(given.text)
            elif given.kind == "key":
                self._press(given.text)

    async def _listen(self, text: str) -> None:
        words, is_heard = text.split(), False
        self._line.listening = False
        self._news.speaks("client", on=True)
        for index, word in enumerate(words):
            is_heard = self._attends_to("speech") or is_heard
            if is_heard:
                self._hear(" ".join(words[: index + 1]))
            await self._line.clock.sleep(speaking_seconds(f"{word} "))
        self._news.speaks("client", on=False)
        await self._line.clock.sleep(self._noun.silence)
        self.so_far = ""
        if is_heard:
            self._post.put(messages.prompt(text, self.language, last=True))
        else:
            self._line.note("twilio", f"(does not listen: {text})")

    def _hear(self, words: str) -> None:
        self.so_far = words
        if self._noun.partial_prompts:
            self._post.put(messages.prompt(words, self.language, last=False))

    def _press(self, key: str) -> None:
        if self._noun.dtmf_detection and self._attends_to("dtmf"):
            self._post.put(messages.key(key))
        else:
            self._line.note("twilio", f"(does not listen to key: {key})")

    def _attends_to(self, kind: str) -> bool:
        """Whether what the person does counts; it interrupts us where it may."""
        if not self._voice.is_speaking:
            return True
        if heard := self._voice.interrupt(kind):
            self._line.note("twilio", "(is interrupted)")
            self._post.put(messages.interrupt(*heard))
            return True
        return self._noun.reports in {kind, "any"}
