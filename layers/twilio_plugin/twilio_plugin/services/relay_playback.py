"""How much the person hears of what the agent says in a ConversationRelay session, where Twilio speaks.

Twilio tells it word by word, and at an interruption. What it does not tell is estimated by time.
"""

from __future__ import annotations

import dataclasses
from datetime import datetime

from twilio_plugin.domain.speech import Utterance
from twilio_plugin.domain.spoken_words import heard_by, words_played, words_until
from twilio_plugin.domain.stream import Stream
from twilio_plugin.services.ports import Clock, Utterances
from twilio_plugin.services.stop_speaking import Interrupter, interrupted, played


def follow_tokens(stream: Stream, words: str, by: Interrupter) -> None:
    """These words have been played. Whoever has heard an utterance to its end has heard those before it too."""
    speaking = _speaking(stream, by.utterances)
    _tell(stream, speaking, words_played(_words(speaking), words, known=_known(speaking)), by.utterances, by.clock)


def interrupt_relay(stream: Stream, said: str, by: Interrupter) -> bool:
    """The person has cut off what was being spoken, and heard so much of it. False if nothing of ours was.

    The utterances are closed first: a `say` that is still sending asks for each token whether its own is still open. Twilio
    does not say whether it was a key or a voice.
    """
    speaking = _speaking(stream, by.utterances)
    if not speaking:
        return False
    heard = words_until(_words(speaking), said, known=_known(speaking))
    for utterance in _tell(stream, speaking, heard, by.utterances, by.clock):
        interrupted(utterance, stream, "speech", by.utterances, by.clock)
    by.streams.raise_generation(stream)
    return True


def assume_played(stream: Stream, by: Interrupter) -> None:
    """The person speaks, and has interrupted nothing: what must be over by now was heard to its end."""
    for utterance, heard in heard_by(_speaking(stream, by.utterances), by.clock()):
        if utterance.complete and heard == len(utterance.pieces):
            played(utterance, stream, by.utterances, by.clock)


def estimate_heard(stream: Stream, until: str, utterances: Utterances, clock: Clock) -> None:
    """The stream is over: so much must have been heard, if Twilio has told nothing."""
    speaking = _speaking(stream, utterances)
    if not _known(speaking):
        for utterance, heard in heard_by(speaking, datetime.fromisoformat(until)):
            _heard(stream, utterance, heard, utterances, clock)


def _tell(stream: Stream, speaking: list[Utterance], heard: int, utterances: Utterances, clock: Clock) -> list[Utterance]:
    """So many words of all were heard, in order. Which utterances are not over, as they are then."""
    left: list[Utterance] = []
    for utterance in speaking:
        share = min(heard, len(utterance.pieces))
        heard -= share
        left += _heard(stream, utterance, share, utterances, clock)
    return left


def _heard(stream: Stream, utterance: Utterance, heard: int, utterances: Utterances, clock: Clock) -> list[Utterance]:
    if utterance.complete and heard == len(utterance.pieces):
        played(utterance, stream, utterances, clock)
        return []
    if heard > utterance.heard:
        utterances.heard(utterance, heard)
    return [dataclasses.replace(utterance, heard=max(heard, utterance.heard))]


def _speaking(stream: Stream, utterances: Utterances) -> list[Utterance]:
    return [one for one in utterances.open(stream.call_sid) if one.stream_sid == stream.stream_sid]


def _words(speaking: list[Utterance]) -> list[str]:
    return [piece.words for utterance in speaking for piece in utterance.pieces]


def _known(speaking: list[Utterance]) -> int:
    """Utterances are spoken in order: of those behind the first, nothing has been heard before it is over."""
    return speaking[0].heard if speaking else 0
