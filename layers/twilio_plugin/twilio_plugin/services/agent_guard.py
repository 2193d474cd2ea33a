"""What keeps the bridge from talking for ever, and what it says when it cannot answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from twilio_plugin.domain.events import AgentFailed, event_id
from twilio_plugin.domain.inbound_turn import InboundTurn
from twilio_plugin.domain.timestamp import iso
from twilio_plugin.errors import PluginError
from twilio_plugin.services.ports import AgentTurns, Clock, NoAnswer, Outbox

Reason = Literal["no_answer", "not_delivered", "too_many_turns"]


@dataclass(frozen=True, slots=True)
class Guard:
    """Counts turns, and announces failures."""

    turns: AgentTurns
    outbox: Outbox
    clock: Clock
    texts_per_hour: int
    """Turns of texts, in one conversation."""
    speech_per_hour: int
    """Turns of calls, in one conversation."""

    def admits(self, turn: InboundTurn, *, attempt: int = 1) -> bool:
        """Whether the agent may be asked. The first refusal of an hour is announced."""
        kind, ceiling = ("speech", self.speech_per_hour) if turn.call_sid else ("texts", self.texts_per_hour)
        now = iso(self.clock())
        period = f"{kind}#{now[:13]}"
        if self.turns.admit(turn.conversation_id, period, turn.event_id, ceiling=ceiling, now=now):
            return True
        self.turns.refuse(turn.conversation_id, period, _failed(turn, "too_many_turns", None, attempt, now))
        return False

    def failed(self, turn: InboundTurn, trouble: NoAnswer | PluginError, *, attempts: int) -> None:
        """Announce that a person stays without an answer."""
        if isinstance(trouble, NoAnswer):
            event = _failed(turn, "no_answer", trouble.error_type, attempts, iso(self.clock()))
        else:
            event = _failed(turn, "not_delivered", type(trouble).__name__, attempts, iso(self.clock()))
        self.outbox.add(event)


def _failed(turn: InboundTurn, reason: Reason, error_type: str | None, attempts: int, now: str) -> AgentFailed:
    return AgentFailed(
        event_id=event_id(AgentFailed, turn.event_id),
        occurred_at=now,
        account_sid=turn.account_sid,
        conversation_id=turn.conversation_id,
        channel=turn.channel,
        from_=turn.person,
        to=turn.ours,
        call_sid=turn.call_sid,
        in_reply_to=turn.event_id,
        reason=reason,
        error_type=error_type,
        attempts=attempts,
    )
