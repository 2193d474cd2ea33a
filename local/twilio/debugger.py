"""Twilio's error log (the Console calls it Debugger), where a developer learns that a webhook failed.

Codes: https://www.twilio.com/docs/api/errors. The title of 64101 was not found.
"""

from collections import deque
from dataclasses import asdict, dataclass, field
from datetime import datetime

from .messages import now

ALERT_TEXTS = {
    11100: "Invalid URL format",
    11200: "HTTP retrieval failure",
    11205: "HTTP connection failure",
    11243: "HTTP retry policy is invalid",
    11750: "TwiML response body too large",
    11751: "Media Message - Media exceeds messaging provider size limit",
    12100: "Document parse failure",
    12102: "The root element must be Response",
    12200: "Schema validation warning",
    12300: "Invalid Content-Type",
    13224: "Dial: Twilio does not support calling this number or the number is invalid",
    13520: "Say: Invalid text",
    13621: "Invalid 'recordingStatusCallbackEvent'",
    14103: "Message: Invalid Body",
    21626: "Invalid statusCallbackEvents",
    31901: "Stream - WebSocket - Connection Timeout",
    31902: "Stream - WebSocket - Connection Refused",
    31920: "Stream - WebSocket - Handshake Error",
    31921: "Stream - WebSocket - Close Error",
    31941: "Stream - Invalid Track configuration",
    31950: "Stream - Protocol - Malformed Message",
    31951: "Stream - Protocol - Invalid Message",
    63019: "Media failed to download",
    64101: "ConversationRelay: Invalid Provider",
    64102: "ConversationRelay: Unable to Connect to Websocket URL",
    64105: "ConversationRelay: Websocket ended",
    64107: "ConversationRelay: Invalid Message Received",
}


@dataclass(frozen=True)
class Alert:
    """One entry: the error code, its title, the URL it is about, and what exactly was wrong."""

    code: int
    text: str
    url: str
    detail: str
    message_sid: str | None = None
    call_sid: str | None = None
    at: datetime = field(default_factory=now)

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return asdict(self) | {"at": self.at.isoformat()}


class Debugger:
    """The last thousand alerts, oldest first."""

    def __init__(self) -> None:
        self._alerts: deque[Alert] = deque(maxlen=1000)

    def report(self, code: int, url: str, detail: str, sid: str | None = None) -> None:
        """Add an alert under the title that Twilio gives that code; ``sid`` is of the message or the call it is about."""
        is_call = sid is not None and sid.startswith("CA")
        text = ALERT_TEXTS.get(code, detail)
        self._alerts.append(Alert(code, text, url, detail, None if is_call else sid, sid if is_call else None))

    def alerts(self) -> list[Alert]:
        """All of them."""
        return list(self._alerts)
