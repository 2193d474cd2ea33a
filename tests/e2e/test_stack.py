"""The stack itself: deployed beside another, redeployed after a failure, with an agent of its own."""

from __future__ import annotations

import json
import secrets
from pathlib import Path

import pytest

from local.demo import Demo
from local.deployment import DeploymentFailed
from tests.e2e.conftest import Phone


@pytest.mark.timeout(300)
def test_the_demo_plays_as_it_should_with_the_example_agent(phone: Phone) -> None:
    phone.stack.deploy_example("echo_agent")
    try:
        assert Demo(phone.stack, phone.twilio).play()
    finally:
        phone.stack.engine.client("cloudformation").delete_stack(StackName="echo-agent")


@pytest.mark.timeout(300)
def test_a_second_stack_beside_the_first_does_not_collide(phone: Phone) -> None:
    name = f"second-{secrets.token_hex(4)}"

    outputs = phone.stack.deploy(name, TwilioPhoneNumber="+15555550122")

    first = phone.stack.outputs
    assert not {value for key, value in outputs.items() if key not in ("WebhookUrl", "WebSocketUrl")} & set(first.values())
    person = phone.person()
    phone.post("sms", phone.fields(From=person, Body="to the first"))
    second = phone.stack.invoke("conversation-history", {"phone_number": person, "our_number": phone.ours}, name)
    assert second["messages"] == []
    assert len(phone.history(person)["messages"]) == 1


@pytest.mark.timeout(300)
def test_a_redeploy_after_a_failed_first_deploy_works(phone: Phone) -> None:
    name = f"failing-{secrets.token_hex(4)}"
    events = phone.stack.engine.client("events")
    events.create_event_bus(Name=name)  # in the way of the stack's own

    with pytest.raises(DeploymentFailed):
        phone.stack.deploy(name)
    events.delete_event_bus(Name=name)
    outputs = phone.stack.deploy(name)

    assert outputs["EventBusName"] == name


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
