"""``<Redirect>``, ``<Reject>``, ``<Hangup>`` and ``<Leave>``."""

from xml.etree.ElementTree import Element

from ..line import HangUp
from ..session import Outcome, Session


async def redirect(session: Session, verb: Element) -> Outcome:
    """Go on with another document, or with this one again where none is named."""
    return session.source(verb, {}, target=(verb.text or ""))


async def reject(session: Session, verb: Element) -> Outcome:
    """Refuse a call without answering it, which only the first verb of its first document can."""
    if session.line.call.status != "ringing":
        return HangUp()
    return HangUp(status="busy" if verb.get("reason") == "busy" else "no-answer")


async def hang_up(_session: Session, _verb: Element) -> Outcome:
    """End the call. ``<Leave>`` leaves a queue, and outside of one it ends the call too."""
    return HangUp()
