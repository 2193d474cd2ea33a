"""``<Say>``, ``<Play>`` and ``<Pause>``."""

from collections.abc import Iterator
from itertools import count
from xml.etree.ElementTree import Element

from ..clock import KEY_SECONDS, PLAY_SECONDS, speaking_seconds
from ..documents import spoken_text
from ..session import Outcome, Session
from .attributes import number

MAX_SAY = 4096


async def say(session: Session, verb: Element) -> Outcome:
    """Speak; too much or nothing to say is an alert, and skipped."""
    text = spoken_text(verb)
    if not 0 < len(text) <= MAX_SAY:
        session.warn(f"{len(text)} characters", code=13520)
        return None
    for _ in _loops(session, verb):
        session.line.overhear("outbound_track", text)
        await session.line.speak(text, speaking_seconds(text))
    return None


async def play(session: Session, verb: Element) -> Outcome:
    """Play audio, which the person hears as its URL, or keys."""
    digits = verb.get("digits")
    if digits is not None:
        await session.line.speak(f"[play digits {digits}]", len(digits) * KEY_SECONDS)
        return None
    url = session.url(verb.text or "")
    for _ in _loops(session, verb):
        await session.line.speak(f"[play {url}]", PLAY_SECONDS)
    return None


async def pause(session: Session, verb: Element) -> Outcome:
    """Say nothing for a while."""
    seconds = number(session, verb, "length", 1)
    session.line.note("twilio", f"[pause {seconds:g}]")
    await session.line.clock.sleep(seconds)
    return None


def _loops(session: Session, verb: Element) -> Iterator[int]:
    times = int(number(session, verb, "loop", 1))
    return iter(range(times)) if times else count()
