"""What a relay session plays in one go."""

import re
from dataclasses import dataclass, field

_SENTENCE = re.compile(r".*?[.!?…]+[\"'”’)\]]*(?=\s)", re.DOTALL)
_PHRASES = re.compile(r"(?<=[.,;:!?…])\s+")


@dataclass
class Reply:
    """A talk cycle: its sentences that were spoken, in ``seconds`` of the call."""

    spoken: list[str] = field(default_factory=list)
    seconds: float = 0.0
    is_greeting: bool = False


@dataclass(frozen=True)
class Passage:
    """What is played in one go; ``words`` is None for audio and keys. ``interruptible`` is as in the noun."""

    reply: Reply
    what: str
    seconds: float
    words: str | None = None
    interruptible: str = "none"
    preemptible: bool = False

    def yields_to(self, kind: str) -> bool:
        """Whether ``speech`` or ``dtmf`` ends it."""
        return self.interruptible in {kind, "any"}

    def words_until(self, seconds: float) -> str:
        """What of its words had been spoken by then."""
        reached = len(self.words or "") * min(1.0, seconds / self.seconds)
        ends = [match.end() for match in re.finditer(r"\S+", self.words or "")]
        return (self.words or "")[: max((end for end in ends if end <= reached), default=0)]


def split_sentences(text: str) -> tuple[list[str], str]:
    """The sentences of a text that have ended, and the rest. Only what follows shows that a full stop is one: 9.30."""
    sentences = []
    while match := _SENTENCE.match(text):
        sentences.append(" ".join(match.group().split()))
        text = text[match.end() :]
    return sentences, text


def phrases(words: str) -> list[str]:
    """The parts of a sentence between its signs."""
    return _PHRASES.split(words)
