"""Quotation marks around words."""

from __future__ import annotations

import re

_PAIRS = {'"': '"', "'": "'", "`": "`", "“": "”", "‘": "’", "„": "“”", "«": "»", "»": "«", "‹": "›", "「": "」"}
# What may stand behind the closing mark and belongs to the request.
_BEHIND = re.compile(r"(?:\s*,?\s*(?:please|pls|thanks|thank\s+you|for\s+me))?\s*(?P<end>[.?]?)\s*$", re.IGNORECASE)


def unquoted(words: str, *, asked: bool = False) -> str | None:
    """What is between the marks, if they enclose it all; None otherwise. Of a request that is a question, the "?" may follow.

    ``'She's late'`` is enclosed, ``"a" or "b"`` is not: a mark that closes before the end encloses only a part.
    """
    words = words.strip()
    if not words or words[0] not in _PAIRS:
        return None
    closing = _closing(words)
    if closing is None:
        return None
    behind = _BEHIND.fullmatch(words, closing + 1)
    if behind is None or (behind["end"] == "?" and not asked):
        return None
    return words[1:closing].strip()


def begins_quoted(words: str) -> bool:
    """Whether a quotation mark comes first, whatever it encloses."""
    return words[:1] in _PAIRS


def _closing(words: str) -> int | None:
    """Where what the first character opens is closed again."""
    opens, closes, depth = words[0], _PAIRS[words[0]], 1
    for place in range(1, len(words)):
        if _apostrophe(words, place):
            continue
        if words[place] in closes:
            depth -= 1
            if depth == 0:
                return place
        elif words[place] == opens:
            depth += 1
    return None


def _apostrophe(words: str, place: int) -> bool:
    return words[place] in "'’" and words[place - 1].isalnum() and words[place + 1 : place + 2].isalnum()
