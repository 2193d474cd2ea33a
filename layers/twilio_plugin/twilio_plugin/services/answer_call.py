"""A call wants to know what to do: a person calls us, a person we called has answered, or a stream ended before its call."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlencode

from twilio_plugin.domain import twiml
from twilio_plugin.domain.call import CallUpdate, VoiceMode, voice_mode
from twilio_plugin.domain.events import CallReceived, event_id
from twilio_plugin.domain.relay import session_end
from twilio_plugin.domain.stream import MAX_REOPENINGS
from twilio_plugin.domain.timestamp import iso
from twilio_plugin.domain.webhook_retries import RETRY_CALLBACK, RETRY_DOCUMENT
from twilio_plugin.errors import PluginError
from twilio_plugin.services.gather_call import GatherOpener, begin
from twilio_plugin.services.inbound_guard import InboundGuard
from twilio_plugin.services.ports import Calls, Clock, Streams, Utterances
from twilio_plugin.services.relay_line import RelayLine, hand_over, relay_line, relay_over
from twilio_plugin.services.track_call import track_call

LOST = "Sorry, we have lost the connection. Goodbye."


@dataclass(frozen=True, slots=True)
class Answering:
    """What answering a call needs."""

    calls: Calls
    streams: Streams
    guard: InboundGuard
    clock: Clock
    greeting: str
    sorry: str
    """What a person hears for whom nobody is there."""
    voice_mode: VoiceMode
    """How people talk to the agent where a call's URL does not say."""
    websocket_url: str
    webhook_url: str
    """The root of our webhooks."""
    token: Callable[[str, int], str]
    """Call SID and leg → what shows that the leg's stream is the one we ask for here."""
    gather: GatherOpener
    """For calls without a socket."""
    relay: RelayLine
    """For calls whose words go over a socket."""
    utterances: Utterances
    """To close what was being said in one of those."""
    warm: Callable[[VoiceMode], None]
    """Wake what the mode will need. Raises nothing but errors of ours, which change nothing."""


def answer(call: CallUpdate, fields: dict[str, str], query: Mapping[str, str], by: Answering) -> str:
    """What the call is to do now, as a TwiML document.

    Raises:
        StorageUnavailable: nothing was stored.
    """
    if query.get("then") == "hang_up":
        return twiml.document(twiml.hangup())
    mode = voice_mode(query.get("mode", "")) or by.voice_mode
    if "leg" in query:
        return _go_on(call, fields, mode, _number(query, "leg"), _number(query, "reopened"), by)
    inbound = call.direction == "inbound"
    if inbound:
        if reason := by.guard.reject_call(call):
            return twiml.document(twiml.reject(reason))
        answer_call(call, fields, by.calls, by.clock)
    else:
        # Twilio asks when the person has answered, which its status callback may not have said yet.
        track_call(dataclasses.replace(call, status="in-progress"), by.calls, by.clock)
    with suppress(PluginError):
        by.warm(mode)
    greeting = by.greeting if inbound else None
    return twiml.document(*_line(call, mode, 0, 0, by, greeting=greeting, record="record" in query))


def answer_call(call: CallUpdate, fields: dict[str, str], calls: Calls, clock: Clock) -> bool:
    """Store and announce one inbound call. False if it had been before.

    Raises:
        StorageUnavailable: nothing was stored.
    """
    event = CallReceived(
        event_id=event_id(CallReceived, call.call_sid),
        occurred_at=iso(clock()),
        account_sid=call.account_sid,
        conversation_id=call.conversation_id,
        call_sid=call.call_sid,
        from_=str(call.sender),
        to=str(call.recipient),
        fields=fields,
    )
    # Our answer is what makes it a call; Twilio reports nothing of an inbound one between its ringing and its end.
    return calls.add_received(dataclasses.replace(call, status="in-progress"), event)


def apology(words: str) -> str:
    """A document that says so and ends the call."""
    return twiml.document(twiml.say(words), twiml.hangup())


def leg_url(webhook_url: str, mode: VoiceMode, leg: int, *, reopened: int) -> str:
    """Where a call goes on with its next stream. `reopened` counts the times that it did so on its own."""
    return f"{webhook_url}/voice?{urlencode({'mode': mode, 'leg': leg, 'reopened': reopened})}{RETRY_DOCUMENT}"


def hang_up_url(webhook_url: str) -> str:
    """Where a call goes on that is to end then: for verbs that want an address for it."""
    return f"{webhook_url}/voice?then=hang_up{RETRY_DOCUMENT}"


def _go_on(
    asking: CallUpdate, fields: Mapping[str, str], mode: VoiceMode, leg: int | None, reopened: int | None, by: Answering
) -> str:
    """The document got here behind a stream that has ended, or by a change of ours."""
    call = by.calls.call(asking.call_sid)
    if leg is None or reopened is None or call is None:
        return apology(by.sorry)
    stream = by.streams.of_call(asking.call_sid)
    ended = session_end(fields)
    if ended and stream and stream.stream_sid == ended.session_id:
        stream = relay_over(stream, ended, by, call_ended=call.ended or asking.ended)
    if call.ended or asking.ended:
        return twiml.document(twiml.hangup())
    # Where `reopened` is 0 the agent has just had a word after all.
    if reopened and stream and stream.end == "no_reply":
        return apology(by.sorry)
    if stream and ended and ended.handoff_data is not None:
        return twiml.document(hand_over(ended.handoff_data, stream, by.relay))
    if reopened > MAX_REOPENINGS:
        return apology(LOST)
    return twiml.document(*_line(asking, mode, leg, reopened, by))


def _line(
    call: CallUpdate,
    mode: VoiceMode,
    leg: int,
    reopened: int,
    by: Answering,
    *,
    greeting: str | None = None,
    record: bool = False,
) -> tuple[twiml.Verb | None, ...]:
    """How the person and the agent hear each other, behind the greeting, and what comes when that ends before the call."""
    token = by.token(call.call_sid, leg)
    afterwards = leg_url(by.webhook_url, mode, leg + 1, reopened=reopened + 1)
    match mode:
        case "gather":
            return begin(call, leg, reopened, greeting, by.gather)
        case "relay":
            return relay_line(by.websocket_url, token, afterwards, by.relay, greeting=greeting, record=record)
        case "stream":
            return (twiml.say(greeting) if greeting else None, *_stream(token, afterwards, by))


def _stream(token: str, afterwards: str, by: Answering) -> tuple[twiml.Verb, ...]:
    return (
        twiml.connect_stream(
            by.websocket_url,
            parameters={"token": token},
            status_callback=f"{by.webhook_url}/status{RETRY_CALLBACK}",
        ),
        twiml.redirect(afterwards),
    )


def _number(query: Mapping[str, str], name: str) -> int | None:
    written = query.get(name, "")
    return int(written) if written.isascii() and written.isdigit() and len(written) < 9 else None
