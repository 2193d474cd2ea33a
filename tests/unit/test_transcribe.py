"""Transcribe's adapter against the protocol itself: the SDK and awscrt are real, the service is `transcribe_server`."""

from __future__ import annotations

import asyncio
import logging
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("aws_sdk_transcribe_streaming", reason="the SDK needs Python 3.12")

from awscrt import io

from tests.unit.transcribe_server import (
    DROP,
    END,
    Answer,
    TranscribeServer,
    certificate,
    certificate_of,
    event,
    exception,
    result,
    results,
    serving,
)
from twilio_plugin.adapters import transcribe
from twilio_plugin.adapters.transcribe import TranscribeStreaming
from twilio_plugin.adapters.transcribe_transport import Transport
from twilio_plugin.domain import audio
from twilio_plugin.errors import SpeechUnavailable
from twilio_plugin.services.ports import Transcript, Transcription

SPEECH = random.Random(1).randbytes(audio.BYTES_PER_SECOND)  # a second of µ-law, every code in it
PCM = audio.decode(SPEECH)
NOT_ASKED_FOR = ("show-speaker-label", "enable-channel-identification", "identify-language", "identify-multiple-languages")
HELLO = results(result("Hello.", confidences=(0.8,)))


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def server(pem: Path) -> Iterator[TranscribeServer]:
    with serving(pem) as one:
        yield one


def trusting(pem: Path) -> type[Transport]:
    """The adapter's transport, which also believes our certificate."""

    class Trusting(Transport):
        def __init__(self) -> None:
            super().__init__()
            options = io.TlsContextOptions()
            options.override_default_trust_store(certificate_of(pem))
            self._tls_ctx = io.ClientTlsContext(options)

    return Trusting


@pytest.fixture
def engine(server: TranscribeServer, pem: Path) -> TranscribeStreaming:
    return TranscribeStreaming("en-US", endpoint=server.endpoint, transport=trusting(pem))


def speak(engine: TranscribeStreaming, speech: bytes = SPEECH) -> Transcription:
    """A whole turn, in frames as the session writes them."""
    turn = engine.begin()
    for at in range(0, len(speech), audio.FRAME_BYTES):
        turn.write(speech[at : at + audio.FRAME_BYTES])
    turn.finish()
    return turn


def words(turn: Transcription, seconds: float = 15.0) -> Transcript:
    """The result, waited for as a session does."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if transcript := turn.result():
            return transcript
        time.sleep(0.005)
    raise AssertionError("There is no result.")


def partial(turn: Transcription, text: str) -> None:
    """Wait until these are the words so far."""
    end = time.monotonic() + 10
    while turn.partial() != text:
        assert time.monotonic() < end, turn.partial()
        time.sleep(0.005)


def test_the_audio_arrives_byte_for_byte_as_pcm_in_chunks_of_a_tenth_of_a_second(
    server: TranscribeServer, engine: TranscribeStreaming
) -> None:
    server.answers = [Answer(at_the_end=(HELLO,))]

    words(speak(engine, SPEECH + SPEECH[:500]))

    (heard,) = server.turns
    assert bytes(heard.audio) == PCM + PCM[:1000]
    assert heard.chunks == [1600] * 10 + [1000]
    assert heard.empty_event


def test_frames_wait_until_they_are_a_tenth_of_a_second(server: TranscribeServer, engine: TranscribeStreaming) -> None:
    turn = engine.begin()
    turn.write(SPEECH[:800])
    server.wait_for(lambda: bool(server.turns and server.turns[0].chunks))
    turn.write(SPEECH[:400])
    time.sleep(0.05)  # in which it would be sent
    turn.write(SPEECH[:400])
    server.wait_for(lambda: len(server.turns[0].audio) == 3200)

    turn.finish()

    words(turn)
    assert server.turns[0].chunks == [1600, 1600]


def test_transcribe_is_asked_for_telephone_audio_and_for_words_that_settle_early(
    server: TranscribeServer, engine: TranscribeStreaming
) -> None:
    server.answers = [Answer(at_the_end=(HELLO,))]

    words(speak(engine))

    (heard,) = server.turns
    asked = {name.removeprefix("x-amzn-transcribe-"): heard.headers[name] for name in heard.headers if "transcribe" in name}
    assert asked == {
        "language-code": "en-US",
        "sample-rate": "8000",
        "media-encoding": "pcm",
        "enable-partial-results-stabilization": "true",
        "partial-results-stability": "high",
        **dict.fromkeys(NOT_ASKED_FOR, "false"),
    }
    assert (heard.headers[":method"], heard.headers[":path"].rstrip("?")) == ("POST", "/stream-transcription")
    assert heard.headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=none/")
    assert "/eu-central-1/transcribe/aws4_request" in heard.headers["authorization"]
    assert heard.headers["x-amz-content-sha256"] == "STREAMING-AWS4-HMAC-SHA256-EVENTS"


def test_words_come_while_the_person_speaks_and_the_final_ones_after_that(
    server: TranscribeServer, engine: TranscribeStreaming
) -> None:
    server.answers = [
        Answer(
            during={1600: results(result("I would", partial=True)), 6400: results(result("I would like two", partial=True))},
            at_the_end=(results(result("I would like to.", confidences=(1.0, 0.5))),),
        )
    ]
    turn = engine.begin()
    assert turn.partial() == ""

    turn.write(SPEECH[:800])
    partial(turn, "I would")
    assert turn.result() is None
    turn.write(SPEECH[800:3200])
    partial(turn, "I would like two")
    turn.finish()

    assert words(turn) == Transcript("I would like to.", 0.75)
    assert turn.partial() == "I would like to."


def test_segments_are_joined_in_the_order_they_were_spoken_in(server: TranscribeServer, engine: TranscribeStreaming) -> None:
    first = result("One.", id_="b", start=0.1, confidences=(0.9,))
    second = result("Two.", id_="a", start=2.5, confidences=(0.6, 0.0))
    server.answers = [
        Answer(
            during={1600: results(result("Tw", id_="a", start=2.5, partial=True)), 3200: results(first)},
            at_the_end=(results(second), results(), results({"ResultId": "c", "StartTime": 3.0, "Alternatives": []})),
        )
    ]
    turn = engine.begin()
    turn.write(SPEECH[:1600])
    partial(turn, "One. Tw")
    turn.finish()

    heard = words(turn)
    assert heard.text == "One. Two."
    assert heard.confidence == pytest.approx(0.5)


def test_a_language_without_spaces_is_joined_without(server: TranscribeServer, pem: Path) -> None:
    server.answers = [Answer(at_the_end=(results(result("はい。", id_="a"), result("そうです。", id_="b", start=1)),))]

    turn = speak(TranscribeStreaming("ja-JP", endpoint=server.endpoint, transport=trusting(pem)))

    assert words(turn) == Transcript("はい。そうです。", None)


def test_a_turn_without_words_has_an_empty_transcript(server: TranscribeServer, engine: TranscribeStreaming) -> None:
    silent, unheard = speak(engine, audio.SILENCE * 800), speak(engine, b"")

    assert words(silent) == words(unheard) == Transcript("", None)
    assert sorted(len(turn.audio) for turn in server.turns) == [0, 1600]


def test_what_transcribe_may_add_some_day_changes_nothing(server: TranscribeServer, engine: TranscribeStreaming) -> None:
    unknown = event({":message-type": "event", ":event-type": "LaterEvent", ":content-type": "application/json"}, b"{}")
    server.answers = [Answer(during={1600: unknown}, at_the_end=(HELLO,))]

    assert words(speak(engine)) == Transcript("Hello.", 0.8)


@pytest.mark.parametrize(
    ("kind", "remedy"),
    [
        ("BadRequestException", "must know the language"),
        ("LimitExceededException", "quota of concurrent"),
        ("InternalFailureException", "health of Transcribe"),
        ("ServiceUnavailableException", "health of Transcribe"),
    ],
)
def test_an_exception_in_the_stream_is_speech_unavailable_with_its_remedy(
    server: TranscribeServer, engine: TranscribeStreaming, kind: str, remedy: str
) -> None:
    server.answers = [Answer(during={1600: exception(kind)}, closes=False)]

    with pytest.raises(SpeechUnavailable, match=f"Transcribe: {kind}.*{remedy}") as raised:
        words(speak(engine))

    assert type(raised.value.__cause__).__name__ == kind
    assert len(server.turns) == 1
    assert raised.value.retryable


def test_a_refused_stream_is_speech_unavailable_before_the_turn_has_ended(
    server: TranscribeServer, engine: TranscribeStreaming
) -> None:
    server.answers = [Answer(status=400, error="BadRequestException"), Answer(at_the_end=(HELLO,))]
    turn = engine.begin()
    turn.write(SPEECH)

    with pytest.raises(SpeechUnavailable, match="BadRequestException"):
        words(turn)

    server.turns[0].ended.result(10)
    turn.write(SPEECH)  # which the session does not know yet
    turn.finish()
    assert words(speak(engine)) == Transcript("Hello.", 0.8)


@pytest.mark.parametrize("at", [-1, 1600, 16000], ids=["before the answer", "amid the speech", "with the last of it"])
def test_a_broken_connection_costs_a_repetition(server: TranscribeServer, engine: TranscribeStreaming, at: int) -> None:
    server.answers = [Answer(during={at: DROP}), Answer(at_the_end=(HELLO,))]

    assert words(speak(engine)) == Transcript("Hello.", 0.8)

    broken, heard = server.turns
    assert broken.connection != heard.connection
    assert bytes(heard.audio) == PCM


def test_a_connection_that_breaks_after_some_final_words_is_no_end(
    server: TranscribeServer, engine: TranscribeStreaming
) -> None:
    server.answers = [Answer(at_the_end=(results(result("Hel", id_="x")), DROP)), Answer(at_the_end=(HELLO,))]

    assert words(speak(engine)) == Transcript("Hello.", 0.8)


def test_words_of_a_broken_connection_count_only_if_they_are_said_again(
    server: TranscribeServer, engine: TranscribeStreaming
) -> None:
    server.answers = [Answer(at_the_end=(HELLO, DROP)), Answer()]

    assert words(speak(engine)) == Transcript("", None)


@pytest.mark.parametrize("at", [-1, 1600], ids=["before the answer", "amid the speech"])
def test_connections_that_keep_breaking_are_speech_unavailable(
    server: TranscribeServer, engine: TranscribeStreaming, at: int
) -> None:
    server.answers = [Answer(during={at: DROP})]

    with pytest.raises(SpeechUnavailable, match="Transcribe: AWS_") as raised:
        words(speak(engine))

    assert raised.value.__cause__
    assert len(server.turns) == 2


def test_a_stream_that_ends_before_the_audio_is_begun_again(server: TranscribeServer, engine: TranscribeStreaming) -> None:
    server.answers = [Answer(during={1600: END}), Answer(at_the_end=(HELLO,))]
    turn = engine.begin()
    turn.write(SPEECH)
    server.wait_for(lambda: len(server.turns) == 2)
    turn.finish()

    assert words(turn) == Transcript("Hello.", 0.8)


def test_nobody_there_is_speech_unavailable(engine: TranscribeStreaming, server: TranscribeServer, pem: Path) -> None:
    with serving(pem) as gone:
        endpoint = gone.endpoint

    with pytest.raises(SpeechUnavailable, match="AWS_IO_SOCKET_CONNECTION_REFUSED"):
        words(speak(TranscribeStreaming("en-US", endpoint=endpoint, transport=trusting(pem))))


def test_an_endpoint_without_http2_is_refused_instead_of_waited_for(pem: Path) -> None:
    with serving(pem, protocol="http/1.1") as old, pytest.raises(SpeechUnavailable, match="SmithyHTTPError"):
        words(speak(TranscribeStreaming("en-US", endpoint=old.endpoint, transport=trusting(pem))))


def test_silence_of_the_service_ends_in_speech_unavailable_and_the_next_turn_has_a_new_connection(
    server: TranscribeServer, pem: Path
) -> None:
    engine = TranscribeStreaming("en-US", endpoint=server.endpoint, transport=trusting(pem), patience_seconds=0.2)
    server.answers = [Answer(during={1600: HELLO}, closes=False), Answer(at_the_end=(HELLO,))]

    with pytest.raises(SpeechUnavailable, match=r"TimeoutError\. No answer in time"):
        words(speak(engine))

    assert words(speak(engine)) == Transcript("Hello.", 0.8)
    assert [turn.connection for turn in server.turns] == [1, 2]


def test_missing_credentials_are_speech_unavailable(
    server: TranscribeServer, pem: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setattr("twilio_plugin.adapters.transcribe._BEGIN_SECONDS", 0.5)

    with pytest.raises(SpeechUnavailable, match="credentials"):
        words(speak(TranscribeStreaming("en-US", endpoint=server.endpoint, transport=trusting(pem))))


def test_turns_share_a_connection_also_at_once(server: TranscribeServer, engine: TranscribeStreaming) -> None:
    server.answers = [
        Answer(at_the_end=(results(result("First.")),)),
        Answer(at_the_end=(results(result("Second.")),)),
        Answer(at_the_end=(results(result("Third.")),)),
    ]
    words(speak(engine, b""))
    one, two = engine.begin(), engine.begin()

    for at in range(0, len(SPEECH), audio.FRAME_BYTES):
        one.write(SPEECH[at : at + audio.FRAME_BYTES])
        two.write(SPEECH[::-1][at : at + audio.FRAME_BYTES])
    one.finish()
    two.finish()

    assert {words(one).text, words(two).text} == {"Second.", "Third."}
    assert {bytes(turn.audio) for turn in server.turns[1:]} == {PCM, audio.decode(SPEECH[::-1])}
    assert server.connections == 1


def test_a_connection_that_rested_is_not_used_again(server: TranscribeServer, pem: Path) -> None:
    now = [1000.0]
    engine = TranscribeStreaming("en-US", endpoint=server.endpoint, transport=trusting(pem), clock=lambda: now[0])

    for _ in range(2):
        words(speak(engine))
        now[0] += 59
    now[0] += 2
    words(speak(engine))

    assert [turn.connection for turn in server.turns] == [1, 1, 2]


def test_a_connection_that_a_long_turn_uses_does_not_rest(server: TranscribeServer, pem: Path) -> None:
    now = [1000.0]
    engine = TranscribeStreaming("en-US", endpoint=server.endpoint, transport=trusting(pem), clock=lambda: now[0])
    turn = engine.begin()
    for heard in range(1, 4):
        turn.write(SPEECH[:800])
        server.wait_for(lambda: bool(server.turns) and len(server.turns[0].chunks) == heard)  # noqa: B023  called at once
        now[0] += 30
    turn.finish()

    words(speak(engine))

    assert server.connections == 1


def test_a_cancelled_turn_gives_its_stream_back_and_leaves_the_connection(
    server: TranscribeServer, engine: TranscribeStreaming
) -> None:
    turn = engine.begin()
    turn.write(SPEECH)
    server.wait_for(lambda: bool(server.turns) and len(server.turns[0].audio) >= 1600)

    turn.cancel()

    server.turns[0].ended.result(10)
    assert words(speak(engine)) == Transcript("", None)
    assert server.connections == 1


def test_no_method_waits_for_the_engine(server: TranscribeServer, pem: Path) -> None:
    """All of them return while the only thread that could talk to the service is held up."""
    engine = TranscribeStreaming("en-US", endpoint=server.endpoint, transport=trusting(pem))
    words(speak(engine))
    held, go = threading.Event(), threading.Event()

    async def hold() -> None:
        held.set()
        go.wait(30)

    holding = asyncio.run_coroutine_threadsafe(hold(), transcribe._loop())
    held.wait(10)
    turn = speak(engine)
    assert turn.partial() == ""
    assert turn.result() is None
    turn.cancel()
    assert not holding.done()
    go.set()
    assert words(turn) == Transcript("", None)


def test_no_word_gets_into_logs_or_errors(
    server: TranscribeServer, engine: TranscribeStreaming, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = results(result("Platypus.", confidences=(0.5,)))
    server.answers = [Answer(during={1600: secret}), Answer(during={1600: secret, 3200: exception("InternalFailureException")})]

    words(speak(engine))
    with pytest.raises(SpeechUnavailable) as raised:
        words(speak(engine))

    assert "Platypus" not in caplog.text + repr(raised.value) + repr(raised.value.__cause__)
