"""Twilio's Calls resource."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from itertools import takewhile
from typing import Any
from urllib.parse import urlencode

# Here and not at the first call: the package loads it late, and a caller would wait for its modules.
from twilio.rest.api.v2010.account import call as _call  # noqa: F401
from twilio.rest.api.v2010.account.call import transcription as _transcription  # noqa: F401

from twilio_plugin.adapters.twilio_rest import TwilioRest
from twilio_plugin.domain.address import Address, masked
from twilio_plugin.domain.call import HIDDEN_CALLER, CallRequest, CallUpdate
from twilio_plugin.domain.webhook_retries import RETRY_CALLBACK, RETRY_DOCUMENT


class TwilioCalls:
    """`Calling` on Twilio. `webhook_url` is the root of our webhooks."""

    def __init__(self, twilio: TwilioRest, *, webhook_url: str) -> None:
        self._twilio = twilio
        self._webhook_url = webhook_url

    def make(self, request: CallRequest) -> CallUpdate:
        query = urlencode({"request": request.request_id})
        status_url = f"{self._webhook_url}/status?{query}{RETRY_CALLBACK}"
        arguments = {
            "to": str(request.recipient),
            "from_": str(request.sender),
            "time_limit": request.time_limit,
            "status_callback": status_url,
            "status_callback_event": ["initiated", "ringing", "answered", "completed"],
            **self._heard(request, query),
        }
        if request.record:
            arguments |= {
                "record": True,
                "recording_status_callback": f"{self._webhook_url}/status{RETRY_CALLBACK}",
                "recording_status_callback_event": ["completed", "absent"],
            }
        if request.machine_detection:
            leaves_message = request.machine_detection.on_machine == "leave_message"
            arguments |= {
                "machine_detection": "DetectMessageEnd" if leaves_message else "Enable",
                "async_amd": "true",
                "async_amd_status_callback": status_url,
            }
        what = f"the call to {masked(str(request.recipient))}"
        return self._twilio.change(what, lambda client: _update(client.calls.create(**arguments)))

    def _heard(self, request: CallRequest, query: str) -> dict[str, str]:
        if request.twiml:
            return {"twiml": request.twiml}
        if request.url:
            return {"url": request.url}
        mode = f"&mode={request.voice_mode}" if request.voice_mode else ""
        # A call that is relayed is not recorded by `Record`: its document does it.
        record = "&record=true" if request.record else ""
        return {
            "url": f"{self._webhook_url}/voice?{query}{mode}{record}{RETRY_DOCUMENT}",
            "fallback_url": f"{self._webhook_url}/voice/fallback",
        }

    def redirect(self, call_sid: str, *, twiml: str | None = None, url: str | None = None) -> str:
        document = {"twiml": twiml} if twiml else {"url": url}
        return self._twilio.change(
            f"the change of {call_sid}", lambda client: str(client.calls(call_sid).update(**document).status)
        )

    def end(self, call_sid: str) -> str:
        return self._twilio.change(
            f"the end of {call_sid}", lambda client: str(client.calls(call_sid).update(status="completed").status)
        )

    def limit(self, call_sid: str, seconds: int) -> str:
        return self._twilio.change(
            f"the limit of {call_sid}", lambda client: str(client.calls(call_sid).update(time_limit=seconds).status)
        )

    def start_transcription(self, call_sid: str, asked: Mapping[str, str | bool]) -> str:
        def ask(client: Any) -> str:
            sid = client.calls(call_sid).transcriptions.create(**asked).sid
            if not sid:
                raise ValueError("an answer without a SID")
            return str(sid)

        return self._twilio.change(f"the transcription of {call_sid}", ask)

    def stop_transcription(self, call_sid: str, transcription: str) -> str:
        return self._twilio.change(
            f"the end of a transcription of {call_sid}",
            lambda client: str(client.calls(call_sid).transcriptions(transcription).update(status="stopped").status),
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
