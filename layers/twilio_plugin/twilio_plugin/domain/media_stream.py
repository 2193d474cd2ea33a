"""Twilio's Media Streams messages, as they come and as they go.

Source: Twilio, "Media Streams: WebSocket messages". Numbers arrive as strings. What we send has exactly the fields that Twilio
knows: one more is its error 31951. All messages of a stream are numbered from 1 by ``sequenceNumber``, and the audio of a track
by ``media.chunk``; API Gateway may deliver them in another order.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from typing import Any

from twilio_plugin.errors import UnreadableMessage

INBOUND = "inbound"  # the track of the person's voice
# Far above any number a stream reaches in a day: what is written there sorts behind all audio.
END_OF_STREAM = 10**15
# What a frame must look like to be stored, here as in the mapping template with which API Gateway stores it by itself.
_COUNT = re.compile(r"[0-9]{1,15}")
_SID = re.compile(r"[A-Za-z0-9]+")
_TRACK = re.compile(r"[a-z_]+")
_AUDIO = re.compile(r"[A-Za-z0-9+/]+=*")


@dataclass(frozen=True, slots=True)
class StreamStart:
    """``start``: what the stream is, once, before any audio."""

    stream_sid: str
    call_sid: str
    account_sid: str
    encoding: str
    sample_rate: int
    parameters: dict[str, str]


@dataclass(frozen=True, slots=True)
class Frame:
    """``media``: a piece of one track's audio, 20 ms as a rule."""

    sequence_number: int
    chunk: int
    """Counts this track's frames from 1 without a gap."""
    timestamp: int
    """Milliseconds since the stream began."""
    track: str
    payload: bytes
    """µ-law, 8,000 bytes a second."""


@dataclass(frozen=True, slots=True)
class Mark:
    """``mark``: playback has reached the mark of this name, or was cleared."""

    stream_sid: str
    name: str


@dataclass(frozen=True, slots=True)
class Key:
    """``dtmf``: the person pressed a key."""

    stream_sid: str
    sequence_number: int
    digit: str


@dataclass(frozen=True, slots=True)
class StreamStop:
    """``stop``: no more audio comes."""

    stream_sid: str
    sequence_number: int


Message = StreamStart | Frame | Mark | Key | StreamStop


def read_message(text: str) -> Message | None:
    """Read what Twilio sent; None for ``connected``, which says nothing.

    Raises:
        UnreadableMessage: not JSON, an unknown event, or one without a field it must have; the message names it.
    """
    message = _loaded(text)
    event = message.get("event")
    try:
        match event:
            case "connected":
                return None
            case "start":
                return _start(message["start"])
            case "media":
                return _frame(message["sequenceNumber"], message["media"])
            case "mark":
                return Mark(_text(message["streamSid"]), _text(message["mark"]["name"]))
            case "dtmf":
                return Key(_text(message["streamSid"]), _number(message["sequenceNumber"]), _text(message["dtmf"]["digit"]))
            case "stop":
                return StreamStop(_text(message["streamSid"]), _number(message["sequenceNumber"]))
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise UnreadableMessage(f"A {event!r} message lacks a field or has one of another kind: {error}.") from error
    raise UnreadableMessage(f"The event is {str(event)[:20]!r}, which Media Streams does not have.")


def read_frame(text: str) -> tuple[str, Frame]:
    """Read a ``media`` message: the stream's SID and the frame. Raises UnreadableMessage as `read_message`."""
    frame = read_message(text)
    stream_sid = _loaded(text).get("streamSid")
    if not isinstance(frame, Frame) or not isinstance(stream_sid, str) or not _SID.fullmatch(stream_sid):
        raise UnreadableMessage("The message is not a frame of a stream.")
    return stream_sid, frame


def media(stream_sid: str, audio: bytes) -> str:
    """Play this µ-law audio when what was sent before has been played."""
    payload = base64.b64encode(audio).decode()
    return _message({"event": "media", "streamSid": stream_sid, "media": {"payload": payload}})


def mark(stream_sid: str, name: str) -> str:
    """Tell us, by a mark of the same name, when playback gets here."""
    return _message({"event": "mark", "streamSid": stream_sid, "mark": {"name": name}})


def clear(stream_sid: str) -> str:
    """Stop playing and forget what waits; all open marks come back at once."""
    return _message({"event": "clear", "streamSid": stream_sid})


def _loaded(text: str) -> dict[str, Any]:
    try:
        message = json.loads(text)
    except ValueError as error:
        raise UnreadableMessage("The message is not JSON.") from error
    return message if isinstance(message, dict) else {}


def _start(start: dict[str, Any]) -> StreamStart:
    parameters = start.get("customParameters") or {}
    return StreamStart(
        stream_sid=_text(start["streamSid"]),
        call_sid=_text(start["callSid"]),
        account_sid=_text(start["accountSid"]),
        encoding=_text(start["mediaFormat"]["encoding"]),
        sample_rate=_number(start["mediaFormat"]["sampleRate"]),
        parameters={str(name): str(value) for name, value in parameters.items()},
    )


def _frame(sequence_number: Any, media: dict[str, Any]) -> Frame:
    return Frame(
        sequence_number=int(_written(_COUNT, sequence_number)),
        chunk=int(_written(_COUNT, media["chunk"])),
        timestamp=int(_written(_COUNT, media["timestamp"])),
        track=_written(_TRACK, media["track"]),
        payload=base64.b64decode(_written(_AUDIO, media["payload"]), validate=True),
    )


def _written(as_: re.Pattern[str], value: Any) -> str:
    if not isinstance(value, str) or not as_.fullmatch(value):
        raise ValueError(f"{str(value)[:20]!r} is not written as {as_.pattern}")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{str(value)[:20]!r} is not a text")
    return value


def _number(value: Any) -> int:
    number = int(value)
    if not 0 <= number < END_OF_STREAM:
        raise ValueError(f"{number} is out of range")
    return number


def _message(content: dict[str, Any]) -> str:
    return json.dumps(content, separators=(",", ":"))
