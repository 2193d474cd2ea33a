"""``<ConversationRelay>`` as Twilio reads it: https://www.twilio.com/docs/voice/twiml/connect/conversationrelay.

A value that it does not know is a warning, and the default holds; an unknown provider keeps the session from starting (64101).
"""

import asyncio
from dataclasses import replace
from xml.etree.ElementTree import Element

from ..line import Source
from ..media.noun import parameters_of, socket_url, url_problem
from ..relay.noun import AUTO_SECONDS, LANGUAGE, Noun
from ..relay.relay import Relay
from ..requests import call_fields
from ..session import Outcome, Session
from .attributes import choice, flag

_INPUTS = ("none", "dtmf", "speech", "any")
# For backward compatibility: https://www.twilio.com/en-us/changelog/new-features-now-available-for-conversationrelay
_BOOLEANS = {"true": "any", "false": "none"}
_SPEAKERS = frozenset({"amazon", "deepgram", "elevenlabs", "google"})
_TRANSCRIBERS = frozenset({"deepgram", "google"})
_SENSITIVITIES = ("low", "medium", "high")
_EVENTS = frozenset({"speaker-events", "tokens-played"})
_DEBUG = _EVENTS | {"debugging"}
_TIMEOUT_MS = range(600, 5001)


def read_noun(session: Session, relay: Element) -> Noun:
    """Read the one within ``<Connect>``."""
    url = socket_url(session, relay.get("url", ""))
    language = relay.get("transcriptionLanguage") or relay.get("language") or LANGUAGE
    choice(session, relay, "interruptSensitivity", "high", _SENSITIVITIES)
    return Noun(
        url=url,
        greeting=relay.get("welcomeGreeting", ""),
        greeting_interruptible=_inputs(session, relay, "welcomeGreetingInterruptible", "any"),
        interruptible=_inputs(session, relay, "interruptible", "any"),
        reports=_inputs(session, relay, "reportInputDuringAgentSpeech", "none"),
        preemptible=flag(session, relay, "preemptible", False),
        dtmf_detection=flag(session, relay, "dtmfDetection", False),
        partial_prompts=flag(session, relay, "partialPrompts", False),
        partial_on_hangup=flag(session, relay, "partialPromptOnHangup", False),
        reconnects=flag(session, relay, "applicationReconnect", False),
        language=language,
        silence=_silence(session, relay),
        events=_words(session, relay, "events", _EVENTS) | _words(session, relay, "debug", _DEBUG),
        parameters=parameters_of(session, relay),
        problem=url_problem(url) or _unknown_provider(relay),
    )


def _inputs(session: Session, relay: Element, name: str, default: str) -> str:
    chosen = choice(session, relay, name, default, (*_INPUTS, *_BOOLEANS))
    return _BOOLEANS.get(chosen, chosen)


def _words(session: Session, relay: Element, name: str, known: frozenset[str]) -> frozenset[str]:
    words = frozenset(relay.get(name, "").split())
    if words - known:
        session.warn(f"{name}={relay.get(name)!r} of <{relay.tag}> has {', '.join(sorted(words - known))}")
    return words & known


def _silence(session: Session, relay: Element) -> float:
    text = relay.get("speechTimeout", "auto")
    if text.isdecimal() and int(text) in _TIMEOUT_MS:
        return int(text) / 1000
    if text != "auto":
        session.warn(f"speechTimeout={text!r} of <{relay.tag}> is neither auto nor 600 to 5000")
    return AUTO_SECONDS


def _unknown_provider(relay: Element) -> tuple[int, str] | None:
    for element in [relay, *relay.findall("Language")]:
        for name, known in (("ttsProvider", _SPEAKERS), ("transcriptionProvider", _TRANSCRIBERS)):
            provider = element.get(name)
            if provider is not None and provider.lower() not in known:
                return 64101, f"{name} {provider!r} of <{element.tag}>"
    return None


async def relay(session: Session, verb: Element, noun: Element) -> Outcome:
    """Converse until the session is over, and go on at ``action`` of ``<Connect>``, or with the next verb.

    Where the call ends first, ``action`` is told, with an answer that nobody waits for.
    """
    after = session.source(verb, {}) if verb.get("action") is not None else None
    line = session.line
    # Twilio answers a call when it connects it, and writes RINGING in the first document of one that came in.
    is_new = line.call.direction == "inbound" and len(line.documents) == 1
    conversation = Relay(line, session.network, read_noun(session, noun), "ringing" if is_new else line.call.status)
    session.network.start(conversation.run())
    try:
        await conversation.over.wait()
    except asyncio.CancelledError:
        is_redirected = isinstance(session.told, Source)
        conversation.stop("redirected" if is_redirected else "completed")
        if after is not None and not is_redirected:
            session.network.start(_tell_action(session, after, conversation))
        raise
    if conversation.record.began_at is not None:
        session.has_sounded()
    return after and replace(after, fields=_fields(conversation))


def _fields(conversation: Relay) -> dict[str, str]:
    """What ``action`` is told, as seen on calls: https://www.twilio.com/docs/voice/twiml/connect/conversationrelay."""
    record = conversation.record
    fields = {
        "SessionId": record.sid,
        "SessionStatus": record.ended or "",
        "SessionDuration": str(round(record.ended_at or 0)),
    }
    if record.handoff_data is not None:
        fields["HandoffData"] = record.handoff_data
    if conversation.error is not None:
        fields |= {"ErrorCode": str(conversation.error.code), "ErrorMessage": str(conversation.error)}
    return fields


async def _tell_action(session: Session, after: Source, conversation: Relay) -> None:
    await conversation.over.wait()
    await session.line.changes.wait_until(lambda: session.line.call.ended)
    fields = call_fields(session.line.call) | _fields(conversation)
    await session.network.request("call", after.url, fields, after.method)
