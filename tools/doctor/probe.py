"""What the doctor sends to the stack's own addresses, as Twilio would. None of it changes anything: see decision 0017."""

from __future__ import annotations

import base64
import http.client
import json
import secrets
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from twilio.request_validator import RequestValidator

TIMEOUT_SECONDS = 15


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the HTTP status, and the body's start."""

    status: int
    body: str

    @property
    def error(self) -> str:
        """The plugin's own name of a refusal, from its JSON; empty for any other body."""
        try:
            return str(json.loads(self.body).get("error", ""))
        except (ValueError, AttributeError):
            return ""


def post(url: str, fields: Mapping[str, str], auth_token: str | None) -> Answer:
    """POST a form, signed with that token if there is one.

    Raises:
        OSError: no answer; `urllib.error.URLError` is one.
    """
    headers = {"Content-Type": "application/x-www-form-urlencoded; charset=UTF-8"}
    if auth_token is not None:
        headers["X-Twilio-Signature"] = str(RequestValidator(auth_token).compute_signature(url, dict(fields)))
    request = urllib.request.Request(url, data=urlencode(fields).encode(), headers=headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
            return Answer(answer.status, answer.read(4096).decode(errors="replace"))
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, error.read(4096).decode(errors="replace"))


def handshake(url: str, auth_token: str | None) -> int:
    """The status that a WebSocket handshake is answered with: 101 opens a socket, which is closed at once.

    Raises:
        OSError, http.client.HTTPException: no answer.
    """
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "wss" else http.client.HTTPConnection
    connection = kind(parts.netloc, timeout=TIMEOUT_SECONDS)
    headers = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Key": base64.b64encode(secrets.token_bytes(16)).decode(),
        "Sec-WebSocket-Version": "13",
    }
    if auth_token is not None:
        headers["X-Twilio-Signature"] = str(RequestValidator(auth_token).compute_signature(url, {}))
    try:
        connection.request("GET", parts.path or "/", headers=headers)
        return connection.getresponse().status
    finally:
        connection.close()
