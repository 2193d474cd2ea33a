"""Numbers and Messaging Services of the stand-in, driven with Twilio's own SDK."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from local.twilio.receiver import Answer, Receiver
from local.twilio.services import Service
from local.twilio.standin import TwilioStandIn

from .account import ACCOUNT, NUMBER, PERSON, TOKEN, is_signed

OTHER = "+14155550101"


@pytest.fixture
def twilio(webhook: Receiver) -> Iterator[TwilioStandIn]:
    with TwilioStandIn(ACCOUNT, TOKEN, [NUMBER, OTHER], sms_url=f"{webhook.url}/sms", time_scale=0.005) as standin:
        yield standin


def client_with(twilio: TwilioStandIn, token: str = TOKEN, timeout: float | None = None) -> Client:
    client = Client(ACCOUNT, token, http_client=TwilioHttpClient(timeout=timeout))
    client.api.base_url = client.messaging.base_url = twilio.url
    return client


@pytest.fixture
def client(twilio: TwilioStandIn) -> Iterator[Client]:
    client = client_with(twilio)
    yield client
    client.http_client.session.close()


def test_numbers_have_settings_of_their_own_that_can_be_changed_and_cleared(twilio: TwilioStandIn, client: Client) -> None:
    first, second = client.incoming_phone_numbers.list()
    first.update(sms_url="https://a.example/s", sms_method="GET", voice_url="https://a.example/v", status_callback="")
    second.update(sms_url="")

    assert (twilio.number(NUMBER).sms_url, twilio.number(NUMBER).sms_method) == ("https://a.example/s", "GET")
    assert (twilio.number(OTHER).sms_url, twilio.number(OTHER).voice_url) == ("", "")
    assert client.incoming_phone_numbers(first.sid).fetch().voice_url == "https://a.example/v"
    with pytest.raises(TwilioRestException, match="SmsFallbackUrl is not a valid URL"):
        first.update(sms_fallback_url="nowhere")


def test_an_application_and_a_trunk_replace_one_another_and_hide_the_urls(twilio: TwilioStandIn, client: Client) -> None:
    [number, _] = client.incoming_phone_numbers.list()
    number.update(voice_url="https://a.example/v", voice_application_sid="AP" + "1" * 32)
    number.update(trunk_sid="TK" + "1" * 32)

    assert (number.fetch().voice_application_sid, number.fetch().trunk_sid) == ("", "TK" + "1" * 32)
    with pytest.raises(RuntimeError, match="voice_url is not set"):
        twilio.call_in(PERSON, NUMBER)
    number.update(voice_application_sid="AP" + "2" * 32)
    assert number.fetch().trunk_sid is None

    number.update(sms_application_sid="AP" + "3" * 32)
    with pytest.raises(RuntimeError, match="sms_url is not set"):
        twilio.receive_text(PERSON, "Hi", to=NUMBER)


def test_a_text_goes_to_its_number_with_its_method_and_to_the_fallback_if_that_fails(
    twilio: TwilioStandIn, webhook: Receiver
) -> None:
    twilio.set_number(OTHER, sms_url=f"{webhook.url}/other", sms_method="GET", sms_fallback_url=f"{webhook.url}/instead")
    webhook.answers = [Answer(500, "text/plain", "")]
    twilio.receive_text(PERSON, "Hi", to=OTHER)

    asked, instead = webhook.requests
    assert (asked.method, asked.path.partition("?")[0]) == ("GET", "/other")
    assert (instead.method, instead.path) == ("POST", "/instead")
    assert (instead.fields["ErrorCode"], instead.fields["ErrorUrl"]) == ("11200", f"{webhook.url}/other")
    assert is_signed(instead, webhook.url)


def test_a_text_to_a_number_of_a_messaging_service_goes_where_the_service_says(
    twilio: TwilioStandIn, client: Client, webhook: Receiver
) -> None:
    sid = twilio.add_service(Service("Texts", [OTHER]))
    with pytest.raises(RuntimeError, match="sms_url is not set"):
        twilio.receive_text(PERSON, "dropped", to=OTHER)

    client.messaging.v1.services(sid).update(inbound_request_url=f"{webhook.url}/service")
    twilio.receive_text(PERSON, "to the service", to=OTHER)
    client.messaging.v1.services(sid).update(use_inbound_webhook_on_number=True)
    twilio.receive_text(PERSON, "to the number", to=OTHER)
    twilio.receive_text(PERSON, "to the number outside", to=NUMBER)

    assert [request.path for request in webhook.requests] == ["/service", "/sms", "/sms"]
    assert [request.fields.get("MessagingServiceSid") for request in webhook.requests] == [sid, sid, None]


def test_messaging_services_can_be_read(twilio: TwilioStandIn, client: Client) -> None:
    sids = [twilio.add_service(Service(f"Service {index}", [OTHER] * (index == 1))) for index in range(3)]

    services = client.messaging.v1.services.list(page_size=2)
    assert [service.sid for service in services] == sids
    assert services[0].inbound_request_url is None
    assert client.messaging.v1.services(sids[1]).fetch().friendly_name == "Service 1"
    [number] = client.messaging.v1.services(sids[1]).phone_numbers.list()
    assert number.phone_number == OTHER
    assert client.messaging.v1.services(sids[1]).phone_numbers(number.sid).fetch().service_sid == sids[1]
    with pytest.raises(TwilioRestException) as unknown:
        client.messaging.v1.services(sids[0]).phone_numbers(number.sid).fetch()
    assert (unknown.value.status, unknown.value.code) == (404, 20404)
    with pytest.raises(TwilioException, match="HTTP 401"):
        client_with(twilio, "wrong").messaging.v1.services.list()


def test_a_fault_may_be_limited_to_a_path_and_a_request_may_get_no_answer(twilio: TwilioStandIn, client: Client) -> None:
    twilio.faults.add("reject", code=20003, method="*", path="IncomingPhoneNumbers")
    assert client.messaging.v1.services.list() == []
    with pytest.raises(TwilioException, match="20003"):
        client.incoming_phone_numbers.list()

    [number, _] = client.incoming_phone_numbers.list()
    twilio.faults.add("hang", seconds=0.3, path=f"{number.sid}.json")
    with pytest.raises(requests.exceptions.ReadTimeout):
        client_with(twilio, timeout=0.1).incoming_phone_numbers(number.sid).update(sms_url="")
    assert twilio.number(NUMBER).sms_url
    twilio.faults.add("hang", seconds=0.01, path=f"{number.sid}.json")
    with pytest.raises(requests.exceptions.ConnectionError):
        number.update(sms_url="")


def test_a_secondary_token_counts_for_rest_only_and_signs_once_it_is_promoted(twilio: TwilioStandIn, webhook: Receiver) -> None:
    twilio.create_secondary_token("second")
    assert client_with(twilio, "second").incoming_phone_numbers.list()
    assert client_with(twilio, TOKEN).incoming_phone_numbers.list()
    twilio.receive_text(PERSON, "before")
    twilio.promote_token("second")
    twilio.receive_text(PERSON, "after")

    before, after = webhook.requests
    assert is_signed(before, webhook.url)
    assert not is_signed(after, webhook.url)
    assert RequestValidator("second").validate(webhook.url + after.path, after.fields, after.headers["x-twilio-signature"])
    with pytest.raises(TwilioException, match="HTTP 401"):
        client_with(twilio, TOKEN).incoming_phone_numbers.list()


def test_numbers_and_services_can_be_set_by_hand(twilio: TwilioStandIn) -> None:
    def control(path: str, **body: Any) -> dict[str, object]:
        answer: dict[str, object] = requests.post(f"{twilio.url}/_standin/{path}", json=body, timeout=10).json()
        return answer

    control("numbers", phone_number="+14155550102", trunk_sid="TK" + "1" * 32)
    sid = control("services", friendly_name="Texts", numbers=["+14155550102"])["sid"]
    listed = requests.get(f"{twilio.url}/_standin/numbers", timeout=10).json()

    assert twilio.number("+14155550102").trunk_sid == "TK" + "1" * 32
    assert twilio.service(str(sid)).numbers == ["+14155550102"]
    assert [number["phone_number"] for number in listed] == [NUMBER, OTHER, "+14155550102"]
    assert "a number has no colour" in str(control("numbers", phone_number=NUMBER, colour="red")["error"])
