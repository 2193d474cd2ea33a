"""Polly's adapter with the real botocore, against Polly's REST-JSON on the loopback."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from botocore.config import Config

from twilio_plugin.adapters import polly
from twilio_plugin.adapters.polly import PollySynthesizer
from twilio_plugin.errors import Misconfigured, SpeechUnavailable

SOUND = bytes(range(256)) * 20


class _Polly(ThreadingHTTPServer):
    """Answers `POST /v1/speech`; `failures` come first, each once."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[dict[str, Any]] = []
        self.connections: set[Any] = set()
        self.failures: list[tuple[int, str]] = []
        self.breaks_off = False
        self._sockets: list[socket.socket] = []

    def get_request(self) -> tuple[socket.socket, Any]:
        found, address = super().get_request()
        self._sockets.append(found)
        return found, address

    def hang_up(self) -> None:
        """End the connections that botocore keeps: their threads wait for more."""
        for one in self._sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Polly

    def do_POST(self) -> None:
        assert self.path == "/v1/speech"
        assert self.headers["Authorization"].startswith("AWS4-HMAC-SHA256 Credential=none/")
        self.server.connections.add(self.client_address)
        self.server.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        if self.server.failures:
            status, code = self.server.failures.pop(0)
            self._answer(status, b'{"message": "Polly says what is wrong."}', {"x-amzn-ErrorType": code})
        else:
            self._answer(200, SOUND, {"Content-Type": "audio/mulaw", "x-amzn-RequestCharacters": "5"})

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.server.breaks_off:
            body, self.close_connection = body[:100], True
        self.wfile.write(body)

    def log_message(self, *_arguments: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[_Polly]:
    one = _Polly()
    thread = threading.Thread(target=one.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield one
    one.shutdown()
    one.hang_up()
    one.server_close()
    thread.join()


@pytest.fixture
def voice(server: _Polly) -> PollySynthesizer:
    return PollySynthesizer("en-US", "Joanna", endpoint=server.endpoint)


def test_words_become_mulaw_of_the_telephone(server: _Polly, voice: PollySynthesizer) -> None:
    assert voice.synthesize("Fish & <b>chips</b>, „now“.") == SOUND

    assert server.asked == [
        {
            "Engine": "neural",
            "OutputFormat": "mulaw",
            "SampleRate": "8000",
            "Text": "Fish & <b>chips</b>, „now“.",
            "TextType": "text",
            "VoiceId": "Joanna",
        }
    ]


def test_the_request_is_one_that_botocores_model_knows() -> None:
    synthesizer = PollySynthesizer("hi-IN", "Kajal")
    asked = synthesizer._request
    model = synthesizer._client.meta.service_model.operation_model("SynthesizeSpeech").input_shape
    assert model

    assert asked.keys() <= model.members.keys()
    for name, value in asked.items():
        assert value in (getattr(model.members[name], "enum", None) or [value]), name


def test_another_engine_can_be_asked_for_and_hindi_is_named(server: _Polly) -> None:
    PollySynthesizer("hi-IN", "Aditi", engine="standard", endpoint=server.endpoint).synthesize("नमस्ते")

    (asked,) = server.asked
    assert (asked["LanguageCode"], asked["Engine"], asked["Text"]) == ("hi-IN", "standard", "नमस्ते")


def test_phrases_share_a_connection(server: _Polly, voice: PollySynthesizer) -> None:
    for _ in range(3):
        voice.synthesize("One phrase.")

    assert len(server.connections) == 1


def test_a_throttled_request_is_repeated(server: _Polly, voice: PollySynthesizer) -> None:
    server.failures = [(400, "ThrottlingException")]

    assert voice.synthesize("Again.") == SOUND
    assert len(server.asked) == 2


@pytest.mark.parametrize("code", ["ValidationException", "EngineNotSupportedException", "LanguageNotSupportedException"])
def test_a_voice_that_polly_does_not_have_is_misconfigured(server: _Polly, voice: PollySynthesizer, code: str) -> None:
    server.failures = [(400, code)]

    with pytest.raises(Misconfigured, match=f"{code}.*the voice 'Joanna' with the engine 'neural'") as raised:
        voice.synthesize("Unspoken words.")

    assert raised.value.__cause__
    assert "Unspoken" not in str(raised.value)


@pytest.mark.parametrize(
    ("status", "code", "remedy"),
    [
        (403, "AccessDeniedException", "Allow the function polly:SynthesizeSpeech"),
        (400, "TextLengthExceededException", "say it in several"),
        (400, "InvalidSampleRateException", "health of Polly"),
    ],
)
def test_a_refusal_is_speech_unavailable_with_its_remedy(
    server: _Polly, voice: PollySynthesizer, status: int, code: str, remedy: str
) -> None:
    server.failures = [(status, code)]

    with pytest.raises(SpeechUnavailable, match=f"Polly: {code}.*{remedy}") as raised:
        voice.synthesize("Unspoken words.")

    assert raised.value.__cause__
    assert "Unspoken" not in str(raised.value)


def test_sound_that_breaks_off_is_no_sound(server: _Polly, voice: PollySynthesizer) -> None:
    server.breaks_off = True

    with pytest.raises(SpeechUnavailable, match="Polly could not be reached: ") as raised:
        voice.synthesize("Hello.")

    assert raised.value.__cause__


def test_nobody_there_is_speech_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polly, "_PATIENCE", Config(retries={"total_max_attempts": 1}))

    with pytest.raises(SpeechUnavailable, match="EndpointConnectionError"):
        PollySynthesizer("en-US", "Joanna", endpoint="http://127.0.0.1:1").synthesize("Hello.")
