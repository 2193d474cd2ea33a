"""Twilio as the client of a webhook: signs a form, posts it, retries it, remembers the exchange.

Headers as received from Twilio's ``TwilioProxy/1.1``; signature: https://www.twilio.com/docs/usage/security, computed with
Twilio's own ``RequestValidator``, over the URL without its fragment and all fields, blank ones too.
"""

import asyncio
import uuid
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import urlencode

import aiohttp
from twilio.request_validator import RequestValidator
from yarl import URL

from .account import Account
from .connection import Connection, InvalidOverride
from .debugger import Debugger

CONTENT_TYPE = "application/x-www-form-urlencoded; charset=UTF-8"
REMEMBERED = 1000


@dataclass
class WebhookExchange:
    """One webhook with its answer. ``status`` and what follows are of the last answer, None where none came.

    ``outcomes`` has one word per attempt: an HTTP status, ``ct`` (no connection) or ``rt`` (no answer in time, or cut off).
    ``kind`` is ``message`` for an inbound text, ``call`` where a call asks for TwiML, ``status`` for a status callback, and
    ``recording``, ``amd``, ``stream`` or ``partial`` for other news of a call. With the ``method`` GET the fields are in the
    query that was asked for, though not in ``url``. ``error_code`` is of the alert where it failed.
    """

    kind: str
    url: str
    fields: dict[str, str]
    idempotency_token: str
    signature: str = ""
    method: str = "POST"
    outcomes: list[str] = field(default_factory=list)
    status: int | None = None
    content_type: str | None = None
    body: str = ""
    error_code: int | None = None

    @property
    def signed_url(self) -> str:
        """The URL as requested."""
        query = urlencode(self.fields) if self.method == "GET" else ""
        return self.url + (("&" if "?" in self.url else "?") + query if query else "")

    @property
    def attempts(self) -> int:
        """How often it was sent."""
        return len(self.outcomes)

    @property
    def succeeded(self) -> bool:
        """Whether the answer was a 2xx."""
        return self.status is not None and 200 <= self.status < 300

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return {
            "kind": self.kind,
            "method": self.method,
            "url": self.url,
            "fields": self.fields,
            "idempotency_token": self.idempotency_token,
            "signature": self.signature,
            "attempts": self.attempts,
            "outcomes": self.outcomes,
            "status": self.status,
            "content_type": self.content_type,
            "body": self.body,
            "error_code": self.error_code,
        }


class WebhookSender:
    """Sends webhooks and keeps the last thousand exchanges, oldest first. Used on the loop's thread only."""

    def __init__(self, account: Account, debugger: Debugger) -> None:
        self._account = account
        self._debugger = debugger
        self._exchanges: deque[WebhookExchange] = deque(maxlen=REMEMBERED)
        # A connection per request, as from a fleet of proxies: none is kept that the receiver might have closed.
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(force_close=True, limit=0),
            skip_auto_headers=["Accept-Encoding"],
            auto_decompress=False,
        )

    def exchanges(self) -> list[WebhookExchange]:
        """Copies of all that are remembered; one under way has no status yet."""
        return [replace(exchange, outcomes=list(exchange.outcomes)) for exchange in self._exchanges]

    def sign(self, url: str, posted: Mapping[str, str]) -> str:
        """Twilio's signature of a request, by the token that is in force."""
        return str(RequestValidator(self._account.auth_token).compute_signature(url, posted))

    async def close(self) -> None:
        """Close the client; webhooks under way must have ended."""
        await self._session.close()

    async def send(
        self, kind: str, url: str, fields: Mapping[str, str], token: str | None = None, method: str = "POST"
    ) -> WebhookExchange:
        """Send one webhook to a URL that may have a fragment. What goes wrong ends up in the exchange and in the debugger."""
        exchange = WebhookExchange(kind, url, dict(fields), token or str(uuid.uuid4()), method=method)
        self._exchanges.append(exchange)
        try:
            connection = Connection.to(url)
        except InvalidOverride as error:
            self._report(exchange, error.code, str(error))
            return exchange
        exchange.url = connection.url
        posted = {} if method == "GET" else exchange.fields
        exchange.signature = self.sign(exchange.signed_url, posted)
        try:
            async with asyncio.timeout(connection.total_timeout):
                await self._attempts(exchange, connection)
        except TimeoutError:
            exchange.outcomes.append("rt")
            exchange.status = None
        if not exchange.succeeded:
            code = 11205 if exchange.outcomes[-1] == "ct" else 11200
            self._report(exchange, code, f"attempts ended in {', '.join(exchange.outcomes)}")
        return exchange

    def _report(self, exchange: WebhookExchange, code: int, detail: str) -> None:
        exchange.error_code = code
        sid = exchange.fields.get("MessageSid") or exchange.fields.get("CallSid")
        self._debugger.report(code, exchange.url, detail, sid)

    async def _attempts(self, exchange: WebhookExchange, connection: Connection) -> None:
        for attempt in range(connection.retries + 1):
            outcome = await self._attempt(exchange, connection)
            exchange.outcomes.append(outcome)
            if exchange.succeeded or attempt == connection.retries or not connection.retries_after(outcome):
                return

    async def _attempt(self, exchange: WebhookExchange, connection: Connection) -> str:
        exchange.status, exchange.content_type, exchange.body = None, None, ""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=connection.connect_timeout, sock_read=connection.read_timeout)
        try:
            async with self._session.request(
                exchange.method,
                URL(exchange.signed_url, encoded=True),
                data=None if exchange.method == "GET" else urlencode(exchange.fields).encode(),
                headers=_headers(exchange),
                timeout=timeout,
                allow_redirects=False,
            ) as answer:
                body = await answer.text(errors="replace")
                exchange.status, exchange.content_type, exchange.body = (
                    answer.status,
                    answer.headers.get("Content-Type"),
                    body,
                )
                return str(answer.status)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
            return "ct"
        except (aiohttp.ClientError, TimeoutError):
            return "rt"


def _headers(exchange: WebhookExchange) -> dict[str, str]:
    return {
        "Content-Type": CONTENT_TYPE,
        "User-Agent": "TwilioProxy/1.1",
        "Accept": "*/*",
        "X-Home-Region": "us1",
        "I-Twilio-Idempotency-Token": exchange.idempotency_token,
        "X-Twilio-Signature": exchange.signature,
    }
