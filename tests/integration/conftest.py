"""A stand-in that takes calls, the webhook that it asks, and the client that drives it."""

from collections.abc import Iterator

import pytest
from twilio.rest import Client

from local.twilio.receiver import Receiver, twiml
from local.twilio.standin import TwilioStandIn

from .account import ACCOUNT, NUMBER, TOKEN
from .sockets import SocketServer, socket_server
from .tones import TONE


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


@pytest.fixture
def ours() -> Iterator[SocketServer]:
    """Our side of streams and relays."""
    with socket_server() as server:
        yield server


@pytest.fixture
def streams(webhook: Receiver) -> Iterator[TwilioStandIn]:
    """A stand-in whose audio goes by five times as fast, with a person whose words are tones."""
    with TwilioStandIn(
        ACCOUNT,
        TOKEN,
        [NUMBER],
        voice_url=f"{webhook.url}/voice",
        time_scale=0.005,
        media_speed=5,
        voice=lambda words: TONE * len(words),
    ) as standin:
        yield standin
