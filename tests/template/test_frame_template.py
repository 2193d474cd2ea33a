"""API Gateway's own way into MediaFrames and `frame_ingest` write the identical item, and refuse the same messages.

The mapping template is the one in `template.yaml`, run by a Velocity engine; see `local.mapping`.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.mapping import render
from tools import samples
from twilio_plugin.adapters.media_frames import row
from twilio_plugin.domain.media_stream import Frame
from twilio_plugin.runtime.websocket import frames

TABLE, CONNECTION, EXPIRES_AT = "phone-frames", "L0SM9cOFvHcCIhw=", 1795346021
Item = dict[str, dict[str, str]]
MEDIA = {"track": "inbound", "chunk": "2", "timestamp": "21", "payload": base64.b64encode(bytes(range(160))).decode()}
MESSAGE = {"event": "media", "sequenceNumber": "4", "media": MEDIA, "streamSid": "MZ" + "0" * 32}


def put_item(request: str) -> Item | None:
    """What DynamoDB stores for a request in its own JSON; None where it refuses."""
    try:
        item = json.loads(request)["Item"]
        assert json.loads(request)["TableName"] == TABLE
    except (ValueError, KeyError):
        return None
    stored = {}
    for name, typed in item.items():
        ((kind, value),) = typed.items()
        if not isinstance(value, str) or (kind == "N" and not re.fullmatch(r"-?\d{1,38}", value, re.ASCII)):
            return None
        try:
            stored[name] = {kind: base64.b64encode(base64.b64decode(value, validate=True)).decode() if kind == "B" else value}
        except ValueError:
            return None
        if kind == "N":
            stored[name] = {kind: str(int(value))}
    return stored


@pytest.fixture(scope="module", params=["", '""'], ids=["nothing", "an empty string"])
def direct(request: pytest.FixtureRequest, source: dict[str, Any]) -> Callable[[str], Item | None]:
    """A message → the item that API Gateway stores, whatever `$input.json` renders for a path that leads nowhere."""
    written = source["Resources"]["FrameTableIntegration"]["Properties"]["RequestTemplates"]["$default"]["Fn::Sub"]
    template = written.replace("${MediaFramesTable}", TABLE)

    def store(body: str) -> Item | None:
        context = {"connectionId": CONNECTION, "authorizer": {"expires_at": str(EXPIRES_AT)}}
        return put_item(render(template, body, context, missing=request.param))

    return store


def by_lambda(body: str) -> Item | None:
    """A message → the item that `frame_ingest` stores."""
    stored: list[Item] = []

    def put(connection_id: str, frame: Frame, *, stream_sid: str, expires_at: int) -> None:
        item = row(connection_id, frame, stream_sid, expires_at)
        item["payload"]["B"] = base64.b64encode(item["payload"]["B"]).decode()  # as botocore sends it
        stored.append(item)

    authorizer = {"expires_at": str(EXPIRES_AT), "principalId": "twilio"}
    context = {"connectionId": CONNECTION, "routeKey": "media", "eventType": "MESSAGE", "authorizer": authorizer}
    lambda_context: Any = SimpleNamespace(
        function_name="x", memory_limit_in_mb=512, invoked_function_arn="x", aws_request_id="x"
    )
    assert frames(put)({"requestContext": context, "body": body}, lambda_context) == {"statusCode": 200}
    return stored[0] if stored else None


def message(*, sequence_number: Any = "4", **media: Any) -> str:
    return json.dumps(MESSAGE | {"sequenceNumber": sequence_number, "media": MEDIA | media})


@pytest.mark.parametrize(
    "body",
    [
        message(),
        samples.invocations()["frame_ingest/frame"]["body"],
        message(sequence_number="999999999999999", chunk="1", timestamp="0"),
        message(sequence_number="007"),
        message(track="outbound"),
        message(payload="/w=="),
        message(payload="////"),
        json.dumps(MESSAGE | {"later": {"added": 'by "Twilio" $context #end'}}),
    ],
)
def test_both_ways_store_the_identical_item(direct: Callable[[str], Item | None], body: str) -> None:
    stored = direct(body)

    assert stored is not None
    assert stored == by_lambda(body)


@given(
    sequence_number=st.integers(0, 10**15 - 1),
    chunk=st.integers(0, 10**15 - 1),
    timestamp=st.integers(0, 10**15 - 1),
    payload=st.binary(min_size=1, max_size=400),
)
def test_any_frame_is_stored_alike(
    direct: Callable[[str], Item | None], sequence_number: int, chunk: int, timestamp: int, payload: bytes
) -> None:
    body = message(
        sequence_number=str(sequence_number),
        chunk=str(chunk),
        timestamp=str(timestamp),
        payload=base64.b64encode(payload).decode(),
    )
    stored = direct(body)

    assert stored is not None
    assert stored == by_lambda(body)
    assert base64.b64decode(stored["payload"]["B"]) == payload


NO_NUMBERS: list[Any] = [4, 4.5, None, True, {}, [], "", " 4", "4 ", "+4", "-4", "4.5", "1e3", "0x4", "four", "٤", "1_0"]
# At END_OF_STREAM stands the mark that ends a stream, and nothing may sort behind it.
HUGE = ["1" + "0" * 15, "9" * 60]
NO_SIDS: list[Any] = [1, None, "", {}, "MZ 1", 'MZ", "N": "1']
NO_TRACKS: list[Any] = [1, None, "", "Inbound", 'x", "y": "z', "in bound"]
NO_AUDIO: list[Any] = [1, None, "", "not base64", "%%%%", "QQ", "=", "QQ==\n", "QQ=Q", "é", '"}']


def without(name: str) -> str:
    return json.dumps(MESSAGE | {"media": {key: value for key, value in MEDIA.items() if key != name}})


@pytest.mark.parametrize(
    "body",
    [
        *(pytest.param(without(name), id=f"without {name}") for name in MEDIA),
        json.dumps({name: value for name, value in MESSAGE.items() if name != "sequenceNumber"}),
        json.dumps({name: value for name, value in MESSAGE.items() if name != "media"}),
        json.dumps({name: value for name, value in MESSAGE.items() if name != "streamSid"}),
        *(json.dumps(MESSAGE | {"streamSid": wrong}) for wrong in NO_SIDS),
        json.dumps(MESSAGE | {"media": None}),
        json.dumps(MESSAGE | {"media": "x"}),
        json.dumps(MESSAGE | {"media": [MEDIA]}),
        *(message(**{name: wrong}) for name in ("sequence_number", "chunk", "timestamp") for wrong in [*NO_NUMBERS, *HUGE]),
        *(message(track=wrong) for wrong in NO_TRACKS),
        *(message(payload=wrong) for wrong in NO_AUDIO),
    ],
)
def test_both_ways_refuse_what_is_not_a_frame(direct: Callable[[str], Item | None], body: str) -> None:
    assert direct(body) is None
    assert by_lambda(body) is None


def test_nobody_writes_into_another_connection_or_keeps_audio_longer(direct: Callable[[str], Item | None]) -> None:
    body = json.dumps(MESSAGE | {"connectionId": "another", "connection_id": {"S": "another"}, "ttl": {"N": "9"}})
    stored = direct(body)

    assert stored is not None
    assert (stored["connection_id"], stored["ttl"]) == ({"S": CONNECTION}, {"N": str(EXPIRES_AT)})
