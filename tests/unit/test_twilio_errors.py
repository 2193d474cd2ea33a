from __future__ import annotations

import pytest

from twilio_plugin.domain.twilio_errors import TWILIO_ERRORS, explain, read_rejection, rejection


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


@pytest.mark.parametrize("code", [*TWILIO_ERRORS, 12345, None])
@pytest.mark.parametrize("before", ["", "Part 2 of 3 (1 sent): "])
def test_a_refusals_sentence_holds_all_of_it(code: int | None, before: str) -> None:
    refused = rejection("the text to ***0123", code=code, status=403)

    read = read_rejection(f"{before}{refused}")

    assert (refused.twilio_code, refused.status) == (code, 403)
    assert (read.twilio_code, read.status) == (code, 403)
    assert str(read) == f"{before}Twilio refused the text to ***0123 (HTTP 403): {explain(code)}"


def test_another_sentence_is_a_refusal_of_which_nothing_more_is_known() -> None:
    read = read_rejection("Twilio refused the text to ***0123: 21211: No.")

    assert (read.twilio_code, read.status) == (None, None)
