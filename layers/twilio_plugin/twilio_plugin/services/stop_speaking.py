"""What the agent says is stopped: the person spoke or pressed a key, another `say` took over, or the stream ended."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from twilio_plugin.domain import media_stream
from twilio_plugin.domain.conversation import Entry
from twilio_plugin.domain.events import SpeechInterrupted, SpeechPlayed, event_id
from twilio_plugin.domain.speech import InterruptionCause, Utterance, heard_until
from twilio_plugin.domain.stream import Stream
from twilio_plugin.domain.timestamp import iso
from twilio_plugin.services.ports import Clock, ConnectionGone, Connections, Streams, Utterances

_TRIES = 5  # a mark may come back while an utterance is being closed


@dataclass(frozen=True, slots=True)
class Interrupter:
    """What interrupting needs."""

    streams: Streams
    utterances: Utterances
    connections: Connections
    clock: Clock


def interrupt(stream: Stream, cause: InterruptionCause, by: Interrupter) -> bool:
    """Stop what is being said, unless it may not be interrupted by the person. False if nothing was.

    First the utterances are closed: the marks that ``clear`` sends back then no longer count as heard. Then the generation
    rises, which stops a `say` that is still sending, and at last Twilio is told.
    """
    speaking = [one for one in by.utterances.open(stream.call_sid) if one.stream_sid == stream.stream_sid]
    protected = cause in ("speech", "key") and any(not one.allow_barge_in for one in speaking)
    if not speaking or protected:
        return False
    end_utterances(stream, cause, by.utterances, by.clock)
    by.streams.raise_generation(stream)
    hush(stream, by.connections)
    return True


def hush(stream: Stream, connections: Connections) -> None:
    """Throw away what Twilio has not played yet. Where nobody is there any more, nothing plays.

    A call without a socket goes on to its next document instead: whoever interrupts has it do so.
    """
    if not stream.connection_id:
        return
    try:
        connections.send(stream.connection_id, media_stream.clear(stream.stream_sid))
    except ConnectionGone:
        return


def end_utterances(stream: Stream, cause: InterruptionCause, utterances: Utterances, clock: Clock) -> None:
    """Close every open utterance of the stream with what was heard of it."""
    for utterance in utterances.open(stream.call_sid):
        if utterance.stream_sid == stream.stream_sid:
            close(utterance, stream, cause, utterances, clock)


def close(utterance: Utterance, stream: Stream, cause: InterruptionCause, utterances: Utterances, clock: Clock) -> None:
    """Close one utterance: as played, if by estimate all of it was heard."""
    estimated = heard_until(utterance, clock())
    if estimated.begins_at and estimated.is_heard:
        played(estimated, stream, utterances, clock)
    else:
        interrupted(estimated, stream, cause, utterances, clock)


def interrupted(utterance: Utterance, stream: Stream, cause: InterruptionCause, utterances: Utterances, clock: Clock) -> None:
    """Close one utterance, and tell how much was heard."""
    current: Utterance | None = utterance
    for _ in range(_TRIES):
        if current is None or current.state != "speaking":
            return
        now = iso(clock())
        event = SpeechInterrupted(
            event_id=event_id(SpeechInterrupted, current.utterance_id),
            occurred_at=now,
            utterance_id=current.utterance_id,
            text=current.text,
            heard=current.heard_text,
            heard_ms=current.heard_milliseconds,
            reply_ms=current.reply_ms,
            cause=cause,
            **stream.envelope,
        )
        entry = spoken_turn(current, stream, current.heard_text, now) if current.heard_text else None
        if utterances.end(dataclasses.replace(current, state="interrupted"), event, entry):
            return
        current = utterances.find(stream.call_sid, utterance.utterance_id)
        current = current and heard_until(current, clock())


def played(utterance: Utterance, stream: Stream, utterances: Utterances, clock: Clock) -> None:
    """Close one that was heard to its end."""
    now = iso(clock())
    whole = dataclasses.replace(utterance, state="played", heard=len(utterance.pieces))
    event = SpeechPlayed(
        event_id=event_id(SpeechPlayed, utterance.utterance_id),
        occurred_at=now,
        utterance_id=utterance.utterance_id,
        text=utterance.text,
        duration_ms=whole.heard_milliseconds,
        reply_ms=utterance.reply_ms,
        **stream.envelope,
    )
    utterances.end(whole, event, spoken_turn(utterance, stream, utterance.text, now))


def spoken_turn(utterance: Utterance, stream: Stream, words: str, now: str) -> Entry:
    """What the agent said, as the history keeps it."""
    return Entry(
        conversation_id=stream.conversation_id,
        occurred_at=now,
        kind="speech",
        direction="outbound",
        message_sid=utterance.utterance_id,
        from_=stream.ours,
        to=stream.theirs,
        body=words,
        call_sid=stream.call_sid,
    )
