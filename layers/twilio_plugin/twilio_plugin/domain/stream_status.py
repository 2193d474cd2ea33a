"""What Twilio says of a media stream over HTTP, beside the stream's own messages.

Source: Twilio, "TwiML Voice: <Stream>", status callbacks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from twilio_plugin.domain.message import required


@dataclass(frozen=True, slots=True)
class StreamUpdate:
    """A stream's status."""

    call_sid: str
    stream_sid: str
    event: str
    """``stream-started``, ``stream-stopped``, ``stream-error``."""
    error: str | None = None
    """With ``stream-error``: Twilio's words."""

    @property
    def ended(self) -> bool:
        return self.event in ("stream-stopped", "stream-error")


def stream_update(form: Mapping[str, str]) -> StreamUpdate:
    """Read a stream's status callback.

    Raises:
        UnreadableWebhook: a field we cannot do without is missing.
    """
    return StreamUpdate(
        call_sid=required(form, "CallSid"),
        stream_sid=required(form, "StreamSid"),
        event=required(form, "StreamEvent").lower(),
        error=form.get("StreamError") or None,
    )
