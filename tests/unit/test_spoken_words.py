"""How much was heard where Twilio speaks, by its words and by time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.fakes_streams import stream, utterance
from twilio_plugin.domain.spoken_words import heard_by, spoken_words, words_played, words_until
from twilio_plugin.domain.timestamp import iso

TEXT = "We are open from nine to five. On Sundays, we are closed."
WORDS = [piece.words for piece in spoken_words(TEXT)]
BEGAN = datetime(2026, 11, 22, 8, 0, 11, tzinfo=UTC)


@given(st.text())
def test_the_words_of_a_text_are_the_text(text: str) -> None:
    pieces = spoken_words(text)

    assert "".join(piece.words for piece in pieces) == (text if text.strip() else "")
    assert all(piece.milliseconds > 0 for piece in pieces)


def test_speaking_takes_as_long_as_the_words_are() -> None:
    assert sum(piece.milliseconds for piece in spoken_words(TEXT)) == pytest.approx(4070, abs=15)


def test_writing_without_spaces_is_more_than_one_piece() -> None:
    assert len(spoken_words("今日は" * 20)) == 3


@pytest.mark.parametrize(
    ("said", "known", "heard"),
    [
        ("We are open from", 0, "We are open from"),
        ("we are open, from", 0, "We are open from"),
        ("", 0, ""),
        ("", 3, "We are open"),
        ("We are op", 0, "We are"),  # a word that was not finished was not heard
        (TEXT, 0, TEXT),
        # What was said before these words is counted in.
        ("Good morning. We are open from", 0, "We are open from"),
        # Only what came since some of it was played.
        ("On Sundays we", 7, "We are open from nine to five. On Sundays, we"),
        # Twilio has counted less than it told before.
        ("We are", 5, "We are open from nine"),
        # Nothing of ours: the greeting.
        ("Hello. One moment, please.", 0, ""),
        # It writes numbers otherwise; what is the same is sure.
        ("We are open from 9 to", 0, "We are open from"),
    ],
)
def test_what_was_heard_until_an_interruption_is_found_in_what_was_to_be_said(said: str, known: int, heard: str) -> None:
    count = words_until(WORDS, said, known=known)

    assert "".join(WORDS[:count]).strip() == heard


@pytest.mark.parametrize(
    ("said", "known", "heard"),
    [
        ("We are", 0, 2),
        ("open from", 2, 4),  # piece by piece
        ("We are open from", 2, 4),  # or all of it each time
        ("nine to five", 2, 7),  # one was lost
        ("we are closed.", 9, 12),
        ("Hello. One moment, please.", 0, 0),
        ("", 2, 2),
        ("…", 2, 2),
        ("We", 4, 4),
    ],
)
def test_what_has_been_played_goes_on_from_what_was_known(said: str, known: int, heard: int) -> None:
    assert words_played(WORDS, said, known=known) == heard


def test_a_word_that_comes_twice_is_played_twice() -> None:
    words = ["yes ", "yes ", "yes"]

    assert [words_played(words, "yes", known=known) for known in range(3)] == [1, 2, 3]


@given(st.lists(st.sampled_from(["we ", "are ", "open ", "5 ", "— "]), max_size=12), st.data())
def test_what_twilio_repeats_of_our_own_words_is_found_again(words: list[str], data: st.DataObject) -> None:
    heard = data.draw(st.integers(0, len(words)))

    found = words_until(words, "".join(words[:heard]), known=0)

    # Signs that are not spoken may be counted in or not.
    assert [word for word in words[:found] if word != "— "] == [word for word in words[:heard] if word != "— "]


def test_utterances_are_heard_one_after_the_other_as_time_passes() -> None:
    first = utterance(stream(1), "1", pieces=spoken_words("One two three"), started_at=iso(BEGAN), complete=True)
    second = utterance(stream(1), "2", pieces=spoken_words("Four five"), started_at=iso(BEGAN), complete=True)

    def heard(milliseconds: int) -> list[int]:
        return [count for _, count in heard_by([first, second], BEGAN + timedelta(milliseconds=milliseconds))]

    one, whole, four = 285, 285 + 285 + 357, 357  # 14 characters a second
    assert heard(-50) == [0, 0]
    assert heard(one - 1) == [0, 0]
    assert heard(one) == [1, 0]
    assert heard(whole + four - 1) == [3, 0]
    assert heard(whole + four) == [3, 1]
    assert heard(60_000) == [3, 2]


def test_what_was_said_after_a_pause_begins_after_it() -> None:
    later = BEGAN + timedelta(seconds=60)
    first = utterance(stream(1), "1", pieces=spoken_words("One"), started_at=iso(BEGAN))
    second = utterance(stream(1), "2", pieces=spoken_words("Two"), started_at=iso(later))

    assert [count for _, count in heard_by([first, second], later)] == [1, 0]
