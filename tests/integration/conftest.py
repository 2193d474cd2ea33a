"""A stand-in that takes calls, the webhook that it asks, and the client that drives it."""

from collections.abc import Iterator

import pytest
from twilio.rest import Client

from local.twilio.receiver import Receiver, twiml
from local.twilio.standin import TwilioStandIn

from .account import ACCOUNT, NUMBER, TOKEN


@pytest.fixture
def webhook() -> Iterator[Receiver]:
    with Receiver(default=twiml("")) as receiver:
        yield receiver


@pytest.fixture
def twilio(webhook: Receiver) -> Iterator[TwilioStandIn]:
    with TwilioStandIn(ACCOUNT, TOKEN, [NUMBER], voice_url=f"{webhook.url}/voice", time_scale=0.005) as standin:
        yield standin


@pytest.fixture
def client(twilio: TwilioStandIn) -> Iterator[Client]:
    client = Client(ACCOUNT, TOKEN)
    client.api.base_url = twilio.url
    yield client
    client.http_client.session.close()
