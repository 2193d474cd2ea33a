"""The socket of a stream, written to in order and without anybody waiting for it."""

import asyncio
import json

import aiohttp

from ..sockets import cut
from .messages import Message
from .record import StreamRecord


class Wire:
    """What is put goes out one after another; a socket that is gone swallows it, as the network does."""

    def __init__(self, connection: aiohttp.ClientWebSocketResponse, record: StreamRecord) -> None:
        self._socket, self._record = connection, record
        self._queue: asyncio.Queue[tuple[Message | str, bytes]] = asyncio.Queue()

    def put(self, message: Message | str, audio: bytes = b"") -> None:
        """Send a message, or any text; ``audio`` is what it carries."""
        self._queue.put_nowait((message, audio))

    async def pump(self) -> None:
        """Send what is put, for ever."""
        while True:
            message, audio = await self._queue.get()
            text = message if isinstance(message, str) else json.dumps(message, separators=(",", ":"))
            try:
                await self._socket.send_str(text)
            except (ConnectionError, aiohttp.ClientError):
                pass
            else:
                known = {"text": message} if isinstance(message, str) else message
                self._record.note("sent", str(known.get("event", "garbage")), known, audio)
            finally:
                self._queue.task_done()

    async def flush(self) -> None:
        """Wait until all is sent."""
        await self._queue.join()

    def cut(self) -> None:
        """Break the connection without a word."""
        cut(self._socket)
