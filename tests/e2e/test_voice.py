"""A streamed call: heard, answered, interrupted, keyed; in real time, over a real WebSocket, with engines that really hear."""

from __future__ import annotations

import base64
import secrets
import shutil
import time
from typing import Any

import pytest

from local.bus import is_event
from local.callers import SAID, caller
from local.stack import InvocationFailed
from local.twilio.voice.handset import PhoneCall
from local.twilio.voice.phones import Answers
from tests.e2e.conftest import Phone
from tests.e2e.hearing import understood, words


def on_the_phone(phone: Phone) -> PhoneCall:
    """A call whose stream is heard."""
    call = phone.twilio.call_in(phone.person())
    call.wait_for_stream(timeout=30)
    event(phone, "VOICE_STREAM_STARTED", call)
    return call


def event(phone: Phone, detail_type: str, call: PhoneCall, **detail: Any) -> Any:
    return phone.bus.wait_for(is_event(detail_type, call_sid=call.sid, **detail))["detail"]


def events(phone: Phone, call: PhoneCall, *detail_types: str) -> list[Any]:
    """Those of a call, once no more come."""
    phone.bus.listen(seconds=2)
    return [one for one in phone.bus.events if one["detail"].get("call_sid") == call.sid and one["detail-type"] in detail_types]


def say(phone: Phone, call: PhoneCall, text: str, **more: Any) -> Any:
    return phone.stack.invoke("say", {"call_sid": call.sid, "text": text, **more})


def play(phone: Phone, call: PhoneCall, name: str) -> Any:
    """The agent says something in a recorded voice."""
    audio = base64.b64encode(caller(name)).decode()
    return phone.stack.invoke("say", {"call_sid": call.sid, "audio": audio})


@pytest.mark.skipif(shutil.which("flite") is None, reason="without flite the local voice is espeak's, hardly to be understood")
def test_what_the_agent_says_is_understood(phone: Phone) -> None:
    call = on_the_phone(phone)

    say(phone, call, "We are open from nine to five.")

    event(phone, "SPEECH_PLAYED", call)
    assert words(understood(call.heard_audio())) == words("we are open from nine to five")


def test_a_voice_of_the_agents_own_arrives_as_it_is_and_is_understood(phone: Phone) -> None:
    call = on_the_phone(phone)

    play(phone, call, "my_order")

    event(phone, "SPEECH_PLAYED", call, text="[audio]")
    assert caller("my_order") in call.heard_audio()
    assert words(understood(call.heard_audio())) == words(SAID["my_order"].words)


def test_what_a_caller_says_is_heard_and_answered_in_one_history(phone: Phone) -> None:
    call = on_the_phone(phone)

    call.play_sound(caller("opening_hours"), wait=True)

    heard = event(phone, "SPEECH_RECEIVED", call)
    assert heard["text"] == SAID["opening_hours"].words
    assert (heard["from"], heard["direction"]) == (call.from_, "inbound")
    said = say(phone, call, "We are open from nine to five.")
    played = event(phone, "SPEECH_PLAYED", call)
    assert (played["utterance_id"], played["text"]) == (said["utterance_id"], "We are open from nine to five.")
    call.hang_up()
    ended = event(phone, "VOICE_STREAM_ENDED", call)
    assert (ended["reason"] in ("stopped", "call_ended"), ended["gaps"]) == (True, 0)
    assert ended["frames"] > 100
    entries = phone.history(call.from_)["messages"]
    assert [(one["kind"], one["direction"], one["call_sid"]) for one in entries] == [
        ("speech", "inbound", call.sid),
        ("speech", "outbound", call.sid),
    ]
    assert phone.history(call.from_)["turns"] == [
        {"role": "user", "content": heard["text"]},
        {"role": "assistant", "content": "We are open from nine to five."},
    ]
    assert not phone.twilio_warnings(call.sid)


def test_calls_and_texts_are_one_conversation(phone: Phone) -> None:
    call = on_the_phone(phone)
    phone.twilio.receive_text(call.from_, "I am calling you right now")
    phone.bus.wait_for(is_event("SMS_RECEIVED", from_=call.from_))
    say(phone, call, "I can hear you.")
    event(phone, "SPEECH_PLAYED", call)

    assert [one["kind"] for one in phone.history(call.from_)["messages"]] == ["sms", "speech"]


def test_a_caller_interrupts_and_what_they_heard_is_known_to_within_a_mark(phone: Phone) -> None:
    call = on_the_phone(phone)
    text = "Let me tell you about our opening hours. On Monday we are open from nine to five. On Tuesday we are closed."
    say(phone, call, text)
    begun = call.wait_for_audio(0.1, timeout=15)
    call.wait_for_audio(2.0, timeout=15)

    call.play_sound(caller("wait"), wait=True)

    interrupted = event(phone, "SPEECH_INTERRUPTED", call)
    assert (interrupted["cause"], interrupted["text"]) == ("speech", text)
    stream = call.stream
    cleared = stream.first("clear")
    assert cleared
    played = cleared.at - begun
    assert interrupted["heard_ms"] / 1000 <= played + 0.1
    assert played - interrupted["heard_ms"] / 1000 <= 1.6, "one piece of a second, and what was under way"
    assert text.startswith(interrupted["heard"])
    event(phone, "SPEECH_RECEIVED", call)
    assert not events(phone, call, "SPEECH_PLAYED")
    # Not a word more after `clear`.
    assert not [one for one in stream.log if one.event == "media" and one.way == "received" and one.at > cleared.at + 0.5]
    assert phone.history(call.from_)["messages"][0]["body"] == interrupted["heard"]


def test_what_may_not_be_interrupted_is_heard_to_the_end(phone: Phone) -> None:
    call = on_the_phone(phone)
    say(phone, call, "This call is being recorded for training.", allow_barge_in=False)
    call.wait_for_audio(0.5, timeout=15)

    call.play_sound(caller("wait"), wait=True)

    event(phone, "SPEECH_PLAYED", call)
    assert call.stream.first("clear") is None


def test_two_utterances_are_said_one_after_the_other(phone: Phone) -> None:
    call = on_the_phone(phone)

    first, second = play(phone, call, "yes"), play(phone, call, "no")

    event(phone, "SPEECH_PLAYED", call, utterance_id=first["utterance_id"])
    event(phone, "SPEECH_PLAYED", call, utterance_id=second["utterance_id"])
    heard = call.heard_audio()
    assert heard.count(caller("yes")) == heard.count(caller("no")) == 1
    assert heard.index(caller("yes")) < heard.index(caller("no"))


def test_a_new_utterance_can_replace_what_is_being_said(phone: Phone) -> None:
    call = on_the_phone(phone)
    say(phone, call, "This is a very long story about a dog and a cat and a horse.")
    call.wait_for_audio(0.5, timeout=15)

    say(phone, call, "Never mind.", interrupt=True)

    assert event(phone, "SPEECH_INTERRUPTED", call)["cause"] == "say"
    assert event(phone, "SPEECH_PLAYED", call)["text"] == "Never mind."


def test_a_key_is_announced_once_and_interrupts(phone: Phone) -> None:
    call = on_the_phone(phone)
    say(phone, call, "For sales, press one. For support, press two. For everything else, press three.")
    call.wait_for_audio(0.5, timeout=15)

    call.press("2#")

    assert event(phone, "SPEECH_INTERRUPTED", call)["cause"] == "key"
    event(phone, "DTMF_RECEIVED", call, digit="#")
    assert [one["detail"]["digit"] for one in events(phone, call, "DTMF_RECEIVED")] == ["2", "#"]


@pytest.mark.parametrize("sound", ["click", "white_noise"])
def test_what_is_no_voice_is_no_speech(phone: Phone, sound: str) -> None:
    call = on_the_phone(phone)
    say(phone, call, "We are open from nine to five.")
    call.wait_for_audio(0.3, timeout=15)

    call.play_sound(caller(sound), wait=True)

    event(phone, "SPEECH_PLAYED", call)
    time.sleep(1.5)  # the endpointing silence, and the engine
    assert not events(phone, call, "SPEECH_RECEIVED", "SPEECH_INTERRUPTED")


def test_frames_shuffled_doubled_and_lost(phone: Phone) -> None:
    person = phone.person()
    phone.twilio.faults.add("shuffle_frames", to=person, window_ms=200, seed=3)
    phone.twilio.faults.add("duplicate_frames", to=person, fraction=0.05, seed=4)
    phone.twilio.faults.add("lose_frames", to=person, fraction=0.02, seed=5)
    call = phone.twilio.call_in(person)
    call.wait_for_stream(timeout=30)

    call.play_sound(caller("opening_hours"), wait=True)

    heard = event(phone, "SPEECH_RECEIVED", call)
    assert heard["text"] == SAID["opening_hours"].words
    play(phone, call, "my_order")
    event(phone, "SPEECH_PLAYED", call)
    assert call.heard_audio().count(caller("my_order")) == 1, "nothing is played twice"
    call.hang_up()
    ended = event(phone, "VOICE_STREAM_ENDED", call)
    assert 0 < ended["gaps"] < ended["frames"] * 0.06
    assert len(events(phone, call, "SPEECH_RECEIVED")) == 1


def test_garbage_on_the_socket_is_logged_and_the_call_goes_on(phone: Phone) -> None:
    person = phone.person()
    garbage = [
        "{not json",
        '{"event":"dance"}',
        '{"event":"media","streamSid":"MZ0","sequenceNumber":"7","media":{"payload":"%%%"}}',
        '{"event":"media","streamSid":"MZ0","sequenceNumber":"x","media":{"track":"inbound","chunk":"1","timestamp":"1","payload":"AAAA"}}',
        '{"event":"media","streamSid":"MZ0","sequenceNumber":"8","media":{"track":"inbound","chunk":"9","timestamp":"1","payload":"'
        + "A" * 30_000
        + '"}}',
        '{"event":"mark","streamSid":"MZ0","mark":{"name":"nobody:1"}}',
        '{"event":"stop"}',
    ]
    for text in garbage:
        phone.twilio.faults.add("garbage", to=person, text=text, after=0.3)
    call = phone.twilio.call_in(person)
    call.wait_for_stream(timeout=30)
    time.sleep(1)

    call.play_sound(caller("opening_hours"), wait=True)

    assert event(phone, "SPEECH_RECEIVED", call)["text"]
    assert call.stream.ended is None
    assert not phone.twilio_warnings(call.sid), "nothing of it came back to Twilio as an error"


def test_a_socket_that_twilio_did_not_sign_for_is_refused(phone: Phone) -> None:
    person = phone.person()
    phone.twilio.faults.add("forge_handshake", count=10, to=person)

    call = phone.twilio.call_in(person)

    call.wait_until_ended(60)
    assert phone.twilio_warnings(call.sid).count(31920) >= 5
    assert not phone.bus.of("VOICE_STREAM_STARTED", call_sid=call.sid)
    assert "lost the connection" in call.transcript, "the reopening document cannot loop"


@pytest.mark.parametrize(
    "altered",
    [
        {"parameter": "token", "value": "0.99999999999.0000"},
        {"parameter": "token"},
        {"call_sid": f"CA{'0' * 32}"},
    ],
    ids=["forged", "missing", "foreign call"],
)
def test_a_start_that_is_not_ours_is_closed_and_its_audio_never_read(phone: Phone, altered: dict[str, Any]) -> None:
    person = phone.person()
    phone.twilio.faults.add("alter_start", to=person, **altered)
    call = phone.twilio.call_in(person)

    first = call.wait_for_stream(timeout=30)
    second = call.wait_for_stream(after=1, timeout=30)

    assert call.streams[0].ended == "closed"
    started = event(phone, "VOICE_STREAM_STARTED", call)
    assert (started["stream_sid"], started["leg"]) == (second.sid, 1)
    assert first.sid not in str(phone.bus.events)


def test_a_token_of_another_call_opens_nothing(phone: Phone) -> None:
    one = on_the_phone(phone)
    token = one.stream.parameters["token"]
    person = phone.person()
    phone.twilio.faults.add("alter_start", to=person, parameter="token", value=token)

    other = phone.twilio.call_in(person)
    other.wait_for_stream(after=1, timeout=30)

    assert other.streams[0].ended == "closed"
    assert one.stream.ended is None
    started = [event_["detail"]["leg"] for event_ in events(phone, other, "VOICE_STREAM_STARTED")]
    assert started in ([], [1])


def test_a_lost_socket_is_opened_again_and_the_conversation_goes_on(phone: Phone) -> None:
    person = phone.person()
    phone.twilio.faults.add("drop_socket", to=person, after=1.0)
    call = phone.twilio.call_in(person)
    call.wait_for_stream(after=1, timeout=30)
    event(phone, "VOICE_STREAM_STARTED", call, leg=1)

    call.play_sound(caller("opening_hours"), wait=True)

    assert event(phone, "SPEECH_RECEIVED", call)["stream_sid"] == call.stream.sid
    call.hang_up()
    event(phone, "VOICE_STREAM_ENDED", call, stream_sid=call.streams[0].sid)
    event(phone, "VOICE_STREAM_ENDED", call, stream_sid=call.streams[1].sid)
    assert len(events(phone, call, "VOICE_STREAM_ENDED")) == 2


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "lose_stop", "socket": "closed"},
        {"kind": "lose_stop", "socket": "open"},
        {"kind": "stop_frames", "after": 1.0},
    ],
    ids=["no stop", "no stop and no close", "frames cease"],
)
def test_however_a_stream_ends_it_ends_once_and_nothing_stays_active(phone: Phone, fault: dict[str, Any]) -> None:
    person = phone.person()
    phone.twilio.faults.add(to=person, **fault)
    call = phone.twilio.call_in(person)
    call.wait_for_stream(timeout=30)
    event(phone, "VOICE_STREAM_STARTED", call)
    time.sleep(1.5)

    call.hang_up()

    event(phone, "CALL_ENDED", call)
    event(phone, "VOICE_STREAM_ENDED", call)
    assert [one["detail-type"] for one in events(phone, call, "CALL_ENDED", "VOICE_STREAM_ENDED")].count(
        "VOICE_STREAM_ENDED"
    ) == 1
    state = phone.stack.invoke("call-state", {"call_sid": call.sid})["calls"][0]
    assert (state["status"], state.get("stream")) == ("completed", None)


def test_where_the_agent_says_nothing_the_caller_hears_a_sentence(phone: Phone) -> None:
    call = phone.twilio.call_in(phone.person())
    call.wait_for_stream(timeout=30)

    assert event(phone, "VOICE_STREAM_ENDED", call)["reason"] == "no_reply"
    call.wait_until_ended(60)
    assert "nobody can take your call" in call.transcript


def test_a_person_we_call_talks_to_the_agent(phone: Phone) -> None:
    person = phone.person()

    made = phone.stack.invoke("make-call", {"to": person})

    call = phone.twilio.wait_for_call(person, timeout=30)
    call.wait_for_stream(timeout=30)
    started = event(phone, "VOICE_STREAM_STARTED", call)
    assert (started["direction"], started["from"], started["to"]) == ("outbound", phone.ours, person)
    assert not phone.bus.of("CALL_RECEIVED", call_sid=made["call_sid"])
    call.play_sound(caller("opening_hours"), wait=True)
    event(phone, "SPEECH_RECEIVED", call)
    assert phone.history(person)["messages"][-1]["direction"] == "inbound"


def test_keys_are_sent_and_the_stream_comes_back(phone: Phone) -> None:
    call = on_the_phone(phone)

    phone.stack.invoke("control-call", {"call_sid": call.sid, "action": "send_digits", "digits": "1w2"})

    call.wait_for_stream(after=1, timeout=30)
    event(phone, "VOICE_STREAM_STARTED", call, leg=1)
    assert "[play digits 1w2]" in call.transcript
    say(phone, call, "I am still here.")
    event(phone, "SPEECH_PLAYED", call)


def test_call_state_tells_what_is_said_and_heard(phone: Phone) -> None:
    call = on_the_phone(phone)
    call.play_sound(caller("opening_hours"), wait=True)
    heard = event(phone, "SPEECH_RECEIVED", call)
    say(phone, call, "We are open from nine to five.")

    (state,) = phone.stack.invoke("call-state", {"call_sid": call.sid})["calls"]

    assert state["stream"]["stream_sid"] == call.stream.sid
    assert (state["stream"]["last_words"], state["stream"]["saying"]) == (heard["text"], "We are open from nine to five.")
    assert heard["text"] in phone.stack.invoke("call-state", {})["text"]


def test_a_machine_that_answers_is_hung_up_on(phone: Phone) -> None:
    person = phone.person()
    phone.twilio.phones[person] = Answers(answered_by="machine_start")

    made = phone.stack.invoke("make-call", {"to": person, "machine_detection": {"on_machine": "hang_up"}})

    detected = phone.bus.wait_for(is_event("CALL_ANSWERED_BY", call_sid=made["call_sid"]))["detail"]
    assert (detected["answered_by"], detected["control"]["action"]) == ("machine_start", "end")
    phone.bus.wait_for(is_event("CALL_ENDED", call_sid=made["call_sid"]))


def test_a_machine_that_answers_gets_the_message(phone: Phone) -> None:
    person = phone.person()
    phone.twilio.phones[person] = Answers(answered_by="machine_end_beep")
    wanted = {"on_machine": "leave_message", "message": "Please call us back."}

    phone.stack.invoke("make-call", {"to": person, "machine_detection": wanted})

    call = phone.twilio.wait_for_call(person, timeout=30)
    call.wait_until_ended(60)
    assert "Please call us back." in call.transcript


def test_a_recorded_call_tells_where_the_recording_is(phone: Phone) -> None:
    made = phone.stack.invoke("make-call", {"to": phone.person(), "say": "Good morning.", "record": True})

    recorded = phone.bus.wait_for(is_event("CALL_RECORDED", call_sid=made["call_sid"]))["detail"]

    assert recorded["status"] == "completed"
    assert recorded["recording_sid"] in recorded["recording_url"]


def test_there_must_be_a_stream_to_speak_into(phone: Phone) -> None:
    with pytest.raises(InvocationFailed) as refused:
        phone.stack.invoke("say", {"call_sid": f"CA{secrets.token_hex(16)}", "text": "Hello?"})

    assert refused.value.error_type == "NoMediaStream"
