"""What is looked at some time after something happened in a ConversationRelay session."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# ``reply``: does the person still wait for a word of the agent? ``reconnect``: has another connection taken the place of this?
RelayTimerKind = Literal["reply", "reconnect"]

# Twilio takes a lost connection up again by itself; how long it tries, it does not say.
RECONNECT_SECONDS = 30


@dataclass(frozen=True, slots=True)
class RelayTimer:
    """It is good for one session: what has ended or changed meanwhile makes it nothing."""

    kind: RelayTimerKind
    call_sid: str
    stream_sid: str
    connection_id: str
    """The one that was closed, or over which the person spoke."""
