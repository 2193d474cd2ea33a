"""Calls in lines of text, as an agent can put them in its prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from twilio_plugin.domain.call import Call
from twilio_plugin.domain.stream import Stream
from twilio_plugin.domain.transcription import CallTranscription

LONGEST_WORDS = 200  # characters of what is heard or said


def as_text(
    calls: Sequence[Call], streams: Mapping[str, Stream], transcriptions: Mapping[str, CallTranscription], now: datetime
) -> str:
    """The calls, with what is being said in those whose open streams or running transcriptions are given (by call SID)."""
    active = sum(not call.ended for call in calls)
    first = f"Active voice calls ({active}):" if active else "No active voice calls."
    return "\n".join(
        [first, *(_line(call, streams.get(call.call_sid), transcriptions.get(call.call_sid), now) for call in calls)]
    )


def _line(call: Call, stream: Stream | None, transcription: CallTranscription | None, now: datetime) -> str:
    facts = [_since(call, now)]
    if call.answered_by:
        facts.append(f"answered by {call.answered_by}")
    if stream and stream.last_words:
        facts.append(f"hears {_quoted(stream.last_words)}")
    if stream and stream.saying:
        facts.append(f"saying {_quoted(stream.saying)}")
    if transcription:
        facts.append(f"is transcribed ({transcription.turns} so far)")
    return f"{call.call_sid} {call.direction} {call.from_} → {call.to}: {call.status}, {', '.join(facts)}"


def _since(call: Call, now: datetime) -> str:
    if call.ended:
        return f"ended {call.ended_at}" + ("" if call.duration is None else f" ({call.duration} s)")
    since = datetime.fromisoformat(call.answered_at or call.started_at)
    return f"since {since:%H:%M:%S}Z ({max(0, int((now - since).total_seconds()))} s)"


def _quoted(words: str) -> str:
    line = " ".join(words.split())
    return f'"{line}"' if len(line) <= LONGEST_WORDS else f'"{line[:LONGEST_WORDS]}…"'
