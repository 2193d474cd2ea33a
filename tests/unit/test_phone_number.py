from __future__ import annotations

import pytest

from twilio_plugin.domain.address import Address
from twilio_plugin.domain.phone_number import any_address, e164, recipient
from twilio_plugin.errors import InvalidPhoneNumber

WAYS_TO_WRITE_ONE = [
    "+14155550100",
    "  +14155550100\n",
    "+1 415 555 0100",
    "+1 (415) 555-0100",
    "+1-415-555-0100",
    "+1.415.555.0100",
    "+1 (415) 555\u20110100",
    "(415) 555-0100",
    "415-555-0100",
    "415.555.0100",
    "4155550100",
    "1 415 555 0100",
    "14155550100",
    "011 1 415 555 0100",
    "＋１４１５５５５０１００",
]


@pytest.mark.parametrize("written", WAYS_TO_WRITE_ONE)
def test_every_usual_way_of_writing_a_number_is_the_same_number(written: str) -> None:
    assert recipient(written, default_region="US") == Address("phone", "+14155550100")
    assert any_address(written, default_region="US") == Address("phone", "+14155550100")


@pytest.mark.parametrize("written", [*WAYS_TO_WRITE_ONE, "tel:+14155550100"])
def test_what_was_texted_can_be_read_back_under_the_same_writing(written: str) -> None:
    assert any_address(written, default_region="US") == recipient(written, default_region="US")


@pytest.mark.parametrize(
    ("written", "region", "number"),
    [
        ("020 7946 0958", "GB", "+442079460958"),
        ("030 901820", "DE", "+4930901820"),
        ("06 12 34 56 78", "FR", "+33612345678"),
        ("+44 20 7946 0958", "US", "+442079460958"),
        ("00 1 415 555 0100", "DE", "+14155550100"),
        ("06 698 12345", "IT", "+390669812345"),
    ],
)
def test_a_number_without_a_country_is_dialled_in_the_default_region(written: str, region: str, number: str) -> None:
    assert e164(written, default_region=region) == number


@pytest.mark.parametrize("number", ["+15555551234", "+15005550006", "+15550100999"])
def test_numbers_that_no_plan_has_given_out_pass(number: str) -> None:
    assert e164(number, default_region="US") == number


@pytest.mark.parametrize(
    "written",
    ["", " ", "+", "hello", "911", "12345", "+1415555", "+1415555010012345", "+0", "+999123456789", "sip:bob@example.com"],
)
def test_what_is_no_phone_number_is_refused(written: str) -> None:
    with pytest.raises(InvalidPhoneNumber):
        recipient(written, default_region="US")


def test_a_local_number_without_its_area_code_is_refused() -> None:
    with pytest.raises(InvalidPhoneNumber):
        recipient("555-0100", default_region="US")


def test_a_letter_slipped_into_a_number_is_refused_and_not_dropped_to_make_another_number() -> None:
    with pytest.raises(InvalidPhoneNumber):
        recipient("+49301234O567", default_region="US")


@pytest.mark.parametrize("written", ["+1 415 555 0100 ext. 5", "415 555 0100 x5", "+14155550100;ext=5", "+14155550100,,5#"])
def test_a_number_with_an_extension_is_refused_in_words(written: str) -> None:
    with pytest.raises(InvalidPhoneNumber, match="extension"):
        recipient(written, default_region="US")


@pytest.mark.parametrize("written", ["+141555501001234", "+1 415 555 0100 ext. 5555", "415555010"])
def test_a_refusal_says_how_to_write_a_number_and_does_not_show_this_one(written: str) -> None:
    with pytest.raises(InvalidPhoneNumber) as refused:
        recipient(written, default_region="US")
    assert "4155550" not in str(refused.value).replace("+14155550100", "")
    assert "415 555" not in str(refused.value)


def test_a_refusal_names_the_default_region() -> None:
    with pytest.raises(InvalidPhoneNumber, match="dialled in GB"):
        recipient("123", default_region="GB")


@pytest.mark.parametrize("written", ["whatsapp:+14155550100", "whatsapp:(415) 555-0100", "WhatsApp: +1 415 555 0100"])
def test_whatsapp_recipients_are_phone_numbers_with_the_channel_in_front(written: str) -> None:
    assert recipient(written, default_region="US") == Address("whatsapp", "+14155550100")


@pytest.mark.parametrize("written", ["rcs:acme_agent", "messenger:1234567890", "rcs:+14155550100"])
def test_channels_that_cannot_be_written_to_first_are_no_recipients(written: str) -> None:
    with pytest.raises(InvalidPhoneNumber, match="whatsapp:<number>"):
        recipient(written, default_region="US")


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("74454", Address("phone", "74454")),
        ("ACME", Address("phone", "ACME")),
        ("ACME 24 7", Address("phone", "ACME 24 7")),
        ("rcs:acme_support_agent", Address("rcs", "acme_support_agent")),
        ("messenger:abc12345678", Address("messenger", "abc12345678")),
        ("whatsapp:(415) 555-0100", Address("whatsapp", "+14155550100")),
    ],
)
def test_the_other_end_may_also_be_a_short_code_a_name_or_a_channel_id(written: str, address: Address) -> None:
    assert any_address(written, default_region="US") == address


@pytest.mark.parametrize(
    "written", ["", "  ", "+", "whatsapp:", "+1415555010012345", "+1415555O100", "(415) 555-0100 x5", "+14155550100;ext=5"]
)
def test_what_looks_like_a_phone_number_and_is_none_is_no_address(written: str) -> None:
    with pytest.raises(InvalidPhoneNumber):
        any_address(written, default_region="US")
