"""What is said, cut into phrases and pieces; and how much of it was heard."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twilio_plugin.domain.speech import LONGEST_PHRASE, PIECE_BYTES, Piece, Utterance, mark_name, phrases, pieces, read_mark

UTTERANCE = Utterance(
    call_sid="CA1",
    stream_sid="MZ1",
    utterance_id="u",
    text="One two three.",
    allow_barge_in=True,
    started_at="2026-11-22T12:00:00.000Z",
    pieces=(Piece("One ", 1000), Piece("two ", 1000), Piece("three.", 400)),
)


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("Hello.", ["Hello."]),
        ("Hello. How are you?", ["Hello. ", "How are you?"]),
        ("No end", ["No end"]),
        ("Wait… what?! Yes.", ["Wait… ", "what?! ", "Yes."]),
        ("It costs 3.50 today.", ["It costs 3.50 today."]),
        ('He said "no." Then left.', ['He said "no." ', "Then left."]),
        ("Line one\nLine two", ["Line one\n", "Line two"]),
        ("こんにちは。元気ですか。", ["こんにちは。", "元気ですか。"]),
        ("", []),
    ],
)
def test_phrases(text: str, cut: list[str]) -> None:
    assert list(phrases(text)) == cut


@given(st.text(alphabet=st.sampled_from('ab .!?\n…"é🙂'), max_size=700))
def test_phrases_joined_are_the_text(text: str) -> None:
    cut = list(phrases(text))

    assert "".join(cut) == text
    assert all(0 < len(phrase) <= LONGEST_PHRASE for phrase in cut)


def test_a_long_sentence_is_cut_between_words() -> None:
    cut = list(phrases("word " * 100))

    assert len(cut) == 3
    assert all(phrase.endswith("word ") for phrase in cut)


@given(st.text(max_size=80), st.integers(0, 5 * PIECE_BYTES))
def test_pieces_joined_are_words_and_sound(phrase: str, length: int) -> None:
    sound = bytes(index % 251 for index in range(length))

    cut = pieces(phrase, sound)

    assert "".join(piece.words for piece, _ in cut) == phrase
    assert b"".join(part for _, part in cut) == sound
    assert all(len(part) <= PIECE_BYTES for _, part in cut)
    assert all(piece.milliseconds == len(part) * 1000 // 8000 for piece, part in cut)


def test_a_word_belongs_to_the_piece_in_which_it_ends() -> None:
    cut = pieces("aaaa bbbb cccc dddd ", b"\xff" * (2 * PIECE_BYTES))

    assert [piece.words for piece, _ in cut] == ["aaaa bbbb ", "cccc dddd "]


def test_sound_without_words_is_one_utterance_too() -> None:
    assert pieces("", b"\xff" * 4000) == [(Piece("", 500), b"\xff" * 4000)]


@pytest.mark.parametrize(
    ("heard", "words", "milliseconds"), [(0, "", 0), (1, "One", 1000), (2, "One two", 2000), (3, "One two three.", 2400)]
)
def test_what_was_heard(heard: int, words: str, milliseconds: int) -> None:
    utterance = dataclasses.replace(UTTERANCE, heard=heard)

    assert (utterance.heard_text, utterance.heard_milliseconds) == (words, milliseconds)


def test_a_mark_names_utterance_and_piece() -> None:
    assert read_mark(mark_name("2026-11-22T12:00:00.000Z-ab", 7)) == ("2026-11-22T12:00:00.000Z-ab", 7)


@pytest.mark.parametrize("name", ["", "hello", "u:", "u:x", "u:-1", "u:" + "9" * 12, "u:٣"])
def test_a_mark_of_somebody_else(name: str) -> None:
    assert read_mark(name) is None
