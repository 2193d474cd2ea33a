from __future__ import annotations

import json
import traceback
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from twilio_plugin.adapters.secrets import LIFETIME_SECONDS, Credentials, TwilioSecret
from twilio_plugin.errors import Misconfigured, StorageUnavailable

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

TOKEN = "5ec4e7" * 5


class Monotonic:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Monotonic:
    monotonic = Monotonic()
    monkeypatch.setattr("twilio_plugin.adapters.secrets.time.monotonic", monotonic)
    return monotonic


@pytest.fixture(scope="module")
def _client() -> SecretsManagerClient:
    return boto3.client("secretsmanager")


@pytest.fixture
def stub(_client: SecretsManagerClient) -> Iterator[Stubber]:
    with Stubber(_client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


@pytest.fixture
def secret(_client: SecretsManagerClient, stub: Stubber) -> TwilioSecret:
    return TwilioSecret(lambda: _client, "phone/twilio")


def holds(stub: Stubber, text: str) -> None:
    """The next read finds this."""
    stub.add_response("get_secret_value", {"SecretString": text}, {"SecretId": "phone/twilio"})


def test_the_tokens_and_the_api_key_are_read(secret: TwilioSecret, stub: Stubber) -> None:
    fields = {"auth_token": "new", "previous_auth_token": "old", "api_key_sid": "SK1", "api_key_secret": "key"}
    holds(stub, json.dumps(fields | {"note": "whatever else"}))

    credentials = secret.credentials()

    assert credentials.auth_tokens == ("new", "old")
    assert credentials.api_key == ("SK1", "key")


@pytest.mark.parametrize(
    "fields", [{}, {"api_key_sid": "", "api_key_secret": "", "previous_auth_token": ""}, {"api_key_sid": None}]
)
def test_an_auth_token_alone_is_enough(secret: TwilioSecret, stub: Stubber, fields: dict[str, Any]) -> None:
    holds(stub, json.dumps({"auth_token": TOKEN} | fields))

    credentials = secret.credentials()

    assert credentials.auth_tokens == (TOKEN,)
    assert credentials.api_key is None


def test_the_secret_is_read_once_and_again_when_it_is_old(secret: TwilioSecret, stub: Stubber, clock: Monotonic) -> None:
    holds(stub, '{"auth_token": "first"}')
    first = secret.credentials()
    clock.now += LIFETIME_SECONDS - 1
    assert secret.credentials() is first

    holds(stub, '{"auth_token": "second"}')
    clock.now += 1
    assert secret.credentials().auth_tokens == ("second",)
    clock.now += LIFETIME_SECONDS - 1
    assert secret.credentials().auth_tokens == ("second",)


def test_a_second_look_reads_again_but_not_more_often_than_it_may(
    secret: TwilioSecret, stub: Stubber, clock: Monotonic
) -> None:
    holds(stub, '{"auth_token": "first"}')
    first = secret.credentials()
    clock.now += 9
    assert secret.credentials(newer_than_seconds=10) is first

    holds(stub, '{"auth_token": "second"}')
    clock.now += 1
    assert secret.credentials(newer_than_seconds=10).auth_tokens == ("second",)
    clock.now += 9
    assert secret.credentials(newer_than_seconds=10).auth_tokens == ("second",)


def test_an_outage_leaves_the_credentials_that_were_good_before(secret: TwilioSecret, stub: Stubber, clock: Monotonic) -> None:
    holds(stub, json.dumps({"auth_token": TOKEN}))
    secret.credentials()
    clock.now += LIFETIME_SECONDS
    stub.add_client_error("get_secret_value", "InternalServiceError")

    assert secret.credentials().auth_tokens == (TOKEN,)


def test_nothing_is_read_before_it_is_needed() -> None:
    def never() -> SecretsManagerClient:
        raise AssertionError("A client was made.")

    TwilioSecret(never, "phone/twilio")


def test_a_read_that_fails_is_no_read(secret: TwilioSecret, stub: Stubber) -> None:
    stub.add_client_error("get_secret_value", "ResourceNotFoundException")
    with pytest.raises(StorageUnavailable, match=r"ResourceNotFoundException for the secret 'phone/twilio'") as refused:
        secret.credentials()
    assert isinstance(refused.value.__cause__, ClientError)

    holds(stub, '{"auth_token": "now it is there"}')
    assert secret.credentials().auth_tokens == ("now it is there",)


@pytest.mark.parametrize(
    "text",
    [
        TOKEN,
        f'"{TOKEN}"',
        f'["{TOKEN}"]',
        f'{{"auth_token": "{TOKEN}"',
        f'{{"token": "{TOKEN}"}}',
        f'{{"previous_auth_token": "{TOKEN}"}}',
        f'{{"auth_token": ["{TOKEN}"]}}',
        f'{{"auth_token": {{"value": "{TOKEN}"}}}}',
        '{"auth_token": 123456}',
        '{"auth_token": true}',
        '{"auth_token": ""}',
        '{"auth_token": null}',
        f'{{"auth_token": "{TOKEN}", "api_key_sid": "SK1"}}',
        f'{{"auth_token": "{TOKEN}", "api_key_sid": "SK1", "api_key_secret": ""}}',
        f'{{"auth_token": "{TOKEN}", "api_key_sid": 1, "api_key_secret": 2}}',
        *("{}", "[]", "null", "5", "", "\x00"),
    ],
)
def test_a_secret_of_another_shape_is_reported_without_showing_it(secret: TwilioSecret, stub: Stubber, text: str) -> None:
    holds(stub, text or " ")

    with pytest.raises(Misconfigured, match="'phone/twilio' must be JSON") as refused:
        secret.credentials()

    assert TOKEN not in "".join(traceback.format_exception(refused.value))


def test_a_binary_secret_is_reported(secret: TwilioSecret, stub: Stubber) -> None:
    stub.add_response("get_secret_value", {"SecretBinary": TOKEN.encode()})

    with pytest.raises(Misconfigured):
        secret.credentials()


def test_credentials_never_show_themselves(secret: TwilioSecret, stub: Stubber) -> None:
    credentials = Credentials((TOKEN,), ("SK1", TOKEN))
    holds(stub, json.dumps({"auth_token": TOKEN}))
    secret.credentials()

    for shown in (repr(credentials), str(credentials), f"{credentials}", repr([credentials]), repr(secret)):
        assert TOKEN not in shown
