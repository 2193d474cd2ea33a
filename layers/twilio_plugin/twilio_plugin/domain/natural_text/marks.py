"""Phone numbers and URLs in a text, found before anything else is read."""

from __future__ import annotations

import re
from dataclasses import dataclass

import phonenumbers
from phonenumbers import Leniency, PhoneNumberFormat, PhoneNumberMatcher, ValidationResult

# What stands for them in the shadow: one character to begin with, one for all that follow.
NUMBER = "\ue000\ue001*"
URL = "\ue002\ue003*"

_URL = re.compile(r"https?://[^\s<>\"“”]+", re.IGNORECASE)
_RESERVED = re.compile("[\ue000-\ue003]")
_LAST_GROUP = re.compile(r"\s\d{1,4}$")


@dataclass(frozen=True, slots=True)
class Number:
    """A phone number in its place, as it was written."""

    start: int
    end: int
    written: str
    e164: str
    runs_on: bool
    """Without its last group of digits it would be a number too: "+49 30 123456 20 people"."""
    extension: bool


@dataclass(frozen=True, slots=True)
class Url:
    """A URL in its place."""

    start: int
    end: int
    value: str


@dataclass(frozen=True, slots=True)
class Marked:
    """A text, and its shadow of the same length, in which numbers and URLs are `NUMBER` and `URL`.

    The grammar is matched on the shadow; what is kept of the text is cut out of the text itself.
    """

    text: str
    shadow: str
    numbers: tuple[Number, ...]
    urls: tuple[Url, ...]

    def number_at(self, start: int) -> Number:
        return next(one for one in self.numbers if one.start == start)

    def url_at(self, start: int) -> Url:
        return next(one for one in self.urls if one.start == start)

    def urls_within(self, start: int, end: int) -> tuple[Url, ...]:
        return tuple(one for one in self.urls if start <= one.start and one.end <= end)


def mark(text: str, default_region: str) -> Marked:
    """Find them. A number must be one that can be dialled from anywhere, as for `domain.phone_number`."""
    shadow = _RESERVED.sub(" ", text)
    urls = tuple(_urls(text))
    for url in urls:
        shadow = _covered(shadow, url.start, url.end, URL)
    numbers = tuple(_numbers(shadow, default_region))
    for number in numbers:
        shadow = _covered(shadow, number.start, number.end, NUMBER)
    return Marked(text, shadow, numbers, urls)


def _urls(text: str) -> list[Url]:
    found = []
    for match in _URL.finditer(text):
        value = match[0]
        while value and (value[-1] in ".,;:!?'’" or (value[-1] == ")" and value.count(")") > value.count("("))):
            value = value[:-1]
        found.append(Url(match.start(), match.start() + len(value), value))
    return found


def _numbers(shadow: str, default_region: str) -> list[Number]:
    found = []
    for match in PhoneNumberMatcher(shadow, default_region, leniency=Leniency.POSSIBLE):
        if phonenumbers.is_possible_number_with_reason(match.number) != ValidationResult.IS_POSSIBLE:
            continue
        # The matcher takes an opening bracket along that closes only behind the number.
        outside = match.raw_string[0] in "([" and match.raw_string.count("(") > match.raw_string.count(")")
        found.append(
            Number(
                start=match.start + outside,
                end=match.end,
                written=match.raw_string[outside:],
                e164=phonenumbers.format_number(match.number, PhoneNumberFormat.E164),
                runs_on=_is_number(_LAST_GROUP.sub("", match.raw_string), match.raw_string, default_region),
                extension=bool(match.number.extension),
            )
        )
    return found


def _is_number(shorter: str, whole: str, default_region: str) -> bool:
    if shorter == whole:
        return False
    try:
        number = phonenumbers.parse(shorter, default_region)
    except phonenumbers.NumberParseException:
        return False
    return phonenumbers.is_possible_number_with_reason(number) == ValidationResult.IS_POSSIBLE


def _covered(shadow: str, start: int, end: int, by: str) -> str:
    return shadow[:start] + by[0] + by[1] * (end - start - 1) + shadow[end:]
