"""From a text to a request, or to a question."""

from __future__ import annotations

import re

from twilio_plugin.domain.natural_text import questions
from twilio_plugin.domain.natural_text.marks import URL, Marked, mark
from twilio_plugin.domain.natural_text.message_first import message_first
from twilio_plugin.domain.natural_text.opening import BOTH, Opening, hinted, opening
from twilio_plugin.domain.natural_text.request import ActionName, Question, Request
from twilio_plugin.domain.natural_text.words import Words, more_recipients, words

_NEXT_URL = re.compile(
    rf"[\s,;:–—-]*+(?:(?:and|at|from|with|here|url|link|address)\b[\s:]*+)*+[(<]?(?P<url>{URL})[)>]?", re.IGNORECASE
)
_LAST_URL = re.compile(rf"(?:\A|\s)[(<]?(?P<url>{URL})[)>]?[.\s]*\Z")
_BEGINS_A_QUESTION = re.compile(
    r"(?:am|are|can|could|did|do|does|has|have|how|is|may|shall|should|was|were|what|when|where|which|who|whose|why|will|would)"
    r"(?:n['’]t|['’]s)?\b",
    re.IGNORECASE,
)


def understand(text: str, default_region: str, action: ActionName | None = None) -> Request | Question:
    """What the text asks for, in English. With `action` it need not say what to do: "+15555551234: Hello!" is enough.

    `default_region` is where numbers without a country code are dialled (ISO 3166).
    """
    marked = mark(text, default_region)
    if BOTH.match(marked.shadow):
        return questions.text_or_call(marked.numbers[0].e164 if len(marked.numbers) == 1 else None)
    begun = opening(marked, action)
    understood = _carried_on(marked, begun) if begun else message_first(marked) or _what_is_missing(marked, action)
    if action and isinstance(understood, Request) and understood.action != action:
        return questions.which_of_two(action, understood.action)
    return understood


def _carried_on(marked: Marked, begun: Opening) -> Request | Question:
    if begun.number.extension:
        return questions.no_extension(begun.number.written)
    if several := more_recipients(marked, begun):
        return questions.which_number(begun.action, several)
    if begun.manner == "media":
        return _picture(marked, begun)
    if begun.manner == "bare" and _NEXT_URL.match(marked.shadow, begun.end):
        return questions.picture_or_link(begun.number.e164)
    found = words(marked, begun, begun.end)
    if found is None and begun.action == "SEND_SMS":
        return questions.what_words(begun.action, begun.number.e164)
    return found if isinstance(found, Question) else _settled(found, begun)


def _picture(marked: Marked, begun: Opening) -> Request | Question:
    media, end = list(begun.media_url), begun.end
    while match := _NEXT_URL.match(marked.shadow, end):
        media.append(marked.url_at(match.start("url")).value)
        end = match.end()
    found = words(marked, begun, end)
    if isinstance(found, Question):
        return found
    if found and not found.quoted and not media:
        text, media = _without_last_urls(marked, found.text)
        found = Words(text) if text else None
    return _settled(found, begun, tuple(media)) if media else questions.which_picture(begun.number.e164)


def _without_last_urls(marked: Marked, text: str) -> tuple[str, list[str]]:
    """Words and the URLs behind them: "saying look! https://…/cat.png". The words reach to the end of the marked text."""
    begin, end, media = len(marked.text.rstrip()) - len(text), len(marked.text.rstrip()), list[str]()
    while match := _LAST_URL.search(marked.shadow[begin:end]):
        media.insert(0, marked.url_at(begin + match.start("url")).value)
        end = begin + match.start()
    return marked.text[begin:end].rstrip(), media


def _settled(found: Words | None, begun: Opening, media: tuple[str, ...] = ()) -> Request | Question:
    number = begun.number.e164
    if found is None:
        return Request(begun.action, number, "", media)
    text = found.text
    if begun.asked and not found.quoted and text.endswith("?"):
        if found.indirect:
            text = text[:-1].rstrip()
        elif not _BEGINS_A_QUESTION.match(text):
            return questions.whose_question_mark(number, text)
    return Request(begun.action, number, text, media) if text else questions.what_words(begun.action, number)


def _what_is_missing(marked: Marked, action: ActionName | None) -> Question:
    numbers = list(dict.fromkeys(one.e164 for one in marked.numbers))
    likely = action or hinted(marked)
    if likely is None:
        return questions.which_action(numbers[0] if len(numbers) == 1 else None)
    return questions.which_number(likely, numbers)
