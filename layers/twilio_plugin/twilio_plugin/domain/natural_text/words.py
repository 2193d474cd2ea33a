"""How a request goes on behind the number: what to write or to say.

Words are a slice of the text, never put together from pieces. Where it is not sure that they begin, the answer is a question.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from twilio_plugin.domain.natural_text import questions
from twilio_plugin.domain.natural_text.marks import NUMBER, Marked
from twilio_plugin.domain.natural_text.opening import RECIPIENT, Opening
from twilio_plugin.domain.natural_text.quotes import begins_quoted, unquoted
from twilio_plugin.domain.natural_text.request import Question


@dataclass(frozen=True, slots=True)
class Words:
    """``indirect`` of "let X know that …": a question mark at its end belongs to the questions."""

    text: str = ""
    quoted: bool = False
    indirect: bool = False


# Behind "that", the words are "that was great", of which no word may be left out, and not "that the meeting moved".
_ANOTHER_THAT = (
    r"(?:(?:is|was|has|had|does|did|would|could|should)(?:n['’]t)?|will|won['’]t|can(?:['’]t)?|might|may|must|sounds|looks|works"
    r"|seems|feels|makes|means)"
)
# What begins an indirect question, an errand or a subject, not words to pass on: "tell her to call", "about the party".
_INDIRECT = r"to|about|if|whether|when|where|why|how|what|which|who|whose|of|regarding|re"
# What may name a thing rather than begin words: "text her the address".
_DETERMINERS = r"an?|the|this|these|those|that|my|our|your|his|her|their|its|some|any|it|them"
# What may still be about the request: "text her tomorrow", "text her again".
_PARTICLES = (
    r"again|also|and|or|as|asap|asking|at|back|before|after|by|every|for|from|immediately|in|instead|later|next|now|on|once|only"
    r"|please|pls|quickly|says?|read|so|soon|then|through|today|tomorrow|tonight|until|using|via|while|with"
)
_WHOLE_WORD = r"(?![\w'’])"

_QUOTES = "[\"'`“‘„«»‹「]"
# Attached to the word before, a colon or comma belongs to the request; standing alone it begins the words.
_THEN = r"(?:[:,]|(?=\s|\Z))"
_THEM = r"(?:him|her|them|it)"
_ALSO = r"(?:(?:\b(?:and|or|then)|&)\s++(?:(?:then|also)\s++)?)"


def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE | re.DOTALL)


_SAYING = _compiled(
    rf"\s*+[,.;]?\s*+(?:saying|to\s+say|and\s+(?:then\s+)?say"
    rf"|with\s+(?:the\s+|this\s+)?(?:following\s+)?(?:text|message|words|caption|content)){_THEN}"
)
_THAT_SAYS = _compiled(rf"\s*+,?\s*+(?:(?:that|which)\s+(?:says|reads)|reading|stating|captioned){_THEN}")
_SAY = _compiled(rf"\s*+[,.;]?\s*+say{_THEN}")
_TELLING = _compiled(
    rf"\s*+[,.;]?\s*+(?:(?:to|and)\s+(?:then\s+)?(?:tell\s+{_THEM}|let\s+{_THEM}\s+know)|telling\s+{_THEM}|letting\s+{_THEM}\s+know){_THEN}"
)
_TELL = _compiled(rf"\s*+[,.;]?\s*+(?:tell\s+{_THEM}|let\s+{_THEM}\s+know){_THEN}")
_SEPARATOR = _compiled(r"\s*+:\s*+|\s++[-–—]+\s++|[ \t]*+\n\s*+")
_QUOTED = _compiled(rf"\s*+,?\s*+(?:with\b\s*+:?\s*+)?(?={_QUOTES})")
_LOOSELY = _compiled(r"\s*+,\s++|\s++")
NOTHING = r"[\s.!?,]*+(?:(?:please|pls|now|back|thanks|thank\s+you|for\s+me|right\s+away|right\s+now|asap)\b[\s.!?,]*+)*+\Z"
"""The end of a request, civil or not."""
_NOTHING = _compiled(NOTHING)
_MORE_RECIPIENTS = _compiled(
    rf"[ \t]*+(?:[,;/&+]|and\b|or\b|as\s+well\s+as\b)?[ \t]*+(?:(?:and|or)[ \t]++)?(?:to[ \t]++)?{RECIPIENT}"
)
_TEXT_TOO = _compiled(rf"\s*+,?\s*+{_ALSO}(?:text|sms|message|send)\b")
_CALL_TOO = _compiled(rf"{_ALSO}(?:call|phone|ring|dial)\s++(?:{_THEM}\b|{NUMBER})")
_ANOTHER_REQUEST = _compiled(
    rf"{_ALSO}(?:call|phone|ring|dial|text|sms|message|tell|(?:send|make|give)(?:\s++an?\s++\w++(?:\s++to)?)?)\s++{NUMBER}"
)
_NOT_THE_WORDS = _compiled(rf"(?:{_INDIRECT}|{_DETERMINERS}){_WHOLE_WORD}")
_DOUBTFUL = _compiled(rf"(?:{_INDIRECT}|{_DETERMINERS}|{_PARTICLES}){_WHOLE_WORD}")
_THAT = _compiled(rf"that\s++(?:(?P<another>{_ANOTHER_THAT}){_WHOLE_WORD}|(?=\S))")
_LATER_ON = _compiled(r"\b(?:saying|(?:that|which)\s+(?:says|reads)|with\s+the\s+(?:text|message|words|caption))\b")


def more_recipients(marked: Marked, begun: Opening) -> list[str]:
    """Numbers directly behind the one the request begins with, that one first; empty where there are none."""
    found, end = [begun.number.e164], begun.end
    while match := _MORE_RECIPIENTS.match(marked.shadow, end):
        found.append(marked.number_at(match.start("number")).e164)
        end = match.end()
    return list(dict.fromkeys(found)) if len(found) > 1 else []


def words(marked: Marked, begun: Opening, start: int) -> Words | Question | None:
    """What the request goes on with from `start`; None where it ends there. Words that are announced may be empty."""
    if begun.manner == "call" and _TEXT_TOO.match(marked.shadow, start):
        return questions.text_or_call(begun.number.e164)
    found = _words(marked, begun, start)
    if isinstance(found, Words) and not found.quoted and _ANOTHER_REQUEST.search(marked.shadow, start):
        return questions.what_words(begun.action, begun.number.e164, found.text)
    return found


def _words(marked: Marked, begun: Opening, start: int) -> Words | Question | None:
    for pattern, read in _announcements(begun):
        if match := pattern.match(marked.shadow, start):
            return read(marked.text[match.end() :], begun)
    if _NOTHING.match(marked.shadow, start):
        return None
    if match := _SEPARATOR.match(marked.shadow, start):
        return _direct(marked.text[match.end() :], begun)
    if match := _QUOTED.match(marked.shadow, start):
        inside = unquoted(marked.text[match.end() :], asked=begun.asked)
        if inside is not None:
            return Words(inside, quoted=True)
    return _loose(marked, begun, start)


def doubtful(text: str) -> bool:
    """Whether words that nothing announces may be something else."""
    return _DOUBTFUL.match(text) is not None


def _announcements(begun: Opening) -> Iterator[tuple[re.Pattern[str], Callable[[str, Opening], Words | Question]]]:
    yield _SAYING, _direct
    yield _TELLING, _told
    if begun.manner == "call":
        yield _SAY, _direct
        yield _TELL, _told
    if begun.manner in ("noun", "media"):  # of "text X that says it all" they would be the words
        yield _THAT_SAYS, _direct


def _direct(text: str, begun: Opening) -> Words:
    inside = unquoted(text, asked=begun.asked)
    return Words(text.strip()) if inside is None else Words(inside, quoted=True)


def _told(text: str, begun: Opening) -> Words | Question:
    text = text.strip()
    inside = unquoted(text, asked=begun.asked)
    if inside is not None:
        return Words(inside, quoted=True)
    that = _THAT.match(text)
    if that and not that["another"]:
        return Words(text[that.end() :], indirect=True)
    if that or _NOT_THE_WORDS.match(text) or begins_quoted(text):
        return questions.what_words(begun.action, begun.number.e164, text)
    return Words(text)


def _loose(marked: Marked, begun: Opening, start: int) -> Words | Question:
    """Words that nothing announces."""
    match = _LOOSELY.match(marked.shadow, start)
    text = marked.text[match.end() if match else start :].strip()
    unsure = questions.what_words(begun.action, begun.number.e164, text)
    if match is None or begun.manner in ("call", "bare"):
        return unsure
    if begun.number.runs_on and start == begun.number.end:
        return questions.where_does_the_number_end(begun.action, begun.number.written)
    if begun.manner == "told":
        return _told(text, begun)
    if _CALL_TOO.search(marked.shadow, start):
        return questions.text_or_call(begun.number.e164)
    unsure_of_it = doubtful(text) or begins_quoted(text) or _LATER_ON.search(marked.shadow, start)
    return unsure if unsure_of_it else Words(text)
