"""The messages of a relay session: Twilio's as it writes them, and ours, as strictly as it reads them.

Source: https://www.twilio.com/docs/voice/conversationrelay/websocket-messages. What it cannot read is error 64107 and dropped;
how it words the description was seen for an unknown message only. The fields of ``config`` and ``hints`` (October 2026,
https://www.twilio.com/docs/voice/conversationrelay/dynamic-configuration) were not found: they are noted, and change nothing.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..call import Call
from ..sockets import read_object

Message = dict[str, Any]
ENDLESS = 1000  # how often ``loop`` 0 plays
_DIGITS = re.compile(r"[0-9w#*]+", re.ASCII)
_SOURCE = re.compile(r"https?://\S+")


class InvalidMessage(Exception):
    """Nothing that Twilio understands. ``of_gateway``: it is what API Gateway sends where an integration fails."""

    def __init__(self, detail: str, *, of_gateway: bool = False) -> None:
        super().__init__(detail)
        self.of_gateway = of_gateway


@dataclass(frozen=True)
class _Field:
    """``fits`` is asked of values of the right ``kind``."""

    kind: type
    required: bool = False
    fits: Callable[[Any], bool] = lambda _: True


_TEXT, _NEEDED_TEXT, _FLAG = _Field(str), _Field(str, required=True), _Field(bool)
# None where any fields may come.
_FIELDS: dict[str, dict[str, _Field] | None] = {
    "text": {"token": _NEEDED_TEXT, "last": _FLAG, "lang": _TEXT, "interruptible": _FLAG, "preemptible": _FLAG},
    "play": {
        "source": _Field(str, required=True, fits=lambda source: bool(_SOURCE.fullmatch(source))),
        "loop": _Field(int, fits=lambda times: times >= 0),
        "interruptible": _FLAG,
        "preemptible": _FLAG,
    },
    "sendDigits": {"digits": _Field(str, required=True, fits=lambda digits: bool(_DIGITS.fullmatch(digits)))},
    "language": {"ttsLanguage": _TEXT, "transcriptionLanguage": _TEXT},
    "end": {"handoffData": _TEXT},
    "config": None,
    "hints": None,
}


def setup(call: Call, session_sid: str, status: str, parameters: Mapping[str, str]) -> Message:
    """The first message of every connection; ``status`` is the call's, which Twilio writes in capitals here."""
    return {
        "type": "setup",
        "sessionId": session_sid,
        "accountSid": call.account_sid,
        "parentCallSid": call.parent_call_sid or "",
        "callSid": call.sid,
        "from": call.from_,
        "to": call.to,
        "forwardedFrom": "",
        "callType": "PSTN",
        "callerName": "",
        "direction": call.direction,
        "callStatus": status.upper(),
        "customParameters": dict(parameters),
    }


def prompt(words: str, language: str, *, last: bool) -> Message:
    """What the person has said, or, not ``last``, what they have said of it so far."""
    return {"type": "prompt", "voicePrompt": words, "lang": language, "last": last}


def interrupt(spoken: str, seconds: float) -> Message:
    """The person interrupted; ``spoken`` is what they had heard of the reply, in ``seconds`` of the call."""
    return {"type": "interrupt", "utteranceUntilInterrupt": spoken, "durationUntilInterruptMs": round(seconds * 1000)}


def key(digit: str) -> Message:
    """The person pressed a key."""
    return {"type": "dtmf", "digit": digit}


def error(text: str) -> Message:
    """What we sent was dropped."""
    return {"type": "error", "description": f"Invalid message received: {text}"}


def speaker_event(who: str, *, on: bool, at: float) -> Message:
    """``agentSpeaking`` or ``clientSpeaking`` began or ended ``at`` epoch seconds, for ``events="speaker-events"``.

    Twilio documents no shape of these and of :func:`tokens_played`; they are what public code reads that was used on calls.
    """
    return {"type": "info", "name": who, "value": "on" if on else "off", "ts": round(at * 1000)}


def tokens_played(words: str) -> Message:
    """The person has heard these words, for ``events="tokens-played"``; how many at a time is not documented either."""
    return {"type": "info", "name": "tokensPlayed", "value": words}


def read_message(text: str) -> Message:
    """Read what our side sent. Raises InvalidMessage."""
    try:
        message = read_object(text)
    except ValueError as problem:
        raise InvalidMessage(str(problem)) from None
    kind = message.get("type")
    if not isinstance(kind, str) or kind not in _FIELDS:
        if {"message", "connectionId"} <= set(message):
            raise InvalidMessage(f"API Gateway's {message['message']!r}", of_gateway=True)
        raise InvalidMessage(f"the type {kind!r}")
    _check(kind, message)
    return message


def _check(kind: str, message: Message) -> None:
    fields, given = _FIELDS[kind], set(message) - {"type"}
    if fields is None:
        return
    needed = {name for name, field in fields.items() if field.required}
    for problem, names in (("lacks", needed - given), ("has no field", given - set(fields))):
        if names:
            raise InvalidMessage(f"{kind} {problem} {', '.join(sorted(names))}")
    for name in sorted(given):
        # A boolean is an integer to Python, though not to JSON.
        if type(message[name]) is not fields[name].kind or not fields[name].fits(message[name]):
            raise InvalidMessage(f"{kind}.{name} cannot be {message[name]!r}")
    if kind == "language" and not given:
        raise InvalidMessage("language lacks ttsLanguage or transcriptionLanguage")
