"""A call to a person, made at most once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from twilio_plugin.domain import actions, twiml
from twilio_plugin.domain.address import Address
from twilio_plugin.domain.call import CallRequest, CallUpdate
from twilio_plugin.domain.events import CallStarted, event_id
from twilio_plugin.domain.phone_number import e164
from twilio_plugin.domain.timestamp import iso
from twilio_plugin.errors import InvalidRequest, PluginError, SendOutcomeUnknown, StorageUnavailable
from twilio_plugin.services.ports import Calling, CallRequests, Clock

MAX_TWIML = 4000  # characters of a document in a request


@dataclass(frozen=True, slots=True)
class Caller:
    """Everything calling needs: ports, and the stack's own defaults."""

    requests: CallRequests
    calling: Calling
    clock: Clock
    phone_number: str
    default_region: str
    not_recorded: Callable[[str], None]
    """Told the SID of a call that Twilio took and storage did not; reconciliation will record it."""


def make_call(request: actions.MakeCall, request_id: str, by: Caller) -> actions.MadeCall:
    """Call, and say what was asked for when the person answers.

    `request_id` stands in for the idempotency key where the caller gave none: Lambda keeps it over its own retries.

    Raises:
        InvalidRequest, InvalidPhoneNumber: refused before Twilio.
        TwilioRejected, TwilioUnavailable, SendOutcomeUnknown, IdempotencyKeyReused, SendInProgress: see
            `twilio_plugin.errors`.
    """
    call = _call(request, request_id, by)
    made = by.requests.claim(call)
    if made is None:
        made = _hand_over(call, by)
        try:
            by.requests.record_made(call, made, started_event(call, made, iso(by.clock())))
        except StorageUnavailable:
            # The phone is ringing. To fail now would invite the caller to let it ring again.
            by.not_recorded(made.call_sid)
    return actions.MadeCall(
        call_sid=made.call_sid,
        status=made.status,
        conversation_id=call.conversation_id,
        to=str(call.recipient),
        from_=str(call.sender),
    )


def started_event(call: CallRequest, made: CallUpdate, now: str) -> CallStarted:
    """The announcement of a call that Twilio accepted."""
    return CallStarted(
        event_id=event_id(CallStarted, made.call_sid),
        occurred_at=now,
        account_sid=made.account_sid,
        conversation_id=call.conversation_id,
        call_sid=made.call_sid,
        from_=str(call.sender),
        to=str(call.recipient),
        status=made.status,
        request_id=call.request_id,
    )


def one_document(
    words: str | None, document: str | None, url: str | None, *, stay_seconds: int
) -> tuple[str | None, str | None]:
    """What a person is to hear, as TwiML or as a URL.

    Raises:
        InvalidRequest: none of the three was given, or more than one.
    """
    if sum(one is not None for one in (words, document, url)) != 1:
        raise InvalidRequest("Give exactly one of `say`, `twiml` and `url`: it is what the person hears.")
    if words is not None and not twiml.spoken(words):
        raise InvalidRequest("`say` holds nothing that can be spoken.")
    spoken = twiml.say(words, stay_seconds=stay_seconds) if words else None
    if spoken and len(spoken) > MAX_TWIML:
        raise InvalidRequest(f"`say` is too long: as TwiML it has {len(spoken)} characters, and Twilio takes {MAX_TWIML}.")
    return spoken or document, url


def _call(request: actions.MakeCall, request_id: str, by: Caller) -> CallRequest:
    document, url = one_document(request.say, request.twiml, request.url, stay_seconds=0)
    recipient = e164(request.to, default_region=by.default_region)
    sender = e164(request.from_ or by.phone_number, default_region=by.default_region)
    if sender == recipient:
        raise InvalidRequest("`to` is our own number: it would call itself.")
    facts = json.dumps([recipient, sender, document, url, request.time_limit])
    return CallRequest(
        request_id=request.idempotency_key or request_id,
        fingerprint=hashlib.sha256(facts.encode()).hexdigest(),
        sender=Address("phone", sender),
        recipient=Address("phone", recipient),
        time_limit=request.time_limit,
        twiml=document,
        url=url,
    )


def _hand_over(call: CallRequest, by: Caller) -> CallUpdate:
    try:
        return by.calling.make(call)
    except PluginError as error:
        # What became of the call matters more than whether that could be written down; a claim that stays is settled later.
        with suppress(StorageUnavailable):
            if isinstance(error, SendOutcomeUnknown):
                by.requests.mark_unknown(call)
            else:
                by.requests.release(call)
        raise
