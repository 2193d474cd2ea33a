"""What a status callback is about: all of them come to one URL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Subject = Literal["message", "call", "answered_by", "recording", "stream", "transcription"]


def subject(form: Mapping[str, str]) -> Subject:
    """What the form tells of. What a call says in passing of its recording or of who answered stays a call's status."""
    if "StreamSid" in form:
        return "stream"
    if "TranscriptionEvent" in form:
        return "transcription"
    if "RecordingStatus" in form:
        return "recording"
    if "CallStatus" not in form and "AnsweredBy" in form:
        return "answered_by"
    return "call" if "CallSid" in form else "message"
