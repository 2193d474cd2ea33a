"""What is used of each ceiling, in the Conversations table.

======================================  ======================  ==========================================================
conversation_id                         sk                      what
======================================  ======================  ==========================================================
``guard|<ceiling>|<whose>``             ``USED#<period>``       the units that are taken; `whose` is empty for the stack's
``guard|<holder>``                      ``HELD``                what a call has taken of which counter, until it is over
``guard|<guard>|<conversation>``        ``REFUSED#<period>``    that a refusal is announced
======================================  ======================  ==========================================================

One conditional update takes units, so that no number of concurrent ones passes a limit. It is no transaction on purpose: those
of a whole stack's counter would cancel each other. The SDK repeats an update whose answer was lost, and may take twice: a
ceiling errs on the side of less. An item takes 1,000 writes a second, which is what a ceiling of the whole stack lets through.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from twilio_plugin.adapters.dynamodb import ConditionFailed, DynamoDB, update
from twilio_plugin.adapters.outbox import OutboxTable
from twilio_plugin.domain.events import GuardRefused
from twilio_plugin.domain.guards import Draw
from twilio_plugin.domain.timestamp import epoch

_DAYS = 2.0  # after the period: calls of its last hour are over by then


class CountersTable:
    """`Counters` on DynamoDB."""

    def __init__(self, database: DynamoDB, table: str, outbox: OutboxTable) -> None:
        self._database = database
        self._table = table
        self._outbox = outbox

    def take(self, draws: Sequence[Draw]) -> Draw | None:
        for position, draw in enumerate(draws):
            if not self._taken(draw):
                self.give_back(draws[:position])
                return draw
        return None

    def give_back(self, draws: Sequence[Draw]) -> None:
        for draw in draws:
            with suppress(ConditionFailed):  # time to live was here first: nobody is refused any more
                self._database.write(self._less(_used_key(draw), draw.units))

    def hold(self, holder: str, draw: Draw) -> bool:
        if draw.units > draw.limit:
            return False
        held = update(
            self._table,
            held_key(holder),
            "SET #counter = :counter, #period = :period, #units = :units, #ttl = :ttl REMOVE #over",
            condition="attribute_not_exists(#units) OR attribute_exists(#over)",
            values={**_held(draw), "ttl": _ttl(draw)},
        )
        try:
            self._database.transact([self._more(draw), held])
        except ConditionFailed as conflict:
            return 1 in conflict.failed
        return True

    def release(self, holder: str, *, used: int) -> bool:
        held = self._database.get(self._table, held_key(holder))
        if held is None:
            return False
        over = update(
            self._table, held_key(holder), "SET #over = :yes", condition="attribute_not_exists(#over)", values={"yes": True}
        )
        counter = {"conversation_id": held["counter"], "sk": held["period"]}
        try:
            self._database.transact([self._less(counter, max(0, held["units"] - used)), over])
        except ConditionFailed:
            return False
        return True

    def refuse(self, event: GuardRefused, period: str) -> bool:
        key = {"conversation_id": f"guard|{event.guard}|{event.conversation_id}", "sk": f"REFUSED#{period}"}
        # Whoever is refused once is refused often: that costs a read, and the writes only the first time.
        if self._database.get(self._table, key):
            return False
        announced = update(
            self._table,
            key,
            "SET #announced = :yes, #ttl = :ttl",
            condition="attribute_not_exists(#announced)",
            values={"yes": True, "ttl": epoch(datetime.fromisoformat(event.occurred_at), days=_DAYS)},
        )
        try:
            self._database.transact([announced, self._outbox.put(event)])
        except ConditionFailed:
            return False
        return True

    def _taken(self, draw: Draw) -> bool:
        if draw.units > draw.limit:
            return False
        try:
            self._database.write(self._more(draw))
        except ConditionFailed:
            return False
        return True

    def _more(self, draw: Draw) -> dict[str, Any]:
        return update(
            self._table,
            _used_key(draw),
            "SET #ttl = :ttl ADD #used :units",
            condition="attribute_not_exists(#used) OR #used <= :room",
            values={"units": draw.units, "room": draw.limit - draw.units, "ttl": _ttl(draw)},
        )

    def _less(self, counter: dict[str, str], units: int) -> dict[str, Any]:
        return update(
            self._table, counter, "ADD #used :less", condition="#used >= :units", values={"less": -units, "units": units}
        )


def _used_key(draw: Draw) -> dict[str, str]:
    return {"conversation_id": f"guard|{draw.ceiling}|{draw.whose}", "sk": f"USED#{draw.period}"}


def held_key(holder: str) -> dict[str, str]:
    """Where it is kept what a call has taken."""
    return {"conversation_id": f"guard|{holder}", "sk": "HELD"}


def _held(draw: Draw) -> dict[str, Any]:
    key = _used_key(draw)
    return {"counter": key["conversation_id"], "period": key["sk"], "units": draw.units}


def _ttl(draw: Draw) -> int:
    return epoch(draw.ends, days=_DAYS)
