"""ConversationRelay as Twilio speaks it: the handshake, the messages both ways, the end, and what the document does then."""

import pytest
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from local.twilio.receiver import Receiver, twiml
from local.twilio.standin import TwilioStandIn

from .account import ACCOUNT, NUMBER, PERSON, TOKEN
from .relays import AFTER, ALL_EVENTS, begin, codes, connect
from .sockets import SocketServer

ACTION = 'action="/done"'


def ending(webhook: Receiver) -> dict[str, str]:
    """What the action was told of the session."""
    [request] = webhook.at("/done")
    names = ("SessionStatus", "HandoffData", "ErrorCode", "ErrorMessage", "CallStatus")
    return {name: request.fields[name] for name in names if name in request.fields}


def test_the_handshake_is_signed_over_the_url_with_its_query(
    twilio: TwilioStandIn, webhook: Receiver, ours: SocketServer
) -> None:
    webhook.pages["/voice"] = twiml(connect(ours).replace("/live", "/live?leg=0&amp;b=1"))
    twilio.call_in(PERSON)
    connection = ours.connection()
    headers = {name.lower(): value for name, value in connection.headers.items()}

    assert connection.path == "/live?leg=0&b=1"
    assert RequestValidator(TOKEN).validate(f"{ours.url}/live?leg=0&b=1", {}, headers["x-twilio-signature"])


def test_a_session_begins_with_setup(twilio: TwilioStandIn, webhook: Receiver, ours: SocketServer) -> None:
    call, connection = begin(twilio, webhook, ours, inner='<Parameter name="token" value="a&amp;b"/>')
    [setup] = connection.messages

    assert setup == {
        "type": "setup",
        "sessionId": setup["sessionId"],
        "accountSid": ACCOUNT,
        "parentCallSid": "",
        "callSid": call.sid,
        "from": PERSON,
        "to": NUMBER,
        "forwardedFrom": "",
        "callType": "PSTN",
        "callerName": "",
        "direction": "inbound",
        "callStatus": "RINGING",
        "customParameters": {"token": "a&b"},
    }
    assert setup["sessionId"].startswith("VX")
    assert (call.relay.sid, call.relay.parameters) == (setup["sessionId"], {"token": "a&b"})


def test_a_call_of_ours_is_in_progress_when_its_session_begins(client: Client, ours: SocketServer) -> None:
    client.calls.create(to=PERSON, from_=NUMBER, twiml=f"<Response>{connect(ours)}</Response>")
    [setup] = ours.connection().wait_for("setup")

    assert (setup["direction"], setup["callStatus"]) == ("outbound-api", "IN-PROGRESS")


def test_what_the_person_says_is_a_prompt(twilio: TwilioStandIn, webhook: Receiver, ours: SocketServer) -> None:
    call, connection = begin(twilio, webhook, ours, 'language="sv-SE"')
    call.say("What are your opening hours?")
    [prompt] = connection.wait_for("prompt")

    assert prompt == {"type": "prompt", "voicePrompt": "What are your opening hours?", "lang": "sv-SE", "last": True}


@pytest.mark.parametrize(("attribute", "silence"), [("", 1.0), ('speechTimeout="5000"', 5.0)])
def test_a_prompt_comes_when_the_words_are_said_and_a_silence_is_over(
    twilio: TwilioStandIn, webhook: Receiver, ours: SocketServer, attribute: str, silence: float
) -> None:
    call, _ = begin(twilio, webhook, ours, f"{ALL_EVENTS} {attribute}")
    call.say("x" * 149)
    call.wait_for_relay_message("prompt")
    began, ended, prompt = call.relay.entries("info") + call.relay.entries("prompt")

    assert (began.message["name"], began.message["value"], ended.message["value"]) == ("clientSpeaking", "on", "off")
    assert ended.at - began.at >= 9.9
    assert prompt.at - ended.at >= silence - 0.1


def test_partial_prompts_grow_word_by_word(twilio: TwilioStandIn, webhook: Receiver, ours: SocketServer) -> None:
    call, connection = begin(twilio, webhook, ours, 'partialPrompts="true"')
    call.say("Thank you for calling.")
    came = [(prompt["voicePrompt"], prompt["last"]) for prompt in connection.wait_for("prompt", 5)]

    assert came == [
        ("Thank", False),
        ("Thank you", False),
        ("Thank you for", False),
        ("Thank you for calling.", False),
        ("Thank you for calling.", True),
    ]


def test_tokens_are_spoken_sentence_by_sentence_as_they_come(
    twilio: TwilioStandIn, webhook: Receiver, ours: SocketServer
) -> None:
    call, connection = begin(twilio, webhook, ours)
    for token in ("We are open", " from 9.30", " to five. ", "Except"):
        connection.say(token, last=False)
    first = call.hears()
    connection.say(" on Sundays!")
    connection.say("A second reply, without an end")

    assert [first, call.hears(), call.hears()] == [
        "We are open from 9.30 to five.",
        "Except on Sundays!",
        "A second reply, without an end",
    ]
    assert (
        call.wait_until_spoken("second") == call.relay.spoken == [first, "Except on Sundays!", "A second reply, without an end"]
    )


def test_speech_takes_the_time_that_it_takes_to_say(twilio: TwilioStandIn, webhook: Receiver, ours: SocketServer) -> None:
    call, connection = begin(twilio, webhook, ours, ALL_EVENTS)
    connection.say("x" * 150 + ", " + "y" * 149 + ".")
    call.wait_for_relay_message("info", 4)
    infos = call.relay.entries("info")

    assert [(entry.message["name"], entry.message["value"][0]) for entry in infos] == [
        ("agentSpeaking", "o"),
        ("tokensPlayed", "x"),
        ("tokensPlayed", "y"),
        ("agentSpeaking", "o"),
    ]
    assert infos[0].message["value"] == "on"
    assert infos[-1].message["value"] == "off"
    assert infos[1].at - infos[0].at >= 10
    assert infos[2].at - infos[1].at >= 10
    assert infos[-1].message["ts"] > infos[0].message["ts"] > 1.7e12


def test_nothing_but_the_conversation_is_told_without_events(
    twilio: TwilioStandIn, webhook: Receiver, ours: SocketServer
) -> None:
    call, connection = begin(twilio, webhook, ours)
    connection.say("Hello.")
    call.wait_until_spoken("Hello")
    call.say("Hello.")
    connection.wait_for("prompt")

    assert connection.of("info") == []


def test_who_speaks_interrupts_and_what_was_to_follow_is_never_heard(
    twilio: TwilioStandIn, webhook: Receiver, ours: SocketServer
) -> None:
    call, connection = begin(twilio, webhook, ours)
    connection.say("Short. " + "Word after word. " * 50)
    connection.say("Another reply.")
    assert call.hears() == "Short."
    assert call.hears() == "Word after word."
    call.say("Stop")
    [interrupt] = connection.wait_for("interrupt")
    connection.wait_for("prompt")
    record = call.relay

    assert [message["type"] for message in connection.messages] == ["setup", "interrupt", "prompt"]
    assert interrupt["utteranceUntilInterrupt"].startswith("Short.")
    assert interrupt["utteranceUntilInterrupt"] == " ".join(record.spoken)
    assert len(record.spoken) < 40
    assert isinstance(interrupt["durationUntilInterruptMs"], int)
    assert 300 < interrupt["durationUntilInterruptMs"] < record.now * 1000
    assert record.waiting == 0
    assert "Another reply." not in call.transcript
    assert "(is interrupted)" in call.transcript


def test_an_interruption_tells_the_words_that_were_heard(twilio: TwilioStandIn, webhook: Receiver, ours: SocketServer) -> None:
    call, connection = begin(twilio, webhook, ours)
    sentence = " ".join(["word"] * 400)
    connection.say(sentence)
    call.hears()
    call.say("Stop")
    [interrupt] = connection.wait_for("interrupt")
    heard = interrupt["utteranceUntilInterrupt"]

    assert sentence.startswith(heard)
    assert heard == heard.strip() != sentence
    assert abs(len(heard) / 15 * 1000 - interrupt["durationUntilInterruptMs"]) <= 6 / 15 * 1000


def test_replies_after_an_interruption_are_spoken(twilio: TwilioStandIn, webhook: Receiver, ours: SocketServer) -> None:
    call, connection = begin(twilio, webhook, ours)
    connection.say("Word after word. " * 50)
    call.hears()
    call.say("Stop")
    connection.wait_for("prompt")
    connection.say("Very well.")

    assert call.wait_until_spoken("Very well.")[-1] == "Very well."


def test_keys_are_messages_where_they_are_detected(twilio: TwilioStandIn, webhook: Receiver, ours: SocketServer) -> None:
    call, connection = begin(twilio, webhook, ours, 'dtmfDetection="true"')
    call.press("1#")

    assert connection.wait_for("dtmf", 2) == [{"type": "dtmf", "digit": "1"}, {"type": "dtmf", "digit": "#"}]


def test_keys_are_nothing_where_they_are_not(twilio: TwilioStandIn, webhook: Receiver, ours: SocketServer) -> None:
    call, connection = begin(twilio, webhook, ours)
    connection.say("Word after word. " * 50)
    call.hears()
    call.press("1")
    call.say("Stop")
    connection.wait_for("prompt")

    assert connection.of("dtmf") == []
    assert len(connection.of("interrupt")) == 1


def test_the_greeting_is_spoken_first(twilio: TwilioStandIn, webhook: Receiver, ours: SocketServer) -> None:
    call, connection = begin(twilio, webhook, ours, 'welcomeGreeting="Hello there. How can I help?"')
    connection.say("Indeed.")

    assert call.wait_until_spoken("Indeed") == ["Hello there.", "How can I help?", "Indeed."]


def test_audio_and_keys_are_played_in_their_turn(twilio: TwilioStandIn, webhook: Receiver, ours: SocketServer) -> None:
    call, connection = begin(twilio, webhook, ours)
    connection.say("Hold on.")
    connection.send({"type": "play", "source": "https://example.com/hold.mp3", "loop": 2})
    connection.send({"type": "sendDigits", "digits": "9w1#"})
    connection.say("Done.")

    assert [call.hears() for _ in range(5)] == [
        "Hold on.",
        "[play https://example.com/hold.mp3]",
        "[play https://example.com/hold.mp3]",
        "[play digits 9w1#]",
        "Done.",
    ]


def test_a_loop_of_0_goes_on_until_somebody_speaks(twilio: TwilioStandIn, webhook: Receiver, ours: SocketServer) -> None:
    call, connection = begin(twilio, webhook, ours)
    connection.send({"type": "play", "source": "https://example.com/hold.mp3", "loop": 0})
    for _ in range(5):
        call.hears()
    call.say("Stop")
    [interrupt] = connection.wait_for("interrupt")

    assert interrupt["utteranceUntilInterrupt"] == ""
    assert interrupt["durationUntilInterruptMs"] >= 8000


def test_the_language_of_prompts_can_be_changed(twilio: TwilioStandIn, webhook: Receiver, ours: SocketServer) -> None:
    call, connection = begin(twilio, webhook, ours)
    connection.send({"type": "language", "ttsLanguage": "sv-SE"})
    connection.send({"type": "language", "transcriptionLanguage": "es-ES"})
    call.wait_for_relay_message("language", 2, way="received")
    call.say("Hola")

    assert connection.wait_for("prompt")[0]["lang"] == "es-ES"


def test_end_goes_on_at_the_action_with_its_data(twilio: TwilioStandIn, webhook: Receiver, ours: SocketServer) -> None:
    webhook.pages["/done"] = twiml("<Say>Done.</Say>")
    call, connection = begin(twilio, webhook, ours, action=ACTION)
    connection.say("Never heard to its end, because the end comes at once.")
    connection.send({"type": "end", "handoffData": '{"reason":"live-agent"}'})

    while (heard := call.hears()) != "Done.":
        assert heard.startswith("Never")
    assert connection.wait_until_closed() == 1000
    assert ending(webhook) == {
        "SessionStatus": "ended",
        "HandoffData": '{"reason":"live-agent"}',
        "CallStatus": "in-progress",
    }
    fields = webhook.at("/done")[0].fields
    assert (fields["AccountSid"], fields["CallSid"], fields["SessionId"]) == (ACCOUNT, call.sid, call.relay.sid)
    assert fields["SessionDuration"].isdecimal()
    assert call.relay.spoken == []
    assert codes(twilio) == []


def test_without_an_action_the_next_verb_follows(twilio: TwilioStandIn, webhook: Receiver, ours: SocketServer) -> None:
    call, connection = begin(twilio, webhook, ours)
    connection.send({"type": "end"})

    assert call.hears() == "After."
    assert call.wait_until_relay_ended() == "ended"


def test_a_hang_up_completes_the_session_and_the_action_is_told(
    twilio: TwilioStandIn, webhook: Receiver, ours: SocketServer
) -> None:
    call, connection = begin(twilio, webhook, ours, action=ACTION)
    call.hang_up()
    call.wait_until_ended()
    twilio.settle()

    assert connection.wait_until_closed() == 1000
    assert ending(webhook) == {"SessionStatus": "completed", "CallStatus": "completed"}
    assert call.wait_until_relay_ended() == "completed"


def test_the_api_ends_a_session_with_its_call(
    twilio: TwilioStandIn, webhook: Receiver, ours: SocketServer, client: Client
) -> None:
    call, connection = begin(twilio, webhook, ours, action=ACTION)
    client.calls(call.sid).update(status="completed")
    twilio.settle()

    assert connection.wait_until_closed() == 1000
    assert ending(webhook) == {"SessionStatus": "completed", "CallStatus": "completed"}


def test_the_api_takes_a_call_out_of_its_session(
    twilio: TwilioStandIn, webhook: Receiver, ours: SocketServer, client: Client
) -> None:
    call, connection = begin(twilio, webhook, ours, action=ACTION)
    connection.say("Word after word. " * 50)
    call.hears()
    client.calls(call.sid).update(twiml='<Response><Say>Elsewhere.</Say><Pause length="600"/></Response>')
    while call.hears() != "Elsewhere.":
        pass

    assert connection.wait_until_closed() == 1000
    assert call.wait_until_relay_ended() == "redirected"
    assert call.status == "in-progress"
    call.hang_up()
    call.wait_until_ended()
    twilio.settle()
    assert webhook.at("/done") == []


def test_a_call_whose_time_is_over_completes_its_session(
    twilio: TwilioStandIn, webhook: Receiver, ours: SocketServer, client: Client
) -> None:
    created = client.calls.create(
        to=PERSON, from_=NUMBER, twiml='<Response><Say>Wait.</Say><Pause length="600"/></Response>', time_limit=200
    )
    call = twilio.wait_for_call(PERSON)
    call.hears()
    action = f'action="{webhook.url}/done"'
    client.calls(str(created.sid)).update(twiml=f"<Response>{connect(ours, action=action)}</Response>")
    connection = ours.connection()
    call.wait_until_ended()
    twilio.settle()

    assert connection.wait_until_closed() == 1000
    assert ending(webhook) == {"SessionStatus": "completed", "CallStatus": "completed"}


def test_a_socket_that_our_side_closes_is_an_error(twilio: TwilioStandIn, webhook: Receiver, ours: SocketServer) -> None:
    call, connection = begin(twilio, webhook, ours, action=ACTION)
    connection.close()
    call.wait_until_ended()

    assert ending(webhook) == {
        "SessionStatus": "failed",
        "ErrorCode": "64105",
        "ErrorMessage": "the socket was closed with 1000",
        "CallStatus": "in-progress",
    }
    assert [(alert.code, alert.text) for alert in twilio.alerts] == [(64105, "ConversationRelay: Websocket ended")]


def test_a_lost_socket_goes_on_with_the_next_verb_where_there_is_no_action(
    twilio: TwilioStandIn, webhook: Receiver, ours: SocketServer
) -> None:
    call, connection = begin(twilio, webhook, ours)
    connection.cut()

    assert call.hears() == "After."
    assert call.wait_until_relay_ended() == "failed"
    assert codes(twilio) == [64105]


def test_a_refused_handshake_is_an_error(twilio: TwilioStandIn, webhook: Receiver, ours: SocketServer) -> None:
    ours.refuses_with = 403
    webhook.pages["/voice"] = twiml(connect(ours, action=ACTION, attributes='applicationReconnect="true"'))
    call = twilio.call_in(PERSON)
    call.wait_until_ended()

    assert ending(webhook) == {
        "SessionStatus": "failed",
        "ErrorCode": "64102",
        "ErrorMessage": "answered 403",
        "CallStatus": "in-progress",
    }
    assert len(ours.requests) == 1
    assert call.relays == []


def test_documents_that_only_fail_to_connect_end_at_last(twilio: TwilioStandIn, webhook: Receiver, ours: SocketServer) -> None:
    ours.refuses_with = 403
    webhook.pages["/voice"] = twiml(connect(ours).replace(AFTER, "<Redirect>/voice</Redirect>"))
    call = twilio.call_in(PERSON)

    assert call.wait_until_ended(timeout=20) == "completed"
    assert 100 <= len(ours.requests) <= 102
