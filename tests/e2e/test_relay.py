"""A relayed call: words over the socket both ways, interrupted, cut off, taken up again, handed over, left waiting."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from local.bus import is_event
from local.twilio.voice.handset import PhoneCall
from tests.e2e.conftest import Phone
from tests.e2e.test_handlers_in_process import deployed_environment
from tests.e2e.test_modes import called_in

GREETING = "Hello. One moment, please."
HOURS = "We are open from nine to five. On Sundays, we are closed."
CHIME = "https://example.com/chime.mp3"
STORY = (
    "Once upon a time there was a shop in the old town. It was open from nine to five. On Sundays it was closed. "
    "People came from near and far. They asked for bread and for news. And they were never sent away."
)


def relayed(phone: Phone, *, greeted: bool = True) -> PhoneCall:
    """A call whose session is open."""
    with called_in(phone, "relay") as call:
        call.wait_for_relay(timeout=30)
    assert event(phone, "VOICE_STREAM_STARTED", call)["mode"] == "relay"
    if greeted:
        call.wait_until_spoken("One moment, please.", timeout=30)
    return call


def event(phone: Phone, detail_type: str, call: PhoneCall, **detail: Any) -> Any:
    return phone.bus.wait_for(is_event(detail_type, call_sid=call.sid, **detail))["detail"]


def say(phone: Phone, call: PhoneCall, text: str, **more: Any) -> Any:
    return phone.stack.invoke("say", {"call_sid": call.sid, "text": text, **more})


def history(phone: Phone, call: PhoneCall) -> list[tuple[str, str]]:
    return [(one["direction"], one["body"]) for one in phone.history(call.from_)["messages"]]


@pytest.fixture(autouse=True)
def no_frame_of_an_error_reaches_twilio(phone: Phone) -> Iterator[None]:
    """Neither API Gateway's own, nor one of ours that ConversationRelay does not know."""
    before = len(phone.twilio.alerts)
    yield
    assert [alert for alert in phone.twilio.alerts[before:] if alert.code in (31951, 64107)] == []


def test_words_go_both_ways_and_are_one_history(phone: Phone) -> None:
    call = relayed(phone)
    assert call.relay.spoken == ["Hello.", "One moment, please."]

    call.say("What are your opening hours?")
    heard = event(phone, "SPEECH_RECEIVED", call)
    assert (heard["text"], heard["turn"], heard["direction"]) == ("What are your opening hours?", 1, "inbound")
    said = say(phone, call, HOURS)
    played = event(phone, "SPEECH_PLAYED", call)
    assert (played["utterance_id"], played["text"]) == (said["utterance_id"], HOURS)
    call.press("5#")
    assert [event(phone, "DTMF_RECEIVED", call, digit=digit)["digit"] for digit in "5#"] == ["5", "#"]
    phone.stack.invoke("control-call", {"call_sid": call.sid, "action": "send_digits", "digits": "1w2"})
    call.wait_for_relay_message("sendDigits", way="received")
    for told in ({"action": "play", "url": CHIME}, {"action": "set_language", "transcription_language": "da-DK"}):
        phone.stack.invoke("control-call", {"call_sid": call.sid} | told)
    call.wait_for_relay_message("play", way="received")
    call.wait_for_relay_message("language", way="received")
    call.hang_up()

    ended = event(phone, "VOICE_STREAM_ENDED", call)
    assert (ended["reason"] in ("call_ended", "stopped"), ended["frames"]) == (True, 0)
    assert history(phone, call) == [("inbound", heard["text"]), ("outbound", played["text"])]
    assert len(phone.bus.of("VOICE_STREAM_ENDED", call_sid=call.sid)) == 1
    assert (call.relay.gateway_errors, call.relay.invalid, len(call.relays)) == (0, [], 1)
    assert not phone.twilio_warnings(call.sid)


def test_who_interrupts_has_heard_what_the_history_says_and_gets_no_token_more(phone: Phone) -> None:
    call = relayed(phone)
    say(phone, call, STORY)
    call.wait_for_relay_message("info", count=4, timeout=30)  # two of them are the greeting's

    call.say("Wait a moment.")
    interrupted = event(phone, "SPEECH_INTERRUPTED", call)
    event(phone, "SPEECH_RECEIVED", call, text="Wait a moment.")

    (told,) = call.relay.sent("interrupt")
    at = call.relay.entries("interrupt")[0].at
    assert (interrupted["text"], interrupted["cause"]) == (STORY, "speech")
    assert told["utteranceUntilInterrupt"].strip() in interrupted["heard"]
    assert STORY.startswith(interrupted["heard"])
    assert call.relay.entries("text", "received", after=at) == []
    assert history(phone, call) == [("outbound", interrupted["heard"]), ("inbound", "Wait a moment.")]
    say(phone, call, "All right.")
    event(phone, "SPEECH_PLAYED", call, text="All right.")


def test_prompts_that_overtake_each_other_are_turns_and_one_that_comes_twice_is_one(phone: Phone) -> None:
    for fault in ("repeat_message", "swap_prompts", "join_prompts"):
        phone.twilio.faults.add(fault)
    call = relayed(phone, greeted=False)
    said = ["Hello?", "Are you open?", "And on Sunday?", "Is it far?", "Thank you."]

    for words in said:
        call.say(words)

    turns = [event(phone, "SPEECH_RECEIVED", call, turn=turn)["text"] for turn in range(1, 6)]
    assert sorted(turns) == sorted(said)
    phone.bus.listen(seconds=1)
    assert len(phone.bus.of("SPEECH_RECEIVED", call_sid=call.sid)) == 5


def test_a_socket_that_is_closed_in_a_silence_or_breaks_in_a_reply_ends_nothing(phone: Phone) -> None:
    phone.twilio.faults.add("idle_socket", after=10)
    phone.twilio.faults.add("drop_in_reply", after=3)
    call = relayed(phone)

    call.wait_for_relay_message("setup", count=2, timeout=30)
    call.say("Are you still there?")
    event(phone, "SPEECH_RECEIVED", call, text="Are you still there?")
    say(phone, call, STORY)
    event(phone, "SPEECH_PLAYED", call, text=STORY)

    assert call.relay.connections >= 3
    assert (len(call.relays), len(phone.bus.of("VOICE_STREAM_STARTED", call_sid=call.sid))) == (1, 1)
    assert history(phone, call) == [("inbound", "Are you still there?"), ("outbound", STORY)]
    assert not phone.bus.of("VOICE_STREAM_ENDED", call_sid=call.sid)


def test_a_person_left_waiting_hears_a_sentence(phone: Phone) -> None:
    """The timer comes sooner than it would, and finds a session that began long ago."""
    call = relayed(phone)
    began = {":then": {"S": "2026-01-01T00:00:00.000Z"}}
    stream = {"call_sid": {"S": call.sid}, "sk": {"S": "STREAM#000"}}
    phone.dynamodb.update_item(
        TableName=phone.calls, Key=stream, UpdateExpression="SET started_at = :then", ExpressionAttributeValues=began
    )

    timer = {"kind": "reply", "call_sid": call.sid, "stream_sid": call.relay.sid, "connection_id": "any"}
    timers = deployed_environment(phone)["RELAY_TIMERS_URL"]
    phone.stack.engine.client("sqs").send_message(QueueUrl=timers, MessageBody=json.dumps(timer))

    assert event(phone, "VOICE_STREAM_ENDED", call)["reason"] == "no_reply"
    assert [call.hears(30) for _ in range(2)] == ["Hello.", "One moment, please."]
    assert call.hears(30).startswith("Sorry, nobody can take your call")
    call.wait_until_ended(30)
    assert call.relay.ended == "ended"


def test_a_person_is_handed_over_with_what_the_next_one_needs_to_know(phone: Phone) -> None:
    call, colleague = relayed(phone), phone.person()

    handed_over = {"action": "hand_off", "to": colleague, "handoff_data": {"reason": "billing"}}
    phone.stack.invoke("control-call", {"call_sid": call.sid, **handed_over})

    assert phone.twilio.wait_for_call(colleague, timeout=30)
    ended = event(phone, "VOICE_STREAM_ENDED", call)
    assert (ended["reason"], ended["handoff_data"]) == ("stopped", {"reason": "billing", "to": colleague})
    assert f'<Dial callerId="{phone.ours}"><Number>{colleague}</Number></Dial>' in call.twiml[-1]


def test_where_no_session_comes_about_the_next_one_is_tried(phone: Phone) -> None:
    phone.twilio.faults.add("forge_handshake")
    phone.twilio.faults.add("garbage", text="not a message of Twilio's", after=1)

    call = relayed(phone, greeted=False)

    assert event(phone, "VOICE_STREAM_STARTED", call)["leg"] == 1
    say(phone, call, "Here I am.")
    event(phone, "SPEECH_PLAYED", call, text="Here I am.")


def test_a_call_of_ours_is_relayed_and_recorded(phone: Phone) -> None:
    person = phone.person()
    made = phone.stack.invoke("make-call", {"to": person, "voice_mode": "relay", "record": True})
    call = phone.twilio.wait_for_call(person, timeout=30)
    started = event(phone, "VOICE_STREAM_STARTED", call)
    assert (started["mode"], started["direction"], made["call_sid"]) == ("relay", "outbound", call.sid)

    say(phone, call, "Good morning.")
    event(phone, "SPEECH_PLAYED", call)
    phone.stack.invoke("control-call", {"call_sid": call.sid, "action": "end"})
    call.wait_until_ended(30)

    assert event(phone, "CALL_RECORDED", call)["status"] == "completed"
    assert event(phone, "VOICE_STREAM_ENDED", call)["reason"] in ("call_ended", "stopped")
    phone.bus.listen(seconds=1)
    assert len(phone.bus.of("CALL_RECORDED", call_sid=call.sid)) == 1
