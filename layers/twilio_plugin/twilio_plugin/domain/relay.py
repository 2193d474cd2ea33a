"""ConversationRelay's messages, as they come and as they go, and how Twilio tells of a session's end.

Source: Twilio, "ConversationRelay: WebSocket messages" and "TwiML Voice: <ConversationRelay>". Of ``info`` messages these say
only that they can be asked for (attribute ``events``); their shape is what public code of Twilio's own people reads. Kinds that
are not known say nothing: Twilio adds some without notice. What we send has the documented fields and no more, because another
is Twilio's error 64107.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from twilio_plugin.errors import UnreadableMessage


@dataclass(frozen=True, slots=True)
class RelaySetup:
    """``setup``: what the session is. Comes first, and again on every connection that takes the place of a lost one."""

    session_id: str
    call_sid: str
    account_sid: str
    parameters: dict[str, str]


@dataclass(frozen=True, slots=True)
class Prompt:
    """``prompt``: what the person said, or is saying."""

    words: str
    last: bool
    """Whether they have stopped."""


@dataclass(frozen=True, slots=True)
class Interrupt:
    """``interrupt``: the person cut off what was being spoken. Twilio throws away what it has not spoken."""

    said: str
    """What they had heard by then."""


@dataclass(frozen=True, slots=True)
class RelayKey:
    """``dtmf``: the person pressed a key."""

    digit: str


@dataclass(frozen=True, slots=True)
class TokensPlayed:
    """``info`` of the name ``tokensPlayed``: these words have been spoken."""

    words: str


@dataclass(frozen=True, slots=True)
class RelayError:
    """``error``: Twilio could not use what we sent."""

    description: str
    """Twilio's sentence, without what it quotes of the message: that may be somebody's words."""


RelayMessage = RelaySetup | Prompt | Interrupt | RelayKey | TokensPlayed | RelayError


@dataclass(frozen=True, slots=True)
class SessionEnd:
    """A session is over, as Twilio tells the URL in the ``action`` of <Connect>."""

    session_id: str
    error_code: str | None
    handoff_data: dict[str, Any] | None
    """What was sent with `end`, back again."""


def read_relay_message(text: str) -> RelayMessage | None:
    """Read what Twilio sent; None for what says nothing to us.

    Raises:
        UnreadableMessage: not JSON, or a message without a field it must have.
    """
    try:
        message = json.loads(text)
    except ValueError as error:
        raise UnreadableMessage("The message is not JSON.") from error
    if not isinstance(message, dict):
        return None
    try:
        return _read(message)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        kind = str(message.get("type"))[:20]
        raise UnreadableMessage(f"A {kind!r} message lacks a field or has one of another kind: {error}.") from error


def session_end(fields: Mapping[str, str]) -> SessionEnd | None:
    """The end of a session in a webhook's fields; None where it tells of none."""
    if not fields.get("SessionId"):
        return None
    return SessionEnd(fields["SessionId"], fields.get("ErrorCode") or None, _object(fields.get("HandoffData", "")))


def text(token: str, *, last: bool, interruptible: bool) -> str:
    """Speak this behind what was sent before; the `last` one completes what is being said.

    Who may not be interrupted says so; whoever may is interrupted as the session's own attribute allows.
    """
    return _message({"type": "text", "token": token, "last": last} | ({} if interruptible else {"interruptible": False}))


def play(source: str, *, loop: int) -> str:
    """Play the sound file at this URL behind what was sent before, so many times; 0 is a thousand."""
    return _message({"type": "play", "source": source, "loop": loop})


def language(*, tts: str | None, transcription: str | None) -> str:
    """From here on Twilio speaks, or hears, another language; what is None stays as it is, and one of the two must not be."""
    asked = {"ttsLanguage": tts, "transcriptionLanguage": transcription}
    return _message({"type": "language"} | {name: code for name, code in asked.items() if code is not None})


def send_digits(digits: str) -> str:
    """Press these keys: ``0-9 * # w``, w being half a second."""
    return _message({"type": "sendDigits", "digits": digits})


def end(handoff_data: Mapping[str, Any] | None = None) -> str:
    """End the session; the call's document goes on. The data come back at its ``action``."""
    return _message({"type": "end"} | ({} if handoff_data is None else {"handoffData": _message(handoff_data)}))


def _read(message: dict[str, Any]) -> RelayMessage | None:
    match message.get("type"):
        case "setup":
            parameters = message.get("customParameters") or {}
            return RelaySetup(
                session_id=_text(message["sessionId"]),
                call_sid=_text(message["callSid"]),
                account_sid=_text(message["accountSid"]),
                parameters={str(name): str(value) for name, value in parameters.items()},
            )
        case "prompt":
            return Prompt(_text(message["voicePrompt"]).strip(), _flag(message["last"]))
        case "interrupt":
            return Interrupt(_text(message["utteranceUntilInterrupt"]))
        case "dtmf":
            return RelayKey(_text(message["digit"]))
        case "info" if message.get("name") == "tokensPlayed":
            return TokensPlayed(_text(message["value"]))
        case "error":
            return RelayError(_text(message["description"]).partition(":")[0][:80])
    return None


def _object(written: str) -> dict[str, Any] | None:
    try:
        found = json.loads(written)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"a {type(value).__name__} is not a text")
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"a {type(value).__name__} is not true or false")
    return value


def _message(content: Mapping[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))
