"""The Python client on the deployed stack: from a laptop, and from another Lambda with the layers."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from local.bus import is_event
from local.engine import ACCOUNT, REGION, ROOT
from local.stack import STACK_NAME
from tests.e2e.conftest import Phone
from twilio_plugin.client import TwilioPlugin
from twilio_plugin.errors import (
    IdempotencyKeyReused,
    InvalidPhoneNumber,
    InvalidRequest,
    Misconfigured,
    NoMediaStream,
    RecipientOptedOut,
    SendOutcomeUnknown,
    TwilioRejected,
)

NO_CALL = "CA" + "0" * 32


@pytest.fixture(scope="module")
def session() -> boto3.Session:
    """A laptop's, for the local engine."""
    return boto3.Session(aws_access_key_id=ACCOUNT, aws_secret_access_key="local", region_name=REGION)


@pytest.fixture(scope="module")
def client(phone: Phone, session: boto3.Session) -> TwilioPlugin:
    return TwilioPlugin(STACK_NAME, session=session, endpoint_url=phone.stack.engine.url)


def test_a_text_goes_out_and_is_in_the_history(phone: Phone, client: TwilioPlugin) -> None:
    person = phone.person()

    sent = client.send_sms(person, "Dinner is ready 👋")

    assert (sent.to, sent.from_, sent.conversation_id) == (person, phone.ours, f"phone|{phone.ours}|{person}")
    assert phone.twilio.wait_for_text(person).sid == sent.messages[0].message_sid
    phone.bus.wait_for(is_event("SMS_STATUS_CHANGED", message_sid=sent.messages[0].message_sid, status="delivered"))
    history = client.conversation_history(person)
    assert [(one.body, one.status) for one in history.messages] == [("Dinner is ready 👋", "delivered")]
    assert [(turn.role, turn.content) for turn in history.turns] == [("assistant", "Dinner is ready 👋")]


def test_pictures_go_out(phone: Phone, client: TwilioPlugin) -> None:
    person = phone.person()

    client.send_mms(person, ["https://example.com/a.png"], body="Look")

    assert phone.twilio.wait_for_text(person).media_urls == ["https://example.com/a.png"]


def test_the_key_of_an_error_repeats_the_send_and_nothing_goes_out_twice(phone: Phone, client: TwilioPlugin) -> None:
    person = phone.person()
    phone.twilio.faults.add("drop_after")

    with pytest.raises(SendOutcomeUnknown) as lost:
        client.send_sms(person, "Only once")
    with pytest.raises(SendOutcomeUnknown):
        client.send_sms(person, "Only once", idempotency_key=lost.value.idempotency_key)

    phone.twilio.settle()
    assert [text.body for text in phone.twilio.texts_to(person)] == ["Only once"]


def test_a_call_is_made_seen_and_ended(phone: Phone, client: TwilioPlugin) -> None:
    person = phone.person()

    made = client.make_call(person, twiml='<Response><Say>Hello.</Say><Pause length="60"/></Response>')

    callee = phone.twilio.wait_for_call(person, timeout=30)
    assert callee.hears(30) == "Hello."
    assert made.call_sid in [call.call_sid for call in client.call_state().calls]
    (state,) = client.call_state(made.call_sid).calls
    assert (state.direction, state.to, state.from_) == ("outbound", person, phone.ours)
    with pytest.raises(NoMediaStream):  # a document runs it
        client.say(made.call_sid, "Anybody there?")
    client.update_call(made.call_sid, say="Goodbye.")
    assert callee.hears(30) == "Goodbye."
    assert client.end_call(made.call_sid).status == "completed"
    callee.wait_until_ended(30)
    phone.bus.wait_for(is_event("CALL_ENDED", call_sid=made.call_sid))
    assert client.call_state(made.call_sid).calls[0].status == "completed"


def test_keys_are_pressed_and_the_person_is_transferred(phone: Phone, client: TwilioPlugin) -> None:
    colleague = phone.person()
    caller = phone.twilio.call_in(phone.person())
    caller.hears(30)

    client.send_digits(caller.sid, "1w2#")
    client.transfer_call(caller.sid, colleague)

    assert phone.twilio.wait_for_call(colleague, timeout=30)
    assert any('digits="1w2#"' in document for document in caller.twiml)
    caller.hang_up()


def test_whoever_said_stop_is_not_texted(phone: Phone, client: TwilioPlugin) -> None:
    person = phone.person()
    phone.twilio.receive_text(person, "STOP")
    phone.bus.wait_for(is_event("OPT_OUT_CHANGED", from_=person))

    with pytest.raises(RecipientOptedOut, match="START") as refusal:
        client.send_sms(person, "But wait")

    assert refusal.value.twilio_code == 21610


def test_what_the_functions_raise_is_raised(phone: Phone, client: TwilioPlugin) -> None:
    with pytest.raises(InvalidPhoneNumber, match=r"E\.164"):
        client.send_sms("12", "x")
    with pytest.raises(TwilioRejected) as rejected:
        client.send_sms("+15005550001", "x")
    assert (rejected.value.twilio_code, rejected.value.status) == (21211, 400)
    with pytest.raises(TwilioRejected) as unknown:
        client.end_call(NO_CALL)
    assert (unknown.value.twilio_code, unknown.value.status) == (20404, 404)
    with pytest.raises(InvalidRequest, match="No call"):
        client.call_state(NO_CALL)
    person = phone.person()
    client.send_sms(person, "one", idempotency_key=f"client-{person}")
    with pytest.raises(IdempotencyKeyReused):
        client.send_sms(person, "two", idempotency_key=f"client-{person}")


def test_a_stack_that_is_not_there_is_told(phone: Phone, session: boto3.Session) -> None:
    where: dict[str, Any] = {"session": session, "endpoint_url": phone.stack.engine.url}

    with pytest.raises(Misconfigured, match="no function nobody-call-state"):
        TwilioPlugin("nobody", **where).call_state()
    with pytest.raises(Misconfigured, match="nobody cannot be read"):
        TwilioPlugin.from_stack_outputs("nobody", **where)


def test_the_stacks_outputs_lead_to_its_functions(phone: Phone, session: boto3.Session) -> None:
    client = TwilioPlugin.from_stack_outputs(STACK_NAME, session=session, endpoint_url=phone.stack.engine.url)
    person = phone.person()

    client.send_sms(person, "By ARN")

    assert phone.twilio.wait_for_text(person).body == "By ARN"


@pytest.fixture
def agent(phone: Phone) -> Iterator[str]:
    """The README's function, with the plugin's layers."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    (code,) = [block for block in blocks if "twilio_plugin.client" in block and "def lambda_handler" in block]
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as package:
        package.writestr("agent.py", code)
    lambda_ = phone.stack.engine.client("lambda")
    lambda_.create_function(
        FunctionName="readme-agent",
        Runtime="python3.13",
        Handler="agent.lambda_handler",
        Role=f"arn:aws:iam::{ACCOUNT}:role/agent",
        Timeout=90,
        Layers=[phone.stack.outputs[name] for name in ("PluginLayerArn", "DependenciesLayerArn")],
        Code={"ZipFile": archive.getvalue()},
    )
    yield "readme-agent"
    lambda_.delete_function(FunctionName="readme-agent")


def test_another_lambda_with_the_layers_answers_a_text_once(phone: Phone, agent: str) -> None:
    person = phone.person()
    phone.twilio.receive_text(person, "Are you open?")
    event = phone.bus.wait_for(is_event("SMS_RECEIVED", from_=person))

    for _ in range(2):  # EventBridge may deliver an event twice
        answer = phone.lambda_.invoke(FunctionName=agent, Payload=json.dumps(event))
        assert "FunctionError" not in answer, answer["Payload"].read()

    assert phone.twilio.wait_for_text(person).body == "You said: Are you open?"
    phone.twilio.settle()
    assert len(phone.twilio.texts_to(person)) == 1
