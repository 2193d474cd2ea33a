"""The local stack's front door: a plain address in front of the engine's API, for Twilio, its stand-in or a tunnel to call."""

from __future__ import annotations

import asyncio
import io
import socket
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from types import TracebackType

from aiohttp import ClientError, ClientSession, ClientTimeout, ClientWebSocketResponse, WSMsgType, WSServerHandshakeError, web

from local.recorder import Recorder, SocketRecording

# Hop-by-hop (RFC 9110, 7.6.1), and what the client library writes itself.
_NOT_PASSED = {"connection", "content-length", "host", "keep-alive", "transfer-encoding", "upgrade"}
# A socket's handshake is its own on each side.
_OF_THE_HANDSHAKE = {"sec-websocket-accept", "sec-websocket-extensions", "sec-websocket-key", "sec-websocket-version"}
# RFC 6455, 7.4.1. The last two name a close without a code and a lost connection; nobody sends them.
_GOING_AWAY, _NO_CODE, _BROKEN = 1001, 1005, 1006
_LARGEST = 10 * 1024 * 1024  # bytes; API Gateway's own limit


class Front:
    """Passes every request and every socket on, unchanged but for its host. Runs in a thread; use as a context manager."""

    def __init__(self, port: int, engine_url: str, recorder: Recorder | None = None, public_url: str = "") -> None:
        """`port` 0 takes a free one; `url` and `websocket_url` tell. `public_url`: what Twilio calls, if that is a tunnel.

        A `recorder` is told of all that passes; another may be set at any time.
        """
        self.url = self.websocket_url = ""
        self.recorder = recorder
        self._public_url = public_url
        self._port = port
        self._engine_url = engine_url
        self._api_host = self._socket_host = ""
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="front", daemon=True)
        self._failure: OSError | None = None

    def __enter__(self) -> Front:
        self._thread.start()
        self._ready.wait(10)
        if self._failure:
            raise SystemExit(f"Port {self._port} cannot be had; is it taken? Set TWILIO_WEBHOOK_PORT to another one.")
        return self

    def __exit__(self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def pass_to(self, api_id: str) -> None:
        """Where requests go from now on. Before, they are answered 503."""
        self._api_host = f"{api_id}.execute-api.localhost"

    def pass_sockets_to(self, api_id: str) -> None:
        """Where WebSockets go from now on. Before, they are answered 503."""
        self._socket_host = f"{api_id}.execute-api.localhost"

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        close = self._loop.run_until_complete(self._serve())
        self._ready.set()
        if close:
            self._loop.run_forever()
            self._loop.run_until_complete(close())
        self._loop.close()

    async def _serve(self) -> Callable[[], Coroutine[None, None, None]] | None:
        """Listen. Returns what closes it, or None if the port is taken."""
        session = ClientSession(auto_decompress=False, timeout=ClientTimeout(total=35))

        async def handle(request: web.Request) -> web.StreamResponse:
            if request.headers.get("Upgrade", "").lower() == "websocket":
                return await self._pass_socket(request, session)
            return await self._pass(request, session)

        app = web.Application(client_max_size=_LARGEST)
        app.router.add_route("*", "/{path:.*}", handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await runner.setup()

        async def close() -> None:
            await runner.cleanup()
            await session.close()

        try:
            await web.TCPSite(runner, "127.0.0.1", self._port).start()
        except OSError as error:
            self._failure = error
            await close()
            return None
        port = runner.addresses[0][1]
        self.url, self.websocket_url = f"http://127.0.0.1:{port}", f"ws://127.0.0.1:{port}"
        return close

    async def _pass(self, request: web.Request, session: ClientSession) -> web.StreamResponse:
        if not self._api_host:
            return web.json_response({"message": "The stack is not deployed yet."}, status=503)
        headers = [(name, value) for name, value in request.headers.items() if name.lower() not in _NOT_PASSED]
        async with session.request(
            request.method,
            f"{self._engine_url}{request.raw_path}",
            headers=[*headers, ("Host", self._api_host)],
            data=io.BytesIO(await request.read()),
            allow_redirects=False,
        ) as answer:
            passed = [(name, value) for name, value in answer.headers.items() if name.lower() not in _NOT_PASSED]
            body = await answer.read()
            if self.recorder:
                said = (answer.status, answer.headers.get("Content-Type", ""), body)
                url = self._called(request, "http")
                self.recorder.webhook(request.method, url, request.headers.items(), await request.read(), said)
            return web.Response(status=answer.status, headers=passed, body=body)

    async def _pass_socket(self, request: web.Request, session: ClientSession) -> web.StreamResponse:
        """Open the engine's side first, so that its refusal is the answer to the handshake."""
        if not self._socket_host:
            return web.json_response({"message": "The stack is not deployed yet."}, status=503)
        left_out = _NOT_PASSED | _OF_THE_HANDSHAKE
        headers = [(name, value) for name, value in request.headers.items() if name.lower() not in left_out]
        url = "ws" + self._engine_url.removeprefix("http") + request.raw_path
        try:
            engine = await session.ws_connect(url, headers=[*headers, ("Host", self._socket_host)], max_msg_size=_LARGEST)
        except WSServerHandshakeError as refusal:
            self._record_socket(request, refusal.status)
            return web.json_response({"message": refusal.message}, status=refusal.status)
        except ClientError as error:
            return web.json_response({"message": f"The engine cannot be reached: {type(error).__name__}."}, status=502)
        caller = web.WebSocketResponse(compress=False, max_msg_size=_LARGEST)
        await caller.prepare(request)
        record = self._record_socket(request, 101)
        outward = asyncio.create_task(_pass_messages(caller, engine, partial(record.message, "twilio") if record else None))
        inward = asyncio.create_task(_pass_messages(engine, caller, partial(record.message, "us") if record else None))
        try:
            done, _ = await asyncio.wait({outward, inward}, return_when=asyncio.FIRST_COMPLETED)
            code = done.pop().result()
        except asyncio.CancelledError:
            code = _GOING_AWAY
            raise
        finally:
            for task in (outward, inward):
                task.cancel()
            await asyncio.gather(outward, inward, return_exceptions=True)
            await asyncio.gather(_hang_up(engine, code), _hang_up(caller, code))
            if record:
                record.closed(code)
        return caller

    def _record_socket(self, request: web.Request, status: int) -> SocketRecording | None:
        if self.recorder is None:
            return None
        return self.recorder.socket(self._called(request, "ws"), request.headers.items(), status)

    def _called(self, request: web.Request, scheme: str) -> str:
        """The URL that Twilio called."""
        root = self._public_url or self.url
        return root.replace("http", scheme, 1) + request.raw_path


_Socket = ClientWebSocketResponse | web.WebSocketResponse


async def _pass_messages(source: _Socket, target: _Socket, tell: Callable[[str], None] | None = None) -> int:
    """One after another, in their order, until one side is gone. Returns the code that it was closed with."""
    try:
        while True:
            message = await source.receive()
            if message.type is WSMsgType.TEXT:
                if tell:
                    tell(message.data)
                await target.send_str(message.data)
            elif message.type is WSMsgType.BINARY:
                await target.send_bytes(message.data)
            else:
                return int(message.data if message.type is WSMsgType.CLOSE and message.data else source.close_code or _BROKEN)
    except (ConnectionError, ClientError):
        return target.close_code or _BROKEN


async def _hang_up(side: _Socket, code: int) -> None:
    """Close as the other side was closed; one that broke (1006) is broken."""
    if side.closed:
        return
    if code == _BROKEN and (connection := side.get_extra_info("socket")):
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
    await side.close(code=1000 if code in {_NO_CODE, _BROKEN} else code)
