"""What becomes of it when Twilio calls somebody."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Answers:
    """``answered_by`` is what answering machine detection finds, if it is asked for; seconds are those of the call.

    ``hangs_up_after``: so long after answering, the phone hangs up by itself.
    """

    after_seconds: float = 0.0
    answered_by: str = "human"
    hangs_up_after: float | None = None


@dataclass(frozen=True)
class Busy:
    """The line is engaged."""


@dataclass(frozen=True)
class NoAnswer:
    """Rings until Twilio gives up."""


@dataclass(frozen=True)
class Fails:
    """Cannot be reached: never rings."""


Behaviour = Answers | Busy | NoAnswer | Fails
