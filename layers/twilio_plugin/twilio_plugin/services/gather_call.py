"""A call without a socket, from document to document: what the person did comes in, and what the agent has to say goes out.

A round has three parts, each idempotent by what is kept: what was being said is closed; what was heard is kept and announced,
once a document; and the next document is given out, once a document. Whoever comes with one that is over, because Twilio asks
again or because the call was told to go on meanwhile, gets the present one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from twilio_plugin.domain import twiml
from twilio_plugin.domain.call import CallUpdate
from twilio_plugin.domain.events import DtmfReceived, Event, SpeechPartial, SpeechReceived, event_id
from twilio_plugin.domain.gather import AFTER_WORDS, LAP, UNTIL_SPOKEN, Heard, Manner, Place
from twilio_plugin.domain.gather_document import holding, listening
from twilio_plugin.domain.speech import InterruptionCause, Utterance, spoken_for
from twilio_plugin.domain.stream import Stream
from twilio_plugin.domain.timestamp import iso
from twilio_plugin.errors import StorageUnavailable
from twilio_plugin.services.end_stream import end_stream
from twilio_plugin.services.heard_turn import heard_turn
from twilio_plugin.services.ports import Clock, Gathering, Outbox, Streams, Utterances
from twilio_plugin.services.start_stream import started
from twilio_plugin.services.stop_speaking import close, interrupted, played

_TRIES = 8  # `say` may come in between as often
# Characters in one document: whatever they are, escaped they are below the 64 KB that Twilio reads.
_LONGEST_PROMPTS = 9_000
_MOST_PROMPTS = 50  # which are written in one transaction


@dataclass(frozen=True, slots=True)
class GatherOpener:
    """What beginning a gathered call needs."""

    streams: Streams
    clock: Clock
    manner: Manner
    reply_timeout: timedelta


@dataclass(frozen=True, slots=True)
class Gatherer:
    """What going on with it needs."""

    streams: Streams
    utterances: Utterances
    gathering: Gathering
    outbox: Outbox
    clock: Clock
    manner: Manner
    reply_timeout: timedelta
    partials: bool


class LeftAlone(Exception):
    """The agent has not said a word for too long: the stream is ended, and the person is told."""


class LegOver(Exception):
    """The stream is no longer this one: the call goes on with the next leg, if it goes on."""


def begin(call: CallUpdate, leg: int, reopened: int, greeting: str | None, by: GatherOpener) -> tuple[twiml.Verb, ...]:
    """Open the stream of a leg, and give out its first document: the greeting, which the person may interrupt.

    Raises:
        StreamRefused: the call is over, or not one of ours.
        StorageUnavailable: nothing was stored.
    """
    now = by.clock()
    stream = Stream(
        call_sid=call.call_sid,
        leg=leg,
        # Twilio has no name for it. Events need one, and a later leg another.
        stream_sid=f"{call.call_sid}-{leg}",
        connection_id="",
        account_sid=call.account_sid,
        conversation_id=call.conversation_id,
        direction=call.direction,
        from_=str(call.sender),
        to=str(call.recipient),
        started_at=iso(now),
        mode="gather",
        seen_at=iso(now),
        prompt_ends_at=iso(_ends_at(now, [greeting])) if greeting else None,
    )
    if not by.streams.open(stream, started(stream)):
        stream = by.streams.read(stream)
    place = Place(leg=leg, reopened=reopened, step=stream.step)
    prompts = [greeting] if greeting and not stream.step else []
    return listening(by.manner, place, prompts, listens=_listens(stream, prompts, by.reply_timeout, now))


def go_on(call_sid: str, place: Place, heard: Heard, by: Gatherer) -> tuple[twiml.Verb, ...]:
    """One round: what the call does next.

    Raises:
        LeftAlone, LegOver: it does not go on in this stream.
        StorageUnavailable: something was not stored; the same request may come again.
    """
    for _ in range(_TRIES):
        stream = by.streams.of_call(call_sid)
        if stream is None or stream.ended_at or stream.mode != "gather" or stream.leg != place.leg:
            raise LegOver
        done = _round(stream, place, heard, by)
        if done is not None:
            return done
    raise StorageUnavailable("The call's stream kept changing while it was to go on.")


def notice(call_sid: str, place: Place, words: str, number: str, by: Gatherer) -> None:
    """The person has begun to speak: `say` does not cut in. With partials wanted, tell what they are saying.

    `number` counts the reports of one document.
    """
    stream = by.streams.of_call(call_sid)
    if stream is None or stream.ended_at or stream.leg != place.leg or stream.step != place.step or not words:
        return
    now = by.clock()
    if stream.spoken_step < place.step:
        stream = replace(stream, spoken_step=place.step, spoken_at=iso(now - spoken_for(words)))
        by.gathering.notice(stream)
    if by.partials and stream.spoken_at:
        event = SpeechPartial(
            event_id=event_id(SpeechPartial, stream.stream_sid, place.step, number),
            occurred_at=iso(now),
            text=words,
            starts_at_ms=_milliseconds(stream, datetime.fromisoformat(stream.spoken_at)),
            **stream.envelope,
        )
        by.outbox.add(event)


def _round(stream: Stream, place: Place, heard: Heard, by: Gatherer) -> tuple[twiml.Verb, ...] | None:
    """None where the stream has changed meanwhile: look again."""
    is_news = heard.is_something and stream.heard_step < place.step
    began = _began(stream, heard, by.clock())
    if place.step != stream.step:
        if is_news and not _keep(stream, place, heard, began, by):
            return None
        return _present(stream, place, by)
    # A key is announced before what it interrupts, and words after that: as on a stream, where words end later than they begin.
    if heard.keys and is_news and not _keep(stream, place, heard, began, by):
        return None
    _close_what_was_said(stream, place, heard, by.clock if heard.keys else lambda: began, by)
    if is_news:
        _drop_what_waits(stream, heard, by.clock if heard.keys else lambda: began, by)
    if is_news and not heard.keys and not _keep(stream, place, heard, began, by):
        return None
    if stream.woken_step == place.step and place.reason == "result":
        return holding(by.manner, place)
    now_at = by.streams.read(stream)
    return _next(now_at, place, by) if now_at.step == place.step else None


def _present(stream: Stream, place: Place, by: Gatherer) -> tuple[twiml.Verb, ...]:
    """The present document once more."""
    saying = [one for one in _open(stream, by) if one.begins_at]
    return _document(stream, place, saying, by)


def _next(stream: Stream, place: Place, by: Gatherer) -> tuple[twiml.Verb, ...] | None:
    now = by.clock()
    waiting = _fitting([one for one in _open(stream, by) if not one.begins_at])
    since = stream.waits_since
    if since is not None and not waiting and now - datetime.fromisoformat(since) >= by.reply_timeout:
        end_stream(stream, "no_reply", by)
        raise LeftAlone
    given, at = [], now + UNTIL_SPOKEN
    for one in waiting:
        given.append(replace(one, begins_at=iso(at)))
        at += timedelta(milliseconds=one.milliseconds)
    moved = replace(stream, step=stream.step + 1, seen_at=iso(now), prompt_ends_at=iso(at) if given else None)
    if not by.gathering.give_out(stream, moved, given):
        return None
    return _document(moved, place, given, by)


def _document(stream: Stream, place: Place, saying: Sequence[Utterance], by: Gatherer) -> tuple[twiml.Verb, ...]:
    prompts = [one.text for one in saying]
    return listening(
        by.manner,
        replace(place, step=stream.step),
        prompts,
        listens=_listens(stream, prompts, by.reply_timeout, by.clock()),
        barge_in=all(one.allow_barge_in for one in saying),
    )


def _listens(stream: Stream, prompts: Sequence[str], reply_timeout: timedelta, now: datetime) -> timedelta:
    """For how long the document listens behind its words."""
    if prompts:
        return AFTER_WORDS
    if stream.waits_since is None:
        return LAP
    return min(LAP, datetime.fromisoformat(stream.waits_since) + reply_timeout - now)


def _close_what_was_said(stream: Stream, place: Place, heard: Heard, clock: Clock, by: Gatherer) -> None:
    """What the document said was heard, to its end or not. `clock` tells when the person began to do what they did."""
    said = [one for one in _open(stream, by) if one.begins_at]
    # Nothing cuts in on what may not be interrupted, and nothing has where the document listened in vain.
    whole = place.reason == "result" and (not heard.is_something or not all(one.allow_barge_in for one in said))
    for one in said:
        end = datetime.fromisoformat(one.begins_at or "") + timedelta(milliseconds=one.milliseconds)
        if whole:
            played(one, stream, by.utterances, lambda: min(end, clock()))  # noqa: B023  called at once
        else:
            close(one, stream, _cause(heard), by.utterances, clock)


def _drop_what_waits(stream: Stream, heard: Heard, clock: Clock, by: Gatherer) -> None:
    """What is lined up is not said when the person does something, unless it may not be interrupted.

    Only when that is news: if it comes again, what is lined up by then may be the answer.
    """
    waiting = [one for one in _open(stream, by) if not one.begins_at]
    if all(one.allow_barge_in for one in waiting):
        for one in waiting:
            interrupted(one, stream, _cause(heard), by.utterances, clock)


def _cause(heard: Heard) -> InterruptionCause:
    return "key" if heard.keys else "speech" if heard.words else "say"


def _began(stream: Stream, heard: Heard, now: datetime) -> datetime:
    """When the person began to do what was heard, as far as it can be told; not before the document was out."""
    if not heard.words:
        return now
    known = stream.spoken_at if stream.spoken_step == stream.step else None
    began = datetime.fromisoformat(known) if known else now - spoken_for(heard.words)
    return min(max(began, datetime.fromisoformat(stream.seen_at or stream.started_at)), now)


def _keep(stream: Stream, place: Place, heard: Heard, began: datetime, by: Gatherer) -> bool:
    """Keep and announce what was heard. False if the stream has changed meanwhile."""
    now = by.clock()
    after = replace(stream, heard_step=place.step)
    keys = _keys(stream, place, heard, now)
    if not heard.words:
        return by.gathering.hear(stream, after, keys, None)
    after = replace(after, turns=stream.turns + 1, last_words=heard.words, heard_at=iso(now))
    event = _turn(after, heard, began, now)
    return by.gathering.hear(stream, after, [*keys, event], heard_turn(stream, event))


def _turn(stream: Stream, heard: Heard, began: datetime, now: datetime) -> SpeechReceived:
    return SpeechReceived(
        event_id=event_id(SpeechReceived, stream.stream_sid, stream.turns),
        occurred_at=iso(now),
        turn=stream.turns,
        text=heard.words,
        confidence=heard.confidence,
        starts_at_ms=_milliseconds(stream, began),
        duration_ms=max(0, int((now - began) / timedelta(milliseconds=1))),
        **stream.envelope,
    )


def _keys(stream: Stream, place: Place, heard: Heard, now: datetime) -> list[Event]:
    return [
        DtmfReceived(
            event_id=event_id(DtmfReceived, stream.stream_sid, place.step, number),
            occurred_at=iso(now),
            digit=key,
            **stream.envelope,
        )
        for number, key in enumerate(heard.keys)
    ]


def _open(stream: Stream, by: Gatherer) -> list[Utterance]:
    return [one for one in by.utterances.open(stream.call_sid) if one.stream_sid == stream.stream_sid]


def _fitting(waiting: Sequence[Utterance]) -> list[Utterance]:
    """Those at the head of the line that one document holds."""
    length, found = 0, list[Utterance]()
    for one in waiting[:_MOST_PROMPTS]:
        length += len(one.text)
        if found and length > _LONGEST_PROMPTS:
            break
        found.append(one)
    return found


def _ends_at(now: datetime, prompts: Sequence[str]) -> datetime:
    return now + UNTIL_SPOKEN + sum(map(spoken_for, prompts), timedelta())


def _milliseconds(stream: Stream, moment: datetime) -> int:
    """From the stream's start."""
    return max(0, int((moment - datetime.fromisoformat(stream.started_at)) / timedelta(milliseconds=1)))
