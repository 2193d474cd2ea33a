"""A transcription's callbacks as Twilio sends them, and their order."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.fakes import ACCOUNT
from tests.unit.fakes_calls import sid
from tests.unit.fakes_transcriptions import report, transcription, transcription_sid
from tests.unit.test_twiml import verbs
from twilio_plugin.domain import twiml
from twilio_plugin.domain.transcription import TranscriptionReport, asked_for, next_in_order, transcription_report
from twilio_plugin.errors import UnreadableWebhook

ROOT = "https://example.com/webhooks/twilio"
STARTED = {
    "AccountSid": ACCOUNT,
    "CallSid": sid(1),
    "TranscriptionSid": transcription_sid(1),
    "TranscriptionEvent": "transcription-started",
    "SequenceId": "1",
    "Timestamp": "2026-11-22T08:00:01.250Z",
    "LanguageCode": "en-US",
    "TranscriptionEngine": "google",
}
CONTENT = STARTED | {
    "TranscriptionEvent": "transcription-content",
    "SequenceId": "7",
    "Track": "inbound_track",
    "TranscriptionData": json.dumps({"transcript": "Can you send the estimate? ", "confidence": 0.95}),
    "Final": "true",
}
STOPPED = STARTED | {"TranscriptionEvent": "transcription-stopped", "SequenceId": "9"}
ERROR = STARTED | {
    "TranscriptionEvent": "transcription-error",
    "SequenceId": "2",
    "TranscriptionError": "Provider Error",
    "TranscriptionErrorCode": "32651",
}


def read(form: dict[str, str], query: dict[str, str] | None = None) -> TranscriptionReport:
    return transcription_report(form, query or {})


# -------------------------------------------------------------------------------------------------------- what is asked


@pytest.mark.parametrize("other", ["agent", "callee"])
def test_what_is_asked_for_fits_the_document_and_names_where_its_words_go(other: Any) -> None:
    asked = asked_for(other, language="en-GB", webhook_url=ROOT)

    ((start, _, nouns),) = verbs(twiml.document(twiml.start_transcription(**asked)))
    assert start == "Start"
    assert [(noun[0], noun[1]) for noun in nouns if not isinstance(noun, str)] == [
        (
            "Transcription",
            {
                "name": {"agent": "twilio-plugin-call", "callee": "twilio-plugin-transfer"}[other],
                "track": "both_tracks",
                "statusCallbackUrl": f"{ROOT}/status?outbound_track={other}#rc=3&rp=5xx,ct,rt",
                "inboundTrackLabel": "person",
                "outboundTrackLabel": other,
                "languageCode": "en-GB",
                "partialResults": "false",
            },
        )
    ]


# -------------------------------------------------------------------------------------------------------------- reading


def test_words_are_read_with_their_track_number_and_time() -> None:
    assert read(CONTENT, {"outbound_track": "callee"}) == report(
        7, "Can you send the estimate?", at="2026-11-22T08:00:01.250Z", confidence=0.95, other="callee"
    )


def test_a_document_of_the_agents_own_need_not_say_who_is_on_the_other_track() -> None:
    assert read(CONTENT).other is None
    assert read(CONTENT, {"outbound_track": "somebody"}).other is None
    assert transcription(other=None).speaker("outbound_track") == "agent"


@pytest.mark.parametrize(("form", "end"), [(STARTED, None), (CONTENT, None), (STOPPED, "stopped"), (ERROR, "error")])
def test_an_end_is_known_from_what_is_none(form: dict[str, str], end: str | None) -> None:
    assert read(form).end == end


def test_an_error_is_read_with_its_code_and_words() -> None:
    assert (read(ERROR).error_code, read(ERROR).error) == (32651, "Provider Error")
    assert (read(STOPPED).error_code, read(STOPPED).error) == (None, None)


@pytest.mark.parametrize(
    "more",
    [
        {"Final": "false", "Stability": "0.9"},
        {"TranscriptionData": '{"transcript": " \\n", "confidence": 0.1}'},
        {"TranscriptionData": '{"transcript": ""}', "Track": ""},
    ],
    ids=str,
)
def test_what_is_not_final_or_holds_no_words_is_counted_and_says_nothing(more: dict[str, str]) -> None:
    found = read(CONTENT | more)

    assert (found.sequence_id, found.text, found.confidence) == (7, "", found.confidence)


@pytest.mark.parametrize("confidence", ["null", '"high"', "true", "-0.1", "1.5", "NaN", "{}"])
def test_a_confidence_that_is_none_is_left_out(confidence: str) -> None:
    found = read(CONTENT | {"TranscriptionData": f'{{"transcript": "Hello", "confidence": {confidence}}}'})

    assert (found.text, found.confidence) == ("Hello", None)


@pytest.mark.parametrize(
    ("written", "at"),
    [
        ("2026-11-22T09:00:01.250+01:00", "2026-11-22T08:00:01.250Z"),
        ("2026-11-22T08:00:01.250999", "2026-11-22T08:00:01.250Z"),
        ("yesterday", None),
        ("", None),
    ],
)
def test_a_time_is_read_in_utc_or_not_at_all(written: str, at: str | None) -> None:
    assert read(CONTENT | {"Timestamp": written}).at == at


@pytest.mark.parametrize("name", ["CallSid", "AccountSid", "TranscriptionSid", "SequenceId", "TranscriptionData", "Track"])
def test_words_without_a_field_they_must_have_are_refused_by_its_name(name: str) -> None:
    with pytest.raises(UnreadableWebhook, match=name):
        read({key: value for key, value in CONTENT.items() if key != name})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SequenceId", "-1"),
        ("SequenceId", "seven"),
        ("SequenceId", "1" * 10),
        ("Track", "both_tracks"),
        ("TranscriptionData", "Hello"),
        ("TranscriptionData", "[]"),
        ("TranscriptionData", "{}"),
        ("TranscriptionData", '{"transcript": 5}'),
    ],
)
def test_a_field_that_is_not_what_it_should_be_is_refused_by_its_name(name: str, value: str) -> None:
    with pytest.raises(UnreadableWebhook, match=name):
        read(CONTENT | {name: value})


@given(st.dictionaries(st.sampled_from(sorted(CONTENT)), st.text(max_size=12)))
def test_no_form_is_read_in_any_other_way_than_whole_or_not_at_all(form: dict[str, str]) -> None:
    try:
        found = read(form)
    except UnreadableWebhook:
        return
    assert found.transcription_sid == form["TranscriptionSid"]
    assert found.sequence_id >= 0


# ---------------------------------------------------------------------------------------------------------------- order

BEFORE, LONG_AGO = "2026-11-22T08:00:00.000Z", "2026-11-22T07:00:00.000Z"
JUST_NOW = "2026-11-22T08:00:05.000Z"


def waiting(*numbers: int, received_at: str = JUST_NOW) -> list[TranscriptionReport]:
    return [report(number, "words", received_at=received_at) for number in numbers]


@pytest.mark.parametrize(
    ("cursor", "numbers", "next_one"),
    [
        (0, [], None),
        (0, [0], 0),
        (0, [1], 1),
        (0, [2], None),
        (4, [5, 6], 5),
        (4, [6, 7], None),
        (4, [2, 6], 2),
    ],
)
def test_the_next_number_is_due_and_so_is_what_came_too_late(cursor: int, numbers: list[int], next_one: int | None) -> None:
    found = next_in_order(cursor, waiting(*numbers), patient_since=BEFORE)

    assert (found.sequence_id if found else None) == next_one


def test_nothing_comes_before_the_beginning() -> None:
    beginning = report(40, event="transcription-started", received_at=JUST_NOW)

    assert next_in_order(0, [beginning, *waiting(41)], patient_since=BEFORE) == beginning


def test_behind_a_gap_they_wait_until_one_of_them_has_waited_long_enough() -> None:
    patient = waiting(6, 7)
    impatient = [*waiting(6), *waiting(7, received_at=LONG_AGO)]

    assert next_in_order(4, patient, patient_since=BEFORE) is None
    assert next_in_order(4, impatient, patient_since=BEFORE) == impatient[0]
    assert next_in_order(4, waiting(6, received_at=BEFORE), patient_since=BEFORE) is not None
