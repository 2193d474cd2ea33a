"""A person who keeps to a script, for those who cannot play them step by step."""

from collections.abc import Mapping, Sequence
from functools import partial

from .line import Line
from .talking import say

Step = Mapping[str, object]
_STEPS = frozenset({"say", "press", "wait", "hang_up"})


def check_script(script: Sequence[Step]) -> None:
    """Raises ValueError for a step that is none of those of :func:`follow`."""
    for step in script:
        if len(step) != 1 or not set(step) <= _STEPS:
            raise ValueError(f"{dict(step)} is not a step: one of {', '.join(sorted(_STEPS))}")
        if "wait" in step and not isinstance(step["wait"], int | float):
            raise ValueError(f"wait={step['wait']!r} is not a number of seconds")


async def follow(line: Line, script: Sequence[Step]) -> None:
    """Do one step after another until the call ends.

    ``{"say": words}``, ``{"press": keys}`` and ``{"hang_up": true}`` are done when it is the person's turn: Twilio listens and
    its prompts are over, or a stream has been quiet for a while. ``{"hang_up": "now"}`` does not wait for that; ``{"wait": s}``
    waits seconds of the call. After the last step the person is silent.
    """
    turn = 0
    for step in script:
        [(kind, value)] = step.items()
        if kind == "wait":
            assert isinstance(value, int | float)
            await line.clock.sleep(value)
            continue
        if value != "now":
            await line.changes.wait_until(partial(_has_turn, line, turn))
            turn = line.turns
        if line.call.ended:
            return
        await _act(line, kind, str(value))


async def _act(line: Line, kind: str, value: str) -> None:
    if kind == "say":
        await say(line, value)
    elif kind == "press":
        line.press(value)
    else:
        line.hang_up()


def _has_turn(line: Line, after: int) -> bool:
    return line.call.ended or (line.listening and line.turns > after)
