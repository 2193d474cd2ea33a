"""How a media stream ends: once, however many say so."""

from __future__ import annotations

import dataclasses
from datetime import datetime

from twilio_plugin.domain.events import VoiceStreamEnded, event_id
from twilio_plugin.domain.stream import Stream, StreamEnd


def ended(stream: Stream, reason: StreamEnd, now: str) -> tuple[Stream, VoiceStreamEnded]:
    """The stream as it is kept from this moment on, and the announcement."""
    duration = datetime.fromisoformat(now) - datetime.fromisoformat(stream.started_at)
    event = VoiceStreamEnded(
        event_id=event_id(VoiceStreamEnded, stream.stream_sid),
        occurred_at=now,
        account_sid=stream.account_sid,
        conversation_id=stream.conversation_id,
        call_sid=stream.call_sid,
        stream_sid=stream.stream_sid,
        from_=stream.from_,
        to=stream.to,
        direction=stream.direction,
        reason=reason,
        duration=duration.total_seconds(),
        frames=stream.frames,
        gaps=stream.gaps,
    )
    return dataclasses.replace(stream, ended_at=now, end=reason), event
