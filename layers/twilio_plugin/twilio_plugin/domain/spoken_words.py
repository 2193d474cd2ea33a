"""How much of an utterance was heard where Twilio makes the sound: in words, because words are what Twilio tells of.

A piece of such an utterance is a word. Twilio says which words it has spoken, in its own spelling; where it says nothing, the
time that has passed says how many it may have been.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import accumulate, takewhile

from twilio_plugin.domain.speech import Piece, Utterance, spoken_for

_WORD = re.compile(r"\s*\S{1,20}\s*")  # writing without spaces is cut too
# Letters between that Twilio may write otherwise than we did, "five dollars" for "$5"; fewer where a short word is looked for.
_SKIPPED, _SKIPPED_A_LETTER = 40, 4


def spoken_words(text: str) -> tuple[Piece, ...]:
    """The text in words, with the space behind each, and as long as speaking it may take."""
    return tuple(Piece(word, int(spoken_for(word) / timedelta(milliseconds=1))) for word in _WORD.findall(text))


def words_until(words: Sequence[str], said: str, *, known: int) -> int:
    """How many of the words were heard if `said` is all that was until an interruption; at least `known`.

    Twilio may count in what was said before these words. Spelling and signs do not matter.
    """
    ours, told = _letters(words), [letters for word in said.split() if (letters := _plain(word))]
    whole = "".join(told)
    found = len(whole) if ours.startswith(whole) else _behind(ours, whole, _length(words, known))
    if not found:
        ends = ("".join(told[at:]) for at in range(1, len(told)))
        found = next((len(end) for end in ends if ours.startswith(end)), 0) or _common(ours, whole)
    return max(known, _words_within(words, found))


def words_played(words: Sequence[str], said: str, *, known: int) -> int:
    """How many of the words have been played if `said` was just now, or is all that has been; at least `known`."""
    ours, told = _letters(words), _plain(said)
    found = _behind(ours, told, _length(words, known)) or (len(told) if ours.startswith(told) else 0)
    return max(known, _words_within(words, found)) if told else known


def heard_by(utterances: Iterable[Utterance], moment: datetime) -> list[tuple[Utterance, int]]:
    """The utterances, said one after the other, with how many pieces of each may have been heard at a moment."""
    found: list[tuple[Utterance, int]] = []
    free = datetime.min.replace(tzinfo=moment.tzinfo)
    for utterance in utterances:
        begins = max(free, datetime.fromisoformat(utterance.started_at))
        ends = [*accumulate(piece.milliseconds for piece in utterance.pieces)]
        passed = int((moment - begins) / timedelta(milliseconds=1))
        found.append((utterance, bisect_right(ends, passed)))
        free = begins + timedelta(milliseconds=ends[-1] if ends else 0)
    return found


def _behind(ours: str, told: str, known: int) -> int:
    """Where `told` ends in `ours`, if it stands behind what is known, or a little further on; else 0."""
    skipped = min(_SKIPPED, _SKIPPED_A_LETTER * len(told))
    at = ours.find(told, known, known + skipped + len(told))
    return at + len(told) if told and at >= 0 else 0


def _common(ours: str, told: str) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(ours, told, strict=False)))


def _words_within(words: Sequence[str], letters: int) -> int:
    """How many words have no more letters than these. Signs that are not spoken go with the word before them."""
    ends = [*accumulate(len(_plain(word)) for word in words)]
    return bisect_right(ends, letters) if letters else 0


def _length(words: Sequence[str], count: int) -> int:
    return len(_letters(words[:count]))


def _letters(words: Iterable[str]) -> str:
    return "".join(map(_plain, words))


def _plain(word: str) -> str:
    return "".join(character for character in word.casefold() if character.isalnum())
