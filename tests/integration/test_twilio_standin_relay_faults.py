"""What goes wrong with relay sessions: on demand, and when a socket is lost."""

import asyncio
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from twilio.request_validator import RequestValidator

from local.twilio.changes import Changes
from local.twilio.receiver import Receiver, twiml
from local.twilio.standin import TwilioStandIn
from local.twilio.voice.clock import Clock
from local.twilio.voice.relay.messages import key
from local.twilio.voice.relay.mishaps import Mishaps
from local.twilio.voice.relay.post import MAX_BUFFERED, Post
from local.twilio.voice.relay.record import RelayRecord

from .account import ACCOUNT, COLLEAGUE, NUMBER, PERSON, TOKEN
from .relays import ALL_EVENTS, begin, codes, connect, prompts
from .sockets import SocketServer

RECONNECT = 'applicationReconnect="true"'
ACTION = 'action="/done"'


@pytest.fixture
def slow(webhook: Receiver) -> Iterator[TwilioStandIn]:
    """A stand-in whose seconds are long enough to do something between two attempts of Twilio."""
    with TwilioStandIn(ACCOUNT, TOKEN, [NUMBER], voice_url=f"{webhook.url}/voice", time_scale=0.03) as standin:
        yield standin


def outcome(webhook: Receiver) -> tuple[str, str]:
    fields = webhook.at("/done")[0].fields
    return fields["SessionStatus"], fields.get("ErrorCode", "")


@pytest.mark.parametrize("code", [None, 1001, 1006, 1011, 1012])
def test_a_lost_socket_is_followed_by_another_of_the_same_session(
    twilio: TwilioStandIn, webhook: Receiver, ours: SocketServer, code: int | None
) -> None:
    call, first = begin(twilio, webhook, ours, RECONNECT, '<Parameter name="token" value="t"/>')
    if code in {None, 1006}:
        first.cut()
    else:
        first.close(code or 0)
    second = ours.connection(1)
    [setup] = second.wait_for("setup")
    second.say("Where were we?")
    call.wait_until_spoken("Where")
    signature = {name.lower(): value for name, value in second.headers.items()}["x-twilio-signature"]

    assert setup == first.of("setup")[0]
    assert RequestValidator(TOKEN).validate(f"{ours.url}/live", {}, signature)
    assert (call.relay.connections, call.relay.ended, len(call.relays)) == (2, None, 1)
    assert codes(twilio) == []


def test_what_happened_between_two_sockets_is_told_on_the_second_in_order(
    slow: TwilioStandIn, webhook: Receiver, ours: SocketServer
) -> None:
    call, first = begin(slow, webhook, ours, f'{RECONNECT} {ALL_EVENTS} dtmfDetection="true"')
    ours.refuses_with = 503
    first.say("Please hold the line while I look.")
    first.cut()
    call.wait_until_spoken("Please hold")
    call.press("12")
    while len(ours.requests) < 2:
        time.sleep(0.001)
    ours.refuses_with = None
    second = ours.connection(1)
    second.wait_for("dtmf", 2)
    kinds = [message.get("name", message.get("digit", message["type"])) for message in second.messages]

    assert kinds[0] == "setup"
    assert kinds[-2:] == ["1", "2"]
    assert first.of("dtmf") == []


def test_twilio_gives_up_at_last(twilio: TwilioStandIn, webhook: Receiver, ours: SocketServer) -> None:
    call, first = begin(twilio, webhook, ours, RECONNECT, action=ACTION)
    ours.refuses_with = 503
    first.cut()
    call.wait_until_ended()

    assert len(ours.requests) == 4
    assert outcome(webhook) == ("failed", "64105")
    assert codes(twilio) == [64105]
    assert "answered 503" in webhook.at("/done")[0].fields["ErrorMessage"]


def test_a_socket_that_lasts_is_followed_by_as_many_attempts_as_the_first(
    twilio: TwilioStandIn, webhook: Receiver, ours: SocketServer
) -> None:
    call, connection = begin(twilio, webhook, ours, RECONNECT)
    for index in range(1, 6):
        time.sleep(0.06)  # 12 seconds of the call
        connection.cut()
        connection = ours.connection(index)
        connection.wait_for("setup")

    assert call.relay.connections == 6


def test_sockets_that_never_last_are_not_opened_without_end(slow: TwilioStandIn, webhook: Receiver, ours: SocketServer) -> None:
    call, connection = begin(slow, webhook, ours, RECONNECT, action=ACTION)
    for index in range(1, 4):
        connection.cut()
        connection = ours.connection(index)
        connection.wait_for("setup")
    connection.cut()
    call.wait_until_ended()

    assert len(ours.requests) == 4
    assert outcome(webhook) == ("failed", "64105")


def test_what_ends_a_session_ends_it_on_its_second_socket_too(
    twilio: TwilioStandIn, webhook: Receiver, ours: SocketServer
) -> None:
    call, first = begin(twilio, webhook, ours, RECONNECT, action=ACTION)
    first.cut()
    second = ours.connection(1)
    for _ in range(10):
        second.send("garbage")

    assert second.wait_until_closed() == 1007
    call.wait_until_ended()
    assert outcome(webhook) == ("failed", "64105")
    assert len(ours.requests) == 2


def test_a_close_that_says_that_all_is_well_ends_the_session(
    twilio: TwilioStandIn, webhook: Receiver, ours: SocketServer
) -> None:
    call, first = begin(twilio, webhook, ours, RECONNECT, action=ACTION)
    first.close(1000)
    call.wait_until_ended()

    assert len(ours.requests) == 1
    assert outcome(webhook) == ("failed", "64105")


def test_a_hang_up_ends_a_session_that_has_no_socket(twilio: TwilioStandIn, webhook: Receiver, ours: SocketServer) -> None:
    call, first = begin(twilio, webhook, ours, RECONNECT, action=ACTION)
    ours.refuses_with = 503
    first.cut()
    first.wait_until_closed()
    call.hang_up()
    call.wait_until_ended()
    twilio.settle()

    assert outcome(webhook)[0] == "completed"


def test_of_more_than_500_messages_the_oldest_are_lost() -> None:
    post = Post(RelayRecord("VX", "ws://x", Clock()), Mishaps(), Changes())
    keys = [key(str(number)) for number in range(MAX_BUFFERED + 1)]
    for message in keys:
        post.put(message)

    assert list(post.waiting) == keys[1:]


def test_what_a_socket_did_not_take_goes_over_the_next() -> None:
    class Socket:
        """Takes so many messages."""

        def __init__(self, takes: int) -> None:
            self.takes, self.taken = takes, list[str]()

        async def send_str(self, text: str) -> None:
            if len(self.taken) == self.takes:
                raise ConnectionResetError
            self.taken.append(json.loads(text)["digit"])

    async def deliver() -> list[list[str]]:
        post = Post(RelayRecord("VX", "ws://x", Clock()), Mishaps(), Changes())
        for digit in "1234":
            post.put(key(digit))
        sockets = [Socket(2), Socket(0), Socket(9)]
        for socket in sockets:
            delivering = asyncio.create_task(post.deliver(socket, key("0")))  # type: ignore[arg-type]
            await asyncio.wait({delivering, asyncio.create_task(post.flush())}, return_when=asyncio.FIRST_COMPLETED)
            delivering.cancel()
        return [socket.taken for socket in sockets]

    assert asyncio.run(deliver()) == [["0", "1"], [], ["0", "2", "3", "4"]]


@pytest.mark.parametrize(("fault", "expected"), [("swap_prompts", ["two", "one"]), ("join_prompts", ["one", "two"])])
def test_prompts_come_together_in_either_order(
    twilio: TwilioStandIn, webhook: Receiver, ours: SocketServer, fault: str, expected: list[str]
) -> None:
    twilio.faults.add(fault)
    call, connection = begin(twilio, webhook, ours, ALL_EVENTS)
    call.say("one")
    call.say("two")
    connection.wait_for("prompt", 2)
    together = [message["type"] for message in connection.messages]
    call.say("three")
    connection.wait_for("prompt", 3)

    assert prompts(connection) == [*expected, "three"]
    assert together == ["setup"] + ["info"] * 4 + ["prompt"] * 2


def test_a_message_may_come_twice(twilio: TwilioStandIn, webhook: Receiver, ours: SocketServer) -> None:
    twilio.faults.add("repeat_message")
    twilio.faults.add("repeat_message", type="dtmf", to=COLLEAGUE)
    call, connection = begin(twilio, webhook, ours, 'dtmfDetection="true"')
    call.press("1")
    call.say("one")
    call.say("two")
    connection.wait_for("prompt", 3)

    assert prompts(connection) == ["one", "one", "two"]
    assert len(connection.of("dtmf")) == 1


def test_events_may_never_come(twilio: TwilioStandIn, webhook: Receiver, ours: SocketServer) -> None:
    twilio.faults.add("lose_info")
    call, connection = begin(twilio, webhook, ours, ALL_EVENTS)
    connection.say("Hello.")
    call.wait_until_spoken("Hello")
    call.say("Hello.")
    connection.wait_for("prompt")

    assert connection.of("info") == []


def test_the_socket_breaks_in_the_midst_of_a_reply(twilio: TwilioStandIn, webhook: Receiver, ours: SocketServer) -> None:
    twilio.faults.add("drop_in_reply", after=2)
    call, first = begin(twilio, webhook, ours, f'{RECONNECT} welcomeGreeting="Good morning, this is a long greeting."')
    call.wait_until_spoken("Good morning")
    assert first.code is None
    first.say("Word after word. " * 60)
    first.wait_until_closed()
    second = ours.connection(1)
    second.wait_for("setup")
    heard = len(call.relay.spoken)
    second.say("What was I saying?")
    call.wait_until_spoken("What")

    assert heard < 60
    assert call.relay.spoken[1:] == ["Word after word."] * 60 + ["What was I saying?"]
    assert call.relay.connections == 2


def test_the_socket_breaks_after_a_silence_as_that_of_api_gateway_does(webhook: Receiver, ours: SocketServer) -> None:
    with TwilioStandIn(ACCOUNT, TOKEN, [NUMBER], voice_url=f"{webhook.url}/voice", time_scale=0.001) as twilio:
        twilio.faults.add("idle_socket")
        call, connection = begin(twilio, webhook, ours)
        time.sleep(0.3)
        call.say("Still here")
        connection.wait_for("prompt")
        status = call.wait_until_relay_ended()
        record = call.relay

        assert connection.wait_until_closed() == 1006
        assert status == "failed"
        assert record.ended_at is not None
        assert record.ended_at - record.log[-1].at >= 600
        assert record.log[-1].at > 300


def test_the_socket_breaks_after_a_time_that_was_set(twilio: TwilioStandIn, webhook: Receiver, ours: SocketServer) -> None:
    twilio.faults.add("drop_socket", after=20)
    call, connection = begin(twilio, webhook, ours)

    assert connection.wait_until_closed() == 1006
    assert call.wait_until_relay_ended() == "failed"
    assert 20 <= (call.relay.ended_at or 0) < 60


def test_a_forged_handshake_is_not_twilio_s(twilio: TwilioStandIn, webhook: Receiver, ours: SocketServer) -> None:
    twilio.faults.add("forge_handshake")
    _, connection = begin(twilio, webhook, ours)
    signature = {name.lower(): value for name, value in connection.headers.items()}["x-twilio-signature"]

    assert not RequestValidator(TOKEN).validate(f"{ours.url}/live", {}, signature)


@pytest.mark.parametrize(
    ("options", "parameters"),
    [
        ({"parameter": "token", "value": "wrong"}, {"token": "wrong", "leg": "0"}),
        ({"parameter": "token"}, {"leg": "0"}),
        ({"call_sid": "CA" + "0" * 32}, {"token": "right", "leg": "0"}),
    ],
)
def test_a_setup_may_be_another_than_was_asked_for(
    twilio: TwilioStandIn, webhook: Receiver, ours: SocketServer, options: dict[str, Any], parameters: dict[str, str]
) -> None:
    twilio.faults.add("alter_start", **options)
    inner = '<Parameter name="token" value="right"/><Parameter name="leg" value="0"/>'
    call, connection = begin(twilio, webhook, ours, inner=inner)
    [setup] = connection.of("setup")

    assert setup["customParameters"] == parameters
    assert setup["callSid"] == options.get("call_sid", call.sid)


def test_garbage_comes_when_it_is_to_come(twilio: TwilioStandIn, webhook: Receiver, ours: SocketServer) -> None:
    twilio.faults.add("garbage", text='{"type":"later"}', after=30)
    twilio.faults.add("garbage", text='{"type":"nonsense"}')
    call, connection = begin(twilio, webhook, ours)
    connection.wait_for("later")
    call.wait_for_relay_message("garbage", 2)
    nonsense, later = call.relay.entries("garbage")

    assert [message["type"] for message in connection.messages] == ["setup", "nonsense", "later"]
    assert nonsense.at < 20
    assert later.at >= 30


def test_faults_of_relays_leave_streams_alone(twilio: TwilioStandIn, webhook: Receiver, ours: SocketServer) -> None:
    twilio.faults.add("lose_info")
    twilio.faults.add("lose_stop")
    webhook.pages["/voice"] = twiml(f'<Connect><Stream url="{ours.url}/live"/></Connect>')
    call = twilio.call_in(PERSON)
    call.wait_for_stream()
    after_stream = [fault["kind"] for fault in twilio.faults.pending()]
    webhook.pages["/voice"] = twiml(connect(ours))
    twilio.call_in(PERSON)
    ours.connection(1).wait_for("setup")

    assert after_stream == ["lose_info"]
    assert twilio.faults.pending() == []


def test_faults_of_relays_are_set_over_http(twilio: TwilioStandIn, webhook: Receiver, ours: SocketServer) -> None:
    def add(**fault: Any) -> requests.Response:
        return requests.post(f"{twilio.url}/_standin/faults", json=fault, timeout=10)

    assert add(kind="repeat_message", type="setup").status_code == 200
    assert "type=1 of repeat_message is not a text" in add(kind="repeat_message", type=1).json()["error"]
    assert add(kind="repeat_message", type="prompt", count=1).status_code == 200
    assert [fault["kind"] for fault in twilio.faults.pending()] == ["repeat_message"] * 2
