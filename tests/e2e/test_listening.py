"""Calls that the agent only listens to: transferred, made with a document, left a message in."""

from __future__ import annotations

import json
import random
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from local.bus import is_event
from local.stack import InvocationFailed
from local.twilio.voice.handset import PhoneCall
from tests.e2e.conftest import Phone

GREETING = "Hello. One moment, please."


def control(phone: Phone, call_sid: str, action: str, **fields: Any) -> Any:
    return phone.stack.invoke("control-call", {"call_sid": call_sid, "action": action, **fields})


def wait_for(call: PhoneCall, what: str) -> None:
    """Until the call's log has an entry with that in it."""
    deadline = time.monotonic() + 30
    while not any(what in entry for _, _, entry in call.log):
        assert time.monotonic() < deadline, call.transcript
        time.sleep(0.02)


def ended(phone: Phone, call_sid: str) -> dict[str, Any]:
    event: dict[str, Any] = phone.bus.wait_for(is_event("TRANSCRIPTION_ENDED", call_sid=call_sid))["detail"]
    return event


def turns(phone: Phone, call_sid: str) -> list[tuple[str, str]]:
    """Who said what, as it was numbered; every turn once."""
    details = [event["detail"] for event in phone.bus.of("SPEECH_TRANSCRIBED", call_sid=call_sid)]
    in_order = sorted(details, key=lambda one: one["turn"])
    assert [one["turn"] for one in in_order] == list(range(1, len(details) + 1))
    return [(one["speaker"], one["text"]) for one in in_order]


def history(phone: Phone, person: str) -> list[tuple[str, str]]:
    return [(one["speaker"], one["body"]) for one in phone.history(person)["messages"]]


def test_a_transferred_call_is_heard_in_order_though_its_callbacks_come_shuffled_and_doubled(phone: Phone) -> None:
    person, colleague = phone.person(), phone.person()
    phone.twilio.faults.add("shuffle_transcript", seed=1, to=person)
    phone.twilio.faults.add("double_transcript", to=person)
    caller = phone.twilio.call_in(person)
    assert caller.hears(30) == GREETING

    control(phone, caller.sid, "transfer", to=colleague, transcribe=True, record=True)
    other = phone.twilio.wait_for_call(colleague, timeout=30)
    wait_for(caller, f"connected with {colleague}")
    said = [("person", "Is the table ready?"), ("callee", "It is. For how many?"), ("person", "For two."), ("callee", "Fine.")]
    for speaker, words in said:
        (caller if speaker == "person" else other).say(words)
    caller.hang_up()

    assert ended(phone, caller.sid)["turns"] == 4
    assert turns(phone, caller.sid) == said
    assert history(phone, person) == said
    recorded = phone.bus.wait_for(is_event("CALL_RECORDED", call_sid=caller.sid))["detail"]
    assert (recorded["source"], recorded["channels"], recorded["status"]) == ("DialVerb", 2, "completed")
    assert "/Recordings/RE" in recorded["recording_url"]


def test_callbacks_that_come_all_at_once_and_twice_make_every_turn_once_and_in_order(phone: Phone) -> None:
    person, sid, transcription = phone.person(), f"CA{secrets.token_hex(16)}", f"GT{secrets.token_hex(16)}"
    call = {"CallSid": sid, "AccountSid": phone.stack.account.account_sid, "From": person, "To": phone.ours}
    phone.post("voice", call | {"CallStatus": "ringing", "Direction": "inbound"})
    about = {"CallSid": sid, "AccountSid": phone.stack.account.account_sid, "TranscriptionSid": transcription}
    words = [f"This is turn {number}." for number in range(1, 11)]
    contents = [{"TranscriptionData": json.dumps({"transcript": text}), "Track": "inbound_track"} for text in words]
    forms = [
        about | {"TranscriptionEvent": f"transcription-{event}", "SequenceId": str(number)} | content
        for number, (event, content) in enumerate(
            [("started", {}), *(("content", content) for content in contents), ("stopped", {})], 1
        )
    ]
    doubled = [*forms, *forms]
    random.Random(7).shuffle(doubled)

    with ThreadPoolExecutor(8) as many:
        answers = list(many.map(lambda form: phone.post("status", form), doubled))

    assert {answer.status for answer in answers} == {204}
    assert ended(phone, sid)["turns"] == 10
    phone.bus.listen(seconds=1)
    assert turns(phone, sid) == [("person", text) for text in words]
    assert history(phone, person) == [("person", text) for text in words]


def test_a_call_with_a_document_is_listened_to_and_no_longer_when_told_so(phone: Phone) -> None:
    person = phone.person()
    document = '<Response><Say>Please hold the line.</Say><Pause length="100"/></Response>'

    made = phone.stack.invoke("make-call", {"to": person, "twiml": document, "transcribe": True})
    callee = phone.twilio.wait_for_call(person, timeout=30)
    assert callee.hears(30) == "Please hold the line."
    callee.say("How long?")
    phone.bus.wait_for(is_event("SPEECH_TRANSCRIBED", call_sid=made["call_sid"], text="How long?"))
    (state,) = phone.stack.invoke("call-state", {"call_sid": made["call_sid"]})["calls"]
    assert state["transcription"]["turns"] == 2
    with pytest.raises(InvocationFailed, match="transcribed already"):
        control(phone, made["call_sid"], "start_transcription")
    control(phone, made["call_sid"], "stop_transcription")
    assert ended(phone, made["call_sid"])["reason"] == "stopped"
    callee.say("Hello?")

    again = control(phone, made["call_sid"], "start_transcription")
    callee.say("Are you there?")
    phone.bus.wait_for(is_event("SPEECH_TRANSCRIBED", transcription_sid=again["transcription_sid"], text="Are you there?"))
    assert history(phone, person) == [("agent", "Please hold the line."), ("person", "How long?"), ("person", "Are you there?")]
    assert phone.twilio_warnings(made["call_sid"]) == []


def test_a_caller_whom_the_agent_hears_is_not_listened_to_as_well(phone: Phone) -> None:
    caller = phone.twilio.call_in(phone.person())
    phone.bus.wait_for(is_event("VOICE_STREAM_STARTED", call_sid=caller.sid))

    with pytest.raises(InvocationFailed, match="open media stream"):
        control(phone, caller.sid, "start_transcription")


def test_a_transcription_that_fails_says_so(phone: Phone) -> None:
    person = phone.person()
    phone.twilio.faults.add("fail_transcript", to=person)

    made = phone.stack.invoke("make-call", {"to": person, "say": "Good morning.", "transcribe": True})

    event = ended(phone, made["call_sid"])
    assert (event["reason"], event["error_code"], event["error"], event["turns"]) == ("error", 32651, "Provider Error", 0)


def test_a_caller_leaves_a_message_and_the_call_ends(phone: Phone) -> None:
    caller = phone.twilio.call_in(phone.person())
    assert caller.hears(30) == GREETING
    phone.bus.wait_for(is_event("VOICE_STREAM_STARTED", call_sid=caller.sid))

    control(phone, caller.sid, "record_message", say="After the beep, please.", max_length=30)
    assert caller.hears(30) == "After the beep, please."
    wait_for(caller, "[beep]")
    caller.say("Please call me back.")
    caller.press("#")

    assert caller.wait_until_ended(30) == "completed"
    recorded = phone.bus.wait_for(is_event("CALL_RECORDED", call_sid=caller.sid))["detail"]
    assert (recorded["source"], recorded["status"], recorded["duration"]) == ("RecordVerb", "completed", 1)
    assert phone.twilio_warnings(caller.sid) == []
