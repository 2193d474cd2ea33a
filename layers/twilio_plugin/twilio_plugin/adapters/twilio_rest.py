"""Twilio's REST API for messages, through the twilio package.

Twilio has no idempotency key: what is repeated here is only what surely never reached it.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from datetime import datetime
from itertools import takewhile
from typing import Any
from urllib.parse import urlencode

from requests.exceptions import ConnectionError as RequestsConnectionError
from requests.exceptions import ConnectTimeout, RequestException
from twilio.base.exceptions import TwilioException, TwilioRestException, TwilioServiceException
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

# Here and not at the first send: the package loads it late, and a caller would wait for its ninety modules.
from twilio.rest.api.v2010.account import message as _message  # noqa: F401
from urllib3.exceptions import NameResolutionError, NewConnectionError

from twilio_plugin.adapters.secrets import Credentials
from twilio_plugin.domain.address import masked
from twilio_plugin.domain.outbound import Part, Receipt, TwilioMessage
from twilio_plugin.domain.twilio_errors import explain
from twilio_plugin.errors import SendOutcomeUnknown, StorageUnavailable, TwilioRejected, TwilioUnavailable

TWILIO_API = "https://api.twilio.com"
TIMEOUT_SECONDS = 10.0
IDLE_SECONDS = 30.0
_TRIES = 4
_TOO_MANY_REQUESTS = 429
_SERVER_ERROR = 500
_ANSWERS = (TwilioRestException, TwilioServiceException)
# The last three: an answer that is JSON, and nothing the package expects.
_FAILURES = (TwilioException, RequestException, ValueError, AttributeError, TypeError, KeyError)
# The status callback is retried by Twilio on 5xx and time-outs: a connection override, which only Twilio's side reads.
_RETRY_CALLBACK = "#rc=3&rp=5xx,ct,rt"


class TwilioTexting:
    """`Texting` on Twilio's Messages resource."""

    def __init__(
        self,
        account_sid: str,
        credentials: Callable[[], Credentials],
        *,
        status_url: str,
        api_base_url: str = TWILIO_API,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._account_sid = account_sid
        self._credentials = credentials
        self._status_url = status_url
        # One for all calls: a new one would cost a new TLS handshake each time.
        self._http = _HttpClient(api_base_url)
        self._pause = pause

    def send(self, part: Part) -> Receipt:
        arguments = self._arguments(part)
        for attempt in range(1, _TRIES + 1):
            client = self._client()
            try:
                return _receipt(client.messages.create(**arguments))
            except _FAILURES as error:
                if not _never_taken(error):
                    raise _failure(error, part) from error
                if attempt == _TRIES:
                    raise TwilioUnavailable(
                        f"Twilio took no request in {_TRIES} tries ({_kind(error)}); nothing was sent. Send again later."
                    ) from error
                self._pause(random.uniform(0.5, 1) * 0.25 * 2**attempt)  # noqa: S311  jitter
        raise AssertionError("unreachable")

    def sent(self, part: Part, *, since: datetime) -> list[TwilioMessage]:
        client = self._client()
        try:
            # Newest first, and not asked for by DateSent, which a message still in Twilio's queue does not have.
            newest = client.messages.stream(to=str(part.recipient), from_=str(part.sender))
            recent = list(takewhile(lambda message: (message.date_created or since) >= since, newest))
            return [TwilioMessage(_receipt(one), one.body or "", int(one.num_media or 0)) for one in reversed(recent)]
        except _FAILURES as error:
            raise StorageUnavailable(f"Twilio's message list cannot be read: {_kind(error)}.") from error

    def _arguments(self, part: Part) -> dict[str, Any]:
        query = urlencode({"send": part.send_id, "part": part.number})
        arguments = {
            "to": str(part.recipient),
            "from_": str(part.sender),
            "body": part.body or None,
            "media_url": list(part.media_url) or None,
            "messaging_service_sid": part.messaging_service_sid,
            "status_callback": f"{self._status_url}?{query}{_RETRY_CALLBACK}",
        }
        return {name: value for name, value in arguments.items() if value is not None}

    def _client(self) -> Client:
        credentials = self._credentials()
        user, password = credentials.api_key or (self._account_sid, credentials.auth_tokens[0])
        return Client(user, password, account_sid=self._account_sid, http_client=self._http)


class _HttpClient(TwilioHttpClient):  # type: ignore[misc]
    """Twilio's own client, silent (it logs bodies) and with another host where the stack is a local one."""

    def __init__(self, api_base_url: str) -> None:
        silent = logging.getLogger("twilio.http_client.silent")
        silent.setLevel(logging.ERROR)
        logging.getLogger("urllib3.connectionpool").setLevel(logging.INFO)  # below, it logs URLs with numbers in them
        super().__init__(timeout=TIMEOUT_SECONDS, logger=silent)
        self._api_base_url = api_base_url.rstrip("/")
        self._used_at = 0.0

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
        # Lambda freezes between invocations, and the other side gives up meanwhile: a request on such a connection would be
        # one whose outcome nobody knows. By the wall clock, because the other one may stand still too.
        if time.time() - self._used_at > IDLE_SECONDS:
            self.session.close()
        self._used_at = time.time()
        return super().request(method, url.replace(TWILIO_API, self._api_base_url, 1), *args, **kwargs)


def _never_taken(error: Exception) -> bool:
    """Twilio says so (429: "was never processed"), or no connection came about."""
    if isinstance(error, _ANSWERS):
        return bool(error.status == _TOO_MANY_REQUESTS)
    if isinstance(error, ConnectTimeout):
        return True
    reason = getattr(error.args[0], "reason", None) if isinstance(error, RequestsConnectionError) and error.args else None
    return isinstance(reason, (NewConnectionError, NameResolutionError))


def _failure(error: Exception, part: Part) -> Exception:
    if isinstance(error, _ANSWERS) and error.status < _SERVER_ERROR:
        # The package puts the HTTP status in the place of a code that is not there.
        code = error.code if error.code != error.status else None
        text = f"Twilio refused the text to {masked(str(part.recipient))}: {explain(code)}"
        return TwilioRejected(text, twilio_code=code, status=error.status)
    return SendOutcomeUnknown(
        f"No answer from Twilio for the text to {masked(str(part.recipient))} ({_kind(error)}). It may have been sent; "
        "it is being looked up. Do not send it again: SMS_SENT or SMS_FAILED will tell."
    )


def _kind(error: Exception) -> str:
    """The kind of failure without its text, which may hold numbers and bodies."""
    return f"HTTP {error.status}" if isinstance(error, _ANSWERS) else type(error).__name__


def _receipt(message: Any) -> Receipt:
    if not message.sid:
        raise ValueError("an answer without a SID")
    code = message.error_code
    return Receipt(message.sid, message.account_sid, str(message.status), int(code) if code else None)
