"""Requests of CloudFormation's, and what it is answered."""

from __future__ import annotations

import io
import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from local.twilio.standin import TwilioStandIn
from tests.unit.deployed import OURS, PUBLIC, Stack
from tests.unit.fakes import LambdaContext
from tests.unit.http_server import Answer, Server, running
from twilio_plugin.errors import Misconfigured, PluginError
from twilio_plugin.runtime.custom_resource import Cases, custom_resource
from twilio_plugin.runtime.wiring import number

SECRET_PATH = "/cloudformation?signature=anybody-with-it-may-answer"


@dataclass
class Context(LambdaContext):
    """With a clock."""

    milliseconds: int = 60_000

    def get_remaining_time_in_millis(self) -> int:
        return self.milliseconds


@dataclass
class Resource:
    """Cases that note what they are asked, and do what the test wants."""

    does: Callable[[], Mapping[str, Any]] = dict
    asked: list[Any] = field(default_factory=list)

    def put(self, properties: Mapping[str, Any]) -> Mapping[str, Any]:
        self.asked.append(properties)
        return self.does()

    def delete(self) -> Mapping[str, Any]:
        self.asked.append("delete")
        return self.does()


@pytest.fixture(scope="module")
def _http() -> Iterator[Server]:
    with running() as server:
        yield server


@pytest.fixture
def cloudformation(_http: Server) -> Iterator[Server]:
    _http.reset()
    _http.script = [Answer(200, "")]
    level = logging.root.level
    yield _http
    logging.root.setLevel(level)  # crhelper's


def request(cloudformation: Server, kind: str, **more: Any) -> dict[str, Any]:
    event = {
        "RequestType": kind,
        "ResponseURL": cloudformation.url + SECRET_PATH,
        "StackId": "arn:aws:cloudformation:eu-central-1:123456789012:stack/phone/1",
        "RequestId": "r1",
        "LogicalResourceId": "NumberWebhooks",
        "ResourceType": "Custom::NumberWebhooks",
        "ResourceProperties": {"ServiceToken": "arn", "WebhookUrl": PUBLIC},
    }
    return event | ({} if kind == "Create" else {"PhysicalResourceId": "the-one"}) | more


def answers(cloudformation: Server) -> list[dict[str, Any]]:
    assert {(asked.method, asked.path) for asked in cloudformation.asked} <= {("PUT", SECRET_PATH)}
    return [json.loads(asked.body) for asked in cloudformation.asked]


def fails(error: Exception) -> Callable[[], Mapping[str, Any]]:
    def case() -> Mapping[str, Any]:
        raise error

    return case


@pytest.mark.parametrize("kind", ["Create", "Update", "Delete"])
def test_what_is_done_is_answered_and_the_resource_stays_the_same(cloudformation: Server, kind: str) -> None:
    resource = Resource()

    custom_resource("the-one", lambda: resource)(request(cloudformation, kind), Context())

    (answer,) = answers(cloudformation)
    assert (answer["Status"], answer["PhysicalResourceId"], answer["RequestId"]) == ("SUCCESS", "the-one", "r1")
    assert resource.asked == ["delete" if kind == "Delete" else {"ServiceToken": "arn", "WebhookUrl": PUBLIC}]


@pytest.mark.parametrize("kind", ["Create", "Update"])
def test_a_refusal_is_answered_with_its_sentence(cloudformation: Server, kind: str) -> None:
    resource = Resource(fails(Misconfigured("The number ***0100 is not in the account.")))

    custom_resource("the-one", lambda: resource)(request(cloudformation, kind), Context())

    (answer,) = answers(cloudformation)
    assert (answer["Status"], answer["Reason"]) == ("FAILED", "The number ***0100 is not in the account.")
    assert kind == "Create" or answer["PhysicalResourceId"] == "the-one", "another id would be another resource"


def test_what_nobody_foresaw_is_answered_without_details(cloudformation: Server, log: io.StringIO) -> None:
    resource = Resource(fails(KeyError("secret")))

    custom_resource("the-one", lambda: resource)(request(cloudformation, "Create"), Context())

    (answer,) = answers(cloudformation)
    assert (answer["Status"], answer["Reason"]) == ("FAILED", "Something went wrong on our side; the function's log has it.")
    assert "KeyError" in log.getvalue()


def test_a_wrong_environment_is_answered_too(cloudformation: Server) -> None:
    def build() -> Cases:
        raise Misconfigured("Environment variables are missing or empty: CONVERSATIONS_TABLE.")

    custom_resource("the-one", build)(request(cloudformation, "Create"), Context())

    assert "CONVERSATIONS_TABLE" in answers(cloudformation)[0]["Reason"]


def test_cloudformation_is_answered_before_lambda_ends_the_function(cloudformation: Server) -> None:
    def slowly() -> Mapping[str, Any]:
        time.sleep(0.5)
        assert answers(cloudformation)[0]["Status"] == "FAILED"
        return {}

    custom_resource("the-one", lambda: Resource(slowly))(request(cloudformation, "Create"), Context(milliseconds=600))

    assert answers(cloudformation)[0]["Reason"] == "Execution timed out"


def test_an_answer_that_is_not_taken_is_given_again_and_then_lambda_hears_of_it(
    cloudformation: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("twilio_plugin.runtime.custom_resource.time.sleep", lambda _: None)
    cloudformation.script = [Answer(503, ""), Answer(503, ""), Answer(200, "")]
    custom_resource("the-one", Resource)(request(cloudformation, "Create"), Context())
    assert [answer["Status"] for answer in answers(cloudformation)] == ["SUCCESS"] * 3

    cloudformation.script = [Answer(403, "")]
    with pytest.raises(OSError, match="403"):
        custom_resource("the-one", Resource)(request(cloudformation, "Create"), Context())


@pytest.mark.parametrize("url", ["http://example.com/", "file:///etc/passwd", "ftp://example.com/"])
def test_no_answer_leaves_in_the_clear(cloudformation: Server, url: str) -> None:
    with pytest.raises(PluginError, match="not https"):
        custom_resource("the-one", Resource)(request(cloudformation, "Create", ResponseURL=url), Context())


def test_nothing_that_lets_anybody_answer_is_logged(
    cloudformation: Server, log: io.StringIO, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    custom_resource("the-one", Resource)(request(cloudformation, "Create"), Context())
    custom_resource("the-one", lambda: Resource(fails(Misconfigured("no"))))(request(cloudformation, "Update"), Context())

    assert "done" in log.getvalue()
    assert "anybody-with-it" not in log.getvalue() + caplog.text


# ------------------------------------------------------------------------------------------------- as it is built for AWS


@pytest.fixture
def twilio(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[TwilioStandIn]:
    with TwilioStandIn("AC1", "first", [OURS]) as standin:
        monkeypatch.setenv("TWILIO_API_BASE_URL", standin.url)
        yield standin


def properties(**changes: str) -> dict[str, Any]:
    usual = {"PhoneNumbers": f"{OURS},", "WebhookUrl": PUBLIC, "MessagingServiceSid": ""}
    return {"ResourceProperties": usual | changes}


def test_a_number_is_pointed_at_the_stack_and_back(stack: Stack, twilio: TwilioStandIn, cloudformation: Server) -> None:
    twilio.set_number(OURS, sms_url="https://theirs.example/sms")
    handler = number.configure_number()

    handler(request(cloudformation, "Create", **properties()), Context())
    assert twilio.number(OURS).sms_url == f"{PUBLIC}/sms#rc=2&rp=5xx,ct,rt"
    handler(request(cloudformation, "Update", **properties(WebhookUrl="https://two.example/webhooks/twilio")), Context())
    assert twilio.number(OURS).voice_url.startswith("https://two.example/webhooks/twilio/voice#")
    handler(request(cloudformation, "Delete", **properties()), Context())

    assert (twilio.number(OURS).sms_url, twilio.number(OURS).voice_url) == ("https://theirs.example/sms", "")
    assert [answer["Status"] for answer in answers(cloudformation)] == ["SUCCESS"] * 3
    assert stack.kept(stack.conversations) == {}


def test_several_numbers_are_given_with_commas(stack: Stack, twilio: TwilioStandIn, cloudformation: Server) -> None:
    twilio.set_number("+14155550101")

    number.configure_number()(
        request(cloudformation, "Create", **properties(PhoneNumbers=f"{OURS},+14155550101,{OURS}")), Context()
    )

    assert twilio.number("+14155550101").sms_url.startswith(PUBLIC)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"TWILIO_REST_SECRET": "nowhere"}, "ResourceNotFoundException for the secret 'nowhere'"),
        ({"TWILIO_ACCOUNT_SID": "AC2"}, "Twilio did not accept the credentials. Check the account SID and the stored secret."),
    ],
)
def test_wrong_credentials_fail_a_deploy_and_let_the_stack_go(
    stack: Stack,
    twilio: TwilioStandIn,
    cloudformation: Server,
    monkeypatch: pytest.MonkeyPatch,
    log: io.StringIO,
    wrong: dict[str, str],
    sentence: str,
) -> None:
    number.configure_number()(request(cloudformation, "Create", **properties()), Context())
    for name, value in wrong.items():
        monkeypatch.setenv(name, value)
    handler = number.configure_number()

    handler(request(cloudformation, "Update", **properties(WebhookUrl="https://two.example/webhooks/twilio")), Context())
    handler(request(cloudformation, "Delete"), Context())

    created, updated, deleted = answers(cloudformation)
    assert (created["Status"], updated["Status"], deleted["Status"]) == ("SUCCESS", "FAILED", "SUCCESS")
    assert sentence in updated["Reason"]
    assert "not_restored" in log.getvalue()
    assert OURS in stack.kept(stack.conversations), "it can still be looked up"
