"""Media of inbound texts at Twilio: fetched with the account's credentials, which nobody but Twilio's API ever sees.

Redirects are followed by hand. Every host is on the list of `domain.media_copy`, and the address it turns out to have is looked
at before a byte is sent, so that no name leads into a private network. What comes is counted, whatever it says of itself.
"""

from __future__ import annotations

import base64
import ipaddress
import socket
import ssl
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import TYPE_CHECKING, BinaryIO, cast
from urllib.parse import urljoin, urlsplit

from twilio_plugin.domain.media_copy import MediaHosts
from twilio_plugin.services.ports import MediaNotReady, MediaNotTaken

if TYPE_CHECKING:
    from twilio_plugin.adapters.twilio_rest import CredentialSource  # only its shape: the package is large

MAX_REDIRECTS = 4  # Twilio makes one or two
TIMEOUT_SECONDS = 10.0  # without a byte
WHOLE_SECONDS = 60.0  # for all of one medium: a byte a second would come for ever
_CHUNK = 64 * 1024
_IN_MEMORY = 1024 * 1024
_REDIRECTS = (301, 302, 303, 307, 308)
_OK, _NOT_FOUND, _GONE, _TOO_MANY_REQUESTS, _SERVER_ERROR = 200, 404, 410, 429, 500
# With a wrong or a revoked key.
_NOT_AUTHORIZED = (401, 403)


class TwilioMedia:
    """`MediaSource` on Twilio."""

    def __init__(
        self,
        hosts: MediaHosts,
        secret: CredentialSource,
        *,
        at_most: int,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`at_most` is the bytes of the largest medium that is taken; `now` are seconds."""
        self._hosts = hosts
        self._secret = secret
        self._at_most = at_most
        self._now = now
        self._tls = ssl.create_default_context()

    def fetch(self, url: str) -> BinaryIO:
        if not self._hosts.is_media(url):
            raise MediaNotTaken("not_from_twilio")
        headers = {"Authorization": self._authorization(), "Accept-Encoding": "identity", "User-Agent": "twilio-plugin"}
        deadline = self._now() + WHOLE_SECONDS
        try:
            for _ in range(MAX_REDIRECTS + 1):
                with closing(self._connection(url)) as connection, self._ask(connection, url, headers) as answer:
                    if answer.status not in _REDIRECTS:
                        return self._content(answer, deadline)
                    url = urljoin(url, answer.getheader("Location") or "")
                if not self._hosts.is_redirect(url):
                    raise MediaNotTaken("redirected_elsewhere")
                headers.pop("Authorization", None)
        except (OSError, HTTPException) as error:
            raise MediaNotReady("unavailable") from error
        raise MediaNotTaken("redirected_elsewhere")

    def _authorization(self) -> str:
        credentials = self._secret.credentials()
        user, password = credentials.api_key or (self._hosts.account_sid, credentials.auth_token)
        return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()

    def _connection(self, url: str) -> HTTPConnection:
        parts = urlsplit(url)
        host = parts.hostname or ""
        if parts.scheme == "http":  # only a stand-in's; `domain.media_copy` lets no other in
            return HTTPConnection(host, parts.port, timeout=TIMEOUT_SECONDS)
        return _PublicConnection(host, parts.port, self._tls, private=self._hosts.on_loopback)

    def _ask(self, connection: HTTPConnection, url: str, headers: dict[str, str]) -> HTTPResponse:
        parts = urlsplit(url)
        connection.request("GET", parts.path + (f"?{parts.query}" if parts.query else ""), headers=headers)
        return connection.getresponse()

    def _content(self, answer: HTTPResponse, deadline: float) -> BinaryIO:
        if answer.status in (_NOT_FOUND, _GONE):
            raise MediaNotReady("not_found")
        if answer.status in _NOT_AUTHORIZED:
            self._secret.fresh_credentials()  # keys are rotated; the next try has what the secret has now
            raise MediaNotReady("unavailable")
        if answer.status == _TOO_MANY_REQUESTS or answer.status >= _SERVER_ERROR:
            raise MediaNotReady("unavailable")
        if answer.status != _OK:
            raise MediaNotTaken("not_found")
        if (answer.length or 0) > self._at_most:
            raise MediaNotTaken("too_large")
        with ExitStack() as unless_whole:
            # The file holds the little ones in memory, the others on disk.
            file = unless_whole.enter_context(tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY))
            content = cast("BinaryIO", file)
            self._read(answer, content, deadline)
            content.seek(0)
            unless_whole.pop_all()
            return content

    def _read(self, answer: HTTPResponse, content: BinaryIO, deadline: float) -> None:
        promised, size = answer.length, 0
        while chunk := answer.read1(_CHUNK):
            size += len(chunk)
            if size > self._at_most:
                raise MediaNotTaken("too_large")
            if self._now() > deadline:
                raise MediaNotReady("unavailable")
            content.write(chunk)
        if promised is not None and size < promised:
            raise MediaNotReady("unavailable")  # it broke off


class _PublicConnection(HTTPSConnection):
    """TLS to an address of the public internet, or to none. The address is looked at where it is used, so no name can change
    what it means in between.
    """

    def __init__(self, host: str, port: int | None, tls: ssl.SSLContext, *, private: bool) -> None:
        super().__init__(host, port, timeout=TIMEOUT_SECONDS)
        self._tls = tls
        self._private = private

    def connect(self) -> None:
        with ExitStack() as unless_public:
            plain = unless_public.enter_context(socket.create_connection((self.host, self.port), TIMEOUT_SECONDS))
            if not self._private and not ipaddress.ip_address(plain.getpeername()[0]).is_global:
                raise MediaNotTaken("redirected_elsewhere")
            self.sock = self._tls.wrap_socket(plain, server_hostname=self.host)
            unless_public.pop_all()
