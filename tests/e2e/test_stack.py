"""The stack itself: deployed beside another, redeployed after a failure, with an agent of its own."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from local.demo import Demo
from local.deployment import DeploymentFailed, reasons
from local.twilio.numbers import Number
from tests.e2e.conftest import Phone


@pytest.mark.timeout(300)
def test_the_demo_plays_as_it_should_with_the_example_agent(phone: Phone) -> None:
    phone.stack.deploy_example("echo_agent")
    try:
        assert Demo(phone.stack, phone.twilio).play()
    finally:
        phone.stack.engine.client("cloudformation").delete_stack(StackName="echo-agent")


@dataclass(frozen=True)
class Second:
    """A stack beside the first, with a number of its own, which somebody had used before."""

    name: str
    outputs: dict[str, str]
    number: str = "+15555550122"


BEFORE = {
    "sms_url": "https://theirs.example/sms?key=1",
    "sms_method": "GET",
    "voice_url": "https://theirs.example/voice",
    "voice_application_sid": "AP" + "1" * 32,
    "status_callback": "https://theirs.example/ended",
}


@pytest.fixture(scope="module")
def second(phone: Phone) -> Second:
    name = f"second-{secrets.token_hex(4)}"
    phone.twilio.set_number(Second.number, **BEFORE)
    return Second(name, phone.stack.deploy(name, TwilioPhoneNumber=Second.number, ConfigureNumber="true"))


def urls(number: Number) -> list[str]:
    return [number.sms_url, number.sms_fallback_url, number.voice_url, number.voice_fallback_url, number.status_callback]


def ours(root: str) -> list[str]:
    text = f"{root}/sms#rc=2&rp=5xx,ct,rt"
    calls = [f"{root}/voice#rc=1&rp=5xx,ct&rt=5000", f"{root}/voice/fallback", f"{root}/status#rc=3&rp=5xx,ct,rt"]
    return [text, text, *calls]


@pytest.mark.timeout(300)
def test_a_second_stack_beside_the_first_does_not_collide(phone: Phone, second: Second) -> None:
    first = phone.stack.outputs
    shared = ("WebhookUrl", "WebSocketUrl")
    assert not {value for key, value in second.outputs.items() if key not in shared} & set(first.values())
    person = phone.person()
    phone.post("sms", phone.fields(From=person, Body="to the first"))
    history = phone.stack.invoke("conversation-history", {"phone_number": person, "our_number": phone.ours}, second.name)
    assert history["messages"] == []
    assert len(phone.history(person)["messages"]) == 1


@pytest.mark.timeout(300)
def test_a_number_follows_its_stack_and_is_given_back(phone: Phone, second: Second) -> None:
    root = phone.stack.webhook_url
    assert urls(phone.twilio.number(phone.ours)) == ours(root)
    assert urls(phone.twilio.number(second.number)) == ours(root)
    assert phone.twilio.number(second.number).voice_application_sid == ""

    # Another address; and what somebody else sets meanwhile stays.
    moved = root.replace("127.0.0.1", "localhost")
    phone.twilio.set_number(second.number, status_callback="https://new.example/ended")
    assert phone.update_stack(second.name, TwilioWebhookUrl=moved) == "UPDATE_COMPLETE"
    assert urls(phone.twilio.number(second.number)) == [*ours(moved)[:4], "https://new.example/ended"]

    # A number that is not there changes nothing, and the deploy says why.
    assert phone.update_stack(second.name, TwilioPhoneNumbers="+15555550199") == "UPDATE_ROLLBACK_COMPLETE"
    assert any("number ***0199 is not in the Twilio account" in reason for reason in reasons(phone.stack.engine, second.name))
    assert urls(phone.twilio.number(second.number)) == [*ours(moved)[:4], "https://new.example/ended"]

    phone.delete_stack(second.name)
    after = phone.twilio.number(second.number)
    assert after == replace(after, **BEFORE | {"status_callback": "https://new.example/ended"})
    assert (after.sms_fallback_url, after.voice_fallback_url) == ("", "")
    assert urls(phone.twilio.number(phone.ours)) == ours(root), "the first stack's number is its own"


@pytest.mark.timeout(300)
def test_a_redeploy_after_a_failed_first_deploy_works_and_the_stack_goes_whatever_twilio_does(phone: Phone) -> None:
    name, number = f"failing-{secrets.token_hex(4)}", "+15555550177"
    settings = {"TwilioPhoneNumber": number, "ConfigureNumber": "true"}

    with pytest.raises(DeploymentFailed, match=r"number \*\*\*0177 is not in the Twilio account AC"):
        phone.stack.deploy(name, **settings)
    phone.twilio.set_number(number, sms_url="https://theirs.example/sms")
    outputs = phone.stack.deploy(name, **settings)

    assert outputs["EventBusName"] == name
    assert urls(phone.twilio.number(number)) == ours(phone.stack.webhook_url)

    phone.twilio.faults.add("drop_before", 9, method="*", path="IncomingPhoneNumbers")
    phone.delete_stack(name)
    assert urls(phone.twilio.number(number)) == ours(phone.stack.webhook_url)
    key = {"conversation_id": {"S": "number-settings"}, "sk": {"S": number}}
    kept = phone.dynamodb.get_item(TableName=outputs["ConversationsTableName"], Key=key)["Item"]
    assert kept["settings"]["M"]["sms_url"] == {"S": "https://theirs.example/sms"}


def test_stack_json_says_where_everything_is(phone: Phone) -> None:
    folder: Path = phone.stack.folder
    phone.stack.write_down()

    where = json.loads((folder / "stack.json").read_text())

    assert where.keys() == {
        *("webhook_url", "twilio_api_url", "aws_endpoint_url", "region", "account_sid", "auth_token", "phone_number"),
        *("stack_name", "outputs"),
    }
    assert where["webhook_url"].endswith("/webhooks/twilio")
    assert where["outputs"]["WebhookUrl"] == where["webhook_url"]
    assert (folder / "stack.json").stat().st_mode & 0o077 == 0, "it holds the auth token"
