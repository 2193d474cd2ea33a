"""What people's texts and calls are held to: who may reach the agent, and how much of it there may be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from twilio_plugin.domain.address import Address
from twilio_plugin.domain.call import CallUpdate
from twilio_plugin.domain.guards import Draw, GuardedKind, Limits, holder_of
from twilio_plugin.domain.message import InboundMessage
from twilio_plugin.services.announce_refusal import Refused, announce_refusal, by_ceiling
from twilio_plugin.services.call_minutes import CallMinutes
from twilio_plugin.services.ports import Clock, Counters


@dataclass(frozen=True, slots=True)
class InboundGuard:
    """The limits, and what counting needs."""

    limits: Limits
    counters: Counters
    clock: Clock

    def take_text(self, message: InboundMessage) -> tuple[Draw, ...] | None:
        """Count a text that the agent is to hear of; None if it is not to. A refusal is announced.

        Raises:
            StorageUnavailable: nothing is counted.
        """
        if not self._is_listed(message.sender):
            self._announce(_stranger("text", message.sender, message.recipient), message.account_sid)
            return None
        draws = self.limits.draw("inbound_texts_per_sender_per_hour", self.clock(), whose=str(message.sender))
        if full := self.counters.take(draws):
            self._announce(by_ceiling(full, "inbound", "text", message.sender, message.recipient), message.account_sid)
            return None
        return draws

    def give_back(self, draws: tuple[Draw, ...]) -> None:
        """It had been counted before. Raises StorageUnavailable."""
        self.counters.give_back(draws)

    def reject_call(self, call: CallUpdate) -> Literal["rejected", "busy"] | None:
        """What a caller gets who is not answered; None if they are. Then the call's minutes are taken, once.

        Raises:
            StorageUnavailable: nothing is taken.
        """
        if not self._is_listed(call.sender):
            self._announce(_stranger("call", call.sender, call.recipient), call.account_sid)
            return "rejected"
        minutes = CallMinutes(self.limits, self.counters, self.clock)
        holder = holder_of(call.direction, call.call_sid, call.request_id)
        if holder and (full := minutes.hold(holder, seconds=self.limits.max_call_seconds)):
            self._announce(by_ceiling(full, "inbound", "call", call.sender, call.recipient), call.account_sid)
            return "busy"
        return None

    def _is_listed(self, sender: Address) -> bool:
        return not self.limits.inbound_allow_list or sender.value in self.limits.inbound_allow_list

    def _announce(self, refused: Refused, account_sid: str) -> None:
        announce_refusal(refused, self.clock(), account_sid, self.counters)


def _stranger(kind: GuardedKind, sender: Address, recipient: Address) -> Refused:
    return Refused("inbound_allow_list", "inbound", kind, sender, recipient)
