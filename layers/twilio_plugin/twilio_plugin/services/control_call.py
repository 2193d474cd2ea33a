"""Tell a call that is going on what to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from twilio_plugin.domain import relay, twiml
from twilio_plugin.domain.actions import ControlCall, ControlledCall
from twilio_plugin.domain.address import Address
from twilio_plugin.domain.phone_number import e164
from twilio_plugin.domain.stream import Stream
from twilio_plugin.errors import InvalidRequest, NoMediaStream, TwilioRejected
from twilio_plugin.services.answer_call import leg_url
from twilio_plugin.services.call_document import document_or_url
from twilio_plugin.services.end_stream import end_stream
from twilio_plugin.services.outbound_guard import OutboundGuard
from twilio_plugin.services.ports import Calling, Clock, ConnectionGone, Connections, Streams, Utterances

_BELONGS_TO = {
    "to": ("transfer", "hand_off"),
    "digits": ("send_digits",),
    "say": ("update",),
    "twiml": ("update",),
    "url": ("update",),
    "handoff_data": ("hand_off",),
    "time_limit": ("limit",),
}
_GOES_ON = "in-progress"  # the status of a call that is told something without Twilio's REST API


@dataclass(frozen=True, slots=True)
class Controller:
    """What controlling a call needs."""

    calling: Calling
    streams: Streams
    utterances: Utterances
    connections: Callable[[], Connections]
    """Asked for only where something goes over a ConversationRelay session."""
    clock: Clock
    guard: OutboundGuard
    phone_number: str
    default_region: str
    stay_seconds: int
    """How long the line of a call without a stream stays open for what comes next."""
    webhook_url: str
    """The root of our webhooks."""


def control_call(request: ControlCall, by: Controller) -> ControlledCall:
    """Do it, at once. What the call was doing is abandoned; one with a stream gets a new one after words and keys.

    Only a ConversationRelay session takes keys, and a hand-off, over its own socket.

    Raises:
        InvalidRequest, InvalidPhoneNumber, RecipientNotAllowed: refused before Twilio.
        NoMediaStream: a hand-off, or keys, for a session that is over.
        StorageUnavailable: nothing was asked of Twilio.
        TwilioRejected: above all 21220, the call is over, which is no error of `limit`; 20404, there is none.
        TwilioUnavailable, SendOutcomeUnknown: see `twilio_plugin.errors`.
    """
    _refuse_what_does_not_belong(request)
    if request.action == "end":
        return ControlledCall(call_sid=request.call_sid, status=by.calling.end(request.call_sid))
    if request.action == "limit":
        return ControlledCall(call_sid=request.call_sid, status=_limit(request, by))
    stream = by.streams.of_call(request.call_sid)
    if request.action == "hand_off" or (request.action == "send_digits" and _is_relayed(stream)):
        _send(stream, _message(request, by), by)
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
    data = request.handoff_data or {}
    if "to" in data:
        raise InvalidRequest("`handoff_data` has a `to`: give the number to connect the person to as `to` beside it.")
    return relay.end(data | ({"to": _number(request.to, by)} if request.to else {}))


def _send(stream: Stream | None, message: str, by: Controller) -> None:
    if stream is None or not _is_relayed(stream):
        raise NoMediaStream("The call has no open ConversationRelay session to hand over; `transfer` works in every call.")
    try:
        by.connections().send(stream.connection_id, message)
    except ConnectionGone as gone:
        raise NoMediaStream(f"The ConversationRelay session of {stream.call_sid} has just lost its connection.") from gone


def _digits(request: ControlCall) -> str:
    if not request.digits:
        raise InvalidRequest("`digits` is missing: the keys to press.")
    return request.digits


def _document(request: ControlCall, stream: Stream | None, by: Controller) -> tuple[str | None, str | None]:
    if request.action == "update":
        if request.say is not None:
            return document_or_url(request.say, request.twiml, request.url, _afterwards(stream, by))
        if request.twiml is None and request.url is None:
            raise InvalidRequest("Give one of `say`, `twiml` and `url`: it is what the person hears.")
        return document_or_url(None, request.twiml, request.url)
    if request.action == "send_digits":
        return twiml.document(twiml.press(_digits(request)), _afterwards(stream, by)), None
    if not request.to:
        raise InvalidRequest("`to` is missing: the number to connect the person to.")
    return twiml.document(
        twiml.dial(_number(request.to, by), caller_id=by.phone_number, time_limit=by.guard.limits.max_call_seconds)
    ), None


def _number(written: str, by: Controller) -> str:
    """A number that the person may be connected to."""
    number = e164(written, default_region=by.default_region)
    by.guard.admit(Address("phone", by.phone_number), Address("phone", number), "call")
    return number


def _limit(request: ControlCall, by: Controller) -> str:
    if request.time_limit is None:
        raise InvalidRequest("`time_limit` is missing: the seconds that the call may last.")
    try:
        return by.calling.limit(request.call_sid, min(request.time_limit, by.guard.limits.max_call_seconds))
    except TwilioRejected:
        # It is asked for of every person's call. Some have hung up by then, and there is nothing left to limit.
        call = by.calling.fetch(request.call_sid)
        if call and call.ended:
            return call.status
        raise


def _afterwards(stream: Stream | None, by: Controller) -> twiml.Verb:
    """Back to where the agent hears the person; where it did not, the line stays open."""
    if stream is None or stream.ended_at:
        return twiml.pause(by.stay_seconds)
    return twiml.redirect(leg_url(by.webhook_url, stream.mode, stream.leg + 1, reopened=0))


def _refuse_what_does_not_belong(request: ControlCall) -> None:
    for name, actions in _BELONGS_TO.items():
        if getattr(request, name) is not None and request.action not in actions:
            wanted = " or ".join(map(repr, actions))
            raise InvalidRequest(f"`{name}` goes with the action {wanted}, not with {request.action!r}.")
