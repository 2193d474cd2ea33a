from __future__ import annotations

import json
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from twilio_plugin.adapters.secrets import (
    FORMER_SECONDS,
    LIFETIME_SECONDS,
    LOOKS,
    SECONDS_PER_LOOK,
    Credentials,
    RestSecret,
    SigningSecret,
)
from twilio_plugin.errors import Misconfigured, StorageUnavailable

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

TOKEN = "5ec4e7" * 5
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


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
def client() -> SecretsManagerClient:
    return boto3.client("secretsmanager")


@pytest.fixture
def stub(client: SecretsManagerClient) -> Iterator[Stubber]:
    with Stubber(client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


@pytest.fixture
def signing(client: SecretsManagerClient, stub: Stubber, clock: Monotonic) -> SigningSecret:
    return SigningSecret(lambda: client, "phone/twilio")


@pytest.fixture
def rest(client: SecretsManagerClient, stub: Stubber, clock: Monotonic) -> RestSecret:
    return RestSecret(lambda: client, "phone/twilio")


def holds(stub: Stubber, text: str, *, since: datetime = LONG_AGO) -> None:
    """The next read finds this."""
    stub.add_response("get_secret_value", {"SecretString": text, "CreatedDate": since}, {"SecretId": "phone/twilio"})


def held(stub: Stubber, text: str) -> None:
    """The next read of the version before finds this."""
    expected = {"SecretId": "phone/twilio", "VersionStage": "AWSPREVIOUS"}
    stub.add_response("get_secret_value", {"SecretString": text, "CreatedDate": LONG_AGO}, expected)


def ago(seconds: float) -> datetime:
    return datetime.now(UTC) - timedelta(seconds=seconds)


# ---------------------------------------------------------------------------------------------------- what is in the secrets


def test_the_tokens_are_read_the_one_in_force_first(signing: SigningSecret, stub: Stubber) -> None:
    holds(stub, json.dumps({"auth_token": "new", "previous_auth_token": "old", "note": "whatever else"}))

    assert signing.auth_tokens() == ("new", "old")


@pytest.mark.parametrize("fields", [{}, {"previous_auth_token": ""}, {"previous_auth_token": None}])
def test_an_auth_token_alone_is_enough(signing: SigningSecret, stub: Stubber, fields: dict[str, Any]) -> None:
    holds(stub, json.dumps({"auth_token": TOKEN} | fields))

    assert signing.auth_tokens() == (TOKEN,)


def test_requests_are_made_with_the_api_key_or_else_with_the_token(
    client: SecretsManagerClient, stub: Stubber, rest: RestSecret
) -> None:
    holds(stub, json.dumps({"api_key_sid": "SK1", "api_key_secret": "key"}))
    assert rest.credentials() == Credentials(api_key=("SK1", "key"))

    holds(stub, json.dumps({"auth_token": TOKEN, "api_key_sid": "SK1", "api_key_secret": "key"}))
    assert RestSecret(lambda: client, "phone/twilio").credentials() == Credentials(api_key=("SK1", "key"))
    holds(stub, json.dumps({"auth_token": TOKEN, "previous_auth_token": "old", "api_key_sid": ""}))
    assert RestSecret(lambda: client, "phone/twilio").credentials() == Credentials(auth_token=TOKEN)


MISSHAPEN = [
    TOKEN,
    f'"{TOKEN}"',
    f'["{TOKEN}"]',
    f'{{"auth_token": "{TOKEN}"',
    f'{{"token": "{TOKEN}"}}',
    f'{{"previous_auth_token": "{TOKEN}"}}',
    f'{{"auth_token": ["{TOKEN}"]}}',
    f'{{"auth_token": {{"value": "{TOKEN}"}}}}',
    f'{{"auth_token": "{TOKEN}", "previous_auth_token": 5}}',
    '{"auth_token": 123456}',
    '{"auth_token": true}',
    '{"auth_token": ""}',
    '{"auth_token": null}',
    *("{}", "[]", "null", "5", "", "\x00"),
]


@pytest.mark.parametrize("text", MISSHAPEN)
def test_a_signing_secret_of_another_shape_is_reported_without_showing_it(
    signing: SigningSecret, stub: Stubber, text: str
) -> None:
    holds(stub, text or " ")

    with pytest.raises(Misconfigured, match="'phone/twilio' must be JSON") as refused:
        signing.auth_tokens()

    assert TOKEN not in "".join(traceback.format_exception(refused.value))


@pytest.mark.parametrize(
    "text",
    [
        *MISSHAPEN,
        f'{{"auth_token": "{TOKEN}", "api_key_sid": "SK1"}}',
        f'{{"auth_token": "{TOKEN}", "api_key_sid": "SK1", "api_key_secret": ""}}',
        f'{{"auth_token": "{TOKEN}", "api_key_sid": 1, "api_key_secret": 2}}',
        f'{{"api_key_secret": "{TOKEN}"}}',
    ],
)
def test_a_rest_secret_of_another_shape_is_reported_without_showing_it(rest: RestSecret, stub: Stubber, text: str) -> None:
    holds(stub, text or " ")

    with pytest.raises(Misconfigured, match="'phone/twilio' must be JSON") as refused:
        rest.credentials()

    assert TOKEN not in "".join(traceback.format_exception(refused.value))


def test_a_binary_secret_is_reported(signing: SigningSecret, stub: Stubber) -> None:
    stub.add_response("get_secret_value", {"SecretBinary": TOKEN.encode(), "CreatedDate": LONG_AGO})

    with pytest.raises(Misconfigured):
        signing.auth_tokens()


def test_credentials_never_show_themselves(signing: SigningSecret, stub: Stubber) -> None:
    credentials = Credentials(TOKEN, ("SK1", TOKEN))
    holds(stub, json.dumps({"auth_token": TOKEN}))
    signing.auth_tokens()

    for shown in (repr(credentials), str(credentials), f"{credentials}", repr([credentials]), repr(signing)):
        assert TOKEN not in shown


# ---------------------------------------------------------------------------------------------------------- what was in them


def test_what_the_secret_held_before_counts_for_a_while(signing: SigningSecret, stub: Stubber) -> None:
    holds(stub, '{"auth_token": "third", "previous_auth_token": "second"}', since=ago(FORMER_SECONDS - 5))
    held(stub, '{"auth_token": "second", "previous_auth_token": "first"}')

    assert signing.auth_tokens() == ("third", "second", "first")


def test_what_the_secret_held_long_ago_counts_no_more_and_is_not_looked_up(signing: SigningSecret, stub: Stubber) -> None:
    holds(stub, '{"auth_token": "second"}', since=ago(FORMER_SECONDS + 5))

    assert signing.auth_tokens() == ("second",)


def test_a_secret_that_never_held_anything_else_is_enough(signing: SigningSecret, stub: Stubber) -> None:
    holds(stub, '{"auth_token": "first"}', since=ago(1))
    stub.add_client_error("get_secret_value", "ResourceNotFoundException")

    assert signing.auth_tokens() == ("first",)


def test_a_mistake_that_was_put_right_is_forgotten(signing: SigningSecret, stub: Stubber) -> None:
    holds(stub, '{"auth_token": "first"}', since=ago(1))
    held(stub, "oops")

    assert signing.auth_tokens() == ("first",)


def test_a_version_before_that_cannot_be_read_is_a_secret_that_cannot(signing: SigningSecret, stub: Stubber) -> None:
    """Half of the tokens would refuse what is signed with the other half."""
    holds(stub, '{"auth_token": "second"}', since=ago(1))
    stub.add_client_error("get_secret_value", "InternalServiceError")

    with pytest.raises(StorageUnavailable, match="InternalServiceError"):
        signing.auth_tokens()


# -------------------------------------------------------------------------------------------------------- when they are read


def test_the_secret_is_read_once_and_again_when_it_is_old(rest: RestSecret, stub: Stubber, clock: Monotonic) -> None:
    holds(stub, '{"auth_token": "first"}')
    first = rest.credentials()
    clock.now += LIFETIME_SECONDS - 1
    assert rest.credentials() is first

    holds(stub, '{"auth_token": "second"}')
    clock.now += 1
    assert rest.credentials() == Credentials("second")
    clock.now += LIFETIME_SECONDS - 1
    assert rest.credentials() == Credentials("second")


def test_a_fresh_look_reads_at_once(rest: RestSecret, stub: Stubber) -> None:
    holds(stub, '{"auth_token": "first"}')
    assert rest.fresh_credentials() == Credentials("first")

    holds(stub, '{"auth_token": "second"}')
    assert rest.fresh_credentials() == Credentials("second")
    assert rest.credentials() == Credentials("second")


class Counted:
    """Secrets Manager, which counts how often it is read."""

    def __init__(self) -> None:
        self.token, self.reads = "first", 0

    def get_secret_value(self, **_arguments: str) -> dict[str, Any]:
        self.reads += 1
        return {"SecretString": json.dumps({"auth_token": self.token}), "CreatedDate": LONG_AGO}


@pytest.fixture
def counted(clock: Monotonic) -> tuple[SigningSecret, Counted]:
    """A secret that was read once, and what counts its reads."""
    manager: Any = Counted()
    secret = SigningSecret(lambda: manager, "phone/twilio")
    secret.auth_tokens()
    return secret, manager


def test_a_few_fresh_looks_are_free_and_then_they_are_rationed(
    counted: tuple[SigningSecret, Counted], clock: Monotonic
) -> None:
    secret, manager = counted
    assert [secret.fresh_auth_tokens() for _ in range(LOOKS + 1)] == [*[("first",)] * LOOKS, None]

    clock.now += SECONDS_PER_LOOK / 2
    assert secret.fresh_auth_tokens() is None
    clock.now += SECONDS_PER_LOOK / 2
    manager.token = "second"
    assert secret.fresh_auth_tokens() == ("second",)
    assert secret.fresh_auth_tokens() is None
    assert manager.reads == 1 + LOOKS + 1


def test_looks_are_not_saved_up_without_end(counted: tuple[SigningSecret, Counted], clock: Monotonic) -> None:
    secret, manager = counted
    clock.now += LIFETIME_SECONDS - 1

    looks = [secret.fresh_auth_tokens() for _ in range(10 * LOOKS)]

    assert looks == [*[("first",)] * LOOKS, *[None] * 9 * LOOKS]
    assert manager.reads == 1 + LOOKS


def test_a_fresh_look_that_fails_says_that_it_cannot_tell(signing: SigningSecret, stub: Stubber) -> None:
    holds(stub, '{"auth_token": "first"}')
    signing.auth_tokens()
    stub.add_client_error("get_secret_value", "InternalServiceError")

    assert signing.fresh_auth_tokens() is None
    assert signing.auth_tokens() == ("first",)


def test_an_outage_leaves_the_credentials_that_were_good_before(rest: RestSecret, stub: Stubber, clock: Monotonic) -> None:
    holds(stub, json.dumps({"auth_token": TOKEN}))
    rest.credentials()
    clock.now += LIFETIME_SECONDS
    stub.add_client_error("get_secret_value", "InternalServiceError")

    assert rest.credentials() == Credentials(TOKEN)


def test_nothing_is_read_before_it_is_needed() -> None:
    def never() -> SecretsManagerClient:
        raise AssertionError("A client was made.")

    SigningSecret(never, "phone/twilio")


def test_a_read_that_fails_is_no_read(rest: RestSecret, stub: Stubber) -> None:
    stub.add_client_error("get_secret_value", "ResourceNotFoundException")
    with pytest.raises(StorageUnavailable, match=r"ResourceNotFoundException for the secret 'phone/twilio'") as refused:
        rest.credentials()
    assert isinstance(refused.value.__cause__, ClientError)

    holds(stub, '{"auth_token": "now it is there"}')
    assert rest.credentials() == Credentials("now it is there")
