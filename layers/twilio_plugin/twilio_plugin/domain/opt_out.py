"""STOP, START and HELP, as Twilio's default handling and the carriers understand them.

Twilio answers these words itself; an agent must not. Where Advanced Opt-Out handled a message, Twilio says so in
``OptOutType`` and that is the truth; otherwise the default keywords decide, as single words in any case.
Source: Twilio Help Center, "Twilio support for opt-out keywords (SMS STOP filtering)".
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Literal, get_args

OptOutType = Literal["STOP", "START", "HELP"]
ContactState = Literal["opted_in", "opted_out"]

_STOP = {"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT", "ARRET"}
_START = {"START", "UNSTOP"}
_HELP = {"HELP", "INFO"}
# Reopens after a STOP, but from anybody else it is the answer to a question and belongs to the agent.
_START_IF_STOPPED = {"YES"}


def opt_out_type(body: str, twilio_says: str, *, contact: ContactState) -> OptOutType | None:
    """What the message means to the ledger; None for an ordinary text. ``twilio_says`` is ``OptOutType`` or empty."""
    for known in get_args(OptOutType):
        if twilio_says == known:
            return known  # type: ignore[no-any-return]
    word = _word(body)
    if word in _STOP:
        return "STOP"
    if word in _START or (word in _START_IF_STOPPED and contact == "opted_out"):
        return "START"
    return "HELP" if word in _HELP else None


def concerns_the_ledger(body: str, twilio_says: str) -> bool:
    """Whether the ledger must be read to understand this message. Almost always False, which saves the read."""
    return bool(twilio_says) or _word(body) in _STOP | _START | _START_IF_STOPPED


def state_after(kind: OptOutType | None, before: ContactState) -> ContactState:
    """The ledger's state once this message is in."""
    return {"STOP": "opted_out", "START": "opted_in"}.get(kind or "", before)  # type: ignore[return-value]


def ledger_id(key: bytes, conversation_id: str) -> str:
    """Where the ledger keeps a pair: ``contact|<HMAC-SHA256>``.

    Phone numbers are few enough to try them all, so an unkeyed hash would be the number in another spelling.
    """
    return f"contact|{hmac.new(key, conversation_id.encode(), hashlib.sha256).hexdigest()}"


def _word(body: str) -> str:
    return body.strip(" \t\r\n.!\"'").upper()
