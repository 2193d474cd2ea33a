"""The local stack's front door: a plain address in front of the engine's API, for Twilio, its stand-in or a tunnel to call."""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import Callable, Coroutine
from types import TracebackType

from aiohttp import ClientSession, ClientTimeout, web

# Hop-by-hop (RFC 9110, 7.6.1), and what the client library writes itself.
_NOT_PASSED = {"connection", "content-length", "host", "keep-alive", "transfer-encoding", "upgrade"}
_LARGEST = 10 * 1024 * 1024  # bytes; API Gateway's own limit


class Front:
    """Passes every request on, unchanged but for its host. Runs in a thread; use as a context manager."""

    def __init__(self, port: int, engine_url: str) -> None:
        """`port` 0 takes a free one; `url` tells."""
        self.url = ""
        self._port = port
        self._engine_url = engine_url
        self._api_host = ""
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
            return await self._pass(request, session)

        app = web.Application(client_max_size=_LARGEST)
        app.router.add_route("*", "/{path:.*}", handle)
        runner = web.AppRunner(app, access_log=None)
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
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
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
            return web.Response(status=answer.status, headers=passed, body=await answer.read())
