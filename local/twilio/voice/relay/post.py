"""The way to our side: messages in order, kept while there is no socket."""

import json
from collections import deque

import aiohttp

from ...changes import Changes
from .messages import Message
from .mishaps import Mishaps
from .record import RelayRecord

MAX_BUFFERED = 500  # https://www.twilio.com/en-us/changelog/conversation-relay--dynamic-configuration--application-reconnect


class Post:
    """What is put goes out one after another. Of more than it keeps, the oldest are lost: Twilio does not say which are.

    ``waiting`` is what was not sent yet.
    """

    def __init__(self, record: RelayRecord, mishaps: Mishaps, changes: Changes) -> None:
        self._record, self._mishaps, self._changes = record, mishaps, changes
        self.waiting: deque[Message | str] = deque(maxlen=MAX_BUFFERED)
        self._is_sending = False

    def put(self, message: Message) -> None:
        """Send a message as soon as there is a socket."""
        self.waiting.extend(self._mishaps.arriving(message))
        self._changes.tell()

    def put_raw(self, text: str) -> None:
        """Send any text."""
        self.waiting.append(text)
        self._changes.tell()

    async def deliver(self, socket: aiohttp.ClientWebSocketResponse, first: Message) -> None:
        """Send ``first``, then what is put, until the socket breaks or for ever."""
        is_open = await self._send(socket, first)
        self._changes.tell()
        while is_open:
            await self._changes.wait_until(lambda: bool(self.waiting))
            message, self._is_sending = self.waiting.popleft(), True
            is_open = await self._send(socket, message)
            if not is_open:
                self.waiting.appendleft(message)
            self._is_sending = False
            self._changes.tell()

    async def flush(self) -> None:
        """Wait until all is sent."""
        await self._changes.wait_until(lambda: not (self.waiting or self._is_sending))

    async def _send(self, socket: aiohttp.ClientWebSocketResponse, message: Message | str) -> bool:
        text = message if isinstance(message, str) else json.dumps(message, separators=(",", ":"))
        try:
            await socket.send_str(text)
        except (ConnectionError, aiohttp.ClientError):
            return False
        if isinstance(message, str):
            self._record.note("sent", {"text": message}, "garbage")
        else:
            self._record.note("sent", message)
        return True
