"""Where a number is, and whether it costs more than others there. Numbers are E.164, as `domain.phone_number` makes them.

Source: phonenumbers, Google's metadata of number plans.
"""

from __future__ import annotations

import re

import phonenumbers
from phonenumbers import PhoneNumberType

from twilio_plugin.errors import Misconfigured

EVERYWHERE = "*"
NO_COUNTRY = "001"  # phonenumbers' region of satellite phones and international services

# Whoever answers is paid for it, or shares the cost.
_DEAR = {PhoneNumberType.PREMIUM_RATE, PhoneNumberType.SHARED_COST}
# Numbers that follow a person, like +44 70, are billed like that. North America's are left alone: Twilio's own test numbers,
# +1 500 555 0006 and its kin, are among them.
_NORTH_AMERICA = 1
# Premium in North America whether or not the number behind it is assigned: area code 900, exchange 976.
_DEAR_IN_NORTH_AMERICA = re.compile(r"\+1(900|\d{3}976)")
# Of no country: +800, freephone everywhere, is the only one that costs what a call costs.
_FREEPHONE = 800


def country_of(number: str) -> str:
    """``US`` for +14155550100, ``JM`` for +18765550100; `NO_COUNTRY` for satellite phones and international services.

    A number that no country claims is of the first one of its calling code: +1 555 numbers are in the US.
    """
    parsed = phonenumbers.parse(number)
    region = phonenumbers.region_code_for_number(parsed) or phonenumbers.region_code_for_country_code(parsed.country_code or 0)
    return str(region)


def is_premium(number: str) -> bool:
    """Whether a call or a text there costs more than to its neighbours: premium rate, shared cost, personal, satellite."""
    parsed = phonenumbers.parse(number)
    if country_of(number) == NO_COUNTRY:
        return parsed.country_code != _FREEPHONE
    kind = phonenumbers.number_type(parsed)
    if parsed.country_code == _NORTH_AMERICA:
        return kind in _DEAR or _DEAR_IN_NORTH_AMERICA.match(number) is not None
    return kind in _DEAR or kind == PhoneNumberType.PERSONAL_NUMBER


def allowed_countries(written: str, our_number: str) -> frozenset[str] | None:
    """The parameter AllowedCountries; None for all of them. Empty: the country of our number.

    Raises:
        Misconfigured: there is no such country.
    """
    if written == EVERYWHERE:
        return None
    if not written:
        return frozenset({country_of(our_number)})
    countries = frozenset(written.split(","))
    if unknown := countries - phonenumbers.SUPPORTED_REGIONS:
        raise Misconfigured(
            f"AllowedCountries has {', '.join(sorted(unknown))}, which is no country (ISO 3166; Britain is GB)."
        )
    return countries
