"""Whom to forget, and where a number stands in what is kept."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

import phonenumbers

MASK = "[forgotten]"
_BETWEEN = r"[\s().\-/]{0,3}"


@dataclass(frozen=True, slots=True)
class Person:
    """A person by their number in E.164."""

    number: str

    def is_in(self, conversation_id: str) -> bool:
        """Whether ``<channel>|<ours>|<theirs>`` is a conversation with them."""
        return conversation_id.count("|") == 2 and conversation_id.rpartition("|")[2] == self.number

    def is_ours_in(self, conversation_id: str) -> bool:
        """Whether their number is our side of it."""
        return conversation_id.count("|") == 2 and conversation_id.split("|")[1] == self.number

    def is_held_by(self, value: Any) -> bool:
        """Whether their number stands anywhere in a value, in any usual way of writing it."""
        return bool(self.masked(value) != value)

    def masked(self, value: Any) -> Any:
        """The same value without their number."""
        if isinstance(value, str):
            return _pattern(self.number).sub(MASK, value) if any(one.isdigit() for one in value) else value
        if isinstance(value, dict):
            return {name: self.masked(one) for name, one in value.items()}
        return [self.masked(one) for one in value] if isinstance(value, list) else value


@cache
def _pattern(number: str) -> re.Pattern[str]:
    parsed = phonenumbers.parse(number)
    country = rf"(?:(?:\+|%2[Bb]|00)?{parsed.country_code}{_BETWEEN})?"
    national = _BETWEEN.join(phonenumbers.national_significant_number(parsed))
    return re.compile(rf"(?<![0-9A-Za-z]){country}\(?{national}(?![0-9A-Za-z])|%2[Bb]{number[1:]}(?![0-9A-Za-z])")
