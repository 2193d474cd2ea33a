"""Tell a call that is going on what to do."""

from __future__ import annotations

from dataclasses import dataclass

from twilio_plugin.domain import twiml
from twilio_plugin.domain.actions import ControlCall, ControlledCall
from twilio_plugin.domain.phone_number import e164
from twilio_plugin.errors import InvalidRequest
from twilio_plugin.services.make_call import one_document
from twilio_plugin.services.ports import Calling

_BELONGS_TO = {"to": "transfer", "digits": "send_digits", "say": "update", "twiml": "update", "url": "update"}


@dataclass(frozen=True, slots=True)
class Controller:
    """What controlling a call needs."""

    calling: Calling
    phone_number: str
    default_region: str
    stay_seconds: int
    """How long the line stays open for what comes next."""


def control_call(request: ControlCall, by: Controller) -> ControlledCall:
    """Do it, at once. What the call was doing is abandoned.

    Raises:
        InvalidRequest, InvalidPhoneNumber: refused before Twilio.
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
        return one_document(request.say, request.twiml, request.url, stay_seconds=by.stay_seconds)
    if request.action == "send_digits":
        if not request.digits:
            raise InvalidRequest("`digits` is missing: the keys to press.")
        return twiml.press(request.digits, stay_seconds=by.stay_seconds), None
    if not request.to:
        raise InvalidRequest("`to` is missing: the number to connect the person to.")
    return twiml.dial(e164(request.to, default_region=by.default_region), caller_id=by.phone_number), None


def _refuse_what_does_not_belong(request: ControlCall) -> None:
    for name, action in _BELONGS_TO.items():
        if getattr(request, name) is not None and request.action != action:
            raise InvalidRequest(f"`{name}` goes with the action {action!r}, not with {request.action!r}.")
