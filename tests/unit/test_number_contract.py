"""What `configure_number` relies on, of the fakes and of the adapters: Twilio's stand-in and DynamoDB."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from local.twilio.services import Service
from local.twilio.standin import TwilioStandIn
from tests.unit.deployed import Stack
from tests.unit.fakes import ACCOUNT
from tests.unit.fakes_numbers import NO_URLS, UNSET, FakeRestSecret, FakeSettingsBefore, FakeTwilioResources
from twilio_plugin.adapters.number_settings import PARTITION, NumberSettingsTable
from twilio_plugin.adapters.secrets import Credentials
from twilio_plugin.adapters.twilio_numbers import TwilioNumbers
from twilio_plugin.adapters.twilio_rest import TwilioRest
from twilio_plugin.domain.number_settings import Before, TwilioResource
from twilio_plugin.errors import TwilioRejected, TwilioUnavailable
from twilio_plugin.runtime.wiring import parts
from twilio_plugin.services.ports import SettingsBefore, TwilioResources

NUMBER, OTHER = "+14155550100", "+14155550101"
SET = {"sms_url": "https://a.example/sms#rc=2", "sms_method": "GET", "voice_application_sid": "AP" + "1" * 32}


@pytest.fixture(scope="module")
def _standin() -> Iterator[TwilioStandIn]:
    with TwilioStandIn(ACCOUNT, "token", []) as standin:
        yield standin


@pytest.fixture
def standin(_standin: TwilioStandIn) -> TwilioStandIn:
    _standin.faults.clear()
    _standin._account.numbers.clear()
    _standin._account.services.clear()
    _standin.set_number(NUMBER, **SET)
    _standin.set_number(OTHER)
    return _standin


@pytest.fixture(params=["fake", "Twilio"])
def twilio(request: pytest.FixtureRequest) -> Iterator[tuple[TwilioResources, Any]]:
    """The port, and what adds a service to the account behind it."""
    if request.param == "fake":
        fake = FakeTwilioResources()
        fake.add_number(NUMBER, **SET)
        fake.add_number(OTHER)
        yield fake, lambda sid, *numbers: fake.add_service(sid, *numbers)
        return
    standin: TwilioStandIn = request.getfixturevalue("standin")
    rest = TwilioRest(ACCOUNT, FakeRestSecret(), api_base_url=standin.url)
    yield TwilioNumbers(rest), lambda sid, *numbers: standin.add_service(Service(sid, list(numbers), sid=sid))
    rest._http.session.close()


@pytest.fixture(params=["fake", "DynamoDB"])
def before(request: pytest.FixtureRequest) -> SettingsBefore:
    if request.param == "fake":
        return FakeSettingsBefore()
    stack: Stack = request.getfixturevalue("stack")
    return NumberSettingsTable(parts.dynamodb(), stack.conversations)


# ------------------------------------------------------------------------------------------------------------------ Twilio


def found(twilio: TwilioResources, key: str) -> TwilioResource:
    resource = twilio.find(key)
    assert resource
    return resource


def test_a_number_is_found_with_all_that_is_set_on_it(twilio: tuple[TwilioResources, Any]) -> None:
    number = found(twilio[0], NUMBER)

    assert (number.key, number.settings) == (NUMBER, UNSET | SET)
    assert not number.is_service
    assert found(twilio[0], OTHER).settings == UNSET


@pytest.mark.parametrize("key", ["+14155550199", "+1415555010", "MG" + "9" * 32])
def test_what_the_account_has_not_is_not_found(twilio: tuple[TwilioResources, Any], key: str) -> None:
    assert twilio[0].find(key) is None


def test_a_change_changes_what_it_says_and_an_empty_text_clears(twilio: tuple[TwilioResources, Any]) -> None:
    port = twilio[0]
    for _ in range(2):
        port.change(found(port, NUMBER), {"sms_url": "https://b.example/sms", "voice_application_sid": ""})

    assert found(port, NUMBER).settings == UNSET | {"sms_url": "https://b.example/sms", "sms_method": "GET"}
    assert found(port, OTHER).settings == UNSET


def test_a_service_is_found_changed_and_known_by_its_numbers(twilio: tuple[TwilioResources, Any]) -> None:
    port, add_service = twilio
    first, second = "MG" + "1" * 32, "MG" + "2" * 32
    add_service(first)
    add_service(second, OTHER)
    changes = {"inbound_request_url": "https://b.example/sms", "use_inbound_webhook_on_number": "true"}
    port.change(found(port, second), changes)

    service = port.service_of(found(port, OTHER))
    assert service == found(port, second)
    assert (service.key, service.settings, service.is_service) == (second, NO_URLS | changes, True)
    assert service.leaves_texts_to_numbers
    assert port.service_of(found(port, NUMBER)) is None
    port.change(service, {"inbound_request_url": "", "use_inbound_webhook_on_number": "false"})
    assert found(port, second).settings == NO_URLS


@pytest.fixture
def numbers(standin: TwilioStandIn) -> Iterator[TwilioNumbers]:
    rest = TwilioRest(ACCOUNT, FakeRestSecret(), api_base_url=standin.url, pause=lambda _: None)
    yield TwilioNumbers(rest)
    rest._http.session.close()


def test_wrong_credentials_are_told_from_a_number_that_is_not_there(standin: TwilioStandIn) -> None:
    rest = TwilioRest(ACCOUNT, FakeRestSecret(Credentials(auth_token="wrong")), api_base_url=standin.url)

    for key in (NUMBER, "MG" + "1" * 32):
        with pytest.raises(TwilioRejected, match=r"HTTP 401\): 20003: Twilio did not accept the credentials") as refused:
            TwilioNumbers(rest).find(key)
        assert (refused.value.status, refused.value.twilio_code) == (401, 20003)
        assert len(str(refused.value)) <= 256
    rest._http.session.close()


def test_too_many_requests_are_repeated_and_a_breakdown_is_not(standin: TwilioStandIn, numbers: TwilioNumbers) -> None:
    standin.faults.add("status", 3, status=429, method="*")
    assert numbers.find(NUMBER)

    standin.faults.add("status", 4, status=429, method="*")
    with pytest.raises(TwilioUnavailable, match="HTTP 429"):
        numbers.find(NUMBER)
    standin.faults.add("status", status=503, method="*")
    with pytest.raises(TwilioUnavailable, match="HTTP 503"):
        numbers.find(NUMBER)
    standin.faults.add("drop_before", method="*")
    with pytest.raises(TwilioUnavailable, match=r"number \*\*\*0100"):
        numbers.find(NUMBER)


def test_a_number_that_is_gone_when_it_is_to_be_changed_is_a_refusal(standin: TwilioStandIn, numbers: TwilioNumbers) -> None:
    number = found(numbers, NUMBER)
    standin.faults.add("reject", code=20404)

    with pytest.raises(TwilioRejected, match=r"the webhooks of \*\*\*0100 \(HTTP 404\)"):
        numbers.change(number, {"sms_url": ""})


# ---------------------------------------------------------------------------------------------------- what was there before


def test_what_is_kept_is_there_until_it_is_put_back(before: SettingsBefore) -> None:
    assert before.all() == []
    one, other = Before(NUMBER, UNSET | SET, ("https://a",)), Before("MG" + "1" * 32, NO_URLS, ())
    before.keep(one)
    before.keep(Before(other.key, NO_URLS, ("https://b",)))
    before.keep(other)

    assert sorted(before.all(), key=lambda kept: kept.key) == [one, other]
    before.forget(other.key)
    before.forget(other.key)
    assert before.all() == [one]


def test_it_is_kept_for_good_and_apart_from_conversations(stack: Stack) -> None:
    NumberSettingsTable(parts.dynamodb(), stack.conversations).keep(Before(NUMBER, UNSET, ("https://a",)))

    item = stack.kept(stack.conversations)[NUMBER]
    assert item["conversation_id"] == PARTITION
    assert "ttl" not in item
