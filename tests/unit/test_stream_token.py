"""A stream shows by its token that it is the one we asked for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from twilio_plugin.domain.stream import leg_of_token, stream_token
from twilio_plugin.errors import StreamRefused

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SOON = int((NOW + timedelta(minutes=5)).timestamp())


def test_it_names_the_leg() -> None:
    token = stream_token("secret", "CA1", 3, expires_at=SOON)

    assert leg_of_token(token, "CA1", ["secret"], NOW) == 3
    assert "secret" not in token


def test_the_previous_auth_token_counts_while_it_is_rotated() -> None:
    token = stream_token("old", "CA1", 0, expires_at=SOON)

    assert leg_of_token(token, "CA1", ["new", "old"], NOW) == 0


@pytest.mark.parametrize(
    ("token", "says"),
    [
        (stream_token("other", "CA1", 0, expires_at=SOON), "not one of ours"),
        (stream_token("secret", "CA2", 0, expires_at=SOON), "of another call"),
        (stream_token("secret", "CA1", 0, expires_at=int(NOW.timestamp()) - 1), "expired"),
        (stream_token("secret", "CA1", 0, expires_at=SOON).replace("0.", "1.", 1), "not one of ours"),
        (stream_token("secret", "CA1", 0, expires_at=SOON).replace(str(SOON), str(SOON + 9)), "not one of ours"),
        (stream_token("secret", "CA1", 0, expires_at=SOON)[:-1], "not one of ours"),
        ("", "missing"),
        ("..", "missing"),
        ("0.x.y", "missing"),
        (f"0.{'9' * 500}.y", "missing"),
        ("٣.3.y", "missing"),
        (f"0.{SOON}.ä", "not one of ours"),
    ],
)
def test_any_other_is_refused(token: str, says: str) -> None:
    with pytest.raises(StreamRefused, match=says):
        leg_of_token(token, "CA1", ["secret"], NOW)


def test_without_a_secret_nothing_is_ours() -> None:
    with pytest.raises(StreamRefused):
        leg_of_token(stream_token("", "CA1", 0, expires_at=SOON), "CA1", [], NOW)
