"""Media streams as Twilio speaks them: the handshake, the messages both ways, the end, and what the document does then."""

import base64
from collections.abc import Callable
from typing import Any

import pytest
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from local.twilio.receiver import Receiver, twiml
from local.twilio.standin import TwilioStandIn
from local.twilio.voice.handset import PhoneCall
from local.twilio.voice.media.playback import Playback

from .account import ACCOUNT, PERSON, TOKEN, is_signed
from .sockets import Connection, SocketServer
from .tones import OTHER_TONE, QUIET, TONE, count

AFTER = "<Say>After.</Say>"
WAIT = '<Pause length="3600"/>'


def connect(ours: SocketServer, attributes: str = "", inner: str = "", path: str = "/live") -> str:
    return f'<Connect><Stream url="{ours.url}{path}" {attributes}>{inner}</Stream></Connect>{AFTER}'


def call_to(streams: TwilioStandIn, webhook: Receiver, document: str) -> PhoneCall:
    webhook.pages["/voice"] = twiml(document)
    return streams.call_in(PERSON)


def codes(twilio: TwilioStandIn) -> list[int]:
    return [alert.code for alert in twilio.alerts]


def events(webhook: Receiver) -> list[str]:
    return [request.fields["StreamEvent"] for request in webhook.at("/stream")]


@pytest.fixture
def call(streams: TwilioStandIn, webhook: Receiver, ours: SocketServer) -> PhoneCall:
    return call_to(streams, webhook, connect(ours, 'statusCallback="/stream"'))


@pytest.fixture
def socket(call: PhoneCall, ours: SocketServer) -> Connection:
    connection = ours.connection()
    call.wait_for_stream()
    return connection


def test_the_handshake_is_signed_over_the_url_without_fields(call: PhoneCall, ours: SocketServer) -> None:
    connection = ours.connection()
    headers = {name.lower(): value for name, value in connection.headers.items()}

    assert connection.path == "/live"
    assert RequestValidator(TOKEN).validate(f"{ours.url}/live", {}, headers["x-twilio-signature"])
    assert headers["user-agent"] == "Twilio.TmeWs/1.0"


def test_a_stream_begins_with_connected_and_start(streams: TwilioStandIn, webhook: Receiver, ours: SocketServer) -> None:
    parameters = '<Parameter name="token" value="a&amp;b"/><Parameter name="leg" value="0"/>'
    call = call_to(streams, webhook, connect(ours, 'name="main"', parameters))
    connection = ours.connection()
    connection.wait_for("media")
    connected, start = connection.messages[:2]

    assert connected == {"event": "connected", "protocol": "Call", "version": "1.0.0"}
    assert start == {
        "event": "start",
        "sequenceNumber": "1",
        "streamSid": start["streamSid"],
        "start": {
            "accountSid": ACCOUNT,
            "streamSid": start["streamSid"],
            "callSid": call.sid,
            "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
            "customParameters": {"token": "a&b", "leg": "0"},
        },
    }
    assert start["streamSid"].startswith("MZ")
    assert (call.stream.name, call.stream.parameters) == ("main", {"token": "a&b", "leg": "0"})


def test_frames_come_without_end_numbered_and_timed_as_texts(socket: Connection) -> None:
    first, second = socket.wait_for("media", 3)[:2]

    assert first == {
        "event": "media",
        "sequenceNumber": "2",
        "streamSid": socket.sid,
        "media": {"track": "inbound", "chunk": "1", "timestamp": "0", "payload": base64.b64encode(QUIET).decode()},
    }
    assert (second["sequenceNumber"], second["media"]["chunk"], second["media"]["timestamp"]) == ("3", "2", "20")


def test_frames_keep_real_time_whatever_the_scale_of_the_call(webhook: Receiver, ours: SocketServer) -> None:
    with TwilioStandIn(ACCOUNT, TOKEN, ["+14155550100"], voice_url=f"{webhook.url}/voice", time_scale=0.005) as twilio:
        call = call_to(twilio, webhook, connect(ours))
        ours.connection().wait_for("media", 20)
        record = call.stream
        twentieth = [entry.at for entry in record.log if entry.event == "media"][19]

    assert twentieth >= 0.39


def test_audio_is_played_in_order_whatever_its_pieces(call: PhoneCall, socket: Connection) -> None:
    socket.play(TONE * 3 + TONE[:50])
    socket.play(TONE[50:] + TONE)
    call.wait_until_quiet(100)
    heard = call.heard_audio()

    assert count(heard, TONE) == 5
    assert heard.strip(b"\xff") == TONE * 5
    assert len(heard) % 160 == 0


def test_a_mark_comes_back_when_playback_has_reached_it(call: PhoneCall, socket: Connection) -> None:
    socket.play(TONE * 10)
    socket.mark("first")
    socket.play(TONE * 10)
    socket.mark("second")
    first, second = socket.wait_for("mark", 2)
    record = call.stream
    at = {entry.message["mark"]["name"]: entry.at for entry in record.log if (entry.way, entry.event) == ("sent", "mark")}

    assert first == {
        "event": "mark",
        "sequenceNumber": first["sequenceNumber"],
        "streamSid": socket.sid,
        "mark": {"name": "first"},
    }
    assert call.marks == ["first", "second"]
    assert at["second"] - at["first"] > 0.1
    assert int(second["sequenceNumber"]) - int(first["sequenceNumber"]) >= 5
    numbers = [int(message["sequenceNumber"]) for message in socket.messages[1:]]
    assert numbers == list(range(1, len(numbers) + 1))


def test_a_mark_behind_nothing_comes_back_at_once(call: PhoneCall, socket: Connection) -> None:
    socket.mark("now")

    assert [mark["mark"]["name"] for mark in socket.wait_for("mark")] == ["now"]
    assert Playback().mark("now") == ["now"]


def test_clear_ends_what_is_played_and_brings_all_marks_back(call: PhoneCall, socket: Connection) -> None:
    for name in ("one", "two", "three"):
        socket.play(TONE * 500)
        socket.mark(name)
    call.wait_for_audio(0.1)
    hearing = [call.is_hearing]
    socket.clear()
    socket.wait_for("mark", 3)
    hearing.append(call.is_hearing)

    assert call.marks == ["one", "two", "three"]
    assert hearing == [True, False]
    assert 5 <= count(call.heard_audio(), TONE) < 500
    assert "were not played" in call.transcript
    cleared, echoed = call.stream.first("clear"), call.stream.first("mark", way="sent")
    assert cleared is not None
    assert echoed is not None
    assert echoed.at >= cleared.at
    socket.play(OTHER_TONE)
    call.wait_until_quiet(100)
    assert count(call.heard_audio(), OTHER_TONE) == 1


SHAPES: list[tuple[str, Callable[[str], Any]]] = [
    ("not JSON", lambda _: "hello"),
    ("not an object", lambda _: "[]"),
    ("the event 'stop'", lambda sid: {"event": "stop", "streamSid": sid}),
    ("the event None", lambda sid: {"streamSid": sid}),
    ("media lacks streamSid", lambda _: {"event": "media", "media": {"payload": "AAAA"}}),
    ("the streamSid of clear", lambda _: {"event": "clear", "streamSid": "MZ0"}),
    ("media lacks media", lambda sid: {"event": "media", "streamSid": sid}),
    ("media is not an object", lambda sid: {"event": "media", "streamSid": sid, "media": "AAAA"}),
    ("has no field track", lambda sid: {"event": "media", "streamSid": sid, "media": {"payload": "AAAA", "track": "x"}}),
    ("has no field mark", lambda sid: {"event": "clear", "streamSid": sid, "mark": {"name": "x"}}),
    ("has no field sequenceNumber", lambda sid: {"event": "clear", "streamSid": sid, "sequenceNumber": "1"}),
    ("not base64", lambda sid: {"event": "media", "streamSid": sid, "media": {"payload": "A"}}),
    ("not base64", lambda sid: {"event": "media", "streamSid": sid, "media": {"payload": "AA AA==*"}}),
    ("mark.mark lacks name", lambda sid: {"event": "mark", "streamSid": sid, "mark": {}}),
    ("mark.name is not a text", lambda sid: {"event": "mark", "streamSid": sid, "mark": {"name": 1}}),
]


@pytest.mark.parametrize(("problem", "shape"), SHAPES)
def test_what_twilio_does_not_know_is_a_warning_and_ignored(
    streams: TwilioStandIn, call: PhoneCall, socket: Connection, problem: str, shape: Callable[[str], Any]
) -> None:
    socket.send(shape(socket.sid))
    socket.mark("still there")
    socket.wait_for("mark")

    assert problem in call.stream.invalid[0]
    assert [(alert.code, alert.text) for alert in streams.alerts] == [(31951, "Stream - Protocol - Invalid Message")]
    assert problem in streams.alerts[0].detail
    assert call.heard_audio().strip(b"\xff") == b""


def test_warnings_are_counted_but_told_once_a_stream(streams: TwilioStandIn, call: PhoneCall, socket: Connection) -> None:
    socket.send(b"binary")
    socket.send("hello")
    socket.mark("still there")
    socket.wait_for("mark")

    assert codes(streams) == [31950]
    assert len(call.stream.invalid) == 2


def test_the_document_goes_on_when_our_side_closes(
    streams: TwilioStandIn, webhook: Receiver, call: PhoneCall, socket: Connection
) -> None:
    socket.close()

    assert call.hears() == "After."
    call.wait_until_ended()
    streams.settle()
    assert call.wait_until_stream_ended() == "closed"
    assert socket.of("stop") == []
    assert events(webhook) == ["stream-started", "stream-stopped"]
    assert codes(streams) == []
    assert "stream " in call.transcript


def test_connect_asks_its_action_after_the_stream(streams: TwilioStandIn, webhook: Receiver, ours: SocketServer) -> None:
    webhook.pages["/done"] = twiml("<Say>Done.</Say>")
    call = call_to(streams, webhook, connect(ours).replace("<Connect>", '<Connect action="/done">'))
    ours.connection().close()

    assert call.hears() == "Done."
    assert webhook.at("/done")[0].fields["CallStatus"] == "in-progress"


def test_stop_is_sent_when_the_person_hangs_up(
    streams: TwilioStandIn, webhook: Receiver, call: PhoneCall, socket: Connection
) -> None:
    socket.wait_for("media")
    call.hang_up()
    [stop] = socket.wait_for("stop")

    assert socket.wait_until_closed() == 1000
    assert stop == {
        "event": "stop",
        "sequenceNumber": stop["sequenceNumber"],
        "streamSid": socket.sid,
        "stop": {"accountSid": ACCOUNT, "callSid": call.sid},
    }
    assert socket.messages[-1] == stop
    assert stop["sequenceNumber"] == str(len(socket.messages) - 1)
    call.wait_until_ended()
    streams.settle()
    assert events(webhook) == ["stream-started", "stream-stopped"]


def test_a_redirect_ends_the_stream_and_goes_on_elsewhere(streams: TwilioStandIn, call: PhoneCall, socket: Connection) -> None:
    client = Client(ACCOUNT, TOKEN)
    client.api.base_url = streams.url
    client.calls(call.sid).update(twiml=f"<Response><Say>Elsewhere.</Say>{WAIT}</Response>")
    client.http_client.session.close()

    assert call.hears() == "Elsewhere."
    socket.wait_for("stop")
    assert socket.wait_until_closed() == 1000
    assert call.wait_until_stream_ended() == "stopped"
    assert call.status == "in-progress"


def test_a_stream_can_be_reopened_by_the_document(streams: TwilioStandIn, webhook: Receiver, ours: SocketServer) -> None:
    call = call_to(streams, webhook, connect(ours).replace(AFTER, "<Redirect>/voice</Redirect>"))
    first = ours.connection()
    first.wait_for("start")
    first.close()
    call.wait_for_stream(after=1)
    second = ours.connection(1)
    second.play(TONE)
    call.wait_for_audio(0.02)

    assert first.sid != second.sid
    assert [record.ended for record in call.streams] == ["closed", None]
    assert second.wait_for("media")[0]["media"]["chunk"] == "1"


def test_status_callbacks_are_signed_and_say_which_stream(
    streams: TwilioStandIn, webhook: Receiver, call: PhoneCall, socket: Connection
) -> None:
    socket.close()
    call.wait_until_ended()
    streams.settle()
    started, stopped = webhook.at("/stream")

    assert is_signed(started, webhook.url)
    assert started.fields.pop("Timestamp").endswith("Z")
    assert started.fields | {"Timestamp": ""} == {
        "AccountSid": ACCOUNT,
        "CallSid": call.sid,
        "StreamSid": socket.sid,
        "StreamName": socket.sid,
        "StreamEvent": "stream-started",
        "Timestamp": "",
    }
    assert "StreamError" not in stopped.fields


@pytest.mark.parametrize("status", [401, 403, 500])
def test_a_refused_handshake_is_an_error_and_the_next_verb_follows(
    streams: TwilioStandIn, webhook: Receiver, ours: SocketServer, status: int
) -> None:
    ours.refuses_with = status
    call = call_to(streams, webhook, connect(ours, 'statusCallback="/stream"'))

    assert call.hears() == "After."
    call.wait_until_ended()
    streams.settle()
    [alert] = streams.alerts
    assert (alert.code, alert.call_sid, alert.detail) == (31920, call.sid, f"answered {status}")
    assert events(webhook) == ["stream-error"]
    assert "31920" in webhook.at("/stream")[0].fields["StreamError"]
    assert call.streams == []


def test_nobody_at_the_other_end_is_an_error(streams: TwilioStandIn, webhook: Receiver) -> None:
    document = '<Connect><Stream url="ws://127.0.0.1:1/live"/></Connect><Say>After.</Say>'

    assert call_to(streams, webhook, document).hears() == "After."
    assert codes(streams) == [31902]


@pytest.mark.parametrize("how", ["an error code", "no close frame"])
def test_a_socket_that_breaks_is_an_error_and_the_next_verb_follows(
    streams: TwilioStandIn, webhook: Receiver, call: PhoneCall, socket: Connection, how: str
) -> None:
    socket.cut() if how == "no close frame" else socket.close(1011)

    assert call.hears() == "After."
    call.wait_until_ended()
    streams.settle()
    assert codes(streams) == [31921]
    assert events(webhook) == ["stream-started", "stream-error", "stream-stopped"]
    assert call.wait_until_stream_ended() == "31921"


@pytest.mark.parametrize(
    ("url", "attributes", "code"),
    [
        ("wss://example.com/live?token=1", "", 31920),
        ("ws://127.0.0.1:1/live?token=1", "", 31920),
        ("ws://example.com/live", "", 11100),
        ("ws://10.0.0.1/live", "", 11100),
        ("https://example.com/live", "", 11100),
        ("wss:///live", "", 11100),
        ("", "", 11100),
        ("wss://example.com/live", 'track="both_tracks"', 31941),
        ("wss://example.com/live", 'track="sideways"', 31941),
    ],
)
def test_what_cannot_be_a_stream_is_an_error_before_the_handshake(
    streams: TwilioStandIn, webhook: Receiver, url: str, attributes: str, code: int
) -> None:
    document = f'<Connect><Stream url="{url}" statusCallback="/stream" {attributes}/></Connect>{AFTER}'
    call = call_to(streams, webhook, document)

    assert call.hears() == "After."
    call.wait_until_ended()
    streams.settle()
    assert codes(streams) == [code]
    assert events(webhook) == ["stream-error"]


def test_a_relative_url_is_a_socket_of_the_document_s_host(streams: TwilioStandIn, webhook: Receiver) -> None:
    call = call_to(streams, webhook, f'<Connect><Stream url="/live"/></Connect>{AFTER}')

    assert call.hears() == "After."
    assert [alert.url for alert in streams.alerts] == [f"ws{webhook.url.removeprefix('http')}/live"]


def test_parameters_have_a_most_and_a_name(streams: TwilioStandIn, webhook: Receiver, ours: SocketServer) -> None:
    long = f'<Parameter name="abcd" value="{"x" * 496}"/><Parameter name="abc" value="{"x" * 496}"/><Parameter value="x"/>'
    call_to(streams, webhook, connect(ours, "", long))
    [start] = ours.connection().wait_for("start")

    assert list(start["start"]["customParameters"]) == ["abc"]
    assert codes(streams) == [12200, 12200]


def test_the_schema_of_streams_is_strict(streams: TwilioStandIn, webhook: Receiver, ours: SocketServer) -> None:
    inner = '<Parameter name="a" value="b" kind="c"/><Say>No.</Say>'
    call = call_to(streams, webhook, connect(ours, 'volume="11"', inner).replace(AFTER, "<Connect/><Stream/>"))
    ours.connection().close()
    call.wait_until_ended()

    assert [alert.detail for alert in streams.alerts] == [
        "<Stream> has no attribute volume",
        "<Parameter> has no attribute kind",
        "<Say> is not allowed within <Stream>",
        "<Stream> is not a verb of voice",
        "<Connect> without <Stream>",
    ]


def test_documents_that_only_fail_to_connect_end_at_last(streams: TwilioStandIn, webhook: Receiver, ours: SocketServer) -> None:
    ours.refuses_with = 403
    call = call_to(streams, webhook, connect(ours).replace(AFTER, "<Redirect/>"))

    assert call.wait_until_ended(20) == "completed"
    assert "ended by the stand-in" in streams.alerts[-1].detail


def test_the_time_limit_of_a_call_ends_its_stream(streams: TwilioStandIn, ours: SocketServer) -> None:
    client = Client(ACCOUNT, TOKEN)
    client.api.base_url = streams.url
    document = f"<Response>{connect(ours)}</Response>"
    client.calls.create(to=PERSON, from_="+14155550100", twiml=document, time_limit=40)
    client.http_client.session.close()
    call = streams.wait_for_call(PERSON)
    ours.connection().wait_for("stop")

    assert call.wait_until_ended() == "completed"


def test_stopping_cuts_off_streams_without_a_trace(webhook: Receiver, ours: SocketServer) -> None:
    with TwilioStandIn(ACCOUNT, TOKEN, ["+14155550100"], voice_url=f"{webhook.url}/voice") as twilio:
        call_to(twilio, webhook, connect(ours, 'statusCallback="/stream"'))
        connection = ours.connection()
        connection.wait_for("media")

    assert connection.wait_until_closed() is not None


def fork(ours: SocketServer, attributes: str = "", name: str = "fork") -> str:
    return f'<Start><Stream url="{ours.url}/{name}" name="{name}" {attributes}/></Start>'


def test_a_fork_listens_while_the_document_goes_on(streams: TwilioStandIn, webhook: Receiver, ours: SocketServer) -> None:
    call = call_to(streams, webhook, f"{fork(ours)}<Say>Meanwhile.</Say>{WAIT}")

    assert call.hears() == "Meanwhile."
    connection = ours.connection()
    connection.wait_for("media", 2)
    call.say("Hi")
    while TONE not in [base64.b64decode(frame["media"]["payload"]) for frame in connection.of("media")]:
        connection.wait_for("media", len(connection.of("media")) + 1)
    call.hang_up()
    connection.wait_for("stop")
    assert call.streams == []
    assert call.forks[0].ended == "stopped"


def test_a_fork_takes_no_messages_and_tells_no_keys(streams: TwilioStandIn, webhook: Receiver, ours: SocketServer) -> None:
    call = call_to(streams, webhook, f"{fork(ours)}{WAIT}")
    connection = ours.connection()
    connection.mark("back")
    call.press("1")
    frames = len(connection.wait_for("media"))
    connection.wait_for("media", frames + 5)

    assert (connection.of("mark"), connection.of("dtmf")) == ([], [])
    assert codes(streams) == [31951]


def test_a_fork_hears_both_tracks_of_a_conversation(streams: TwilioStandIn, webhook: Receiver, ours: SocketServer) -> None:
    call = call_to(streams, webhook, fork(ours, 'track="both_tracks"') + connect(ours))
    call.wait_for_stream()
    sockets = {connection.path: connection for connection in (ours.connection(0), ours.connection(1))}
    sockets["/live"].play(TONE * 3)
    call.wait_for_audio(0.06)
    call.press("1")
    sockets["/live"].wait_for("dtmf")
    frames = sockets["/fork"].wait_for("media", 20)
    outbound = [frame["media"] for frame in sockets["/fork"].of("media") if frame["media"]["track"] == "outbound"]

    assert sockets["/fork"].of("dtmf") == []
    assert sockets["/fork"].of("start")[0]["start"]["tracks"] == ["inbound", "outbound"]
    assert [frame["media"]["track"] for frame in frames[:4]] == ["inbound", "outbound", "inbound", "outbound"]
    assert [frame["media"]["chunk"] for frame in frames[:4]] == ["1", "1", "2", "2"]
    assert [base64.b64decode(frame["payload"]) for frame in outbound].count(TONE) == 3


def test_a_fork_is_stopped_by_its_name(streams: TwilioStandIn, webhook: Receiver, ours: SocketServer) -> None:
    call = call_to(
        streams,
        webhook,
        f'{fork(ours)}<Pause length="60"/><Stop><Stream name="fork"/><Stream name="other"/></Stop><Say>Stopped.</Say>{WAIT}',
    )
    ours.connection().wait_for("stop")

    assert call.hears() == "Stopped."
    assert call.status == "in-progress"
    assert [alert.detail for alert in streams.alerts] == ["<Stop> of a stream 'other' that does not run"]


def test_there_are_four_forks_at_most_each_with_a_name_of_its_own(
    streams: TwilioStandIn, webhook: Receiver, ours: SocketServer
) -> None:
    document = "".join(fork(ours, name=name) for name in ("a", "b", "b", "c", "d", "e"))
    call_to(streams, webhook, document + WAIT)
    paths = {ours.connection(index).path for index in range(4)}

    assert paths == {"/a", "/b", "/c", "/d"}
    assert codes(streams) == [12200, 12200]
