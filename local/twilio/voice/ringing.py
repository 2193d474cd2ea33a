"""From queued to answered, or to what else becomes of a call to a person."""

from collections.abc import Callable

from .line import HangUp, Line
from .phones import Answers, Behaviour, Busy, Fails

STEP_SECONDS = 0.5  # of the call between queued, initiated and ringing


async def ring(
    line: Line, behaviour: Behaviour, timeout: float, advance: Callable[[str, str], None], *, queued: bool = True
) -> HangUp | None:
    """Make somebody's phone ring for ``timeout`` seconds of the call; None when they answered.

    ``advance`` is given each status with the event it is. A leg that a verb dials is never queued.
    """
    if queued and (order := await line.order_within(STEP_SECONDS)):
        return _given_up(order)
    advance("initiated", "initiated")
    if order := await line.order_within(STEP_SECONDS):
        return _given_up(order)
    if isinstance(behaviour, Fails):
        return HangUp("failed", "network")
    advance("ringing", "ringing")
    answers_after = behaviour.after_seconds if isinstance(behaviour, Answers) else timeout
    seconds = STEP_SECONDS if isinstance(behaviour, Busy) else min(answers_after, timeout)
    if order := await line.order_within(seconds):
        return _given_up(order)
    if isinstance(behaviour, Busy):
        return HangUp("busy", "network")
    if not isinstance(behaviour, Answers) or answers_after > timeout:
        return HangUp("no-answer", "network")
    advance("in-progress", "answered")
    return None


def _given_up(order: object) -> HangUp:
    declined = isinstance(order, HangUp) and order.by == "person"
    return HangUp("busy", "person") if declined else HangUp("canceled", "api")
