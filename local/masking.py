"""What a recording shows of people: nothing. Numbers and SIDs become others, the same for the same; words become x's.

A field is kept as it is only if it is known to say nothing of anybody, so what Twilio adds one day is masked.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from collections.abc import Mapping
from typing import Any

_SID = re.compile(r"\b([A-Z]{2})([0-9a-f]{32})\b")
_NUMBER = re.compile(r"\+[1-9]\d{6,14}")
_ADDRESS = re.compile(rf"([a-z]+:)?{_NUMBER.pattern}")
_MADE_UP = "+1201555{:04d}"  # 0100 to 0199 are for fiction
# Of webhooks and of messages on sockets: what says how, and not who or what.
_KEPT = frozenset(
    {
        # texts
        *("ApiVersion", "SmsStatus", "MessageStatus", "NumMedia", "NumSegments", "ErrorCode", "OptOutType", "RawDlrDoneDate"),
        *("ChannelPrefix", "EventType", "ToCountry", "FromCountry"),
        # calls
        *("CallStatus", "Direction", "CalledCountry", "CallerCountry", "Timestamp", "SequenceNumber", "CallbackSource"),
        *("CallDuration", "Duration", "AnsweredBy", "MachineDetectionDuration", "SipResponseCode", "StirVerstat"),
        *("RecordingStatus", "RecordingChannels", "RecordingSource", "RecordingTrack", "RecordingDuration"),
        *("StreamEvent", "StreamName", "SessionStatus", "SessionDuration", "Confidence", "Stability", "Language"),
        *("TranscriptionEvent", "TranscriptionEngine", "Track", "Final", "SequenceId", "PartialResults", "LanguageCode"),
        # the queries of our own URLs
        *("leg", "mode", "reopened"),
        # Media Streams
        *("event", "protocol", "version", "sequenceNumber", "tracks", "encoding", "track", "chunk", "timestamp", "name"),
        # ConversationRelay
        *("type", "lang", "direction", "callType", "callStatus", "description"),
    }
)
_KEPT_AS = re.compile(r"^MediaContentType\d+$")
# What somebody said or pressed: kept only where the words are asked for.
_WORDS = frozenset(
    {
        *("Body", "Digits", "SpeechResult", "UnstableSpeechResult", "StableSpeechResult", "TranscriptionData"),
        *("digit", "voicePrompt", "utteranceUntilInterrupt", "token", "text"),
    }
)
_SILENCE = b"\xff"  # µ-law


class Mask:
    """One recording's. `words` keeps what was said, pressed and heard; people's numbers are masked all the same."""

    def __init__(self, *, words: bool = False) -> None:
        self._words = words
        self._salt = secrets.token_bytes(16)
        self._numbers: dict[str, str] = {}

    def fields(self, form: Mapping[str, str]) -> dict[str, str]:
        """A webhook's form."""
        return {name: self._field(name, value) for name, value in form.items()}

    def message(self, message: Any, name: str = "") -> Any:
        """A message of a socket, decoded from JSON."""
        if isinstance(message, dict):
            return {key: self.message(value, key if name != "customParameters" else "") for key, value in message.items()}
        if isinstance(message, list):
            return [self.message(value, name) for value in message]
        if not isinstance(message, str):
            return message
        return self._sound(message) if name == "payload" else self._field(name, message)

    def document(self, twiml: str) -> str:
        """A TwiML document: its verbs, and the names of their attributes."""
        hidden = re.sub(r">([^<>]+)<", lambda found: f">{self._x(found[1])}<", self.names(twiml))
        return re.sub(r'(value|prompt|welcomeGreeting)="([^"]*)"', lambda found: f'{found[1]}="{_x(found[2])}"', hidden)

    def names(self, text: str) -> str:
        """Any text, with other numbers and SIDs in it."""
        return _NUMBER.sub(lambda found: self._number(found[0]), _SID.sub(lambda found: self._sid(*found.groups()), text))

    def _field(self, name: str, value: str) -> str:
        masked = self.names(value)
        if name in _KEPT or _KEPT_AS.match(name) or (name in _WORDS and self._words):
            return masked
        # A number or SID that fills the field is masked already.
        return masked if _ADDRESS.fullmatch(masked) or _SID.fullmatch(masked) else _x(value)

    def _x(self, words: str) -> str:
        return words if self._words or not words.strip() else _x(words)

    def _sound(self, payload: str) -> str:
        return payload if self._words else base64.b64encode(_SILENCE * len(base64.b64decode(payload))).decode()

    def _number(self, number: str) -> str:
        return self._numbers.setdefault(number, _MADE_UP.format(100 + len(self._numbers)))

    def _sid(self, kind: str, digits: str) -> str:
        return kind + hashlib.blake2b(digits.encode(), key=self._salt, digest_size=16).hexdigest()


def _x(text: str) -> str:
    return "x" * len(text)
