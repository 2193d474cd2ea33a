"""What each verb of TwiML does to the person on the phone, and what it tells the webhook."""

import time

import pytest
from twilio.rest import Client

from local.twilio.receiver import Receiver, twiml
from local.twilio.standin import TwilioStandIn
from local.twilio.voice.handset import PhoneCall
from local.twilio.voice.phones import Answers, Behaviour, Busy, Fails, NoAnswer

from .account import ACCOUNT, COLLEAGUE, NUMBER, PERSON, TOKEN, is_signed


def call_to(twilio: TwilioStandIn, webhook: Receiver, document: str) -> PhoneCall:
    webhook.pages["/voice"] = twiml(document)
    return twilio.call_in(PERSON)


def wait_until_connected(call: PhoneCall) -> None:
    while ("call", f"connected with {COLLEAGUE}") not in [entry[1:] for entry in call.log]:
        time.sleep(0.005)


def gather(attributes: str, prompts: str = "<Say>Well?</Say>") -> str:
    return f'<Gather action="/answer" {attributes}>{prompts}</Gather><Say>Nothing.</Say>'


def test_play_and_say_can_be_repeated(twilio: TwilioStandIn, webhook: Receiver) -> None:
    call = call_to(
        twilio, webhook, '<Say loop="2">Hi</Say><Play loop="1">music/a.mp3</Play><Pause/><Play digits="1w2"/><Say>Bye</Say>'
    )

    assert [call.hears() for _ in range(5)] == ["Hi", "Hi", f"[play {webhook.url}/music/a.mp3]", "[play digits 1w2]", "Bye"]
    assert ("twilio", "[pause 1]") in [entry[1:] for entry in call.log]


def test_an_endless_loop_ends_with_the_call(twilio: TwilioStandIn, webhook: Receiver) -> None:
    call = call_to(twilio, webhook, '<Say loop="0">Please hold the line.</Say>')
    for _ in range(3):
        assert call.hears() == "Please hold the line."
    call.hang_up()

    assert call.wait_until_ended() == "completed"


def test_speaking_takes_as_long_as_the_words_are_long(webhook: Receiver) -> None:
    with TwilioStandIn(ACCOUNT, TOKEN, [NUMBER], voice_url=f"{webhook.url}/voice", time_scale=0.1) as twilio:
        call = call_to(twilio, webhook, f"<Say>{'x' * 45}</Say>")
        call.wait_until_ended()
        began, ended = (when for when, who, what in call.log if what in {"x" * 45, "completed"})

    assert 3 <= ended - began < 6


@pytest.mark.parametrize(
    ("attributes", "keys", "digits", "finished_on"),
    [
        ("", "12#", "12", "#"),
        ('finishOnKey="*"', "1#2*", "1#2", "*"),
        ('numDigits="3"', "123", "123", ""),
        ('numDigits="2" input="dtmf speech"', "12", "12", ""),
    ],
)
def test_keys_are_gathered_until_the_last_one(
    twilio: TwilioStandIn, webhook: Receiver, attributes: str, keys: str, digits: str, finished_on: str
) -> None:
    call = call_to(twilio, webhook, gather(attributes))
    call.hears()
    call.press(keys)
    call.wait_until_ended()
    [request] = webhook.at("/answer")

    assert (request.fields["Digits"], request.fields["FinishedOnKey"]) == (digits, finished_on)
    assert "SpeechResult" not in request.fields
    assert is_signed(request, webhook.url)


def test_without_a_last_key_the_gather_waits_for_more_until_there_is_silence(twilio: TwilioStandIn, webhook: Receiver) -> None:
    call = call_to(twilio, webhook, gather('finishOnKey=""'))
    call.press("1#")
    call.press("2")
    call.silence()
    call.wait_until_ended()

    assert webhook.at("/answer")[0].fields["Digits"] == "1#2"


def test_keys_pressed_ahead_are_left_for_the_next_gather(twilio: TwilioStandIn, webhook: Receiver) -> None:
    webhook.pages["/answer"] = twiml(gather('numDigits="1"').replace("/answer", "/second"))
    call = call_to(twilio, webhook, gather('numDigits="1"'))
    call.press("12")
    call.wait_until_ended()

    assert [webhook.at(path)[0].fields["Digits"] for path in ("/answer", "/second")] == ["1", "2"]


@pytest.mark.parametrize("done", ["silence", "finish key"])
def test_silence_goes_on_with_the_next_verb(twilio: TwilioStandIn, webhook: Receiver, done: str) -> None:
    call = call_to(twilio, webhook, gather(""))
    call.hears()
    call.silence() if done == "silence" else call.press("#")

    assert call.hears() == "Nothing."
    assert webhook.at("/answer") == []


def test_an_empty_result_can_be_asked_for(twilio: TwilioStandIn, webhook: Receiver) -> None:
    call = call_to(twilio, webhook, gather('actionOnEmptyResult="true" input="speech dtmf"'))
    call.silence()
    call.wait_until_ended()
    [request] = webhook.at("/answer")

    assert (request.fields["Digits"], request.fields["FinishedOnKey"]) == ("", "")
    assert "SpeechResult" not in request.fields


def test_a_gather_without_an_action_asks_its_own_document(twilio: TwilioStandIn, webhook: Receiver) -> None:
    webhook.answers = [twiml('<Gather input="speech" method="GET"><Say>Well?</Say></Gather>')]
    twilio.voice_url = f"{webhook.url}/menu?level=1"
    call = twilio.call_in(PERSON)
    call.hears()
    call.say("Sales")
    call.wait_until_ended()

    assert webhook.requests[1].method == "GET"
    assert webhook.requests[1].path.startswith("/menu?level=1&CallSid=")
    assert webhook.requests[1].fields["SpeechResult"] == "Sales"
    assert is_signed(webhook.requests[1], webhook.url)


def test_a_person_may_interrupt_the_prompts(twilio: TwilioStandIn, webhook: Receiver) -> None:
    call = call_to(twilio, webhook, gather('input="speech"', "<Say>First</Say><Pause length='3600'/><Say>Never said</Say>"))
    assert call.hears() == "First"
    call.say("Sales")
    call.wait_until_ended()

    assert webhook.at("/answer")[0].fields["SpeechResult"] == "Sales"
    assert ("twilio", "(is interrupted)") in [entry[1:] for entry in call.log]
    assert "Never said" not in call.transcript


def test_prompts_that_may_not_be_interrupted_are_heard_to_the_end(twilio: TwilioStandIn, webhook: Receiver) -> None:
    call = call_to(
        twilio, webhook, gather('input="speech" bargeIn="false"', "<Say>First</Say><Pause length='30'/><Say>Second</Say>")
    )
    assert call.hears() == "First"
    call.say("Sales")

    assert call.hears() == "Second"
    call.wait_until_ended()
    assert webhook.at("/answer")[0].fields["SpeechResult"] == "Sales"


def test_what_a_gather_does_not_listen_to_is_lost(twilio: TwilioStandIn, webhook: Receiver) -> None:
    call = call_to(twilio, webhook, gather('input="dtmf" numDigits="1"'))
    call.hears()
    call.say("Sales")
    call.press("1")
    call.wait_until_ended()

    assert webhook.at("/answer")[0].fields["Digits"] == "1"
    assert ("twilio", "(does not listen to speech: Sales)") in [entry[1:] for entry in call.log]


def test_partial_results_grow_word_by_word(twilio: TwilioStandIn, webhook: Receiver) -> None:
    call = call_to(twilio, webhook, gather('input="speech" partialResultCallback="/partial" language="de-DE"'))
    call.hears()
    call.say("eine große Pizza")
    call.wait_until_ended()
    twilio.settle()
    partials = [request.fields for request in webhook.at("/partial")]

    assert [fields["UnstableSpeechResult"] for fields in partials] == ["eine", "eine große", ""]
    assert [fields["StableSpeechResult"] for fields in partials] == ["", "", "eine große Pizza"]
    assert [fields["SequenceNumber"] for fields in partials] == ["0", "1", "2"]
    assert webhook.at("/answer")[0].fields["Language"] == "de-DE"


def test_twilio_listens_long_enough_for_a_test_s_thread(twilio: TwilioStandIn, webhook: Receiver) -> None:
    call = call_to(twilio, webhook, gather('input="speech" timeout="1"'))
    call.hears()
    time.sleep(0.3)  # sixty seconds of this call
    call.say("Sales")
    call.wait_until_ended()

    assert len(webhook.at("/answer")) == 1


def test_values_that_cannot_be_read_are_warnings(twilio: TwilioStandIn, webhook: Receiver) -> None:
    call = call_to(twilio, webhook, gather('timeout="soon" bargeIn="maybe" input="dtmf telepathy"'))
    call.silence()
    call.wait_until_ended()

    assert [alert.code for alert in twilio.alerts] == [12200, 12200, 12200]


def test_an_action_that_is_no_url_is_an_application_error(twilio: TwilioStandIn, client: Client) -> None:
    client.calls.create(to=PERSON, from_=NUMBER, twiml="<Response><Redirect>/next</Redirect></Response>")
    call = twilio.wait_for_call(PERSON)

    assert call.hears().startswith("We are sorry")
    assert [alert.code for alert in twilio.alerts] == [11100]


def test_a_message_is_recorded_until_a_key(twilio: TwilioStandIn, webhook: Receiver) -> None:
    call = call_to(twilio, webhook, '<Record action="/done" recordingStatusCallback="/recording"/><Say>Nothing.</Say>')
    call.say("Please call me back on Monday about my order.")
    call.say("Thank you.")
    call.press("#")
    call.wait_until_ended()
    twilio.settle()
    done, recording = webhook.at("/done")[0].fields, webhook.at("/recording")[0].fields

    assert (done["Digits"], done["RecordingDuration"]) == ("#", "4")
    assert done["RecordingSid"].startswith("RE")
    assert done["RecordingUrl"] == f"{twilio.url}/2010-04-01/Accounts/{ACCOUNT}/Recordings/{done['RecordingSid']}"
    assert (recording["RecordingSid"], recording["RecordingStatus"]) == (done["RecordingSid"], "completed")
    assert (recording["RecordingSource"], recording["RecordingDuration"]) == ("RecordVerb", "4")
    assert is_signed(webhook.at("/recording")[0], webhook.url)


def test_a_message_without_words_goes_on_with_the_next_verb(twilio: TwilioStandIn, webhook: Receiver) -> None:
    call = call_to(twilio, webhook, '<Record action="/done"/><Say>Nothing.</Say>')
    call.silence()

    assert call.hears() == "Nothing."
    assert webhook.at("/done") == []


def test_a_message_has_a_most(twilio: TwilioStandIn, webhook: Receiver) -> None:
    call = call_to(twilio, webhook, '<Record action="/done" maxLength="2"/>')
    call.say("x" * 300)
    call.wait_until_ended()

    assert webhook.at("/done")[0].fields["RecordingDuration"] == "2"


def test_who_hangs_up_after_a_message_has_left_it(twilio: TwilioStandIn, webhook: Receiver) -> None:
    call = call_to(twilio, webhook, '<Record action="/done"/>')
    call.say("Bye.")
    time.sleep(0.05)
    call.hang_up()
    call.wait_until_ended()
    twilio.settle()
    fields = webhook.at("/done")[0].fields

    assert (fields["Digits"], fields["CallStatus"], fields["RecordingDuration"]) == ("hangup", "completed", "1")


def test_two_people_are_connected_until_one_hangs_up(twilio: TwilioStandIn, webhook: Receiver, client: Client) -> None:
    call = call_to(
        twilio,
        webhook,
        f'<Dial action="/after"><Number statusCallback="/leg" statusCallbackEvent="ringing answered completed">{COLLEAGUE}'
        "</Number></Dial>",
    )
    other = twilio.wait_for_call(COLLEAGUE)
    wait_until_connected(call)
    call.say("Is that you?")
    assert other.hears() == "Is that you?"
    other.say("Yes.")
    assert call.hears() == "Yes."
    other.hang_up()
    call.wait_until_ended()
    twilio.settle()
    after = webhook.at("/after")[0].fields
    [leg] = client.calls.list(parent_call_sid=call.sid)

    assert (after["DialCallStatus"], after["DialCallSid"], after["DialBridged"]) == ("completed", other.sid, "true")
    assert int(after["DialCallDuration"]) >= 1
    assert (leg.sid, leg.direction, leg._from, leg.status) == (other.sid, "outbound-dial", PERSON, "completed")
    assert [request.fields["CallStatus"] for request in webhook.at("/leg")] == ["ringing", "in-progress", "completed"]
    assert {request.fields["ParentCallSid"] for request in webhook.at("/leg")} == {call.sid}


@pytest.mark.parametrize(
    ("behaviour", "status"),
    [
        (Busy(), "busy"),
        (NoAnswer(), "no-answer"),
        (Fails(), "failed"),
        (Answers(after_seconds=11), "no-answer"),
        (Answers(script=[{"wait": 2}, {"hang_up": "now"}]), "completed"),
    ],
)
def test_whoever_is_dialled_does_as_was_set(
    twilio: TwilioStandIn, webhook: Receiver, behaviour: Behaviour, status: str
) -> None:
    twilio.phones[COLLEAGUE] = behaviour
    call = call_to(twilio, webhook, f'<Dial action="/after" timeout="10" callerId="{NUMBER}">{COLLEAGUE}</Dial>')
    call.wait_until_ended()
    fields = webhook.at("/after")[0].fields

    assert fields["DialCallStatus"] == status
    assert fields["DialBridged"] == ("true" if status == "completed" else "false")
    assert ("DialCallDuration" in fields) == (status == "completed")


def test_a_number_that_is_none_fails_and_the_next_verb_follows(twilio: TwilioStandIn, webhook: Receiver) -> None:
    call = call_to(twilio, webhook, "<Dial>555</Dial><Say>Nobody there.</Say>")

    assert call.hears() == "Nobody there."
    assert [alert.code for alert in twilio.alerts] == [13224]


@pytest.mark.parametrize("end", ["star", "time limit"])
def test_a_connection_may_end_while_the_call_goes_on(twilio: TwilioStandIn, webhook: Receiver, end: str) -> None:
    attributes = 'hangupOnStar="true"' if end == "star" else 'timeLimit="5"'
    call = call_to(twilio, webhook, f"<Dial {attributes}>{COLLEAGUE}</Dial><Say>Back again.</Say>")
    if end == "star":
        wait_until_connected(call)
        call.press("*")

    assert call.hears() == "Back again."
    assert twilio.wait_for_call(COLLEAGUE).wait_until_ended() == "completed"


@pytest.mark.parametrize("how", ["the caller hangs up", "the call is redirected"])
def test_a_connection_that_is_cut_ends_both_and_tells_its_action(
    twilio: TwilioStandIn, webhook: Receiver, client: Client, how: str
) -> None:
    call = call_to(twilio, webhook, f'<Dial action="/after">{COLLEAGUE}</Dial>')
    other = twilio.wait_for_call(COLLEAGUE)
    wait_until_connected(call)
    if how == "the caller hangs up":
        call.hang_up()
    else:
        client.calls(call.sid).update(twiml="<Response><Say>Only you.</Say></Response>")
        assert call.hears() == "Only you."
    call.wait_until_ended()

    assert other.wait_until_ended() == "completed"
    twilio.settle()
    assert webhook.at("/after")[0].fields["DialCallStatus"] == "completed"


def test_a_caller_who_gives_up_makes_the_other_phone_stop_ringing(twilio: TwilioStandIn, webhook: Receiver) -> None:
    twilio.phones[COLLEAGUE] = NoAnswer()
    call = call_to(twilio, webhook, f'<Dial timeout="600">{COLLEAGUE}</Dial>')
    other = twilio.wait_for_call(COLLEAGUE)
    call.hang_up()

    assert call.wait_until_ended() == "completed"
    assert other.wait_until_ended() == "canceled"
