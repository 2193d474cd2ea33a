"""Our side of streams and relays, for tests: a WebSocket server that remembers what it was sent and sends what it is told."""

import base64
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import aiohttp
from aiohttp import web

from local.twilio.changes import Changes
from local.twilio.server import ServerThread

Message = dict[str, Any]


def kind_of(message: Message) -> str:
    """What a message of a stream calls its event, and one of a relay its type."""
    return str(message.get("event", message.get("type")))


class Connection:
    """One socket. ``messages`` are what came, parsed; ``code`` is what it was closed with, None while it is open."""

    def __init__(self, server: ServerThread, changes: Changes, request: web.Request) -> None:
        self._server, self._changes = server, changes
        self.path, self.headers = request.raw_path, dict(request.headers)
        self.socket = web.WebSocketResponse()
        self.texts: list[str] = []
        self.code: int | None = None

    @property
    def messages(self) -> list[Message]:
        return [json.loads(text) for text in self.texts]

    def of(self, event: str) -> list[Message]:
        """The messages of one event, or type, in the order in which they came."""
        return [message for message in self.messages if kind_of(message) == event]

    def wait_for(self, event: str, count: int = 1) -> list[Message]:
        self._wait(lambda: len(self.of(event)) >= count, f"for {count} of {event}")
        return self.of(event)

    def wait_until_closed(self) -> int:
        self._wait(lambda: self.code is not None, "for the end")
        assert self.code is not None
        return self.code

    @property
    def sid(self) -> str:
        return str(self.wait_for("start")[0]["streamSid"])

    def send(self, message: Message | str | bytes) -> None:
        async def send() -> None:
            if isinstance(message, bytes):
                await self.socket.send_bytes(message)
            else:
                await self.socket.send_str(message if isinstance(message, str) else json.dumps(message))

        self._server.run(send)

    def play(self, audio: bytes) -> None:
        payload = base64.b64encode(audio).decode()
        self.send({"event": "media", "streamSid": self.sid, "media": {"payload": payload}})

    def mark(self, name: str) -> None:
        self.send({"event": "mark", "streamSid": self.sid, "mark": {"name": name}})

    def clear(self) -> None:
        self.send({"event": "clear", "streamSid": self.sid})

    def say(self, token: str, last: bool = True, **more: Any) -> None:
        """Words for a relay to speak."""
        self.send({"type": "text", "token": token, "last": last} | more)

    def close(self, code: int = 1000) -> None:
        async def close() -> None:
            await self.socket.close(code=code)

        self._server.run(close)

    def cut(self) -> None:
        """Break the connection without a close frame."""

        async def cut() -> None:
            self.socket.get_extra_info("socket").shutdown(2)

        self._server.run(cut)

    def _wait(self, is_so: Callable[[], bool], what: str) -> None:
        if not self._server.run(lambda: self._changes.wait_until(is_so, 5)):
            events = [kind_of(message) for message in self.messages if kind_of(message) != "media"]
            raise TimeoutError(f"waited {what}; there are {events} and {len(self.of('media'))} frames; closed: {self.code}")


class SocketServer:
    """``refuses_with`` is the HTTP status of a refusal; ``greets`` is sent as soon as a socket is open."""

    def __init__(self) -> None:
        self.connections: list[Connection] = []
        self.refuses_with: int | None = None
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.server = ServerThread(self._application)
        self._changes = Changes()

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.server.port}"

    def connection(self, index: int = 0) -> Connection:
        """A socket, once it is open."""
        if not self.server.run(lambda: self._changes.wait_until(lambda: len(self.connections) > index, 5)):
            raise TimeoutError(f"there are {len(self.connections)} connections")
        return self.connections[index]

    @asynccontextmanager
    async def _application(self) -> AsyncIterator[web.Application]:
        application = web.Application()
        application.router.add_get("/{path:.*}", self._handle)
        application.on_shutdown.append(self._close)
        yield application

    async def _close(self, _application: web.Application) -> None:
        """Let no handler wait for its other end while the server is to stop."""
        for connection in self.connections:
            if connection.code is None:
                await connection.socket.close()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append((request.raw_path, dict(request.headers)))
        if self.refuses_with is not None:
            return web.Response(status=self.refuses_with)
        connection = Connection(self.server, self._changes, request)
        await connection.socket.prepare(request)
        self.connections.append(connection)
        self._changes.tell()
        async for message in connection.socket:
            if message.type is aiohttp.WSMsgType.TEXT:
                connection.texts.append(message.data)
                self._changes.tell()
        connection.code = connection.socket.close_code
        self._changes.tell()
        return connection.socket


@contextmanager
def socket_server() -> Iterator[SocketServer]:
    ours = SocketServer()
    ours.server.start("127.0.0.1", 0)
    try:
        yield ours
    finally:
        ours.server.stop()
