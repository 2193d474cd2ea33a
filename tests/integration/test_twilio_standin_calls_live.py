"""Changing a call while it lasts: other TwiML at once, or its end."""

from collections.abc import Callable

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

from local.twilio.receiver import Receiver, twiml
from local.twilio.standin import TwilioStandIn
from local.twilio.voice.handset import PhoneCall
from local.twilio.voice.phones import NoAnswer

from .account import NUMBER, PERSON, is_signed

LONG = twiml('<Say>One moment.</Say><Pause length="3600"/><Say>Never said.</Say>')


@pytest.fixture
def talking(twilio: TwilioStandIn, webhook: Receiver) -> PhoneCall:
    webhook.pages["/voice"] = LONG
    call = twilio.call_in(PERSON)
    call.hears()
    return call


def test_other_twiml_takes_over_at_once(talking: PhoneCall, client: Client) -> None:
    answer = client.calls(talking.sid).update(twiml="<Response><Say>Here I am.</Say></Response>")

    assert answer.status == "in-progress"
    assert talking.hears() == "Here I am."
    assert talking.wait_until_ended() == "completed"


def test_another_url_is_asked_with_the_call_s_fields(talking: PhoneCall, webhook: Receiver, client: Client) -> None:
    webhook.pages["/live"] = twiml("<Say>Here I am.</Say><Redirect>next</Redirect>")
    client.calls(talking.sid).update(url=f"{webhook.url}/live?turn=2")

    assert talking.hears() == "Here I am."
    talking.wait_until_ended()
    [request] = webhook.at("/live")
    assert (request.fields["CallStatus"], request.fields["CallSid"]) == ("in-progress", talking.sid)
    assert is_signed(request, webhook.url)
    assert len(webhook.at("/next")) == 1


def test_a_listening_gather_is_abandoned_without_asking_its_action(
    twilio: TwilioStandIn, webhook: Receiver, client: Client
) -> None:
    webhook.pages["/voice"] = twiml('<Gather input="speech" action="/answer"><Say>Well?</Say></Gather>')
    call = twilio.call_in(PERSON)
    call.hears()
    client.calls(call.sid).update(twiml="<Response><Say>Never mind.</Say></Response>")

    assert call.hears() == "Never mind."
    call.wait_until_ended()
    assert webhook.at("/answer") == []


def test_a_call_can_be_redirected_again_and_again(talking: PhoneCall, client: Client) -> None:
    for number in ("one", "two", "three"):
        client.calls(talking.sid).update(twiml=f'<Response><Say>{number}</Say><Pause length="3600"/></Response>')
        assert talking.hears() == number


def test_bad_twiml_goes_to_the_fallback_that_came_with_it(talking: PhoneCall, webhook: Receiver, client: Client) -> None:
    webhook.pages["/fallback"] = twiml("<Say>Sorry.</Say>")
    client.calls(talking.sid).update(twiml="<Response>", fallback_url=f"{webhook.url}/fallback")

    assert talking.hears() == "Sorry."
    assert webhook.at("/fallback")[0].fields["ErrorCode"] == "12100"


def test_a_live_call_can_be_completed_but_not_canceled(talking: PhoneCall, client: Client) -> None:
    assert client.calls(talking.sid).update(status="canceled").status == "in-progress"
    assert client.calls(talking.sid).update(status="completed").status == "completed"
    assert talking.log[-1][1:] == ("call", "completed")


@pytest.mark.parametrize("status", ["canceled", "completed"])
def test_a_ringing_call_is_canceled(twilio: TwilioStandIn, webhook: Receiver, client: Client, status: str) -> None:
    twilio.phones[PERSON] = NoAnswer()
    placed = client.calls.create(
        to=PERSON, from_=NUMBER, url=f"{webhook.url}/voice", timeout=600, status_callback=f"{webhook.url}/status"
    )
    twilio.wait_for_call(PERSON)

    assert placed.update(status=status).status == "canceled"
    twilio.settle()
    assert webhook.at("/voice") == []
    assert webhook.at("/status")[0].fields["CallStatus"] == "canceled"


REFUSED: list[tuple[int, Callable[[Client, str], object]]] = [
    (21220, lambda client, sid: client.calls(sid).update(twiml="<Response/>")),
    (21220, lambda client, sid: client.calls(sid).update(status="completed")),
    (21205, lambda client, sid: client.calls(sid).update(url="nowhere")),
    (21205, lambda client, sid: client.calls(sid).update()),
    (20001, lambda client, sid: client.calls(sid).update(status="paused")),
    (20404, lambda client, _: client.calls("CA" + "0" * 32).update(status="completed")),
]


@pytest.mark.parametrize(("code", "change"), REFUSED)
def test_what_cannot_be_changed_is_refused(
    twilio: TwilioStandIn, client: Client, code: int, change: Callable[[Client, str], object]
) -> None:
    call = twilio.call_in(PERSON)
    call.wait_until_ended()
    with pytest.raises(TwilioRestException) as refused:
        change(client, call.sid)

    assert refused.value.code == code


def test_a_call_that_only_rings_cannot_be_redirected(twilio: TwilioStandIn, client: Client) -> None:
    twilio.phones[PERSON] = NoAnswer()
    placed = client.calls.create(to=PERSON, from_=NUMBER, twiml="<Response/>", timeout=600)
    with pytest.raises(TwilioRestException, match="Call is not in-progress"):
        placed.update(twiml="<Response/>")
