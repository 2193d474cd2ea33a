"""The messages of a media stream: Twilio's as it writes them, and ours, as strictly as it reads them.

Source: https://www.twilio.com/docs/voice/media-streams/websocket-messages. Twilio writes all numbers as strings. Of ours it
takes ``media``, ``mark`` and ``clear`` with exactly their fields; https://www.twilio.com/docs/api/errors/31951 has the rest.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..sockets import read_object

Message = dict[str, Any]
CONNECTED: Message = {"event": "connected", "protocol": "Call", "version": "1.0.0"}
_FORMAT = {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1}
_FIELDS: dict[str, str | None] = {"media": "payload", "mark": "name", "clear": None}


class InvalidMessage(Exception):
    """Nothing that Twilio understands; ``code`` is the warning's."""

    def __init__(self, detail: str, code: int = 31951) -> None:
        super().__init__(detail)
        self.code = code


@dataclass(frozen=True)
class Order:
    """What we asked for: ``event`` with its ``audio`` or its ``name``."""

    event: str
    audio: bytes = b""
    name: str = ""


class Writer:
    """Writes Twilio's messages of one stream, counting them, and the frames of each track."""

    def __init__(self, account_sid: str, call_sid: str, stream_sid: str) -> None:
        self._sids = {"accountSid": account_sid, "callSid": call_sid}
        self._stream_sid = stream_sid
        self._messages = 0
        self._chunks: dict[str, int] = {}

    def start(self, tracks: Sequence[str], parameters: Mapping[str, str]) -> Message:
        """The stream begins."""
        about = {"tracks": list(tracks), "mediaFormat": dict(_FORMAT), "customParameters": dict(parameters)}
        return self._numbered("start", {"streamSid": self._stream_sid} | self._sids | about)

    def media(self, track: str, audio: bytes, timestamp: int) -> Message:
        """A frame of a track; ``timestamp`` is ms of the stream."""
        self._chunks[track] = chunk = self._chunks.get(track, 0) + 1
        payload = base64.b64encode(audio).decode()
        content = {"track": track, "chunk": str(chunk), "timestamp": str(timestamp), "payload": payload}
        return self._numbered("media", content)

    def mark(self, name: str) -> Message:
        """Playback got there, or was cleared."""
        return self._numbered("mark", {"name": name})

    def key(self, digit: str) -> Message:
        """The person pressed a key."""
        return self._numbered("dtmf", {"track": "inbound_track", "digit": digit})

    def stop(self) -> Message:
        """The stream is over."""
        return self._numbered("stop", dict(self._sids))

    def _numbered(self, event: str, content: Message) -> Message:
        self._messages += 1
        return {"event": event, "sequenceNumber": str(self._messages), event: content, "streamSid": self._stream_sid}


def read_order(text: str, stream_sid: str) -> Order:
    """Read what our side sent. Raises InvalidMessage."""
    try:
        message = read_object(text)
    except ValueError as problem:
        raise InvalidMessage(str(problem)) from None
    event = message.get("event")
    if not isinstance(event, str) or event not in _FIELDS:
        raise InvalidMessage(f"the event {event!r}")
    name = _FIELDS[event]
    _check_fields(message, {"event", "streamSid"} | ({event} if name else set()), event)
    if message["streamSid"] != stream_sid:
        raise InvalidMessage(f"the streamSid of {event} is not this stream's")
    if name is None:
        return Order(event)
    content = message[event]
    if not isinstance(content, dict):
        raise InvalidMessage(f"{event} is not an object")
    _check_fields(content, {name}, f"{event}.{event}")
    if not isinstance(content[name], str):
        raise InvalidMessage(f"{event}.{name} is not a text")
    return Order(event, name=content[name]) if event == "mark" else Order(event, audio=_decoded(content[name]))


def _check_fields(content: Mapping[str, object], expected: set[str], what: str) -> None:
    for problem, names in (("lacks", expected - set(content)), ("has no field", set(content) - expected)):
        if names:
            raise InvalidMessage(f"{what} {problem} {', '.join(sorted(names))}")


def _decoded(payload: str) -> bytes:
    try:
        return base64.b64decode(payload, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidMessage("media.payload is not base64") from None
