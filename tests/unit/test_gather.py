"""Documents that hold a call: their addresses, what they bring back, and how long what they say takes."""

from __future__ import annotations

from datetime import datetime, timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.fakes_streams import stream, utterance
from tests.unit.gathered import MANNER, ROOT
from tests.unit.test_twiml import verbs
from twilio_plugin.domain import twiml
from twilio_plugin.domain.gather import Heard, Place, Reason, is_prompting, read_heard, read_partial, read_place
from twilio_plugin.domain.gather_document import holding, listening
from twilio_plugin.domain.speech import CHARACTERS_PER_SECOND, Piece, estimated_pieces, heard_until, spoken_for

T0 = datetime.fromisoformat("2026-11-22T08:00:00.000Z")


@given(st.integers(0, 99), st.integers(0, 99), st.integers(0, 10**7), st.sampled_from(["result", "wake", "partial"]))
def test_a_place_is_read_back_from_its_address(leg: int, reopened: int, step: int, reason: Reason) -> None:
    place = Place(leg=leg, reopened=reopened, step=step)

    query = dict(parse_qsl(urlsplit(place.url(ROOT, reason)).query))

    assert read_place(query) == Place(leg=leg, reopened=reopened, step=step, reason=reason)


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"leg": "0", "reopened": "0", "step": "1"},
        {"leg": "0", "reopened": "0", "step": "-1", "reason": "result"},
        {"leg": "0", "reopened": "0", "step": "٣", "reason": "result"},
        {"leg": "x", "reopened": "0", "step": "1", "reason": "result"},
        {"leg": "0", "reopened": "0", "step": "1", "reason": "dance"},
    ],
)
def test_an_address_that_is_none_of_ours_is_no_place(query: dict[str, str]) -> None:
    assert read_place(query) is None


@pytest.mark.parametrize(
    ("form", "heard"),
    [
        ({}, Heard()),
        ({"SpeechResult": "  "}, Heard()),
        ({"SpeechResult": "hello ", "Confidence": "0.5"}, Heard(words="hello", confidence=0.5)),
        ({"SpeechResult": "hello", "Confidence": "1.5"}, Heard(words="hello")),
        ({"SpeechResult": "hello", "Confidence": "nan"}, Heard(words="hello")),
        ({"Digits": "1"}, Heard(keys="1")),
        ({"Digits": "1x#", "FinishedOnKey": "#"}, Heard(keys="1#")),
    ],
)
def test_what_a_document_heard_is_read(form: dict[str, str], heard: Heard) -> None:
    assert read_heard(form) == heard
    assert heard.is_something is bool(heard.words or heard.keys)


def test_partial_words_are_those_that_stay_and_those_that_may_not() -> None:
    assert read_partial({"StableSpeechResult": "are you", "UnstableSpeechResult": "open"}) == "are you open"
    assert read_partial({"UnstableSpeechResult": "are"}) == "are"
    assert read_partial({}) == ""


@pytest.mark.parametrize(("listens", "timeout"), [(-3, "1"), (0.2, "1"), (3, "3"), (13.1, "14")])
def test_twilio_listens_in_whole_seconds_and_for_one_at_least(listens: float, timeout: str) -> None:
    document = twiml.document(*listening(MANNER, Place(leg=0, reopened=0, step=1), [], listens=timedelta(seconds=listens)))

    assert verbs(document)[0][1]["timeout"] == timeout


def test_whatever_is_not_heard_leads_on() -> None:
    place = Place(leg=2, reopened=1, step=7)
    (_, (_, _, after_listening)) = verbs(twiml.document(*listening(MANNER, place, [], listens=timedelta(seconds=3))))
    (pause, (_, _, after_holding)) = verbs(twiml.document(*holding(MANNER, place)))

    assert pause == ("Pause", {"length": "2"}, "")
    assert "step=7&reason=result#" in after_listening
    assert "step=7&reason=wake#" in after_holding


def test_words_that_are_markup_are_spoken_and_not_read_as_such() -> None:
    words = 'Press <1> & "wait" \x00'
    document = twiml.document(*listening(MANNER, Place(leg=0, reopened=0, step=1), [words], listens=timedelta(seconds=3)))

    assert verbs(document)[0][2] == [("Say", {"voice": "Polly.Amy-Neural"}, 'Press <1> & "wait"')]


# --------------------------------------------------------------------------------------------------------------- estimates


@given(st.text(min_size=1, max_size=400))
def test_estimated_pieces_are_the_text_in_seconds(text: str) -> None:
    pieces = estimated_pieces(text)

    assert "".join(piece.words for piece in pieces) == text
    assert all(piece.milliseconds == 1000 for piece in pieces[:-1])
    assert sum(piece.milliseconds for piece in pieces) == max(1, int(spoken_for(text) / timedelta(milliseconds=1)))


def test_a_second_of_speech_has_as_many_characters_as_it_is_estimated_to_have() -> None:
    assert spoken_for("x" * CHARACTERS_PER_SECOND) == timedelta(seconds=1)


@pytest.mark.parametrize(("after", "heard"), [(-1, 0), (0.9, 0), (1.0, 1), (2.4, 2), (2.5, 3), (99, 3)])
def test_what_was_heard_is_told_by_time(after: float, heard: int) -> None:
    pieces = (Piece("one ", 1000), Piece("two ", 1000), Piece("three", 500))
    one = utterance(stream(), pieces=pieces, complete=True, begins_at="2026-11-22T08:00:00.000Z")

    until = heard_until(one, T0 + timedelta(seconds=after))

    assert until.heard == heard
    assert until.is_heard is (heard == 3)


def test_what_marks_tell_is_not_estimated() -> None:
    by_marks = utterance(stream(), pieces=(Piece("one", 1000),), complete=True)

    assert heard_until(by_marks, T0 + timedelta(hours=1)) == by_marks


def test_a_document_speaks_until_a_second_behind_the_estimated_end_of_its_words() -> None:
    speaking = stream(prompt_ends_at="2026-11-22T08:00:00.000Z")

    assert is_prompting(speaking, T0 + timedelta(seconds=0.9))
    assert not is_prompting(speaking, T0 + timedelta(seconds=1))
    assert not is_prompting(stream(), T0)
