"""How strictly the stand-in reads what a relay session is made of: TwiML, and the messages of our side."""

import inspect
import re
from typing import Any

import pytest
from twilio.twiml.voice_response import Connect, ConversationRelay

from local.twilio.receiver import Receiver, twiml
from local.twilio.standin import TwilioStandIn
from local.twilio.voice.schema import SCHEMA

from .account import PERSON
from .relays import begin, codes, connect
from .sockets import SocketServer

GATEWAY_ERROR = {"message": "Internal server error", "connectionId": "abc=", "requestId": "def="}


@pytest.mark.parametrize(
    ("element", "method"),
    [("ConversationRelay", Connect.conversation_relay), ("Language", ConversationRelay.language)],
)
def test_all_attributes_of_the_helper_library_are_known(element: str, method: Any) -> None:
    names = set(inspect.signature(method).parameters) - {"self", "kwargs"}
    attributes = {re.sub(r"_([a-z])", lambda match: match[1].upper(), name) for name in names}

    assert attributes <= SCHEMA[element].attributes


def test_a_document_that_the_helper_library_writes_raises_no_alert(
    twilio: TwilioStandIn, webhook: Receiver, ours: SocketServer
) -> None:
    verb = Connect()
    relay = verb.conversation_relay(
        url=f"{ours.url}/live",
        welcome_greeting="Hello!",
        welcome_greeting_interruptible="speech",
        language="en-US",
        tts_provider="ElevenLabs",
        transcription_provider="deepgram",
        interruptible="true",
        interrupt_sensitivity="low",
        report_input_during_agent_speech="any",
        preemptible="true",
        dtmf_detection="true",
        partial_prompts="true",
        speechTimeout="600",
        events="speaker-events tokens-played",
        debug="debugging speaker-events",
        application_reconnect="true",
        hints="Twilio,AWS",
    )
    relay.language(code="es-ES", tts_provider="Google", voice="es-ES-Standard-A")
    relay.parameter(name="token", value="t")
    webhook.pages["/voice"] = twiml(verb.to_xml(xml_declaration=False))
    call = twilio.call_in(PERSON)

    assert call.hears() == "Hello!"
    assert codes(twilio) == []


@pytest.mark.parametrize(
    ("attributes", "inner", "complaint"),
    [
        ('greeting="Hello"', "", "<ConversationRelay> has no attribute greeting"),
        ("", '<Language lang="es-ES"/>', "<Language> has no attribute lang"),
        ("", "<Say>Hello</Say>", "<Say> is not allowed within <ConversationRelay>"),
        ('interruptible="sometimes"', "", "interruptible='sometimes'"),
        ('welcomeGreetingInterruptible="maybe"', "", "welcomeGreetingInterruptible='maybe'"),
        ('reportInputDuringAgentSpeech="all"', "", "reportInputDuringAgentSpeech='all'"),
        ('interruptSensitivity="extreme"', "", "interruptSensitivity='extreme'"),
        ('preemptible="yes"', "", "preemptible='yes'"),
        ('dtmfDetection="1"', "", "dtmfDetection='1'"),
        ('partialPrompts="on"', "", "partialPrompts='on'"),
        ('applicationReconnect="on"', "", "applicationReconnect='on'"),
        ('speechTimeout="599"', "", "speechTimeout='599'"),
        ('events="tokens-played everything"', "", "has everything"),
        ('debug="everything"', "", "has everything"),
        ("", '<Parameter name="" value="x"/>', "<Parameter> ''"),
    ],
)
def test_what_a_document_should_not_have_is_a_warning_and_the_session_begins(
    twilio: TwilioStandIn, webhook: Receiver, ours: SocketServer, attributes: str, inner: str, complaint: str
) -> None:
    begin(twilio, webhook, ours, attributes, inner)

    assert codes(twilio) == [12200]
    assert complaint in twilio.alerts[0].detail


@pytest.mark.parametrize(
    ("attributes", "inner", "code"),
    [
        ('ttsProvider="Acme"', "", 64101),
        ('transcriptionProvider="Acme"', "", 64101),
        ("", '<Language code="es-ES" ttsProvider="Acme"/>', 64101),
        ('url="https://example.com/live"', "", 11100),
        ('url="ws://example.com/live"', "", 11100),
    ],
)
def test_a_session_that_cannot_begin_fails(
    twilio: TwilioStandIn, webhook: Receiver, ours: SocketServer, attributes: str, inner: str, code: int
) -> None:
    document = connect(ours, attributes, inner, action='action="/done"')
    if attributes.startswith("url="):
        document = document.replace(f'url="{ours.url}/live" ', "")
    webhook.pages["/voice"] = twiml(document)
    twilio.call_in(PERSON).wait_until_ended()
    [request] = webhook.at("/done")

    assert codes(twilio) == [code]
    assert (request.fields["SessionStatus"], request.fields["ErrorCode"]) == ("failed", str(code))
    assert ours.requests == []


UNREADABLE: list[tuple[str, Any]] = [
    ("not JSON", "hello"),
    ("not an object", "[]"),
    ("a binary message", b"{}"),
    ("the type None", {"token": "Hello"}),
    ("the type 'say'", {"type": "say", "token": "Hello"}),
    ("text lacks token", {"type": "text", "last": True}),
    ("text has no field isFinal", {"type": "text", "token": "Hello", "isFinal": True}),
    ("text.token cannot be 1", {"type": "text", "token": 1}),
    ("text.last cannot be 'true'", {"type": "text", "token": "Hello", "last": "true"}),
    ("text.interruptible cannot be 'any'", {"type": "text", "token": "Hello", "interruptible": "any"}),
    ("play lacks source", {"type": "play"}),
    ("play.source cannot be 'hold.mp3'", {"type": "play", "source": "hold.mp3"}),
    ("play.loop cannot be True", {"type": "play", "source": "https://example.com/a.mp3", "loop": True}),
    ("play.loop cannot be -1", {"type": "play", "source": "https://example.com/a.mp3", "loop": -1}),
    ("sendDigits.digits cannot be '1a'", {"type": "sendDigits", "digits": "1a"}),
    ("sendDigits.digits cannot be ''", {"type": "sendDigits", "digits": ""}),
    ("language lacks ttsLanguage or transcriptionLanguage", {"type": "language"}),
    ("end.handoffData cannot be {}", {"type": "end", "handoffData": {}}),
    ("API Gateway's 'Internal server error'", GATEWAY_ERROR),
]


@pytest.mark.parametrize(("problem", "message"), UNREADABLE)
def test_what_twilio_cannot_read_is_told_in_both_places_and_dropped(
    twilio: TwilioStandIn, webhook: Receiver, ours: SocketServer, problem: str, message: Any
) -> None:
    call, connection = begin(twilio, webhook, ours)
    connection.send(message)
    [error] = connection.wait_for("error")
    connection.say("Still there.")
    call.wait_until_spoken("Still there.")

    assert error["description"].startswith("Invalid message received: ")
    assert call.relay.invalid == [problem]
    assert call.relay.gateway_errors == (message == GATEWAY_ERROR)
    assert [(alert.code, alert.text, alert.detail) for alert in twilio.alerts] == [
        (64107, "ConversationRelay: Invalid Message Received", problem)
    ]
    assert call.relay.spoken == ["Still there."]


def test_config_and_hints_are_noted(twilio: TwilioStandIn, webhook: Receiver, ours: SocketServer) -> None:
    call, connection = begin(twilio, webhook, ours)
    connection.send({"type": "config", "interruptible": "none"})
    connection.send({"type": "hints", "hints": "Twilio"})
    call.wait_for_relay_message("hints", way="received")

    assert call.relay.received("config") == [{"type": "config", "interruptible": "none"}]
    assert codes(twilio) == []


def test_ten_unreadable_messages_in_a_row_end_the_session(twilio: TwilioStandIn, webhook: Receiver, ours: SocketServer) -> None:
    call, connection = begin(twilio, webhook, ours, 'applicationReconnect="true"', action='action="/done"')
    for _ in range(9):
        connection.send(GATEWAY_ERROR)
    connection.say("Hello.")
    for _ in range(10):
        connection.send(GATEWAY_ERROR)

    assert connection.wait_until_closed() == 1007
    call.wait_until_ended()
    fields = webhook.at("/done")[0].fields
    assert (fields["SessionStatus"], fields["ErrorCode"]) == ("failed", "64105")
    assert codes(twilio) == [64107] * 19 + [64105]
    assert call.relay.gateway_errors == 19
    assert call.relay.connections == 1
