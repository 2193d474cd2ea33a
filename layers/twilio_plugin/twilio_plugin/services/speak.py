"""The agent says something to a person on the phone."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from twilio_plugin.domain import media_stream
from twilio_plugin.domain.actions import Said, Say
from twilio_plugin.domain.speech import Piece, Utterance, mark_name, phrases, pieces
from twilio_plugin.domain.stream import Stream
from twilio_plugin.domain.timestamp import iso
from twilio_plugin.errors import InvalidRequest, Misconfigured, NoMediaStream, SpeakerBusy, SpeechUnavailable
from twilio_plugin.services.ports import Clock, ConnectionGone, Synthesizer
from twilio_plugin.services.say_between import Waker, say_between
from twilio_plugin.services.speak_relay import RelayVoice, speak_relay
from twilio_plugin.services.stop_speaking import Interrupter, hush, interrupt, interrupted

_AUDIO = "[audio]"


class _Phrase:
    """A phrase in pieces, with its sound."""

    def __init__(self, cut: Sequence[tuple[Piece, bytes]], *, is_last: bool) -> None:
        self.pieces = tuple(piece for piece, _ in cut)
        self.sounds = tuple(sound for _, sound in cut)
        self.is_last = is_last


@dataclass(frozen=True, slots=True)
class Speaker:
    """What speaking needs."""

    by: Interrupter
    synthesizer: Synthesizer
    clock: Clock
    sleep: Callable[[float], None]
    new_id: Callable[[], str]
    """Ids that sort by time."""
    waker: Waker
    """For calls without a socket."""
    hold: timedelta = timedelta(seconds=15)
    """How long the stream stays ours without a sign of life; longer than the synthesis of a phrase takes."""
    patience: timedelta = timedelta(seconds=30)
    """How long to wait for somebody else who is sending."""
    look_every: float = 0.05
    """Seconds."""


def say(request: Say, speaker: Speaker) -> Said:
    """Say it behind whatever is still being said, as the call's mode has it; answers when all is on its way.

    Raises:
        InvalidRequest: nothing to say, or sound that is none, or none for this call.
        NoMediaStream: the call has no open stream, or it was closed meanwhile.
        SpeakerBusy: another utterance is being sent for too long.
        SpeechUnavailable, Misconfigured: the synthesizer failed; what it had made by then is played.
    """
    texts = _texts(request)
    stream = open_stream(request.call_sid, speaker.by)
    match stream.mode:
        case "gather":
            return say_between(request, stream, speaker.new_id(), speaker.by, speaker.waker)
        case "relay" if request.text is None:
            raise InvalidRequest("`audio` cannot be said in this call: its mode is relay, in which Twilio speaks. Give `text`.")
        case _:
            return _send_all(request, stream, texts, speaker)


def _send_all(request: Say, stream: Stream, texts: Sequence[str], speaker: Speaker) -> Said:
    """Send it over the socket; answers when Twilio has it all."""
    if request.interrupt and stream.mode == "stream":  # from a relay session nothing can be taken back
        interrupt(stream, "say", speaker.by)
    utterance_id = speaker.new_id()
    _wait_for_turn(stream, utterance_id, speaker)
    try:
        finished = _speak(request, texts, utterance_id, speaker)
    except ConnectionGone as gone:
        raise NoMediaStream(f"The stream of {request.call_sid} was closed before all was said.") from gone
    finally:
        speaker.by.utterances.let_go(stream, utterance_id)
    return Said(utterance_id=utterance_id, call_sid=request.call_sid, status="accepted" if finished else "interrupted")


def open_stream(call_sid: str, by: Interrupter) -> Stream:
    """The stream to speak into.

    Raises:
        NoMediaStream: there is none.
    """
    stream = by.streams.of_call(call_sid)
    if stream is None or stream.ended_at:
        raise NoMediaStream(
            f"{call_sid} has no open media stream: it is over, not answered yet, or run by a TwiML document. "
            "Wait for VOICE_STREAM_STARTED; `control_call` replaces a document."
        )
    return stream


def _wait_for_turn(stream: Stream, utterance_id: str, speaker: Speaker) -> None:
    deadline = speaker.clock() + speaker.patience
    while not _hold(stream, utterance_id, speaker):
        if speaker.clock() >= deadline:
            raise SpeakerBusy(f"Another utterance is being sent to {stream.call_sid}. Say this after it was accepted.")
        speaker.sleep(speaker.look_every)


def _hold(stream: Stream, utterance_id: str, speaker: Speaker) -> bool:
    now = speaker.clock()
    return speaker.by.utterances.hold(stream, utterance_id, until=iso(now + speaker.hold), now=iso(now))


def _speak(request: Say, texts: Sequence[str], utterance_id: str, speaker: Speaker) -> bool:
    """Whether it was sent to the end."""
    stream = open_stream(request.call_sid, speaker.by)  # as it is now that it is our turn
    match stream.mode:
        case "relay":
            voice = RelayVoice(speaker.by, speaker.sleep, lambda: _hold(stream, utterance_id, speaker))
            return speak_relay(texts, stream, utterance_id, voice, allow_barge_in=request.allow_barge_in)
        case _:
            return _speak_sound(request, texts, stream, utterance_id, speaker)


def _speak_sound(request: Say, texts: Sequence[str], stream: Stream, utterance_id: str, speaker: Speaker) -> bool:
    """Each phrase is on its way before the next one is made."""
    by = speaker.by
    spoken = _phrases(request, texts, speaker.synthesizer)
    first = next(spoken)
    utterance = Utterance(
        call_sid=stream.call_sid,
        stream_sid=stream.stream_sid,
        utterance_id=utterance_id,
        text=request.text or _AUDIO,
        allow_barge_in=request.allow_barge_in,
        started_at=iso(speaker.clock()),
        reply_ms=stream.reply_milliseconds(speaker.clock()),
        pieces=first.pieces,
        complete=first.is_last,
    )
    by.utterances.begin(stream, utterance)
    try:
        if not _send(stream, utterance, 0, first, by):
            return False
        sent = len(first.pieces)
        for phrase in spoken:
            _hold(stream, utterance_id, speaker)
            if not by.utterances.add_pieces(utterance, phrase.pieces, complete=phrase.is_last):
                return False  # interrupted, and Twilio has been told
            if not _send(stream, utterance, sent, phrase, by):
                return False
            sent += len(phrase.pieces)
    except ConnectionGone:
        interrupted(utterance, stream, "end", by.utterances, by.clock)
        raise
    except (SpeechUnavailable, Misconfigured):
        by.utterances.add_pieces(utterance, (), complete=True)  # what was sent is all there is
        raise
    return True


def _send(stream: Stream, utterance: Utterance, sent: int, phrase: _Phrase, by: Interrupter) -> bool:
    """Send one phrase. False if the stream's generation rises meanwhile: then no more of this may be heard."""
    for number, sound in enumerate(phrase.sounds, sent + 1):
        if _is_interrupted(stream, by):
            break
        if sound:
            by.connections.send(stream.connection_id, media_stream.media(stream.stream_sid, sound))
        by.connections.send(
            stream.connection_id, media_stream.mark(stream.stream_sid, mark_name(utterance.utterance_id, number))
        )
    if not _is_interrupted(stream, by):
        return True
    # What was sent after somebody's `clear` would still be played. They may also have come before this utterance was kept.
    interrupted(utterance, stream, "speech", by.utterances, by.clock)
    hush(stream, by.connections)
    return False


def _is_interrupted(stream: Stream, by: Interrupter) -> bool:
    return by.streams.read(stream).generation != stream.generation


def _phrases(request: Say, texts: Sequence[str], synthesizer: Synthesizer) -> Iterator[_Phrase]:
    """What is to be said, one phrase after the other, each made when it is asked for."""
    if request.audio is not None:
        yield _Phrase(pieces("", _sound(request.audio)), is_last=True)
    for number, text in enumerate(texts, 1):
        yield _Phrase(pieces(text, synthesizer.synthesize(text.strip())), is_last=number == len(texts))


def _texts(request: Say) -> list[str]:
    """The phrases of its text; none where it is sound. Raises InvalidRequest where nothing is to be said."""
    if (request.text is None) == (request.audio is None):
        raise InvalidRequest("Give one of `text` and `audio`: it is what the person hears.")
    if request.audio is not None:
        _sound(request.audio)
        return []
    texts = [text for text in phrases(request.text or "") if any(character.isalnum() for character in text)]
    if not texts:
        raise InvalidRequest("`text` holds nothing that can be spoken.")
    return texts


def _sound(audio: str) -> bytes:
    try:
        sound = base64.b64decode(audio, validate=True)
    except binascii.Error as error:
        raise InvalidRequest("`audio` is not base64.") from error
    if sound.startswith((b"RIFF", b"ID3", b"OggS")):
        raise InvalidRequest("`audio` has the header of a file; it must be raw µ-law, 8,000 samples a second.")
    return sound
