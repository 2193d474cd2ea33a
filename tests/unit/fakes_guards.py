"""The guards under test: counters in memory. `test_counters_contract` holds the fake to what the adapter does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from tests.unit.fakes import ACCOUNT, FakeOutbox
from twilio_plugin.domain.destination import allowed_countries
from twilio_plugin.domain.events import GuardRefused
from twilio_plugin.domain.guards import Draw, Limits
from twilio_plugin.errors import StorageUnavailable
from twilio_plugin.services import ports
from twilio_plugin.services.call_minutes import CallMinutes
from twilio_plugin.services.inbound_guard import InboundGuard
from twilio_plugin.services.outbound_guard import OutboundGuard


class FakeCounters:
    """`unavailable` are the names of the methods that storage fails."""

    def __init__(self, outbox: FakeOutbox | None = None) -> None:
        self._outbox = outbox or FakeOutbox()
        self.used: Counter[tuple[str, str, str]] = Counter()
        self._held: dict[str, Draw] = {}
        self._announced: set[tuple[str, str, str]] = set()
        self.unavailable: set[str] = set()

    def take(self, draws: Sequence[Draw]) -> Draw | None:
        self._reach("take")
        for position, draw in enumerate(draws):
            if self.used[_counter(draw)] + draw.units > draw.limit:
                self.give_back(draws[:position])
                return draw
            self.used[_counter(draw)] += draw.units
        return None

    def give_back(self, draws: Sequence[Draw]) -> None:
        self._reach("give_back")
        for draw in draws:
            self.used[_counter(draw)] -= draw.units

    def hold(self, holder: str, draw: Draw) -> bool:
        self._reach("hold")
        if holder in self._held:
            return True
        if self.take([draw]):
            return False
        self._held[holder] = draw
        return True

    def release(self, holder: str, *, used: int) -> bool:
        self._reach("release")
        draw = self._held.pop(holder, None)
        if draw is None:
            return False
        self.used[_counter(draw)] -= max(0, draw.units - used)
        return True

    def refuse(self, event: GuardRefused, period: str) -> bool:
        self._reach("refuse")
        once = (event.guard, event.conversation_id, period)
        if once in self._announced:
            return False
        self._announced.add(once)
        self._outbox.put(event)
        return True

    def _reach(self, method: str) -> None:
        if method in self.unavailable:
            raise StorageUnavailable("The fake storage is down.")


def _counter(draw: Draw) -> tuple[str, str, str]:
    return draw.ceiling, draw.whose, draw.period


def outbound_guard(clock: ports.Clock, counters: ports.Counters | None = None, **limits: Any) -> OutboundGuard:
    """With these limits and no others, for a stack whose number is American."""
    countries = allowed_countries(limits.get("allowed_countries", ""), "+14155550100")
    return OutboundGuard(Limits(**limits), countries, counters or FakeCounters(), clock, ACCOUNT)


def inbound_guard(clock: ports.Clock, counters: ports.Counters | None = None, **limits: Any) -> InboundGuard:
    """With these limits and no others."""
    return InboundGuard(Limits(**limits), counters or FakeCounters(), clock)


def call_minutes(clock: ports.Clock, counters: ports.Counters | None = None, **limits: Any) -> CallMinutes:
    """With these limits and no others."""
    return CallMinutes(Limits(**limits), counters or FakeCounters(), clock)
