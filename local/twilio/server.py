"""A thread with an asyncio loop that serves one aiohttp application, started and stopped from another thread."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeVar

from aiohttp import web

T = TypeVar("T")


class ServerThread:
    """``application`` is entered on the loop before the server listens, and left after it stopped; ``port`` is the real one."""

    def __init__(self, application: Callable[[], AbstractAsyncContextManager[web.Application]]) -> None:
        self._application = application
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._started = threading.Event()
        self._error: BaseException | None = None
        self.port = 0

    def start(self, host: str, port: int) -> None:
        """Returns when the server listens. Raises what kept it from that, for example OSError for a port in use."""
        self._started.clear()
        self._error = None
        self._thread = threading.Thread(target=self._main, args=(host, port), name="twilio-stand-in", daemon=True)
        self._thread.start()
        self._started.wait()
        if self._loop is None:
            self._end()

    def stop(self) -> None:
        """Ends everything under way. Raises an unexpected error of that work. Does nothing when not running."""
        if self._thread is None:
            return
        if self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._end()

    def run(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run a coroutine on the loop and wait for it."""
        if self._loop is None:
            raise RuntimeError("the stand-in is not running")
        if threading.current_thread() is self._thread:
            raise RuntimeError("called from the stand-in's own thread: it would wait for itself")
        return asyncio.run_coroutine_threadsafe(work(), self._loop).result()

    def _end(self) -> None:
        assert self._thread is not None
        self._thread.join()
        self._thread = None
        if self._error is not None:
            raise self._error

    def _main(self, host: str, port: int) -> None:
        try:
            asyncio.run(self._serve(host, port))
        except BaseException as error:  # noqa: BLE001 - carried over to the thread that started this one
            self._error = error
        finally:
            self._loop = None
            self._started.set()

    async def _serve(self, host: str, port: int) -> None:
        self._stop = asyncio.Event()
        async with self._application() as application, _listening(application, host, port) as self.port:
            self._loop = asyncio.get_running_loop()
            self._started.set()
            await self._stop.wait()
            self._loop = None


@asynccontextmanager
async def _listening(application: web.Application, host: str, port: int) -> AsyncIterator[int]:
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
