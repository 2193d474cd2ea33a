"""How many SMS segments a text needs, as Twilio bills them.

Source: GSM 03.38 and https://www.twilio.com/docs/glossary/what-sms-character-limit. A GSM-7 text holds 160 septets, or 153
in each of several parts; any character outside the alphabet turns the whole text into UCS-2: 70 or 67 UTF-16 code units.
"""

BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENSION = frozenset("\f^{}\\[~]|€")  # each costs an escape septet more


def count_segments(body: str) -> int:
    """At least 1: Twilio bills an empty text, or one with media only, as one."""
    if all(character in BASIC or character in EXTENSION for character in body):
        return _parts([2 if character in EXTENSION else 1 for character in body], single=160, part=153)
    return _parts([utf16_length(character) for character in body], single=70, part=67)


def utf16_length(text: str) -> int:
    """UTF-16 code units: an emoji counts 2."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _parts(costs: list[int], *, single: int, part: int) -> int:
    if sum(costs) <= single:
        return 1
    parts, used = 1, 0
    for cost in costs:
        if used + cost > part:  # an escape pair or a surrogate pair is never split over two parts
            parts, used = parts + 1, 0
        used += cost
    return parts
