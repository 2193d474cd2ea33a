from __future__ import annotations

import pytest

from twilio_plugin.domain.twilio_errors import TWILIO_ERRORS, explain


@pytest.mark.parametrize("code", TWILIO_ERRORS)
def test_every_known_code_is_explained_in_sentences(code: int) -> None:
    error = explain(code)

    assert error.code == code
    assert error.error_class != "unknown"
    assert error.meaning.endswith(".")
    assert error.remedy.endswith(".")
    assert str(error) == f"{code}: {error.meaning} {error.remedy}"


def test_a_code_we_do_not_know_says_where_to_look_it_up() -> None:
    assert explain(12345).error_class == "unknown"
    assert "https://www.twilio.com/docs/api/errors/12345" in str(explain(12345))


def test_a_failure_without_a_code_points_to_the_console() -> None:
    assert str(explain(None)) == "Twilio gave no further reason. See the Twilio console's error log."


@pytest.mark.parametrize(
    ("code", "error_class", "remedy"),
    [
        (21610, "recipient", "START"),
        (30034, "configuration", "A2P 10DLC"),
        (30007, "policy", "Reword"),
        (30008, "transient", "later"),
        (21617, "content", "chunk_limit"),
    ],
)
def test_the_remedy_says_what_to_do(code: int, error_class: str, remedy: str) -> None:
    assert explain(code).error_class == error_class
    assert remedy in explain(code).remedy
