"""Words for a ConversationRelay session, where Twilio speaks: a token a phrase, the last one marked so.

Twilio cannot be told to forget a token. So each one is preceded by a look at whether its utterance is still wanted; between the
look and the token there is only the request that carries it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from twilio_plugin.domain import relay
from twilio_plugin.domain.speech import Utterance
from twilio_plugin.domain.spoken_words import spoken_words
from twilio_plugin.domain.stream import Stream
from twilio_plugin.domain.timestamp import iso
from twilio_plugin.services.ports import ConnectionGone
from twilio_plugin.services.stop_speaking import Interrupter, interrupted

_LOOK_EVERY = 0.25  # seconds


@dataclass(frozen=True, slots=True)
class RelayVoice:
    """What speaking needs."""

    by: Interrupter
    sleep: Callable[[float], None]
    hold: Callable[[], object]
    """Keeps the right to speak."""
    reconnect: timedelta = timedelta(seconds=8)
    """How long to wait for the connection that takes the place of a lost one; less than the right to speak lasts."""


def speak_relay(
    texts: Sequence[str], stream: Stream, utterance_id: str, voice: RelayVoice, *, allow_barge_in: bool = True
) -> bool:
    """Send the phrases. False if they are stopped before the last one has left.

    Raises:
        NoMediaStream: the stream is over.
        ConnectionGone: the connection was lost, and no other took its place.
    """
    by = voice.by
    utterance = Utterance(
        call_sid=stream.call_sid,
        stream_sid=stream.stream_sid,
        utterance_id=utterance_id,
        text="".join(texts),
        allow_barge_in=allow_barge_in,
        started_at=iso(by.clock()),
        reply_ms=stream.reply_milliseconds(by.clock()),
        pieces=spoken_words(texts[0]),
        complete=len(texts) == 1,
    )
    by.utterances.begin(stream, utterance)
    try:
        for number, text in enumerate(texts, 1):
            last = number == len(texts)
            if number > 1:
                voice.hold()
                if not by.utterances.add_pieces(utterance, spoken_words(text), complete=last):
                    return False
            if not _send(stream, relay.text(text, last=last, interruptible=allow_barge_in), voice):
                interrupted(utterance, stream, "speech", by.utterances, by.clock)  # unless whoever stopped it did so
                return False
    except ConnectionGone:
        interrupted(utterance, stream, "end", by.utterances, by.clock)
        raise
    return True


def _send(stream: Stream, token: str, voice: RelayVoice) -> bool:
    """Send it over the connection that the stream has now. False if what is being said is to stop."""
    deadline = voice.by.clock() + voice.reconnect
    lost = ""
    while True:
        current = voice.by.streams.read(stream)
        if current.generation != stream.generation:
            return False
        if current.connection_id != lost:
            try:
                voice.by.connections.send(current.connection_id, token)
            except ConnectionGone:
                lost = current.connection_id
            else:
                return True
        if current.ended_at or voice.by.clock() >= deadline:
            raise ConnectionGone
        voice.sleep(_LOOK_EVERY)
