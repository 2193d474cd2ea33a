"""``<Dial>``: connects the person with somebody else, and goes on when one of them hung up.

Source: https://www.twilio.com/docs/voice/twiml/dial. One number, as text or as ``<Number>``. Without an ``action``
the next verb follows; with one, it is asked even where the call was hung up or redirected, though nobody waits for the
answer then.
"""

import asyncio
import re
from dataclasses import replace
from xml.etree.ElementTree import Element

from ..line import Line, Source
from ..recordings import Recording
from ..requests import call_fields
from ..session import Leg, Outcome, Session
from .attributes import choice, flag, number
from .recording import Tell, teller

_TRUE = ("true",)  # an older way to write record-from-answer
_RECORD = (
    *("do-not-record", "false", *_TRUE),
    *("record-from-answer", "record-from-ringing", "record-from-answer-dual", "record-from-ringing-dual"),
)
_E164 = re.compile(r"\+[1-9]\d{6,14}", re.ASCII)


async def dial(session: Session, verb: Element) -> Outcome:
    """Connect, and go on at ``action``."""
    leg = _leg(session, verb)
    after = session.source(verb, {}) if verb.get("action") is not None else None
    if leg is None:
        return after and replace(after, fields={"DialCallStatus": "failed"})
    other = session.network.prepare(session.line, leg)
    recorded = _recorded(session, verb)
    try:
        await session.network.ring(other, leg)
        if not other.call.ended:
            await _talk(session, verb, other)
    except asyncio.CancelledError:
        session.network.end(other, "completed" if other.call.status == "in-progress" else "canceled")
        fields = _fields(other) | _recording_fields(session, other, recorded)
        if after is not None:
            session.network.start(_tell_action(session, replace(after, fields=fields)))
        raise
    fields = _fields(other) | _recording_fields(session, other, recorded)
    return after and replace(after, fields=fields)


def _recorded(session: Session, verb: Element) -> tuple[Recording, Tell] | None:
    """The recording that was asked for, from the answer on: ringing is no speech here."""
    wanted = choice(session, verb, "record", "do-not-record", _RECORD)
    if wanted not in _TRUE and not wanted.startswith("record-"):
        return None
    channels = 2 if wanted.endswith("-dual") else 1
    recording = Recording(session.line.call, "DialVerb", session.network.base_url, channels=channels)
    return recording, teller(session, verb, recording)


def _recording_fields(session: Session, other: Line, recorded: tuple[Recording, Tell] | None) -> dict[str, str]:
    """What ``action`` is told of the recording; it is over, and told of."""
    if recorded is None:
        return {}
    recording, tell = recorded
    if not other.call.duration:
        session.network.start(tell("absent"))
        return {}
    recording.duration = other.call.duration
    session.network.start(tell("completed"))
    return {"RecordingUrl": recording.fields()["RecordingUrl"]}


def _leg(session: Session, verb: Element) -> Leg | None:
    nouns = list(verb)
    for noun in [child for child in nouns if child.tag != "Number"] + nouns[1:]:
        session.warn(f"<{noun.tag}> is not dialled by the stand-in")
    noun = nouns[0] if nouns and nouns[0].tag == "Number" else Element("Number")
    if noun.get("url"):
        session.warn("url of <Number> is not played by the stand-in")
    to = ((noun.text if nouns else verb.text) or "").strip()
    if not _E164.fullmatch(to):
        session.warn(f"{to!r}", code=13224)
        return None
    call, callback = session.line.call, noun.get("statusCallback")
    return Leg(
        to=to,
        caller_id=verb.get("callerId") or (call.from_ if call.direction == "inbound" else call.to),
        timeout=number(session, verb, "timeout", 30),
        status_callback=session.url(callback) if callback else None,
        status_callback_method=noun.get("statusCallbackMethod", "POST").upper(),
        events=frozenset(noun.get("statusCallbackEvent", "completed").split()),
        send_digits=noun.get("sendDigits"),
    )


async def _talk(session: Session, verb: Element, other: Line) -> None:
    """The two are connected until one of them goes, or until their time is over."""
    line = session.line
    line.partner, other.partner = other, line
    line.inputs.clear()
    line.note("call", f"connected with {other.call.to}")
    ends_on_star = flag(session, verb, "hangupOnStar", False)
    waiting = {asyncio.create_task(other.order_within(number(session, verb, "timeLimit", 14_400)))}
    if ends_on_star:
        waiting.add(asyncio.create_task(_star(line)))
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        line.partner = other.partner = None
        line.inputs.clear()
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
    session.network.end(other, "completed")


async def _star(line: Line) -> None:
    await line.changes.wait_until(lambda: any(given.text == "*" for given in line.inputs))


def _fields(other: Line) -> dict[str, str]:
    call = other.call
    fields = {"DialCallSid": call.sid, "DialCallStatus": call.status, "DialBridged": str(bool(call.duration)).lower()}
    return fields | ({"DialCallDuration": str(call.duration)} if call.duration else {})


async def _tell_action(session: Session, source: Source) -> None:
    fields = call_fields(session.line.call) | dict(source.fields)
    await session.network.request("call", source.url, fields, source.method)
