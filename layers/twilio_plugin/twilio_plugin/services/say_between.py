"""The agent says something in a call that is held by documents: the next one has it, and Twilio is told to fetch that at once.

Unless something is being said: then the next document comes by itself. Nor is anybody cut off who is speaking: Twilio would
throw away what it has heard of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from twilio_plugin.domain.actions import Said, Say
from twilio_plugin.domain.gather import Place, is_prompting
from twilio_plugin.domain.speech import Utterance, estimated_pieces
from twilio_plugin.domain.stream import Stream
from twilio_plugin.domain.timestamp import iso
from twilio_plugin.errors import (
    InvalidRequest,
    NoMediaStream,
    SendOutcomeUnknown,
    StorageUnavailable,
    TwilioRejected,
    TwilioUnavailable,
)
from twilio_plugin.services.ports import Calling, Gathering
from twilio_plugin.services.stop_speaking import Interrupter, interrupt, interrupted

CALL_IS_OVER = (21220, 20404)  # Twilio's codes: not in progress, and not found
_TRIES = 8  # documents that come and go meanwhile


@dataclass(frozen=True, slots=True)
class Waker:
    """What a gathered call needs besides."""

    gathering: Gathering
    calling: Callable[[], Calling]
    """Built when it is needed: other calls are spoken to without Twilio's REST API."""
    webhook_url: str
    """The root of our webhooks."""
    not_woken: Callable[[str, str], None]
    """Told the call's SID and why Twilio could not be told to go on. The words come with the next document all the same."""


def say_between(request: Say, stream: Stream, utterance_id: str, by: Interrupter, waker: Waker) -> Said:
    """Line it up, and have Twilio fetch it if nobody is speaking.

    Raises:
        InvalidRequest: sound, which Twilio cannot be given here.
        NoMediaStream: the call or its stream is over.
        StorageUnavailable: nothing will be said, or it is not known whether it will.
    """
    if request.text is None:
        raise InvalidRequest("`audio` cannot be said in this call: its mode is gather, in which Twilio speaks. Give `text`.")
    if request.interrupt:
        interrupt(stream, "say", by)
    utterance = Utterance(
        call_sid=stream.call_sid,
        stream_sid=stream.stream_sid,
        utterance_id=utterance_id,
        text=request.text,
        allow_barge_in=request.allow_barge_in,
        started_at=iso(by.clock()),
        reply_ms=stream.reply_milliseconds(by.clock()),
        pieces=estimated_pieces(request.text),
        complete=True,
    )
    by.utterances.begin(stream, utterance)
    said = _bring_out(utterance, stream, by, waker, at_once=request.interrupt)
    return Said(utterance_id=utterance_id, call_sid=stream.call_sid, status="accepted" if said else "interrupted")


def _bring_out(utterance: Utterance, stream: Stream, by: Interrupter, waker: Waker, *, at_once: bool) -> bool:
    """See to it that a document has it. False if the person has spoken before one could."""
    for _ in range(_TRIES):
        kept = by.utterances.find(utterance.call_sid, utterance.utterance_id)
        if kept is None or kept.state != "speaking":
            return False
        now_at = by.streams.read(stream)
        if now_at.ended_at:
            interrupted(utterance, now_at, "end", by.utterances, by.clock)
            raise NoMediaStream(f"The stream of {stream.call_sid} was closed before all was said.")
        waits = now_at.woken_step == now_at.step or now_at.spoken_step == now_at.step
        if kept.begins_at or waits or (is_prompting(now_at, by.clock()) and not at_once):
            return True
        if waker.gathering.wake(now_at):
            _wake(utterance, now_at, by, waker)
            return True
    raise StorageUnavailable("The call's stream kept changing; what is to be said waits for the next document.")


def _wake(utterance: Utterance, stream: Stream, by: Interrupter, waker: Waker) -> None:
    place = Place(leg=stream.leg, reopened=0, step=stream.step)
    try:
        waker.calling().redirect(stream.call_sid, url=place.url(waker.webhook_url, "wake"))
    except TwilioRejected as refusal:
        if refusal.twilio_code in CALL_IS_OVER:
            interrupted(utterance, stream, "end", by.utterances, by.clock)
            raise NoMediaStream(f"{stream.call_sid} is over; Twilio no longer has it on the line.") from refusal
        waker.not_woken(stream.call_sid, str(refusal))
    except (TwilioUnavailable, SendOutcomeUnknown) as trouble:
        waker.not_woken(stream.call_sid, type(trouble).__name__)
