"""Media Streams messages, as Twilio documents them, and as it refuses them."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twilio_plugin.domain.media_stream import (
    END_OF_STREAM,
    Frame,
    Key,
    Mark,
    StreamStart,
    StreamStop,
    clear,
    mark,
    media,
    read_message,
)
from twilio_plugin.errors import UnreadableMessage

STREAM = "MZ" + "0" * 32
START = {
    "event": "start",
    "sequenceNumber": "1",
    "start": {
        "accountSid": "AC1",
        "streamSid": STREAM,
        "callSid": "CA1",
        "tracks": ["inbound"],
        "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
        "customParameters": {"token": "0.1.x"},
    },
    "streamSid": STREAM,
}
MEDIA = {
    "event": "media",
    "sequenceNumber": "3",
    "media": {"track": "inbound", "chunk": "1", "timestamp": "5", "payload": base64.b64encode(b"\xff\x7f").decode()},
    "streamSid": STREAM,
}


def test_connected_says_nothing() -> None:
    assert read_message('{"event":"connected","protocol":"Call","version":"1.0.0"}') is None


def test_start() -> None:
    assert read_message(json.dumps(START)) == StreamStart(STREAM, "CA1", "AC1", "audio/x-mulaw", 8000, {"token": "0.1.x"})


def test_a_start_without_parameters() -> None:
    start: Any = json.loads(json.dumps(START))
    del start["start"]["customParameters"]

    read = read_message(json.dumps(start))

    assert isinstance(read, StreamStart)
    assert read.parameters == {}


def test_media() -> None:
    assert read_message(json.dumps(MEDIA)) == Frame(
        sequence_number=3, chunk=1, timestamp=5, track="inbound", payload=b"\xff\x7f"
    )


def test_mark_key_and_stop() -> None:
    assert read_message(json.dumps({"event": "mark", "streamSid": STREAM, "mark": {"name": "u:1"}})) == Mark(STREAM, "u:1")
    key = {"event": "dtmf", "streamSid": STREAM, "sequenceNumber": "5", "dtmf": {"track": "inbound_track", "digit": "#"}}
    assert read_message(json.dumps(key)) == Key(STREAM, 5, "#")
    stop = {"event": "stop", "sequenceNumber": "9", "stop": {"accountSid": "AC1", "callSid": "CA1"}, "streamSid": STREAM}
    assert read_message(json.dumps(stop)) == StreamStop(STREAM, 9)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[]", "'None'"),
        ('"media"', "'None'"),
        ('{"event":"dance"}', "'dance'"),
        ('{"event":"start"}', "'start'"),
        ('{"event":"mark","streamSid":"MZ1"}', "'mark'"),
        ('{"event":"mark","streamSid":"MZ1","mark":{"name":7}}', "'mark'"),
        ('{"event":"stop","streamSid":"MZ1","sequenceNumber":"x"}', "'stop'"),
        ('{"event":"stop","streamSid":"MZ1","sequenceNumber":"-1"}', "'stop'"),
        (f'{{"event":"stop","streamSid":"MZ1","sequenceNumber":"{END_OF_STREAM}"}}', "'stop'"),
    ],
)
def test_what_is_none_of_them(text: str, says: str) -> None:
    with pytest.raises(UnreadableMessage, match=says):
        read_message(text)


@pytest.mark.parametrize("payload", ["%%%", "YQ", 7, None, "ä"])
def test_a_payload_that_is_not_base64(payload: object) -> None:
    broken: Any = json.loads(json.dumps(MEDIA))
    broken["media"]["payload"] = payload

    with pytest.raises(UnreadableMessage, match="'media'"):
        read_message(json.dumps(broken))


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_whatever_comes_is_read_or_refused(value: object) -> None:
    for message in (value, {"event": "media", "media": value}, {"event": "start", "start": value}):
        try:
            read_message(json.dumps(message))
        except UnreadableMessage:
            continue


def test_what_we_send_has_exactly_the_fields_twilio_knows() -> None:
    assert json.loads(media(STREAM, b"\xff\x00")) == {"event": "media", "streamSid": STREAM, "media": {"payload": "/wA="}}
    assert json.loads(mark(STREAM, "u:1")) == {"event": "mark", "streamSid": STREAM, "mark": {"name": "u:1"}}
    assert json.loads(clear(STREAM)) == {"event": "clear", "streamSid": STREAM}
