"""Who answered a call of ours, a person or a machine, and what is to become of the call then.

Source: Twilio, "Answering Machine Detection". It listens while the call goes on, and calls back once, without numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from twilio_plugin.domain.message import required

OnMachine = Literal["continue", "hang_up", "leave_message"]


@dataclass(frozen=True, slots=True)
class MachineDetection:
    """What a call does when a machine answers it. ``continue``: what it would do with a person."""

    on_machine: OnMachine
    twiml: str | None = None
    """With ``leave_message``: the document that says it, from the beep on."""


@dataclass(frozen=True, slots=True)
class AnsweredBy:
    """What Twilio found."""

    call_sid: str
    account_sid: str
    answered_by: str
    """``human``, ``machine_start``, ``machine_end_beep``, ``machine_end_silence``, ``machine_end_other``, ``fax`` or
    ``unknown``."""
    request_id: str | None = None
    """Ours, which Twilio brings back in the callback URL's query."""

    @property
    def by_machine(self) -> bool:
        return self.answered_by.startswith("machine_") or self.answered_by == "fax"


def answered_by(form: Mapping[str, str], query: Mapping[str, str]) -> AnsweredBy:
    """Read the callback of answering machine detection.

    Raises:
        UnreadableWebhook: a field we cannot do without is missing.
    """
    return AnsweredBy(
        call_sid=required(form, "CallSid"),
        account_sid=required(form, "AccountSid"),
        answered_by=required(form, "AnsweredBy").lower(),
        request_id=query.get("request"),
    )
