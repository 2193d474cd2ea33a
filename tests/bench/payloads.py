"""What the functions are given: Twilio's webhooks with their signatures, stream batches, callers' requests."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from twilio.request_validator import RequestValidator

from local.stack import TwilioAccount
from local.twilio.delivery import status_form
from local.twilio.inbound import webhook_fields
from local.twilio.messages import Message
from local.twilio.webhooks import CONTENT_TYPE

Payload = dict[str, Any]

# As long as texts are: one segment, and three parts of 160 characters.
SHORT_TEXT = "Hi! Is the table for four on Friday at half past seven still free? We may be a little late."
LONG_TEXT = " ".join(["Yes, it is, and we have put you by the window, as you asked."] * 7)
ANSWER_TEXT = "Friday at half past seven it is. See you then!"


@dataclass(frozen=True, slots=True)
class Webhook:
    """One request of Twilio's."""

    url: str
    body: str
    headers: Mapping[str, str]

    def event(self) -> Payload:
        """As an HTTP API hands it to a function (payload format 2.0), which encodes forms."""
        url = urlsplit(self.url)
        http = {
            "method": "POST",
            "path": url.path,
            "protocol": "HTTP/1.1",
            "sourceIp": "127.0.0.1",
            "userAgent": "TwilioProxy/1.1",
        }
        return {
            "version": "2.0",
            "routeKey": f"POST {url.path}",
            "rawPath": url.path,
            "rawQueryString": url.query,
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "requestContext": {"domainName": url.netloc, "http": http, "stage": "$default"},
            "body": base64.b64encode(self.body.encode()).decode(),
            "isBase64Encoded": True,
        }


class Twilio:
    """Signs as Twilio does, for the webhooks below a root."""

    def __init__(self, account: TwilioAccount, root: str) -> None:
        self._account = account
        self._root = root
        self._validator = RequestValidator(account.auth_token)

    def text_in(self, person: str, body: str = SHORT_TEXT) -> Webhook:
        """A text of a person's, with a message SID of its own."""
        message = Message(self._account.account_sid, "inbound", person, self._account.phone_number, body, "received")
        return self._signed(f"{self._root}/sms", webhook_fields(message, {}, {}))

    def call_in(self, person: str, call_sid: str = "") -> Webhook:
        """A call of a person's; with a call SID of its own unless one is given."""
        fields = {
            "CallSid": call_sid or f"CA{secrets.token_hex(16)}",
            "AccountSid": self._account.account_sid,
            "From": person,
            "To": self._account.phone_number,
            "CallStatus": "ringing",
            "Direction": "inbound",
            "ApiVersion": "2010-04-01",
            "FromCountry": "US",
        }
        return self._signed(f"{self._root}/voice", fields)

    def status(self, person: str, status: str, *, message_sid: str = "", send_id: str = "send") -> Webhook:
        """A status callback of a text to a person; of a new message unless its SID is given."""
        ours = self._account.phone_number
        message = Message(self._account.account_sid, "outbound-api", ours, person, SHORT_TEXT, status, sid=message_sid)
        return self._signed(f"{self._root}/status?{urlencode({'send': send_id, 'part': 1})}", status_form(message))

    def transcribed(self, call_sid: str, sequence_id: int) -> Webhook:
        """What a person says in a call that is only listened to, under a number."""
        fields = {
            "AccountSid": self._account.account_sid,
            "CallSid": call_sid,
            "TranscriptionSid": f"GT{call_sid[2:]}",
            "TranscriptionEvent": "transcription-content",
            "SequenceId": str(sequence_id),
            "Timestamp": f"2026-11-22T08:00:{sequence_id:02d}.000Z",
            "LanguageCode": "en-US",
            "Track": "inbound_track",
            "TranscriptionData": json.dumps({"transcript": SHORT_TEXT, "confidence": 0.95}),
            "Final": "true",
        }
        return self._signed(f"{self._root}/status?outbound_track=callee", fields)

    def _signed(self, url: str, fields: dict[str, str]) -> Webhook:
        signature = str(self._validator.compute_signature(url, fields))
        headers = {"Content-Type": CONTENT_TYPE, "X-Twilio-Signature": signature, "User-Agent": "TwilioProxy/1.1"}
        return Webhook(url, urlencode(fields), headers)


def stream_batch(rows: Sequence[Mapping[str, Any]]) -> Payload:
    """Rows of the outbox as its stream brings them to the relay."""
    return {
        "Records": [
            {
                "eventName": "INSERT",
                "eventSource": "aws:dynamodb",
                "dynamodb": {
                    "Keys": {"event_id": row["event_id"]},
                    "NewImage": row,
                    "SequenceNumber": str(number),
                    "StreamViewType": "NEW_IMAGE",
                },
            }
            for number, row in enumerate(rows, start=100)
        ]
    }
