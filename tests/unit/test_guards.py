from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twilio_plugin.domain.guards import CeilingName, GuardName, Limits, minutes, parameter, period_of

NOON = datetime(2026, 11, 22, 12, 30, tzinfo=UTC)


def test_a_ceiling_of_nought_asks_for_nothing() -> None:
    assert Limits().draw("texts_per_day", NOON) == ()


def test_a_draw_says_of_what_and_when_it_opens_again() -> None:
    (texts,) = Limits(texts_per_recipient_per_day=3).draw("texts_per_recipient_per_day", NOON, units=2, whose="+1")
    (heard,) = Limits(inbound_texts_per_sender_per_hour=3).draw("inbound_texts_per_sender_per_hour", NOON)

    assert (texts.period, texts.units, texts.limit, texts.whose) == ("2026-11-22", 2, 3, "+1")
    assert texts.ends == datetime(2026, 11, 23, tzinfo=UTC)
    assert (heard.period, heard.ends) == ("2026-11-22T12", datetime(2026, 11, 22, 13, tzinfo=UTC))


@given(st.sampled_from(get_args(CeilingName)), st.datetimes(min_value=datetime(2026, 1, 1), max_value=datetime(2030, 1, 1)))
def test_a_period_holds_its_moment_and_is_over_behind_it(ceiling: CeilingName, moment: datetime) -> None:
    now = moment.replace(tzinfo=UTC)
    (draw,) = Limits(**{ceiling: 1}).draw(ceiling, now)  # type: ignore[arg-type]

    assert timedelta() < draw.ends - now <= timedelta(days=1)
    assert period_of(ceiling, draw.ends) > draw.period


def test_a_guard_is_named_after_its_parameter() -> None:
    assert parameter("texts_per_recipient_per_day") == "TextsPerRecipientPerDay"
    assert parameter("allowed_countries") == "AllowedCountries"
    assert [guard for guard in get_args(GuardName) if parameter(guard) is None] == ["premium_numbers"]


def test_what_is_not_counted_is_told_once_a_day() -> None:
    assert period_of("allowed_countries", NOON) == "2026-11-22"


def test_minutes_are_billed_as_they_begin() -> None:
    assert [minutes(seconds) for seconds in (0, 1, 60, 61, 3600)] == [0, 1, 1, 2, 60]


def test_every_address_is_a_source_where_there_is_no_list() -> None:
    assert Limits().admits_source("198.51.100.7")
    assert Limits().admits_source("")


@pytest.mark.parametrize(
    ("address", "admitted"),
    [
        ("203.0.113.0", True),
        ("203.0.113.255", True),
        ("203.0.114.0", False),
        ("2001:db8::7", True),
        ("2001:db9::7", False),
        ("", False),
        ("unknown", False),
        ("203.0.113.7, 198.51.100.7", False),
        ("203.0.113.7:443", False),
    ],
)
def test_with_a_list_only_addresses_in_its_networks_are_sources(address: str, admitted: bool) -> None:
    limits = Limits(source_cidrs=(ip_network("203.0.113.0/24"), ip_network("2001:db8::/32")))

    assert limits.admits_source(address) is admitted
