"""The documents as a parser of XML reads them, which is how Twilio does."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twilio_plugin.domain import twiml

Verb = tuple[str, dict[str, str], str]

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=200)  # lone surrogates too
AWKWARD = [
    "]]>",
    "<Hangup/>",
    "&amp;",
    "\"'",
    "👋🏽 ü",
    "a\x00b\x08c\x1fd",
    "\ufffe\uffff",
    "\ud800",
    "\r\n\t",
    "<!--",
    "<?xml?>",
]


def verbs(document: str) -> list[Verb]:
    root = ElementTree.fromstring(document.encode())
    assert root.tag == "Response"
    assert [len(verb) for verb in root] == [0] * len(root), "a verb has a child that nobody asked for"
    return [(verb.tag, dict(verb.attrib), verb.text or "") for verb in root]


def spoken(text: str) -> str:
    """What is left of a text in XML 1.0, with line ends as a parser gives them."""
    kept = [one for one in text if one in "\t\n\r" or " " <= one <= "\ud7ff" or "\ue000" <= one <= "\ufffd" or one > "\uffff"]
    return re.sub("\r\n?", "\n", "".join(kept).strip())


# ------------------------------------------------------------------------------------------------------------- any text


@given(st.one_of(ANY_TEXT, st.lists(st.sampled_from(AWKWARD)).map("".join)), st.integers(0, 60))
def test_every_text_is_spoken_as_it_is_and_nothing_else_happens(text: str, stay: int) -> None:
    words = spoken(text)

    expected: list[Verb] = [("Say", {}, words)] if words else []
    expected += [("Pause", {"length": str(stay)}, "")] if stay else []
    assert verbs(twiml.say(text, stay_seconds=stay)) == expected


@given(ANY_TEXT, ANY_TEXT)
def test_a_greeting_of_any_text_waits_and_hangs_up(greeting: str, sorry: str) -> None:
    found = verbs(twiml.greet(greeting, wait_seconds=20, sorry=sorry))

    assert [text for tag, _, text in found if tag == "Say"] == [words for words in (spoken(greeting), spoken(sorry)) if words]
    assert [tag for tag, _, _ in found if tag != "Say"] == ["Pause", "Hangup"]


@pytest.mark.parametrize("text", AWKWARD)
def test_a_document_says_that_it_is_utf_8_and_is(text: str) -> None:
    document = twiml.say(text)

    assert document.startswith('<?xml version="1.0" encoding="UTF-8"?>')
    assert document.encode().decode() == document


# ------------------------------------------------------------------------------------------------------- the documents


def test_words_are_spoken_and_the_call_ends_unless_it_is_to_stay() -> None:
    assert verbs(twiml.say("Hello")) == [("Say", {}, "Hello")]
    assert verbs(twiml.say("Hello", stay_seconds=20)) == [("Say", {}, "Hello"), ("Pause", {"length": "20"}, "")]


@pytest.mark.parametrize("text", ["", " \n\t", "\x00\x01"])
def test_where_there_is_nothing_to_speak_there_is_no_say(text: str) -> None:
    assert verbs(twiml.say(text, stay_seconds=20)) == [("Pause", {"length": "20"}, "")]


def test_a_greeting_is_followed_by_the_wait_for_the_agent_an_apology_and_the_end() -> None:
    assert verbs(twiml.greet("Hello", wait_seconds=20, sorry="Sorry")) == [
        ("Say", {}, "Hello"),
        ("Pause", {"length": "20"}, ""),
        ("Say", {}, "Sorry"),
        ("Hangup", {}, ""),
    ]


def test_a_number_is_dialled_with_ours_as_the_caller() -> None:
    assert verbs(twiml.dial("+14155550123", caller_id="+14155550100")) == [
        ("Dial", {"callerId": "+14155550100"}, "+14155550123")
    ]


def test_keys_are_pressed_and_the_line_stays_open() -> None:
    assert verbs(twiml.press("1w#*", stay_seconds=20)) == [
        ("Play", {"digits": "1w#*"}, ""),
        ("Pause", {"length": "20"}, ""),
    ]
