"""Fetching from a Twilio that answers, redirects, lies and never ends, over real sockets."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from tests.unit.fakes_numbers import FakeRestSecret
from tests.unit.http_server import Answer, Hangup, Server, nobody, running
from twilio_plugin.adapters.secrets import Credentials
from twilio_plugin.adapters.twilio_media import MAX_REDIRECTS, TwilioMedia
from twilio_plugin.domain.media_copy import MediaHosts
from twilio_plugin.services.ports import MediaNotReady, MediaNotTaken

ACCOUNT = "AC" + "0" * 32
MEDIUM = f"/2010-04-01/Accounts/{ACCOUNT}/Messages/MM{'1' * 32}/Media/ME{'2' * 32}"
AT_MOST = 200_000


@pytest.fixture
def twilio() -> Iterator[Server]:
    with running() as server:
        yield server


@pytest.fixture
def elsewhere() -> Iterator[Server]:
    with running() as server:
        server.script = [Answer(200, "pixels", "image/png")]
        yield server


def source(base_url: str, **more: Any) -> TwilioMedia:
    secret = more.pop("secret", None) or FakeRestSecret(Credentials("token", more.pop("api_key", None)))
    return TwilioMedia(MediaHosts(ACCOUNT, base_url), secret, at_most=AT_MOST, **more)


def fetch(base_url: str, **more: Any) -> bytes:
    with source(base_url, **more).fetch(base_url + MEDIUM) as content:
        return content.read()


def refusal(base_url: str, url: str | None = None, **more: Any) -> tuple[type[MediaNotTaken], str]:
    with pytest.raises(MediaNotTaken) as refused:
        source(base_url, **more).fetch(url or base_url + MEDIUM)
    return type(refused.value), refused.value.reason


def to(url: str) -> Answer:
    return Answer(307, "", headers={"Location": url})


def test_a_medium_is_fetched_with_the_accounts_credentials(twilio: Server) -> None:
    twilio.script = [Answer(200, "pixels", "image/png")]

    assert fetch(twilio.url) == b"pixels"
    assert [(one.method, one.path, one.user_and_password) for one in twilio.asked] == [("GET", MEDIUM, (ACCOUNT, "token"))]


def test_an_api_key_is_used_where_there_is_one(twilio: Server) -> None:
    twilio.script = [Answer(200, "pixels")]

    fetch(twilio.url, api_key=("SK1", "secret"))

    assert twilio.asked[0].user_and_password == ("SK1", "secret")


def test_the_credentials_stay_behind_when_a_redirect_leads_to_the_cdn(twilio: Server, elsewhere: Server) -> None:
    twilio.script = [to(elsewhere.url.replace("127.0.0.1", "localhost") + "/cdn?Signature=1")]

    assert fetch(twilio.url) == b"pixels"
    assert [(one.path, one.authorization) for one in elsewhere.asked] == [("/cdn?Signature=1", "")]


def test_they_stay_behind_on_the_way_back_too(twilio: Server, elsewhere: Server) -> None:
    elsewhere.script = [to(twilio.url + MEDIUM)]
    twilio.script = [to(elsewhere.url + "/cdn"), Answer(200, "pixels")]

    assert fetch(twilio.url) == b"pixels"
    assert [bool(one.authorization) for one in twilio.asked] == [True, False]


def test_a_url_that_is_not_twilios_is_not_asked_at_all(twilio: Server, elsewhere: Server) -> None:
    assert refusal(twilio.url, elsewhere.url + MEDIUM) == (MediaNotTaken, "not_from_twilio")
    assert refusal(twilio.url, twilio.url + "/2010-04-01/Accounts.json") == (MediaNotTaken, "not_from_twilio")
    assert not twilio.asked
    assert not elsewhere.asked


@pytest.mark.parametrize(
    "where", ["http://169.254.169.254/latest/meta-data", "https://evil.example/a", "file:///etc/passwd", ""]
)
def test_a_redirect_to_anywhere_else_is_not_followed(twilio: Server, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    twilio.script = [to(where)]
    asked = watched(monkeypatch)

    assert refusal(twilio.url) == (MediaNotTaken, "redirected_elsewhere")
    assert {host for host, _ in asked} == {"127.0.0.1"}
    assert len(twilio.asked) == (1 if where else MAX_REDIRECTS + 1)


def test_redirects_have_an_end(twilio: Server) -> None:
    twilio.script = [to(twilio.url + MEDIUM)]

    assert refusal(twilio.url) == (MediaNotTaken, "redirected_elsewhere")
    assert len(twilio.asked) == MAX_REDIRECTS + 1


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (Answer(404, ""), (MediaNotReady, "not_found")),
        (Answer(410, ""), (MediaNotReady, "not_found")),
        (Answer(401, ""), (MediaNotReady, "unavailable")),
        (Answer(429, ""), (MediaNotReady, "unavailable")),
        (Answer(500, ""), (MediaNotReady, "unavailable")),
        (Answer(503, ""), (MediaNotReady, "unavailable")),
        (Answer(204, ""), (MediaNotTaken, "not_found")),
        (Hangup(), (MediaNotReady, "unavailable")),
        (Answer(200, "x" * AT_MOST), None),
        (Answer(200, "x" * (AT_MOST + 1)), (MediaNotTaken, "too_large")),
    ],
)
def test_what_may_pass_is_told_from_what_will_not(
    twilio: Server, answer: Answer | Hangup, outcome: tuple[type[MediaNotTaken], str] | None
) -> None:
    twilio.script = [answer]

    if outcome is None:
        assert len(fetch(twilio.url)) == AT_MOST
    else:
        assert refusal(twilio.url) == outcome


@pytest.mark.parametrize("status", [401, 403])
def test_after_a_rotation_the_next_try_has_the_new_credentials(twilio: Server, status: int) -> None:
    twilio.script = [Answer(status, ""), Answer(200, "pixels")]
    secret = FakeRestSecret(Credentials("old"), fresh=Credentials("new"))
    media = source(twilio.url, secret=secret)

    with pytest.raises(MediaNotReady):
        media.fetch(twilio.url + MEDIUM)
    with media.fetch(twilio.url + MEDIUM) as content:
        assert content.read() == b"pixels"
    assert [one.user_and_password for one in twilio.asked] == [(ACCOUNT, "old"), (ACCOUNT, "new")]


def test_nobody_there_may_pass() -> None:
    assert refusal(nobody()) == (MediaNotReady, "unavailable")


# ------------------------------------------------------------------------------------------------------------ what lies


@contextmanager
def speaking(script: Callable[[socket.socket], None]) -> Iterator[tuple[str, list[int]]]:
    """A server that reads a request and then does what the script says; and how many bytes got out."""
    sent: list[int] = []

    def serve() -> None:
        with suppress(OSError), listener:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                counting = Counting(connection, sent)
                with suppress(OSError):
                    script(counting)  # type: ignore[arg-type]

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", sent
        listener.close()
        thread.join(10)


class Counting:
    def __init__(self, connection: socket.socket, sent: list[int]) -> None:
        self._connection, self._sent = connection, sent

    def sendall(self, data: bytes) -> None:
        self._connection.sendall(data)
        self._sent.append(len(data))


def test_who_promises_five_gigabytes_is_not_listened_to() -> None:
    def script(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5000000000\r\n\r\n" + b"x" * 100)

    with speaking(script) as (url, _):
        assert refusal(url) == (MediaNotTaken, "too_large")


def test_who_promises_little_and_sends_much_is_cut_off_where_he_promised() -> None:
    def script(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n" + b"x" * 1_000_000)

    with speaking(script) as (url, _):
        assert fetch(url) == b"x" * 10


def test_who_promises_nothing_and_never_ends_is_left_at_the_limit() -> None:
    def script(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        for _ in range(1000):
            connection.sendall(b"x" * 65536)

    with speaking(script) as (url, sent):
        assert refusal(url) == (MediaNotTaken, "too_large")

    assert sum(sent) < 20_000_000, "it hung up long before the end"


def test_who_sends_chunks_without_end_is_left_at_the_limit() -> None:
    def script(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(1000):
            connection.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")

    with speaking(script) as (url, _):
        assert refusal(url) == (MediaNotTaken, "too_large")


def test_who_sends_less_than_promised_has_broken_off() -> None:
    def script(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"x" * 100)

    with speaking(script) as (url, _):
        assert refusal(url) == (MediaNotReady, "unavailable")


def test_who_drips_is_left_when_the_time_is_over(twilio: Server) -> None:
    twilio.script = [Answer(200, "x" * 1000)]
    seconds = iter([0.0, 61.0])

    assert refusal(twilio.url, now=lambda: next(seconds)) == (MediaNotReady, "unavailable")


def test_nonsense_instead_of_http_may_pass() -> None:
    with speaking(lambda connection: connection.sendall(b"ceci n'est pas HTTP\r\n\r\n")) as (url, _):
        assert refusal(url) == (MediaNotReady, "unavailable")


# ---------------------------------------------------------------------------------------------------------- private addresses


def watched(monkeypatch: pytest.MonkeyPatch, really: str = "") -> list[tuple[str, int]]:
    """Whom connections are made to. With `really`, every name means that address."""
    connect, asked = socket.create_connection, []

    def create_connection(address: tuple[str, int], *args: Any, **kwargs: Any) -> socket.socket:
        asked.append(address)
        if really:
            host, _, port = really.removeprefix("http://").rpartition(":")
            address = (host, int(port))
        return connect(address, *args, **kwargs)

    monkeypatch.setattr(socket, "create_connection", create_connection)
    return asked


def test_a_name_that_means_a_private_address_is_sent_nothing(elsewhere: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = watched(monkeypatch, elsewhere.url)

    assert refusal("https://api.twilio.com") == (MediaNotTaken, "redirected_elsewhere")
    assert asked == [("api.twilio.com", 443)]
    assert not elsewhere.asked
