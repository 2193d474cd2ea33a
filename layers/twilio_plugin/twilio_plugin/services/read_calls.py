"""What calls there are, as an agent reads them."""

from __future__ import annotations

import dataclasses

from twilio_plugin.domain.actions import CallState, CallStates, ReadCalls
from twilio_plugin.domain.call import Call
from twilio_plugin.domain.call_lines import as_text
from twilio_plugin.domain.stream import Stream
from twilio_plugin.domain.transcription import CallTranscription
from twilio_plugin.errors import InvalidRequest
from twilio_plugin.services.ports import CallReader, CallTranscriptionReader, Clock, StreamReader


def read_calls(
    request: ReadCalls, calls: CallReader, streams: StreamReader, transcriptions: CallTranscriptionReader, clock: Clock
) -> CallStates:
    """One call, or all that are active, each with its open stream or its running transcription.

    Raises:
        InvalidRequest: a call that the plugin does not know.
    """
    if request.call_sid:
        call = calls.call(request.call_sid)
        if call is None:
            raise InvalidRequest(f"No call {request.call_sid} is known. Leave `call_sid` out for all active ones.")
        found, stream = [call], streams.of_call(call.call_sid)
        heard = {stream.call_sid: stream} if stream and not stream.ended_at else {}
        running = transcriptions.of_call(call.call_sid)
    else:
        found = calls.active()
        heard = {stream.call_sid: stream for stream in streams.active()}
        running = transcriptions.active()
    transcribed = {one.call_sid: one for one in running}
    states = [_state(call, heard.get(call.call_sid), transcribed.get(call.call_sid)) for call in found]
    return CallStates(text=as_text(found, heard, transcribed, clock()), calls=states)


def _state(call: Call, stream: Stream | None, transcription: CallTranscription | None) -> CallState:
    heard = {
        "stream": dataclasses.asdict(stream) if stream else None,
        "transcription": dataclasses.asdict(transcription) if transcription else None,
    }
    return CallState.model_validate(dataclasses.asdict(call) | heard)
