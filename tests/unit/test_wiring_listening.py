"""A call that is only listened to through the handlers as `functions/` builds them: Twilio's reports, recordings, reading."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from typing import Any

import pytest

from tests.unit.deployed import PUBLIC, THEIRS, Stack, webhook
from tests.unit.fakes import LambdaContext
from tests.unit.test_twiml import verbs
from tests.unit.test_wiring_calls import CALL, RINGING
from twilio_plugin.runtime.wiring import calls, texts, upkeep

TRANSCRIPTION = "GT" + "1" * 32
ABOUT = {"AccountSid": "AC1", "CallSid": CALL, "TranscriptionSid": TRANSCRIPTION}
SAID = [
    ("inbound_track", "Is the table ready?"),
    ("outbound_track", "It is. For how many?"),
    ("inbound_track", "For two."),
    ("outbound_track", "See you at eight."),
    ("inbound_track", "Thank you."),
]


def reports() -> list[dict[str, str]]:
    """What Twilio reports of that conversation, from the beginning to the end."""
    started = {"TranscriptionEvent": "transcription-started", "LanguageCode": "en-US"}
    words = [
        {
            "TranscriptionEvent": "transcription-content",
            "Track": track,
            "TranscriptionData": json.dumps({"transcript": text, "confidence": 0.9}),
            "Final": "true",
        }
        for track, text in SAID
    ]
    forms = [started, *words, {"TranscriptionEvent": "transcription-stopped"}]
    return [
        ABOUT | form | {"SequenceId": str(number), "Timestamp": f"2026-11-22T08:00:{number:02d}.000Z"}
        for number, form in enumerate(forms, 1)
    ]


@dataclass
class Phone:
    """A person's call to us that is known, as Twilio and Lambda bring it to the functions."""

    stack: Stack
    context: LambdaContext

    def __post_init__(self) -> None:
        self.voice(RINGING)
        self.stack.announced()
        self.status_webhook = upkeep.status_webhook()

    def voice(self, form: dict[str, str], *, query: str = "") -> str:
        answer = calls.voice_webhook()(webhook(form, path="/voice", query=query), self.context)
        assert answer["statusCode"] == 200
        document: str = answer["body"]
        return document

    def report(self, form: dict[str, str], *, query: str = "") -> int:
        status: int = self.status_webhook(webhook(form, path="/status", query=query), self.context)["statusCode"]
        return status

    def told(self) -> list[dict[str, Any]]:
        """The turns in their order, then the ends."""
        announced = [{"type": kind} | detail for kind, detail in self.stack.announced()]
        return sorted(announced, key=lambda one: one.get("turn", 100))


@pytest.fixture
def phone(stack: Stack, context: LambdaContext) -> Phone:
    return Phone(stack, context)


@pytest.mark.parametrize("seed", range(3))
def test_reports_shuffled_and_doubled_are_turns_once_and_in_order(phone: Phone, seed: int) -> None:
    doubled = [*reports(), *reports()]
    random.Random(seed).shuffle(doubled)

    assert {phone.report(one, query="outbound_track=callee") for one in doubled} == {204}

    *said, end = phone.told()
    assert [(one["type"], one["track"], one["text"]) for one in said] == [("SPEECH_TRANSCRIBED", *one) for one in SAID]
    assert [one["turn"] for one in said] == [1, 2, 3, 4, 5]
    assert {one["confidence"] for one in said} == {0.9}
    assert (end["type"], end["reason"], end["turns"]) == ("TRANSCRIPTION_ENDED", "stopped", 5)
    history = texts.conversation_history()({"phone_number": THEIRS}, phone.context)
    assert [message["body"] for message in history["messages"]] == [text for _, text in SAID]
    assert [message["speaker"] for message in history["messages"]] == ["person", "callee", "person", "callee", "person"]
    assert history["turns"][1] == {"role": "assistant", "content": "[callee] It is. For how many?"}


def test_words_are_neither_logged_nor_kept_beside_the_call(phone: Phone, log: Any) -> None:
    for one in reports():
        phone.report(one)

    assert "transcription" in log.getvalue()
    for _, text in SAID:
        assert text not in log.getvalue()
        assert text not in str(phone.stack.kept(phone.stack.calls))


def test_a_transcription_of_a_call_that_nobody_knows_is_reported_again(phone: Phone) -> None:
    assert phone.report(reports()[0] | {"CallSid": "CA" + "2" * 32}) == 503


def test_what_is_no_report_of_twilios_is_refused(phone: Phone) -> None:
    assert phone.report(reports()[1] | {"SequenceId": "first"}) == 400
    assert phone.told() == []


def test_a_call_is_shown_with_its_transcription_until_that_is_over(phone: Phone) -> None:
    call_state = calls.call_state()
    for one in reports()[:3]:
        phone.report(one)

    for request in ({}, {"call_sid": CALL}):
        (call,) = call_state(request, phone.context)["calls"]
        assert (call["transcription"]["transcription_sid"], call["transcription"]["turns"]) == (TRANSCRIPTION, 2)

    for one in reports()[3:]:
        phone.report(one)
    assert [call.get("transcription") for call in call_state({}, phone.context)["calls"]] == [None]


def test_a_transcription_that_stands_still_is_moved_on_by_reconciliation(phone: Phone) -> None:
    for one in [*reports()[:2], *reports()[3:]]:
        phone.report(one)
    assert [one["text"] for one in phone.told()] == [SAID[0][1]]
    key = {"call_sid": {"S": CALL}, "sk": {"S": f"TRANSCRIPT#{TRANSCRIPTION}#0000000004#transcription-content#inbound_track"}}
    phone.stack.dynamodb.update_item(
        TableName=phone.stack.calls,
        Key=key,
        UpdateExpression="SET received_at = :then",
        ConditionExpression="attribute_exists(sk)",
        ExpressionAttributeValues={":then": {"S": "2020-01-01T00:00:00.000Z"}},
    )

    done = upkeep.reconcile()({}, phone.context)

    assert done["transcriptions"] == {"turns": 3, "ended": 0}
    assert [one.get("text") for one in phone.told()] == [text for _, text in SAID[2:]] + [None]


@pytest.mark.parametrize("status", ["completed", "absent", "failed"])
def test_a_recording_is_told_with_what_made_it(phone: Phone, status: str) -> None:
    recording = {"AccountSid": "AC1", "CallSid": CALL, "RecordingSid": "RE1", "RecordingStatus": status}

    assert phone.report(recording | {"RecordingSource": "RecordVerb"}) == 204

    (event,) = phone.told()
    assert (event["type"], event["status"], event["source"]) == ("CALL_RECORDED", status, "RecordVerb")


def test_a_call_whose_message_was_taken_ends_and_is_no_new_call(phone: Phone) -> None:
    after = {
        "CallStatus": "in-progress",
        "RecordingUrl": "https://api.twilio.com/RE1",
        "Digits": "#",
        "CallSid": "CA" + "3" * 32,
    }

    document = phone.voice(RINGING | after, query="then=hang_up")

    assert verbs(document) == [("Hangup", {}, "")]
    assert phone.told() == []


def test_after_a_message_the_agent_hears_the_person_again(phone: Phone) -> None:
    after = {"CallStatus": "in-progress", "RecordingUrl": "https://api.twilio.com/RE1", "Digits": "#"}

    document = phone.voice(RINGING | after, query="mode=stream&leg=1&reopened=0")

    assert [verb[0] for verb in verbs(document)] == ["Connect", "Redirect"]
    assert f"{PUBLIC}/voice?mode=stream&amp;leg=2" in document
