"""Twilio's REST API, through the twilio package: credentials, retries, and one error for every failure.

Twilio has no idempotency key: what is repeated here is only what surely never reached it.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from typing import Any, TypeVar

from requests.exceptions import ConnectionError as RequestsConnectionError
from requests.exceptions import ConnectTimeout, RequestException
from twilio.base.exceptions import TwilioException, TwilioRestException, TwilioServiceException
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client
from urllib3.exceptions import NameResolutionError, NewConnectionError

from twilio_plugin.adapters.secrets import Credentials
from twilio_plugin.domain.twilio_errors import rejection
from twilio_plugin.errors import SendOutcomeUnknown, StorageUnavailable, TwilioUnavailable

TWILIO_API = "https://api.twilio.com"
TIMEOUT_SECONDS = 10.0
IDLE_SECONDS = 30.0
_TRIES = 4
_NOT_FOUND = 404
_TOO_MANY_REQUESTS = 429
_SERVER_ERROR = 500
_ANSWERS = (TwilioRestException, TwilioServiceException)
# The last three: an answer that is JSON, and nothing the package expects.
_FAILURES = (TwilioException, RequestException, ValueError, AttributeError, TypeError, KeyError)

Answer = TypeVar("Answer")


class TwilioRest:
    """One account's API. Keep it: a new one would cost a new TLS handshake."""

    def __init__(
        self,
        account_sid: str,
        credentials: Callable[[], Credentials],
        *,
        api_base_url: str = TWILIO_API,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.account_sid = account_sid
        self._credentials = credentials
        self._http = _HttpClient(api_base_url)
        self._pause = pause

    def change(self, what: str, ask: Callable[[Client], Answer]) -> Answer:
        """Make a request that must not happen twice. `what` names it in errors: ``the text to ***1234``.

        Raises:
            TwilioRejected, TwilioUnavailable, SendOutcomeUnknown: see `twilio_plugin.errors`.
        """
        for attempt in range(1, _TRIES + 1):
            client = self._client()
            try:
                return ask(client)
            except _FAILURES as error:
                if not _never_taken(error):
                    raise _failure(error, what) from error
                if attempt == _TRIES:
                    raise TwilioUnavailable(
                        f"Twilio took no request in {_TRIES} tries ({_kind(error)}); nothing was sent. Send again later."
                    ) from error
                self._pause(random.uniform(0.5, 1) * 0.25 * 2**attempt)  # noqa: S311  jitter
        raise AssertionError("unreachable")

    def read(self, what: str, ask: Callable[[Client], Answer]) -> Answer | None:
        """Make a request that changes nothing; None where Twilio does not know the resource.

        Raises:
            StorageUnavailable: it cannot be read now.
        """
        client = self._client()
        try:
            return ask(client)
        except _FAILURES as error:
            if isinstance(error, _ANSWERS) and error.status == _NOT_FOUND:
                return None
            raise StorageUnavailable(f"Twilio's {what} cannot be read: {_kind(error)}.") from error

    def _client(self) -> Client:
        credentials = self._credentials()
        user, password = credentials.api_key or (self.account_sid, credentials.auth_tokens[0])
        return Client(user, password, account_sid=self.account_sid, http_client=self._http)


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


def _failure(error: Exception, what: str) -> Exception:
    if isinstance(error, _ANSWERS) and error.status < _SERVER_ERROR:
        # The package puts the HTTP status in the place of a code that is not there.
        code = error.code if error.code != error.status else None
        return rejection(what, code=code, status=error.status)
    return SendOutcomeUnknown(
        f"No answer from Twilio for {what} ({_kind(error)}). It may have gone through; it is being looked up. "
        "Do not send it again: an event will tell what became of it."
    )


def _kind(error: Exception) -> str:
    """The kind of failure without its text, which may hold numbers and bodies."""
    return f"HTTP {error.status}" if isinstance(error, _ANSWERS) else type(error).__name__
