"""The ceiling of a day's call minutes: a call takes as many as it may last, and gives back what it did not use."""

from __future__ import annotations

from dataclasses import dataclass

from twilio_plugin.domain.call import CallUpdate
from twilio_plugin.domain.guards import Draw, Limits, holder_of, minutes
from twilio_plugin.services.ports import Clock, Counters


@dataclass(frozen=True, slots=True)
class CallMinutes:
    """What counting minutes needs."""

    limits: Limits
    counters: Counters
    clock: Clock

    def hold(self, holder: str, *, seconds: int) -> Draw | None:
        """Take the minutes of a call that may last so long, once a holder. What is returned did not fit.

        Raises:
            StorageUnavailable: nothing is taken.
        """
        for draw in self.limits.draw("call_minutes_per_day", self.clock(), units=minutes(seconds)):
            if not self.counters.hold(holder, draw):
                return draw
        return None

    def never_made(self, holder: str) -> None:
        """Give back all of them: there is no such call. Raises StorageUnavailable."""
        if self.limits.call_minutes_per_day:
            self.counters.release(holder, used=0)

    def over(self, call: CallUpdate) -> None:
        """Give back what a call that has ended did not use; again changes nothing.

        Where nobody says how long an answered call was, it keeps what it took.

        Raises:
            StorageUnavailable: nothing is given back; the same again is safe.
        """
        holder = holder_of(call.direction, call.call_sid, call.request_id)
        if not (self.limits.call_minutes_per_day and call.ended and holder):
            return
        if call.duration is not None or call.status != "completed":
            self.counters.release(holder, used=minutes(call.duration or 0))
