"""Twilio's transcription of a call (``<Start><Transcription>``): what is asked for, what its callbacks say, and their order.

It listens to calls that are neither streamed nor relayed. Its tracks are named from Twilio's point of view, whoever called
whom: ``inbound_track`` is the sound that Twilio gets from the person on the call, ``outbound_track`` what it plays to them:
words of ours, or whom they are connected with.

Callbacks come in any order, and twice. Each has a number (``SequenceId``), also those that say nothing: the beginning, the end,
and partial results.

Source: Twilio, "TwiML Voice: <Transcription>" and "Calls Transcriptions subresource".
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import urlencode

from twilio_plugin.domain.call import CallDirection
from twilio_plugin.domain.message import required
from twilio_plugin.domain.timestamp import iso
from twilio_plugin.domain.webhook_retries import RETRY_CALLBACK
from twilio_plugin.errors import UnreadableWebhook

Track = Literal["inbound_track", "outbound_track"]
# Who is on the outbound track: what we have the person hear, or whom they were connected with.
OtherSpeaker = Literal["agent", "callee"]
Speaker = Literal["person", "agent", "callee"]
# Why a transcription is over. ``call_ended``: Twilio said nothing of its end, and reconciliation found that the call is over.
TranscriptionEnd = Literal["stopped", "error", "call_ended"]

# A call can have one of each: a transfer ends the first and begins the second in one document.
NAMES: Mapping[OtherSpeaker, str] = {"agent": "twilio-plugin-call", "callee": "twilio-plugin-transfer"}

STARTED, CONTENT = "transcription-started", "transcription-content"
_ENDS: Mapping[str, TranscriptionEnd] = {"transcription-stopped": "stopped", "transcription-error": "error"}
_OTHERS: Mapping[str, OtherSpeaker] = {"agent": "agent", "callee": "callee"}
_TRACKS: Mapping[str, Track] = {"inbound_track": "inbound_track", "outbound_track": "outbound_track"}
_BEFORE_THE_FIRST = 0  # Twilio counts from 1; that it might count from 0 does no harm


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscriptionReport:
    """A callback of a transcription."""

    call_sid: str
    account_sid: str
    transcription_sid: str
    event: str
    """``transcription-started``, ``-content``, ``-stopped`` or ``-error``; another one is counted and says nothing."""
    sequence_id: int
    at: str | None = None
    """When Twilio made it: ISO 8601, UTC, milliseconds."""
    other: OtherSpeaker | None = None
    """Ours, which Twilio brings back in the callback URL's query. A document of the agent's own need not say it."""
    track: Track | None = None
    text: str = ""
    """Final words; empty where there are none, or where they are not final."""
    confidence: float | None = None
    error: str | None = None
    """With ``transcription-error``: Twilio's words."""
    error_code: int | None = None
    received_at: str = ""
    """When it came to us, once it is kept."""

    @property
    def end(self) -> TranscriptionEnd | None:
        """Why the transcription is over, if this says that it is."""
        return _ENDS.get(self.event)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallTranscription:
    """A transcription as it is kept. Times are ISO 8601, UTC, milliseconds."""

    call_sid: str
    transcription_sid: str
    account_sid: str
    conversation_id: str
    direction: CallDirection
    from_: str
    to: str
    started_at: str
    other: OtherSpeaker | None = None
    """Who is on the outbound track, if that was said."""
    cursor: int = _BEFORE_THE_FIRST
    """The highest number that was dealt with."""
    turns: int = 0
    """Turns announced so far."""
    last_at: str = ""
    """When the last of them that was in order was said."""
    ended_at: str | None = None
    end: TranscriptionEnd | None = None

    @property
    def envelope(self) -> dict[str, Any]:
        """What every event of a transcription carries."""
        return {
            "account_sid": self.account_sid,
            "conversation_id": self.conversation_id,
            "call_sid": self.call_sid,
            "transcription_sid": self.transcription_sid,
            "from_": self.from_,
            "to": self.to,
            "direction": self.direction,
        }

    def speaker(self, track: Track) -> Speaker:
        """Who is heard on a track."""
        return "person" if track == "inbound_track" else self.other or "agent"


def asked_for(other: OtherSpeaker, *, language: str, webhook_url: str) -> dict[str, str | bool]:
    """The transcription that we ask for, as both the noun's attributes and the REST API's arguments are called.

    `webhook_url` is the root of our webhooks. The labels are Twilio's own to keep; who speaks is known by the track.
    """
    return {
        "name": NAMES[other],
        "track": "both_tracks",
        "status_callback_url": f"{webhook_url}/status?{urlencode({'outbound_track': other})}{RETRY_CALLBACK}",
        "inbound_track_label": "person",
        "outbound_track_label": other,
        "language_code": language,
        "partial_results": False,
    }


def transcription_report(form: Mapping[str, str], query: Mapping[str, str]) -> TranscriptionReport:
    """Read a transcription's callback.

    Raises:
        UnreadableWebhook: a field we cannot do without is missing, or not what it should be.
    """
    event = required(form, "TranscriptionEvent").lower()
    words, confidence = _said(form) if event == CONTENT else ("", None)
    track = _TRACKS.get(form.get("Track", ""))
    if words and track is None:
        raise UnreadableWebhook(f"Track is {form.get('Track', '')[:20]!r}; inbound_track or outbound_track was expected.")
    return TranscriptionReport(
        call_sid=required(form, "CallSid"),
        account_sid=required(form, "AccountSid"),
        transcription_sid=required(form, "TranscriptionSid"),
        event=event,
        sequence_id=_sequence_id(form),
        at=_moment(form.get("Timestamp", "")),
        other=_OTHERS.get(query.get("outbound_track", "")),
        track=track,
        text=words,
        confidence=confidence,
        error=form.get("TranscriptionError") or None,
        error_code=_number(form.get("TranscriptionErrorCode", "")),
    )


def next_in_order(cursor: int, waiting: Sequence[TranscriptionReport], *, patient_since: str) -> TranscriptionReport | None:
    """Which of the waiting reports is dealt with now, if any. `waiting` are in order.

    Behind a gap they wait for what fills it, but only while all of them came after `patient_since`. What fills it later is
    dealt with when it comes.
    """
    if not waiting:
        return None
    first = waiting[0]
    follows = first.sequence_id <= cursor + 1 or first.event == STARTED
    return first if follows or min(report.received_at for report in waiting) <= patient_since else None


def _said(form: Mapping[str, str]) -> tuple[str, float | None]:
    """Final words and how sure Twilio is of them."""
    if form.get("Final", "true").lower() != "true":
        return "", None
    try:
        data = json.loads(required(form, "TranscriptionData"))
        transcript = data["transcript"]
    except (ValueError, KeyError, TypeError) as error:
        raise UnreadableWebhook("TranscriptionData is not JSON with a `transcript`.") from error
    if not isinstance(transcript, str):
        raise UnreadableWebhook("TranscriptionData has a `transcript` that is no text.")
    confidence = data.get("confidence")
    is_one = isinstance(confidence, int | float) and not isinstance(confidence, bool) and 0 <= confidence <= 1
    return transcript.strip(), float(confidence) if is_one else None


def _sequence_id(form: Mapping[str, str]) -> int:
    number = _number(required(form, "SequenceId"))
    if number is None:
        raise UnreadableWebhook(f"SequenceId is {form['SequenceId'][:20]!r}; a whole number was expected.")
    return number


def _number(written: str) -> int | None:
    return int(written) if written.isascii() and written.isdigit() and len(written) < 10 else None


def _moment(written: str) -> str | None:
    """A time of Twilio's, in UTC; None where it is none."""
    try:
        moment = datetime.fromisoformat(written)
        return iso(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        return None
