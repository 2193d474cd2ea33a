"""The agent's function as the bridge sees it: an answer, or one word for why there is none."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import EndpointConnectionError
from botocore.stub import Stubber

from tests.unit.fakes_calls import OURS, PAIR, THEIRS
from tests.unit.http_server import Answer, Hangup, Server
from twilio_plugin.adapters.agent_lambda import CONFIG, LambdaAgent
from twilio_plugin.domain.actions import HistoryTurn
from twilio_plugin.domain.agent import AgentAnswer, AgentInput, AgentRequest
from twilio_plugin.services.ports import NoAnswer

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

AGENT = "arn:aws:lambda:eu-central-1:123456789012:function:agent"
REQUEST = AgentRequest(
    channel="phone",
    conversation_id=PAIR,
    from_=THEIRS,
    to=OURS,
    input=AgentInput(text="Are you open? 👋"),
    turns=[HistoryTurn(role="user", content="Hello")],
)


@pytest.fixture(scope="module")
def _client() -> LambdaClient:
    return boto3.client("lambda", config=CONFIG)


@pytest.fixture
def stub(_client: LambdaClient) -> Iterator[Stubber]:
    with Stubber(_client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


@pytest.fixture
def agent(_client: LambdaClient) -> LambdaAgent:
    return LambdaAgent(_client, AGENT)


def answers(stub: Stubber, payload: Any, **more: Any) -> None:
    written = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    stub.add_response("invoke", {"StatusCode": 200, "Payload": io.BytesIO(written), **more})


def why_not(agent: LambdaAgent) -> str:
    with pytest.raises(NoAnswer) as none:
        agent.ask(REQUEST)
    return none.value.error_type


def test_it_is_invoked_with_the_turn_and_waited_for(agent: LambdaAgent, stub: Stubber) -> None:
    asked = {
        "channel": "phone",
        "conversation_id": PAIR,
        "from": THEIRS,
        "to": OURS,
        "input": {"text": "Are you open? 👋", "media": []},
        "turns": [{"role": "user", "content": "Hello"}],
    }
    payload = json.dumps(asked, ensure_ascii=False, separators=(",", ":")).encode()
    expected = {"FunctionName": AGENT, "InvocationType": "RequestResponse", "Payload": payload}
    stub.add_response("invoke", {"StatusCode": 200, "Payload": io.BytesIO(b'{"reply": "Yes"}')}, expected)

    assert agent.ask(REQUEST) == AgentAnswer(reply="Yes")


@pytest.mark.parametrize(
    ("payload", "answer"),
    [
        (None, AgentAnswer()),
        ({}, AgentAnswer()),
        (b"", AgentAnswer()),
        ({"reply": None, "media_url": None, "transfer_to": None}, AgentAnswer()),
        ({"media_url": "https://example.com/a.png"}, AgentAnswer(media_url=["https://example.com/a.png"])),
        ({"reply": "Bye", "end_call": True}, AgentAnswer(reply="Bye", end_call=True)),
        ({"transfer_to": "+14155550199"}, AgentAnswer(transfer_to="+14155550199")),
    ],
)
def test_an_answer_is_read(agent: LambdaAgent, stub: Stubber, payload: Any, answer: AgentAnswer) -> None:
    answers(stub, payload)

    assert agent.ask(REQUEST) == answer


@pytest.mark.parametrize(
    "payload",
    [
        "Yes",
        ["Yes"],
        {"replay": "a slip of the finger would otherwise be silence"},
        {"reply": {"text": "Yes"}},
        {"media_url": ["ftp://example.com/a.png"]},
        {"media_url": ["https://example.com/a.png"] * 11},
        {"end_call": "perhaps"},
        {"transfer_to": ""},
        {"reply": "half a character: \ud83d"},
        b"not json",
    ],
)
def test_what_is_no_answer_is_said_to_be_none(agent: LambdaAgent, stub: Stubber, payload: Any) -> None:
    answers(stub, payload)

    assert why_not(agent) == "InvalidAnswer"


@pytest.mark.parametrize(
    ("payload", "error_type"),
    [
        ({"errorType": "ValueError", "errorMessage": "Ada's number is +14155550123"}, "ValueError"),
        ({"errorType": "Sandbox.Timedout", "errorMessage": "Task timed out after 3.00 seconds"}, "Sandbox.Timedout"),
        ({"errorMessage": "2026-11-22 Task timed out after 3.00 seconds"}, "Unhandled"),
        ({"errorType": "call +14155550123", "errorMessage": ""}, "Unhandled"),
        ({"errorType": None}, "Unhandled"),
        (b"gibberish", "Unhandled"),
        (["odd"], "Unhandled"),
    ],
)
def test_of_what_the_agent_raised_only_the_name_goes_on(
    agent: LambdaAgent, stub: Stubber, payload: Any, error_type: str
) -> None:
    answers(stub, payload, FunctionError="Unhandled")

    assert why_not(agent) == error_type


@pytest.mark.parametrize("code", ["ResourceNotFoundException", "AccessDeniedException", "TooManyRequestsException"])
def test_an_agent_that_lambda_does_not_run_is_named_by_lambdas_error(agent: LambdaAgent, stub: Stubber, code: str) -> None:
    stub.add_client_error("invoke", code)

    assert why_not(agent) == code


def test_a_lambda_that_cannot_be_reached_is_an_agent_that_does_not_answer(
    agent: LambdaAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(**_: Any) -> None:
        raise EndpointConnectionError(endpoint_url="https://lambda")

    monkeypatch.setattr(agent._client, "invoke", unreachable)

    assert why_not(agent) == "EndpointConnectionError"


def test_an_agent_is_not_asked_twice_because_a_connection_broke(aws: Server) -> None:
    aws.reset()
    aws.script = [Hangup(), Answer(500, "{}"), Answer(200, '{"reply": "Yes"}')]
    agent = LambdaAgent(boto3.client("lambda", endpoint_url=aws.url, config=CONFIG), AGENT)

    assert why_not(agent) == "ConnectionClosedError"
    assert len(aws.asked) == 1
    assert why_not(agent) == "500"
    assert len(aws.asked) == 2


def test_an_agent_that_takes_too_long_is_not_asked_again_either(aws: Server) -> None:
    aws.reset()
    aws.script, aws.gate = [Answer(200, "{}")], threading.Event()
    agent = LambdaAgent(boto3.client("lambda", endpoint_url=aws.url, config=CONFIG.merge(Config(read_timeout=0.2))), AGENT)

    assert why_not(agent) == "Timeout"
    aws.gate.set()
    assert len(aws.asked) == 1
