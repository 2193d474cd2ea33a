"""Amazon Transcribe's streaming protocol on the loopback: HTTP/2 over TLS, and on it the event stream, decoded by hand.

Source: Amazon Transcribe, "Setting up a streaming transcription" and "Event stream encoding". A turn is answered as the test
says in `Answer`; what came of it is in `Turn`.
"""

from __future__ import annotations

import asyncio
import datetime
import json
import ssl
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from zlib import crc32

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ConnectionTerminated, DataReceived, RequestReceived, StreamEnded, StreamReset

_STRING, _BYTES, _TIMESTAMP = 7, 6, 8
DROP, END = "drop", "end"


@dataclass
class Answer:
    """What the service says in a turn."""

    status: int = 200
    error: str = ""
    """Of an answer that is not 200."""
    during: Mapping[int, bytes | str] = field(default_factory=dict)
    """By bytes of PCM received: an event, `DROP` (the connection breaks; at -1, before any answer) or `END` (of the stream)."""
    at_the_end: tuple[bytes | str, ...] = ()
    closes: bool = True
    """Whether the stream is ended after that."""


@dataclass
class Turn:
    """What the service saw of a turn."""

    answer: Answer
    headers: dict[str, str]
    connection: int
    """Which of the server's connections it came over, from 1."""
    audio: bytearray = field(default_factory=bytearray)
    chunks: list[int] = field(default_factory=list)
    ended: Future[None] = field(default_factory=Future)
    """Our side of the stream is closed: the empty event came and the stream ended."""
    unread: bytearray = field(default_factory=bytearray)
    empty_event: bool = False
    due: dict[int, bytes | str] = field(default_factory=dict)


def results(*found: Mapping[str, Any]) -> bytes:
    """A TranscriptEvent."""
    body = json.dumps({"Transcript": {"Results": found}}).encode()
    return event({":message-type": "event", ":event-type": "TranscriptEvent", ":content-type": "application/json"}, body)


def result(
    text: str, *, id_: str = "one", partial: bool = False, start: float = 0.0, confidences: tuple[float, ...] = ()
) -> dict[str, Any]:
    """A Result with one alternative, whose words have these confidences; punctuation has none."""
    items: list[dict[str, Any]] = [{"Content": "word", "Type": "pronunciation", "Confidence": one} for one in confidences]
    items.append({"Content": ".", "Type": "punctuation"})
    alternatives = [{"Transcript": text, "Items": items}]
    return {"ResultId": id_, "IsPartial": partial, "StartTime": start, "EndTime": start + 1, "Alternatives": alternatives}


def exception(kind: str) -> bytes:
    """An exception in the event stream."""
    body = json.dumps({"Message": "The service says what is wrong."}).encode()
    return event({":message-type": "exception", ":exception-type": kind, ":content-type": "application/json"}, body)


def event(headers: Mapping[str, str], payload: bytes) -> bytes:
    """A frame: prelude, its CRC, headers, payload, and the CRC of it all."""
    packed = b"".join(
        struct.pack(">B", len(name)) + name.encode() + struct.pack(">BH", _STRING, len(value)) + value.encode()
        for name, value in headers.items()
    )
    prelude = struct.pack(">II", 16 + len(packed) + len(payload), len(packed))
    message = prelude + struct.pack(">I", crc32(prelude)) + packed + payload
    return message + struct.pack(">I", crc32(message))


def read_event(data: bytes | bytearray) -> tuple[dict[str, Any], bytes, int] | None:
    """Headers, payload and length of the first frame, if it is all there; both sums must be right."""
    if len(data) < 16 or len(data) < (length := struct.unpack(">I", data[:4])[0]):
        return None
    headers_length, prelude_sum = struct.unpack(">II", data[4:12])
    assert crc32(data[:8]) == prelude_sum
    assert crc32(data[: length - 4]) == struct.unpack(">I", data[length - 4 : length])[0]
    return dict(_headers(bytes(data[12 : 12 + headers_length]))), bytes(data[12 + headers_length : length - 4]), length


def _headers(data: bytes) -> Iterator[tuple[str, Any]]:
    while data:
        end = 1 + data[0]
        name, kind, data = data[1:end].decode(), data[end], data[end + 1 :]
        if kind == _TIMESTAMP:
            yield name, struct.unpack(">q", data[:8])[0]
            data = data[8:]
        else:
            assert kind in (_STRING, _BYTES)
            length = struct.unpack(">H", data[:2])[0]
            value, data = data[2 : 2 + length], data[2 + length :]
            yield name, value.decode() if kind == _STRING else value


class TranscribeServer:
    """One port, any number of connections and turns. `answers` are for the turns in order, the last one for all after it."""

    def __init__(self) -> None:
        self.answers: list[Answer] = [Answer()]
        self.turns: list[Turn] = []
        self.connections = 0
        self.port = 0
        self.transports: list[asyncio.Transport] = []
        self.arrived = threading.Condition()

    @property
    def endpoint(self) -> str:
        return f"https://localhost:{self.port}"

    def next_answer(self) -> Answer:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def wait_for(self, what: Callable[[], bool], seconds: float = 10.0) -> None:
        """Until it is so; a failure if it never is."""
        with self.arrived:
            assert self.arrived.wait_for(what, seconds)


class _Connection(asyncio.Protocol):
    def __init__(self, server: TranscribeServer) -> None:
        self._server = server
        self._h2 = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        self._turns: dict[int, Turn] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._server.transports.append(transport)
        self._server.connections += 1
        self._number = self._server.connections
        self._h2.initiate_connection()
        self._flush()

    def data_received(self, data: bytes) -> None:
        with self._server.arrived:
            for one in self._h2.receive_data(data):
                self._on(one)
            self._flush()
            self._server.arrived.notify_all()

    def _on(self, one: Any) -> None:
        match one:
            case RequestReceived(stream_id=int(stream), headers=headers):
                self._begin(stream, {str(name): str(value) for name, value in headers})
            case DataReceived(stream_id=int(stream), data=data, flow_controlled_length=int(length)):
                self._h2.acknowledge_received_data(length, stream)
                self._hear(stream, data or b"")
            case StreamEnded(stream_id=int(stream)):
                self._end(stream)
            case StreamReset(stream_id=int(stream)):
                self._turns[stream].ended.set_exception(ConnectionResetError())
            case ConnectionTerminated():
                self._transport.close()

    def _begin(self, stream: int, headers: dict[str, str]) -> None:
        turn = Turn(self._server.next_answer(), headers, self._number)
        turn.due = dict(turn.answer.during)
        self._server.turns.append(turn)
        self._turns[stream] = turn
        if turn.answer.status != 200:
            kind = {"x-amzn-errortype": turn.answer.error, "content-type": "application/json"}
            self._h2.send_headers(stream, [(":status", str(turn.answer.status)), *kind.items()])
            self._h2.send_data(stream, b'{"Message": "The service says what is wrong."}', end_stream=True)
            return
        if turn.due.pop(-1, None) == DROP:
            self._transport.abort()
            return
        content = [("content-type", "application/vnd.amazon.eventstream")]
        self._h2.send_headers(stream, [(":status", "200"), *content, ("x-amzn-request-id", "request")])

    def _hear(self, stream: int, data: bytes) -> None:
        turn = self._turns[stream]
        turn.unread += data
        while read := read_event(turn.unread):
            wrapper, payload, length = read
            del turn.unread[:length]
            assert set(wrapper) == {":date", ":chunk-signature"}
            assert len(wrapper[":chunk-signature"]) == 32
            if not payload:
                turn.empty_event = True
                continue
            inner = read_event(payload)
            assert inner
            assert inner[0][":message-type"] == "event"
            assert inner[0][":event-type"] == "AudioEvent"
            turn.audio += inner[1]
            turn.chunks.append(len(inner[1]))
        for at in [at for at in turn.due if at <= len(turn.audio)]:
            self._say(stream, turn.due.pop(at))

    def _end(self, stream: int) -> None:
        turn = self._turns[stream]
        assert not turn.unread
        for one in turn.answer.at_the_end:
            self._say(stream, one)
        if turn.answer.closes and turn.answer.status == 200 and not self._transport.is_closing():
            self._h2.end_stream(stream)
        turn.ended.set_result(None)

    def _say(self, stream: int, what: bytes | str) -> None:
        if what == DROP:
            self._transport.abort()
        elif what == END:
            self._h2.end_stream(stream)
            self._turns[stream].answer.closes = False
        elif isinstance(what, bytes):
            self._h2.send_data(stream, what)
            self._flush()

    def _flush(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(self._h2.data_to_send())


def certificate(folder: Path) -> Path:
    """A certificate of our own for localhost, with its key, in one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))])
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = folder / "localhost.pem"
    path.write_bytes(private + signed.public_bytes(serialization.Encoding.PEM))
    return path


def certificate_of(pem: Path) -> bytes:
    """Without the key, as whoever trusts it wants it."""
    return x509.load_pem_x509_certificate(pem.read_bytes()).public_bytes(serialization.Encoding.PEM)


@contextmanager
def serving(pem: Path, *, protocol: str = "h2") -> Iterator[TranscribeServer]:
    """A server in a thread of its own, on a free port."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(pem)
    tls.set_alpn_protocols([protocol])
    server = TranscribeServer()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def listen() -> asyncio.Server:
        return await loop.create_server(lambda: _Connection(server), "127.0.0.1", 0, ssl=tls)

    listening = asyncio.run_coroutine_threadsafe(listen(), loop).result(10)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:

        async def stop() -> None:
            listening.close()
            for transport in server.transports:
                transport.abort()
            await asyncio.sleep(0.05)  # TLS tells its connections later

        asyncio.run_coroutine_threadsafe(stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
