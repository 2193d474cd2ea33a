"""What AWS charges for a minute of a call: counted where the plugin's own functions ask for it, priced by published rules."""

from __future__ import annotations

import base64
import heapq
import io
import json
import os
import re
import runpy
import secrets
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack, redirect_stdout
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from math import ceil
from typing import Any
from unittest.mock import patch

import boto3
from twilio.request_validator import RequestValidator

from local.callers import caller
from tests.bench import capacity
from tests.bench.layout import STREAMS
from tests.bench.meter import Meter, Usage
from tests.bench.payloads import Payload, stream_batch
from tests.bench.report import Row, Table
from tests.bench.session import LOOK
from tests.bench.spoken import SAID, audio, frames, store
from tests.bench.stage import Stage
from tests.bench.workbench import Workbench
from tests.bench.worker import Context
from twilio_plugin.adapters.dynamodb import typed
from twilio_plugin.adapters.media_frames import MediaFrames
from twilio_plugin.domain.media_stream import Frame
from twilio_plugin.domain.stream import Stream

SECONDS = 60
MINUTES = 1000  # what dollars are told for
ANSWER = "Yes, from nine to five on weekdays. Is there anything else?"
ANSWERS_AFTER = 1.5  # seconds behind a turn: endpointing, and an agent that thinks fast
FUNCTIONS = ("voice_webhook", *STREAMS, "event_relay")
MEMORY_MB = {"call_session": 1024}  # the template's; of all others:
OTHERS_MB = 512
MESSAGE_BYTES = 32 * 1024  # one that is longer counts as several
ENGINES = {"TRANSCRIBER": "tests.bench.engines:Immediate", "SYNTHESIZER": "tests.bench.engines:Tone"}


@dataclass(slots=True)
class Work:
    """Of one function."""

    invocations: int = 0
    seconds: float = 0.0
    usage: Usage = field(default_factory=Usage)


@dataclass(slots=True)
class Wire:
    """The socket's other side: counts what it gets, and plays it, so that marks come back when they would."""

    at: Callable[[float, Callable[[], None]], None]
    now: Callable[[], float]
    on_mark: Callable[[str], None]
    messages: int = 0
    units: int = 0
    _free_at: float = 0.0

    def send(self, _connection_id: str, message: str) -> None:
        """As `Connections`."""
        self.messages += 1
        self.units += ceil(len(message) / MESSAGE_BYTES)
        order = json.loads(message)
        if order["event"] == "media":
            seconds = len(base64.b64decode(order["media"]["payload"])) / 8000
            self._free_at = max(self._free_at, self.now()) + seconds
        elif order["event"] == "mark":
            name = order["mark"]["name"]
            self.at(max(self._free_at, self.now()), lambda: self.on_mark(name))

    def close(self, _connection_id: str) -> None:
        """As `Connections`."""

    def is_open(self, _connection_id: str) -> bool:
        """As `Connections`."""
        return True


def measure(bench: Workbench) -> list[Table]:
    """Requests and units by function; dollars by what is charged."""
    stage = bench.stage
    stage.stop_relay()
    stage.empty_outbox()
    bench.say(f"Counting what a call of {SECONDS} s asks for")
    with _Call(stage) as call:
        call.run()
    return [_requests(call), _dollars(call)]


class _Call:
    """A call in one process: the handlers as deployed, but for a clock that nobody waits for and a socket that is not there."""

    def __init__(self, stage: Stage) -> None:
        self.work: dict[str, Work] = defaultdict(Work)
        self.messages_in = 0
        self.events = 0
        self.frames = 0
        self.wire = Wire(self._at, self._elapsed, self._mark)
        self._stage = stage
        self._began = self._now = datetime.now(UTC)
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._started: list[tuple[Stream, str]] = []
        self._to_come: list[Frame] = []
        self._call_sid = self._stream_sid = ""
        self._connection_id = f"bench-{secrets.token_hex(4)}="
        self._meter = Meter(stage.database)
        self._open = ExitStack()

    def __enter__(self) -> _Call:
        with ExitStack() as opening:
            self._put_in_place(opening)
            self._open = opening.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def run(self) -> None:
        """From ringing to hanging up."""
        said = frames(audio(SECONDS))
        self.frames = len(said)
        self._ring()
        self._frame(said[0])
        self._to_come = said
        for at, name in SAID:
            self._at(at + len(caller(name)) / 8000 + ANSWERS_AFTER, self._answer)
        self._at(SECONDS, lambda: self._message("stop", len(said) + 2, {"accountSid": "AC", "callSid": self._call_sid}))
        self.messages_in += len(said)
        stream, session_id = self._started[0]
        self._invoke("call_session", {"call_sid": stream.call_sid, "leg": 0, "session_id": session_id})
        self.work["call_session"].seconds = SECONDS
        self._socket({"eventType": "DISCONNECT", "routeKey": "$disconnect"}, "")
        ended = self._stage.stream(self._call_sid)
        if (ended["frames"], ended["turns"]) != (len(said), len(SAID)):
            raise RuntimeError(f"The session heard {ended['frames']} frames and {ended['turns']} turns.")
        self._relay(ended["turns"])

    def _ring(self) -> None:
        """The call, the handshake, and the stream's first messages."""
        webhook = self._stage.twilio.call_in(self._stage.person()).event()
        document = self._invoke("voice_webhook", webhook)["body"]
        token = re.search(r'name="token" value="([^"]+)"', document)
        sid = re.search(r"CallSid=(CA\w+)", base64.b64decode(webhook["body"]).decode())
        if token is None or sid is None:
            raise RuntimeError(f"The call was answered with {document}.")
        self._call_sid, self._stream_sid = sid[1], f"MZ{secrets.token_hex(16)}"
        url = os.environ["TWILIO_WEBSOCKET_URL"]
        signature = str(RequestValidator(self._stage.auth_token).compute_signature(url, {}))
        context = {"routeKey": "$connect", "eventType": "CONNECT", "domainName": "localhost", "stage": "live"}
        arn = "arn:aws:execute-api:us-east-1:000000000000:api/live/$connect"
        handshake = {"methodArn": arn, "headers": {"x-twilio-signature": signature}, "requestContext": context}
        self._invoke("stream_authorizer", handshake)
        self._socket({"routeKey": "$default"}, json.dumps({"event": "connected", "protocol": "Call", "version": "1.0.0"}))
        media_format = {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1}
        start = {"accountSid": self._stage.account_sid, "streamSid": self._stream_sid, "callSid": self._call_sid}
        self._message("start", 1, start | {"mediaFormat": media_format, "customParameters": {"token": token[1]}})

    def _frame(self, frame: Frame) -> None:
        """One frame by way of the function, which stores what API Gateway would."""
        payload = base64.b64encode(frame.payload).decode()
        media = {"track": frame.track, "chunk": str(frame.chunk), "timestamp": str(frame.timestamp), "payload": payload}
        body = {"event": "media", "sequenceNumber": str(frame.sequence_number), "media": media, "streamSid": self._stream_sid}
        for _ in range(20):  # the first loads what it needs
            self.work.pop("frame_ingest", None)
            self._invoke("frame_ingest", self._event({"routeKey": "media"}, json.dumps(body)))

    def _come(self, cursor: int) -> None:
        """The next tenth of a second is stored; what was heard goes, because the local engine looks through it each time."""
        store(self._stage, self._connection_id, self._stream_sid, self._to_come[:LOOK])
        self._to_come = self._to_come[LOOK:]
        heard = range(max(cursor - LOOK + 1, 1), cursor + 1)
        self._stage.forget(
            self._stage.output("MediaFramesTableName"),
            [typed({"connection_id": self._connection_id, "sequence_number": number}) for number in heard],
        )

    def _answer(self) -> None:
        self._invoke("say", {"call_sid": self._call_sid, "text": ANSWER})

    def _mark(self, name: str) -> None:
        self._message("mark", 9, {"name": name})

    def _message(self, event: str, number: int, content: Payload) -> None:
        message = {"event": event, "sequenceNumber": str(number), event: content, "streamSid": self._stream_sid}
        self._socket({"routeKey": event}, json.dumps(message))

    def _socket(self, context: Payload, body: str) -> None:
        self.messages_in += bool(body)
        self._invoke("media_stream", self._event(context, body))

    def _event(self, context: Payload, body: str) -> Payload:
        expires_at = str(int((self._now + timedelta(hours=3)).timestamp()))
        known = {"connectionId": self._connection_id, "authorizer": {"expires_at": expires_at}}
        return {"requestContext": {"eventType": "MESSAGE", **known, **context}, "body": body}

    def _relay(self, published: int) -> None:
        """What is in the outbox now goes out; `published` events have gone out without it."""
        rows = list(self._stage.rows(self._stage.output("OutboxTableName")))
        for one in rows:  # as they come in a call, one by one
            self._invoke("event_relay", stream_batch([one]))
        self.events = published + len(rows)

    def _invoke(self, function: str, payload: Payload) -> Any:
        work = self.work[function]
        context = Context(function)
        context.get_remaining_time_in_millis = lambda: 900_000  # type: ignore[attr-defined]
        started = time.monotonic()
        with self._meter.counting() as usage:
            answer = self._handlers[function](payload, context)
        work.seconds += time.monotonic() - started
        work.invocations += 1
        work.usage.requests += usage.requests
        work.usage.writes += usage.writes
        work.usage.reads += usage.reads
        return answer

    # ------------------------------------------------------------------------------------------------- time

    def _elapsed(self) -> float:
        return (self._now - self._began).total_seconds()

    def _at(self, second: float, what: Callable[[], None]) -> None:
        heapq.heappush(self._due, (second, next(self._order), what))

    def sleep(self, seconds: float) -> None:
        """The session waits; meanwhile, what is due happens."""
        self._now += timedelta(seconds=seconds)
        while self._due and self._due[0][0] <= self._elapsed():
            heapq.heappop(self._due)[2]()

    # ------------------------------------------------------------------------------------------- surroundings

    def _put_in_place(self, opening: ExitStack) -> None:
        variables = {name: value for function in FUNCTIONS for name, value in self._stage.environment(function).items()}
        opening.enter_context(patch.dict(os.environ, variables | ENGINES))
        opening.enter_context(redirect_stdout(io.StringIO()))
        from twilio_plugin.runtime.wiring import parts, streams  # here, where their logs go nowhere

        session = boto3.Session()
        self._meter.attach(session)
        opening.enter_context(patch.object(boto3, "DEFAULT_SESSION", session))
        parts.dynamodb.cache_clear()  # one a process; this one is counted, and nobody else's
        opening.callback(parts.dynamodb.cache_clear)
        after = MediaFrames.after

        def after_the_next(table: MediaFrames, connection_id: str, cursor: int, *, limit: int) -> Any:
            self._come(cursor)
            return after(table, connection_id, cursor, limit=limit)

        for place, name, instead in (
            (MediaFrames, "after", after_the_next),
            (parts, "now", lambda: self._now),
            (parts, "connections", lambda _url: self.wire),
            (parts, "sessions", lambda _name: self),
            (streams, "time", self),
        ):
            opening.enter_context(patch.object(place, name, instead))
        self._handlers = {name: runpy.run_path(f"functions/{name}/app.py")["lambda_handler"] for name in FUNCTIONS}

    def start(self, stream: Stream, session_id: str) -> None:
        """As `Sessions`."""
        self._started.append((stream, session_id))


def _requests(call: _Call) -> Table:
    ingest = call.work["frame_ingest"].usage
    rows = [
        _work("API Gateway or frame_ingest", call.frames, _times(ingest, call.frames)),
        *(_work(name, work.invocations, work.usage) for name, work in call.work.items() if name != "frame_ingest"),
    ]
    method = (
        f"A call of {SECONDS} s to us, in one process that runs the functions on the local engine's tables: the person speaks "
        f"{len(SAID)} times, the agent answers each in two sentences, the session looks every tenth of a second at five "
        "frames. Units as in DynamoDB per request, the index included; dollars for a thousand such calls. One frame was stored "
        "and counted, and multiplied."
    )
    return Table("DynamoDB in a call of a minute", method, rows)


def _work(what: str, times: int, usage: Usage) -> Row:
    requests = ", ".join(f"{number} {name}" for name, number in usage.requests.most_common())
    figures: dict[str, float | int | str | None] = {
        "times": times,
        "write_units": usage.writes,
        "read_units": usage.reads,
        "usd_per_1000": capacity.usd_per_million(writes=usage.writes, reads=usage.reads) / 1e6 * MINUTES,
        "operations": requests,
    }
    return Row(what, figures)


def _times(usage: Usage, number: int) -> Usage:
    requests = usage.requests.copy()
    for name in requests:
        requests[name] *= number
    return Usage(requests, usage.writes * number, usage.reads * number)


def _dollars(call: _Call) -> Table:
    ingest = call.work["frame_ingest"]
    others = [(name, work) for name, work in call.work.items() if name != "frame_ingest"]
    writes = sum(work.usage.writes for _, work in others) + ingest.usage.writes * call.frames
    reads = sum(work.usage.reads for _, work in others)
    units = {name: _gb_seconds(name, work.seconds) for name, work in others}
    session, rest = units.pop("call_session"), sum(units.values())
    invocations = sum(work.invocations for _, work in others)
    frames_gb_s = _gb_seconds("frame_ingest", ingest.seconds * call.frames)
    rows = [
        _charge("WebSocket messages in", call.messages_in, capacity.USD_PER_MILLION_MESSAGES),
        _charge("WebSocket messages out", call.wire.units, capacity.USD_PER_MILLION_MESSAGES),
        _charge("WebSocket connection minutes", SECONDS / 60, capacity.USD_PER_MILLION_CONNECTION_MINUTES),
        _charge("DynamoDB write units", writes, capacity.USD_PER_MILLION_WRITES),
        _charge("DynamoDB read units", reads, capacity.USD_PER_MILLION_READS),
        _charge("Lambda GB-seconds of call_session", session, capacity.USD_PER_MILLION_GB_SECONDS),
        _charge("Lambda GB-seconds of the others", rest, capacity.USD_PER_MILLION_GB_SECONDS),
        _charge("Lambda invocations", invocations, capacity.USD_PER_MILLION_INVOCATIONS),
        _charge("EventBridge events", call.events, capacity.USD_PER_MILLION_EVENTS),
        _charge("frame_ingest: GB-seconds", frames_gb_s, capacity.USD_PER_MILLION_GB_SECONDS, direct=False),
        _charge("frame_ingest: invocations", call.frames, capacity.USD_PER_MILLION_INVOCATIONS, direct=False),
    ]
    rows.append(Row("all", {name: _sum(rows, name) for name in ("direct_usd_per_1000", "lambda_usd_per_1000")}))
    method = (
        f"The same call {MINUTES:,} times, with what it costs to be set up and ended. Prices on demand in us-east-1, arm64. "
        "Functions but for the session count as long as they took here, with the local engine for DynamoDB, and without cold "
        f"starts. A message counts for each {MESSAGE_BYTES // 1024} KB begun. Not in it: Transcribe and Polly, Twilio, the "
        "HTTP API's two or three requests, logs, and storage."
    )
    return Table("Dollars for a thousand minutes of calls, FrameIngest direct and lambda", method, rows)


def _charge(what: str, number: float, usd_per_million: float, *, direct: bool = True) -> Row:
    usd = number * usd_per_million / 1e6 * MINUTES
    figures: dict[str, float | int | str | None] = {
        "count": float(number),
        "usd_per_million": f"{usd_per_million:g}",
        "direct_usd_per_1000": usd if direct else None,
        "lambda_usd_per_1000": usd,
    }
    return Row(what, figures)


def _gb_seconds(function: str, seconds: float) -> float:
    return seconds * MEMORY_MB.get(function, OTHERS_MB) / 1024


def _sum(rows: list[Row], name: str) -> float:
    return sum(value for row in rows if isinstance(value := row.values[name], float))
