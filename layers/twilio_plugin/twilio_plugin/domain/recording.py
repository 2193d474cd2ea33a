"""A recording of a call, as Twilio's recording status callback tells of it.

Source: Twilio, "Recording status callbacks". The sound itself stays with Twilio.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from twilio_plugin.domain.message import required

# What is said of a recording at its end; until then it is ``in-progress``.
FINAL_STATUSES = frozenset({"completed", "absent", "failed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """What Twilio says of a recording."""

    call_sid: str
    account_sid: str
    recording_sid: str
    status: str
    source: str | None = None
    """What made it, in Twilio's words: ``RecordVerb``, ``DialVerb``, ``OutboundAPI``, ``StartCallRecordingTwiML`` …"""
    url: str | None = None
    """Where it is, ``.mp3`` or ``.wav`` behind it; reading it needs the account's credentials."""
    duration: int | None = None
    """Seconds."""
    channels: int | None = None


def recording(form: Mapping[str, str]) -> Recording:
    """Read a recording status callback.

    Raises:
        UnreadableWebhook: a field we cannot do without is missing.
    """
    return Recording(
        call_sid=required(form, "CallSid"),
        account_sid=required(form, "AccountSid"),
        recording_sid=required(form, "RecordingSid"),
        status=required(form, "RecordingStatus").lower(),
        source=form.get("RecordingSource") or None,
        url=form.get("RecordingUrl") or None,
        duration=_number(form, "RecordingDuration"),
        channels=_number(form, "RecordingChannels"),
    )


def _number(form: Mapping[str, str], name: str) -> int | None:
    """A whole number; None for Twilio's -1, which is no duration, and for whatever else is none."""
    written = form.get(name, "")
    return int(written) if written.isascii() and written.isdigit() and len(written) < 9 else None
