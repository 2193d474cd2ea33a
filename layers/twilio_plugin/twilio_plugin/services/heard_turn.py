"""A turn of the person, as the history keeps it."""

from __future__ import annotations

from twilio_plugin.domain.conversation import Entry
from twilio_plugin.domain.events import SpeechReceived
from twilio_plugin.domain.stream import Stream


def heard_turn(stream: Stream, event: SpeechReceived) -> Entry:
    """The entry of what is announced."""
    return Entry(
        conversation_id=stream.conversation_id,
        occurred_at=event.occurred_at,
        kind="speech",
        direction="inbound",
        message_sid=f"{stream.stream_sid}-{event.turn}",
        from_=stream.theirs,
        to=stream.ours,
        body=event.text,
        call_sid=stream.call_sid,
    )
