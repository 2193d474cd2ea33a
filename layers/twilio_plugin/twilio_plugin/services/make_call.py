"""A call to a person, made at most once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass

from twilio_plugin.domain import actions, twiml
from twilio_plugin.domain.address import Address
from twilio_plugin.domain.call import CallRequest, CallUpdate
from twilio_plugin.domain.events import CallStarted, event_id
from twilio_plugin.domain.guards import Draw
from twilio_plugin.domain.machine_detection import MachineDetection
from twilio_plugin.domain.phone_number import e164
from twilio_plugin.domain.timestamp import iso
from twilio_plugin.domain.transcription import asked_for
from twilio_plugin.errors import InvalidRequest, PluginError, SendOutcomeUnknown, StorageUnavailable
from twilio_plugin.services.call_document import document_or_url, spoken_document
from twilio_plugin.services.outbound_guard import OutboundGuard
from twilio_plugin.services.ports import Calling, CallRequests, Clock


@dataclass(frozen=True, slots=True)
class Caller:
    """Everything calling needs: ports, and the stack's own defaults."""

    requests: CallRequests
    calling: Calling
    guard: OutboundGuard
    clock: Clock
    phone_number: str
    default_region: str
    language: str
    webhook_url: str
    """The root of our webhooks."""
    not_recorded: Callable[[str], None]
    """Told the SID of a call that Twilio took and storage did not; reconciliation will record it."""


def make_call(request: actions.MakeCall, request_id: str, by: Caller) -> actions.MadeCall:
    """Call. When the person answers, they hear what was asked for, or talk to the agent.

    `request_id` stands in for the idempotency key where the caller gave none: Lambda keeps it over its own retries.

    Raises:
        InvalidRequest, InvalidPhoneNumber, RecipientNotAllowed, CeilingReached: refused before Twilio.
        TwilioRejected, TwilioUnavailable, SendOutcomeUnknown, IdempotencyKeyReused, SendInProgress: see
            `twilio_plugin.errors`.
    """
    call = _request(request, request_id, by)
    by.guard.admit(call.sender, call.recipient, "call")
    made = by.requests.claim(call)
    if made is None:
        made = _hand_over(call, _counted(call, by), by)
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


def prepare(request: actions.MakeCall, request_id: str, by: Caller) -> CallRequest:
    """The call that `make_call` makes, refused where it refuses it. Nothing is changed or called.

    Raises:
        InvalidRequest, InvalidPhoneNumber, RecipientNotAllowed: as `make_call`.
    """
    call = _request(request, request_id, by)
    by.guard.check(call.recipient)
    return call


def _request(request: actions.MakeCall, request_id: str, by: Caller) -> CallRequest:
    asked = asked_for("agent", language=by.language, webhook_url=by.webhook_url)
    transcribed = twiml.start_transcription(**asked) if request.transcribe else None
    document, url = document_or_url(request.say, request.twiml, request.url, first=transcribed)
    if request.transcribe and not document:
        raise InvalidRequest(
            "`transcribe` goes with `say`, `twiml` or `url`: in a call without them the agent hears what is said."
        )
    if request.voice_mode and (document or url):
        raise InvalidRequest("`voice_mode` says how the person talks to the agent: it goes without `say`, `twiml` and `url`.")
    detection = _machine_detection(request.machine_detection)
    recipient = e164(request.to, default_region=by.default_region)
    sender = e164(request.from_ or by.phone_number, default_region=by.default_region)
    if sender == recipient:
        raise InvalidRequest("`to` is our own number: it would call itself.")
    detected = asdict(detection) if detection else None
    facts = json.dumps([recipient, sender, document, url, request.voice_mode, request.time_limit, request.record, detected])
    return CallRequest(
        request_id=request.idempotency_key or request_id,
        fingerprint=hashlib.sha256(facts.encode()).hexdigest(),
        sender=Address("phone", sender),
        recipient=Address("phone", recipient),
        time_limit=min(request.time_limit, by.guard.limits.max_call_seconds),
        twiml=document,
        url=url,
        voice_mode=request.voice_mode,
        record=request.record,
        machine_detection=detection,
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


def _machine_detection(asked: actions.DetectMachine | None) -> MachineDetection | None:
    if asked is None:
        return None
    leaves_message = asked.on_machine == "leave_message"
    if leaves_message is (asked.message is None):
        raise InvalidRequest("`machine_detection.message` goes with `on_machine` leave_message, and only with it.")
    document = spoken_document("machine_detection.message", asked.message, twiml.hangup()) if asked.message else None
    return MachineDetection(asked.on_machine, document)


def _counted(call: CallRequest, by: Caller) -> tuple[Draw, ...]:
    """What the call takes of the ceilings, behind its claim: a key that comes again is answered and counts nothing."""
    try:
        return by.guard.take_call(call)
    except PluginError:
        with suppress(StorageUnavailable):
            by.requests.release(call)
        raise


def _hand_over(call: CallRequest, counted: tuple[Draw, ...], by: Caller) -> CallUpdate:
    try:
        return by.calling.make(call)
    except PluginError as error:
        # What became of the call matters more than whether that could be written down; a claim that stays is settled later.
        with suppress(StorageUnavailable):
            if isinstance(error, SendOutcomeUnknown):
                by.requests.mark_unknown(call)
            else:
                by.requests.release(call)
                by.guard.call_not_made(call, counted)
        raise
