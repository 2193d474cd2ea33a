"""TwiML documents for a call, on the twilio package's builder, which escapes what it is given.

Every function returns a whole document. Twilio ends the call where a document ends, so one after which the agent may want to go
on stays on the line first.
"""

from __future__ import annotations

import re

from twilio.twiml.voice_response import VoiceResponse

# What XML 1.0 cannot hold, however it is escaped (https://www.w3.org/TR/xml/#charsets).
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def say(text: str, *, stay_seconds: int = 0) -> str:
    """Speak, and stay on the line so long."""
    response = VoiceResponse()
    _say(response, text)
    return _stay(response, stay_seconds)


def greet(greeting: str, *, wait_seconds: int, sorry: str) -> str:
    """Speak, wait for the agent to take the call over, and say so if it does not."""
    response = VoiceResponse()
    _say(response, greeting)
    response.pause(length=wait_seconds)
    _say(response, sorry)
    response.hangup()
    return str(response)


def dial(number: str, *, caller_id: str) -> str:
    """Connect the person to another number; the call ends when either side hangs up."""
    response = VoiceResponse()
    response.dial(number, caller_id=caller_id)
    return str(response)


def press(digits: str, *, stay_seconds: int) -> str:
    """Send keys to the other side (``0-9 * # w``, w being half a second), and stay on the line so long."""
    response = VoiceResponse()
    response.play(digits=digits)
    return _stay(response, stay_seconds)


def spoken(text: str) -> str:
    """The text without what no document can hold; empty where nothing is left to speak."""
    return _NOT_XML.sub("", text).strip()


def _say(response: VoiceResponse, text: str) -> None:
    words = spoken(text)
    if words:  # Twilio warns of an empty <Say>
        response.say(words)


def _stay(response: VoiceResponse, seconds: int) -> str:
    if seconds:
        response.pause(length=seconds)
    return str(response)
