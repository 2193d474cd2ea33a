"""Calls driven over HTTP, as by curl or by another process."""

from typing import Any

import pytest
import requests
from twilio.rest import Client

from local.twilio.receiver import Receiver, twiml
from local.twilio.standin import TwilioStandIn

from .account import COLLEAGUE, NUMBER, PERSON

MENU = twiml('<Gather input="speech dtmf" numDigits="1" action="/answer"><Say>Well?</Say></Gather>')


def control(twilio: TwilioStandIn, method: str, path: str, **body: Any) -> Any:
    answer = requests.request(method, f"{twilio.url}/_standin/{path}", json=body or None, timeout=10)
    return answer.json()


def test_a_person_calls_and_keeps_to_a_script(twilio: TwilioStandIn, webhook: Receiver) -> None:
    webhook.pages |= {"/voice": MENU, "/answer": MENU}
    called = control(
        twilio,
        "POST",
        "calls",
        **{"from": PERSON, "script": [{"say": "Hi"}, {"press": "1"}, {"hang_up": True}], "fields": {"FromCity": "BERLIN"}},
    )
    ended = control(twilio, "GET", f"calls/{called['sid']}?heard=99")

    assert (called["status"], called["to"]) == ("ringing", NUMBER)
    assert ended["status"] == "completed"
    assert ended["heard"] == ["Well?"] * 3
    assert [what for _, who, what in ended["log"] if who == "person"] == ["Hi", "[presses 1]", "[hangs up]"]
    assert len(ended["twiml"]) == 3
    assert webhook.requests[0].fields["FromCity"] == "BERLIN"
    assert control(twilio, "GET", "calls") == [ended]


def test_a_person_is_driven_step_by_step(twilio: TwilioStandIn, webhook: Receiver) -> None:
    webhook.pages |= {"/voice": MENU, "/answer": MENU}
    sid = control(twilio, "POST", "calls", **{"from": PERSON})["sid"]
    steps: list[dict[str, object]] = [{"say": "Hi"}, {"press": "2"}]
    for heard, step in enumerate(steps):
        assert len(control(twilio, "GET", f"calls/{sid}?heard={heard}")["heard"]) == heard + 1
        control(twilio, "POST", f"calls/{sid}", **step)
    control(twilio, "GET", f"calls/{sid}?heard=2")
    control(twilio, "POST", f"calls/{sid}", silence=True)

    assert control(twilio, "GET", f"calls/{sid}?heard=99")["status"] == "completed"
    first, second = webhook.at("/answer")
    assert (first.fields["SpeechResult"], second.fields["Digits"]) == ("Hi", "2")


def test_a_call_can_be_hung_up(twilio: TwilioStandIn, webhook: Receiver) -> None:
    webhook.default = twiml('<Say>Hello.</Say><Pause length="3600"/>')
    sid = control(twilio, "POST", "calls", **{"from": PERSON})["sid"]
    control(twilio, "GET", f"calls/{sid}?heard=0")
    control(twilio, "POST", f"calls/{sid}", hang_up=True)

    assert control(twilio, "GET", f"calls/{sid}?heard=99")["status"] == "completed"


def test_what_a_called_person_does_can_be_set(twilio: TwilioStandIn, client: Client) -> None:
    control(twilio, "POST", "phones", person=COLLEAGUE, kind="busy")
    control(twilio, "POST", "phones", person=PERSON, kind="answers", script=[{"wait": 1}, {"hang_up": "now"}])
    busy = client.calls.create(to=COLLEAGUE, from_=NUMBER, twiml="<Response/>")
    answered = client.calls.create(to=PERSON, from_=NUMBER, twiml='<Response><Pause length="3600"/></Response>')
    twilio.settle()

    assert (busy.fetch().status, answered.fetch().status) == ("busy", "completed")


def test_the_urls_of_calls_can_be_set(twilio: TwilioStandIn, client: Client) -> None:
    control(twilio, "POST", "voice_url", url="http://a.example/v", fallback="http://a.example/f", status="http://a.example/s")
    assert (twilio.voice_url, twilio.voice_fallback_url, twilio.status_url) == (
        "http://a.example/v",
        "http://a.example/f",
        "http://a.example/s",
    )
    [number] = client.incoming_phone_numbers.list()
    number.update(voice_url="http://b.example/v", voice_fallback_url="http://b.example/f", status_callback="http://b.example/s")

    assert (twilio.voice_url, twilio.status_url) == ("http://b.example/v", "http://b.example/s")
    assert number.fetch().voice_fallback_url == "http://b.example/f"


@pytest.mark.parametrize(
    ("path", "body", "error"),
    [
        ("calls", {"to": NUMBER}, "'from' is missing"),
        ("calls", {"from": PERSON, "to": COLLEAGUE}, f"{COLLEAGUE} is not a number of the account"),
        ("calls", {"from": PERSON, "script": [{"shout": "Hi"}]}, "{'shout': 'Hi'} is not a step"),
        ("calls", {"from": PERSON, "script": [{"wait": "long"}]}, "wait='long' is not a number"),
        ("calls/CA0", {"say": "Hi"}, "'CA0' is missing"),
        ("phones", {"person": PERSON, "kind": "sleeps"}, "sleeps is not one of answers, busy"),
        ("phones", {"person": PERSON, "kind": "busy", "since": 1}, "unexpected keyword argument"),
    ],
)
def test_mistakes_are_told_in_json(twilio: TwilioStandIn, path: str, body: dict[str, Any], error: str) -> None:
    assert error in control(twilio, "POST", path, **body)["error"]


def test_help_lists_the_routes_of_calls(twilio: TwilioStandIn) -> None:
    text = requests.get(f"{twilio.url}/_standin", timeout=10).text

    assert "/_standin/texts" in text
    assert "/_standin/calls/CA" in text
