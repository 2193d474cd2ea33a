"""Media and templates at the stand-in: what it fetches before it sends, and what goes wrong with what people sent."""

from __future__ import annotations

import base64
import http.client
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import urlsplit

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

from local.twilio.fetching import LARGEST_MMS
from local.twilio.standin import TwilioStandIn

from .account import ACCOUNT, NUMBER, TOKEN

PERSON = "+14155550199"
PNG = b"\x89PNG\r\n\x1a\npixels"
TEMPLATE = "HX" + "1" * 32


@dataclass
class Files:
    """A web server with files: their types for HEAD and GET, and their bytes."""

    held: dict[str, tuple[str, str, bytes]] = field(default_factory=dict)
    url: str = ""


class _Handler(BaseHTTPRequestHandler):
    files: ClassVar[Files]

    def do_HEAD(self) -> None:
        self._answer(0)

    def do_GET(self) -> None:
        self._answer(1)

    def _answer(self, which: int) -> None:
        held = self.files.held.get(self.path)
        self.send_response(200 if held else 404)
        body = held[2] if held else b""
        self.send_header("Content-Type", str(held[which]) if held else "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if which:
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base class's name
        return


@pytest.fixture
def files() -> Iterator[Files]:
    files = Files()
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"files": files})) as server:
        files.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield files
        server.shutdown()
        thread.join()


@pytest.fixture
def standin() -> Iterator[TwilioStandIn]:
    with TwilioStandIn(ACCOUNT, TOKEN, [NUMBER], delivery_seconds=0.01) as standin:
        standin.templates[TEMPLATE] = "Hello {{1}}, {{2}} o'clock?"
        yield standin


@pytest.fixture
def client(standin: TwilioStandIn) -> Iterator[Client]:
    client = Client(ACCOUNT, TOKEN)
    client.api.base_url = standin.url
    yield client
    client.http_client.session.close()


def send(client: Client, standin: TwilioStandIn, **asked: Any) -> Any:
    """A message after its delivery."""
    sid = client.messages.create(**({"to": PERSON, "from_": NUMBER} | asked)).sid
    standin.settle()
    return client.messages(sid).fetch()


def test_media_are_looked_at_and_fetched_before_they_are_sent_and_kept(
    client: Client, standin: TwilioStandIn, files: Files
) -> None:
    files.held["/a.png"] = ("image/png", "image/png", PNG)
    url = f"{files.url}/a.png"

    message = send(client, standin, media_url=[url, "https://example.com/b.png"])

    assert message.status == "delivered"
    assert standin.fetched == [f"HEAD {url}", f"GET {url}"]
    (medium,) = message.media.list()
    assert medium.content_type == "image/png"
    assert medium.delete()
    assert message.media.list() == []


@pytest.mark.parametrize(
    ("held", "channel", "code"),
    [
        (None, "", 11200),
        (None, "whatsapp:", 63019),
        (("text/html", "image/png", PNG), "", 12300),
        (("image/png", "image/png", b"GIF89a"), "", 12300),
        (("image/png", "image/png", b""), "", 12300),
        (("video/mp4", "video/mp4", b"x" * (LARGEST_MMS + 1)), "", 11751),
        (("video/mp4", "video/mp4", b"x" * (LARGEST_MMS + 1)), "whatsapp:", None),
    ],
)
def test_what_is_not_there_or_not_what_it_says_fails(
    client: Client, standin: TwilioStandIn, files: Files, held: Any, channel: str, code: int | None
) -> None:
    if held:
        files.held["/a"] = held
    standin.sms_url = f"{files.url}/sms"  # a webhook that answers nothing of use
    if channel:
        standin.receive_text(channel + PERSON, "Hi", to=channel + NUMBER)

    message = send(client, standin, to=channel + PERSON, from_=channel + NUMBER, media_url=[f"{files.url}/a"])

    assert (message.status, message.error_code) == (("failed", code) if code else ("delivered", None))
    assert [alert.code for alert in standin.alerts if alert.message_sid == message.sid] == ([code] if code else [])


def test_a_free_text_on_whatsapp_needs_a_text_of_the_persons_within_a_day(client: Client, standin: TwilioStandIn) -> None:
    to, from_ = f"whatsapp:{PERSON}", f"whatsapp:{NUMBER}"

    assert send(client, standin, to=to, from_=from_, body="Hello").error_code == 63016
    assert send(client, standin, body="Hello").status == "delivered"

    standin.sms_url = "http://127.0.0.1:9/sms"
    standin.receive_text(f"whatsapp:{PERSON}", "Hi", to=from_)
    assert send(client, standin, to=to, from_=from_, body="Hello").status == "delivered"


def test_a_template_goes_at_any_time_with_its_placeholders_filled(client: Client, standin: TwilioStandIn) -> None:
    asked = {"content_sid": TEMPLATE, "content_variables": '{"1": "Ada", "2": "7"}'}

    message = send(client, standin, to=f"whatsapp:{PERSON}", from_=f"whatsapp:{NUMBER}", **asked)

    assert (message.status, message.body) == ("delivered", "Hello Ada, 7 o'clock?")


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"body": "Hello", "content_variables": "{}"}, 21654),
        ({"content_sid": "HX" + "9" * 32}, 21655),
        ({"content_sid": TEMPLATE, "content_variables": "no JSON"}, 21656),
        ({"content_sid": TEMPLATE, "content_variables": "[]"}, 21656),
        ({"content_sid": TEMPLATE, "content_variables": '{"1": "Ada", "2": ""}'}, 21656),
        ({"content_sid": TEMPLATE, "content_variables": '{"1": "Ada"}'}, 21656),
        ({"content_sid": TEMPLATE}, 21656),
    ],
)
def test_a_wrong_template_is_refused(client: Client, asked: dict[str, str], code: int) -> None:
    with pytest.raises(TwilioRestException) as refused:
        client.messages.create(to=PERSON, from_=NUMBER, **asked)

    assert refused.value.code == code


def download(standin: TwilioStandIn) -> tuple[int, dict[str, str], bytes]:
    """An attachment, as far as 100 kB of it, without following redirects."""
    standin.sms_url = "http://127.0.0.1:9/sms"
    standin.receive_text(PERSON, "Look", media=[("image/png", PNG)])
    (url,) = [value for name, value in standin.exchanges[-1].fields.items() if name == "MediaUrl0"]
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=5)
    basic = base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
    connection.request("GET", parts.path, headers={"Authorization": f"Basic {basic}"})
    answer = connection.getresponse()
    with answer:
        found = (answer.status, dict(answer.getheaders()), answer.read(100_000))
    connection.close()
    return found


def test_an_attachment_may_not_be_there_yet_lead_elsewhere_lie_or_never_end(standin: TwilioStandIn) -> None:
    standin.faults.add("media_not_ready")
    standin.faults.add("media_redirect", url="https://evil.example/a")
    standin.faults.add("media_length", bytes=5_000_000_000)
    standin.faults.add("media_endless")

    assert download(standin)[0] == 404
    status, headers, _ = download(standin)
    assert (status, headers["Location"]) == (307, "https://evil.example/a")
    status, headers, _ = download(standin)
    assert headers["Content-Length"] == "5000000000"
    assert len(download(standin)[2]) == 100_000
    assert download(standin)[2] == PNG
