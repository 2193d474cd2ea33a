"""Calls from people: the webhook that they make ring, the documents that it answers, and what goes wrong with them."""

import time

import pytest

from local.twilio.receiver import Answer, Receiver, twiml
from local.twilio.standin import TwilioStandIn
from local.twilio.voice.handset import CallEnded
from local.twilio.voice.session import APPLICATION_ERROR

from .account import ACCOUNT, COLLEAGUE, NUMBER, PERSON, TOKEN, is_signed

ASK = '<Gather input="speech" action="/answer" timeout="5"><Say>What would you like?</Say></Gather>'


def codes(twilio: TwilioStandIn) -> list[int]:
    return [alert.code for alert in twilio.alerts]


def test_a_call_rings_with_twilio_s_signed_form(twilio: TwilioStandIn, webhook: Receiver) -> None:
    twilio.voice_url = f"{webhook.url}/voice?line=1%2F2#rc=2&rp=5xx,ct"
    call = twilio.call_in(PERSON)
    assert call.wait_until_ended() == "completed"
    [request] = webhook.requests
    fields = request.fields

    assert request.path == "/voice?line=1%2F2"
    assert is_signed(request, webhook.url)
    assert fields.pop("CallToken").startswith("CT")
    assert fields == {
        "CallSid": call.sid,
        "AccountSid": ACCOUNT,
        "From": PERSON,
        "To": NUMBER,
        "Caller": PERSON,
        "Called": NUMBER,
        "CallStatus": "ringing",
        "Direction": "inbound",
        "ApiVersion": "2010-04-01",
        "StirVerstat": "TN-Validation-Passed-A",
        **{f"{side}{part}": "" for side in ("From", "To", "Caller", "Called") for part in ("State", "City", "Zip")},
        **{f"{side}Country": "US" for side in ("From", "To", "Caller", "Called")},
    }
    assert call.sid.startswith("CA")
    assert call.twiml == [twiml("").body]
    assert twilio.alerts == []


def test_a_conversation_goes_from_document_to_document(twilio: TwilioStandIn, webhook: Receiver) -> None:
    webhook.answers = [
        twiml(f"<Say>Welcome.</Say>{ASK}"),
        twiml("<Say>Ten minutes.</Say><Redirect>/bye</Redirect><Say>Never said.</Say>"),
        twiml("<Say voice='Polly.Joanna'>Good <break time='1s'/><emphasis>bye</emphasis>!</Say><Hangup/><Say>No.</Say>"),
    ]
    call = twilio.call_in(PERSON)

    assert call.hears() == "Welcome."
    assert call.hears() == "What would you like?"
    call.say("A pizza & a salad", confidence=0.8)
    assert call.hears() == "Ten minutes."
    assert call.hears() == "Good bye!"
    assert call.wait_until_ended() == "completed"
    with pytest.raises(CallEnded, match="Good bye!"):
        call.hears()
    with pytest.raises(CallEnded, match="Good bye!"):
        call.say("Wait!")
    answer, bye = webhook.requests[1:]
    assert (answer.path, bye.path) == ("/answer", "/bye")
    assert answer.fields["SpeechResult"] == "A pizza & a salad"
    assert answer.fields["Confidence"] == "0.8"
    assert answer.fields["CallStatus"] == bye.fields["CallStatus"] == "in-progress"
    assert is_signed(answer, webhook.url)
    assert len(call.twiml) == 3


def test_the_log_tells_both_sides_in_order(twilio: TwilioStandIn, webhook: Receiver) -> None:
    webhook.answers = [twiml(f"{ASK}<Say>Nothing? Bye.</Say>")]
    call = twilio.call_in(PERSON)
    call.hears()
    call.silence()
    call.wait_until_ended()
    told = [(who, what) for _, who, what in call.log]

    assert told[:4] == [
        ("call", "ringing"),
        ("call", "in-progress"),
        ("twilio", "What would you like?"),
        ("person", "[silence]"),
    ]
    assert told[4:] == [("twilio", "[hears nothing]"), ("twilio", "Nothing? Bye."), ("call", "completed")]
    seconds = [when for when, _, _ in call.log]
    assert seconds == sorted(seconds)
    assert "person   [silence]" in call.transcript


def test_a_person_who_hangs_up_ends_the_call_at_once(twilio: TwilioStandIn, webhook: Receiver) -> None:
    webhook.answers = [twiml('<Pause length="3600"/><Redirect>/again</Redirect>')]
    call = twilio.call_in(PERSON)
    while call.status == "ringing":
        time.sleep(0.005)
    call.hang_up()

    assert call.wait_until_ended() == "completed"
    assert len(webhook.requests) == 1
    call.hang_up()
    assert call.log[-1][1:] == ("call", "completed")


def test_who_hangs_up_before_the_answer_was_not_answered(twilio: TwilioStandIn, webhook: Receiver) -> None:
    webhook.answers = [Answer(200, "text/xml", "<Response/>", delay=0.5)]
    call = twilio.call_in(PERSON)
    call.hang_up()

    assert call.wait_until_ended() == "no-answer"


@pytest.mark.parametrize(("reason", "status"), [("", "no-answer"), ('reason="busy"', "busy")])
def test_a_rejected_call_is_never_answered(twilio: TwilioStandIn, webhook: Receiver, reason: str, status: str) -> None:
    webhook.default = twiml(f"<Reject {reason}/><Say>Never said.</Say>")
    call = twilio.call_in(PERSON)

    assert call.wait_until_ended() == status
    assert [what for _, who, what in call.log if who == "call"] == ["ringing", status]


def test_the_number_s_status_callback_comes_once_at_the_end(twilio: TwilioStandIn, webhook: Receiver) -> None:
    twilio.status_url = f"{webhook.url}/status"
    webhook.pages["/voice"] = twiml("<Say>Welcome to a call of some length.</Say>")
    call = twilio.call_in(PERSON)
    call.wait_until_ended()
    twilio.settle()
    [request] = webhook.at("/status")
    fields = request.fields

    assert is_signed(request, webhook.url)
    assert (fields["CallStatus"], fields["Direction"], fields["CallSid"]) == ("completed", "inbound", call.sid)
    assert (fields["CallbackSource"], fields["SequenceNumber"]) == ("call-progress-events", "0")
    assert int(fields["CallDuration"]) >= 2
    assert fields["Duration"] == "1"
    assert fields["Timestamp"].endswith("+0000")
    assert "SipResponseCode" not in fields


def test_the_fallback_url_is_asked_when_the_webhook_fails(twilio: TwilioStandIn, webhook: Receiver) -> None:
    twilio.voice_url = f"{webhook.url}/voice#rc=0"
    twilio.voice_fallback_url = f"{webhook.url}/fallback#rc=0"
    webhook.pages |= {"/voice": Answer(500), "/fallback": twiml("<Say>We will call you back.</Say>")}
    call = twilio.call_in(PERSON)

    assert call.hears() == "We will call you back."
    assert call.wait_until_ended() == "completed"
    [request] = webhook.at("/fallback")
    assert (request.fields["ErrorCode"], request.fields["ErrorUrl"]) == ("11200", f"{webhook.url}/voice")
    assert request.fields["CallToken"]
    [alert] = twilio.alerts
    assert (alert.code, alert.call_sid, alert.message_sid) == (11200, call.sid, None)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (Answer(404), 11200),
        (Answer(200, "text/xml", "<Response><Say>Tom & Jerry</Say></Response>"), 12100),
        (Answer(200, "text/xml", ""), 12100),
        (Answer(200, "text/xml", "<Message/>"), 12102),
        (Answer(200, "application/json", "{}"), 12300),
        (Answer(204), 12300),
        (Answer(200, "text/xml", f"<Response><Say>{'x' * 65536}</Say></Response>"), 11750),
    ],
)
def test_without_a_fallback_the_caller_hears_an_application_error(
    twilio: TwilioStandIn, webhook: Receiver, answer: Answer, code: int
) -> None:
    webhook.default = answer
    call = twilio.call_in(PERSON)

    assert call.hears() == APPLICATION_ERROR
    assert call.wait_until_ended() == "completed"
    assert codes(twilio) == [code]


def test_a_fallback_that_fails_too_is_the_end(twilio: TwilioStandIn, webhook: Receiver) -> None:
    twilio.voice_url = "http://127.0.0.1:1/"
    twilio.voice_fallback_url = f"{webhook.url}/fallback"
    webhook.default = Answer(200, "application/json", "{}")
    call = twilio.call_in(PERSON)

    assert call.hears() == APPLICATION_ERROR
    assert call.wait_until_ended() == "completed"
    assert codes(twilio) == [11205, 12300]
    assert webhook.requests[0].fields["ErrorCode"] == "11205"


def test_the_fallback_holds_for_all_documents_of_a_call(twilio: TwilioStandIn, webhook: Receiver) -> None:
    twilio.voice_fallback_url = f"{webhook.url}/fallback"
    webhook.pages |= {"/voice": twiml(ASK), "/answer": Answer(503), "/fallback": twiml("<Say>Sorry.</Say>")}
    call = twilio.call_in(PERSON)
    call.hears()
    call.say("Pizza")

    assert call.hears() == "Sorry."
    assert webhook.at("/fallback")[0].fields["SpeechResult"] == "Pizza"


def test_what_the_schema_does_not_have_is_a_warning_and_ignored(twilio: TwilioStandIn, webhook: Receiver) -> None:
    webhook.default = twiml(
        '<say>no</say><Say tone="loud">Yes.</Say><Gather><Dial>+1</Dial></Gather><Number>1</Number><Pay/><Say/>'
    )
    call = twilio.call_in(PERSON)

    assert call.hears() == "Yes."
    call.silence()
    call.wait_until_ended()
    assert [(alert.code, alert.detail) for alert in twilio.alerts] == [
        (12200, "<say> is not a verb of voice"),
        (12200, "<Say> has no attribute tone"),
        (12200, "<Dial> is not allowed within <Gather>"),
        (12200, "<Number> is not a verb of voice"),
        (12200, "<Pay> is not played by the stand-in"),
        (13520, "0 characters"),
    ]


def test_documents_that_only_lead_to_others_end_at_last(twilio: TwilioStandIn, webhook: Receiver) -> None:
    webhook.default = twiml("<Redirect/>")
    call = twilio.call_in(PERSON)

    assert call.wait_until_ended() == "completed"
    assert len(webhook.requests) == 102
    assert "ended by the stand-in" in twilio.alerts[0].detail


def test_plain_text_is_read_out_and_audio_is_played(twilio: TwilioStandIn, webhook: Receiver) -> None:
    webhook.answers = [Answer(200, "text/plain", "Hello & bye"), Answer(200, "audio/mpeg", "ID3")]

    assert twilio.call_in(PERSON).hears() == "Hello & bye"
    assert twilio.call_in(PERSON).hears() == f"[play {webhook.url}/voice]"


def test_a_script_plays_the_person(twilio: TwilioStandIn, webhook: Receiver) -> None:
    webhook.pages |= {"/voice": twiml(ASK), "/answer": twiml("<Say>Sure.</Say><Redirect>/voice</Redirect>")}
    script: list[dict[str, object]] = [{"say": "Pizza"}, {"wait": 1}, {"say": "Salad"}, {"hang_up": True}]
    call = twilio.call_in(PERSON, script=script, FromCity="OAKLAND")

    assert call.wait_until_ended() == "completed"
    assert [request.fields["SpeechResult"] for request in webhook.at("/answer")] == ["Pizza", "Salad"]
    assert webhook.requests[0].fields["FromCity"] == "OAKLAND"
    assert call.log[-2][1:] == ("person", "[hangs up]")


def test_who_has_nothing_left_in_the_script_is_silent(twilio: TwilioStandIn, webhook: Receiver) -> None:
    webhook.default = twiml(f"{ASK}<Say>Bye.</Say>")
    started = time.monotonic()

    assert twilio.call_in(PERSON, script=[]).wait_until_ended() == "completed"
    assert time.monotonic() - started < 0.5


@pytest.mark.parametrize(
    "document",
    [
        ASK,
        '<Pause length="3600"/>',
        '<Record action="/done"/>',
        f'<Dial action="/after">{COLLEAGUE}</Dial>',
        "<Redirect>/slow</Redirect>",
    ],
)
def test_stopping_cuts_off_live_calls_without_a_trace(webhook: Receiver, document: str) -> None:
    webhook.pages |= {"/voice": twiml(document), "/slow": Answer(200, "text/xml", "<Response/>", delay=0.2)}
    with TwilioStandIn(ACCOUNT, TOKEN, [NUMBER], voice_url=f"{webhook.url}/voice") as twilio:
        call = twilio.call_in(PERSON)
        call.say("Hello?")
        while len(call.twiml) == 0:
            time.sleep(0.005)

    assert webhook.at("/done") == []


def test_calls_can_be_played_without_any_time_passing(webhook: Receiver) -> None:
    webhook.pages |= {"/voice": twiml(f"<Say>Hi.</Say><Pause length='3600'/>{ASK}"), "/answer": twiml("<Say>Sure.</Say>")}
    with TwilioStandIn(ACCOUNT, TOKEN, [NUMBER], voice_url=f"{webhook.url}/voice", time_scale=0) as twilio:
        call = twilio.call_in(PERSON)
        call.say("Pizza")

        assert [call.hears() for _ in range(3)] == ["Hi.", "What would you like?", "Sure."]
        assert call.wait_until_ended() == "completed"


def test_mistakes_of_a_test_are_told(twilio: TwilioStandIn, webhook: Receiver) -> None:
    webhook.answers = [twiml('<Pause length="3600"/>')]
    call = twilio.call_in(PERSON)
    with pytest.raises(TimeoutError, match=r"waited 0.05 s to hear something:\n.*ringing"):
        call.hears(timeout=0.05)
    with pytest.raises(TimeoutError, match="for the end of the call"):
        call.wait_until_ended(timeout=0.01)
    with pytest.raises(ValueError, match="are not keys"):
        call.press("12x")
    with pytest.raises(ValueError, match="not a number of the account"):
        twilio.call_in(PERSON, to="+14155550123")
    with pytest.raises(ValueError, match="is not a step"):
        twilio.call_in(PERSON, script=[{"shout": "Hi"}])
    twilio.voice_url = None
    with pytest.raises(RuntimeError, match="voice_url is not set"):
        twilio.call_in(PERSON)


def test_calls_that_go_on_are_known_until_they_end(twilio: TwilioStandIn, webhook: Receiver) -> None:
    webhook.answers = [twiml('<Pause length="600"/>'), twiml('<Pause length="600"/>')]
    first, second = twilio.call_in(PERSON), twilio.call_in(PERSON)
    assert [call.sid for call in twilio.live_calls()] == [first.sid, second.sid]

    first.hang_up()
    first.wait_until_ended()

    assert [call.sid for call in twilio.live_calls()] == [second.sid]
