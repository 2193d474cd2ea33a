"""Calls without a socket: documents that listen and speak, through the deployed functions and the stand-in's <Gather>."""

from __future__ import annotations

import re
import secrets
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from typing import Any

from local.bus import is_event
from local.twilio.voice.handset import PhoneCall
from tests.e2e.conftest import Phone
from tests.e2e.test_modes import called_in

STORY = "Once upon a time there was a king who had three daughters, and the youngest of them was more beautiful than the sun."


def event(phone: Phone, detail_type: str, call: PhoneCall, **detail: Any) -> Any:
    return phone.bus.wait_for(is_event(detail_type, call_sid=call.sid, **detail))["detail"]


def say(phone: Phone, call: PhoneCall, text: str, **more: Any) -> Any:
    return phone.stack.invoke("say", {"call_sid": call.sid, "text": text, **more})


def types(phone: Phone, call: PhoneCall) -> list[str]:
    """What was announced of a call, in order."""
    phone.bus.listen(seconds=1)
    return [one["detail-type"] for one in phone.bus.events if one["detail"].get("call_sid") == call.sid]


def test_a_call_is_held_by_documents_that_say_everything_once(phone: Phone) -> None:
    with called_in(phone, "gather") as call:
        assert call.hears(30) == "Hello. One moment, please."
        call.say("hello")  # into the greeting
        event(phone, "SPEECH_RECEIVED", call, text="hello")

        say(phone, call, "First.")
        say(phone, call, STORY)
        assert (call.hears(30), call.hears(30)) == ("First.", STORY)
        say(phone, call, "Never mind.", interrupt=True)
        assert call.hears(30) == "Never mind."
        assert event(phone, "SPEECH_INTERRUPTED", call, text=STORY)["cause"] == "say"

        phone.stack.invoke("control-call", {"call_sid": call.sid, "action": "send_digits", "digits": "1"})
        assert call.hears(30) == "[play digits 1]"
        event(phone, "VOICE_STREAM_STARTED", call, leg=1)
        say(phone, call, "I am still here.")
        assert call.hears(30) == "I am still here."
        state = phone.stack.invoke("call-state", {"call_sid": call.sid})["calls"][0]["stream"]
        assert (state["stream_sid"], state["saying"]) == (f"{call.sid}-1", "I am still here.")
        call.hang_up()

    event(phone, "VOICE_STREAM_ENDED", call, stream_sid=f"{call.sid}-1")
    said = [what for _, who, what in call.log if who == "twilio" and not what.startswith(("[", "("))]
    assert len(said) == len(set(said)), "nothing is said twice"
    announced = types(phone, call)
    assert [announced.count(one) for one in ("VOICE_STREAM_STARTED", "VOICE_STREAM_ENDED", "SPEECH_RECEIVED")] == [2, 2, 1]
    assert not phone.twilio_warnings(call.sid)


def test_a_person_we_call_is_spoken_to_first_and_their_keys_come_one_by_one(phone: Phone) -> None:
    person = phone.person()
    phone.stack.invoke("make-call", {"to": person, "voice_mode": "gather"})
    call = phone.twilio.wait_for_call(person, timeout=30)
    started = event(phone, "VOICE_STREAM_STARTED", call)
    assert (started["mode"], started["direction"]) == ("gather", "outbound")

    say(phone, call, "Please enter your number.")
    assert call.hears(30) == "Please enter your number."
    call.press("4711#")

    event(phone, "DTMF_RECEIVED", call, digit="#")
    pressed = [one["detail"]["digit"] for one in phone.bus.of("DTMF_RECEIVED", call_sid=call.sid)]
    assert pressed == ["4", "7", "1", "1", "#"]
    assert event(phone, "SPEECH_INTERRUPTED", call)["cause"] == "key"


def test_a_result_that_comes_ten_times_at_once_is_one_turn(phone: Phone) -> None:
    person, call_sid = phone.person(), f"CA{secrets.token_hex(16)}"
    call = {"CallSid": call_sid, "AccountSid": phone.stack.account.account_sid, "From": person, "To": phone.ours}
    call |= {"CallStatus": "in-progress", "Direction": "inbound"}
    document = phone.post("voice?mode=gather", call).body
    (action,) = re.findall(r'<Gather action="([^"#]+)', document)
    path = unescape(action).partition("/webhooks/twilio/")[2]
    heard = call | {"SpeechResult": "are you open", "Confidence": "0.9"}

    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: phone.post(path, heard), range(10)))

    assert {answer.status for answer in answers} == {200}
    # It listens until the person has waited for too long: who asks a second later gets a second less.
    documents = {re.sub(r' timeout="[0-9]+"', "", answer.body) for answer in answers}
    assert len(documents) == 1, "all get the same next document"
    phone.bus.wait_for(is_event("SPEECH_RECEIVED", call_sid=call_sid))
    phone.bus.listen(seconds=1)
    assert len(phone.bus.of("SPEECH_RECEIVED", call_sid=call_sid)) == 1
    assert [one["body"] for one in phone.history(person)["messages"]] == ["are you open"]
    assert phone.post(path, heard, signature=None).status == 403
    assert phone.post("status", call | {"CallStatus": "completed"}).status == 204
