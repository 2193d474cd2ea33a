from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twilio_plugin.domain.address import Address, conversation_id, mask_numbers, masked


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("+14155550100", Address("phone", "+14155550100")),
        ("whatsapp:+14155550100", Address("whatsapp", "+14155550100")),
        ("WhatsApp:+14155550100", Address("whatsapp", "+14155550100")),
        ("rcs:acme_support_agent", Address("rcs", "acme_support_agent")),
        ("messenger:1234567890", Address("messenger", "1234567890")),
        ("74454", Address("phone", "74454")),
        ("ACME", Address("phone", "ACME")),
        ("phone:+14155550100", Address("phone", "phone:+14155550100")),
        ("sip:bob@example.com", Address("phone", "sip:bob@example.com")),
        ("whatsapp", Address("phone", "whatsapp")),
        ("", Address("phone", "")),
    ],
)
def test_an_inbound_address_is_whatever_twilio_says_it_is(written: str, address: Address) -> None:
    assert Address.parse(written) == address


@given(st.text())
def test_an_address_reads_back_as_it_was_written(written: str) -> None:
    prefix, colon, rest = written.partition(":")
    known = colon and prefix.lower() in ("whatsapp", "rcs", "messenger")
    assert str(Address.parse(written)) == (f"{prefix.lower()}:{rest}" if known else written)


def test_texts_and_speech_are_one_conversation_and_each_channel_another() -> None:
    ours, theirs = Address("phone", "+14155550100"), Address("phone", "+14155550123")
    assert conversation_id(ours, theirs) == "phone|+14155550100|+14155550123"
    theirs = Address("whatsapp", "+14155550123")
    assert conversation_id(ours, theirs) == "whatsapp|+14155550100|+14155550123"


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("+14155550100", "***0100"),
        ("whatsapp:+14155550100", "whatsapp:***0100"),
        ("74454", "***54"),
        ("+1234567", "***67"),
        ("", "***"),
    ],
)
def test_a_masked_address_shows_the_channel_and_the_last_digits(address: str, shown: str) -> None:
    assert masked(address) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("from +14155550100 to +442079460958.", "from ***0100 to ***0958."),
        ("phone|+14155550100|+14155550123", "phone|***0100|***0123"),
        ("?To=%2B14155550100&From=%2B442079460958", "?To=***0100&From=***0958"),
        ("?To=%2b14155550100", "?To=***0100"),
        ('{"to": "whatsapp:+14155550100"}', '{"to": "whatsapp:***0100"}'),
        ("1+1=2, +12345 and 14155550100", "1+1=2, +12345 and 14155550100"),
        ("", ""),
    ],
)
def test_every_international_number_in_a_text_is_masked_percent_encoded_ones_too(text: str, shown: str) -> None:
    assert mask_numbers(text) == shown


@given(st.text(), st.from_regex(r"\A\+[1-9][0-9]{6,14}\Z"), st.text(alphabet=st.characters(exclude_categories=["Nd"])))
def test_a_number_is_masked_whatever_stands_around_it(before: str, number: str, after: str) -> None:
    assert number not in mask_numbers(f"{before}{number}{after}")
