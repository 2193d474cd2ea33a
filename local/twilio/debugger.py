"""Twilio's error log (the Console calls it Debugger), where a developer learns that a webhook failed.

Codes: https://www.twilio.com/docs/api/errors.
"""

from collections import deque
from dataclasses import asdict, dataclass

ALERT_TEXTS = {
    11100: "Invalid URL format",
    11200: "HTTP retrieval failure",
    11205: "HTTP connection failure",
    11243: "HTTP retry policy is invalid",
    12100: "Document parse failure",
    12200: "Schema validation warning",
    12300: "Invalid Content-Type",
    14103: "Message: Invalid Body",
}


@dataclass(frozen=True)
class Alert:
    """One entry: the error code, its title, the URL it is about, and what exactly was wrong."""

    code: int
    text: str
    url: str
    detail: str
    message_sid: str | None = None

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return asdict(self)


class Debugger:
    """The last thousand alerts, oldest first."""

    def __init__(self) -> None:
        self._alerts: deque[Alert] = deque(maxlen=1000)

    def report(self, code: int, url: str, detail: str, message_sid: str | None = None) -> None:
        """Add an alert under the title that Twilio gives that code."""
        self._alerts.append(Alert(code, ALERT_TEXTS.get(code, detail), url, detail, message_sid))

    def alerts(self) -> list[Alert]:
        """All of them."""
        return list(self._alerts)
