"""Tell a call that is going on what to do."""

from __future__ import annotations

from dataclasses import dataclass

from twilio_plugin.domain import twiml
from twilio_plugin.domain.actions import ControlCall, ControlledCall
from twilio_plugin.domain.phone_number import e164
from twilio_plugin.errors import InvalidRequest
from twilio_plugin.services.answer_call import leg_url
from twilio_plugin.services.call_document import document_or_url
from twilio_plugin.services.ports import Calling, StreamReader

_BELONGS_TO = {"to": "transfer", "digits": "send_digits", "say": "update", "twiml": "update", "url": "update"}


@dataclass(frozen=True, slots=True)
class Controller:
    """What controlling a call needs."""

    calling: Calling
    streams: StreamReader
    phone_number: str
    default_region: str
    stay_seconds: int
    """How long the line of a call without a stream stays open for what comes next."""
    webhook_url: str
    """The root of our webhooks."""


def control_call(request: ControlCall, by: Controller) -> ControlledCall:
    """Do it, at once. What the call was doing is abandoned; one with a stream gets a new one after words and keys.

    Raises:
        InvalidRequest, InvalidPhoneNumber: refused before Twilio.
        StorageUnavailable: nothing was asked of Twilio.
        TwilioRejected: above all 21220, the call is over; 20404, there is none.
        TwilioUnavailable, SendOutcomeUnknown: see `twilio_plugin.errors`.
    """
    _refuse_what_does_not_belong(request)
    if request.action == "end":
        return ControlledCall(call_sid=request.call_sid, status=by.calling.end(request.call_sid))
    document, url = _document(request, by)
    return ControlledCall(call_sid=request.call_sid, status=by.calling.redirect(request.call_sid, twiml=document, url=url))


def _document(request: ControlCall, by: Controller) -> tuple[str | None, str | None]:
    if request.action == "update":
        if request.say is not None:
            return document_or_url(request.say, request.twiml, request.url, _afterwards(request.call_sid, by))
        if request.twiml is None and request.url is None:
            raise InvalidRequest("Give one of `say`, `twiml` and `url`: it is what the person hears.")
        return document_or_url(None, request.twiml, request.url)
    if request.action == "send_digits":
        if not request.digits:
            raise InvalidRequest("`digits` is missing: the keys to press.")
        return twiml.document(twiml.press(request.digits), _afterwards(request.call_sid, by)), None
    if not request.to:
        raise InvalidRequest("`to` is missing: the number to connect the person to.")
    number = e164(request.to, default_region=by.default_region)
    return twiml.document(twiml.dial(number, caller_id=by.phone_number)), None


def _afterwards(call_sid: str, by: Controller) -> twiml.Verb:
    """Back to where the agent hears the person; where it did not, the line stays open."""
    stream = by.streams.of_call(call_sid)
    if stream is None or stream.ended_at:
        return twiml.pause(by.stay_seconds)
    return twiml.redirect(leg_url(by.webhook_url, stream.mode, stream.leg + 1, reopened=0))


def _refuse_what_does_not_belong(request: ControlCall) -> None:
    for name, action in _BELONGS_TO.items():
        if getattr(request, name) is not None and request.action != action:
            raise InvalidRequest(f"`{name}` goes with the action {action!r}, not with {request.action!r}.")
