"""The person in a relay session: what interrupts whom, what is reported, and what they hear instead."""

from typing import Any

import pytest
import requests
from twilio.rest import Client

from local.twilio.receiver import Receiver, twiml
from local.twilio.standin import TwilioStandIn
from local.twilio.voice.handset import CallEnded
from local.twilio.voice.phones import Answers

from .account import NUMBER, PERSON
from .relays import ALL_EVENTS, begin, connect, prompts
from .sockets import SocketServer

LONG = "Word after word. " * 60  # over a minute of the call
KEYS = 'dtmfDetection="true"'
PLAY = {"type": "play", "source": "https://example.com/hold.mp3"}


@pytest.mark.parametrize(
    ("attributes", "token", "speech_interrupts", "keys_interrupt"),
    [
        ("", {}, True, True),
        ('interruptible="any"', {}, True, True),
        ('interruptible="true"', {}, True, True),
        ('interruptible="speech"', {}, True, False),
        ('interruptible="dtmf"', {}, False, True),
        ('interruptible="none"', {}, False, False),
        ('interruptible="false"', {}, False, False),
        ("", {"interruptible": False}, False, False),
        ('interruptible="none"', {"interruptible": True}, True, True),
        ('interruptible="speech"', {"interruptible": True}, True, False),
    ],
)
def test_who_may_interrupt_is_said_by_the_noun_and_by_every_token(
    twilio: TwilioStandIn,
    webhook: Receiver,
    ours: SocketServer,
    attributes: str,
    token: dict[str, bool],
    speech_interrupts: bool,
    keys_interrupt: bool,
) -> None:
    came = []
    for index, act in enumerate(("say", "press")):
        webhook.pages["/voice"] = twiml(connect(ours, f"{KEYS} {attributes}"))
        call = twilio.call_in(PERSON)
        connection = ours.connection(index)
        connection.say("Word after word. " * 20, **token)
        call.hears()
        getattr(call, act)("1")
        connection.say("And another.")
        call.wait_until_spoken("And another.")
        call.say("Done")
        while prompts(connection)[-1:] != ["Done"]:
            connection.wait_for("prompt", len(prompts(connection)) + 1)
        came.append((len(connection.of("interrupt")), len(prompts(connection)[:-1] + connection.of("dtmf"))))

    assert came == [(int(speech_interrupts),) * 2, (int(keys_interrupt),) * 2]


@pytest.mark.parametrize(
    ("reports", "expected"),
    [("none", []), ("speech", ["prompt"]), ("dtmf", ["dtmf"]), ("any", ["prompt", "dtmf"])],
)
def test_input_that_does_not_interrupt_is_reported_where_it_is_to_be(
    twilio: TwilioStandIn, webhook: Receiver, ours: SocketServer, reports: str, expected: list[str]
) -> None:
    call, connection = begin(
        twilio, webhook, ours, f'{KEYS} interruptible="none" reportInputDuringAgentSpeech="{reports}" partialPrompts="true"'
    )
    connection.say(LONG)
    call.hears()
    call.say("Wait")
    call.press("1")
    call.wait_until_spoken()
    call.say("Now")
    connection.wait_for("prompt", 2 + 2 * ("prompt" in expected))
    came = [message["type"] for message in connection.messages if message["type"] not in {"setup", "prompt"}]

    assert prompts(connection) == (["Wait"] if "prompt" in expected else []) + ["Now"]
    assert came == (["dtmf"] if "dtmf" in expected else [])
    assert call.relay.spoken == ["Word after word."] * 60


def test_words_that_last_longer_than_what_may_not_be_interrupted_are_heard(
    twilio: TwilioStandIn, webhook: Receiver, ours: SocketServer
) -> None:
    call, connection = begin(twilio, webhook, ours, f'welcomeGreeting="{LONG}" welcomeGreetingInterruptible="none"')
    call.hears()
    call.say("question " * 150)
    connection.wait_for("prompt")

    assert connection.of("interrupt") == []
    assert call.relay.spoken == ["Word after word."] * 60


def test_a_greeting_has_its_own_say_in_who_interrupts_it(twilio: TwilioStandIn, webhook: Receiver, ours: SocketServer) -> None:
    call, connection = begin(twilio, webhook, ours, f'welcomeGreeting="{LONG}" interruptible="none"')
    call.hears()
    call.say("Hi")

    assert len(connection.wait_for("interrupt")) == 1


def test_a_reply_that_begins_while_the_person_speaks_is_interrupted(
    twilio: TwilioStandIn, webhook: Receiver, ours: SocketServer
) -> None:
    call, connection = begin(twilio, webhook, ours, 'partialPrompts="true"')
    call.say("one two three four five " * 40)
    connection.wait_for("prompt")
    connection.say(LONG)
    connection.wait_for("interrupt")

    assert prompts(connection) == []
    assert len(call.relay.spoken) < 60


def test_a_reply_that_may_not_be_interrupted_outlasts_the_one_that_was(
    twilio: TwilioStandIn, webhook: Receiver, ours: SocketServer
) -> None:
    call, connection = begin(twilio, webhook, ours)
    connection.say(LONG)
    connection.say("This call may be recorded by us for training.", interruptible=False)
    connection.say("How are you?")
    call.hears()
    call.say("I know that")
    connection.wait_for("interrupt")

    assert call.wait_until_spoken("recorded")[-1] == "This call may be recorded by us for training."
    connection.wait_for("prompt")
    assert prompts(connection) == ["I know that"]
    assert "How are you?" not in call.transcript


def test_a_sentence_is_as_interruptible_as_its_strictest_token(
    twilio: TwilioStandIn, webhook: Receiver, ours: SocketServer
) -> None:
    call, connection = begin(twilio, webhook, ours)
    connection.say("This call ", last=False, interruptible=False)
    connection.say("may be recorded " * 60)
    call.hears()
    call.say("Stop")
    call.wait_until_spoken("recorded")

    assert connection.of("interrupt") == []


def test_tokens_that_come_after_an_interruption_are_spoken(
    twilio: TwilioStandIn, webhook: Receiver, ours: SocketServer
) -> None:
    call, connection = begin(twilio, webhook, ours)
    connection.say(LONG + "Half of a", last=False)
    call.hears()
    call.say("Stop")
    connection.wait_for("interrupt")
    connection.say("Late words.")

    assert call.wait_until_spoken("Late")[-1] == "Late words."


@pytest.mark.parametrize("follower", [{"type": "text", "token": "News.", "last": True}, PLAY])
def test_a_preemptible_reply_gives_way_to_the_next(
    twilio: TwilioStandIn, webhook: Receiver, ours: SocketServer, follower: dict[str, Any]
) -> None:
    call, connection = begin(twilio, webhook, ours)
    connection.say(LONG, preemptible=True)
    call.hears()
    connection.send(follower)
    while (heard := call.hears()) == "Word after word.":
        pass

    assert heard in {"News.", "[play https://example.com/hold.mp3]"}
    assert connection.of("interrupt") == []
    assert len(call.relay.spoken) < 60
    assert "(is replaced by the next reply)" in call.transcript


def test_without_preemptible_replies_follow_one_another(twilio: TwilioStandIn, webhook: Receiver, ours: SocketServer) -> None:
    call, connection = begin(twilio, webhook, ours, 'preemptible="true"')
    connection.say(LONG, preemptible=False)
    call.hears()
    connection.say("News.")

    assert call.wait_until_spoken("News.") == ["Word after word."] * 60 + ["News."]


def test_who_speaks_is_told_in_the_order_in_which_they_do(twilio: TwilioStandIn, webhook: Receiver, ours: SocketServer) -> None:
    call, connection = begin(twilio, webhook, ours, ALL_EVENTS)
    connection.say(LONG)
    call.hears()
    call.say("Stop")
    connection.wait_for("prompt")
    told = [
        (message.get("name", message["type"]), message.get("value"))
        for message in connection.messages[1:]
        if message.get("name") != "tokensPlayed"
    ]

    assert told == [
        ("agentSpeaking", "on"),
        ("clientSpeaking", "on"),
        ("agentSpeaking", "off"),
        ("interrupt", None),
        ("clientSpeaking", "off"),
        ("prompt", None),
    ]


def test_debug_subscribes_to_events_too(twilio: TwilioStandIn, webhook: Receiver, ours: SocketServer) -> None:
    call, connection = begin(twilio, webhook, ours, 'debug="debugging tokens-played"')
    connection.say("Hello, you.")
    call.wait_until_spoken("Hello")
    words = connection.wait_for("info", 2)

    assert words == [
        {"type": "info", "name": "tokensPlayed", "value": "Hello,"},
        {"type": "info", "name": "tokensPlayed", "value": "you."},
    ]


@pytest.mark.parametrize(("attribute", "expected"), [("", []), ('partialPromptOnHangup="true"', ["I was about to"])])
def test_half_a_sentence_is_a_prompt_on_hang_up_where_it_is_to_be(
    twilio: TwilioStandIn, webhook: Receiver, ours: SocketServer, attribute: str, expected: list[str]
) -> None:
    call, connection = begin(twilio, webhook, ours, f'partialPrompts="true" {attribute}')
    call.say("I was about to" + " stutter" * 200)
    connection.wait_for("prompt", 5)
    call.hang_up()
    connection.wait_until_closed()

    assert [words[:14] for words in prompts(connection)] == expected


def test_a_script_speaks_when_it_is_its_turn(client: Client, twilio: TwilioStandIn, ours: SocketServer) -> None:
    twilio.phones[PERSON] = Answers(script=[{"say": "Hello"}, {"press": "1"}, {"say": "Thanks"}, {"hang_up": True}])
    attributes = f'{KEYS} welcomeGreeting="Hello there. How can I help?"'
    client.calls.create(to=PERSON, from_=NUMBER, twiml=f"<Response>{connect(ours, attributes)}</Response>")
    connection = ours.connection()
    connection.wait_for("prompt")
    connection.say("Press 1. ", last=False)
    connection.say("Please.")
    connection.wait_for("dtmf")
    connection.say("Done.")
    connection.wait_for("prompt", 2)
    connection.say("You are welcome.")
    call = twilio.wait_for_call(PERSON)
    call.wait_until_ended()

    assert prompts(connection) == ["Hello", "Thanks"]
    assert connection.of("interrupt") == []
    assert call.relay.spoken[-1] == "You are welcome."


def test_a_script_may_speak_first(client: Client, twilio: TwilioStandIn, ours: SocketServer) -> None:
    twilio.phones[PERSON] = Answers(script=[{"say": "Hello?"}])
    client.calls.create(to=PERSON, from_=NUMBER, twiml=f"<Response>{connect(ours)}</Response>")
    ours.connection().wait_for("prompt")

    assert prompts(ours.connection()) == ["Hello?"]


def test_a_relayed_call_can_be_driven_over_http(twilio: TwilioStandIn, webhook: Receiver, ours: SocketServer) -> None:
    call, connection = begin(twilio, webhook, ours)
    url = f"{twilio.url}/_standin/calls/{call.sid}"
    requests.post(url, json={"say": "Hello?"}, timeout=10)
    connection.wait_for("prompt")
    connection.say("Hello!")
    call.wait_until_spoken("Hello!")
    [relay] = requests.get(url, timeout=10).json()["relays"]

    assert (relay["spoken"], relay["ended"], relay["gateway_errors"], relay["invalid"]) == (["Hello!"], None, 0, [])
    assert [(way, message["type"]) for _, way, message in relay["log"]] == [
        ("sent", "setup"),
        ("sent", "prompt"),
        ("received", "text"),
    ]
    assert '"relays"' in requests.get(f"{twilio.url}/_standin", timeout=10).text


def test_an_ended_call_has_no_session_to_wait_for(twilio: TwilioStandIn, webhook: Receiver) -> None:
    webhook.pages["/voice"] = twiml("<Say>Bye.</Say>")
    call = twilio.call_in(PERSON)
    call.wait_until_ended()

    with pytest.raises(CallEnded):
        call.wait_for_relay()
    with pytest.raises(LookupError):
        _ = call.relay
