"""What the agent says in a call: an utterance, its pieces, and how much of it was heard.

Text is synthesized phrase by phrase, so that the first words are out before the last are made. A phrase's audio goes out in
pieces of at most a second, each with a mark behind it: the marks that come back tell what the person has heard. Where Twilio
speaks the words itself, in a gathered call, nobody tells: their pieces are estimated by length, and what was heard by time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from twilio_plugin.domain.audio import BYTES_PER_SECOND

# ``speaking``: on its way or being played. The other two are final.
UtteranceState = Literal["speaking", "played", "interrupted"]
# What stopped an utterance: the person spoke or pressed a key, the agent said something else, the call or its stream ended.
InterruptionCause = Literal["speech", "key", "say", "end"]

PIECE_BYTES = BYTES_PER_SECOND
LONGEST_PHRASE = 200  # characters
CHARACTERS_PER_SECOND = 14  # of speech, where nobody has measured it
_SECOND = 1000  # milliseconds
_SENTENCE_END = re.compile(r"""[.!?…]+["'”’)\]]*(?:\s+|$)|[。！？]+\s*|\n\s*""")
_WORDS = re.compile(r"\s*\S+\s*")


@dataclass(frozen=True, slots=True)
class Piece:
    """At most a second of an utterance."""

    words: str
    """The words that are said in it, with the space behind them; may be empty."""
    milliseconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Utterance:
    """Something the agent says, as it is kept."""

    call_sid: str
    stream_sid: str
    utterance_id: str
    text: str
    """What is being said; ``[audio]`` where the agent gave sound instead of words."""
    allow_barge_in: bool
    started_at: str
    reply_ms: int | None = None
    """How long the person had waited for it by then; None where it is not the first after their words."""
    state: UtteranceState = "speaking"
    pieces: tuple[Piece, ...] = ()
    """Those made so far."""
    complete: bool = False
    """Whether these are all."""
    heard: int = 0
    """How many pieces were played to their end."""
    begins_at: str | None = None
    """When Twilio begins to speak it, where what is heard of it is an estimate by time: once a document has it."""

    @property
    def heard_text(self) -> str:
        """The words of the pieces that were played."""
        return "".join(piece.words for piece in self.pieces[: self.heard]).strip()

    @property
    def is_heard(self) -> bool:
        """Whether all of it was played."""
        return self.complete and self.heard == len(self.pieces)

    @property
    def milliseconds(self) -> int:
        """How long the pieces made so far are."""
        return sum(piece.milliseconds for piece in self.pieces)

    @property
    def heard_milliseconds(self) -> int:
        """How long the played pieces are."""
        return sum(piece.milliseconds for piece in self.pieces[: self.heard])


def mark_name(utterance_id: str, piece: int) -> str:
    """The mark behind the piece of this number, counted from 1."""
    return f"{utterance_id}:{piece}"


def read_mark(name: str) -> tuple[str, int] | None:
    """Utterance and piece of a mark; None for a mark that is not ours."""
    utterance_id, colon, piece = name.rpartition(":")
    return (utterance_id, int(piece)) if colon and piece.isascii() and piece.isdigit() and len(piece) < 9 else None


def phrases(text: str) -> Iterator[str]:
    """The text in sentences, long ones in parts of at most `LONGEST_PHRASE` characters. Joined, they are the text."""
    start = 0
    for end in [*(match.end() for match in _SENTENCE_END.finditer(text)), len(text)]:
        rest, start = text[start:end], end
        while len(rest) > LONGEST_PHRASE:
            cut = rest.rfind(" ", 1, LONGEST_PHRASE) + 1 or LONGEST_PHRASE
            yield rest[:cut]
            rest = rest[cut:]
        if rest:
            yield rest


def pieces(phrase: str, audio: bytes) -> list[tuple[Piece, bytes]]:
    """A phrase's audio in pieces, each with the words that fall into it if all characters take equally long."""
    words = _WORDS.findall(phrase) or [phrase]
    sounds = [audio[at : at + PIECE_BYTES] for at in range(0, len(audio), PIECE_BYTES)] or [b""]
    shares = _shares(words, [len(sound) for sound in sounds])
    return [(Piece(share, _milliseconds(sound)), sound) for share, sound in zip(shares, sounds, strict=True)]


def spoken_for(text: str) -> timedelta:
    """How long it takes to say that: an estimate."""
    return timedelta(milliseconds=len(text) * 1000 // CHARACTERS_PER_SECOND)


def estimated_pieces(text: str) -> tuple[Piece, ...]:
    """The pieces of a text that somebody else speaks: seconds, by the estimate of how long it takes."""
    whole = max(int(spoken_for(text) / timedelta(milliseconds=1)), 1)
    lengths = [min(_SECOND, whole - at) for at in range(0, whole, _SECOND)]
    shares = _shares(_WORDS.findall(text) or [text], lengths)
    return tuple(Piece(share, length) for share, length in zip(shares, lengths, strict=True))


def heard_until(utterance: Utterance, moment: datetime) -> Utterance:
    """The utterance with what was heard of it until then, where that is an estimate; otherwise as it is."""
    if utterance.begins_at is None:
        return utterance
    played = (moment - datetime.fromisoformat(utterance.begins_at)) / timedelta(milliseconds=1)
    heard = 0
    for piece in utterance.pieces:
        played -= piece.milliseconds
        if played < 0:
            break
        heard += 1
    return replace(utterance, heard=max(heard, utterance.heard))


def _shares(words: Sequence[str], lengths: Sequence[int]) -> list[str]:
    """The words by the piece in which each ends; what rounding leaves over belongs to the last."""
    shares = [""] * len(lengths)
    total, whole = sum(map(len, words)) or 1, sum(lengths) or 1
    said = 0
    for word in words:
        said += len(word)
        end, at = said / total * whole, 0
        while at < len(lengths) - 1 and sum(lengths[: at + 1]) < end - 1e-6:
            at += 1
        shares[at] += word
    return shares


def _milliseconds(audio: bytes) -> int:
    return len(audio) * 1000 // BYTES_PER_SECOND
