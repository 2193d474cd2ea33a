"""Twilio's Messages resource."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from itertools import takewhile
from typing import Any
from urllib.parse import urlencode

# Here and not at the first send: the package loads it late, and a caller would wait for its ninety modules.
from twilio.rest.api.v2010.account import message as _message  # noqa: F401

from twilio_plugin.adapters.twilio_rest import TwilioRest
from twilio_plugin.domain.address import masked
from twilio_plugin.domain.outbound import Part, Receipt, TwilioMessage
from twilio_plugin.domain.outbound_media import S3Object
from twilio_plugin.domain.webhook_retries import RETRY_CALLBACK


class TwilioMessages:
    """`Texting` on Twilio."""

    def __init__(self, twilio: TwilioRest, *, status_url: str, link: Callable[[S3Object], str] | None = None) -> None:
        """`link` makes a URL under which Twilio can fetch an object. Who sends nothing needs none."""
        self._twilio = twilio
        self._status_url = status_url
        self._link = link or str  # as it stands, which Twilio refuses

    def send(self, part: Part) -> Receipt:
        arguments = self._arguments(part)
        what = f"the text to {masked(str(part.recipient))}"
        return self._twilio.change(what, lambda client: _receipt(client.messages.create(**arguments), part))

    def sent(self, part: Part, *, since: datetime) -> list[TwilioMessage]:
        def ask(client: Any) -> list[TwilioMessage]:
            # Newest first, and not asked for by DateSent, which a message still in Twilio's queue does not have.
            newest = client.messages.stream(to=str(part.recipient), from_=str(part.sender))
            recent = list(takewhile(lambda message: (message.date_created or since) >= since, newest))
            return [TwilioMessage(_receipt(one, part), one.body or "", int(one.num_media or 0)) for one in reversed(recent)]

        return self._twilio.read("message list", ask) or []

    def _arguments(self, part: Part) -> dict[str, Any]:
        query = urlencode({"send": part.send_id, "part": part.number})
        arguments = {
            "to": str(part.recipient),
            "from_": str(part.sender),
            "body": part.body or None,
            "media_url": [self._link(at) if (at := S3Object.named(url)) else url for url in part.media_url] or None,
            "content_sid": part.template.sid if part.template else None,
            "content_variables": part.template.variables if part.template and part.template.variables != "{}" else None,
            "messaging_service_sid": part.messaging_service_sid,
            "status_callback": f"{self._status_url}?{query}{RETRY_CALLBACK}",
        }
        return {name: value for name, value in arguments.items() if value is not None}


def _receipt(message: Any, part: Part) -> Receipt:
    if not message.sid:
        raise ValueError("an answer without a SID")
    code = message.error_code
    text = str(message.body or "") or None if part.template else None
    return Receipt(message.sid, message.account_sid, str(message.status), int(code) if code else None, text)
