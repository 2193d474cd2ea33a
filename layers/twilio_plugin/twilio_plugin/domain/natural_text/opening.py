"""How a request begins, up to the number: what to do, and to whom. Matched on the shadow of `marks`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from twilio_plugin.domain.natural_text.marks import NUMBER, URL, Marked, Number
from twilio_plugin.domain.natural_text.request import ActionName

Manner = Literal["verb", "noun", "told", "bare", "media", "call"]
"""How words can go on: "text X …", "send a text to X …", "tell X …", "send X …", "send X a picture …", "call X …"."""

# Possessive, so that no text of many such words is tried in all its divisions.
_CIVIL = r"(?:(?:hey|hi|hello|ok|okay|alright|please|pls|kindly|so|then|just|also|quickly)\b[\s,.!:]*+)*+"
LEAD = (
    rf"\s*+{_CIVIL}(?P<asked>(?:can|could|would|will)\s+you\s+)?{_CIVIL}"
    rf"(?:(?:i|we)(?:\s+(?:want|need)|(?:['’]d|\s+would)\s+like)\s+(?:you\s+)?to\s+|go\s+ahead\s+and\s+|help\s+me\s+(?:to\s+)?)?"
    rf"{_CIVIL}"
)
# Whom a number belongs to: "my wife", "Ada Lovelace", "mom". Anything else before a number may be words of a message.
_NAME = (
    r"(?:(?:my|our|the)\s+[^\W\d_][\w'’-]*(?:\s+[^\W\d_][\w'’-]*)?"
    r"|(?-i:[A-ZÀ-Þ])[\w'’-]*(?:\s+(?-i:[A-ZÀ-Þ])[\w'’-]*){0,2}"
    r"|mom|mum|dad|grandma|grandpa|me|us|him|her|them)"
)
_WHOSE = rf"(?:{_NAME}(?:\s*,?\s*(?:at|on|under)\s+|\s*,?\s*(?=[(\[<])))?"
_THE_NUMBER = r"(?:(?:the\s+)?(?:(?:phone|mobile|cell)\s+)?number\s*:?\s+)?"
RECIPIENT = rf"{_WHOSE}{_THE_NUMBER}(?P<open>[(\[<])?(?:tel:)?(?P<number>{NUMBER})(?(open)[)\]>])"
A = r"(?:(?:an?|the|this|another|one)\s+)?(?:(?:quick|short|brief|new|little|nice|friendly)\s+)*"
NOUN = r"(?:(?:text|sms|short)(?:\s+message)?|message|line|note|reply)\b"
_PICTURE = (
    r"(?:(?:an?|the|this|these|that|those|my|our|his|her|their|some|two|three)\s+)?(?:(?:nice|new|quick|funny|cute)\s+)*"
    r"(?:mms|pictures?|photos?|photographs?|images?|pics?|videos?|clips?|gifs?|screenshots?|selfies?|attachments?|files?|pdf|media)"
    r"\b(?:\s+message)?(?:\s+of\s+[^:,\"“”\ue000-\ue003]{1,60}?)?"
)
URLS = rf"(?:[(<]?{URL}[)>]?(?:\s*(?:,|;|and|&)?\s*[(<]?{URL}[)>]?)*)"
_TEXT, _CALL = r"(?:text|sms|message|msg)", r"(?:call|phone|ring|dial|telephone)"
_GIVE = r"(?:send|shoot|drop|give|write)"
_SHARE = r"(?:send|text|mms|share|forward|message|show)"
_OVER = r"(?:(?:over|out|off)\s+)?"


def _form(pattern: str) -> re.Pattern[str]:
    return re.compile(LEAD + pattern, re.IGNORECASE | re.DOTALL)


_PATTERNS: tuple[tuple[ActionName, Manner, str], ...] = (
    ("SEND_MMS", "media", rf"{_SHARE}\s+{_PICTURE}(?:\s*:?\s*{URLS})?\s+{_OVER}to\s+{RECIPIENT}"),
    ("SEND_MMS", "media", rf"{_SHARE}\s+{RECIPIENT}\s*+,?\s*+{_PICTURE}"),
    ("SEND_MMS", "media", rf"mms\s+(?:{URLS}\s+)?(?:to\s+)?{RECIPIENT}"),
    ("SEND_SMS", "noun", rf"(?:{_GIVE}|compose|deliver)\s+{_OVER}{A}{NOUN}\s+{_OVER}to\s+{RECIPIENT}"),
    ("SEND_SMS", "noun", rf"{_GIVE}\s+{RECIPIENT}\s+(?:an?|the|this|another|one)\s+{A}{NOUN}"),
    ("SEND_SMS", "noun", rf"{A}(?:text|sms)(?:\s+message)?\s+to\s+{RECIPIENT}"),
    ("SEND_SMS", "verb", rf"{_TEXT}\s+{RECIPIENT}"),
    ("SEND_SMS", "verb", rf"(?:write|reply|respond|answer)\s+(?:back\s+)?(?:to\s+)?{RECIPIENT}"),
    ("SEND_SMS", "told", rf"(?:tell|inform|notify|warn|remind)\s+{RECIPIENT}"),
    ("SEND_SMS", "told", rf"let\s+{RECIPIENT}\s+know\b"),
    ("SEND_SMS", "bare", rf"send\s+(?:to\s+)?{RECIPIENT}"),
    ("MAKE_CALL", "call", rf"{_CALL}\s+(?:up\s+)?(?:to\s+)?{RECIPIENT}"),
    ("MAKE_CALL", "call", rf"(?:make|place|start|do)\s+{A}(?:(?:phone|voice|telephone)\s+)?call\s+to\s+{RECIPIENT}"),
    ("MAKE_CALL", "call", rf"give\s+{RECIPIENT}\s+(?:an?\s+){A}(?:(?:phone|voice)\s+)?(?:call|ring|buzz)\b"),
)
_FORMS = tuple((action, manner, _form(pattern)) for action, manner, pattern in _PATTERNS)
_NAMED: dict[ActionName, Manner] = {"SEND_SMS": "verb", "SEND_MMS": "media", "MAKE_CALL": "call"}
_NUMBER_ONLY = re.compile(rf"\s*(?:to\s+)?{RECIPIENT}", re.IGNORECASE)

_EITHER = r"(?:\s*(?:,|/|&)\s*|\s+)(?:(?:and|or|then)\s+)*"
BOTH = _form(rf"(?:{_CALL}{_EITHER}{_TEXT}|{_TEXT}{_EITHER}{_CALL})\b")
_HINTS: tuple[tuple[ActionName, re.Pattern[str]], ...] = (
    ("SEND_MMS", re.compile(r"\b(?:mms|pictures?|photos?|images?|pics?|videos?|gifs?)\b", re.IGNORECASE)),
    ("SEND_SMS", re.compile(rf"\b(?:{_TEXT}|send|tell|let)\b", re.IGNORECASE)),
    ("MAKE_CALL", re.compile(rf"\b{_CALL}\b", re.IGNORECASE)),
)


@dataclass(frozen=True, slots=True)
class Opening:
    """Where a request begins. What follows `end` is left to read."""

    action: ActionName
    manner: Manner
    number: Number
    end: int
    asked: bool
    """It begins as a question: "Could you …". A question mark at the end may belong to that."""
    media_url: tuple[str, ...] = ()


def opening(marked: Marked, named: ActionName | None) -> Opening | None:
    """None where the text begins in no way that is known. With the action named, the number is beginning enough."""
    for action, manner, form in _FORMS:
        if match := form.match(marked.shadow):
            return _opening(action, manner, match, marked, asked=match["asked"] is not None)
    if named and (match := _NUMBER_ONLY.match(marked.shadow)):
        return _opening(named, _NAMED[named], match, marked, asked=False)
    return None


def hinted(marked: Marked) -> ActionName | None:
    """The action that a word of the text hints at, not enough to do it but to ask about it."""
    return next((action for action, hint in _HINTS if hint.search(marked.shadow)), None)


def _opening(action: ActionName, manner: Manner, match: re.Match[str], marked: Marked, *, asked: bool) -> Opening:
    urls = tuple(one.value for one in marked.urls_within(match.start(), match.end()))
    return Opening(action, manner, marked.number_at(match.start("number")), match.end(), asked, urls)
