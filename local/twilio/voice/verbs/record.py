"""``<Record>``: what the person says until they stop, press a key or hang up.

Source: https://www.twilio.com/docs/voice/twiml/record. Where nothing is said, the next verb follows.
"""

import asyncio
from dataclasses import dataclass, replace
from xml.etree.ElementTree import Element

from ..clock import speaking_seconds
from ..line import Source
from ..recordings import Recording
from ..requests import call_fields
from ..session import Outcome, Session
from .attributes import choice, flag, number
from .recording import Tell, teller

HANGUP = "hangup"


@dataclass
class _Take:
    """``seconds`` of speech so far, and the key that ended it."""

    recording: Recording
    tell: Tell
    seconds: float = 0.0
    key: str = ""

    def fields(self) -> dict[str, str]:
        self.recording.duration = max(1, round(self.seconds))
        return self.recording.fields() | ({"Digits": self.key} if self.key else {})


async def record(session: Session, verb: Element) -> Outcome:
    """Record, and go on at ``action``; a hang-up is told it too, with an answer that nobody waits for."""
    line = session.line
    action = session.source(verb, {})
    recording = Recording(line.call, "RecordVerb", session.network.base_url)
    take = _Take(recording, teller(session, verb, recording))
    # Here only speech counts in any case.
    choice(session, verb, "trim", "trim-silence", ("trim-silence", "do-not-trim"))
    if flag(session, verb, "playBeep", True):
        line.note("twilio", "[beep]")
    line.begin_to_listen()
    session.network.start(take.tell("in-progress"))
    try:
        await _listen(session, verb, take)
    except asyncio.CancelledError:
        if line.hung_up and take.seconds:
            take.key = HANGUP
            _completed(session, take)
            session.network.start(_tell_action(session, replace(action, fields=take.fields())))
        elif line.hung_up:
            session.network.start(take.tell("absent"))
        raise
    finally:
        line.listening = False
    if not take.seconds:
        line.note("twilio", "[records nothing]")
        session.network.start(take.tell("absent"))
        return None
    _completed(session, take)
    return replace(action, fields=take.fields())


async def _listen(session: Session, verb: Element, take: _Take) -> None:
    line = session.line
    timeout, most = number(session, verb, "timeout", 5), number(session, verb, "maxLength", 3600)
    keys = verb.get("finishOnKey", "1234567890*#")
    while take.seconds < most and (given := await line.take({"speech", "key"}, timeout)):
        if given.kind == "speech":
            seconds = min(speaking_seconds(given.text), most - take.seconds)
            take.seconds += seconds
            await line.clock.sleep(seconds)
        elif given.text in keys:
            take.key = given.text
            return


def _completed(session: Session, take: _Take) -> None:
    take.fields()
    session.network.start(take.tell("completed"))


async def _tell_action(session: Session, source: Source) -> None:
    await session.line.changes.wait_until(lambda: session.line.call.ended)
    fields = call_fields(session.line.call) | dict(source.fields)
    await session.network.request("call", source.url, fields, source.method)
