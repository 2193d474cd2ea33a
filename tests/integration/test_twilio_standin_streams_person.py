"""The person on a streamed call: what they say, press and hear, and what is written down about when."""

import base64
from itertools import pairwise
from typing import Any

import pytest
import requests
from twilio.rest import Client

from local.twilio.receiver import Receiver, twiml
from local.twilio.standin import TwilioStandIn
from local.twilio.voice.handset import CallEnded, PhoneCall
from local.twilio.voice.phones import Answers

from .account import ACCOUNT, NUMBER, PERSON, TOKEN
from .sockets import Connection, SocketServer
from .tones import OTHER_TONE, QUIET, TONE, count


def connect(ours: SocketServer) -> str:
    return f'<Connect><Stream url="{ours.url}/live"/></Connect><Say>After.</Say>'


@pytest.fixture
def call(streams: TwilioStandIn, webhook: Receiver, ours: SocketServer) -> PhoneCall:
    webhook.pages["/voice"] = twiml(connect(ours))
    call = streams.call_in(PERSON)
    call.wait_for_stream()
    return call


@pytest.fixture
def socket(call: PhoneCall, ours: SocketServer) -> Connection:
    return ours.connection()


def said(connection: Connection) -> bytes:
    """The audio of all frames that came."""
    return b"".join(base64.b64decode(frame["media"]["payload"]) for frame in connection.of("media"))


def test_words_are_spoken_by_the_voice_between_silences(call: PhoneCall, socket: Connection) -> None:
    call.say("abc", wait=True)
    socket.wait_for("media", len(call.spoken_audio()) // 160)
    audio = said(socket)

    assert audio.strip(b"\xff") == TONE * 3
    assert count(call.spoken_audio(), TONE) == 3
    assert ("person", "abc") in [entry[1:] for entry in call.log]


def test_sounds_follow_one_another(call: PhoneCall, socket: Connection) -> None:
    call.play_sound(OTHER_TONE + TONE[:80], "[coughs]")
    call.say("ab", wait=True)
    socket.wait_for("media", len(call.spoken_audio()) // 160)

    assert said(socket).strip(b"\xff") == OTHER_TONE + TONE[:80] + QUIET[:80] + TONE * 2
    assert "[coughs]" in call.transcript


def test_speaking_returns_at_once_unless_it_is_to_be_waited_for(call: PhoneCall) -> None:
    call.say("x" * 50)
    early = count(call.spoken_audio(), TONE)
    call.say("y", wait=True)

    assert early < 50
    assert count(call.spoken_audio(), TONE) == 51


def test_what_was_said_has_its_times(call: PhoneCall, socket: Connection) -> None:
    call.say("x" * 10, wait=True)
    call.play_sound(QUIET * 5 + TONE * 5 + QUIET * 5, wait=True)
    words, sound = call.stream.utterances

    assert (words.words, sound.words) == ("x" * 10, "[sound]")
    assert words.began is not None
    assert words.ended is not None
    assert sound.began is not None
    assert sound.ended is not None
    assert words.ended - words.began > 0.1
    assert words.ended < sound.began < sound.ended
    last = [entry.at for entry in call.stream_log if entry.way == "sent" and entry.has_sound][-1]
    assert abs(last - sound.ended) < 0.1


def test_a_reply_and_a_clear_can_be_measured_from_the_person_s_words(call: PhoneCall, socket: Connection) -> None:
    call.say("x" * 5, wait=True)
    socket.play(QUIET * 5 + OTHER_TONE * 20)
    socket.mark("reply")
    began = call.wait_for_audio(0.1)
    socket.clear()
    socket.wait_for("mark")
    record = call.stream
    message, cleared = record.first("media"), record.first("clear")
    [sound] = record.sounds()

    assert record.utterances[0].ended is not None
    assert message is not None
    assert cleared is not None
    assert record.utterances[0].ended < message.at < cleared.at
    assert (message.audio_bytes, message.has_sound) == (25 * 160, True)
    assert "payload" not in str([entry.message for entry in record.log])
    assert sound.began == began
    assert sound.ended - sound.began >= 0.1
    assert record.began_at is not None
    times = [entry.at for entry in record.log]
    assert all(one <= other for one, other in pairwise(times))


def test_what_is_heard_lies_where_it_was_heard(call: PhoneCall, socket: Connection) -> None:
    socket.play(TONE * 5)
    quiet_since = call.wait_until_quiet(400)
    socket.play(OTHER_TONE * 5)
    call.wait_for_audio(0.1, after=quiet_since)
    ended = call.wait_until_quiet(400)
    first, second = call.stream.sounds(gap=0.2)
    heard = call.heard_audio()

    assert heard[round(first.began * 8000) :][: 5 * 160] == TONE * 5
    assert heard[round(second.began * 8000) :][: 5 * 160] == OTHER_TONE * 5
    assert second.began - first.ended >= 0.38
    assert ended == second.ended
    assert call.wait_for_audio(0.1, after=first.ended) == second.began


def test_waiting_for_audio_counts_no_silence(call: PhoneCall, socket: Connection) -> None:
    socket.play(QUIET * 20 + TONE * 2)
    with pytest.raises(TimeoutError, match=r"to hear 0.1 s of sound"):
        call.wait_for_audio(0.1, timeout=0.3)


def test_nothing_is_quiet_while_something_is_left_to_be_played(call: PhoneCall, socket: Connection) -> None:
    socket.play(TONE * 5 + QUIET * 25 + TONE * 5)
    call.wait_for_audio(0.02)
    call.wait_until_quiet(100)

    assert count(call.heard_audio(), TONE) == 10


def test_keys_come_as_messages(call: PhoneCall, socket: Connection) -> None:
    call.press("1#")
    one, pound = socket.wait_for("dtmf", 2)

    assert one == {
        "event": "dtmf",
        "streamSid": socket.sid,
        "sequenceNumber": one["sequenceNumber"],
        "dtmf": {"track": "inbound_track", "digit": "1"},
    }
    assert pound["dtmf"]["digit"] == "#"
    assert int(pound["sequenceNumber"]) > int(one["sequenceNumber"])


def test_keys_of_a_stream_are_no_keys_of_the_next_gather(streams: TwilioStandIn, webhook: Receiver, ours: SocketServer) -> None:
    gather = '<Gather numDigits="1" action="/answer"/>'
    webhook.pages["/voice"] = twiml(connect(ours).replace("<Say>After.</Say>", gather))
    call = streams.call_in(PERSON)
    call.wait_for_stream()
    call.press("1")
    connection = ours.connection()
    connection.wait_for("dtmf")
    connection.close()
    call.wait_until_stream_ended()
    call.press("2")
    call.wait_until_ended()

    assert webhook.at("/answer")[0].fields["Digits"] == "2"


def test_words_of_a_gather_stay_words(streams: TwilioStandIn, webhook: Receiver) -> None:
    webhook.pages["/voice"] = twiml('<Gather input="speech" action="/answer"><Say>Well?</Say></Gather>')
    call = streams.call_in(PERSON)
    call.hears()
    call.say("Sales", wait=True)
    call.wait_until_ended()

    assert webhook.at("/answer")[0].fields["SpeechResult"] == "Sales"


def test_without_a_voice_a_person_can_only_make_sounds(webhook: Receiver, ours: SocketServer) -> None:
    webhook.pages["/voice"] = twiml(connect(ours))
    with TwilioStandIn(ACCOUNT, TOKEN, [NUMBER], voice_url=f"{webhook.url}/voice", media_speed=5) as twilio:
        call = twilio.call_in(PERSON)
        call.wait_for_stream()
        with pytest.raises(ValueError, match="has no voice"):
            call.say("Hi")
        call.play_sound(TONE, wait=True)

        assert count(call.spoken_audio(), TONE) == 1


def test_an_ended_call_has_nothing_more_to_say_or_hear(call: PhoneCall, socket: Connection) -> None:
    call.say("x" * 1000)
    call.hang_up()
    call.wait_until_ended()

    assert call.wait_until_quiet(50) == 0.0
    with pytest.raises(CallEnded):
        call.say("Hi")
    with pytest.raises(CallEnded):
        call.play_sound(TONE)
    with pytest.raises(CallEnded):
        call.wait_for_audio(0.1)
    with pytest.raises(CallEnded):
        call.wait_for_stream(after=1)


def test_a_call_without_a_stream_has_none(streams: TwilioStandIn, webhook: Receiver) -> None:
    webhook.pages["/voice"] = twiml('<Pause length="3600"/>')
    call = streams.call_in(PERSON)
    call.play_sound(TONE, wait=True)

    assert call.streams == []
    assert not call.is_hearing
    with pytest.raises(LookupError):
        call.heard_audio()
    with pytest.raises(TimeoutError, match="for stream 0"):
        call.wait_for_stream(timeout=0.05)


def test_a_script_speaks_when_the_stream_is_quiet(streams: TwilioStandIn, ours: SocketServer) -> None:
    streams.phones[PERSON] = Answers(script=[{"say": "ab"}, {"press": "1"}, {"hang_up": True}])
    client = Client(ACCOUNT, TOKEN)
    client.api.base_url = streams.url
    client.calls.create(to=PERSON, from_=NUMBER, twiml=f"<Response>{connect(ours)}</Response>")
    client.http_client.session.close()
    connection = ours.connection()
    connection.play(OTHER_TONE * 10)
    call = streams.wait_for_call(PERSON)
    while TONE not in [base64.b64decode(frame["media"]["payload"]) for frame in connection.of("media")]:
        connection.wait_for("media", len(connection.of("media")) + 1)
    connection.play(OTHER_TONE * 10)
    connection.wait_for("dtmf")
    connection.play(OTHER_TONE * 10)

    assert call.wait_until_ended() == "completed"
    first, second, third = call.stream.sounds()
    [words] = call.stream.utterances
    assert words.began is not None
    assert first.ended + 0.5 < words.began < second.began + 0.2 < third.began


def control(twilio: TwilioStandIn, method: str, path: str, **body: Any) -> Any:
    return requests.request(method, f"{twilio.url}/_standin/{path}", json=body or None, timeout=10)


def test_a_streamed_call_can_be_driven_over_http(streams: TwilioStandIn, call: PhoneCall, socket: Connection) -> None:
    path = f"calls/{call.sid}"
    control(streams, "POST", path, say="ab")
    control(streams, "POST", path, sound=base64.b64encode(OTHER_TONE).decode())
    socket.play(TONE)
    socket.mark("heard")
    socket.wait_for("mark")
    while count(call.spoken_audio(), OTHER_TONE) == 0:
        socket.wait_for("media", len(socket.of("media")) + 1)
    [stream] = control(streams, "GET", path).json()["streams"]

    assert count(control(streams, "GET", f"{path}/heard").content, TONE) == 1
    assert count(control(streams, "GET", f"{path}/spoken").content, TONE) == 2
    assert (stream["sid"], stream["marks"], stream["ended"]) == (socket.sid, ["heard"], None)
    assert [words for words, _, _ in stream["said"]] == ["ab", "[sound]"]
    assert "/heard" in requests.get(f"{streams.url}/_standin", timeout=10).text


def test_mistakes_over_http_are_told(streams: TwilioStandIn, webhook: Receiver) -> None:
    webhook.pages["/voice"] = twiml('<Pause length="3600"/>')
    call = streams.call_in(PERSON)

    assert "no stream has begun" in control(streams, "GET", f"calls/{call.sid}/heard").json()["error"]
    assert "shout is not one of say" in control(streams, "POST", f"calls/{call.sid}", shout="Hi").json()["error"]
