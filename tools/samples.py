"""One real example of every event, and of every payload that a function is invoked with."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from twilio.request_validator import RequestValidator

from twilio_plugin.adapters.outbox import row
from twilio_plugin.domain.events import (
    SOURCE,
    CallEnded,
    CallReceived,
    CallStarted,
    CallStatusChanged,
    Event,
    OptOutChanged,
    SmsFailed,
    SmsReceived,
    SmsSent,
    SmsStatusChanged,
    event_id,
)
from twilio_plugin.domain.message import Media
from twilio_plugin.domain.twilio_errors import explain

ACCOUNT = "AC0123456789abcdef0123456789abcdef"
AUTH_TOKEN = "an-auth-token-for-samples"  # signs the samples and nothing else
WEBHOOK_URL = "https://phone.example.com/webhooks/twilio"
OURS, THEIRS = "+15555550100", "+15555551234"
MESSAGE = "SM0123456789abcdef0123456789abcdef"
REPLY = "SMfedcba9876543210fedcba9876543210"
CALL = "CA0123456789abcdef0123456789abcdef"
PICTURE = f"https://api.twilio.com/2010-04-01/Accounts/{ACCOUNT}/Messages/MM0/Media/ME0"
NOW = "2026-11-22T08:13:41.123Z"

_ENVELOPE: dict[str, Any] = {
    "occurred_at": NOW,
    "account_sid": ACCOUNT,
    "conversation_id": f"phone|{OURS}|{THEIRS}",
    "channel": "phone",
}
_CALL: dict[str, Any] = {name: value for name, value in _ENVELOPE.items() if name != "channel"} | {"call_sid": CALL}
_UNREGISTERED = explain(30034)

EVENTS: tuple[Event, ...] = (
    SmsReceived(
        **_ENVELOPE,
        event_id=event_id(SmsReceived, MESSAGE),
        message_sid=MESSAGE,
        from_=THEIRS,
        to=OURS,
        body="Is this the one?",
        media=(Media(PICTURE, "image/jpeg"),),
        fields={"FromCountry": "US", "ToCountry": "US"},
    ),
    SmsSent(
        **_ENVELOPE,
        event_id=event_id(SmsSent, REPLY),
        message_sid=REPLY,
        from_=OURS,
        to=THEIRS,
        body="Yes, that is the one.",
        status="queued",
        encoding="GSM-7",
        segments=1,
        part=1,
        parts=1,
        send_id=event_id(SmsReceived, MESSAGE),
    ),
    SmsStatusChanged(
        **_ENVELOPE,
        event_id=event_id(SmsStatusChanged, REPLY, "delivered"),
        message_sid=REPLY,
        from_=OURS,
        to=THEIRS,
        status="delivered",
        send_id=event_id(SmsReceived, MESSAGE),
    ),
    SmsFailed(
        **_ENVELOPE,
        event_id=event_id(SmsFailed, REPLY, "undelivered"),
        message_sid=REPLY,
        from_=OURS,
        to=THEIRS,
        status="undelivered",
        error_code=30034,
        error_class=_UNREGISTERED.error_class,
        meaning=_UNREGISTERED.meaning,
        remedy=_UNREGISTERED.remedy,
        send_id=event_id(SmsReceived, MESSAGE),
    ),
    OptOutChanged(
        **_ENVELOPE,
        event_id=event_id(OptOutChanged, MESSAGE),
        from_=THEIRS,
        to=OURS,
        state="opted_out",
        cause="keyword",
        message_sid=MESSAGE,
    ),
    CallReceived(
        **_CALL, event_id=event_id(CallReceived, CALL), from_=THEIRS, to=OURS, fields={"CallerName": "ADA", "FromCountry": "US"}
    ),
    CallStarted(
        **_CALL, event_id=event_id(CallStarted, CALL), from_=OURS, to=THEIRS, status="queued", request_id="wake-up-2026-11-22"
    ),
    CallStatusChanged(
        **_CALL,
        event_id=event_id(CallStatusChanged, CALL, "in-progress"),
        direction="outbound",
        from_=OURS,
        to=THEIRS,
        status="in-progress",
        request_id="wake-up-2026-11-22",
    ),
    CallEnded(
        **_CALL,
        event_id=event_id(CallEnded, CALL),
        direction="outbound",
        from_=OURS,
        to=THEIRS,
        status="completed",
        duration=42,
        request_id="wake-up-2026-11-22",
    ),
)


def on_the_bus(event: Event) -> dict[str, Any]:
    """An event as a rule's target receives it."""
    return {
        "version": "0",
        "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
        "detail-type": event.detail_type,
        "source": SOURCE,
        "account": "123456789012",
        "time": f"{event.occurred_at[:19]}Z",
        "region": "us-east-1",
        "resources": [],
        "detail": event.detail(),
    }


def invocations() -> dict[str, dict[str, Any]]:
    """Payloads by ``<function>/<case>``. Webhooks are signed with `AUTH_TOKEN` for `WEBHOOK_URL`."""
    return {
        "sms_webhook/text": _webhook("sms", _inbound(Body="Hello 👋 + 100 %")),
        "sms_webhook/mms": _webhook(
            "sms",
            _inbound(
                Body="Is this the one?",
                NumMedia="2",
                MediaUrl0=PICTURE,
                MediaContentType0="image/jpeg",
                MediaUrl1=PICTURE.replace("ME0", "ME1"),
                MediaContentType1="image/png",
            ),
        ),
        "sms_webhook/whatsapp": _webhook(
            "sms", _inbound(From=f"whatsapp:{THEIRS}", To=f"whatsapp:{OURS}", Body="Hi", ProfileName="Ada", WaId=THEIRS[1:])
        ),
        "sms_webhook/short_code": _webhook("sms", _inbound(From="12345", Body="Your code is 4711")),
        "sms_webhook/stop": _webhook("sms", _inbound(Body="Stop")),
        "status_webhook/delivered": _webhook("status", _status("delivered"), "send=SMS_RECEIVED%23SM01&part=1"),
        "status_webhook/undelivered": _webhook("status", _status("undelivered", ErrorCode="30034")),
        "status_webhook/call_ended": _webhook("status", _call("completed", CallDuration="42"), "request=wake-up-2026-11-22"),
        "voice_webhook/call": _webhook("voice", _call("ringing", From=THEIRS, To=OURS, Direction="inbound", CallerName="ADA")),
        "voice_fallback/call": _webhook("voice/fallback", _call("ringing", ErrorCode="11200", Direction="inbound")),
        "make_call/words": {"to": "(555) 555-1234", "say": "Good morning.", "idempotency_key": "wake-up-2026-11-22"},
        "control_call/transfer": {"call_sid": CALL, "action": "transfer", "to": "(555) 555-0199"},
        "control_call/words": {"call_sid": CALL, "action": "update", "say": "Hello Ada, how can I help?"},
        "call_state/active": {},
        "send_sms/text": {"to": "(555) 555-1234", "body": "Dinner is ready.", "idempotency_key": "dinner-2026-11-22"},
        "send_sms/long": {
            "to": THEIRS,
            "body": "**Menu**\n\n- soup\n- bread\n" * 20,
            "chunk_limit": 160,
            "strip_markdown": True,
        },
        "send_mms/pictures": {"to": THEIRS, "from": OURS, "body": "Look", "media_url": ["https://example.com/a.png"]},
        "conversation_history/newest": {"phone_number": THEIRS, "limit": 10},
        "event_relay/inserts": {"Records": [_insert(number, event) for number, event in enumerate(EVENTS)]},
        "reconcile/schedule": {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}},
    }


def _inbound(**fields: str) -> dict[str, str]:
    form = {
        "ToCountry": "US",
        "ToCity": "",
        "SmsMessageSid": MESSAGE,
        "NumMedia": "0",
        "SmsSid": MESSAGE,
        "FromState": "CA",
        "SmsStatus": "received",
        "Body": "",
        "To": OURS,
        "NumSegments": "1",
        "MessageSid": MESSAGE,
        "AccountSid": ACCOUNT,
        "From": THEIRS,
        "ApiVersion": "2010-04-01",
    }
    return form | fields


def _status(status: str, **fields: str) -> dict[str, str]:
    form = {
        "SmsSid": REPLY,
        "SmsStatus": status,
        "MessageStatus": status,
        "To": THEIRS,
        "MessageSid": REPLY,
        "AccountSid": ACCOUNT,
        "From": OURS,
        "ApiVersion": "2010-04-01",
    }
    return form | fields


def _call(status: str, **fields: str) -> dict[str, str]:
    form = {
        "CallSid": CALL,
        "AccountSid": ACCOUNT,
        "From": OURS,
        "To": THEIRS,
        "Caller": OURS,
        "Called": THEIRS,
        "CallStatus": status,
        "Direction": "outbound-api",
        "ApiVersion": "2010-04-01",
    }
    return form | fields


def _webhook(kind: str, form: Mapping[str, str], query: str = "") -> dict[str, Any]:
    """An HTTP API event, payload format 2.0, with the form in base64 as API Gateway sends it."""
    path = f"/webhooks/twilio/{kind}"
    url = f"{WEBHOOK_URL}/{kind}" + (f"?{query}" if query else "")
    return {
        "version": "2.0",
        "routeKey": f"POST {path}",
        "rawPath": path,
        "rawQueryString": query,
        "headers": {
            "content-type": "application/x-www-form-urlencoded; charset=UTF-8",
            "i-twilio-idempotency-token": "4b1c6f0e-3f59-4f0c-9a7b-1d2f3a4b5c6d",
            "user-agent": "TwilioProxy/1.1",
            "x-twilio-signature": RequestValidator(AUTH_TOKEN).compute_signature(url, form),
        },
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "a1b2c3d4e5",
            "domainName": "phone.example.com",
            "http": {"method": "POST", "path": path, "protocol": "HTTP/1.1", "sourceIp": "198.51.100.7"},
            "requestId": "JKJaXmPLvHcESHA=",
            "routeKey": f"POST {path}",
            "stage": "$default",
            "timeEpoch": 1795335221123,
        },
        "body": base64.b64encode(urlencode(form).encode()).decode(),
        "isBase64Encoded": True,
    }


def _insert(number: int, event: Event) -> dict[str, Any]:
    return {
        "eventID": f"{number:032x}",
        "eventName": "INSERT",
        "eventSource": "aws:dynamodb",
        "dynamodb": {"SequenceNumber": f"{number + 1:021d}", "StreamViewType": "NEW_IMAGE", "NewImage": row(event)},
    }
