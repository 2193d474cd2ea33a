"""What passes the front is written down, masked: no number, SID, word, sound or signature of anybody is left."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import requests
from twilio.request_validator import RequestValidator

from local.front import Front
from local.masking import Mask
from local.recorder import Recorder
from local.twilio.receiver import Answer, Receiver

from .account import NUMBER, PERSON, TOKEN
from .sockets import SocketServer

CALL, STREAM, ACCOUNT = "CA" + "1" * 32, "MZ" + "2" * 32, "AC" + "3" * 32
PUBLIC = "https://tunnel.example.org"
START = {
    "event": "start",
    "sequenceNumber": "1",
    "streamSid": STREAM,
    "start": {
        "accountSid": ACCOUNT,
        "callSid": CALL,
        "tracks": ["inbound"],
        "customParameters": {"token": "0.17.secret", "event": "e"},
    },
}
MEDIA = {"event": "media", "media": {"chunk": "1", "payload": base64.b64encode(b"a voice").decode()}, "streamSid": STREAM}


@pytest.fixture
def recorder(tmp_path: Path) -> Recorder:
    return Recorder(tmp_path / "recording", TOKEN)


@pytest.fixture
def webhooks(webhook: Receiver, recorder: Recorder) -> Iterator[Front]:
    with Front(0, webhook.url, recorder, PUBLIC) as front:
        front.pass_to("abc123")
        yield front


def read(recorder: Recorder) -> dict[str, Any]:
    (file,) = recorder.folder.iterdir()
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def posted(front: Front, path: str, form: dict[str, str], signed_as: str) -> None:
    signature = RequestValidator(TOKEN).compute_signature(signed_as, form)
    requests.post(front.url + path, data=form, headers={"x-TWILIO-signature": signature}, timeout=10)


def test_a_webhook_is_a_file_with_its_fields_masked_and_the_url_that_was_signed(
    webhook: Receiver, webhooks: Front, recorder: Recorder
) -> None:
    webhook.default = Answer(
        200, "text/xml", f"<Response><Say>Hello, Ada</Say><Redirect>{PUBLIC}/voice?leg=1</Redirect></Response>"
    )
    form = {
        "CallSid": CALL,
        "From": PERSON,
        "To": f"whatsapp:{NUMBER}",
        "CallStatus": "ringing",
        "Body": "My secret",
        "CallerName": "Ada",
    }

    posted(webhooks, f"/webhooks/twilio/voice?leg=1&to={PERSON.replace('+', '%2B')}", form | {"FromCity": ""}, "nonsense")
    recorded, text = read(recorder), next(recorder.folder.iterdir()).read_text()

    assert recorded["method"] == "POST"
    assert recorded["path"] == "/webhooks/twilio/voice?leg=1&to=%2B12015550100"
    assert recorded["signed"] is None
    fields = recorded["fields"]
    assert (fields["CallStatus"], fields["Body"], fields["CallerName"], fields["FromCity"]) == ("ringing", "x" * 9, "xxx", "")
    assert fields["From"] == "+12015550100", "the same number is the same everywhere"
    assert fields["To"] == "whatsapp:+12015550101"
    assert fields["CallSid"] != CALL
    assert fields["CallSid"].startswith("CA")
    assert len(fields["CallSid"]) == 34
    assert recorded["answer"]["status"] == 200
    assert "<Say>xxxxxxxxxx</Say>" in recorded["answer"]["body"]
    assert recorded["headers"]["x-TWILIO-signature"] == "28 characters", "spelt as it came, without its value"
    for private in (PERSON, PERSON[1:], NUMBER[1:], CALL, "secret", "Ada", "tunnel"):
        assert private not in text


@pytest.mark.parametrize("form", ["https://tunnel.example.org", "https://tunnel.example.org:443"])
def test_it_says_over_which_form_of_the_url_twilio_signed(webhooks: Front, recorder: Recorder, form: str) -> None:
    fields = {"MessageSid": "SM" + "4" * 32, "Body": ""}

    posted(webhooks, "/webhooks/twilio/sms", fields, f"{form}/webhooks/twilio/sms")

    assert read(recorder)["signed"] == f"{form.replace('tunnel.example.org', 'example.com')}/webhooks/twilio/sms"


def test_words_stay_where_they_are_asked_for_and_nothing_else_does() -> None:
    mask = Mask(words=True)

    assert mask.fields({"Body": f"Call {PERSON}", "CallerName": "Ada"}) == {"Body": "Call +12015550100", "CallerName": "xxx"}
    assert mask.message(MEDIA)["media"] == MEDIA["media"]
    assert mask.message(START)["start"]["customParameters"] == {"token": "x" * 11, "event": "x"}


def test_a_socket_is_a_file_of_what_both_sides_said_without_sound_and_tokens(ours: SocketServer, tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, TOKEN)
    signature = RequestValidator(TOKEN).compute_signature("wss://tunnel.example.org:443/live/", {})

    async def talk(front: Front) -> None:
        headers = {"X-Twilio-Signature": signature}
        async with (
            aiohttp.ClientSession() as client,
            client.ws_connect(f"{front.websocket_url}/live", headers=headers) as socket,
        ):
            await socket.send_str(json.dumps(START))
            await socket.send_str(json.dumps(MEDIA))
            await asyncio.to_thread(ours.connection().wait_for, "media", 1)
            await asyncio.to_thread(ours.connection().send, json.dumps({"event": "clear", "streamSid": STREAM}))
            await socket.receive_str()

    with Front(0, f"http://127.0.0.1:{ours.server.port}", recorder, PUBLIC) as front:
        front.pass_sockets_to("abc123")
        asyncio.run(talk(front))
        ours.connection().wait_until_closed()
    (file,) = tmp_path.iterdir()
    first, *messages, last = map(json.loads, file.read_text().splitlines())

    assert (first["path"], first["status"], first["signed"]) == ("/live", 101, "wss://example.com:443/live/")
    assert [(one["from"], one["message"]["event"]) for one in messages] == [
        ("twilio", "start"),
        ("twilio", "media"),
        ("us", "clear"),
    ]
    assert messages[0]["message"]["start"]["customParameters"] == {"token": "x" * 11, "event": "x"}
    assert base64.b64decode(messages[1]["message"]["media"]["payload"]) == b"\xff" * 7
    assert messages[0]["message"]["streamSid"] == messages[2]["message"]["streamSid"] != STREAM
    assert last["closed"] == 1000
    assert [one["at"] for one in messages] == sorted(one["at"] for one in messages)


def test_a_refused_handshake_is_written_down_too(ours: SocketServer, tmp_path: Path) -> None:
    recorder, ours.refuses_with = Recorder(tmp_path, TOKEN), 403

    async def talk(front: Front) -> None:
        async with aiohttp.ClientSession() as client:
            with pytest.raises(aiohttp.WSServerHandshakeError):
                await client.ws_connect(f"{front.websocket_url}/live")

    with Front(0, f"http://127.0.0.1:{ours.server.port}", recorder, PUBLIC) as front:
        front.pass_sockets_to("abc123")
        asyncio.run(talk(front))

    assert (read(recorder)["status"], read(recorder)["signed"]) == (403, None)


def test_a_recording_goes_on_behind_the_files_that_are_there(recorder: Recorder) -> None:
    answer = (204, "", b"")
    recorder.webhook("POST", f"{PUBLIC}/webhooks/twilio/status", [], b"", answer)
    Recorder(recorder.folder, TOKEN).webhook("POST", f"{PUBLIC}/webhooks/twilio/sms", [], b"", answer)

    assert sorted(file.name for file in recorder.folder.iterdir()) == ["0001-status.json", "0002-sms.json"]
