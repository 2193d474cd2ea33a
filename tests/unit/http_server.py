"""Twilio's REST API, or one of AWS's, as a script says, on a real HTTP server on the loopback."""

from __future__ import annotations

import base64
import json
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs

import pytest


@dataclass
class Asked:
    method: str
    path: str
    form: dict[str, list[str]]
    authorization: str
    connection: int
    """The client's port: another one is another connection."""
    body: str

    @property
    def user_and_password(self) -> tuple[str, ...]:
        return tuple(base64.b64decode(self.authorization.removeprefix("Basic ")).decode().split(":"))


@dataclass
class Answer:
    status: int
    body: str
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)


class Hangup:
    """Read the request and close the connection without a word."""


@dataclass
class Server:
    """Twilio, as the script says: the first answer first, the last one for ever."""

    script: list[Answer | Hangup] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    url: str = ""
    gate: threading.Event | None = None
    """Where there is one, every answer waits for it."""

    def reset(self) -> None:
        """Forget the script, what was asked, and the gate."""
        self.script, self.asked, self.gate = [], [], None

    def next(self) -> Answer | Hangup:
        return self.script.pop(0) if len(self.script) > 1 else self.script[0]


class _Handler(BaseHTTPRequestHandler):
    """Serves the server that a subclass names."""

    protocol_version = "HTTP/1.1"
    twilio: ClassVar[Server]

    def do_POST(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def do_PUT(self) -> None:
        self._answer()

    def do_DELETE(self) -> None:
        self._answer()

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        self.twilio.asked.append(
            Asked(
                self.command,
                self.path,
                parse_qs(body, keep_blank_values=True),
                self.headers.get("Authorization", ""),
                self.client_address[1],
                body,
            )
        )
        answer = self.twilio.next()
        if self.twilio.gate:
            self.twilio.gate.wait(5)
        if isinstance(answer, Hangup):
            self.close_connection = True
            return
        payload = answer.body.encode()
        with suppress(ConnectionError):  # the client may be gone by now
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.content_type)
            self.send_header("Content-Length", str(len(payload)))
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(payload)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base class's name
        return


class _Http(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):  # a client that goes away is nobody's error
            super().handle_error(request, client_address)


@contextmanager
def running() -> Iterator[Server]:
    """A server on a free port."""
    server = Server()
    with _Http(("127.0.0.1", 0), type("Handler", (_Handler,), {"twilio": server})) as http:
        server.url = f"http://127.0.0.1:{http.server_port}"
        thread = threading.Thread(target=http.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            http.shutdown()
            thread.join()


def nobody() -> str:
    """An address on which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


def refused(status: int, code: int | None) -> Answer:
    """Twilio's refusal, with a number in its message."""
    return Answer(status, json.dumps({"code": code, "message": "To +14155550123: no", "status": status}))


TOO_MANY = refused(429, 20429)


def assert_silent(caplog: pytest.LogCaptureFixture) -> None:
    """Nothing private is in any record."""
    for record in caplog.records:
        written = f"{record.getMessage()} {record.args} {record.__dict__}"
        for private in ("Geheim", "4155550123", "4155550100", "token"):
            assert private not in written, record.name
