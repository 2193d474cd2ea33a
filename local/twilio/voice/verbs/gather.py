"""``<Gather>``: prompts, then listens for keys, speech or both.

Source: https://www.twilio.com/docs/voice/twiml/gather. What the person did before it began counts too. A person who speaks
during prompts that cannot be interrupted is taken to be polite: their words are heard after the prompts.
"""

import asyncio
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from ..clock import speaking_seconds
from ..line import Input, Line
from ..requests import call_fields
from ..session import Outcome, Session
from .attributes import flag, number

LANGUAGE = "en-US"
AUTO_SECONDS = 1.0  # of silence, after which speechTimeout="auto" takes speech to have ended
_INPUTS = {"dtmf": "key", "speech": "speech"}


@dataclass
class _Wanted:
    """``kinds`` of :class:`~local.twilio.voice.line.Input`; a ``most`` of 0 is no limit; times are seconds of the call."""

    kinds: set[str]
    timeout: float
    speech_timeout: float
    finish_key: str
    most: int
    barge_in: bool
    empty_counts: bool

    @classmethod
    def of(cls, session: Session, verb: Element) -> "_Wanted":
        names = verb.get("input", "dtmf").split()
        if not set(names) <= set(_INPUTS):
            session.warn(f"input={verb.get('input')!r} of <Gather>")
        timeout = number(session, verb, "timeout", 5)
        automatic = verb.get("speechTimeout") == "auto"
        return cls(
            kinds={_INPUTS[name] for name in names if name in _INPUTS} or {"key"},
            timeout=timeout,
            speech_timeout=AUTO_SECONDS if automatic else number(session, verb, "speechTimeout", timeout),
            finish_key=verb.get("finishOnKey", "#"),
            most=int(number(session, verb, "numDigits", 0)),
            barge_in=flag(session, verb, "bargeIn", True),
            empty_counts=flag(session, verb, "actionOnEmptyResult", False),
        )


async def gather(session: Session, verb: Element) -> Outcome:
    """Listen, and go on at ``action`` with what was heard; with the next verb after silence."""
    wanted, line = _Wanted.of(session, verb), session.line
    await _prompt(session, verb, wanted)
    line.begin_to_listen()
    try:
        first = await line.take(wanted.kinds, wanted.timeout)
        fields = await _heard(session, verb, wanted, first)
    finally:
        line.listening = False
    if not (fields.get("Digits") or fields.get("SpeechResult")):
        line.note("twilio", "[hears nothing]")
        if not wanted.empty_counts:
            return None
    return session.source(verb, fields)


async def _prompt(session: Session, verb: Element, wanted: _Wanted) -> None:
    """Speak the nested verbs; where the person may interrupt them, until they do."""
    line = session.line
    speaking = asyncio.create_task(_speak(session, verb))
    speaking.add_done_callback(lambda _: line.changes.tell())
    try:
        await asyncio.sleep(0)  # so that the first word is said, however fast the person
        if wanted.barge_in:
            await line.changes.wait_until(lambda: speaking.done() or _interrupts(line, wanted))
        else:
            await asyncio.wait({speaking})
        if speaking.done():
            speaking.result()
        else:
            line.note("twilio", "(is interrupted)")
    finally:
        speaking.cancel()
        await asyncio.gather(speaking, return_exceptions=True)


async def _speak(session: Session, verb: Element) -> None:
    for prompt in verb:
        await session.perform(prompt)


def _interrupts(line: Line, wanted: _Wanted) -> bool:
    return any(given.kind in wanted.kinds for given in line.inputs)


async def _heard(session: Session, verb: Element, wanted: _Wanted, first: Input | None) -> dict[str, str]:
    if first is not None and first.kind == "speech":
        return await _speech(session, verb, wanted, first)
    digits, key = "", first
    while key is not None and key.text != wanted.finish_key:
        digits += key.text
        if len(digits) == wanted.most:
            key = None
        else:
            key = await _next_key(session.line, wanted.timeout)
    if "key" not in wanted.kinds:
        return {}
    return {"Digits": digits, "FinishedOnKey": key.text if key else "", "msg": "Gather End"}


async def _next_key(line: Line, timeout: float) -> Input | None:
    """None where the person stopped pressing: by silence, or by speaking, which is for the next verb that listens."""
    if await line.wait_for_input(timeout) and line.inputs[0].kind != "speech":
        return await line.take({"key"}, timeout)
    return None


async def _speech(session: Session, verb: Element, wanted: _Wanted, speech: Input) -> dict[str, str]:
    language = verb.get("language", LANGUAGE)
    callback = verb.get("partialResultCallback")
    if callback:
        session.network.start(_partials(session, session.url(callback), verb, speech))
    await session.line.clock.sleep(speaking_seconds(speech.text) + wanted.speech_timeout)
    return {"SpeechResult": speech.text, "Confidence": f"{speech.confidence:.8g}", "Language": language}


async def _partials(session: Session, url: str, verb: Element, speech: Input) -> None:
    """One callback a word, unstable but for the last."""
    words = speech.text.split()
    call, method = session.line.call, verb.get("partialResultCallbackMethod", "POST").upper()
    for index in range(len(words)):
        text, is_last = " ".join(words[: index + 1]), index + 1 == len(words)
        fields = call_fields(call) | {
            "SequenceNumber": str(index),
            "Stability": "0.9" if is_last else "0.5",
            "StableSpeechResult": text if is_last else "",
            "UnstableSpeechResult": "" if is_last else text,
            "Language": verb.get("language", LANGUAGE),
        }
        await session.network.request("partial", url, fields, method)
