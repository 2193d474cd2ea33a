"""One agent and one person, in each mode of voice: the same conversation, equal but for timing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from local.bus import is_event
from local.callers import SAID, caller
from local.twilio.voice.handset import PhoneCall
from tests.e2e.conftest import Phone

GREETING = "Hello. One moment, please."
QUESTION, HOURS = SAID["opening_hours"].words, "We are open from nine to five, from Monday to Friday."
# Long enough to be interrupted however fast the local clock runs: some fifteen seconds of speech.
STORY = (
    "For sales, press one. For support, press two. For everything else, stay on the line, and somebody will be with you as "
    "soon as they can. You can also come to our shop in the old town, next to the church."
)
INTERJECTION, GOODBYE = SAID["wait"].words, "Goodbye."


def agent(event: dict[str, Any]) -> str | None:
    """What the agent says to an event."""
    match event["detail-type"], event["detail"]:
        case "SPEECH_RECEIVED", {"text": text}:
            return {QUESTION: HOURS, INTERJECTION: GOODBYE}[text]
        case "DTMF_RECEIVED", {"digit": "5"}:
            return STORY
    return None


class Speaking:
    """A person who is really heard: by their voice, over a stream."""

    def __init__(self) -> None:
        self._pressed_at = 0.0

    def says(self, call: PhoneCall, name: str) -> None:
        call.play_sound(caller(name), wait=True)

    def presses(self, call: PhoneCall, key: str) -> None:
        self._pressed_at = call.stream.now
        call.press(key)

    def has_heard_a_part(self, call: PhoneCall, _text: str) -> None:
        """Since they pressed the key, the agent has been speaking for two seconds and a bit."""
        call.wait_for_audio(2.2, timeout=30, after=self._pressed_at)


class Spoken:
    """A person whom Twilio hears: by their words."""

    def says(self, call: PhoneCall, name: str) -> None:
        call.say(SAID[name].words)

    def presses(self, call: PhoneCall, key: str) -> None:
        call.press(key)

    def has_heard_a_part(self, call: PhoneCall, text: str) -> None:
        """The same; what was heard is estimated by our own clock, which is not the quicker one of local calls."""
        while call.hears(30) != text:
            pass
        time.sleep(2.6)


class Relayed(Spoken):
    """The same, sentence by sentence."""

    def has_heard_a_part(self, call: PhoneCall, text: str) -> None:
        """Two sentences, and the next one has begun."""
        begun = 0
        while begun < 3:
            begun += call.hears(30) in text


PEOPLE: dict[str, Callable[[], Speaking | Spoken]] = {"stream": Speaking, "relay": Relayed, "gather": Spoken}


@contextmanager
def called_in(phone: Phone, mode: str) -> Iterator[PhoneCall]:
    """A person calls a number whose calls are held in this mode."""
    usual = phone.twilio.voice_url
    assert usual
    phone.twilio.voice_url = usual.replace("/voice#", f"/voice?mode={mode}#")
    try:
        yield phone.twilio.call_in(phone.person())
    finally:
        phone.twilio.voice_url = usual


@pytest.mark.parametrize("mode", PEOPLE)
def test_the_same_conversation_is_held_in_every_mode(phone: Phone, mode: str) -> None:
    with called_in(phone, mode) as call:
        hold(phone, call, PEOPLE[mode]())

    ids = {"call_sid": call.sid}
    # In the order in which it happened: some events take a shorter way to the bus than others.
    happened = sorted((one for one in phone.bus.events if ids.items() <= one["detail"].items()), key=when)
    started, *talk, end, after = happened[1:]
    assert (started["detail-type"], started["detail"]["mode"]) == ("VOICE_STREAM_STARTED", mode)
    assert [(one["detail-type"], said(one["detail"])) for one in talk] == [
        ("SPEECH_RECEIVED", QUESTION),
        ("SPEECH_PLAYED", HOURS),
        ("DTMF_RECEIVED", "5"),
        ("SPEECH_INTERRUPTED", STORY),
        ("SPEECH_RECEIVED", INTERJECTION),
        ("SPEECH_PLAYED", GOODBYE),
    ]
    assert {end["detail-type"], after["detail-type"]} == {"VOICE_STREAM_ENDED", "CALL_ENDED"}
    interrupted = talk[3]["detail"]
    heard = interrupted["heard"]
    assert (interrupted["cause"], STORY.startswith(heard), 0 < len(heard) < len(STORY)) == ("speech", True, True)
    history = phone.history(call.from_)
    assert [(one["kind"], one["direction"], one["body"], one["call_sid"]) for one in history["messages"]] == [
        ("speech", "inbound", QUESTION, call.sid),
        ("speech", "outbound", HOURS, call.sid),
        ("speech", "outbound", heard, call.sid),
        ("speech", "inbound", INTERJECTION, call.sid),
        ("speech", "outbound", GOODBYE, call.sid),
    ]
    assert [turn["role"] for turn in history["turns"]] == ["user", "assistant", "user", "assistant"]
    assert not phone.twilio_warnings(call.sid)


def when(event: dict[str, Any]) -> str:
    """When it happened; as text, times sort."""
    return str(event["detail"]["occurred_at"])


def hold(phone: Phone, call: PhoneCall, person: Speaking | Spoken) -> None:
    """The person hears the greeting, asks, presses a key, interrupts what they hear then, and is bidden goodbye."""

    def comes(detail_type: str, **detail: Any) -> dict[str, Any]:
        event: dict[str, Any] = phone.bus.wait_for(is_event(detail_type, call_sid=call.sid, **detail))
        if reply := agent(event):
            phone.stack.invoke("say", {"call_sid": call.sid, "text": reply})
        return event

    hears(call, GREETING)
    comes("VOICE_STREAM_STARTED")
    person.says(call, "opening_hours")
    comes("SPEECH_RECEIVED", text=QUESTION)
    comes("SPEECH_PLAYED", text=HOURS)
    person.presses(call, "5")
    comes("DTMF_RECEIVED")
    person.has_heard_a_part(call, STORY)
    person.says(call, "wait")
    comes("SPEECH_INTERRUPTED")
    comes("SPEECH_RECEIVED", text=INTERJECTION)
    comes("SPEECH_PLAYED", text=GOODBYE)
    phone.stack.invoke("control-call", {"call_sid": call.sid, "action": "end"})
    call.wait_until_ended(30)
    comes("VOICE_STREAM_ENDED")
    comes("CALL_ENDED")


def hears(call: PhoneCall, words: str) -> None:
    """The person hears these words, in one go or sentence by sentence."""
    heard = call.hears(30)
    while heard != words:
        assert words.startswith(heard)
        heard = f"{heard} {call.hears(30)}"


def said(detail: dict[str, Any]) -> str:
    """What an event is about: words or a key."""
    return str(detail.get("text", detail.get("digit")))
