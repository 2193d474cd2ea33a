"""A ConversationRelay session in a call's document: how it begins, and how the document goes on when it is over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from twilio_plugin.domain import twiml
from twilio_plugin.domain.relay import SessionEnd
from twilio_plugin.domain.stream import Stream, StreamEnd
from twilio_plugin.services.end_stream import StreamCloser, end_stream


@dataclass(frozen=True, slots=True)
class RelayLine:
    """What the documents of relayed calls say."""

    attributes: Mapping[str, str]
    """Of <ConversationRelay>: language, engines, voice, what interrupts. Under the twilio package's names."""
    recording_url: str
    """Where Twilio tells what became of a recording."""
    stay_seconds: int
    """How long the line stays open after a hand-off to nobody."""


def relay_line(
    url: str, token: str, afterwards: str, line: RelayLine, *, greeting: str | None, record: bool
) -> tuple[twiml.Verb | None, ...]:
    """Twilio greets, in the agent's voice; `afterwards` is asked for the next document, whatever ends the session.

    A call's own ``Record`` does nothing here, so a recording is started by a verb.
    """
    recording = twiml.start_recording(
        recording_status_callback=line.recording_url, recording_status_callback_event="completed absent"
    )
    session = twiml.connect_relay(
        url,
        action=afterwards,
        parameters={"token": token},
        welcome_greeting=twiml.spoken(greeting or "") or None,
        dtmf_detection="true",
        report_input_during_agent_speech="any",
        events="tokens-played",
        application_reconnect="true",
        **line.attributes,
    )
    return (recording if record else None, session)


def relay_over(stream: Stream, ended: SessionEnd, by: StreamCloser, *, call_ended: bool) -> Stream:
    """Twilio says that the session is over; nothing changes if it was before. The stream as it is then."""
    end: StreamEnd = "failed" if ended.error_code else "call_ended" if call_ended else "stopped"
    end_stream(stream, end, by, handoff_data=ended.handoff_data)
    return by.streams.read(stream)


def hand_over(handoff_data: Mapping[str, Any], stream: Stream, line: RelayLine) -> twiml.Verb:
    """The agent has handed the call over: to the number that the data name, or to whoever acts on the event."""
    to = handoff_data.get("to")
    return twiml.dial(to, caller_id=stream.ours) if isinstance(to, str) and to else twiml.pause(line.stay_seconds)
