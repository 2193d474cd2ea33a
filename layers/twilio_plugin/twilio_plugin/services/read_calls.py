"""What calls there are, as an agent reads them."""

from __future__ import annotations

import dataclasses

from twilio_plugin.domain.actions import CallState, CallStates, ReadCalls
from twilio_plugin.domain.call import as_text
from twilio_plugin.errors import InvalidRequest
from twilio_plugin.services.ports import CallReader


def read_calls(request: ReadCalls, calls: CallReader) -> CallStates:
    """One call, or all that are active.

    Raises:
        InvalidRequest: a call that the plugin does not know.
    """
    if request.call_sid:
        call = calls.call(request.call_sid)
        if call is None:
            raise InvalidRequest(f"No call {request.call_sid} is known. Leave `call_sid` out for all active ones.")
        found = [call]
    else:
        found = calls.active()
    return CallStates(text=as_text(found), calls=[CallState.model_validate(dataclasses.asdict(call)) for call in found])
