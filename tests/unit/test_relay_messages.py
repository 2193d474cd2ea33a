from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twilio_plugin.domain import relay
from twilio_plugin.domain.relay import (
    Interrupt,
    Prompt,
    RelayError,
    RelayKey,
    RelaySetup,
    SessionEnd,
    TokensPlayed,
    read_relay_message,
    session_end,
)
from twilio_plugin.errors import UnreadableMessage

# As Twilio's page has it.
SETUP: dict[str, Any] = {
    "type": "setup",
    "sessionId": "VX" + "0" * 32,
    "accountSid": "AC" + "0" * 32,
    "parentCallSid": "",
    "callSid": "CA" + "0" * 32,
    "from": "+18005550100",
    "to": "+18005550101",
    "forwardedFrom": "+18005550102",
    "callType": "PSTN",
    "callerName": "",
    "direction": "inbound",
    "callStatus": "RINGING",
    "customParameters": {"token": "0.1.ff"},
}


def read(**message: Any) -> Any:
    return read_relay_message(json.dumps(message))


def test_the_setup_says_which_session_of_which_call_it_is() -> None:
    assert read(**SETUP) == RelaySetup(SETUP["sessionId"], SETUP["callSid"], SETUP["accountSid"], {"token": "0.1.ff"})


def test_a_setup_may_have_no_parameters() -> None:
    without = {name: value for name, value in SETUP.items() if name != "customParameters"}

    assert read(**without).parameters == {}


def test_what_the_person_does_is_read() -> None:
    assert read(type="prompt", voicePrompt=" Are you open? ", lang="en-US", last=True) == Prompt("Are you open?", last=True)
    assert read(type="prompt", voicePrompt="Are", lang="en-US", last=False) == Prompt("Are", last=False)
    assert read(type="interrupt", utteranceUntilInterrupt="We are", durationUntilInterruptMs="460") == Interrupt("We are")
    assert read(type="dtmf", digit="#") == RelayKey("#")


def test_what_has_been_spoken_is_read() -> None:
    assert read(type="info", name="tokensPlayed", value="We are open") == TokensPlayed("We are open")


@pytest.mark.parametrize(
    "message",
    [
        {"type": "info", "name": "agentSpeaking", "value": "on", "ts": 1752091234567},
        {"type": "info"},
        {"type": "configUpdated"},
        {"event": "connected", "protocol": "Call", "version": "1.0.0"},
        {},
    ],
)
def test_what_is_not_known_says_nothing(message: dict[str, Any]) -> None:
    assert read(**message) is None
    assert read_relay_message("[1]") is None


def test_an_error_is_told_without_the_words_that_it_quotes() -> None:
    quoted = 'Invalid message received: {"type":"text","token":"Your balance is 12 dollars"}'

    assert read(type="error", description=quoted) == RelayError("Invalid message received")
    assert len(read(type="error", description="x" * 500).description) == 80


@pytest.mark.parametrize(
    "message",
    [
        {"type": "setup"},
        {**SETUP, "sessionId": 5},
        {**SETUP, "customParameters": "token"},
        {"type": "prompt", "voicePrompt": "Hello"},
        {"type": "prompt", "voicePrompt": "Hello", "last": "true"},
        {"type": "prompt", "voicePrompt": None, "last": True},
        {"type": "interrupt"},
        {"type": "dtmf", "digit": 1},
        {"type": "error"},
    ],
)
def test_a_message_without_what_it_must_have_is_refused_by_its_kind(message: dict[str, Any]) -> None:
    with pytest.raises(UnreadableMessage, match=message["type"]):
        read(**message)


JSON = st.recursive(st.none() | st.booleans() | st.text(), lambda inner: st.dictionaries(st.text(), inner)).map(json.dumps)


@given(st.text() | JSON)
def test_whatever_comes_is_a_message_nothing_or_refused(text: str) -> None:
    with contextlib.suppress(UnreadableMessage):
        read_relay_message(text)


def test_what_we_send_has_the_fields_that_twilio_knows_and_no_more() -> None:
    first = json.loads(relay.text("Hello. ", last=False, interruptible=True))
    assert first == {"type": "text", "token": "Hello. ", "last": False}
    assert json.loads(relay.text("Héllo", last=True, interruptible=False)) == {
        "type": "text",
        "token": "Héllo",
        "last": True,
        "interruptible": False,
    }
    assert json.loads(relay.send_digits("1w#")) == {"type": "sendDigits", "digits": "1w#"}
    assert json.loads(relay.play("https://example.com/a.mp3", loop=2)) == {
        "type": "play",
        "source": "https://example.com/a.mp3",
        "loop": 2,
    }
    assert json.loads(relay.language(tts="sv-SE", transcription=None)) == {"type": "language", "ttsLanguage": "sv-SE"}
    assert json.loads(relay.language(tts=None, transcription="da-DK")) == {"type": "language", "transcriptionLanguage": "da-DK"}
    assert json.loads(relay.end()) == {"type": "end"}


@given(st.dictionaries(st.text(), st.integers() | st.text() | st.lists(st.booleans()), max_size=5))
def test_what_a_session_ends_with_comes_back_as_it_was(data: dict[str, Any]) -> None:
    sent = json.loads(relay.end(data))

    ended = session_end({"SessionId": "VX1", "SessionStatus": "ended", "HandoffData": sent["handoffData"]})

    assert ended == SessionEnd("VX1", None, data)


def test_the_end_of_a_session_is_in_the_fields_of_its_action() -> None:
    assert session_end({"CallSid": "CA1"}) is None
    assert session_end({"SessionId": "VX1", "ErrorCode": "64105", "HandoffData": ""}) == SessionEnd("VX1", "64105", None)
    assert session_end({"SessionId": "VX1", "HandoffData": "[1]"}) == SessionEnd("VX1", None, None)
