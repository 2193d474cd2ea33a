"""Calls whose making has no outcome yet, and calls that nobody ended."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from twilio_plugin.domain.call import Call, CallRequest, CallUpdate
from twilio_plugin.domain.events import CallEnded, event_id
from twilio_plugin.domain.guards import requested
from twilio_plugin.domain.timestamp import iso
from twilio_plugin.errors import PluginError, SendOutcomeUnknown, StorageUnavailable, TwilioRejected, TwilioUnavailable
from twilio_plugin.services.call_minutes import CallMinutes
from twilio_plugin.services.make_call import started_event
from twilio_plugin.services.ports import Calling, CallRequests, Calls, Clock
from twilio_plugin.services.track_call import track_call


@dataclass(frozen=True, slots=True)
class ReconciledCalls:
    """What a run found and did."""

    found_made: int
    found_not_made: int
    still_unknown: int
    ended: int


@dataclass(frozen=True, slots=True)
class CallReconciler:
    """The ports that reconciling calls needs, and how long each thing may take before it is looked into."""

    requests: CallRequests
    calls: Calls
    calling: Calling
    minutes: CallMinutes
    clock: Clock
    account_sid: str
    request: timedelta = timedelta(minutes=2)
    not_made: timedelta = timedelta(minutes=15)
    active: timedelta = timedelta(minutes=10)
    overdue: timedelta = timedelta(minutes=5)
    """Behind its limit, when Twilio should have ended a call and has not."""


def reconcile_calls(by: CallReconciler) -> ReconciledCalls:
    """One run.

    Raises:
        StorageUnavailable: Twilio or a table could not be read; whatever could be settled is.
        TwilioRejected, TwilioUnavailable, SendOutcomeUnknown: so is it where Twilio did not end a call.
    """
    now = by.clock()
    outcomes: list[str] = []
    failures: list[PluginError] = []
    for request, claimed in by.requests.unsettled(before=now - by.request):
        try:
            outcomes.append(_settle(request, claimed, by, now))
        except StorageUnavailable as failure:
            failures.append(failure)
    for call in by.calls.unended(before=now - by.active):
        try:
            outcomes.append(_look_after(call, by, now))
        except (StorageUnavailable, TwilioRejected, TwilioUnavailable, SendOutcomeUnknown) as failure:
            failures.append(failure)
    if failures:
        raise failures[0]
    return ReconciledCalls(
        found_made=outcomes.count("made"),
        found_not_made=outcomes.count("not_made"),
        still_unknown=outcomes.count("unknown"),
        ended=outcomes.count("ended"),
    )


def _settle(request: CallRequest, claimed: datetime, by: CallReconciler, now: datetime) -> str:
    made = _find(request, claimed, by)
    if made:
        # A call that is over was made all the same: first that is told, then its end.
        began = replace(made, status="queued") if made.ended else made
        by.requests.record_made(request, began, started_event(request, began, iso(claimed)))
        if made.ended:
            _end(replace(made, request_id=request.request_id), by)
        return "made"
    if now - claimed < by.not_made:
        return "unknown"
    if by.requests.record_not_made(request, _not_made(request, claimed, by.account_sid, iso(now))):
        by.minutes.never_made(requested(request.request_id))
    return "not_made"


def _find(request: CallRequest, claimed: datetime, by: CallReconciler) -> CallUpdate | None:
    """The call that is surely ours by its callback, else the first of that pair that is no other request's."""
    listed = by.calling.made(request, since=claimed - timedelta(minutes=1))
    requested = by.requests.requested_by(call.call_sid for call in listed)
    for call in listed:
        if requested.get(call.call_sid) == request.request_id:
            return call
    return next((call for call in listed if requested.get(call.call_sid) is None), None)


def _look_after(call: Call, by: CallReconciler, now: datetime) -> str:
    """A call whose end was never reported ends when Twilio says that it has, and one that should long be over is ended."""
    update = by.calling.fetch(call.call_sid)
    if update is None or update.ended:
        if update:
            _end(replace(update, request_id=call.request_id), by)
        by.calls.no_longer_active(call.call_sid)
        return "ended"
    longest = timedelta(seconds=by.minutes.limits.max_call_seconds) + by.overdue
    if now - datetime.fromisoformat(call.started_at) > longest:
        by.calling.end(call.call_sid)
    return "active"


def _end(update: CallUpdate, by: CallReconciler) -> None:
    track_call(update, by.calls, by.clock)
    by.minutes.over(update)


def _not_made(request: CallRequest, claimed: datetime, account_sid: str, now: str) -> CallEnded:
    return CallEnded(
        # With the time of the claim: a freed key may be used, and lost, again.
        event_id=event_id(CallEnded, request.request_id, iso(claimed)),
        occurred_at=now,
        account_sid=account_sid,
        conversation_id=request.conversation_id,
        direction="outbound",
        from_=str(request.sender),
        to=str(request.recipient),
        status="not_made",
        request_id=request.request_id,
    )
