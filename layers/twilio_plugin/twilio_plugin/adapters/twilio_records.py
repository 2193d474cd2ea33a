"""Erasing what Twilio keeps: messages with their media, calls, recordings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twilio_plugin.adapters.twilio_rest import TwilioRest


class TwilioErasure:
    """`TwilioRecords` on Twilio."""

    def __init__(self, twilio: TwilioRest) -> None:
        self._twilio = twilio

    def erase_message(self, message_sid: str) -> None:
        def erase(client: Any) -> bool:
            # Fetched first: the package does not say of a list that it was not found.
            message = client.messages(message_sid).fetch()
            for medium in client.messages(message_sid).media.list():  # which stay when only the message goes
                medium.delete()
            return bool(message.delete())

        self._erase("message", erase)

    def erase_recording(self, recording_sid: str) -> None:
        self._erase("recording", lambda client: client.recordings(recording_sid).delete())

    def erase_call(self, call_sid: str) -> None:
        self._erase("call", lambda client: client.calls(call_sid).delete())

    def _erase(self, what: str, erase: Callable[[Any], Any]) -> None:
        # Like a read it may be repeated, and what Twilio does not know is done.
        self._twilio.read(what, erase)
