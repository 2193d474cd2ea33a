from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from twilio_plugin.domain.events import EVENTS, Event, SmsReceived, event_id
from twilio_plugin.domain.message import Media

RECEIVED: dict[str, Any] = {
    "event_id": "SMS_RECEIVED#SM1",
    "occurred_at": "2026-11-22T08:00:00.000Z",
    "account_sid": "AC1",
    "conversation_id": "phone|+14155550100|+14155550123",
    "message_sid": "SM1",
    "channel": "phone",
    "from_": "+14155550123",
    "to": "+14155550100",
    "body": "",
}


def test_an_id_is_the_same_whenever_the_same_thing_is_announced() -> None:
    assert event_id(SmsReceived, "SM1") == "SMS_RECEIVED#SM1"
    assert event_id(SmsReceived, "key", 2) == "SMS_RECEIVED#key#2"


def test_a_detail_is_json_without_empty_fields_and_with_twilios_names() -> None:
    detail = SmsReceived(**RECEIVED, media=(Media("https://example.com/a.png", "image/png"),)).detail()

    assert json.loads(json.dumps(detail)) == {
        "version": "1",
        "event_id": "SMS_RECEIVED#SM1",
        "occurred_at": "2026-11-22T08:00:00.000Z",
        "account_sid": "AC1",
        "conversation_id": "phone|+14155550100|+14155550123",
        "message_sid": "SM1",
        "channel": "phone",
        "from": "+14155550123",
        "to": "+14155550100",
        "body": "",
        "media": [{"url": "https://example.com/a.png", "content_type": "image/png"}],
        "num_segments": 1,
        "fields": {},
    }


def test_detail_types_are_the_ones_that_subscribers_know() -> None:
    assert [kind.detail_type for kind in EVENTS] == [
        "SMS_RECEIVED",
        "MEDIA_STORED",
        "MEDIA_REFUSED",
        "SMS_SENT",
        "SMS_STATUS_CHANGED",
        "SMS_FAILED",
        "OPT_OUT_CHANGED",
        "CALL_RECEIVED",
        "CALL_STARTED",
        "CALL_STATUS_CHANGED",
        "CALL_ENDED",
        "CALL_ANSWERED_BY",
        "CALL_RECORDED",
        "VOICE_STREAM_STARTED",
        "VOICE_STREAM_ENDED",
        "SPEECH_RECEIVED",
        "SPEECH_PARTIAL",
        "SPEECH_PLAYED",
        "SPEECH_INTERRUPTED",
        "DTMF_RECEIVED",
        "SPEECH_TRANSCRIBED",
        "TRANSCRIPTION_ENDED",
        "AGENT_FAILED",
        "GUARD_REFUSED",
    ]


@pytest.mark.parametrize("kind", EVENTS)
def test_every_event_carries_the_envelope_and_a_default_for_what_may_be_missing(kind: type[Event]) -> None:
    fields = {field.name: field for field in dataclasses.fields(kind)}

    assert {"version", "event_id", "occurred_at", "account_sid", "conversation_id"} <= fields.keys()
    for field in fields.values():
        may_be_missing = "None" in str(field.type)
        assert not may_be_missing or field.default is None
