"""What texts and calls of ours are held to before Twilio is asked: where they may go, and how many there may be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from twilio_plugin.domain.address import Address, masked
from twilio_plugin.domain.call import CallRequest
from twilio_plugin.domain.destination import NO_COUNTRY, country_of, is_premium
from twilio_plugin.domain.guards import Draw, GuardedKind, GuardName, Limits, requested
from twilio_plugin.domain.outbound import Part
from twilio_plugin.errors import CeilingReached, PluginError, RecipientNotAllowed
from twilio_plugin.services.announce_refusal import Refused, announce_refusal, by_ceiling, ceiling_sentence
from twilio_plugin.services.call_minutes import CallMinutes
from twilio_plugin.services.ports import Clock, Counters


@dataclass(frozen=True, slots=True)
class OutboundGuard:
    """The limits, and what counting needs."""

    limits: Limits
    countries: frozenset[str] | None
    """Where texts and calls may go; None for everywhere."""
    counters: Counters
    clock: Clock
    account_sid: str

    def check(self, recipient: Address) -> None:
        """Whether a number may be reached at all. Nothing is announced.

        Raises:
            RecipientNotAllowed: its country is not allowed, or it is a premium number.
        """
        if objection := self._objection(recipient):
            raise RecipientNotAllowed(objection[1])

    def admit(self, sender: Address, recipient: Address, kind: GuardedKind) -> None:
        """As `check`; a refusal is announced."""
        if objection := self._objection(recipient):
            guard, why = objection
            limit = ",".join(sorted(self.countries or ())) if guard == "allowed_countries" else None
            self._announce(Refused(guard, "outbound", kind, sender, recipient, limit))
            raise RecipientNotAllowed(why)

    def take_text(self, part: Part) -> tuple[Draw, ...]:
        """Count a part that is about to be sent; what is returned can be given back.

        Raises:
            CeilingReached, StorageUnavailable: nothing is counted.
        """
        now = self.clock()
        draws = (
            *self.limits.draw("texts_per_recipient_per_day", now, whose=str(part.recipient)),
            *self.limits.draw("texts_per_day", now),
            *self.limits.draw("segments_per_day", now, units=part.segments),
        )
        self._take(draws, "text", part.sender, part.recipient)
        return draws

    def give_back(self, draws: Sequence[Draw]) -> None:
        """What was counted did not go out. Raises StorageUnavailable."""
        self.counters.give_back(draws)

    def take_call(self, call: CallRequest) -> tuple[Draw, ...]:
        """Count a call that is about to be made, and take its minutes; for `call_not_made`.

        Raises:
            CeilingReached, StorageUnavailable: nothing is counted.
        """
        draws = self.limits.draw("calls_per_recipient_per_day", self.clock(), whose=str(call.recipient))
        self._take(draws, "call", call.sender, call.recipient)
        try:
            if full := self._minutes.hold(requested(call.request_id), seconds=call.time_limit):
                self._refuse(full, "call", call.sender, call.recipient)
        except PluginError:
            self.counters.give_back(draws)
            raise
        return draws

    def call_not_made(self, call: CallRequest, draws: Sequence[Draw]) -> None:
        """Twilio did not take the call. Raises StorageUnavailable."""
        self.counters.give_back(draws)
        self._minutes.never_made(requested(call.request_id))

    @property
    def _minutes(self) -> CallMinutes:
        return CallMinutes(self.limits, self.counters, self.clock)

    def _objection(self, recipient: Address) -> tuple[GuardName, str] | None:
        number, who = recipient.value, masked(str(recipient))
        if is_premium(number):
            return (
                "premium_numbers",
                f"{who} is a premium-rate, shared-cost, personal or satellite number: none is texted or called.",
            )
        country = country_of(number)
        if self.countries is None or country in self.countries:
            return None
        where = "belongs to no country" if country == NO_COUNTRY else f"is in {country}"
        return "allowed_countries", (
            f"{who} {where}; texts and calls go to {', '.join(sorted(self.countries))} only. "
            "If they should go there, add the country to the stack's parameter AllowedCountries; * allows all."
        )

    def _take(self, draws: Sequence[Draw], kind: GuardedKind, sender: Address, recipient: Address) -> None:
        if full := self.counters.take(draws):
            self._refuse(full, kind, sender, recipient)

    def _refuse(self, full: Draw, kind: GuardedKind, sender: Address, recipient: Address) -> None:
        self._announce(by_ceiling(full, "outbound", kind, sender, recipient))
        raise CeilingReached(ceiling_sentence(full))

    def _announce(self, refused: Refused) -> None:
        announce_refusal(refused, self.clock(), self.account_sid, self.counters)
