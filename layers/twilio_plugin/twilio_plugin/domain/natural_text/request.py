"""What comes of reading a text: a request, or a question."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

ActionName = Literal["SEND_SMS", "SEND_MMS", "MAKE_CALL"]


@dataclass(frozen=True, slots=True)
class Request:
    """What the text surely asks for. ``text`` is what to write or to say, a part of what was read, unchanged."""

    action: ActionName
    to: str
    """E.164."""
    text: str = ""
    media_url: tuple[str, ...] = ()

    @property
    def fields(self) -> dict[str, Any]:
        """The fields of the action's input in `domain.actions`; what is empty is left out."""
        words = "say" if self.action == "MAKE_CALL" else "body"
        named = {"to": self.to, words: self.text, "media_url": list(self.media_url)}
        return {name: value for name, value in named.items() if value}


@dataclass(frozen=True, slots=True)
class Question:
    """What to ask before anything is done."""

    sentence: str
