"""TwiML for a call, on the twilio package's builder, which escapes what it is given.

Every function but `document` makes one verb; `document` puts verbs together. Attributes go under the package's names
(``status_callback`` for ``statusCallback``). Characters that no XML can hold are left out of every text and attribute.

Twilio ends the call where a document ends: one after which more is to come ends with a `pause` or a `redirect`.

Source: Twilio, "TwiML for Programmable Voice", and the pages of each verb.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeAlias

from twilio.twiml import TwiML, voice_response

from twilio_plugin.errors import InvalidRequest

MAX_BYTES = 64 * 1024  # of a document that Twilio fetches
MAX_PARAMETER = 499  # characters of a <Parameter>'s name and value together

Verb: TypeAlias = TwiML
Attribute: TypeAlias = str | int | bool | None

_ROOT = re.compile(r"\ufeff?\s*(?:<\?xml[^>]*\?>)?\s*(?:<!--(?:(?!-->).)*-->\s*)*<Response(?:\s[^<>]*)?(?<!/)>", re.DOTALL)
# What XML 1.0 cannot hold, however it is escaped (https://www.w3.org/TR/xml/#charsets).
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def document(*verbs: Verb | None) -> str:
    """A whole document; None is no verb.

    Raises:
        InvalidRequest: it is longer than Twilio reads.
    """
    response = voice_response.VoiceResponse()
    for verb in verbs:
        if verb is not None:
            response.append(verb)
    written = str(response)
    size = len(written.encode())
    if size > MAX_BYTES:
        raise InvalidRequest(f"The TwiML document has {size:,} bytes; Twilio reads at most {MAX_BYTES:,}.")
    return written


def begin_with(verb: Verb, document: str) -> str:
    """A document of somebody else's with one more verb before its own.

    Raises:
        InvalidRequest: it does not begin as a document does, or has no verbs.
    """
    root = _ROOT.match(document)
    if root is None:
        raise InvalidRequest("`twiml` is no document: it begins with <Response>, and has verbs in it.")
    return f"{document[: root.end()]}{verb.to_xml(xml_declaration=False)}{document[root.end() :]}"


def spoken(text: str) -> str:
    """The text without what no document can hold; empty where nothing is left to speak."""
    return _held(text).strip()


def say(text: str, **attributes: Attribute) -> Verb | None:
    """Speak. None where there is nothing to speak: Twilio warns of an empty <Say>."""
    words = spoken(text)
    return voice_response.Say(words, **_all_held(attributes)) if words else None


def pause(seconds: int) -> Verb:
    """Stay on the line in silence."""
    return voice_response.Pause(length=seconds)


def play(url: str, **attributes: Attribute) -> Verb:
    """Play a sound file."""
    return voice_response.Play(_held(url), **_all_held(attributes))


def press(digits: str) -> Verb:
    """Send keys to the other side: ``0-9 * # w``, w being half a second."""
    return voice_response.Play(digits=_held(digits))


def gather(*prompts: Verb | None, **attributes: Attribute) -> Verb:
    """Say or play the prompts while listening for keys or words (``input``), which go to ``action``."""
    verb = voice_response.Gather(**_all_held(attributes))
    for prompt in prompts:
        if prompt is not None:
            verb.append(prompt)
    return verb


def record(**attributes: Attribute) -> Verb:
    """Record what the person says, after a beep; the document goes on at ``action``."""
    return voice_response.Record(**_all_held(attributes))


def dial(*numbers: str, **attributes: Attribute) -> Verb:
    """Connect the person to a number, or to whichever of several answers first; afterwards the document goes on."""
    verb = voice_response.Dial(**_all_held(attributes))
    for number in numbers:
        verb.append(voice_response.Number(_held(number)))
    return verb


def connect_stream(url: str, *, parameters: Mapping[str, str] | None = None, **attributes: Attribute) -> Verb:
    """Carry the call's sound both ways over a WebSocket; the document goes on when our side closes it.

    Raises:
        InvalidRequest: the URL or a parameter is one that Twilio refuses.
    """
    return voice_response.Connect().append(_stream(url, parameters or {}, attributes))


def start_stream(url: str, *, parameters: Mapping[str, str] | None = None, **attributes: Attribute) -> Verb:
    """Copy the call's sound to a WebSocket, and go on at once. Raises as `connect_stream`."""
    return voice_response.Start().append(_stream(url, parameters or {}, attributes))


def stop_stream(name: str) -> Verb:
    """End a stream that was started under this name."""
    return voice_response.Stop().append(voice_response.Stream(name=_held(name)))


def connect_relay(
    url: str, *, action: str | None = None, parameters: Mapping[str, str] | None = None, **attributes: Attribute
) -> Verb:
    """Let Twilio hear and speak, and carry words both ways over a WebSocket (ConversationRelay).

    When the session is over, the document goes on at `action`; without one, with the next verb.
    """
    relay = voice_response.ConversationRelay(url=_held(url), **_all_held(attributes))
    for name, value in (parameters or {}).items():
        relay.append(voice_response.Parameter(name=_held(name), value=_held(value)))
    return voice_response.Connect(action=action and _held(action), method=action and "POST").append(relay)


def start_transcription(**attributes: Attribute) -> Verb:
    """Have the call transcribed to ``status_callback_url``, and go on at once."""
    return voice_response.Start().append(voice_response.Transcription(**_all_held(attributes)))


def stop_transcription(name: str) -> Verb:
    """End a transcription that was started under this name."""
    return voice_response.Stop().append(voice_response.Transcription(name=_held(name)))


def start_recording(**attributes: Attribute) -> Verb:
    """Record both sides from here on, and go on at once."""
    return voice_response.Start().append(voice_response.Recording(**_all_held(attributes)))


def enqueue(name: str, **attributes: Attribute) -> Verb:
    """Let the person wait in a queue of this name."""
    return voice_response.Enqueue(_held(name), **_all_held(attributes))


def redirect(url: str) -> Verb:
    """Go on with the document that Twilio gets here, by POST."""
    return voice_response.Redirect(_held(url), method="POST")


def reject(reason: str = "rejected") -> Verb:
    """Do not answer the call, which then costs nothing: ``rejected`` or ``busy``. Only as the first verb."""
    return voice_response.Reject(reason=_held(reason))


def hangup() -> Verb:
    """End the call."""
    return voice_response.Hangup()


def _stream(url: str, parameters: Mapping[str, str], attributes: Mapping[str, Attribute]) -> Verb:
    if not url.startswith(("wss://", "ws://")) or "?" in url:
        raise InvalidRequest(
            "A stream's URL is one of a WebSocket, and without a query: what it is to tell goes into parameters."
        )
    stream = voice_response.Stream(url=_held(url), **_all_held(attributes))
    for name, value in parameters.items():
        if len(name) + len(value) > MAX_PARAMETER:
            raise InvalidRequest(f"The stream's parameter {name[:20]!r} is too long: {MAX_PARAMETER} characters with its name.")
        stream.append(voice_response.Parameter(name=_held(name), value=_held(value)))
    return stream


def _held(text: str) -> str:
    return _NOT_XML.sub("", text)


def _all_held(attributes: Mapping[str, Attribute]) -> dict[str, Attribute]:
    return {name: _held(value) if isinstance(value, str) else value for name, value in attributes.items()}
