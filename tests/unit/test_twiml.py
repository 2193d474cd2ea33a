"""The documents as a parser of XML reads them, which is how Twilio does."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeAlias
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twilio_plugin.domain import twiml
from twilio_plugin.errors import InvalidRequest

Verb: TypeAlias = "tuple[str, dict[str, str], str | list[Verb]]"  # name, attributes, and text or what is nested in it

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
    return [_verb(one) for one in root]


def _verb(element: ElementTree.Element) -> Verb:
    nested = [_verb(one) for one in element]
    assert not (nested and element.text), "a verb has a text beside its children"
    return element.tag, dict(element.attrib), nested or element.text or ""


def held(text: str) -> str:
    """What is left of a text in XML 1.0."""
    return "".join(
        one for one in text if one in "\t\n\r" or " " <= one <= "\ud7ff" or "\ue000" <= one <= "\ufffd" or one > "\uffff"
    )


def as_text(text: str) -> str:
    """What a parser makes of it between tags."""
    return re.sub("\r\n?", "\n", held(text))


def spoken(text: str) -> str:
    """What is left to speak of a text."""
    return as_text(held(text).strip())


# ------------------------------------------------------------------------------------------------------------- any text

AWKWARD_TEXT = st.one_of(ANY_TEXT, st.lists(st.sampled_from(AWKWARD), max_size=10).map("".join))
# Verbs around a text, and what a parser finds of it: as the verb's content, or as one of its attributes.
AROUND: dict[str, tuple[Callable[[str], twiml.Verb], Callable[[str], Verb]]] = {
    "play": (twiml.play, lambda text: ("Play", {}, as_text(text))),
    "press": (twiml.press, lambda text: ("Play", {"digits": held(text)}, "")),
    "gather": (lambda text: twiml.gather(action=text), lambda text: ("Gather", {"action": held(text)}, "")),
    "record": (lambda text: twiml.record(action=text), lambda text: ("Record", {"action": held(text)}, "")),
    "dial": (twiml.dial, lambda text: ("Dial", {}, [("Number", {}, as_text(text))])),
    "dial as": (lambda text: twiml.dial(caller_id=text), lambda text: ("Dial", {"callerId": held(text)}, "")),
    "stop_stream": (twiml.stop_stream, lambda text: ("Stop", {}, [("Stream", {"name": held(text)}, "")])),
    "start_transcription": (
        lambda text: twiml.start_transcription(name=text),
        lambda text: ("Start", {}, [("Transcription", {"name": held(text)}, "")]),
    ),
    "stop_transcription": (
        twiml.stop_transcription,
        lambda text: ("Stop", {}, [("Transcription", {"name": held(text)}, "")]),
    ),
    "start_recording": (
        lambda text: twiml.start_recording(recording_status_callback=text),
        lambda text: ("Start", {}, [("Recording", {"recordingStatusCallback": held(text)}, "")]),
    ),
    "connect_relay": (
        lambda text: twiml.connect_relay(text, parameters={text: text}, welcome_greeting=text),
        lambda text: (
            "Connect",
            {},
            [
                (
                    "ConversationRelay",
                    {"url": held(text), "welcomeGreeting": held(text)},
                    [("Parameter", {"name": held(text), "value": held(text)}, "")],
                )
            ],
        ),
    ),
    "connect_stream": (
        lambda text: twiml.connect_stream("wss://x", parameters={text: text}, name=text),
        lambda text: (
            "Connect",
            {},
            [
                (
                    "Stream",
                    {"url": "wss://x", "name": held(text)},
                    [("Parameter", {"name": held(text), "value": held(text)}, "")],
                )
            ],
        ),
    ),
    "enqueue": (twiml.enqueue, lambda text: ("Enqueue", {}, as_text(text))),
    "redirect": (twiml.redirect, lambda text: ("Redirect", {"method": "POST"}, as_text(text))),
    "reject": (twiml.reject, lambda text: ("Reject", {"reason": held(text)}, "")),
}


@given(AWKWARD_TEXT, st.integers(0, 60))
def test_every_text_is_spoken_as_it_is_and_nothing_else_happens(text: str, stay: int) -> None:
    words = spoken(text)

    expected: list[Verb] = [("Say", {}, words)] if words else []
    found = verbs(twiml.document(twiml.say(text), twiml.pause(stay)))
    assert found == [*expected, ("Pause", {"length": str(stay)}, "")]


@pytest.mark.parametrize(("verb", "read"), AROUND.values(), ids=AROUND)
@given(text=AWKWARD_TEXT)
def test_every_text_comes_out_of_a_verb_as_it_went_in(
    verb: Callable[[str], twiml.Verb], read: Callable[[str], Verb], text: str
) -> None:
    assert verbs(twiml.document(verb(text), twiml.hangup())) == [read(text), ("Hangup", {}, "")]


@given(AWKWARD_TEXT, AWKWARD_TEXT)
def test_a_prompt_of_any_text_is_spoken_inside_its_gather(text: str, voice: str) -> None:
    ((name, attributes, content),) = verbs(twiml.document(twiml.gather(twiml.say(text, voice=voice), input="speech dtmf")))

    words = spoken(text)
    assert (name, attributes) == ("Gather", {"input": "speech dtmf"})
    assert content == ([("Say", {"voice": held(voice)}, words)] if words else "")


@pytest.mark.parametrize("text", AWKWARD)
def test_a_document_says_that_it_is_utf_8_and_is(text: str) -> None:
    document = twiml.document(twiml.say(text))

    assert document.startswith('<?xml version="1.0" encoding="UTF-8"?>')
    assert document.encode().decode() == document


@pytest.mark.parametrize("text", ["", " \n\t", "\x00\x01"])
def test_where_there_is_nothing_to_speak_there_is_no_say(text: str) -> None:
    assert twiml.say(text) is None
    assert verbs(twiml.document(twiml.say(text), twiml.pause(20))) == [("Pause", {"length": "20"}, "")]


# ----------------------------------------------------------------------------------------------------------- the verbs


def test_attributes_go_under_twilios_names_and_those_without_a_value_not_at_all() -> None:
    document = twiml.document(
        twiml.gather(input="speech", action_on_empty_result=True, num_digits=4, hints=None), twiml.say("Hi", voice="alice")
    )

    assert verbs(document) == [
        ("Gather", {"input": "speech", "actionOnEmptyResult": "true", "numDigits": "4"}, ""),
        ("Say", {"voice": "alice"}, "Hi"),
    ]


def test_whichever_of_several_numbers_answers_first_is_connected_with_ours_as_the_caller() -> None:
    assert verbs(twiml.document(twiml.dial("+14155550123", "+14155550124", caller_id="+14155550100"))) == [
        ("Dial", {"callerId": "+14155550100"}, [("Number", {}, "+14155550123"), ("Number", {}, "+14155550124")])
    ]


def test_a_call_is_connected_to_a_stream_or_copied_to_one() -> None:
    """B5: the shape in which Twilio takes both."""
    stream: Verb = (
        "Stream",
        {"url": "wss://example.com/live", "statusCallback": "https://example.com/status?a=b&c"},
        [("Parameter", {"name": "token", "value": "t"}, "")],
    )

    for verb, around in ((twiml.connect_stream, "Connect"), (twiml.start_stream, "Start")):
        made = verb("wss://example.com/live", parameters={"token": "t"}, status_callback="https://example.com/status?a=b&c")
        assert verbs(twiml.document(made)) == [(around, {}, [stream])]


def test_a_call_is_not_answered_as_if_it_were_refused_or_busy() -> None:
    assert verbs(twiml.document(twiml.reject())) == [("Reject", {"reason": "rejected"}, "")]
    assert verbs(twiml.document(twiml.reject("busy"))) == [("Reject", {"reason": "busy"}, "")]


# ---------------------------------------------------------------------------------------------------------- the limits


@pytest.mark.parametrize("verb", [twiml.connect_stream, twiml.start_stream])
@pytest.mark.parametrize("url", ["wss://example.com/live?token=1", "https://example.com/live", "example.com", ""])
def test_a_stream_goes_to_a_websocket_without_a_query(verb: Callable[[str], twiml.Verb], url: str) -> None:
    """Twilio's error 31920."""
    with pytest.raises(InvalidRequest, match="URL"):
        verb(url)


@pytest.mark.parametrize("verb", [twiml.connect_stream, twiml.start_stream])
def test_a_streams_parameter_has_less_than_500_characters(verb: Callable[..., twiml.Verb]) -> None:
    verb("wss://example.com", parameters={"token": "t" * 494})

    with pytest.raises(InvalidRequest, match="'token'"):
        verb("wss://example.com", parameters={"token": "t" * 495})


def test_a_document_has_at_most_64_kb() -> None:
    frame = len(twiml.document(twiml.say("a"))) - 1

    assert len(twiml.document(twiml.say("a" * (twiml.MAX_BYTES - frame)))) == 65_536
    for longer in ("a" * (twiml.MAX_BYTES - frame + 1), "ä" * (twiml.MAX_BYTES // 2)):
        with pytest.raises(InvalidRequest, match="65,536"):
            twiml.document(twiml.say(longer))


@pytest.mark.parametrize(
    "root",
    [
        "<Response>",
        '<?xml version="1.0" encoding="UTF-8"?>\n<Response>',
        "\ufeff <?xml version='1.0'?> <!-- <Response> is below -->\n<Response >",
        '<Response xmlns:x="y">',
    ],
)
def test_a_verb_is_put_before_those_of_somebody_elses_document(root: str) -> None:
    begun = twiml.begin_with(twiml.hangup(), f"{root}<Say>Hello &amp; welcome</Say></Response>")

    assert begun == f"{root}<Hangup /><Say>Hello &amp; welcome</Say></Response>"


@pytest.mark.parametrize(
    "document", ["<Response/>", "<Response />", "<Say>Hello</Say>", "Hello", "<Responses><Say/></Responses>"]
)
def test_what_is_no_document_with_verbs_in_it_takes_none_before_them(document: str) -> None:
    with pytest.raises(InvalidRequest, match="begins with <Response>"):
        twiml.begin_with(twiml.hangup(), document)
