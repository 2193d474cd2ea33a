"""The auth token is replaced while texts come in: not one of Twilio's is refused, and every forged one is."""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest

from local.twilio.webhooks import WebhookExchange
from tests.e2e.conftest import Phone
from twilio_plugin.adapters.secrets import SECONDS_PER_LOOK

SENDERS = 4


@dataclass
class Rotation:
    """The secret, Twilio's token, and texts that keep coming in."""

    phone: Phone
    exchanges: list[WebhookExchange] = field(default_factory=list)
    texted: list[int] = field(default_factory=lambda: [0] * SENDERS)
    """How many texts of each person have been answered."""
    forged: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        resource = self.phone.stack.engine.client("cloudformation").describe_stack_resource(
            StackName=self.phone.stack.outputs["EventBusName"], LogicalResourceId="TwilioSecret"
        )
        self._secret = resource["StackResourceDetail"]["PhysicalResourceId"]
        self._manager = self.phone.stack.engine.client("secretsmanager")

    def store(self, **fields: str) -> None:
        """Put tokens into the secret."""
        self._manager.put_secret_value(SecretId=self._secret, SecretString=json.dumps(fields))

    def come_in(self, seconds: float) -> None:
        """Let texts come in for a while, until each of the people has sent some: what was under way before has arrived."""
        before, deadline = list(self.texted), time.monotonic() + 30
        time.sleep(seconds)
        while any(now < then + 2 for now, then in zip(self.texted, before, strict=True)):
            assert time.monotonic() < deadline, "nothing comes in"
            time.sleep(0.05)

    def text(self, sender: int) -> None:
        self.exchanges.append(self.phone.twilio.receive_text(self.phone.person(), "under load"))
        self.texted[sender] += 1

    def forge(self) -> None:
        form = self.phone.fields(Body="forged")
        self.forged.append(self.phone.post("sms", form, signature=secrets.token_urlsafe(20)).status)
        time.sleep(0.05)


@pytest.fixture
def rotation(phone: Phone) -> Iterator[Rotation]:
    """Texts come in from several people at once until the test is over; then everything is as it was."""
    rotation = Rotation(phone)
    over = threading.Event()

    def until_over(act: Callable[[], Any]) -> None:
        while not over.is_set():
            act()

    threads = [threading.Thread(target=until_over, args=(partial(rotation.text, sender),)) for sender in range(SENDERS)]
    for thread in threads:
        thread.start()
    yield rotation
    over.set()
    for thread in threads:
        thread.join()
    original = phone.stack.account.auth_token
    rotation.store(auth_token=original)
    phone.twilio.promote_token(original)
    time.sleep(SECONDS_PER_LOOK)  # the forged ones have used up the looks; the next test's texts need one


def refused(exchanges: list[WebhookExchange]) -> list[list[str]]:
    return [exchange.outcomes for exchange in exchanges if exchange.status != 200]


# This one first: it needs a look at the secret for every change, and strangers use them up.
def test_in_a_hurry_not_one_is_refused(rotation: Rotation) -> None:
    for _ in range(3):
        new = secrets.token_hex(16)
        rotation.come_in(0.5)
        rotation.store(auth_token=new)
        rotation.phone.twilio.promote_token(new)
        rotation.come_in(0.5)

    assert refused(rotation.exchanges) == []
    sent = rotation.phone.stack.invoke("send-sms", {"to": rotation.phone.person(), "body": "with the newest token"})
    assert sent["messages"][0]["status"] == "queued"


def test_in_the_order_that_the_documentation_names_not_one_is_refused_though_strangers_knock(rotation: Rotation) -> None:
    old, new = rotation.phone.stack.account.auth_token, secrets.token_hex(16)
    over = threading.Event()

    def forge() -> None:
        while not over.is_set():
            rotation.forge()

    stranger = threading.Thread(target=forge)
    stranger.start()
    try:
        rotation.come_in(1)
        rotation.phone.twilio.create_secondary_token(new)
        rotation.store(auth_token=new, previous_auth_token=old)
        rotation.come_in(SECONDS_PER_LOOK + 1)  # "wait a minute"
        rotation.phone.twilio.promote_token(new)
        rotation.come_in(1)
        rotation.store(auth_token=new)
        rotation.come_in(1)
    finally:
        over.set()
        stranger.join()

    assert refused(rotation.exchanges) == []
    assert rotation.forged
    assert set(rotation.forged) <= {403, 503}
