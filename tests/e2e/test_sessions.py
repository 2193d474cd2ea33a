"""Sessions come and go while a call goes on: killed, out of time, twice at once, and never there at all."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from difflib import SequenceMatcher
from typing import Any

import pytest

from local.callers import SAID, STORY, caller
from local.twilio.voice.handset import PhoneCall
from tests.e2e.conftest import Phone
from tests.e2e.hearing import words
from tests.e2e.test_voice import event, events, on_the_phone

FUNCTION = "twilio-plugin-call-session"


@pytest.fixture
def short_sessions(phone: Phone) -> Iterator[None]:
    """Sessions of twelve seconds instead of fifteen minutes."""
    phone.lambda_.update_function_configuration(FunctionName=FUNCTION, Timeout=12)
    yield
    phone.lambda_.update_function_configuration(FunctionName=FUNCTION, Timeout=900)


def stream_item(phone: Phone, call: PhoneCall, leg: int = 0) -> dict[str, Any]:
    key = {"call_sid": {"S": call.sid}, "sk": {"S": f"STREAM#{leg:03d}"}}
    item = phone.dynamodb.get_item(TableName=phone.calls, Key=key, ConsistentRead=True)["Item"]
    return {name: next(iter(value.values())) for name, value in item.items()}


def kill_sessions(phone: Phone) -> int:
    """End the processes that run sessions, as a host that fails would."""
    killed = 0
    for process in phone.stack.engine.processes:
        try:
            environment = (process / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if f"AWS_LAMBDA_FUNCTION_NAME={FUNCTION}".encode() in environment:
            os.kill(int(process.name), signal.SIGKILL)
            killed += 1
    return killed


def alike(text: str, spoken: str) -> float:
    return SequenceMatcher(None, words(text), words(spoken)).ratio()


def wait_until(is_so: Any, what: str, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def test_a_session_killed_in_the_middle_of_a_turn_is_replaced_and_the_turn_is_heard_whole(phone: Phone) -> None:
    call = on_the_phone(phone)
    wait_until(lambda: "seen_at" in stream_item(phone, call), "a session listens")
    first = stream_item(phone, call)["session_id"]
    call.play_sound(caller(STORY))
    time.sleep(5)

    assert kill_sessions(phone) >= 1

    wait_until(lambda: stream_item(phone, call)["session_id"] != first, "another session is appointed")
    heard = event(phone, "SPEECH_RECEIVED", call)
    assert alike(heard["text"], SAID[STORY].words) > 0.88, heard["text"]
    assert stream_item(phone, call)["restarts"] == "1"
    call.hang_up()
    ended = event(phone, "VOICE_STREAM_ENDED", call)
    assert ended["gaps"] == 0
    assert len(events(phone, call, "SPEECH_RECEIVED")) == 1


@pytest.mark.usefixtures("short_sessions")
def test_a_session_whose_time_is_up_hands_over_without_a_lost_frame(phone: Phone) -> None:
    call = on_the_phone(phone)
    sessions = {stream_item(phone, call)["session_id"]}
    for name in ("opening_hours", "my_order", "closing_time"):
        call.play_sound(caller(name), wait=True)
        event(phone, "SPEECH_RECEIVED", call, text=SAID[name].words)
        phone.stack.invoke("say", {"call_sid": call.sid, "text": "I see."})
        time.sleep(4)
        sessions.add(stream_item(phone, call)["session_id"])

    call.hang_up()

    ended = event(phone, "VOICE_STREAM_ENDED", call)
    assert len(sessions) >= 2, "it was handed over"
    assert stream_item(phone, call)["restarts"] == "0", "and nobody died"
    sent = sum(entry.event == "media" for entry in call.stream.log if entry.way == "sent")
    assert (ended["gaps"], ended["frames"]) == (0, sent)
    assert len(events(phone, call, "SPEECH_RECEIVED")) == 3


def test_the_same_session_invoked_again_listens_once(phone: Phone) -> None:
    call = on_the_phone(phone)
    wait_until(lambda: "seen_at" in stream_item(phone, call), "a session listens")
    payload = {"call_sid": call.sid, "leg": 0, "session_id": stream_item(phone, call)["session_id"]}

    with ThreadPoolExecutor(3) as three:
        answers = list(three.map(lambda _: phone.lambda_.invoke(FunctionName=FUNCTION, Payload=json.dumps(payload)), range(3)))

    assert all("FunctionError" not in answer for answer in answers)
    call.play_sound(caller("opening_hours"), wait=True)
    event(phone, "SPEECH_RECEIVED", call)
    assert len(events(phone, call, "SPEECH_RECEIVED")) == 1


def test_what_dies_again_and_again_is_given_up_and_the_caller_gets_another_stream(phone: Phone) -> None:
    call = on_the_phone(phone)
    wait_until(lambda: "seen_at" in stream_item(phone, call), "a session listens")
    for _ in range(4):
        session = stream_item(phone, call)["session_id"]
        kill_sessions(phone)
        wait_until(
            lambda session=session: stream_item(phone, call)["session_id"] != session or "ended_at" in stream_item(phone, call),
            "the next one is appointed, or the stream is over",
        )
        time.sleep(1.5)

    call.wait_for_stream(after=1, timeout=30)
    assert event(phone, "VOICE_STREAM_ENDED", call)["reason"] == "failed"
    event(phone, "VOICE_STREAM_STARTED", call, leg=1)


def test_a_stream_that_no_one_ended_is_ended_by_reconciliation(phone: Phone) -> None:
    call = on_the_phone(phone)
    phone.stack.invoke("say", {"call_sid": call.sid, "text": "Hello."})
    event(phone, "SPEECH_PLAYED", call)
    session = stream_item(phone, call)["session_id"]
    # As if its session had died without a word, ten minutes ago.
    then = (datetime.now(UTC) - timedelta(minutes=10)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    phone.dynamodb.update_item(
        TableName=phone.calls,
        Key={"call_sid": {"S": call.sid}, "sk": {"S": "STREAM#000"}},
        UpdateExpression="SET session_id = :nobody, seen_at = :then, started_at = :then",
        ExpressionAttributeValues={":nobody": {"S": f"not {session}"}, ":then": {"S": then}},
    )

    done = phone.stack.invoke("reconcile", {})

    assert done["streams_ended"] == 1
    assert event(phone, "VOICE_STREAM_ENDED", call)["reason"] == "lost"
    assert "active" not in stream_item(phone, call)
    assert phone.stack.invoke("reconcile", {})["streams_ended"] == 0
