"""Requests that name the words before the number: "Send 'See you at 5' to +15555551234"."""

from __future__ import annotations

import re

from twilio_plugin.domain.natural_text import questions
from twilio_plugin.domain.natural_text.marks import URL, Marked
from twilio_plugin.domain.natural_text.opening import LEAD, NOUN, RECIPIENT, A
from twilio_plugin.domain.natural_text.quotes import unquoted
from twilio_plugin.domain.natural_text.request import Question, Request
from twilio_plugin.domain.natural_text.words import NOTHING, doubtful

_FORM = re.compile(
    rf"{LEAD}(?P<verb>text|sms|message|send|shoot|write|drop)\s+"
    rf"(?:{A}{NOUN}(?:\s+(?P<says>saying|(?:that|which)\s+(?:says|reads)|reading)(?:[:,]|(?=\s))|(?P<with>\s*:|\s+with\b)|(?=\s))\s*)?"
    rf"(?P<words>\S.*?)\s+to\s+{RECIPIENT}{NOTHING}",
    re.IGNORECASE | re.DOTALL,
)


def message_first(marked: Marked) -> Request | Question | None:
    """None where the text is not of this form."""
    match = _FORM.match(marked.shadow)
    if match is None:
        return None
    number = marked.number_at(match.start("number"))
    inside = unquoted(marked.text[match.start("words") : match.end("words")])
    if inside:
        return Request("SEND_SMS", number.e164, inside)
    if len(marked.numbers) > 1:
        return questions.which_number("SEND_SMS", list(dict.fromkeys(one.e164 for one in marked.numbers)))
    words = marked.text[match.start("words") : match.end("words")]
    only_url = re.fullmatch(URL, match["words"])
    if only_url and match["verb"].lower() in ("send", "shoot", "drop"):
        return questions.picture_or_link(number.e164)
    texting = match["verb"].lower() in ("text", "sms", "message")
    if match["says"] or (texting and not match["with"] and not doubtful(words)):
        return Request("SEND_SMS", number.e164, words)
    return questions.what_words("SEND_SMS", number.e164, words)
