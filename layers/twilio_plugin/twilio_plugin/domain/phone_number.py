"""Phone numbers we send to: any usual way of writing one in, E.164 out."""

from __future__ import annotations

import re

import phonenumbers

from twilio_plugin.domain.address import Address, masked
from twilio_plugin.errors import InvalidPhoneNumber

# Begins like a number and is longer than a short code.
_NUMBER_LIKE = re.compile(r"(tel:|[+＋(])|\d(?:.*\d){6}", re.IGNORECASE)


def e164(written: str, *, default_region: str) -> str:
    """``(415) 555-0100`` with region ``US`` → ``+14155550100``.

    A number must be possible, not valid: number plans change faster than their tables, and +1 555 numbers must pass.

    Raises:
        InvalidPhoneNumber: not a number, too short or long, or one with an extension, which no text can reach.
    """
    try:
        number = phonenumbers.parse(written, default_region)
    except phonenumbers.NumberParseException as error:
        raise _invalid(written, default_region) from error
    if number.extension:
        raise InvalidPhoneNumber(f"{masked(written)} has an extension; a text reaches the main number only. Leave it out.")
    # The parser reads letters as the keys of a phone, or drops them: a slip of the finger would be somebody else's number.
    if any(letter.isalpha() for letter in re.sub("^tel:", "", written, flags=re.IGNORECASE)):
        raise _invalid(written, default_region)
    if phonenumbers.is_possible_number_with_reason(number) != phonenumbers.ValidationResult.IS_POSSIBLE:
        raise _invalid(written, default_region)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def recipient(written: str, *, default_region: str) -> Address:
    """An address we can send to: a phone number, or ``whatsapp:`` before one.

    Raises:
        InvalidPhoneNumber: as `e164`, and for channels that cannot be written to first.
    """
    address = Address.parse(written.strip())
    if address.channel not in ("phone", "whatsapp"):
        raise InvalidPhoneNumber(f"A text cannot be sent to {masked(written)}: use a phone number or whatsapp:<number>.")
    return Address(address.channel, e164(address.value, default_region=default_region))


def any_address(written: str, *, default_region: str) -> Address:
    """Either end of a conversation: a number in E.164; short codes, sender names and channel ids as they are.

    Raises:
        InvalidPhoneNumber: it is empty, or looks like a phone number and is none.
    """
    address = Address.parse(written.strip())
    if not address.value.strip():
        raise _invalid(written, default_region)
    if address.channel == "whatsapp" or (address.channel == "phone" and _NUMBER_LIKE.match(address.value)):
        return Address(address.channel, e164(address.value, default_region=default_region))
    return address


def _invalid(written: str, default_region: str) -> InvalidPhoneNumber:
    return InvalidPhoneNumber(
        f"{masked(written)!r} is not a phone number. Write it in E.164 (+14155550100), or as it is dialled in {default_region}."
    )
