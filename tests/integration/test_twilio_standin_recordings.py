"""``<Start><Recording>``, and what records a call that is relayed."""

import pytest
from twilio.rest import Client
from twilio.twiml.voice_response import Start

from local.twilio.receiver import Receiver, twiml
from local.twilio.standin import TwilioStandIn

from .account import ACCOUNT, NUMBER, PERSON, is_signed
from .relays import codes, connect
from .sockets import SocketServer

BOTH = 'recordingStatusCallbackEvent="in-progress completed"'


def start(attributes: str = "") -> str:
    return f'<Start><Recording recordingStatusCallback="/recorded" {attributes}/></Start>'


def statuses(webhook: Receiver) -> list[str]:
    return [request.fields["RecordingStatus"] for request in webhook.at("/recorded")]


def test_a_recording_lasts_until_the_call_ends_and_is_told_of(twilio: TwilioStandIn, webhook: Receiver) -> None:
    webhook.pages["/voice"] = twiml(f'{start()}<Pause length="20"/>')
    call = twilio.call_in(PERSON)
    call.wait_until_ended()
    twilio.settle()
    [request] = webhook.at("/recorded")
    fields = request.fields

    assert is_signed(request, webhook.url)
    assert fields["RecordingUrl"].endswith(f"/2010-04-01/Accounts/{ACCOUNT}/Recordings/{fields['RecordingSid']}")
    assert int(fields["RecordingDuration"]) >= 20
    assert (fields["CallSid"], fields["RecordingStatus"], fields["RecordingChannels"], fields["RecordingSource"]) == (
        call.sid,
        "completed",
        "2",
        "StartCallRecordingTwiML",
    )


def test_the_next_verb_follows_at_once(twilio: TwilioStandIn, webhook: Receiver) -> None:
    webhook.pages["/voice"] = twiml(f'{start(BOTH)}<Say>Hello.</Say><Pause length="600"/>')
    call = twilio.call_in(PERSON)

    assert call.hears() == "Hello."
    call.hang_up()
    call.wait_until_ended()
    twilio.settle()
    assert statuses(webhook) == ["in-progress", "completed"]
    assert "RecordingDuration" not in webhook.at("/recorded")[0].fields


def test_a_recording_is_stopped_by_its_name(twilio: TwilioStandIn, webhook: Receiver) -> None:
    stop = '<Stop><Recording name="main"/></Stop>'
    started = start("name='main'")
    webhook.pages["/voice"] = twiml(f'{started}<Pause length="5"/>{stop}{stop}<Pause length="60"/>')
    twilio.call_in(PERSON).wait_until_ended()
    twilio.settle()

    assert int(webhook.at("/recorded")[0].fields["RecordingDuration"]) < 30
    assert [(alert.code, alert.detail) for alert in twilio.alerts] == [
        (12200, "<Stop> of a recording 'main' that does not run")
    ]


def test_what_the_helper_library_writes_raises_no_alert_but_an_unknown_event_does(
    twilio: TwilioStandIn, webhook: Receiver
) -> None:
    verb = Start()
    verb.recording(
        recording_status_callback="/recorded",
        recording_status_callback_method="GET",
        recording_status_callback_event="in-progress",
        trim="do-not-trim",
        track="both",
        channels="dual",
    )
    webhook.pages["/voice"] = twiml(verb.to_xml(xml_declaration=False))
    twilio.call_in(PERSON).wait_until_ended()
    twilio.settle()
    first = codes(twilio)
    webhook.pages["/voice"] = twiml(start('recordingStatusCallbackEvent="done"'))
    twilio.call_in(PERSON).wait_until_ended()

    assert (first, codes(twilio)) == ([], [13621])
    assert [(request.method, request.fields["RecordingStatus"]) for request in webhook.at("/recorded")] == [
        ("GET", "in-progress")
    ]


@pytest.mark.parametrize(("started", "expected"), [("", []), (start(), ["StartCallRecordingTwiML"])])
def test_a_relayed_call_is_recorded_only_where_its_document_says_so(
    twilio: TwilioStandIn, webhook: Receiver, ours: SocketServer, client: Client, started: str, expected: list[str]
) -> None:
    document = started.replace('"/recorded"', f'"{webhook.url}/recorded"') + connect(ours)
    client.calls.create(
        to=PERSON,
        from_=NUMBER,
        twiml=f"<Response>{document}</Response>",
        record=True,
        recording_status_callback=f"{webhook.url}/recorded",
        status_callback=f"{webhook.url}/status",
    )
    ours.connection().send({"type": "end"})
    twilio.wait_for_call(PERSON).wait_until_ended()
    twilio.settle()

    assert [request.fields["RecordingSource"] for request in webhook.at("/recorded")] == expected
    assert "RecordingSid" not in webhook.at("/status")[-1].fields
