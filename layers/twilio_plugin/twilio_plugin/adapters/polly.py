"""Amazon Polly, which speaks µ-law by itself."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from twilio_plugin.domain.audio import SAMPLE_RATE
from twilio_plugin.errors import Misconfigured, SpeechUnavailable

if TYPE_CHECKING:
    from mypy_boto3_polly import PollyClient

# Short, because the person on the phone hears silence meanwhile; a phrase takes Polly a fraction of a second.
_PATIENCE = Config(connect_timeout=2, read_timeout=4, retries={"mode": "standard", "total_max_attempts": 3})
# Hindi has bilingual voices only, and they speak English where they are not told otherwise.
_TO_BE_NAMED = ("hi-IN",)
# What Polly says of a voice it does not have, and of one that has no such engine or language.
_WRONG_VOICE = ("ValidationException", "EngineNotSupportedException", "LanguageNotSupportedException")
_REMEDIES = {
    "AccessDeniedException": "Allow the function polly:SynthesizeSpeech.",
    "TextLengthExceededException": "The phrase has more than 3,000 characters; say it in several.",
    "ThrottlingException": "Raise the account's quota of Polly requests.",
}


class PollySynthesizer:
    """`Synthesizer` on Amazon Polly. The text is plain: nothing in it is markup."""

    def __init__(self, language: str, voice: str, *, engine: str = "neural", endpoint: str | None = None) -> None:
        """`voice` is one of Polly's VoiceIds that speaks `language` with `engine` in this region."""
        self._client: PollyClient = boto3.client("polly", config=_PATIENCE, endpoint_url=endpoint)
        self._request: dict[str, Any] = {
            "Engine": engine,
            "VoiceId": voice,
            "OutputFormat": "mulaw",
            "SampleRate": str(SAMPLE_RATE),
            "TextType": "text",
            **({"LanguageCode": language} if language in _TO_BE_NAMED else {}),
        }

    def synthesize(self, text: str) -> bytes:
        """Raises Misconfigured where no retry can help: the voice is unknown, or not one of this engine or language."""
        try:
            with closing(self._client.synthesize_speech(Text=text, **self._request)["AudioStream"]) as stream:
                return stream.read()
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in _WRONG_VOICE:
                voice, engine = self._request["VoiceId"], self._request["Engine"]
                raise Misconfigured(
                    f"Polly: {code}. In this region it must have the voice {voice!r} with the engine {engine!r}."
                ) from error
            remedy = _REMEDIES.get(code, "Look at the function's permissions and the health of Polly in this region.")
            raise SpeechUnavailable(f"Polly: {code}. {remedy}") from error
        except BotoCoreError as error:
            raise SpeechUnavailable(f"Polly could not be reached: {type(error).__name__}.") from error
