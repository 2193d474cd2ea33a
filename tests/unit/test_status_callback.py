"""Every callback that comes to the status webhook, as Twilio sends it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.fakes import ACCOUNT
from tests.unit.fakes_calls import OURS, THEIRS, sid
from twilio_plugin.domain.machine_detection import AnsweredBy, answered_by
from twilio_plugin.domain.recording import Recording, recording
from twilio_plugin.domain.status_callback import subject
from twilio_plugin.domain.stream_status import StreamUpdate, stream_update
from twilio_plugin.errors import UnreadableWebhook

_CALL = {"AccountSid": ACCOUNT, "CallSid": sid(1)}
MESSAGE = {"AccountSid": ACCOUNT, "MessageSid": "SM1", "MessageStatus": "sent", "From": OURS, "To": THEIRS}
CALL = _CALL | {"CallStatus": "completed", "From": OURS, "To": THEIRS, "Direction": "outbound-api", "CallDuration": "7"}
MACHINE = _CALL | {"AnsweredBy": "machine_start", "MachineDetectionDuration": "2400"}
RECORDING = _CALL | {
    "RecordingSid": "RE1",
    "RecordingStatus": "completed",
    "RecordingUrl": "https://api.twilio.com/RE1",
    "RecordingDuration": "7",
    "RecordingChannels": "2",
    "RecordingSource": "OutboundAPI",
    "RecordingTrack": "both",
    "ErrorCode": "0",
}
TRANSCRIPTION = _CALL | {"TranscriptionSid": "GT1", "TranscriptionEvent": "transcription-started", "SequenceId": "1"}
STREAM = _CALL | {"StreamSid": "MZ1", "StreamName": "MZ1", "StreamEvent": "stream-started", "Timestamp": "2026-11-22T08:00:00Z"}


@pytest.mark.parametrize(
    ("form", "about"),
    [
        (MESSAGE, "message"),
        (CALL, "call"),
        (CALL | {"RecordingSid": "RE1", "RecordingUrl": "https://api.twilio.com/RE1", "RecordingDuration": "7"}, "call"),
        (CALL | {"AnsweredBy": "human"}, "call"),
        (MACHINE, "answered_by"),
        (RECORDING, "recording"),
        (STREAM, "stream"),
        (TRANSCRIPTION, "transcription"),
        ({}, "message"),
    ],
)
def test_a_callback_is_known_by_its_fields(form: dict[str, str], about: str) -> None:
    assert subject(form) == about


# ------------------------------------------------------------------------------------------------------------- reading


def test_who_answered_is_read_with_our_request() -> None:
    assert answered_by(MACHINE, {"request": "key 1"}) == AnsweredBy(sid(1), ACCOUNT, "machine_start", "key 1")
    assert answered_by(MACHINE | {"AnsweredBy": "HUMAN"}, {}) == AnsweredBy(sid(1), ACCOUNT, "human")


@pytest.mark.parametrize(
    ("found", "machine"),
    [
        ("human", False),
        ("unknown", False),
        ("machine_start", True),
        ("machine_end_beep", True),
        ("machine_end_silence", True),
        ("machine_end_other", True),
        ("machine_of_tomorrow", True),
        ("fax", True),
    ],
)
def test_a_machine_is_known_from_a_person(found: str, machine: bool) -> None:
    assert AnsweredBy(sid(1), ACCOUNT, found).by_machine is machine


def test_a_recording_is_read_with_what_there_is_to_know() -> None:
    assert recording(RECORDING) == Recording(
        call_sid=sid(1),
        account_sid=ACCOUNT,
        recording_sid="RE1",
        status="completed",
        source="OutboundAPI",
        url="https://api.twilio.com/RE1",
        duration=7,
        channels=2,
    )


def test_a_recording_that_is_not_there_has_no_address_and_no_duration() -> None:
    absent = RECORDING | {"RecordingStatus": "absent", "RecordingUrl": "", "RecordingDuration": "-1", "RecordingChannels": ""}
    absent["RecordingSource"] = ""

    assert recording(absent) == Recording(call_sid=sid(1), account_sid=ACCOUNT, recording_sid="RE1", status="absent")


@pytest.mark.parametrize(
    ("event", "error", "over"),
    [("stream-started", None, False), ("stream-stopped", None, True), ("stream-error", "31921: closed", True)],
)
def test_a_streams_status_is_read(event: str, error: str | None, over: bool) -> None:
    update = stream_update(STREAM | {"StreamEvent": event, "StreamError": error or ""})

    assert update == StreamUpdate(sid(1), "MZ1", event, error)
    assert update.ended is over


@pytest.mark.parametrize("name", ["CallSid", "AccountSid", "AnsweredBy"])
def test_an_answer_without_a_field_it_must_have_is_refused_by_its_name(name: str) -> None:
    with pytest.raises(UnreadableWebhook, match=name):
        answered_by({key: value for key, value in MACHINE.items() if key != name}, {})


@pytest.mark.parametrize("name", ["CallSid", "AccountSid", "RecordingSid", "RecordingStatus"])
def test_a_recording_without_a_field_it_must_have_is_refused_by_its_name(name: str) -> None:
    with pytest.raises(UnreadableWebhook, match=name):
        recording(RECORDING | {name: ""})


@pytest.mark.parametrize("name", ["CallSid", "StreamSid", "StreamEvent"])
def test_a_streams_status_without_a_field_it_must_have_is_refused_by_its_name(name: str) -> None:
    with pytest.raises(UnreadableWebhook, match=name):
        stream_update(STREAM | {name: ""})


@given(st.dictionaries(st.sampled_from(sorted(RECORDING)), st.text(max_size=12)))
def test_no_recording_is_read_in_any_other_way_than_whole_or_not_at_all(form: dict[str, str]) -> None:
    try:
        found = recording(form)
    except UnreadableWebhook:
        return
    assert found.status == form["RecordingStatus"].lower()
    assert found.duration is None or found.duration >= 0
