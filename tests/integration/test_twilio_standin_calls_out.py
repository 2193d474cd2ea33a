"""Calls to people: how the REST API makes them, what becomes of them, and what Twilio tells about it."""

import itertools
import json
import time
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
import requests
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client
from twilio.rest.api.v2010.account.call import CallInstance

from local.twilio.receiver import Answer, Receiver, twiml
from local.twilio.standin import TwilioStandIn
from local.twilio.voice.call import Call
from local.twilio.voice.phones import Answers, Behaviour, Busy, Fails, NoAnswer

from .account import ACCOUNT, COLLEAGUE, NUMBER, PERSON, is_signed

ALL_EVENTS = ["initiated", "ringing", "answered", "completed"]
HELLO = "<Response><Say>Hello.</Say></Response>"


@pytest.fixture
def status(webhook: Receiver) -> str:
    webhook.pages["/status"] = twiml("")
    return f"{webhook.url}/status"


def place(client: Client, **options: Any) -> CallInstance:
    instructions = {} if options.keys() & {"url", "twiml", "application_sid"} else {"twiml": HELLO}
    return client.calls.create(**{"to": PERSON, "from_": NUMBER} | instructions | options)


def reported(webhook: Receiver) -> list[str]:
    return [request.fields["CallStatus"] for request in webhook.at("/status")]


def test_a_call_is_answered_as_it_was_queued(twilio: TwilioStandIn, client: Client) -> None:
    answer = client.request(
        "POST",
        f"{twilio.url}/2010-04-01/Accounts/{ACCOUNT}/Calls.json",
        data={"To": PERSON, "From": NUMBER, "Twiml": HELLO},
    )
    resource = json.loads(answer.text)
    sid, subresources = resource.pop("sid"), resource.pop("subresource_uris")

    assert answer.status_code == 201
    assert resource.pop("phone_number_sid").startswith("PN")
    assert resource == {
        "account_sid": ACCOUNT,
        "annotation": None,
        "answered_by": None,
        "api_version": "2010-04-01",
        "caller_name": None,
        "date_created": None,
        "date_updated": None,
        "direction": "outbound-api",
        "duration": None,
        "end_time": None,
        "forwarded_from": None,
        "from": NUMBER,
        "from_formatted": "(415) 555-0100",
        "group_sid": None,
        "parent_call_sid": None,
        "price": None,
        "price_unit": "USD",
        "queue_time": "0",
        "start_time": None,
        "status": "queued",
        "to": PERSON,
        "to_formatted": "(415) 555-0199",
        "trunk_sid": None,
        "uri": f"/2010-04-01/Accounts/{ACCOUNT}/Calls/{sid}.json",
    }
    assert subresources["recordings"] == f"/2010-04-01/Accounts/{ACCOUNT}/Calls/{sid}/Recordings.json"


def test_initiated_is_a_status_of_callbacks_only() -> None:
    assert Call(ACCOUNT, "outbound-api", NUMBER, PERSON, "initiated").resource()["status"] == "queued"


def test_a_person_answers_and_the_url_is_asked_what_to_do(twilio: TwilioStandIn, webhook: Receiver, client: Client) -> None:
    webhook.pages["/outbound"] = twiml('<Gather input="speech" action="/answer"><Say>Is this Ada?</Say></Gather>')
    placed = place(client, url=f"{webhook.url}/outbound?call=7")
    call = twilio.wait_for_call(PERSON)

    assert call.sid == placed.sid
    assert call.hears() == "Is this Ada?"
    call.say("Yes")
    assert call.wait_until_ended() == "completed"
    first, answer = webhook.requests
    assert (first.path, first.fields["CallStatus"], first.fields["Direction"]) == (
        "/outbound?call=7",
        "in-progress",
        "outbound-api",
    )
    assert "CallToken" not in first.fields
    assert "AnsweredBy" not in first.fields
    assert answer.fields["SpeechResult"] == "Yes"
    assert is_signed(first, webhook.url)
    fetched = placed.fetch()
    assert (fetched.status, fetched._from, fetched.price_unit) == ("completed", NUMBER, "USD")
    assert int(fetched.duration) >= 1
    assert fetched.price == "-0.01400"
    assert fetched.date_created <= fetched.start_time <= fetched.end_time


def test_an_outbound_call_brings_its_fallback(twilio: TwilioStandIn, webhook: Receiver, client: Client) -> None:
    webhook.pages |= {"/voice": Answer(500), "/fallback": twiml("<Say>Sorry.</Say>")}
    place(client, url=f"{webhook.url}/voice", fallback_url=f"{webhook.url}/fallback", fallback_method="GET")

    assert twilio.wait_for_call(PERSON).hears() == "Sorry."
    [request] = webhook.at("/fallback")
    assert (request.method, request.fields["ErrorCode"]) == ("GET", "11200")


def test_only_the_end_is_reported_unless_more_is_asked_for(
    twilio: TwilioStandIn, webhook: Receiver, client: Client, status: str
) -> None:
    place(client, status_callback=status)
    twilio.settle()

    assert reported(webhook) == ["completed"]
    assert webhook.at("/status")[0].fields["SequenceNumber"] == "0"


def test_all_events_are_reported_in_order_and_signed(
    twilio: TwilioStandIn, webhook: Receiver, client: Client, status: str
) -> None:
    placed = place(client, status_callback=f"{status}?call=7#rc=3", status_callback_event=ALL_EVENTS)
    twilio.settle()
    requests = webhook.at("/status")
    completed = requests[-1].fields

    assert reported(webhook) == ["initiated", "ringing", "in-progress", "completed"]
    assert [request.fields["SequenceNumber"] for request in requests] == ["0", "1", "2", "3"]
    assert all(is_signed(request, webhook.url) for request in requests)
    assert {request.fields["CallSid"] for request in requests} == {placed.sid}
    assert {request.path for request in requests} == {"/status?call=7"}
    assert (completed["From"], completed["To"], completed["Direction"]) == (NUMBER, PERSON, "outbound-api")
    assert (completed["ApiVersion"], completed["AccountSid"]) == ("2010-04-01", ACCOUNT)
    assert completed["SipResponseCode"] == "200"
    assert int(completed["CallDuration"]) >= 1
    assert "CallDuration" not in requests[0].fields
    told = parsedate_to_datetime(completed["Timestamp"])
    assert abs(datetime.now(UTC) - told) < timedelta(seconds=10)


@pytest.mark.parametrize(
    ("behaviour", "events"),
    [
        (Busy(), ["initiated", "ringing", "busy"]),
        (NoAnswer(), ["initiated", "ringing", "no-answer"]),
        (Answers(after_seconds=31), ["initiated", "ringing", "no-answer"]),
        (Fails(), ["initiated", "failed"]),
    ],
)
def test_a_call_that_is_not_answered_ends_as_what_it_is(
    twilio: TwilioStandIn, webhook: Receiver, client: Client, status: str, behaviour: Behaviour, events: list[str]
) -> None:
    twilio.phones[PERSON] = behaviour
    placed = place(client, url=f"{webhook.url}/voice", timeout=30, status_callback=status, status_callback_event=ALL_EVENTS)
    twilio.settle()
    ended = placed.fetch()

    assert reported(webhook) == events
    assert (ended.status, ended.duration) == (events[-1], "0")
    assert ended.start_time <= ended.end_time
    assert webhook.at("/voice") == []
    assert webhook.at("/status")[-1].fields["CallDuration"] == "0"


def test_a_person_may_decline(twilio: TwilioStandIn, client: Client) -> None:
    twilio.phones[PERSON] = NoAnswer()
    place(client, timeout=600)
    call = twilio.wait_for_call(PERSON)
    call.hang_up()

    assert call.wait_until_ended() == "busy"


@pytest.mark.parametrize(
    ("detection", "answered_by", "found"),
    [
        ("Enable", "human", "human"),
        ("Enable", "machine_end_beep", "machine_start"),
        ("DetectMessageEnd", "machine_start", "machine_end_beep"),
        ("DetectMessageEnd", "fax", "fax"),
    ],
)
def test_what_answered_is_in_the_request_for_twiml(
    twilio: TwilioStandIn, webhook: Receiver, client: Client, status: str, detection: str, answered_by: str, found: str
) -> None:
    twilio.phones[PERSON] = Answers(answered_by=answered_by)
    placed = place(client, url=f"{webhook.url}/voice", machine_detection=detection, status_callback=status)
    twilio.settle()

    assert webhook.at("/voice")[0].fields["AnsweredBy"] == found
    assert webhook.at("/status")[0].fields["AnsweredBy"] == found
    assert placed.fetch().answered_by == found


def test_asynchronous_detection_has_a_callback_of_its_own(twilio: TwilioStandIn, webhook: Receiver, client: Client) -> None:
    twilio.phones[PERSON] = Answers(answered_by="machine_start")
    webhook.pages["/voice"] = twiml('<Pause length="10"/>')
    placed = place(
        client,
        url=f"{webhook.url}/voice",
        machine_detection="Enable",
        async_amd="true",
        async_amd_status_callback=f"{webhook.url}/amd",
    )
    twilio.settle()
    [request] = webhook.at("/amd")

    assert "AnsweredBy" not in webhook.at("/voice")[0].fields
    assert request.fields == {
        "CallSid": placed.sid,
        "AccountSid": ACCOUNT,
        "AnsweredBy": "machine_start",
        "MachineDetectionDuration": "3000",
    }
    assert is_signed(request, webhook.url)


def test_callbacks_of_detection_and_recording_come_as_they_were_asked_for(
    twilio: TwilioStandIn, webhook: Receiver, client: Client
) -> None:
    asked = {"async_amd": "true", "machine_detection": "Enable", "twiml": '<Response><Pause length="10"/></Response>'}
    place(
        client,
        **asked,
        async_amd_status_callback=f"{webhook.url}/amd",
        async_amd_status_callback_method="GET",
        record=True,
        recording_status_callback=f"{webhook.url}/recording",
        recording_status_callback_method="GET",
        recording_status_callback_event=["in-progress", "completed"],
    )
    twilio.settle()
    [detection], [recording] = webhook.at("/amd"), webhook.at("/recording")
    webhook.requests.clear()
    place(client, record=True, recording_status_callback=f"{webhook.url}/recording", recording_status_callback_event=["absent"])
    twilio.settle()

    assert (detection.method, detection.fields["AnsweredBy"]) == ("GET", "human")
    assert (recording.method, recording.fields["RecordingStatus"]) == ("GET", "completed")
    assert is_signed(detection, webhook.url)
    assert webhook.at("/recording") == []


def test_keys_are_sent_before_the_document_runs(twilio: TwilioStandIn, client: Client) -> None:
    place(client, send_digits="ww12#")
    call = twilio.wait_for_call(PERSON)

    assert call.hears() == "[play digits ww12#]"
    assert call.hears() == "Hello."


def test_a_recorded_call_is_reported_with_its_recording(
    twilio: TwilioStandIn, webhook: Receiver, client: Client, status: str
) -> None:
    place(client, record=True, status_callback=status, recording_status_callback=f"{webhook.url}/recording")
    twilio.settle()
    completed, recording = webhook.at("/status")[0].fields, webhook.at("/recording")[0].fields

    assert completed["RecordingSid"] == recording["RecordingSid"]
    assert (recording["RecordingStatus"], recording["RecordingSource"]) == ("completed", "OutboundAPI")
    assert recording["RecordingUrl"].endswith(f"/Accounts/{ACCOUNT}/Recordings/{recording['RecordingSid']}")


def test_a_call_that_lasts_too_long_is_ended(twilio: TwilioStandIn, client: Client) -> None:
    place(client, twiml='<Response><Pause length="100"/></Response>', time_limit=5)
    started = time.monotonic()

    assert twilio.wait_for_call(PERSON).wait_until_ended() == "completed"
    assert time.monotonic() - started < 0.4


def test_a_call_that_goes_on_can_be_given_another_time_limit(twilio: TwilioStandIn, client: Client) -> None:
    call = place(client, twiml='<Response><Say>Hello</Say><Pause length="100"/></Response>')
    person = twilio.wait_for_call(PERSON)
    person.hears()
    started = time.monotonic()

    assert client.calls(call.sid).update(time_limit=10).status == "in-progress"

    assert person.wait_until_ended() == "completed"
    assert time.monotonic() - started < 0.5
    with pytest.raises(TwilioRestException) as refused:
        client.calls(call.sid).update(time_limit=10)
    assert refused.value.code == 21220


def test_a_get_has_its_fields_in_the_query_and_is_signed_over_it(
    twilio: TwilioStandIn, webhook: Receiver, client: Client, status: str
) -> None:
    place(client, url=f"{webhook.url}/voice?a=1", method="GET", status_callback=status, status_callback_method="GET")
    twilio.settle()

    assert [request.method for request in webhook.requests] == ["GET", "GET"]
    assert webhook.requests[0].path.startswith("/voice?a=1&CallSid=CA")
    assert all(is_signed(request, webhook.url) for request in webhook.requests)
    assert reported(webhook) == ["completed"]


@pytest.mark.parametrize(
    ("code", "message", "options"),
    [
        (21201, "No 'To' number is specified", {"to": ""}),
        (21213, "No 'From' number is specified", {"from_": ""}),
        (21205, "Url parameter is required.", {"twiml": ""}),
        (21205, "Url is not a valid URL: voice.xml", {"url": "voice.xml"}),
        (21209, "Invalid Method", {"method": "PUT"}),
        (21211, "The phone number you are attempting to call, 555, is not valid.", {"to": "555"}),
        (21212, "From is not a valid phone number: Ada", {"from_": "Ada"}),
        (21212, "From is not a valid phone number: +15005550001", {"from_": "+15005550001"}),
        (
            21210,
            f"The source phone number provided, {COLLEAGUE}, is not yet verified for your account. "
            "You may only make calls from phone numbers that you've verified or purchased from Twilio.",
            {"from_": COLLEAGUE},
        ),
        (21217, "Phone number does not appear to be valid", {"to": "+15005550001"}),
        (21214, "'To' phone number cannot be reached", {"to": "+15005550002"}),
        (
            21215,
            "Account not authorized to call +15005550003. Perhaps you need to enable some international permissions: "
            "https://www.twilio.com/console/voice/calls/geo-permissions/low-risk",
            {"to": "+15005550003"},
        ),
        (21216, "Account not allowed to call +15005550004", {"to": "+15005550004"}),
        (21218, "Invalid ApplicationSid", {"application_sid": "AP" + "0" * 32}),
        (21206, "Invalid SendDigits", {"send_digits": "1-2"}),
        (21208, "Invalid Timeout", {"timeout": 601}),
        (20001, "Invalid TimeLimit", {"time_limit": -1}),
        (20001, "Twiml must not be longer than 4000 characters", {"twiml": "x" * 4001}),
        (21609, "The StatusCallback URL /status is not a valid URL.", {"status_callback": "/status"}),
    ],
)
def test_what_twilio_does_not_call_is_refused_in_its_words(
    twilio: TwilioStandIn, client: Client, code: int, message: str, options: dict[str, Any]
) -> None:
    with pytest.raises(TwilioRestException) as refused:
        place(client, **options)

    assert (refused.value.code, refused.value.status) == (code, 400)
    assert refused.value.msg == f"Unable to create record: {message}"
    assert client.calls.list() == []


def test_the_magic_sender_may_call_though_nobody_owns_it(client: Client) -> None:
    assert place(client, from_="+15005550006").status == "queued"


def test_events_that_twilio_does_not_know_mean_no_callbacks_at_all(
    twilio: TwilioStandIn, webhook: Receiver, client: Client, status: str
) -> None:
    place(client, status_callback=status, status_callback_event=["completed", "answer"])
    twilio.settle()

    assert reported(webhook) == []
    assert [alert.code for alert in twilio.alerts] == [21626]


def test_calls_are_listed_filtered_and_paged(twilio: TwilioStandIn, client: Client) -> None:
    twilio.phones[COLLEAGUE] = Busy()
    sids = [place(client).sid, place(client, to=COLLEAGUE).sid, place(client).sid]
    twilio.settle()
    tomorrow = datetime.now(UTC) + timedelta(days=1)

    assert [call.sid for call in client.calls.list()] == sids[::-1]
    assert [call.sid for call in client.calls.list(page_size=1)] == sids[::-1]
    assert [call.sid for call in client.calls.list(to=COLLEAGUE)] == [sids[1]]
    assert [call.sid for call in client.calls.list(status="completed")] == [sids[2], sids[0]]
    assert client.calls.list(from_=COLLEAGUE) == []
    assert client.calls.list(start_time_after=tomorrow) == []
    assert len(client.calls.list(start_time_before=tomorrow)) == 3


def test_an_ended_call_can_be_deleted_and_is_not_found_then(twilio: TwilioStandIn, client: Client) -> None:
    call = place(client)
    with pytest.raises(TwilioRestException) as refused:
        call.delete()
    assert refused.value.code == 20009
    twilio.settle()

    assert call.delete()
    with pytest.raises(TwilioRestException) as missing:
        call.fetch()
    assert (missing.value.code, missing.value.status) == (20404, 404)


def test_faults_break_calls_as_they_break_texts(twilio: TwilioStandIn, webhook: Receiver, client: Client, status: str) -> None:
    twilio.faults.add("drop_before")
    with pytest.raises(requests.exceptions.ConnectionError):
        place(client)
    twilio.faults.add("reject", code=21220)
    with pytest.raises(TwilioRestException, match="Call is not in-progress"):
        place(client)
    assert client.calls.list() == []
    twilio.faults.add("drop_after")
    with pytest.raises(requests.exceptions.ConnectionError):
        place(client)
    assert len(client.calls.list()) == 1


def test_a_slow_callback_holds_up_the_next_and_a_late_response_waits_for_all(
    twilio: TwilioStandIn, webhook: Receiver, client: Client, status: str
) -> None:
    webhook.pages["/status"] = Answer(200, delay=0.05)
    twilio.faults.add("late_response")
    place(client, status_callback=status, status_callback_event=ALL_EVENTS)
    times = [request.at for request in webhook.at("/status")]

    assert reported(webhook) == ["initiated", "ringing", "in-progress", "completed"]
    assert all(later - earlier >= 0.05 for earlier, later in itertools.pairwise(times))


def test_status_callbacks_come_twice_or_out_of_order(
    twilio: TwilioStandIn, webhook: Receiver, client: Client, status: str
) -> None:
    twilio.faults.add("duplicate_status", times=3)
    place(client, status_callback=status)
    twilio.settle()
    tokens = {request.headers["i-twilio-idempotency-token"] for request in webhook.at("/status")}
    assert (reported(webhook), len(tokens)) == (["completed"] * 3, 1)
    webhook.requests.clear()
    twilio.faults.add("shuffle_status", seed=4)
    place(client, status_callback=status, status_callback_event=ALL_EVENTS)
    twilio.settle()
    numbers = [int(request.fields["SequenceNumber"]) for request in webhook.at("/status")]

    assert sorted(numbers) == [0, 1, 2, 3] != numbers
