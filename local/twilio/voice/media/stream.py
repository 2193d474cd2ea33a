"""One media stream, from the handshake to its end.

Who starts it waits for ``over``, or does not; who stops it does not wait. Error codes:
https://www.twilio.com/docs/api/errors, 319xx. How Twilio words ``StreamError`` was not found.
"""

import asyncio
import base64

import aiohttp

from ...debugger import ALERT_TEXTS
from ...messages import new_sid, now
from ..line import Line
from ..session import Network
from ..sockets import MESSAGES, NotConnected, close_code, connected
from .audio import Tick
from .messages import CONNECTED, InvalidMessage, Message, Order, Writer, read_order
from .mishaps import LEFT_OPEN_SECONDS, Mishaps
from .noun import Noun
from .playback import Playback
from .record import StreamRecord
from .ulaw import FRAME_SECONDS
from .wire import Wire

TURN_FRAMES = 35  # of silence, 0.7 s, after which a person takes it to be their turn
_NOT_CONNECTED = {"refused": 31920, "timeout": 31901, "unreachable": 31902}
_CLOSED_IN_ORDER = frozenset({1000, 1001, 1005})


class StreamError(Exception):
    """The stream did not come about, or broke."""

    def __init__(self, code: int, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class MediaStream:
    """``record`` is what happened on it. Used on the loop's thread only."""

    def __init__(self, line: Line, network: Network, noun: Noun) -> None:
        self.over = asyncio.Event()
        self._line, self._network, self._noun = line, network, noun
        self._mishaps = Mishaps(network.stream_faults(line.call.person))
        sid = new_sid("MZ")
        self.record = StreamRecord(
            sid, noun.name or sid, noun.url, noun.two_way, line.audio.speed, parameters=dict(noun.parameters)
        )
        self._writer = Writer(line.call.account_sid, line.call.sid, sid)
        self._playback = Playback() if noun.two_way else None
        self._wire: Wire | None = None
        self._frames = 0
        self._stopping = False
        self._told: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Returns when the socket is closed; what goes wrong is in the Debugger and the status callbacks."""
        try:
            if self._noun.problem:
                raise StreamError(*self._noun.problem)
            await self._connect()
        except StreamError as error:
            text = f"{error.code}: {ALERT_TEXTS.get(error.code, '')} ({error})"
            self._network.report(error.code, self._noun.url, str(error), self._line.call.sid)
            self._end(str(error.code))
            self._tell("stream-error", {"StreamError": text})
        finally:
            self._end("stopped")
            self._detach()
            self.over.set()
        if self.record.began_at is not None:
            self._tell("stream-stopped")

    def stop(self) -> None:
        """End it; does nothing when it is over."""
        self._stopping = True
        self._line.changes.tell()

    def tick(self, tick: Tick) -> None:
        """20 ms are over: send what was said in them, and the marks that were reached."""
        if self._wire is None:
            return
        audio = {"inbound": tick.said, "outbound": tick.played}
        timestamp = round(self._frames * FRAME_SECONDS * 1000)
        frames = [self._writer.media(track, audio[track], timestamp) for track in self._noun.tracks]
        self.record.say(tick.said, tick.utterance if self._playback else None)
        self.record.hear(tick.played)
        self.record.waiting_bytes = self._playback.waiting if self._playback else 0
        for text in self._mishaps.garbage(self._frames):
            self._wire.put(text)
        for frame in self._mishaps.arriving(self._frames, frames):
            self._wire.put(frame, base64.b64decode(frame["media"]["payload"]))
        if self._playback:
            self._echo(tick.marks)
            self._give_turn()
        if self._mishaps.drops_socket(self._frames):
            self._wire.cut()
        self._frames += 1

    def press(self, key: str) -> None:
        """The person pressed a key, which only a stream that may answer is told."""
        if self._playback and self._wire:
            self._wire.put(self._writer.key(key))

    def _give_turn(self) -> None:
        if self.record.quiet_frames == TURN_FRAMES:
            self._line.begin_to_listen()
        elif self.record.quiet_frames == 0:
            self._line.listening = False

    async def _connect(self) -> None:
        signature = self._network.sign(self._noun.url, forged=self._mishaps.forges_handshake)
        try:
            async with connected(self._noun.url, signature) as socket:
                await self._serve(socket)
        except NotConnected as error:
            raise StreamError(_NOT_CONNECTED[error.why], str(error)) from None

    async def _serve(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._wire = wire = Wire(socket, self.record)
        receiving = asyncio.create_task(self._receive(socket))
        stopping = asyncio.create_task(self._line.changes.wait_until(lambda: self._stopping or self._line.call.ended))
        pumping = asyncio.create_task(wire.pump())
        self._begin(wire)
        try:
            await asyncio.wait({receiving, stopping}, return_when=asyncio.FIRST_COMPLETED)
            self._detach()
            if receiving.done():
                self._end(receiving.result())
            else:
                self._end("stopped")
                await self._say_goodbye(wire, receiving)
        finally:
            for task in (receiving, stopping, pumping):
                task.cancel()
            await asyncio.gather(receiving, stopping, pumping, return_exceptions=True)

    def _begin(self, wire: Wire) -> None:
        self.record.begin()
        wire.put(CONNECTED)
        wire.put(self._mishaps.alter(self._writer.start(self._noun.tracks, self._noun.parameters)))
        self._line.streams.append(self.record)
        self._line.note("stream", f"{self.record.name} started: {self._noun.url}")
        self._line.audio.attach(self, self._playback, self._network.start)
        self._tell("stream-started")

    async def _say_goodbye(self, wire: Wire, receiving: asyncio.Task[str]) -> None:
        lost = self._mishaps.stop_lost
        if lost is None:
            wire.put(self._writer.stop())
        for frame in self._mishaps.rest():
            wire.put(frame)
        await wire.flush()
        if lost == "open":
            await asyncio.wait({receiving}, timeout=LEFT_OPEN_SECONDS)

    async def _receive(self, socket: aiohttp.ClientWebSocketResponse) -> str:
        """Hear our side until it closes the socket. Raises StreamError where it does not do so in order."""
        while (message := await socket.receive()).type in MESSAGES:
            try:
                if message.type is not aiohttp.WSMsgType.TEXT:
                    raise InvalidMessage("a binary message", 31950)
                self._obey(message.data)
            except InvalidMessage as problem:
                self._complain(problem)
        code = close_code(socket, message)
        if code not in _CLOSED_IN_ORDER:
            raise StreamError(31921, f"the socket was closed with {code}")
        return "closed"

    def _obey(self, text: str) -> None:
        if self._playback is None or self._wire is None:
            raise InvalidMessage("a stream that goes one way takes no messages")
        order = read_order(text, self.record.sid)
        self.record.note("received", order.event, _shown(order), order.audio)
        if order.event == "media":
            self._playback.put(order.audio)
        elif order.event == "mark":
            self._echo(self._playback.mark(order.name))
        else:
            self._line.note("stream", f"{self.record.name} cleared: {self._playback.waiting} bytes were not played")
            self._echo(self._playback.clear())
        self.record.waiting_bytes = self._playback.waiting
        self._line.changes.tell()

    def _echo(self, marks: list[str]) -> None:
        assert self._wire is not None
        for name in marks:
            self._wire.put(self._writer.mark(name))

    def _complain(self, problem: InvalidMessage) -> None:
        if not self.record.invalid:
            self._network.report(problem.code, self._noun.url, str(problem), self._line.call.sid)
        self.record.invalid.append(str(problem))
        self.record.note("received", "invalid", {"event": "invalid", "problem": str(problem)})

    def _detach(self) -> None:
        self._line.audio.detach(self, self._playback)

    def _end(self, why: str) -> None:
        if self.record.ended is None:
            self.record.end(why)
            self._line.note("stream", f"{self.record.name} ended: {why}")

    def _tell(self, event: str, extra: Message | None = None) -> None:
        if self._noun.callback is None:
            return
        fields = {
            "AccountSid": self._line.call.account_sid,
            "CallSid": self._line.call.sid,
            "StreamSid": self.record.sid,
            "StreamName": self.record.name,
            "StreamEvent": event,
            "Timestamp": now().isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        } | (extra or {})
        self._told = self._network.start(self._send(self._told, fields))

    async def _send(self, previous: asyncio.Task[None] | None, fields: dict[str, str]) -> None:
        if previous is not None:
            await asyncio.wait({previous})
        assert self._noun.callback is not None
        await self._network.request("stream", self._noun.callback, fields, self._noun.callback_method)


def _shown(order: Order) -> Message:
    return {"event": order.event} | ({"mark": {"name": order.name}} if order.event == "mark" else {})
