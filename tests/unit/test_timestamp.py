from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from twilio_plugin.domain.timestamp import epoch, iso

moments = st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.just(UTC))


def test_a_time_is_utc_with_milliseconds_and_z() -> None:
    berlin = timezone(timedelta(hours=1))
    assert iso(datetime(2026, 11, 22, 9, 13, 41, 123456, berlin)) == "2026-11-22T08:13:41.123Z"
    assert iso(datetime(2026, 11, 22, 8, 13, 41, 0, UTC)) == "2026-11-22T08:13:41.000Z"


@given(moments, moments)
def test_times_sort_as_text(one: datetime, other: datetime) -> None:
    if one <= other:
        assert iso(one) <= iso(other)


@given(moments)
def test_a_time_reads_back_to_the_millisecond(moment: datetime) -> None:
    assert timedelta(0) <= moment - datetime.fromisoformat(iso(moment)) < timedelta(milliseconds=1)


def test_epoch_is_whole_seconds_days_later() -> None:
    assert epoch(datetime(1970, 1, 2, 0, 0, 0, 999999, UTC)) == 86400
    assert epoch(datetime(1970, 1, 1, tzinfo=UTC), days=1) == 86400
    assert epoch(datetime(1970, 1, 1, tzinfo=UTC), days=0.5) == 43200
