"""`@connections` over real HTTP: what is asked for, and what becomes of every answer."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

import boto3
import pytest

from twilio_plugin.adapters.connections import CONFIG, ApiGatewayConnections
from twilio_plugin.errors import StorageUnavailable
from twilio_plugin.services.ports import ConnectionGone

LINE = "L0SM9cOFvHcCIhw="
_NAMES = {403: "ForbiddenException", 410: "GoneException", 413: "PayloadTooLargeException", 429: "LimitExceededException"}


@dataclass
class Gateway:
    """Answers each request with the next of `statuses`, and 200 after them. `heard` are method, connection and body."""

    statuses: list[int] = field(default_factory=list)
    heard: list[tuple[str, str, bytes]] = field(default_factory=list)
    named: bool = True
    """Whether an error says its name in a header, as AWS does."""


class _Handler(BaseHTTPRequestHandler):
    gateway: Gateway

    def log_message(self, *_args: Any) -> None:
        pass

    def _answer(self) -> None:
        stage, _, connection_id = self.path.partition("/@connections/")
        assert stage == "/live"
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.gateway.heard.append((self.command, unquote(connection_id), body))
        status = self.gateway.statuses.pop(0) if self.gateway.statuses else 200
        self.send_response(status)
        if self.gateway.named and status in _NAMES:
            self.send_header("x-amzn-ErrorType", _NAMES[status])
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    do_GET = do_POST = do_DELETE = _answer  # noqa: N815


@pytest.fixture(scope="module")
def _http() -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield http
        http.shutdown()
        thread.join()


@pytest.fixture
def gateway(_http: ThreadingHTTPServer) -> Gateway:
    _Handler.gateway = Gateway()
    return _Handler.gateway


def reach(port: int) -> ApiGatewayConnections:
    endpoint = f"http://127.0.0.1:{port}/live"
    return ApiGatewayConnections(boto3.client("apigatewaymanagementapi", endpoint_url=endpoint, config=CONFIG))


@pytest.fixture(scope="module")
def connections(_http: ThreadingHTTPServer) -> ApiGatewayConnections:
    return reach(_http.server_port)


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    slept: list[float] = []
    monkeypatch.setattr("twilio_plugin.adapters.connections.time.sleep", slept.append)
    return slept


def test_messages_arrive_as_they_are_one_after_the_other(connections: ApiGatewayConnections, gateway: Gateway) -> None:
    connections.send(LINE, '{"event":"media"}')
    connections.send(LINE, '{"event":"mark","ü":1}')

    assert gateway.heard == [("POST", LINE, b'{"event":"media"}'), ("POST", LINE, '{"event":"mark","ü":1}'.encode())]


@pytest.mark.parametrize("named", [True, False])
def test_who_has_gone_gets_no_message(connections: ApiGatewayConnections, gateway: Gateway, named: bool) -> None:
    gateway.statuses, gateway.named = [410], named

    with pytest.raises(ConnectionGone):
        connections.send(LINE, "{}")

    assert len(gateway.heard) == 1


@pytest.mark.parametrize("named", [True, False])
def test_a_message_that_came_too_fast_is_sent_again_after_a_short_pause(
    connections: ApiGatewayConnections, gateway: Gateway, pauses: list[float], named: bool
) -> None:
    gateway.statuses, gateway.named = [429, 429, 200], named

    connections.send(LINE, "{}")

    assert gateway.heard == [("POST", LINE, b"{}")] * 3
    assert len(pauses) == 2
    assert all(0.05 <= pause <= 0.2 for pause in pauses)


def test_a_message_that_keeps_coming_too_fast_is_given_up(
    connections: ApiGatewayConnections, gateway: Gateway, pauses: list[float]
) -> None:
    gateway.statuses = [429] * 9

    with pytest.raises(StorageUnavailable, match="too many messages"):
        connections.send(LINE, "{}")

    assert len(gateway.heard) == 5
    assert len(pauses) == 4


def test_who_goes_while_we_wait_is_gone(connections: ApiGatewayConnections, gateway: Gateway) -> None:
    gateway.statuses = [429, 410]

    with pytest.raises(ConnectionGone):
        connections.send(LINE, "{}")


@pytest.mark.parametrize(("status", "why"), [(413, "over 128 KB"), (403, "permissions"), (500, "500"), (503, "503")])
def test_a_refusal_says_why_and_is_never_sent_again(
    connections: ApiGatewayConnections, gateway: Gateway, status: int, why: str
) -> None:
    """After a 5xx nobody knows whether it was delivered; heard twice is worse than not at all."""
    gateway.statuses = [status]

    with pytest.raises(StorageUnavailable, match=why):
        connections.send(LINE, "{}")

    assert len(gateway.heard) == 1


def test_a_gateway_that_cannot_be_reached_says_so() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    with pytest.raises(StorageUnavailable, match="could not be reached"):
        reach(port).send(LINE, "{}")


def test_closing_what_is_closed_is_nothing(connections: ApiGatewayConnections, gateway: Gateway) -> None:
    gateway.statuses = [204, 410]

    connections.close(LINE)
    connections.close(LINE)

    assert gateway.heard == [("DELETE", LINE, b"")] * 2


def test_a_close_that_is_refused_says_so(connections: ApiGatewayConnections, gateway: Gateway) -> None:
    gateway.statuses = [403]

    with pytest.raises(StorageUnavailable, match="permissions"):
        connections.close(LINE)


def test_whether_somebody_is_there(connections: ApiGatewayConnections, gateway: Gateway) -> None:
    gateway.statuses = [200, 410, 429, 410]

    assert [connections.is_open(LINE) for _ in range(3)] == [True, False, False]
    assert {method for method, _, _ in gateway.heard} == {"GET"}
