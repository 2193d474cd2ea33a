"""Writes down what Twilio sends and what it is answered, masked: a webhook is a JSON file, a socket a file of JSON lines.

``0001-sms.json``: ``{"at", "method", "path", "headers", "signed", "fields", "answer": {"status", "content_type", "body"}}``.
``0002-socket.jsonl``: first ``{"at", "path", "headers", "signed", "status"}``, then ``{"at", "from", "message"}`` each, last
``{"at", "closed"}``. Times are seconds since the recording began. Headers are as they were spelt; ``signed`` is the form of
the URL that the signature fits, with another host, or null.
"""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qsl, urlencode, urlsplit

from twilio.request_validator import RequestValidator

from local.masking import Mask

HOST = "example.com"
_HEADERS = {"content-type", "user-agent", "accept", "x-home-region", "upgrade", "connection", "sec-websocket-version"}

Side = Literal["twilio", "us"]


class Recorder:
    """One recording, in a folder of its own; files that are in it already stay."""

    def __init__(self, folder: Path, auth_token: str, *, words: bool = False) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._mask = Mask(words=words)
        self._validator = RequestValidator(auth_token)
        self._began = time.monotonic()
        self._numbers = itertools.count(1 + len(list(folder.iterdir())))
        self._lock = threading.Lock()

    def webhook(
        self,
        method: str,
        url: str,
        headers: Iterable[tuple[str, str]],
        body: bytes,
        answer: tuple[int, str, bytes],
    ) -> None:
        """An exchange: what was asked, and status, content type and body of the answer. `url` is the one that Twilio called."""
        shown, form = list(headers), _form(body)
        status, content_type, answered = answer
        answered = answered.replace(urlsplit(url).netloc.encode(), HOST.encode())
        self._file(url, "json").write_text(
            _json(
                {
                    "at": self._at(),
                    "method": method,
                    "path": self._path(url),
                    "headers": _shown(shown),
                    "signed": self._signed(_with_and_without_port(url), form, shown),
                    "fields": self._mask.fields(form),
                    "answer": {"status": status, "content_type": content_type, "body": self._answered(content_type, answered)},
                }
            )
        )

    def socket(self, url: str, headers: Iterable[tuple[str, str]], status: int) -> SocketRecording:
        """A handshake and its answer; 101 opens the socket."""
        shown, bare = list(headers), url.rstrip("/")
        forms = [form for one in (bare, f"{bare}/") for form in _with_and_without_port(one)]
        recording = SocketRecording(self._file("socket", "jsonl"), self._mask, self._began)
        recording.write(path=self._path(url), headers=_shown(shown), signed=self._signed(forms, {}, shown), status=status)
        return recording

    def _answered(self, content_type: str, body: bytes) -> str:
        text = body.decode(errors="replace")
        return self._mask.document(text) if "xml" in content_type else self._mask.names(text)

    def _signed(self, urls: Iterable[str], form: Mapping[str, str], headers: Iterable[tuple[str, str]]) -> str | None:
        signature = next((value for name, value in headers if name.lower() == "x-twilio-signature"), "")
        fitting = (url for url in urls if self._validator.compute_signature(url, dict(form)) == signature)
        found = next(fitting, None)
        return found and f"{_origin(found)}{self._path(found)}"

    def _path(self, url: str) -> str:
        """With the query's values masked."""
        parts = urlsplit(url)
        query = urlencode(self._mask.fields(dict(parse_qsl(parts.query, keep_blank_values=True))))
        return self._mask.names(parts.path) + (f"?{query}" if query else "")

    def _file(self, url: str, kind: str) -> Path:
        name = urlsplit(url).path.rpartition("/")[2] or "root"
        with self._lock:
            return self.folder / f"{next(self._numbers):04d}-{name}.{kind}"

    def _at(self) -> float:
        return round(time.monotonic() - self._began, 3)


class SocketRecording:
    """One socket's file."""

    def __init__(self, file: Path, mask: Mask, began: float) -> None:
        self._file, self._mask, self._began = file, mask, began

    def message(self, side: Side, text: str) -> None:
        """What one side sent."""
        try:
            self.write(**{"from": side, "message": self._mask.message(json.loads(text))})
        except ValueError:
            self.write(**{"from": side, "message": f"no JSON, {len(text)} characters"})

    def closed(self, code: int) -> None:
        """The end."""
        self.write(closed=code)

    def write(self, **line: Any) -> None:
        """One line, with its time."""
        with self._file.open("a") as file:
            file.write(json.dumps({"at": round(time.monotonic() - self._began, 3), **line}) + "\n")


def _shown(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Names as they were spelt; values that say something of somebody, or could sign for them, only by their length."""
    return {name: value if name.lower() in _HEADERS else f"{len(value)} characters" for name, value in headers}


def _form(body: bytes) -> dict[str, str]:
    return dict(parse_qsl(body.decode(errors="replace"), keep_blank_values=True))


def _with_and_without_port(url: str) -> list[str]:
    parts = urlsplit(url)
    if parts.port is not None or parts.scheme not in ("https", "wss"):
        return [url]
    return [url, parts._replace(netloc=f"{parts.netloc}:443").geturl()]


def _origin(url: str) -> str:
    """Scheme, another host, and the port where it says one."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{HOST}{f':{parts.port}' if parts.port else ''}"


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
