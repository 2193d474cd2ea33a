"""One relay session, from the handshake to its end.

Who starts it waits for ``over``; who stops it does not wait. Error codes: https://www.twilio.com/docs/api/errors, 641xx.
A socket that is lost is an error, and so is one that our side closes without an ``end``. With ``applicationReconnect`` Twilio
opens another one; how often it tries, how soon, and after which closes is not documented. Here it tries three times until one
lasts, and takes a close that says that all is well (1000) for the end.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp

from ...background import running
from ...messages import new_sid
from ..line import Line
from ..session import Network
from ..sockets import MESSAGES, NotConnected, close_code, connected, cut
from . import messages
from .ear import Ear
from .messages import InvalidMessage, Message
from .mishaps import Mishaps
from .news import News
from .noun import Noun
from .post import Post
from .record import RelayRecord
from .troubles import Troubles
from .voice import Voice

MAX_INVALID = 10  # in a row
RECONNECT_PAUSES = (1.0, 2.0, 4.0)  # seconds of the call
LASTING_SECONDS = 10.0  # of the call, after which a socket is taken to last


class RelayError(Exception):
    """The session did not come about, or broke."""

    def __init__(self, code: int, detail: str) -> None:
        super().__init__(detail)
        self.code = code


@dataclass(frozen=True)
class Loss:
    """A socket is gone, or none came about. ``is_orderly``: our side closed it and said that all is well."""

    detail: str
    is_orderly: bool = False
    lasting: bool = False


class Relay:
    """``record`` is what happened; ``error`` what broke it. Used on the loop's thread only."""

    def __init__(self, line: Line, network: Network, noun: Noun, call_status: str) -> None:
        self.over = asyncio.Event()
        self.error: RelayError | None = None
        self._line, self._network, self._noun = line, network, noun
        self._mishaps = Mishaps(network.relay_faults(line.call.person))
        self.record = RelayRecord(new_sid("VX"), noun.url, line.clock, dict(noun.parameters))
        self._setup = messages.setup(line.call, self.record.sid, call_status, noun.parameters)
        self._post = Post(self.record, self._mishaps, line.changes)
        news = News(self._post, noun.events)
        self._voice = Voice(line, noun, news, self.record)
        self._ear = Ear(line, noun, self._voice, self._post, news)
        self._troubles = Troubles(line, self._mishaps, self.record, self._voice, self._post)
        self._began = asyncio.Event()
        self._invalid_in_a_row = 0
        self._stopped_as: str | None = None
        self._socket: aiohttp.ClientWebSocketResponse | None = None

    async def run(self) -> None:
        """Returns when the session is over; what goes wrong is in the Debugger and in ``error``."""
        try:
            if self._noun.problem:
                raise RelayError(*self._noun.problem)
            await self._converse()
        except RelayError as error:
            self.error, self.record.error_code = error, error.code
            self._network.report(error.code, self._noun.url, str(error), self._line.call.sid)
            self.record.end("failed")
        finally:
            self.record.end(self._stopped_as or "completed")
            self._line.note("relay", f"{self.record.sid} {self.record.ended}")
            self.over.set()

    def stop(self, status: str) -> None:
        """End it with that status; does nothing when it is over."""
        self._stopped_as = status
        self._line.changes.tell()

    async def _converse(self) -> None:
        async with running(self._live()):
            loss, attempts = await self._connect(), 0
            while loss is not None:
                attempts = 0 if loss.lasting else attempts
                if not self._noun.reconnects or loss.is_orderly or attempts == len(RECONNECT_PAUSES):
                    raise RelayError(64105, loss.detail)
                if await self._stops_within(RECONNECT_PAUSES[attempts]):
                    return
                attempts += 1
                loss = await self._reconnect(loss)

    async def _live(self) -> None:
        """Speak and listen from the first socket on, whether there is one or not."""
        await self._began.wait()
        async with running(self._voice.run(), self._ear.run(), self._troubles.run(self._drop)):
            await asyncio.Event().wait()

    async def _connect(self) -> Loss | None:
        """Open a socket and talk on it until it is lost; None at the end. Raises RelayError."""
        async with self._connection() as socket:
            if not self._began.is_set():
                self._line.relays.append(self.record)
                self._line.note("relay", f"{self.record.sid} started: {self._noun.url}")
                self._voice.greet()
                self._began.set()
            return await self._serve(socket)

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        signature = self._network.sign(self._noun.url, forged=self._mishaps.forges_handshake)
        try:
            async with connected(self._noun.url, signature) as socket:
                self.record.connect()
                self._socket = socket
                yield socket
        except NotConnected as error:
            raise RelayError(64102, str(error)) from None
        finally:
            self._socket = None

    async def _reconnect(self, loss: Loss) -> Loss | None:
        """As ``_connect``, but a socket that does not come about is another loss."""
        self._line.note("relay", f"{self.record.sid} reconnects: {loss.detail}")
        try:
            return await self._connect()
        except RelayError as error:
            if error.code != 64102:
                raise
            return Loss(str(error))

    async def _stops_within(self, seconds: float) -> bool:
        return await self._line.changes.wait_until(self._is_to_stop, self._line.clock.here(seconds))

    async def _serve(self, socket: aiohttp.ClientWebSocketResponse) -> Loss | None:
        """Talk on a socket until the session is over, or it is lost. Raises RelayError."""
        setup = self._mishaps.altered(self._setup)
        receiving = asyncio.create_task(self._receive(socket))
        stopping = asyncio.create_task(self._line.changes.wait_until(self._is_to_stop))
        delivering = asyncio.create_task(self._post.deliver(socket, setup))
        try:
            await asyncio.wait({receiving, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if receiving.done():
                return receiving.result()
            await self._say_goodbye(delivering)
            return None
        finally:
            for task in (receiving, stopping, delivering):
                task.cancel()
            await asyncio.gather(receiving, stopping, delivering, return_exceptions=True)

    def _is_to_stop(self) -> bool:
        return self._stopped_as is not None or self._line.call.ended

    async def _say_goodbye(self, delivering: asyncio.Task[None]) -> None:
        if self._noun.partial_on_hangup and self._ear.so_far and self._stopped_as != "redirected":
            self._post.put(messages.prompt(self._ear.so_far, self._ear.language, last=True))
        flushing = asyncio.create_task(self._post.flush())
        await asyncio.wait({flushing, delivering}, return_when=asyncio.FIRST_COMPLETED)
        flushing.cancel()

    async def _receive(self, socket: aiohttp.ClientWebSocketResponse) -> Loss | None:
        """Hear our side until it ends the session or the socket. Raises RelayError."""
        began = self.record.now
        while (received := await socket.receive()).type in MESSAGES:
            try:
                if received.type is not aiohttp.WSMsgType.TEXT:
                    raise InvalidMessage("a binary message")
                message = messages.read_message(received.data)
            except InvalidMessage as problem:
                await self._refuse(socket, str(received.data), problem)
                continue
            self._invalid_in_a_row = 0
            self.record.note("received", message)
            if message["type"] == "end":
                self.record.handoff_data = message.get("handoffData")
                self.record.end("ended")
                return None
            self._obey(message)
        code = close_code(socket, received)
        lasting = self.record.now - began >= LASTING_SECONDS
        return Loss(f"the socket was closed with {code}", is_orderly=code == aiohttp.WSCloseCode.OK, lasting=lasting)

    def _obey(self, message: Message) -> None:
        if message["type"] == "text":
            self._voice.take_text(message)
        elif message["type"] == "play":
            self._voice.take_play(message)
        elif message["type"] == "sendDigits":
            self._voice.take_digits(message)
        elif message["type"] == "language":
            self._ear.language = message.get("transcriptionLanguage", self._ear.language)
        self._line.changes.tell()

    async def _refuse(self, socket: aiohttp.ClientWebSocketResponse, text: str, problem: InvalidMessage) -> None:
        self._invalid_in_a_row += 1
        self.record.invalid.append(str(problem))
        self.record.gateway_errors += problem.of_gateway
        self.record.note("received", {"text": text, "problem": str(problem)}, "invalid")
        self._network.report(64107, self._noun.url, str(problem), self._line.call.sid)
        self._post.put(messages.error(text))
        self._line.changes.tell()
        if self._invalid_in_a_row == MAX_INVALID:
            await socket.close(code=aiohttp.WSCloseCode.INVALID_TEXT)
            raise RelayError(64105, f"{MAX_INVALID} messages in a row that are none: {problem}")

    def _drop(self) -> None:
        if self._socket is not None:
            self._line.note("relay", f"{self.record.sid} loses its socket")
            cut(self._socket)
