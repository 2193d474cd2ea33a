"""What comes back from the phone while the agent speaks: marks, and keys."""

from __future__ import annotations

from twilio_plugin.domain.events import DtmfReceived, event_id
from twilio_plugin.domain.media_stream import Key, Mark
from twilio_plugin.domain.speech import read_mark
from twilio_plugin.domain.stream import Stream
from twilio_plugin.domain.timestamp import iso
from twilio_plugin.services.ports import Clock, Outbox, Utterances
from twilio_plugin.services.stop_speaking import Interrupter, interrupt, played


def follow_mark(stream: Stream, mark: Mark, utterances: Utterances, clock: Clock) -> None:
    """A piece has been played, and so have those before it; after the last, the utterance is over.

    Marks of an utterance that is over are what ``clear`` sent back: nobody heard those.
    """
    named = read_mark(mark.name)
    utterance = named and utterances.find(stream.call_sid, named[0])
    if not named or not utterance or utterance.state != "speaking" or named[1] > len(utterance.pieces):
        return
    if utterance.complete and named[1] == len(utterance.pieces):
        played(utterance, stream, utterances, clock)
    else:
        utterances.heard(utterance, named[1])


def press_key(stream: Stream, key: Key, outbox: Outbox, by: Interrupter) -> None:
    """Announce the key. It interrupts, as words do."""
    event = DtmfReceived(
        event_id=event_id(DtmfReceived, stream.stream_sid, key.sequence_number),
        occurred_at=iso(by.clock()),
        digit=key.digit,
        **stream.envelope,
    )
    outbox.add(event)
    interrupt(stream, "key", by)
