"""The other end of a webhook: an endpoint that remembers what it was sent and answers as it was told."""

import contextlib
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import parse_qsl


@dataclass(frozen=True)
class Answer:
    """``delay`` is in seconds, before the answer; without a ``content_type`` none is sent."""

    status: int = 204
    content_type: str | None = None
    body: str = ""
    delay: float = 0.0


def twiml(inner: str) -> Answer:
    """An answer with a TwiML document."""
    return Answer(200, "text/xml", f'<?xml version="1.0" encoding="UTF-8"?><Response>{inner}</Response>')


@dataclass(frozen=True)
class Received:
    """One request. ``path`` has the query; header names are lower case; ``at`` is seconds of the monotonic clock."""

    path: str
    headers: dict[str, str]
    body: str
    at: float = field(default_factory=time.monotonic)
    method: str = "POST"

    @property
    def fields(self) -> dict[str, str]:
        """The form, or the query of a GET; blank fields included."""
        form = self.path.partition("?")[2] if self.method == "GET" else self.body
        return dict(parse_qsl(form, keep_blank_values=True))


class _Server(ThreadingHTTPServer):
    request_queue_size = 128  # of 5, a burst of webhooks would wait for its SYN to be sent again


@dataclass
class Receiver:
    """``pages`` answer for their paths; else ``answers`` are used up in order, then every answer is ``default``."""

    answers: list[Answer] = field(default_factory=list)
    default: Answer = Answer()
    requests: list[Received] = field(default_factory=list)
    pages: dict[str, Answer] = field(default_factory=dict)

    def __enter__(self) -> Self:
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), name="webhook-receiver")
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """Any path below this one is answered."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def at(self, path: str) -> list[Received]:
        """What was asked of that path, whatever its query."""
        with self._lock:
            return [request for request in self.requests if request.path.partition("?")[0] == path]

    def take(self, request: Received) -> Answer:
        """Remember a request and choose its answer."""
        with self._lock:
            self.requests.append(request)
            page = self.pages.get(request.path.partition("?")[0])
            if page is not None:
                return page
            return self.answers.pop(0) if self.answers else self.default

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.do_POST()

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
                headers = {name.lower(): value for name, value in self.headers.items()}
                answer = receiver.take(Received(self.path, headers, body, method=self.command))
                time.sleep(answer.delay)
                with contextlib.suppress(ConnectionError):  # the client may give up waiting, which a delay is for
                    self._send(answer)

            def _send(self, answer: Answer) -> None:
                content = answer.body.encode()
                self.send_response(answer.status)
                if answer.content_type is not None:
                    self.send_header("Content-Type", answer.content_type)
                if content:
                    self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
                """Nothing on stderr."""

        return Handler
