"""One real example of every event, and of every payload that a function is invoked with."""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from twilio.request_validator import RequestValidator

from twilio_plugin.adapters.outbox import row
from twilio_plugin.domain.audio import FRAME_BYTES, SILENCE
from twilio_plugin.domain.events import (
    SOURCE,
    AgentFailed,
    CallAnsweredBy,
    CallEnded,
    CallReceived,
    CallRecorded,
    CallStarted,
    CallStatusChanged,
    DtmfReceived,
    Event,
    GuardRefused,
    MediaRefused,
    MediaStored,
    OptOutChanged,
    SmsFailed,
    SmsReceived,
    SmsSent,
    SmsStatusChanged,
    SpeechInterrupted,
    SpeechPartial,
    SpeechPlayed,
    SpeechReceived,
    SpeechTranscribed,
    TranscriptionEnded,
    VoiceStreamEnded,
    VoiceStreamStarted,
    event_id,
)
from twilio_plugin.domain.media_copy import WHY_REFUSED
from twilio_plugin.domain.message import Media, media_key
from twilio_plugin.domain.outbound_media import S3Object, media_token
from twilio_plugin.domain.relay_timer import RelayTimer, RelayTimerKind
from twilio_plugin.domain.speech import mark_name
from twilio_plugin.domain.stream import stream_token
from twilio_plugin.domain.twilio_errors import explain

ACCOUNT = "AC0123456789abcdef0123456789abcdef"
AUTH_TOKEN = "an-auth-token-for-samples"  # signs the samples and nothing else
LEDGER_KEY = b"a-key-for-samples"
WEBHOOK_URL = "https://phone.example.com/webhooks/twilio"
OURS, THEIRS = "+15555550100", "+15555551234"
MESSAGE = "SM0123456789abcdef0123456789abcdef"
REPLY = "SMfedcba9876543210fedcba9876543210"
CALL = "CA0123456789abcdef0123456789abcdef"
STREAM = "MZ0123456789abcdef0123456789abcdef"
SESSION = "VX0123456789abcdef0123456789abcdef"
TRANSCRIPTION = "GT0123456789abcdef0123456789abcdef"
RECORDING = "RE0123456789abcdef0123456789abcdef"
UTTERANCE = "2f1c9e6a-7d0b-4c55-9a53-5a7b8a0c1d2e"
WEBSOCKET_URL = "wss://phone.example.com/live"
PICTURE = f"https://api.twilio.com/2010-04-01/Accounts/{ACCOUNT}/Messages/MM0/Media/ME0"
BUCKET = "twilio-plugin-mediabucket-1a2b3c4d5e6f"
TEMPLATE = "HX0123456789abcdef0123456789abcdef"
NOW = "2026-11-22T08:13:41.123Z"

_ENVELOPE: dict[str, Any] = {
    "occurred_at": NOW,
    "account_sid": ACCOUNT,
    "conversation_id": f"phone|{OURS}|{THEIRS}",
    "channel": "phone",
}
_MEDIA: dict[str, Any] = _ENVELOPE | {
    "message_sid": MESSAGE,
    "from_": THEIRS,
    "to": OURS,
    "index": 0,
    "url": PICTURE,
    "content_type": "image/jpeg",
}
_CALL: dict[str, Any] = {name: value for name, value in _ENVELOPE.items() if name != "channel"} | {"call_sid": CALL}
_STREAM: dict[str, Any] = _CALL | {"stream_sid": STREAM, "from_": THEIRS, "to": OURS, "direction": "inbound"}
_TRANSCRIPTION: dict[str, Any] = _CALL | {
    "transcription_sid": TRANSCRIPTION,
    "from_": THEIRS,
    "to": OURS,
    "direction": "inbound",
}
_UNREGISTERED = explain(30034)
_EXPIRES_AT = 1795346021
_HANDOFF = '{"reason":"billing"}'

EVENTS: tuple[Event, ...] = (
    SmsReceived(
        **_ENVELOPE,
        event_id=event_id(SmsReceived, MESSAGE),
        message_sid=MESSAGE,
        from_=THEIRS,
        to=OURS,
        body="Is this the one?",
        media=(Media(PICTURE, "image/jpeg", s3_key=media_key(MESSAGE, 0)),),
        fields={"FromCountry": "US", "ToCountry": "US"},
    ),
    MediaStored(
        **_MEDIA,
        event_id=event_id(MediaStored, MESSAGE, 0),
        bucket=BUCKET,
        s3_key=media_key(MESSAGE, 0),
        size=48213,
    ),
    MediaRefused(
        **_MEDIA,
        event_id=event_id(MediaRefused, MESSAGE, 0),
        reason="wrong_type",
        meaning=WHY_REFUSED["wrong_type"].meaning,
        remedy=WHY_REFUSED["wrong_type"].remedy,
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
        reply_ms=1480,
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
    CallAnsweredBy(
        **_CALL,
        event_id=event_id(CallAnsweredBy, CALL),
        from_=OURS,
        to=THEIRS,
        answered_by="machine_end_beep",
        control={"call_sid": CALL, "action": "end"},
        request_id="wake-up-2026-11-22",
    ),
    CallRecorded(
        **_CALL,
        event_id=event_id(CallRecorded, RECORDING),
        recording_sid=RECORDING,
        status="completed",
        source="RecordVerb",
        recording_url=f"https://api.twilio.com/2010-04-01/Accounts/{ACCOUNT}/Recordings/{RECORDING}",
        duration=42,
        channels=1,
    ),
    VoiceStreamStarted(**_STREAM, event_id=event_id(VoiceStreamStarted, STREAM)),
    VoiceStreamEnded(
        **_STREAM, event_id=event_id(VoiceStreamEnded, STREAM), reason="stopped", duration=41.5, frames=2075, gaps=0
    ),
    SpeechReceived(
        **_STREAM,
        event_id=event_id(SpeechReceived, STREAM, 1),
        turn=1,
        text="Are you open on Saturday?",
        confidence=0.97,
        starts_at_ms=2140,
        duration_ms=1580,
    ),
    SpeechPartial(**_STREAM, event_id=event_id(SpeechPartial, STREAM, 2140, 1), text="Are you open", starts_at_ms=2140),
    SpeechPlayed(
        **_STREAM,
        event_id=event_id(SpeechPlayed, UTTERANCE),
        utterance_id=UTTERANCE,
        text="Yes, from nine to five.",
        duration_ms=1840,
        reply_ms=612,
    ),
    SpeechInterrupted(
        **_STREAM,
        event_id=event_id(SpeechInterrupted, UTTERANCE),
        utterance_id=UTTERANCE,
        text="We are open from nine to five. On Sundays we are closed.",
        heard="We are open from nine to five.",
        heard_ms=2000,
        reply_ms=640,
        cause="speech",
    ),
    DtmfReceived(**_STREAM, event_id=event_id(DtmfReceived, STREAM, 117), digit="1"),
    SpeechTranscribed(
        **_TRANSCRIPTION,
        event_id=event_id(SpeechTranscribed, TRANSCRIPTION, 7, "inbound_track"),
        turn=3,
        sequence_id=7,
        track="inbound_track",
        speaker="person",
        text="Can you send me the estimate?",
        confidence=0.95,
    ),
    TranscriptionEnded(**_TRANSCRIPTION, event_id=event_id(TranscriptionEnded, TRANSCRIPTION), reason="stopped", turns=12),
    AgentFailed(
        **_ENVELOPE,
        event_id=event_id(AgentFailed, event_id(SmsReceived, MESSAGE)),
        from_=THEIRS,
        to=OURS,
        in_reply_to=event_id(SmsReceived, MESSAGE),
        reason="no_answer",
        error_type="ValueError",
        attempts=4,
    ),
    GuardRefused(
        **_ENVELOPE,
        event_id=event_id(GuardRefused, "texts_per_recipient_per_day", f"phone|{OURS}|{THEIRS}", "2026-11-22"),
        guard="texts_per_recipient_per_day",
        direction="outbound",
        kind="text",
        from_=OURS,
        to=THEIRS,
        parameter="TextsPerRecipientPerDay",
        limit="200",
        opens_at="2026-11-23T00:00:00.000Z",
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
        "status_webhook/answered_by": _webhook(
            "status", _about(AnsweredBy="machine_end_beep", MachineDetectionDuration="4210"), "request=survey-2026-11-22"
        ),
        "status_webhook/recording": _webhook("status", _recording()),
        "status_webhook/transcription_content": _webhook(
            "status",
            _transcription(
                "transcription-content",
                "7",
                LanguageCode="en-US",
                Track="inbound_track",
                TranscriptionData='{"transcript": "Can you send me the estimate?", "confidence": 0.95}',
                Final="true",
            ),
            "outbound_track=callee",
        ),
        "status_webhook/transcription_error": _webhook(
            "status",
            _transcription("transcription-error", "2", TranscriptionError="Provider Error", TranscriptionErrorCode="32651"),
            "outbound_track=agent",
        ),
        "status_webhook/stream_stopped": _webhook(
            "status", _about(StreamSid=STREAM, StreamName=STREAM, StreamEvent="stream-stopped", Timestamp=NOW)
        ),
        "voice_webhook/call": _webhook("voice", _call("ringing", **_INBOUND, CallerName="ADA")),
        "voice_webhook/answered": _webhook("voice", _call("in-progress"), "request=survey-2026-11-22"),
        "voice_webhook/reopened": _webhook("voice", _call("in-progress", **_INBOUND), "leg=1&reopened=1"),
        "voice_webhook/session_over": _webhook(
            "voice",
            _call(
                "in-progress", **_INBOUND, SessionId=SESSION, SessionStatus="ended", SessionDuration="42", HandoffData=_HANDOFF
            ),
            "mode=relay&leg=1&reopened=1",
        ),
        "gather_webhook/words": _webhook(
            "voice/gather",
            _call("in-progress", **_INBOUND, SpeechResult="are you open on saturday", Confidence="0.92", Language="en-US"),
            "leg=0&reopened=0&step=3&reason=result",
        ),
        "gather_webhook/key": _webhook(
            "voice/gather",
            _call("in-progress", **_INBOUND, Digits="1", FinishedOnKey=""),
            "leg=0&reopened=0&step=4&reason=result",
        ),
        "gather_webhook/nothing": _webhook(
            "voice/gather", _call("in-progress", **_INBOUND), "leg=0&reopened=0&step=5&reason=result"
        ),
        "gather_webhook/told_to_go_on": _webhook(
            "voice/gather", _call("in-progress", **_INBOUND), "leg=0&reopened=0&step=5&reason=wake"
        ),
        "gather_webhook/first_words": _webhook(
            "voice/gather",
            _call("in-progress", **_INBOUND, UnstableSpeechResult="are you", Stability="0.5", SequenceNumber="0"),
            "leg=0&reopened=0&step=6&reason=partial",
        ),
        "voice_fallback/call": _webhook("voice/fallback", _call("ringing", ErrorCode="11200", Direction="inbound")),
        "stream_authorizer/handshake": _handshake(),
        "media_stream/start": _message("start", "1", start=_start()),
        "media_stream/mark": _message("mark", "84", mark={"name": mark_name(UTTERANCE, 1)}),
        "media_stream/key": _message("dtmf", "117", dtmf={"track": "inbound_track", "digit": "1"}),
        "media_stream/stop": _message("stop", "2077", stop={"accountSid": ACCOUNT, "callSid": CALL}),
        "media_stream/closed": _closed(),
        "media_stream/session_died": _session_died(),
        "conversation_relay/setup": _relayed(
            type="setup",
            sessionId=SESSION,
            accountSid=ACCOUNT,
            parentCallSid="",
            callSid=CALL,
            **{"from": THEIRS, "to": OURS},
            forwardedFrom="",
            callType="PSTN",
            callerName="",
            direction="inbound",
            callStatus="RINGING",
            customParameters={"token": stream_token(AUTH_TOKEN, CALL, 0, expires_at=_EXPIRES_AT)},
        ),
        "conversation_relay/prompt": _relayed(type="prompt", voicePrompt="Are you open on Saturday?", lang="en-US", last=True),
        "conversation_relay/interrupt": _relayed(
            type="interrupt", utteranceUntilInterrupt="We are open from nine to five.", durationUntilInterruptMs=1840
        ),
        "conversation_relay/played": _relayed(type="info", name="tokensPlayed", value="Yes, from nine"),
        "conversation_relay/key": _relayed(type="dtmf", digit="1"),
        "relay_timer/reply": _timer("reply"),
        "relay_timer/reconnect": _timer("reconnect"),
        "frame_ingest/frame": _message("media", "2", media=_media()),
        "call_session/begin": _SESSION,
        "call_session/warm": {"warm": True},
        "say/words": {"call_sid": CALL, "text": "Yes, from nine to five."},
        "say/interrupting": {"call_sid": CALL, "text": "One moment, that has changed.", "interrupt": True},
        "say/sound": {"call_sid": CALL, "audio": base64.b64encode(SILENCE * FRAME_BYTES).decode(), "allow_barge_in": False},
        "make_call/agent": {"to": "(555) 555-1234", "idempotency_key": "survey-2026-11-22"},
        "make_call/hang_up": {"to": "(555) 555-1234", "machine_detection": {"on_machine": "hang_up"}, "time_limit": 600},
        "make_call/leave_message": {
            "to": "(555) 555-1234",
            "record": True,
            "machine_detection": {"on_machine": "leave_message", "message": "Your table is ready. Please call us back."},
        },
        "make_call/transcribed": {"to": "(555) 555-1234", "url": "https://example.com/survey.xml", "transcribe": True},
        "make_call/words": {"to": "(555) 555-1234", "say": "Good morning.", "idempotency_key": "wake-up-2026-11-22"},
        "control_call/end": {"call_sid": CALL, "action": "end"},
        "control_call/keys": {"call_sid": CALL, "action": "send_digits", "digits": "ww2w#"},
        "control_call/play": {"call_sid": CALL, "action": "play", "url": "https://example.com/hold.mp3", "loop": 3},
        "control_call/set_language": {"call_sid": CALL, "action": "set_language", "tts_language": "sv-SE"},
        "control_call/transfer": {"call_sid": CALL, "action": "transfer", "to": "(555) 555-0199"},
        "control_call/hand_off": {"call_sid": CALL, "action": "hand_off", "handoff_data": {"reason": "billing"}},
        "control_call/limit": {"call_sid": CALL, "action": "limit", "time_limit": 600},
        "control_call/transfer_transcribed": {
            "call_sid": CALL,
            "action": "transfer",
            "to": "(555) 555-0199",
            "transcribe": True,
            "record": True,
        },
        "control_call/start_transcription": {"call_sid": CALL, "action": "start_transcription"},
        "control_call/stop_transcription": {"call_sid": CALL, "action": "stop_transcription"},
        "control_call/record_message": {
            "call_sid": CALL,
            "action": "record_message",
            "say": "Nobody is here right now. Please leave a message after the beep, and press pound when you are done.",
            "max_length": 60,
        },
        "control_call/words": {"call_sid": CALL, "action": "update", "say": "Hello Ada, how can I help?"},
        "call_state/active": {},
        "call_state/one": {"call_sid": CALL},
        "run_action/text": {"input": f"Send a text to {THEIRS} saying Dinner is ready!", "idempotency_key": "dinner-1"},
        "run_action/fields": {"action": "MAKE_CALL", "input": {"to": "(555) 555-1234", "say": "Dinner is ready."}},
        "run_action/dry_run": {"input": f"Send a picture to {THEIRS} https://example.com/dinner.png", "dry_run": True},
        "send_sms/text": {"to": "(555) 555-1234", "body": "Dinner is ready.", "idempotency_key": "dinner-2026-11-22"},
        "send_sms/long": {
            "to": THEIRS,
            "body": "**Menu**\n\n- soup\n- bread\n" * 20,
            "chunk_limit": 160,
            "strip_markdown": True,
        },
        "send_sms/whatsapp": {"to": f"whatsapp:{THEIRS}", "body": "Dinner is ready."},
        "send_sms/template": {"to": f"whatsapp:{THEIRS}", "content_sid": TEMPLATE, "content_variables": {"1": "Ada"}},
        "send_mms/from_s3": {"to": THEIRS, "media_url": [f"s3://{BUCKET}/menu.png"]},
        "copy_media/picture": on_the_bus(EVENTS[0]),
        "serve_media/look": _fetch("HEAD"),
        "serve_media/fetch": _fetch("GET"),
        "forget/dry_run": {"phone_number": THEIRS, "dry_run": True},
        "forget/person": {"phone_number": THEIRS},
        "send_mms/pictures": {"to": THEIRS, "from": OURS, "body": "Look", "media_url": ["https://example.com/a.png"]},
        "conversation_history/newest": {"phone_number": THEIRS, "limit": 10},
        "event_relay/inserts": {"Records": [_insert(number, event) for number, event in enumerate(EVENTS)]},
        "configure_number/create": _custom_resource("Create"),
        "configure_number/delete": _custom_resource("Delete"),
        "reconcile/schedule": {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}},
    }


def _fetch(method: str) -> dict[str, Any]:
    """Twilio fetches what a text of ours has with it."""
    token = media_token(LEDGER_KEY, S3Object(BUCKET, "menu.png"), expires_at=_EXPIRES_AT)
    route = "/webhooks/twilio/media"
    return {
        "version": "2.0",
        "routeKey": f"{method} {route}/{{token}}",
        "rawPath": f"{route}/{token}",
        "rawQueryString": "",
        "headers": {"user-agent": "TwilioProxy/1.1"},
        "requestContext": {
            "domainName": "phone.example.com",
            "http": {"method": method, "path": f"{route}/{token}", "protocol": "HTTP/1.1", "sourceIp": "198.51.100.7"},
            "requestId": "JKJaXmPLvHcESHA=",
            "stage": "$default",
        },
        "pathParameters": {"token": token},
        "isBase64Encoded": False,
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


_INBOUND = {"From": THEIRS, "To": OURS, "Caller": THEIRS, "Called": OURS, "Direction": "inbound"}


def _about(**fields: str) -> dict[str, str]:
    """What Twilio tells of a call besides its status, and without its numbers."""
    return {"CallSid": CALL, "AccountSid": ACCOUNT, **fields}


def _recording() -> dict[str, str]:
    return _about(
        RecordingSid=RECORDING,
        RecordingStatus="completed",
        RecordingUrl=f"https://api.twilio.com/2010-04-01/Accounts/{ACCOUNT}/Recordings/{RECORDING}",
        RecordingDuration="42",
        RecordingChannels="1",
        RecordingSource="OutboundAPI",
        RecordingStartTime="Sun, 22 Nov 2026 08:13:41 +0000",
        RecordingTrack="both",
    )


def _transcription(event: str, sequence_id: str, **fields: str) -> dict[str, str]:
    return _about(TranscriptionSid=TRANSCRIPTION, TranscriptionEvent=event, SequenceId=sequence_id, Timestamp=NOW, **fields)


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


_SESSION: dict[str, Any] = {"call_sid": CALL, "leg": 0, "session_id": "5b0f9f5e-4c1c-4a36-9d5f-0a6f6e1d2c3b"}


def _handshake() -> dict[str, Any]:
    """What API Gateway asks a REQUEST authorizer of ``$connect``."""
    headers = {
        "Host": "phone.example.com",
        "Sec-WebSocket-Version": "13",
        "X-Twilio-Signature": RequestValidator(AUTH_TOKEN).compute_signature(WEBSOCKET_URL, {}),
    }
    return {
        "type": "REQUEST",
        "methodArn": "arn:aws:execute-api:us-east-1:123456789012:a1b2c3d4e5/live/$connect",
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "stageVariables": {},
        "requestContext": _socket_context("$connect", "CONNECT"),
    }


def _message(event: str, sequence_number: str, **content: Any) -> dict[str, Any]:
    """A Media Streams message as API Gateway passes it on."""
    body = {"event": event, "sequenceNumber": sequence_number, **content, "streamSid": STREAM}
    context = _socket_context(event, "MESSAGE") | {"messageId": "L0SNicOFvHcCIhw=", "authorizer": _AUTHORIZER}
    return {"requestContext": context, "body": json.dumps(body), "isBase64Encoded": False}


def _relayed(**message: Any) -> dict[str, Any]:
    """A ConversationRelay message as API Gateway passes it on."""
    context = _socket_context("$default", "MESSAGE") | {"messageId": "L0SNicOFvHcCIhw=", "authorizer": _AUTHORIZER}
    return {"requestContext": context, "body": json.dumps(message), "isBase64Encoded": False}


def _timer(kind: RelayTimerKind) -> dict[str, Any]:
    """A timer of a ConversationRelay session, as its queue delivers it."""
    timer = RelayTimer(kind, CALL, SESSION, _socket_context("$default", "MESSAGE")["connectionId"])
    record = {
        "messageId": "0f4b46cb-b738-4f0c-8b7c-1d2f3a4b5c6d",
        "receiptHandle": "AQEB",
        "body": json.dumps(dataclasses.asdict(timer)),
        "attributes": {"ApproximateReceiveCount": "1"},
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:twilio-plugin-relay-timers",
        "awsRegion": "us-east-1",
    }
    return {"Records": [record]}


def _closed() -> dict[str, Any]:
    context = _socket_context("$disconnect", "DISCONNECT")
    closed = {"disconnectStatusCode": 1000, "disconnectReason": "", "authorizer": _AUTHORIZER}
    return {"headers": {"Host": "phone.example.com"}, "requestContext": context | closed, "isBase64Encoded": False}


def _session_died() -> dict[str, Any]:
    """Lambda's on-failure destination."""
    function = "arn:aws:lambda:us-east-1:123456789012:function:twilio-plugin-call-session"
    return {
        "version": "1.0",
        "timestamp": NOW,
        "requestContext": {
            "requestId": "e4b46cbf-b738-4f0c-8b7c-1d2f3a4b5c6d",
            "functionArn": f"{function}:$LATEST",
            "condition": "RetriesExhausted",
            "approximateInvokeCount": 1,
        },
        "requestPayload": _SESSION,
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "responsePayload": {"errorMessage": "DynamoDB: Throttling.", "errorType": "StorageUnavailable"},
    }


def _start() -> dict[str, Any]:
    return {
        "accountSid": ACCOUNT,
        "streamSid": STREAM,
        "callSid": CALL,
        "tracks": ["inbound"],
        "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
        "customParameters": {"token": stream_token(AUTH_TOKEN, CALL, 0, expires_at=_EXPIRES_AT)},
    }


def _media() -> dict[str, Any]:
    payload = base64.b64encode(SILENCE * FRAME_BYTES).decode()
    return {"track": "inbound", "chunk": "1", "timestamp": "5", "payload": payload}


_AUTHORIZER = {"expires_at": str(_EXPIRES_AT), "principalId": "twilio", "integrationLatency": 12}


def _socket_context(route: str, event_type: str) -> dict[str, Any]:
    return {
        "routeKey": route,
        "eventType": event_type,
        "extendedRequestId": "L0SNiFmvIAMFgWA=",
        "requestTime": "22/Nov/2026:08:13:41 +0000",
        "messageDirection": "IN",
        "stage": "live",
        "connectedAt": 1795335221123,
        "requestTimeEpoch": 1795335221153,
        "identity": {"sourceIp": "198.51.100.7"},
        "requestId": "L0SNiFmvIAMFgWA=",
        "domainName": "phone.example.com",
        "connectionId": "L0SM9cOFvHcCIhw=",
        "apiId": "a1b2c3d4e5",
    }


def _custom_resource(kind: str) -> dict[str, Any]:
    """What CloudFormation asks of a custom resource. Whoever knows the ResponseURL can answer it."""
    stack = "arn:aws:cloudformation:us-east-1:123456789012:stack/twilio-plugin/9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d"
    function = "arn:aws:lambda:us-east-1:123456789012:function:twilio-plugin-configure-number"
    return {
        "RequestType": kind,
        "ServiceToken": function,
        "ResponseURL": "https://cloudformation-custom-resource-response-useast1.s3.amazonaws.com/answer?X-Amz-Signature=0",
        "StackId": stack,
        "RequestId": "5f3a9c01-2b0d-4bad-9bdd-3b7d7b3dcb6d",
        "ResourceType": "Custom::NumberWebhooks",
        "LogicalResourceId": "NumberWebhooks",
        **({} if kind == "Create" else {"PhysicalResourceId": "number-webhooks"}),
        "ResourceProperties": {
            "ServiceToken": function,
            "ServiceTimeout": "120",
            "AccountSid": ACCOUNT,
            "MessagingServiceSid": "",
            "PhoneNumbers": f"{OURS},",
            "WebhookUrl": WEBHOOK_URL,
        },
    }


def _insert(number: int, event: Event) -> dict[str, Any]:
    return {
        "eventID": f"{number:032x}",
        "eventName": "INSERT",
        "eventSource": "aws:dynamodb",
        "dynamodb": {"SequenceNumber": f"{number + 1:021d}", "StreamViewType": "NEW_IMAGE", "NewImage": row(event)},
    }
