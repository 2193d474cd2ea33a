"""What the stand-in breaks on demand, and its control over HTTP."""

import asyncio
import base64
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any
from unittest.mock import AsyncMock, Mock

import pytest
import requests
from aiohttp.test_utils import make_mocked_request
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client
from twilio.rest.api.v2010.account.message import MessageInstance

from local.twilio.control import control_middleware
from local.twilio.receiver import Answer, Received, Receiver, twiml
from local.twilio.standin import TwilioStandIn

ACCOUNT = "AC" + "0123456789abcdef" * 2
TOKEN = "0f" * 16
NUMBER = "+14155550100"
PERSON = "+14155550199"


@pytest.fixture
def webhook() -> Iterator[Receiver]:
    with Receiver(default=twiml("")) as receiver:
        yield receiver


@pytest.fixture
def standin(webhook: Receiver) -> Iterator[TwilioStandIn]:
    with TwilioStandIn(ACCOUNT, TOKEN, [NUMBER], sms_url=f"{webhook.url}/sms", delivery_seconds=0.01) as twilio:
        yield twilio


@pytest.fixture
def client(standin: TwilioStandIn) -> Iterator[Client]:
    client = Client(ACCOUNT, TOKEN)
    client.api.base_url = standin.url
    yield client
    client.http_client.session.close()


def send(client: Client, body: str = "Hello", **options: Any) -> MessageInstance:
    return client.messages.create(to=PERSON, from_=NUMBER, body=body, **options)


def statuses(webhook: Receiver) -> list[str]:
    return [request.fields["MessageStatus"] for request in webhook.requests]


def test_a_slow_answer_is_real_all_the_same(standin: TwilioStandIn, client: Client) -> None:
    standin.faults.add("slow", seconds=0.2)
    started = time.monotonic()
    send(client)

    assert time.monotonic() - started >= 0.2
    assert standin.wait_for_text(PERSON).status in {"sent", "delivered"}


def test_a_client_that_gives_up_on_a_slow_answer_has_sent_its_text(standin: TwilioStandIn, client: Client) -> None:
    standin.faults.add("slow", seconds=0.3)
    client.http_client.timeout = 0.1
    with pytest.raises(requests.exceptions.ReadTimeout):
        send(client)

    assert standin.wait_for_text(PERSON).body == "Hello"


def test_a_connection_dropped_before_leaves_nothing(standin: TwilioStandIn, client: Client) -> None:
    standin.faults.add("drop_before")
    with pytest.raises(requests.exceptions.ConnectionError):
        send(client)

    assert standin.messages == []
    assert send(client).status == "queued"


def test_a_connection_dropped_after_leaves_a_delivered_text(standin: TwilioStandIn, webhook: Receiver, client: Client) -> None:
    standin.faults.add("drop_after")
    with pytest.raises(requests.exceptions.ConnectionError):
        send(client, status_callback=webhook.url)
    standin.settle()

    assert [message.status for message in client.messages.list(to=PERSON)] == ["delivered"]
    assert statuses(webhook) == ["sent", "delivered"]


@pytest.mark.parametrize(("status", "code"), [(429, 20429), (500, 20500), (503, 20503)])
def test_an_error_status_records_nothing(standin: TwilioStandIn, client: Client, status: int, code: int) -> None:
    standin.faults.add("status", count=2, status=status)
    for _ in range(2):
        with pytest.raises(TwilioRestException) as failed:
            send(client)
        assert (failed.value.status, failed.value.code) == (status, code)

    assert standin.messages == []
    assert send(client).status == "queued"


def test_any_code_can_be_the_reason_of_a_refusal(standin: TwilioStandIn, client: Client) -> None:
    standin.faults.add("reject", code=21612)
    standin.faults.add("reject", code=30450, status=403)

    for code, status in ((21612, 400), (30450, 403)):
        with pytest.raises(TwilioRestException) as refused:
            send(client)
        assert (refused.value.code, refused.value.status) == (code, status)
    assert standin.messages == []


@pytest.mark.parametrize(
    ("options", "seen", "code"),
    [
        ({}, ["sent", "undelivered"], 30003),
        ({"error_code": 30034}, ["sent", "undelivered"], 30034),
        ({"status": "failed", "error_code": 30007}, ["failed"], 30007),
    ],
)
def test_an_accepted_text_can_fail_later(
    standin: TwilioStandIn, webhook: Receiver, client: Client, options: dict[str, Any], seen: list[str], code: int
) -> None:
    standin.faults.add("undelivered", **options)
    message = send(client, status_callback=webhook.url)
    standin.settle()
    last = webhook.requests[-1].fields

    assert statuses(webhook) == seen
    assert (last["ErrorCode"], "ErrorCode" in webhook.requests[0].fields) == (str(code), len(seen) == 1)
    assert ("RawDlrDoneDate" in last) == (seen[-1] == "undelivered")
    assert (message.fetch().error_code, message.status) == (code, "queued")
    assert message.fetch().error_message
    assert standin.texts_to(PERSON) == []


class Crowd(Receiver):
    """Answers nobody before three requests are there at the same time."""

    barrier = threading.Barrier(3)

    def take(self, request: Received) -> Answer:
        self.barrier.wait(timeout=5)
        return super().take(request)


def test_a_webhook_can_come_several_times_at_once(standin: TwilioStandIn) -> None:
    standin.faults.add("duplicate_webhook", times=3)
    with Crowd() as webhook:
        standin.sms_url = webhook.url
        standin.receive_text(PERSON, "Hi")

    assert len(webhook.requests) == 3
    assert len({request.headers["i-twilio-idempotency-token"] for request in webhook.requests}) == 1
    assert len({request.body for request in webhook.requests}) == 1
    assert len(standin.messages) == 1


def test_status_callbacks_can_come_twice(standin: TwilioStandIn, webhook: Receiver, client: Client) -> None:
    standin.faults.add("duplicate_status")
    send(client, status_callback=webhook.url)
    standin.settle()

    assert statuses(webhook) == ["sent", "sent", "delivered", "delivered"]
    assert len({request.headers["i-twilio-idempotency-token"] for request in webhook.requests}) == 2


@pytest.mark.parametrize("seed", range(4))
def test_status_callbacks_can_come_in_another_order(
    standin: TwilioStandIn, webhook: Receiver, client: Client, seed: int
) -> None:
    standin.faults.add("shuffle_status", seed=seed)
    client.messages.create(to=PERSON, messaging_service_sid="MG" + "0" * 32, body="Hi", status_callback=webhook.url)
    standin.settle()

    assert sorted(statuses(webhook)) == ["delivered", "queued", "sent"]
    assert statuses(webhook) != ["queued", "sent", "delivered"]


def test_the_answer_can_come_after_the_callbacks(standin: TwilioStandIn, webhook: Receiver, client: Client) -> None:
    standin.faults.add("late_response")
    message = send(client, status_callback=webhook.url)

    assert statuses(webhook) == ["sent", "delivered"]
    assert message.status == "queued"


def test_faults_of_one_moment_follow_one_another_and_others_combine(
    standin: TwilioStandIn, webhook: Receiver, client: Client
) -> None:
    standin.faults.add("status", status=503)
    standin.faults.add("drop_before")
    standin.faults.add("undelivered")
    standin.faults.add("shuffle_status")
    with pytest.raises(TwilioRestException):
        send(client)
    with pytest.raises(requests.exceptions.ConnectionError):
        send(client)
    send(client, status_callback=webhook.url)
    standin.settle()

    assert statuses(webhook) == ["undelivered", "sent"]
    assert standin.faults.pending() == []


def test_a_fault_hits_only_its_method_and_its_recipient(standin: TwilioStandIn, client: Client) -> None:
    standin.faults.add("status", status=500, to="+14155550142")
    standin.faults.add("status", status=503, method="GET")

    assert send(client).status == "queued"
    with pytest.raises(TwilioRestException) as failed:
        client.messages("SM1").fetch()
    assert failed.value.status == 503
    assert len(standin.faults.pending()) == 1
    standin.faults.clear()
    assert standin.faults.pending() == []


@pytest.mark.parametrize(
    ("kind", "options", "said"),
    [
        ("earthquake", {}, "no fault 'earthquake'"),
        ("slow", {"minutes": 1}, "slow has no option minutes"),
        ("slow", {"seconds": "1"}, "is not a number"),
        ("reject", {}, "reject needs code"),
        ("undelivered", {"status": "lost"}, "undelivered or failed"),
    ],
)
def test_a_fault_that_does_not_exist_is_said(standin: TwilioStandIn, kind: str, options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        standin.faults.add(kind, **options)


def test_the_phone_never_shows_a_text_that_will_not_arrive() -> None:
    with TwilioStandIn(ACCOUNT, TOKEN, [NUMBER], delivery_seconds=0.1) as twilio:
        client = Client(ACCOUNT, TOKEN)
        client.api.base_url = twilio.url
        twilio.faults.add("undelivered")
        message = send(client)
        while message.fetch().status == "queued":
            pass
        shown = twilio.texts_to(PERSON)
        client.http_client.session.close()

    assert shown == []


def test_stopping_cuts_off_what_is_under_way(webhook: Receiver) -> None:
    webhook.default = Answer(delay=3)
    started = time.monotonic()
    with TwilioStandIn(ACCOUNT, TOKEN, [NUMBER], delivery_seconds=0) as twilio:
        client = Client(ACCOUNT, TOKEN)
        client.api.base_url = twilio.url
        send(client, status_callback=webhook.url)
        client.http_client.session.close()
        with pytest.raises(TimeoutError, match="still deliveries"):
            twilio.settle(timeout=0.01)

    assert time.monotonic() - started < 2
    with pytest.raises(RuntimeError, match="not running"):
        twilio.texts_to(PERSON)


def control(standin: TwilioStandIn, method: str, path: str, body: object = None) -> Any:
    """The JSON of the answer; (status, JSON) where it is an error."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{standin.url}/_standin{path}", data, method=method)
    try:
        with urllib.request.urlopen(request) as answer:
            text = answer.read().decode()
            return json.loads(text) if "json" in answer.headers["Content-Type"] else text
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def test_a_conversation_can_be_had_over_http(standin: TwilioStandIn, webhook: Receiver) -> None:
    webhook.answers = [twiml("<Message>Nice picture</Message>")]
    picture = {"content_type": "image/png", "base64": base64.b64encode(b"\x89PNG").decode()}
    exchange = control(
        standin,
        "POST",
        "/texts",
        {"from": PERSON, "body": "Look", "media": [picture, "https://example.com/b.gif"], "fields": {"FromCity": "OAKLAND"}},
    )
    texts = control(standin, "GET", f"/texts?person=%2B{PERSON[1:]}&after=0&timeout=5")

    assert (exchange["status"], exchange["attempts"], exchange["kind"]) == (200, 1, "message")
    assert exchange["fields"] == webhook.requests[0].fields
    assert (exchange["fields"]["NumMedia"], exchange["fields"]["FromCity"]) == ("2", "OAKLAND")
    assert [(text["body"], text["direction"], text["media_urls"]) for text in texts] == [("Nice picture", "outbound-reply", [])]
    assert control(standin, "GET", "/exchanges") == [exchange]
    assert control(standin, "GET", "/alerts") == []


def test_faults_and_the_webhook_can_be_set_over_http(standin: TwilioStandIn, webhook: Receiver, client: Client) -> None:
    added = control(standin, "POST", "/faults", {"kind": "status", "count": 2, "status": 503})
    with pytest.raises(TwilioRestException):
        send(client)
    left = control(standin, "GET", "/faults")
    cleared = control(standin, "DELETE", "/faults")
    control(standin, "POST", "/sms_url", {"url": f"{webhook.url}/json"})
    webhook.answers = [Answer(200, "application/json", "{}")]
    control(standin, "POST", "/texts", {"from": PERSON, "body": "Hi"})

    assert added == [{"kind": "status", "count": 2, "options": {"status": 503}}]
    assert (left[0]["count"], cleared) == (1, [])
    assert webhook.requests[0].path == "/json"
    [alert] = control(standin, "GET", "/alerts")
    assert (alert["code"], alert["text"], alert["detail"]) == (12300, "Invalid Content-Type", "application/json")


def test_the_control_explains_itself_and_its_errors(standin: TwilioStandIn) -> None:
    assert "/_standin/exchanges" in control(standin, "GET", "")
    assert control(standin, "POST", "/texts", {"body": "Hi"}) == (400, {"error": "'from' is missing"})
    assert control(standin, "POST", "/faults", {"kind": "rain"})[0] == 400
    assert control(standin, "POST", "/texts", ["Hi"]) == (400, {"error": "the body is not a JSON object"})
    assert control(standin, "GET", "/texts") == (400, {"error": "'person' is missing"})


def test_the_control_is_only_for_this_machine() -> None:
    transport = Mock(get_extra_info=lambda _name: ("203.0.113.7", 4711))
    stranger = make_mocked_request("GET", "/_standin/texts", transport=transport)

    answer = asyncio.run(control_middleware(stranger, AsyncMock(side_effect=AssertionError)))

    assert answer.status == 403


def test_a_text_to_somebody_else_s_number_is_refused_over_http(standin: TwilioStandIn) -> None:
    asked = {"from": PERSON, "to": "+14155550123", "body": "Hi"}

    assert control(standin, "POST", "/texts", asked) == (400, {"error": "+14155550123 is not a number of the account"})


def test_many_threads_may_use_it_at_once(standin: TwilioStandIn) -> None:
    threads = [threading.Thread(target=standin.receive_text, args=(PERSON, str(index), None, [])) for index in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(int(message.body) for message in standin.messages) == list(range(20))
