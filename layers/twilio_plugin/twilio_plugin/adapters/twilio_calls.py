"""Twilio's Calls resource."""

from __future__ import annotations

from datetime import datetime
from itertools import takewhile
from typing import Any
from urllib.parse import urlencode

# Here and not at the first call: the package loads it late, and a caller would wait for its modules.
from twilio.rest.api.v2010.account import call as _call  # noqa: F401

from twilio_plugin.adapters.twilio_rest import RETRY_CALLBACK, TwilioRest
from twilio_plugin.domain.address import Address, masked
from twilio_plugin.domain.call import HIDDEN_CALLER, CallRequest, CallUpdate


class TwilioCalls:
    """`Calling` on Twilio."""

    def __init__(self, twilio: TwilioRest, *, status_url: str) -> None:
        self._twilio = twilio
        self._status_url = status_url

    def make(self, request: CallRequest) -> CallUpdate:
        query = urlencode({"request": request.request_id})
        arguments = {
            "to": str(request.recipient),
            "from_": str(request.sender),
            "time_limit": request.time_limit,
            "status_callback": f"{self._status_url}?{query}{RETRY_CALLBACK}",
            "status_callback_event": ["initiated", "ringing", "answered", "completed"],
            **({"twiml": request.twiml} if request.twiml else {"url": request.url}),
        }
        what = f"the call to {masked(str(request.recipient))}"
        return self._twilio.change(what, lambda client: _update(client.calls.create(**arguments)))

    def redirect(self, call_sid: str, *, twiml: str | None = None, url: str | None = None) -> str:
        document = {"twiml": twiml} if twiml else {"url": url}
        return self._twilio.change(
            f"the change of {call_sid}", lambda client: str(client.calls(call_sid).update(**document).status)
        )

    def end(self, call_sid: str) -> str:
        return self._twilio.change(
            f"the end of {call_sid}", lambda client: str(client.calls(call_sid).update(status="completed").status)
        )

    def fetch(self, call_sid: str) -> CallUpdate | None:
        return self._twilio.read("call", lambda client: _update(client.calls(call_sid).fetch()))

    def made(self, request: CallRequest, *, since: datetime) -> list[CallUpdate]:
        def ask(client: Any) -> list[CallUpdate]:
            # Newest first, and not asked for by StartTime, which a call still in Twilio's queue does not have.
            newest = client.calls.stream(to=str(request.recipient), from_=str(request.sender))
            recent = list(takewhile(lambda call: (call.date_created or since) >= since, newest))
            # Not the legs of transfers, which are between the same two numbers.
            return [_update(call) for call in reversed(recent) if call.direction != "outbound-dial"]

        return self._twilio.read("call list", ask) or []


def _update(call: Any) -> CallUpdate:
    if not call.sid:
        raise ValueError("an answer without a SID")
    return CallUpdate(
        call_sid=call.sid,
        account_sid=call.account_sid,
        direction="inbound" if call.direction == "inbound" else "outbound",
        sender=Address.parse(call._from or HIDDEN_CALLER),
        recipient=Address.parse(call.to),
        status=str(call.status),
        duration=int(call.duration) if call.duration else None,
    )
