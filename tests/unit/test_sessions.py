from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError
from botocore.stub import Stubber

from tests.unit.fakes_streams import stream
from twilio_plugin.adapters.sessions import LambdaSessions, LambdaWarmer
from twilio_plugin.errors import StorageUnavailable

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient


@pytest.fixture(scope="module")
def _client() -> LambdaClient:
    return boto3.client("lambda")


@pytest.fixture
def sessions(_client: LambdaClient, stub: Stubber) -> LambdaSessions:
    return LambdaSessions(_client, "phone-call-session")


@pytest.fixture
def stub(_client: LambdaClient) -> Iterator[Stubber]:
    with Stubber(_client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def test_a_session_is_started_in_the_background_with_what_it_must_know(sessions: LambdaSessions, stub: Stubber) -> None:
    one = stream(1, leg=2)
    payload = json.dumps({"call_sid": one.call_sid, "leg": 2, "session_id": "session 1"}).encode()
    expected = {"FunctionName": "phone-call-session", "InvocationType": "Event", "Payload": payload}
    stub.add_response("invoke", {"StatusCode": 202, "Payload": io.BytesIO()}, expected)

    sessions.start(one, "session 1")


@pytest.mark.parametrize("code", ["TooManyRequestsException", "ResourceNotFoundException"])
def test_a_session_that_lambda_does_not_take_is_reported(sessions: LambdaSessions, stub: Stubber, code: str) -> None:
    stub.add_client_error("invoke", code)

    with pytest.raises(StorageUnavailable, match="call session"):
        sessions.start(stream(), "session 1")


class Functions:
    """A client of Lambda's: every function waits until all are asked; those in `broken` fail then."""

    def __init__(self, *, together: int, broken: set[str]) -> None:
        self._together = threading.Barrier(together, timeout=30)
        self._broken = broken
        self.asked: list[dict[str, Any]] = []

    def invoke(self, **request: Any) -> None:
        self.asked.append(request)
        self._together.wait()
        if request["FunctionName"] in self._broken:
            raise EndpointConnectionError(endpoint_url="https://aws")


def test_functions_are_warmed_at_the_same_time_and_those_that_were_not_are_named() -> None:
    client: Any = Functions(together=3, broken={"b"})

    assert LambdaWarmer(client).warm(["a", "b", "c"]) == ["b"]

    assert sorted(one["FunctionName"] for one in client.asked) == ["a", "b", "c"]
    assert {(one["InvocationType"], one["Payload"]) for one in client.asked} == {("Event", b'{"warm": true}')}


def test_nothing_to_warm_is_nothing() -> None:
    client: Any = Functions(together=1, broken=set())

    assert LambdaWarmer(client).warm([]) == []
    assert client.asked == []
