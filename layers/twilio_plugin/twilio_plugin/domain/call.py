"""A phone call: what is asked for, what Twilio says of it, and how its status moves.

Source of the names: Twilio, "Call resource: status values" and "Voice status callbacks".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from twilio_plugin.domain.address import Address, conversation_id
from twilio_plugin.domain.machine_detection import MachineDetection
from twilio_plugin.domain.message import required

CallDirection = Literal["inbound", "outbound"]
# How a person and the agent talk: the call's sound over a socket, words over a socket (ConversationRelay), or documents that
# listen and speak (<Gather>) without a socket.
VoiceMode = Literal["stream", "relay", "gather"]

# A status replaces another only if its rank is higher; the first final one stays. `in-progress` is the answered call.
CALL_RANK = {
    "queued": 10,
    "initiated": 20,
    "ringing": 30,
    "in-progress": 40,
    "completed": 60,
    "busy": 60,
    "failed": 60,
    "no-answer": 60,
    "canceled": 60,
}
FINAL_RANK = 60
HIDDEN_CALLER = "anonymous"  # in the place of a number that the caller hides

# What has a place of its own in an event. Whatever else Twilio sends travels in `fields`, under Twilio's names.
_KNOWN = {"AccountSid", "ApiVersion", "CallSid", "CallStatus", "Called", "Caller", "Direction", "From", "To"}


def voice_mode(written: str) -> VoiceMode | None:
    """The mode of this name, if there is one."""
    modes: tuple[VoiceMode, ...] = get_args(VoiceMode)
    return next((mode for mode in modes if mode == written), None)


def call_rank(status: str) -> int:
    """0 for a status this version does not know, so that it never hides one it knows."""
    return CALL_RANK.get(status, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRequest:
    """A call to be made. `twiml` or `url` says what the person hears; where there is neither, they talk to the agent."""

    request_id: str
    """The caller's idempotency key, or the request id of the invocation."""
    fingerprint: str
    sender: Address
    recipient: Address
    time_limit: int
    """Seconds until Twilio ends the call."""
    twiml: str | None = None
    url: str | None = None
    voice_mode: VoiceMode | None = None
    """How they talk to the agent; as the stack does where it is left open."""
    record: bool = False
    machine_detection: MachineDetection | None = None

    @property
    def conversation_id(self) -> str:
        return conversation_id(ours=self.sender, theirs=self.recipient)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallUpdate:
    """What Twilio says of a call: its webhook, a status callback, or an answer of its REST API."""

    call_sid: str
    account_sid: str
    direction: CallDirection
    sender: Address
    recipient: Address
    status: str
    duration: int | None = None
    """Seconds, once it has ended."""
    request_id: str | None = None
    """Ours, which Twilio brings back in the callback URL's query."""

    @property
    def conversation_id(self) -> str:
        if self.direction == "inbound":
            return conversation_id(ours=self.recipient, theirs=self.sender)
        return conversation_id(ours=self.sender, theirs=self.recipient)

    @property
    def ended(self) -> bool:
        return call_rank(self.status) >= FINAL_RANK


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call as it is kept. Times are ISO 8601, UTC, milliseconds, as the plugin heard of them."""

    call_sid: str
    conversation_id: str
    direction: CallDirection
    from_: str
    to: str
    status: str
    started_at: str
    answered_at: str | None = None
    ended_at: str | None = None
    duration: int | None = None
    answered_by: str | None = None
    """What answering machine detection found."""
    machine_detection: MachineDetection | None = None
    """What was asked of it, once the making of the call is recorded."""
    request_id: str | None = None
    """Of a call of ours."""

    @property
    def ended(self) -> bool:
        return call_rank(self.status) >= FINAL_RANK


def call_update(form: Mapping[str, str], query: Mapping[str, str]) -> CallUpdate:
    """Read a voice webhook or a call's status callback. ``request`` in the query is ours, brought back by Twilio.

    Raises:
        UnreadableWebhook: a field we cannot do without is missing.
    """
    duration = form.get("CallDuration", "")
    return CallUpdate(
        call_sid=required(form, "CallSid"),
        account_sid=required(form, "AccountSid"),
        direction="inbound" if form.get("Direction", "inbound") == "inbound" else "outbound",
        sender=Address.parse(form.get("From") or HIDDEN_CALLER),
        recipient=Address.parse(required(form, "To")),
        status=required(form, "CallStatus").lower(),
        duration=int(duration) if duration.isascii() and duration.isdigit() and len(duration) < 9 else None,
        request_id=query.get("request"),
    )


def other_fields(form: Mapping[str, str]) -> dict[str, str]:
    """What a voice webhook says beyond the call itself: ``CallerName``, ``StirVerstat``, ``FromCity`` …"""
    return {name: value for name, value in form.items() if value and name not in _KNOWN}
