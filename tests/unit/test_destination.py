from __future__ import annotations

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twilio_plugin.domain.destination import NO_COUNTRY, allowed_countries, country_of, is_premium
from twilio_plugin.domain.phone_number import e164
from twilio_plugin.errors import InvalidPhoneNumber, Misconfigured

COUNTRIES = {
    "+14155550100": "US",
    "+15555551234": "US",  # claimed by nobody: the calling code's first country
    "+14165551234": "CA",
    "+18765551234": "JM",
    "+16585551234": "JM",
    "+12425551234": "BS",
    "+18095551234": "DO",
    "+17875551234": "PR",
    "+18005551234": "US",
    "+447700900123": "GB",
    "+447911223456": "GB",
    "+447911123456": "GG",  # Guernsey's share of 07911
    "+447937123456": "JE",
    "+79161234567": "RU",
    "+77011234567": "KZ",
    "+390832123456": "IT",
    "+39066981234": "VA",  # what looks like Rome
    "+491701123456": "DE",
    "+881612345678": NO_COUNTRY,
    "+870773123456": NO_COUNTRY,
    "+8821234567": NO_COUNTRY,
    "+80012345678": NO_COUNTRY,
}
PREMIUM = [
    "+19005551234",
    "+19001234567",  # not assigned, and premium all the same
    "+12129761234",
    "+448712345678",
    "+449011234567",
    "+447012345678",
    "+33899123456",
    "+491801123456",
    "+97912345678",
    "+80812345678",
    "+881612345678",
    "+870773123456",
    "+8821234567",
    "+88312345678",
]
ORDINARY = [
    "+15005550006",
    "+14155550100",
    "+15555551234",
    "+18005551234",
    "+80012345678",
    "+447911223456",
    "+18765551234",
    "+19765551234",
]


@pytest.mark.parametrize(("number", "country"), COUNTRIES.items())
def test_a_number_is_in_the_country_that_claims_it(number: str, country: str) -> None:
    assert country_of(number) == country


@pytest.mark.parametrize("number", PREMIUM)
def test_what_costs_more_than_its_neighbours_is_premium(number: str) -> None:
    assert is_premium(number)


@pytest.mark.parametrize("number", ORDINARY)
def test_what_costs_what_its_neighbours_cost_is_not(number: str) -> None:
    assert not is_premium(number)


@given(st.from_regex(r"\+[1-9][0-9]{6,13}", fullmatch=True))
def test_every_number_that_may_be_texted_has_a_country_of_its_calling_code(number: str) -> None:
    try:
        written = e164(number, default_region="US")
    except InvalidPhoneNumber:
        return
    code = phonenumbers.parse(written).country_code

    assert code is not None
    assert country_of(written) in phonenumbers.region_codes_for_country_code(code)
    assert isinstance(is_premium(written), bool)


@given(st.from_regex(r"\+1(876|658)[2-9][0-9]{6}", fullmatch=True))
def test_no_jamaican_number_passes_for_an_american_one(number: str) -> None:
    assert country_of(number) == "JM"


@given(st.from_regex(r"\+1(900[0-9]{7}|[2-9][0-9]{2}976[0-9]{4})", fullmatch=True))
def test_every_900_and_976_number_is_premium(number: str) -> None:
    assert is_premium(number)


def test_without_a_list_the_country_of_our_number_is_allowed_and_no_other() -> None:
    assert allowed_countries("", "+14155550100") == frozenset({"US"})
    assert allowed_countries("", "+15555550100") == frozenset({"US"})
    assert allowed_countries("", "+4930901820") == frozenset({"DE"})


def test_a_list_is_taken_as_it_is_and_a_star_is_everywhere() -> None:
    assert allowed_countries("CA,GB", "+14155550100") == frozenset({"CA", "GB"})
    assert allowed_countries("*", "+14155550100") is None


@pytest.mark.parametrize("written", ["UK", "US,XX", "US,", "us", "US, CA", "001"])
def test_what_is_no_country_is_named(written: str) -> None:
    with pytest.raises(Misconfigured, match="AllowedCountries has"):
        allowed_countries(written, "+14155550100")
