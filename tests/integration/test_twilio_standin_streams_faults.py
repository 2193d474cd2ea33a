"""What goes wrong with media streams on demand."""

import base64
import time
from itertools import pairwise
from typing import Any

import pytest
import requests
from twilio.request_validator import RequestValidator

from local.twilio.receiver import Receiver, twiml
from local.twilio.standin import TwilioStandIn
from local.twilio.voice.handset import PhoneCall

from .account import COLLEAGUE, PERSON, TOKEN
from .sockets import Connection, SocketServer
from .tones import TONE


@pytest.fixture
def document(webhook: Receiver, ours: SocketServer) -> None:
    parameters = '<Parameter name="token" value="right"/><Parameter name="leg" value="0"/>'
    stream = f'<Stream url="{ours.url}/live" statusCallback="/stream">{parameters}</Stream>'
    webhook.pages["/voice"] = twiml(f"<Connect>{stream}</Connect><Say>After.</Say>")


pytestmark = pytest.mark.usefixtures("document")


def numbers(connection: Connection) -> list[int]:
    return [int(frame["sequenceNumber"]) for frame in connection.of("media")]


def begin(streams: TwilioStandIn, ours: SocketServer, index: int = 0) -> tuple[PhoneCall, Connection]:
    call = streams.call_in(PERSON)
    call.wait_for_stream()
    return call, ours.connection(index)


def test_shuffled_frames_overtake_one_another_within_a_window(streams: TwilioStandIn, ours: SocketServer) -> None:
    streams.faults.add("shuffle_frames", window_ms=100, seed=3)
    _, connection = begin(streams, ours)
    connection.wait_for("media", 60)
    came = numbers(connection)

    assert came != sorted(came)
    assert sorted(set(range(2, max(came))) - set(came)) == [
        missing for missing in range(max(came) - 6, max(came)) if missing not in came
    ]
    assert all(later > earlier - 6 for earlier, later in pairwise(came))
    assert len(set(came)) == len(came)


def test_shuffled_frames_still_come_when_the_stream_has_stopped(streams: TwilioStandIn, ours: SocketServer) -> None:
    streams.faults.add("shuffle_frames", window_ms=1000, seed=1)
    call, connection = begin(streams, ours)
    connection.wait_for("media", 30)
    call.hang_up()
    connection.wait_until_closed()
    [stop] = connection.of("stop")

    assert connection.messages.index(stop) < len(connection.messages) - 1
    assert sorted(numbers(connection)) == list(range(2, int(stop["sequenceNumber"])))


def test_the_same_seed_breaks_the_same(streams: TwilioStandIn, ours: SocketServer) -> None:
    streams.faults.add("shuffle_frames", count=2, window_ms=200, seed=7)
    streams.faults.add("lose_frames", count=2, fraction=0.2, seed=8)
    streams.faults.add("duplicate_frames", count=2, fraction=0.2, seed=9)
    orders = []
    for index in range(2):
        call, connection = begin(streams, ours, index)
        connection.wait_for("media", 50)
        orders.append(numbers(connection)[:50])
        call.hang_up()

    assert orders[0] == orders[1] != sorted(orders[0])


def test_frames_come_twice(streams: TwilioStandIn, ours: SocketServer) -> None:
    streams.faults.add("duplicate_frames", fraction=0.3, seed=1)
    _, connection = begin(streams, ours)
    connection.wait_for("media", 60)
    came = numbers(connection)
    twice = {number for number in came if came.count(number) == 2}

    assert set(came) == set(range(2, max(came) + 1))
    assert 5 < len(twice) < 30


def test_frames_are_missing(streams: TwilioStandIn, ours: SocketServer) -> None:
    streams.faults.add("lose_frames", fraction=0.3, seed=1)
    call, connection = begin(streams, ours)
    connection.wait_for("media", 40)
    came = numbers(connection)
    missing = set(range(2, max(came))) - set(came)

    assert came == sorted(came)
    assert 5 < len(missing) < 35
    assert len(call.spoken_audio()) // 160 >= len(came) + len(missing)


@pytest.mark.parametrize("kind", ["lose_frames", "stop_frames"])
def test_frames_may_stop_while_all_else_goes_on(streams: TwilioStandIn, ours: SocketServer, kind: str) -> None:
    if kind == "lose_frames":
        streams.faults.add("lose_frames", fraction=1)
    else:
        streams.faults.add("stop_frames", after=0.2)
    call, connection = begin(streams, ours)
    call.say("x" * 30, wait=True)
    connection.play(TONE)
    connection.mark("there")
    connection.wait_for("mark")
    call.press("1")
    connection.wait_for("dtmf")

    assert len(connection.of("media")) == (0 if kind == "lose_frames" else 10)


def test_a_socket_that_drops_ends_the_stream_without_a_word(
    streams: TwilioStandIn, webhook: Receiver, ours: SocketServer
) -> None:
    streams.faults.add("drop_socket", after=0.2)
    call, connection = begin(streams, ours)

    assert connection.wait_until_closed() == 1006
    assert call.hears() == "After."
    call.wait_until_ended()
    streams.settle()
    assert connection.of("stop") == []
    assert len(connection.of("media")) <= 11
    assert [request.fields["StreamEvent"] for request in webhook.at("/stream")] == [
        "stream-started",
        "stream-error",
        "stream-stopped",
    ]


def test_a_stop_may_get_lost_with_the_socket_closed(streams: TwilioStandIn, ours: SocketServer) -> None:
    streams.faults.add("lose_stop")
    call, connection = begin(streams, ours)
    connection.wait_for("media")
    call.hang_up()

    assert connection.wait_until_closed() == 1000
    assert connection.of("stop") == []


def test_a_stop_may_get_lost_with_the_socket_left_open(streams: TwilioStandIn, webhook: Receiver, ours: SocketServer) -> None:
    streams.faults.add("lose_stop", socket="open")
    call, connection = begin(streams, ours)
    connection.wait_for("media")
    call.hang_up()
    call.wait_until_ended()
    frames = len(connection.of("media"))
    time.sleep(0.1)

    assert connection.code is None
    assert connection.of("stop") == []
    assert len(connection.of("media")) <= frames + 1
    assert call.wait_until_stream_ended() == "stopped"
    connection.close()
    streams.settle()
    assert [request.fields["StreamEvent"] for request in webhook.at("/stream")] == ["stream-started", "stream-stopped"]


def test_a_forged_handshake_is_not_twilio_s(streams: TwilioStandIn, ours: SocketServer) -> None:
    streams.faults.add("forge_handshake")
    signatures = []
    for index in range(2):
        call, connection = begin(streams, ours, index)
        signatures.append({name.lower(): value for name, value in connection.headers.items()}["x-twilio-signature"])
        call.hang_up()
    validator = RequestValidator(TOKEN)

    assert [validator.validate(f"{ours.url}/live", {}, signature) for signature in signatures] == [False, True]


@pytest.mark.parametrize(
    ("options", "parameters"),
    [
        ({"parameter": "token", "value": "wrong"}, {"token": "wrong", "leg": "0"}),
        ({"parameter": "token"}, {"leg": "0"}),
        ({"call_sid": "CA" + "0" * 32}, {"token": "right", "leg": "0"}),
    ],
)
def test_a_start_may_be_another_than_was_asked_for(
    streams: TwilioStandIn, ours: SocketServer, options: dict[str, Any], parameters: dict[str, str]
) -> None:
    streams.faults.add("alter_start", **options)
    call, connection = begin(streams, ours)
    [start] = connection.wait_for("start")

    assert start["start"]["customParameters"] == parameters
    assert start["start"]["callSid"] == options.get("call_sid", call.sid)


def test_garbage_comes_when_it_is_to_come(streams: TwilioStandIn, ours: SocketServer) -> None:
    streams.faults.add("garbage", text='{"event":"nonsense"}')
    streams.faults.add("garbage", text='{"event":"later"}', after=0.2)
    _, connection = begin(streams, ours)
    connection.wait_for("later")
    events = [message["event"] for message in connection.messages]

    assert events[:4] == ["connected", "start", "nonsense", "media"]
    assert events.index("later") == 13


def test_a_fault_is_for_one_stream_and_for_whom_it_is_meant(streams: TwilioStandIn, ours: SocketServer) -> None:
    streams.faults.add("lose_stop", to=COLLEAGUE)
    call, connection = begin(streams, ours)
    call.hang_up()
    connection.wait_for("stop")
    [pending] = streams.faults.pending()
    other = streams.call_in(COLLEAGUE)
    other.wait_for_stream()
    other.hang_up()
    ours.connection(1).wait_until_closed()

    assert pending["count"] == 1
    assert ours.connection(1).of("stop") == []
    assert streams.faults.pending() == []


def test_faults_of_streams_are_set_over_http(streams: TwilioStandIn, ours: SocketServer) -> None:
    def add(**fault: Any) -> requests.Response:
        return requests.post(f"{streams.url}/_standin/faults", json=fault, timeout=10)

    assert add(kind="garbage", text='{"event":"nonsense"}').status_code == 200
    assert "garbage needs text" in add(kind="garbage").json()["error"]
    assert "open or closed" in add(kind="lose_stop", socket="ajar").json()["error"]
    assert "is not a number" in add(kind="lose_frames", fraction="half").json()["error"]
    _, connection = begin(streams, ours)
    connection.wait_for("nonsense")


def test_what_is_sent_can_be_heard(streams: TwilioStandIn, ours: SocketServer) -> None:
    """Faults change what arrives, not what is counted as said."""
    streams.faults.add("duplicate_frames", fraction=1)
    call, connection = begin(streams, ours)
    call.say("ab", wait=True)
    connection.wait_for("media", 2 * len(call.spoken_audio()) // 160)
    tones = [frame for frame in connection.of("media") if base64.b64decode(frame["media"]["payload"]) == TONE]

    assert len(tones) == 4
    assert len(call.spoken_audio().strip(b"\xff")) == 2 * 160
