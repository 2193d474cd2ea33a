"""Amazon Transcribe, hearing while the person speaks.

Its SDK is asynchronous, the session is not: one event loop in one thread serves all turns of the process, and the methods of a
turn only hand over and look. Source: Amazon Transcribe, "Transcribing streaming audio" and "StartStreamTranscription".
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from functools import cache
from threading import Thread
from typing import Any

from aws_sdk_transcribe_streaming.client import AsyncTranscribeStreamingClient
from aws_sdk_transcribe_streaming.config import AsyncTranscribeStreamingConfig
from aws_sdk_transcribe_streaming.models import (
    AudioEvent,
    AudioStreamAudioEvent,
    Result,
    StartStreamTranscriptionInput,
    TranscriptResultStreamTranscriptEvent,
)
from awscrt.exceptions import AwsCrtError
from smithy_core.exceptions import CallError, ClientTimeoutError, SmithyError

from twilio_plugin.adapters.transcribe_transport import Transport
from twilio_plugin.domain import audio as g711
from twilio_plugin.errors import SpeechUnavailable
from twilio_plugin.services.ports import Transcript

PATIENCE_SECONDS = 10.0
IDLE_SECONDS = 60.0
_CHUNK = 2 * g711.BYTES_PER_SECOND // 10  # 100 ms of PCM; the service asks for 50 to 200
_BEGIN_SECONDS = 5.0
_CLOSE_SECONDS = 2.0
_UNSPACED = ("ja", "th", "zh")  # languages written without spaces
_REMEDIES = {
    "BadRequestException": "Transcribe must know the language, and 8,000 samples a second of it, in this region.",
    "LimitExceededException": "Raise the account's quota of concurrent Transcribe streams.",
    "TimeoutError": "No answer in time: look at the region, the function's credentials, and the health of Transcribe.",
}

for _name in ("aws_sdk_transcribe_streaming", "smithy_aws_event_stream", "smithy_core"):
    logging.getLogger(_name).setLevel(logging.INFO)  # below, they log what was said


class TranscribeStreaming:
    """`Transcriber` on Amazon Transcribe, a stream for each turn over one connection. Keep it: it keeps the connection."""

    def __init__(
        self,
        language: str,
        *,
        endpoint: str | None = None,
        transport: Callable[[], Transport] = Transport,
        patience_seconds: float = PATIENCE_SECONDS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`language` is one of Transcribe's streaming languages, ``en-US``. Region and credentials are Lambda's environment's.

        `patience_seconds` is how long the last words may take after a turn's end. `endpoint` must speak HTTP/2 over TLS.
        """
        self.language = language
        self.patience_seconds = patience_seconds
        self._endpoint = endpoint
        self._transport = transport
        self._clock = clock
        self._client: asyncio.Task[AsyncTranscribeStreamingClient] | None = None
        self._used_at = 0.0
        self._leftovers: set[asyncio.Task[None]] = set()
        # By the first turn, all that needs no network is done.
        asyncio.run_coroutine_threadsafe(self.client(), _loop())

    def begin(self) -> TranscribedTurn:
        """A new turn; nobody waits for the connection."""
        return TranscribedTurn(self)

    async def client(self) -> AsyncTranscribeStreamingClient:
        """The one in use, or a new one.

        Lambda freezes between calls and the other side gives up meanwhile, so a connection that rested is not used again. By
        the wall clock, because the other one may stand still too.
        """
        rested = self._clock() - self._used_at > IDLE_SECONDS
        self.in_use()
        if self._client is None or (self._client.done() and (rested or self._client.exception())):
            if self._client and not self._client.exception():
                self.later(self._client.result().close())
            self._client = asyncio.create_task(self._new_client())
        return await self._client

    def in_use(self) -> None:
        """The connection is not resting."""
        self._used_at = self._clock()

    def give_up(self, client: AsyncTranscribeStreamingClient) -> None:
        """Close its connection, and with it all that still waits for it; the next turn makes another."""
        if self._client and self._client.done() and (self._client.exception() or self._client.result() is client):
            self._client = None
        self.later(client.close())

    def later(self, ending: Coroutine[Any, Any, None]) -> None:
        """Have something put in order that nobody waits for."""
        task = asyncio.create_task(ending)
        self._leftovers.add(task)
        task.add_done_callback(self._leftovers.discard)

    async def _new_client(self) -> AsyncTranscribeStreamingClient:
        endpoint = {"endpoint_uri": self._endpoint} if self._endpoint else {}
        return AsyncTranscribeStreamingClient(
            await AsyncTranscribeStreamingConfig.resolve(transport=self._transport(), **endpoint)
        )


class TranscribedTurn:
    """`Transcription`. Its audio is kept until the words are there, so that a broken connection costs a repetition only."""

    def __init__(self, engine: TranscribeStreaming) -> None:
        self._engine = engine
        self._pcm = bytearray()
        self._more = asyncio.Event()
        self._over = asyncio.Event()
        self._segments: dict[str, Result] = {}
        self._text = ""
        self._transcript = asyncio.run_coroutine_threadsafe(self._transcribe(), _loop())

    def write(self, audio: bytes) -> None:
        _loop().call_soon_threadsafe(self._add, g711.decode(audio))

    def partial(self) -> str:
        return self._text

    def finish(self) -> None:
        _loop().call_soon_threadsafe(self._end)

    def cancel(self) -> None:
        """End it as `finish` does: breaking it off would cost the connection. Only, nobody looks at its result."""
        _loop().call_soon_threadsafe(self._end)

    def result(self) -> Transcript | None:
        if not self._transcript.done():
            return None
        if error := self._transcript.exception():
            kind = _kind(error)
            remedy = _REMEDIES.get(kind, "Look at the function's permissions and the health of Transcribe in this region.")
            raise SpeechUnavailable(f"Transcribe: {kind}. {remedy}") from error
        return self._transcript.result()

    def _add(self, pcm: bytes) -> None:
        self._pcm += pcm
        self._more.set()

    def _end(self) -> None:
        self._over.set()
        self._more.set()

    async def _transcribe(self) -> Transcript:
        try:
            await self._attempt()
        except (SmithyError, OSError) as error:
            if not _connection_broke(error):
                raise
            # A connection may be dead without knowing it: once more, from the first sample.
            self._segments.clear()
            await self._attempt()
        return Transcript(self._joined(), _confidence(self._segments.values()))

    async def _attempt(self) -> None:
        client = await self._engine.client()
        # What the SDK refuses before it sends anything (no credentials, no region), it never says.
        stream = await asyncio.wait_for(client.start_stream_transcription(self._request()), _BEGIN_SECONDS)
        over = asyncio.create_task(self._over.wait())
        sending = asyncio.create_task(self._send(stream))
        # Never cancelled: awscrt calls back into what it waits for.
        receiving = asyncio.create_task(self._receive(stream))
        try:
            await asyncio.wait((over, receiving), return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait((receiving,), timeout=self._engine.patience_seconds)
            if not receiving.done():
                self._engine.give_up(client)
                raise TimeoutError
            receiving.result()
            if not stream.input_stream.closed:
                raise ConnectionError("Transcribe ended the stream before the audio did.")
        finally:
            over.cancel()
            receiving.add_done_callback(lambda task: task.exception())
            self._engine.later(_close(stream, sending))

    def _request(self) -> StartStreamTranscriptionInput:
        return StartStreamTranscriptionInput(
            language_code=self._engine.language,
            media_encoding="pcm",
            media_sample_rate_hertz=g711.SAMPLE_RATE,
            # Words settle early, so the last ones come soon after the end.
            enable_partial_results_stabilization=True,
            partial_results_stability="high",
        )

    async def _send(self, stream: Any) -> None:
        sent = 0
        while True:
            self._more.clear()
            while len(self._pcm) - sent >= (1 if self._over.is_set() else _CHUNK):
                chunk = bytes(self._pcm[sent : sent + _CHUNK])
                await stream.input_stream.send(AudioStreamAudioEvent(value=AudioEvent(audio_chunk=chunk)))
                sent += len(chunk)
                self._engine.in_use()
            if self._over.is_set():
                break
            await self._more.wait()
        await stream.input_stream.close()

    async def _receive(self, stream: Any) -> None:
        _, results = await stream.await_output()
        while event := await results.receive():
            if isinstance(event, TranscriptResultStreamTranscriptEvent) and event.value.transcript:
                for result in event.value.transcript.results or ():
                    self._segments[result.result_id] = result
                self._text = self._joined()

    def _joined(self) -> str:
        space = "" if self._engine.language.startswith(_UNSPACED) else " "
        ordered = sorted(self._segments.values(), key=lambda result: result.start_time)
        return space.join(filter(None, ((one.alternatives[0].transcript or "").strip() for one in ordered if one.alternatives)))


async def _close(stream: Any, sending: asyncio.Task[None]) -> None:
    """End our side of a stream that may be over, broken, or never have come about."""
    sending.cancel()
    await asyncio.wait((sending,))
    if not sending.cancelled():
        sending.exception()
    try:
        await asyncio.wait_for(stream.input_stream.close(), _CLOSE_SECONDS)
    except (SmithyError, OSError):
        return


def _connection_broke(error: Exception) -> bool:
    """Rather than that Transcribe answered with an error, or did not answer in time."""
    return isinstance(error, ClientTimeoutError) or not isinstance(error, (CallError, TimeoutError))


def _kind(error: BaseException) -> str:
    """What went wrong, without any text of it: the class of the error, or awscrt's name for it."""
    while type(error) in (SmithyError, OSError) and error.__cause__:  # the SDK's wrappers
        error = error.__cause__
    return str(error.name) if isinstance(error, AwsCrtError) else type(error).__name__


def _confidence(results: Any) -> float | None:
    """The mean of all words that have one."""
    items = [item for result in results if result.alternatives for item in result.alternatives[0].items or ()]
    known = [item.confidence for item in items if item.confidence is not None]
    return sum(known) / len(known) if known else None


@cache
def _loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    Thread(target=loop.run_forever, name="transcribe", daemon=True).start()
    return loop
