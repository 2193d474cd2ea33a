from __future__ import annotations

import pytest

from twilio_plugin.domain.opt_out import ContactState, OptOutType, concerns_the_ledger, opt_out_type, state_after

STOP = ["STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT", "ARRET"]
START = ["START", "UNSTOP"]
HELP = ["HELP", "INFO"]
BOTH: tuple[ContactState, ContactState] = ("opted_in", "opted_out")


@pytest.mark.parametrize(
    ("word", "kind"),
    [*[(word, "STOP") for word in STOP], *[(word, "START") for word in START], *[(word, "HELP") for word in HELP]],
)
@pytest.mark.parametrize("contact", BOTH)
def test_the_default_keywords_count_in_any_case_and_with_punctuation(word: str, kind: str, contact: ContactState) -> None:
    for written in (word, word.lower(), word.capitalize(), f" {word}\n", f"{word.capitalize()}.", f'"{word}!"', f"'{word}'"):
        assert opt_out_type(written, "", contact=contact) == kind, written


@pytest.mark.parametrize(
    "body",
    [
        "please stop calling it that",
        "Stop it",
        "stop stop",
        "STOP THE PRESS",
        "unstoppable",
        "Can you help?",
        "information",
        "START here",
        "no",
        "",
        " . ",
        "🛑",
    ],
)
@pytest.mark.parametrize("contact", BOTH)
def test_a_sentence_with_a_keyword_in_it_is_an_ordinary_text(body: str, contact: ContactState) -> None:
    assert opt_out_type(body, "", contact=contact) is None
    assert concerns_the_ledger(body, "") is False


@pytest.mark.parametrize("body", ["Yes", "YES", "yes!", " yes. "])
def test_yes_reopens_after_a_stop_and_is_an_answer_otherwise(body: str) -> None:
    assert opt_out_type(body, "", contact="opted_out") == "START"
    assert opt_out_type(body, "", contact="opted_in") is None
    assert concerns_the_ledger(body, "") is True


@pytest.mark.parametrize(
    ("body", "twilio_says"), [("I am done with you", "STOP"), ("STOP", "HELP"), ("help", "START"), ("please stop", "STOP")]
)
@pytest.mark.parametrize("contact", BOTH)
def test_what_twilio_says_wins_over_the_words(body: str, twilio_says: OptOutType, contact: ContactState) -> None:
    assert opt_out_type(body, twilio_says, contact=contact) == twilio_says
    assert concerns_the_ledger(body, twilio_says) is True


def test_an_opt_out_type_of_a_later_version_leaves_it_to_the_words() -> None:
    assert opt_out_type("STOP", "PAUSE", contact="opted_in") == "STOP"
    assert opt_out_type("Hello", "PAUSE", contact="opted_in") is None


@pytest.mark.parametrize("body", [*STOP, *START, "Yes", "stop."])
def test_every_word_that_can_move_the_ledger_makes_it_be_read(body: str) -> None:
    assert concerns_the_ledger(body, "") is True


@pytest.mark.parametrize("before", BOTH)
def test_stop_closes_start_opens_and_nothing_else_moves_the_ledger(before: ContactState) -> None:
    assert state_after("STOP", before) == "opted_out"
    assert state_after("START", before) == "opted_in"
    assert state_after("HELP", before) == before
    assert state_after(None, before) == before
