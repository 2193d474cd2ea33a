"""What Twilio hears of the person in a ConversationRelay session: words and keys.

A prompt has no id, and Twilio sends again what it could not deliver. So the same words that come again at once, or as the first
thing on a new connection, are taken for the same turn.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from twilio_plugin.domain.events import DtmfReceived, Event, SpeechPartial, SpeechReceived, event_id
from twilio_plugin.domain.relay import Prompt, RelayKey
from twilio_plugin.domain.relay_timer import RelayTimer
from twilio_plugin.domain.spoken_words import spoken_words
from twilio_plugin.domain.stream import Stream
from twilio_plugin.domain.timestamp import iso
from twilio_plugin.errors import StorageUnavailable
from twilio_plugin.services.heard_turn import heard_turn
from twilio_plugin.services.ports import Announcement, EventBus, Outbox, PersonTurns, RelayTimers
from twilio_plugin.services.relay_playback import assume_played
from twilio_plugin.services.stop_speaking import Interrupter

_TRIES = 10  # so many prompts may be counted at the same moment
_AT_ONCE = timedelta(seconds=1)
_AFTER_RECONNECT = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class RelayEars:
    """What hearing needs."""

    interrupter: Interrupter
    turns: PersonTurns
    bus: EventBus
    outbox: Outbox
    timers: RelayTimers
    new_id: Callable[[], str]
    reply_seconds: int
    """How long the person waits for a word of the agent."""


def hear_prompt(stream: Stream, prompt: Prompt, by: RelayEars) -> bool:
    """Keep and announce what the person said; or announce what they are saying. False if it is nothing new.

    Raises:
        StorageUnavailable: it was not kept; or it was, and nobody is told if the agent leaves them waiting.
    """
    if not prompt.words:
        return False
    if not prompt.last:
        _publish(_partial(stream, prompt.words, by), by)
        return True
    assume_played(stream, by.interrupter)
    heard = _counted(stream, prompt.words, by)
    if heard is None:
        return False
    _publish(heard, by)
    by.timers.set(RelayTimer("reply", stream.call_sid, stream.stream_sid, stream.connection_id), by.reply_seconds)
    return True


def hear_key(stream: Stream, key: RelayKey, by: RelayEars) -> None:
    """Announce it. Whether it interrupts is Twilio's to decide, and to tell."""
    event = DtmfReceived(
        event_id=event_id(DtmfReceived, stream.stream_sid, by.new_id()),
        occurred_at=iso(by.interrupter.clock()),
        digit=key.digit,
        **stream.envelope,
    )
    by.outbox.add(event)


def _counted(stream: Stream, words: str, by: RelayEars) -> SpeechReceived | None:
    """The turn, kept in the history as the next one; None where it was kept before, or the stream is over."""
    for _ in range(_TRIES):
        now = by.interrupter.clock()
        if stream.ended_at or _came_before(stream, words, now):
            return None
        event = _received(stream, words, now)
        if by.turns.add(stream, heard_turn(stream, event), event.occurred_at):
            return event
        stream = by.interrupter.streams.read(stream)
    raise StorageUnavailable("Turns of this stream are being counted all the time, and this one could not be.")


def _came_before(stream: Stream, words: str, now: datetime) -> bool:
    if words != stream.last_words or stream.heard_at is None:
        return False
    heard_at = datetime.fromisoformat(stream.heard_at)
    rebound_at = datetime.fromisoformat(stream.seen_at) if stream.seen_at else heard_at
    return now - heard_at < _AT_ONCE or (rebound_at > heard_at and now - rebound_at < _AFTER_RECONNECT)


def _received(stream: Stream, words: str, now: datetime) -> SpeechReceived:
    starts_at, duration = _estimated(stream, words, now)
    return SpeechReceived(
        event_id=event_id(SpeechReceived, stream.stream_sid, stream.turns + 1),
        occurred_at=iso(now),
        turn=stream.turns + 1,
        text=words,
        starts_at_ms=starts_at,
        duration_ms=duration,
        **stream.envelope,
    )


def _partial(stream: Stream, words: str, by: RelayEars) -> SpeechPartial:
    now = by.interrupter.clock()
    return SpeechPartial(
        event_id=event_id(SpeechPartial, stream.stream_sid, by.new_id()),
        occurred_at=iso(now),
        text=words,
        starts_at_ms=_estimated(stream, words, now)[0],
        **stream.envelope,
    )


def _estimated(stream: Stream, words: str, now: datetime) -> tuple[int, int]:
    """Where in the stream the words began and how long they took, in milliseconds: Twilio does not say."""
    ends_at = int((now - datetime.fromisoformat(stream.started_at)) / timedelta(milliseconds=1))
    duration = min(sum(word.milliseconds for word in spoken_words(words)), max(ends_at, 0))
    return max(ends_at, 0) - duration, duration


def _publish(event: Event, by: RelayEars) -> None:
    """By ourselves, because the outbox's hop is too slow for speech; it is where the event goes if the bus does not take it."""
    detail = json.dumps(event.detail(), ensure_ascii=False, separators=(",", ":"))
    try:
        failed = by.bus.publish([Announcement(event.event_id, event.detail_type, detail, event.occurred_at)])
    except StorageUnavailable:
        failed = {event.event_id}
    if failed:
        by.outbox.add(event)
