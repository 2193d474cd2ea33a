"""Tell a call that is going on what to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from twilio_plugin.domain import relay, twiml
from twilio_plugin.domain.actions import ControlAction, ControlCall, ControlledCall
from twilio_plugin.domain.address import Address
from twilio_plugin.domain.phone_number import e164
from twilio_plugin.domain.stream import Stream
from twilio_plugin.domain.transcription import NAMES, asked_for
from twilio_plugin.domain.webhook_retries import RETRY_CALLBACK
from twilio_plugin.errors import InvalidRequest, NoMediaStream, TwilioRejected
from twilio_plugin.services.answer_call import hang_up_url, leg_url
from twilio_plugin.services.call_document import document_or_url, spoken_document
from twilio_plugin.services.end_stream import end_stream
from twilio_plugin.services.outbound_guard import OutboundGuard
from twilio_plugin.services.ports import (
    Calling,
    CallTranscriptionReader,
    Clock,
    ConnectionGone,
    Connections,
    Streams,
    Utterances,
)

_BELONGS_TO: dict[str, tuple[ControlAction, ...]] = {
    "to": ("transfer", "hand_off"),
    "digits": ("send_digits",),
    "say": ("update", "record_message"),
    "twiml": ("update",),
    "url": ("update", "play"),
    "loop": ("play",),
    "tts_language": ("set_language",),
    "transcription_language": ("set_language",),
    "handoff_data": ("hand_off",),
    "time_limit": ("limit",),
    "transcribe": ("transfer",),
    "record": ("transfer",),
    "outbound_track": ("start_transcription",),
    "max_length": ("record_message",),
    "then": ("record_message",),
}
_MESSAGE_SECONDS = 120
# Without it, the person's every key would end the message.
_MESSAGE_ENDS_WITH = "#"
# The status of a call that is told something beside its document: no other takes a hand-off, or a transcription.
_GOES_ON = "in-progress"
# A call that Twilio has asked us about is answered a moment later, and cannot be limited before: seconds between looks.
_UNANSWERED = ("queued", "ringing")
_UNTIL_ANSWERED = (0.5, 1.0, 2.0)
# What goes over the socket of a ConversationRelay session; and what does where there is one, and else is a document.
_OF_SESSIONS: tuple[ControlAction, ...] = ("hand_off", "set_language")
_OF_SESSIONS_TOO: tuple[ControlAction, ...] = ("send_digits", "play")
# Twilio says what became of a recording, and also that there is none.
_RECORDING_EVENTS = "completed absent"


@dataclass(frozen=True, slots=True)
class Controller:
    """What controlling a call needs."""

    calling: Calling
    streams: Streams
    utterances: Utterances
    connections: Callable[[], Connections]
    """Asked for only where something goes over a ConversationRelay session."""
    clock: Clock
    sleep: Callable[[float], None]
    guard: OutboundGuard
    phone_number: str
    default_region: str
    stay_seconds: int
    """How long the line of a call without a stream stays open for what comes next."""
    webhook_url: str
    """The root of our webhooks."""
    transcriptions: CallTranscriptionReader
    language: str


def control_call(request: ControlCall, by: Controller) -> ControlledCall:
    """Do it, at once. What the call was doing is abandoned; one with a stream gets a new one after words and keys.

    Only a ConversationRelay session takes keys, sounds, languages and a hand-off, over its own socket.

    Raises:
        InvalidRequest, InvalidPhoneNumber, RecipientNotAllowed: refused before Twilio.
        NoMediaStream: what only a session takes, for one that is over.
        StorageUnavailable: nothing was asked of Twilio.
        TwilioRejected: above all 21220, the call is over, which is no error of `limit`; 20404, there is none.
        TwilioUnavailable, SendOutcomeUnknown: see `twilio_plugin.errors`.
    """
    _refuse_what_does_not_belong(request)
    if request.action == "end":
        return ControlledCall(call_sid=request.call_sid, status=by.calling.end(request.call_sid))
    if request.action == "limit":
        return ControlledCall(call_sid=request.call_sid, status=_limit(request, by))
    if request.action == "start_transcription":
        return _start_transcription(request, by)
    if request.action == "stop_transcription":
        return _stop_transcription(request, by)
    stream = by.streams.of_call(request.call_sid)
    if request.action in _OF_SESSIONS or (request.action in _OF_SESSIONS_TOO and _is_relayed(stream)):
        _send(request, stream, by)
        return ControlledCall(call_sid=request.call_sid, status=_GOES_ON)
    document, url = _document(request, stream, by)
    status = by.calling.redirect(request.call_sid, twiml=document, url=url)
    if stream and stream.mode != "stream" and not stream.ended_at:
        end_stream(stream, "stopped", by)  # nobody else tells it, or not at once
    return ControlledCall(call_sid=request.call_sid, status=status)


def _is_relayed(stream: Stream | None) -> bool:
    return stream is not None and stream.mode == "relay" and not stream.ended_at


def _message(request: ControlCall, by: Controller) -> str:
    if request.action == "send_digits":
        return relay.send_digits(_digits(request).lower())
    if request.action == "play":
        return relay.play(_sound(request), loop=_loop(request))
    if request.action == "set_language":
        if request.tts_language is None and request.transcription_language is None:
            raise InvalidRequest("Give `tts_language`, `transcription_language` or both: what to speak and what to hear.")
        return relay.language(tts=request.tts_language, transcription=request.transcription_language)
    data = request.handoff_data or {}
    if "to" in data:
        raise InvalidRequest("`handoff_data` has a `to`: give the number to connect the person to as `to` beside it.")
    return relay.end(data | ({"to": _number(request.to, by)} if request.to else {}))


def _send(request: ControlCall, stream: Stream | None, by: Controller) -> None:
    message = _message(request, by)
    if stream is None or not _is_relayed(stream):
        raise NoMediaStream(
            f"The call has no open ConversationRelay session, which {request.action!r} is for. `transfer` works in every call."
        )
    try:
        by.connections().send(stream.connection_id, message)
    except ConnectionGone as gone:
        raise NoMediaStream(f"The ConversationRelay session of {stream.call_sid} has just lost its connection.") from gone


def _digits(request: ControlCall) -> str:
    if not request.digits:
        raise InvalidRequest("`digits` is missing: the keys to press.")
    return request.digits


def _sound(request: ControlCall) -> str:
    if not request.url:
        raise InvalidRequest("`url` is missing: the sound file to play.")
    return request.url


def _loop(request: ControlCall) -> int:
    return 1 if request.loop is None else request.loop


def _document(request: ControlCall, stream: Stream | None, by: Controller) -> tuple[str | None, str | None]:
    if request.action == "update":
        if request.say is not None:
            return document_or_url(request.say, request.twiml, request.url, _afterwards(stream, by))
        if request.twiml is None and request.url is None:
            raise InvalidRequest("Give one of `say`, `twiml` and `url`: it is what the person hears.")
        return document_or_url(None, request.twiml, request.url)
    if request.action == "send_digits":
        return twiml.document(twiml.press(_digits(request)), _afterwards(stream, by)), None
    if request.action == "play":
        return twiml.document(twiml.play(_sound(request), loop=_loop(request)), _afterwards(stream, by)), None
    if request.action == "record_message":
        return _message_document(request, stream, by), None
    if not request.to:
        raise InvalidRequest("`to` is missing: the number to connect the person to.")
    number = _number(request.to, by)
    return twiml.document(*_listening_to_callee(request, by), _dial(number, by, record=request.record)), None


def _dial(number: str, by: Controller, *, record: bool) -> twiml.Verb:
    reported = {"record": "record-from-answer-dual", **_reported(by)} if record else {}
    return twiml.dial(number, caller_id=by.phone_number, time_limit=by.guard.limits.max_call_seconds, **reported)


def _message_document(request: ControlCall, stream: Stream | None, by: Controller) -> str:
    """Words, a beep, the message. Twilio goes on at `action` after a message, and with the next verb where nothing was said."""
    if request.then == "listen":
        if stream is None or stream.ended_at:
            raise InvalidRequest("`then` listen: the call has no open media stream that the agent could listen to again.")
        action = _next_leg(stream, by)
        afterwards = twiml.redirect(action)
    else:
        action, afterwards = hang_up_url(by.webhook_url), twiml.hangup()
    message = twiml.record(
        action=action,
        max_length=request.max_length or _MESSAGE_SECONDS,
        finish_on_key=_MESSAGE_ENDS_WITH,
        **_reported(by),
    )
    if request.say is None:
        return twiml.document(message, afterwards)
    return spoken_document("say", request.say, message, afterwards)


def _reported(by: Controller) -> dict[str, str]:
    """Where Twilio tells what became of a recording."""
    url = f"{by.webhook_url}/status{RETRY_CALLBACK}"
    return {"recording_status_callback": url, "recording_status_callback_event": _RECORDING_EVENTS}


def _listening_to_callee(request: ControlCall, by: Controller) -> list[twiml.Verb]:
    """A call that is transcribed stays so, but from here on it is the callee that the person hears."""
    running = by.transcriptions.of_call(request.call_sid)
    heard = any(one.other == "agent" for one in running)
    if not heard and (running or not request.transcribe):
        return []
    stop = [twiml.stop_transcription(NAMES["agent"])] if heard else []
    return [*stop, twiml.start_transcription(**asked_for("callee", language=by.language, webhook_url=by.webhook_url))]


def _start_transcription(request: ControlCall, by: Controller) -> ControlledCall:
    stream = by.streams.of_call(request.call_sid)
    if stream and not stream.ended_at:
        raise InvalidRequest(
            "The call has an open media stream: the agent hears the person already. A `transfer` takes `transcribe`."
        )
    if by.transcriptions.of_call(request.call_sid):
        raise InvalidRequest("The call is being transcribed already. Its words come as SPEECH_TRANSCRIBED.")
    asked = asked_for(request.outbound_track or "agent", language=by.language, webhook_url=by.webhook_url)
    sid = by.calling.start_transcription(request.call_sid, asked)
    return ControlledCall(call_sid=request.call_sid, status=_GOES_ON, transcription_sid=sid)


def _stop_transcription(request: ControlCall, by: Controller) -> ControlledCall:
    running = [one.transcription_sid for one in by.transcriptions.of_call(request.call_sid)]
    # One that has just been started may not have reported itself yet: Twilio knows it by its name.
    for transcription in running or [NAMES["agent"]]:
        by.calling.stop_transcription(request.call_sid, transcription)
    return ControlledCall(call_sid=request.call_sid, status=_GOES_ON)


def _number(written: str, by: Controller) -> str:
    """A number that the person may be connected to."""
    number = e164(written, default_region=by.default_region)
    by.guard.admit(Address("phone", by.phone_number), Address("phone", number), "call")
    return number


def _limit(request: ControlCall, by: Controller) -> str:
    if request.time_limit is None:
        raise InvalidRequest("`time_limit` is missing: the seconds that the call may last.")
    # It is asked for of every person's call, as soon as it is known.
    pauses = iter(_UNTIL_ANSWERED)
    while True:
        try:
            return by.calling.limit(request.call_sid, min(request.time_limit, by.guard.limits.max_call_seconds))
        except TwilioRejected:
            call = by.calling.fetch(request.call_sid)
            if call and call.ended:
                return call.status  # they have hung up by now, and there is nothing left to limit
            pause = next(pauses, None) if call and call.status in _UNANSWERED else None
            if pause is None:
                raise
        by.sleep(pause)


def _afterwards(stream: Stream | None, by: Controller) -> twiml.Verb:
    """Back to where the agent hears the person; where it did not, the line stays open."""
    if stream is None or stream.ended_at:
        return twiml.pause(by.stay_seconds)
    return twiml.redirect(_next_leg(stream, by))


def _next_leg(stream: Stream, by: Controller) -> str:
    return leg_url(by.webhook_url, stream.mode, stream.leg + 1, reopened=0)


def _refuse_what_does_not_belong(request: ControlCall) -> None:
    for name, actions in _BELONGS_TO.items():
        if getattr(request, name) not in (None, False) and request.action not in actions:
            wanted = " or ".join(map(repr, actions))
            raise InvalidRequest(f"`{name}` goes with the action {wanted}, not with {request.action!r}.")
