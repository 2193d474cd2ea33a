"""Text as the mobile network carries it: its encoding, its billed segments, and how to make it need fewer of them.

A text is GSM-7 when every character is in the GSM 7 bit default alphabet or its extension table (3GPP TS 23.038,
section 6.2.1; once GSM 03.38). One character outside turns the whole message into UCS-2, sized in UTF-16 code units. A
segment holds 140 octets; where a message needs several, 6 octets of each are the header that joins them again.
"""

import re
from itertools import accumulate, chain
from typing import Literal

import regex  # type: ignore[import-untyped]

Encoding = Literal["GSM-7", "UCS-2"]

MAX_BODY = 1600
"""What Twilio takes as one message, in UTF-16 code units (error 21617 above)."""
MIN_LIMIT = 70
"""The smallest part: one UCS-2 segment, so that any text fits."""

# In the order of the standard's table; escape (0x1B) is no character of its own.
_DEFAULT = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = frozenset("\f^{}\\[~]|€")  # escape and a second septet
_GSM_7 = _DEFAULT | _EXTENSION

_GSM_7_SINGLE, _GSM_7_JOINED = 160, 153
_UCS_2_SINGLE, _UCS_2_JOINED = 70, 67

# To end a flag, \X counts all flags before it: quadratic. Two halves with a third behind them end without counting.
_GRAPHEME = regex.compile(r"[\U0001F1E6-\U0001F1FF]{2}(?=[\U0001F1E6-\U0001F1FF])|\X")

_NO_BREAK_SPACES = "\u00a0\u2007\u202f"

_LOOK_ALIKES = {
    "'": "‘’‚‛′‵`´ʹʻʼʽˈˊˋ❛❜",
    '"': "“”„‟″‶«»ʺˮ❝❞〝〞",
    "<": "‹",
    ">": "›",
    "-": "‐‑‒–—―−⁃•‣◦∙",
    ".": "․",
    "..": "‥",
    "...": "…",
    "/": "⁄∕",
    "*": "∗⁎",
    "^": "ˆ",
    "~": "˜∼",
    " ": "\t\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f",
    "\n": "\x0b\x85\u2028\u2029",
}
_FOLDS = str.maketrans({character: plain for plain, characters in _LOOK_ALIKES.items() for character in characters})

# Soft hyphen, zero width space, the two joiners, the two direction marks, word joiner and byte order mark.
_INVISIBLE = "\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"
_BEYOND_GSM_7 = f"[^{re.escape(''.join(sorted(_GSM_7)))}]"
_IDLE_INVISIBLE = re.compile(f"(?<!{_BEYOND_GSM_7})[{_INVISIBLE}]+(?!{_BEYOND_GSM_7})")


def encoding_of(text: str) -> Encoding:
    """The encoding the network needs for this text as one message. The empty text is GSM-7."""
    return "GSM-7" if _GSM_7.issuperset(text) else "UCS-2"


def segment_count(text: str) -> int:
    """How many segments Twilio bills for this text as one message; 0 for the empty text.

    The sizes are Twilio's (docs/glossary/what-sms-character-limit): 160 septets alone and 153 a part, or 70 UTF-16 code
    units alone and 67 a part. An extension character's two septets stay in one part, and so does a grapheme, as in
    Twilio's sms-segments-calculator. Twilio reports 1 for a message of media alone; that is not a matter of its text.
    """
    if encoding_of(text) == "GSM-7":
        sizes = [2 if character in _EXTENSION else 1 for character in text]
        single, joined = _GSM_7_SINGLE, _GSM_7_JOINED
    else:
        # CR LF is one grapheme to Unicode but two to Twilio, so a part may end between them.
        sizes = [_utf16_units(grapheme) for grapheme in _graphemes(text.replace("\r\n", "\n\n"), _UCS_2_JOINED)]
        single, joined = _UCS_2_SINGLE, _UCS_2_JOINED
    if sum(sizes) <= single:
        return min(1, len(sizes))
    parts = room = 0
    for size in sizes:
        if size > room:
            parts, room = parts + 1, joined
        room -= size
    return parts


def split(text: str, limit: int = MAX_BODY) -> list[str]:
    """Messages that add up to the text, each of at most ``limit`` UTF-16 code units; none for the empty text.

    Up to a limit of 160 each message is also one single segment by itself: at most ``limit`` septets (an extension
    character counts two in either encoding), and at most 70 units if it is UCS-2. A message takes what it can and ends
    after white space; white space that does not fit opens the next one. A grapheme is cut only where it alone exceeds
    a message, a word where it does together with the white space before it. As Twilio refuses a blank body, a word is
    also cut to keep a message from being blank: one is blank only where white space exceeds the two messages around it.

    Raises ValueError for a limit outside 70 to 1600.
    """
    if not MIN_LIMIT <= limit <= MAX_BODY:
        raise ValueError(f"limit must be {MIN_LIMIT} to {MAX_BODY} UTF-16 code units, not {limit}")
    measured = _MeasuredText(text, limit)
    parts: list[str] = []
    start, length = 0, len(measured.graphemes)
    while start < length:
        end = start + 1
        while end < length and measured.fits(start, end + 1):
            end += 1
        if end < length:
            end = measured.cut(start, end)
        parts.append("".join(measured.graphemes[start:end]))
        start = end
    return parts


def fold_punctuation(text: str) -> str:
    """Typographic quotes, dashes, dots, bullets and spaces as GSM-7 look-alikes, and no idle invisible characters.

    After Twilio's Smart Encoding (docs/messaging/services/smart-encoding-char-list), which goes on to letters, digits
    and fractions: here only punctuation and spaces change. An invisible character is dropped where both its neighbours
    are GSM-7; beside anything else it may hold an emoji or the letters of a script together.
    """
    return _IDLE_INVISIBLE.sub("", text.translate(_FOLDS))


class _MeasuredText:
    """A text's graphemes with running totals, so that whether a stretch of them is one message is a subtraction."""

    def __init__(self, text: str, limit: int) -> None:
        self.limit = limit
        self.graphemes = graphemes = _graphemes(text, limit if limit > _GSM_7_SINGLE else _UCS_2_SINGLE)
        units = [_utf16_units(grapheme) for grapheme in graphemes]
        septets = [2 if grapheme in _EXTENSION else size for grapheme, size in zip(graphemes, units, strict=True)]
        self._units = [0, *accumulate(units)]
        self._septets = [0, *accumulate(septets)]
        self._beyond_gsm_7 = [0, *accumulate(not _GSM_7.issuperset(grapheme) for grapheme in graphemes)]
        self._breaks = [grapheme.isspace() and grapheme not in _NO_BREAK_SPACES for grapheme in graphemes]
        self._next_ink = [len(graphemes)] * (len(graphemes) + 1)
        for at in reversed(range(len(graphemes))):
            self._next_ink[at] = self._next_ink[at + 1] if graphemes[at].isspace() else at

    def fits(self, start: int, end: int) -> bool:
        """Whether these graphemes are within one message. What fits still fits when it is made shorter."""
        units = self._units[end] - self._units[start]
        if self.limit > _GSM_7_SINGLE:
            return units <= self.limit
        if self._septets[end] - self._septets[start] > self.limit:
            return False
        return units <= _UCS_2_SINGLE or self._beyond_gsm_7[end] == self._beyond_gsm_7[start]

    def cut(self, start: int, reach: int) -> int:
        """Where to end the message that starts here and could reach there."""
        ends = [end for end in range(reach, start, -1) if self._next_ink[start] < end and self._opens_with_ink(end)]
        between_words = (end for end in ends if self._breaks[end - 1] or self._breaks[end])
        return next(chain(between_words, ends), reach)

    def _opens_with_ink(self, start: int) -> bool:
        """Whether a message that starts here gets to the end of its leading white space."""
        ink = self._next_ink[start]
        return ink < len(self.graphemes) and self.fits(start, ink + 1)


def _graphemes(text: str, room: int) -> list[str]:
    """The grapheme clusters of a text; one of more than ``room`` UTF-16 code units as its code points."""
    clusters: list[str] = _GRAPHEME.findall(text)
    return list(chain.from_iterable([cluster] if _utf16_units(cluster) <= room else cluster for cluster in clusters))


def _utf16_units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
