"""What becomes of it when Twilio calls somebody."""

from collections.abc import Sequence
from dataclasses import dataclass

from .script import Step


@dataclass(frozen=True)
class Answers:
    """``answered_by`` is what answering machine detection finds, if it is asked for; seconds are those of the call.

    With a ``script`` (:func:`local.twilio.voice.script.follow`) nobody needs to play the person.
    """

    after_seconds: float = 0.0
    answered_by: str = "human"
    script: Sequence[Step] | None = None


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
