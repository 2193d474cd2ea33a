"""One local stack for all tests here: the real template on the real engine, reached over HTTP."""

from __future__ import annotations

import secrets
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from botocore.exceptions import ClientError
from twilio.request_validator import RequestValidator

from local.bus import BusListener
from local.stack import LocalStack
from local.twilio.standin import TwilioStandIn

TEXTS_PER_RECIPIENT = 10  # in a day: more than any other test sends to one person


@dataclass(frozen=True, slots=True)
class Answer:
    """What a webhook answered."""

    status: int
    content_type: str
    body: str


class Phone:
    """The deployed plugin as the tests see it: its webhooks, functions, tables and bus, and people's phones."""

    def __init__(self, stack: LocalStack, twilio: TwilioStandIn) -> None:
        self.stack = stack
        self.twilio = twilio
        self.ours = stack.account.phone_number
        self.calls = stack.outputs["CallsTableName"]
        self.bus = BusListener(stack.engine, stack.outputs["EventBusName"])
        self.dynamodb = stack.engine.client("dynamodb")
        self.lambda_ = stack.engine.client("lambda")
        self.conversations = stack.outputs["ConversationsTableName"]
        self.outbox = stack.outputs["OutboxTableName"]

    def person(self) -> str:
        """A number nobody has texted with yet."""
        return f"+1555{secrets.randbelow(10**7):07d}"

    def fields(self, **fields: str) -> dict[str, str]:
        """An inbound text's form."""
        sid = f"SM{secrets.token_hex(16)}"
        form = {
            "MessageSid": sid,
            "SmsSid": sid,
            "AccountSid": self.stack.account.account_sid,
            "To": self.ours,
            "NumMedia": "0",
        }
        return form | {"From": "+15555550199", "Body": "", "ToCity": "", "NumSegments": "1"} | fields

    def post(
        self,
        path: str,
        body: bytes | Mapping[str, str],
        *,
        signature: str | None = "",
        content_type: str = "application/x-www-form-urlencoded; charset=UTF-8",
    ) -> Answer:
        """POST to a webhook. The signature is right for the fields unless another, or None for no header, is given."""
        url = f"{self.stack.webhook_url}/{path}"
        data = body if isinstance(body, bytes) else urlencode(body).encode()
        headers = {"Content-Type": content_type}
        if signature == "":
            signature = self.sign(path, {} if isinstance(body, bytes) else body)
        if signature:
            headers["X-Twilio-Signature"] = signature
        request = urllib.request.Request(url, data=data, headers=headers, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=100) as answer:
                return Answer(answer.status, answer.headers.get("Content-Type", ""), answer.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.headers.get("Content-Type", ""), error.read().decode())

    def sign(self, path: str, fields: Mapping[str, str]) -> str:
        """The signature Twilio would send."""
        validator = RequestValidator(self.stack.account.auth_token)
        return str(validator.compute_signature(f"{self.stack.webhook_url}/{path}", fields))

    def history(self, person: str, **more: Any) -> Any:
        """What conversation-history answers."""
        return self.stack.invoke("conversation-history", {"phone_number": person, **more})

    def item(self, partition: str, sort: str) -> dict[str, Any] | None:
        """An item of the Conversations table, in DynamoDB's own form."""
        key = {"conversation_id": {"S": partition}, "sk": {"S": sort}}
        found: dict[str, Any] = self.dynamodb.get_item(TableName=self.conversations, Key=key, ConsistentRead=True)
        return found.get("Item")

    def update_stack(self, name: str, **parameters: str) -> str:
        """Change parameters of a stack; the status it ends in."""
        cloudformation = self.stack.engine.client("cloudformation")
        (stack,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
        kept = [one["ParameterKey"] for one in stack["Parameters"] if one["ParameterKey"] not in parameters]
        cloudformation.update_stack(
            StackName=name,
            UsePreviousTemplate=True,
            Parameters=[
                *({"ParameterKey": key, "UsePreviousValue": True} for key in kept),
                *({"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()),
            ],
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        )
        return self._settled(name)

    def delete_stack(self, name: str) -> None:
        """Delete a stack; TimeoutError where it stays."""
        self.stack.engine.client("cloudformation").delete_stack(StackName=name)
        status = self._settled(name)
        assert status in ("", "DELETE_COMPLETE"), status

    def _settled(self, name: str) -> str:
        cloudformation, deadline = self.stack.engine.client("cloudformation"), time.monotonic() + 120
        while time.monotonic() < deadline:
            try:
                (stack,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
            except (ClientError, ValueError):
                return ""
            status = str(stack["StackStatus"])
            if not status.endswith("_IN_PROGRESS"):
                return status
            time.sleep(0.1)
        raise TimeoutError(f"The stack {name} is still {status}.")

    def hang_up_all(self) -> None:
        """Every call that goes on ends: it would cost the next test its real time."""
        for call in self.twilio.live_calls():
            call.hang_up()
            call.wait_until_ended(10)

    def twilio_warnings(self, call_sid: str) -> list[int]:
        """The codes of what Twilio's debugger says of a call."""
        return [alert.code for alert in self.twilio.alerts if alert.call_sid == call_sid]

    def stored(self) -> int:
        """How many items the Conversations table has."""
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=self.conversations, Select="COUNT")
        return sum(page["Count"] for page in pages)


@pytest.fixture(scope="session")
def phone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Phone]:
    folder: Path = tmp_path_factory.mktemp("stack")
    with LocalStack(folder=folder, time_scale=0.3) as stack:
        stack.deploy(ReplyTimeout="20", CopyMedia="true", TextsPerRecipientPerDay=str(TEXTS_PER_RECIPIENT))
        assert stack.twilio
        yield Phone(stack, stack.twilio)


@pytest.fixture(autouse=True)
def nothing_left_over(request: pytest.FixtureRequest) -> Iterator[None]:
    """Neither a fault nor a call of one test is the next one's."""
    yield
    if "phone" in request.fixturenames:
        phone: Phone = request.getfixturevalue("phone")
        phone.twilio.faults.clear()
        phone.hang_up_all()
