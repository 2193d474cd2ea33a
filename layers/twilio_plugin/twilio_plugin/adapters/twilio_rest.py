"""Twilio's REST API, through the twilio package: credentials, retries, and one error for every failure.

Twilio has no idempotency key: what is repeated here is only what surely never reached it.
"""

from __future__ import annotations

import json
import logging
import random
import re
import time
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from requests.exceptions import ConnectionError as RequestsConnectionError
from requests.exceptions import ConnectTimeout, RequestException
from twilio.base.exceptions import TwilioException, TwilioRestException, TwilioServiceException
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client
from urllib3.exceptions import NameResolutionError, NewConnectionError

from twilio_plugin.adapters.secrets import Credentials
from twilio_plugin.domain.twilio_errors import rejection
from twilio_plugin.errors import SendOutcomeUnknown, StorageUnavailable, TwilioRejected, TwilioUnavailable

TWILIO_API = "https://api.twilio.com"
_TWILIO = re.compile(r"^https://[a-z0-9.-]+\.twilio\.com(?=/)")
TIMEOUT_SECONDS = 10.0
IDLE_SECONDS = 30.0
_TRIES = 4
_NOT_FOUND = 404
_NOT_AUTHORIZED = (401, 403)
_TOO_MANY_REQUESTS = 429
_SERVER_ERROR = 500
_ANSWERS = (TwilioRestException, TwilioServiceException)
# The last three: an answer that is JSON, and nothing the package expects.
_FAILURES = (TwilioException, RequestException, ValueError, AttributeError, TypeError, KeyError)

Answer = TypeVar("Answer")


class CredentialSource(Protocol):
    """Where credentials come from: `RestSecret`."""

    def credentials(self) -> Credentials:
        """Those that are known."""

    def fresh_credentials(self) -> Credentials | None:
        """Those in force, looked up again; None where that is not possible now."""


class TwilioRest:
    """One account's API. Keep it: a new one would cost a new TLS handshake."""

    def __init__(
        self,
        account_sid: str,
        secret: CredentialSource,
        *,
        api_base_url: str = TWILIO_API,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.account_sid = account_sid
        self._secret = secret
        self._http = _HttpClient(api_base_url)
        self._pause = pause

    def change(self, what: str, ask: Callable[[Client], Answer]) -> Answer:
        """Make a request that must not happen twice. `what` names it in errors: ``the text to ***1234``.

        Raises:
            TwilioRejected, TwilioUnavailable, SendOutcomeUnknown: see `twilio_plugin.errors`.
        """
        try:
            return self._taken(ask)
        except _FAILURES as error:
            if _never_taken(error):
                raise TwilioUnavailable(
                    f"Twilio took no request in {_TRIES} tries ({_kind(error)}); nothing was sent. Send again later."
                ) from error
            raise _failure(error, what) from error

    def read(self, what: str, ask: Callable[[Client], Answer]) -> Answer | None:
        """Make a request that changes nothing; None where Twilio does not know the resource.

        Raises:
            StorageUnavailable: it cannot be read now.
        """
        try:
            return self._answer(ask)
        except _FAILURES as error:
            if _status(error) == _NOT_FOUND:
                return None
            raise StorageUnavailable(f"Twilio's {what} cannot be read: {_kind(error)}.") from error

    def settle(self, what: str, ask: Callable[[Client], Answer]) -> Answer | None:
        """Make a request that may happen twice, for somebody who wants to know why it fails; None where there is no such thing.

        Raises:
            TwilioRejected: with the reason.
            TwilioUnavailable: no answer, or none that says anything. It may have been done.
        """
        try:
            return self._taken(ask)
        except _FAILURES as error:
            status = _status(error)
            if status == _NOT_FOUND:
                return None
            if status is not None and status < _SERVER_ERROR and not _never_taken(error):
                raise _rejected(error, what, status) from error
            raise TwilioUnavailable(f"Twilio did not answer for {what} ({_kind(error)}). Try again later.") from error

    def _taken(self, ask: Callable[[Client], Answer]) -> Answer:
        """The answer; what surely never reached Twilio is tried again."""
        for attempt in range(1, _TRIES):
            try:
                return self._answer(ask)
            except _FAILURES as error:
                if not _never_taken(error):
                    raise
                self._pause(random.uniform(0.5, 1) * 0.25 * 2**attempt)  # noqa: S311  jitter
        return self._answer(ask)

    def _answer(self, ask: Callable[[Client], Answer]) -> Answer:
        """The answer; where Twilio takes the credentials for wrong, they may have been changed since they were read."""
        credentials = self._secret.credentials()
        try:
            return ask(self._client(credentials))
        except _FAILURES as error:
            fresh = self._secret.fresh_credentials() if _status(error) in _NOT_AUTHORIZED else None
            if fresh is None or fresh == credentials:
                raise
        return ask(self._client(fresh))

    def _client(self, credentials: Credentials) -> Client:
        user, password = credentials.api_key or (self.account_sid, credentials.auth_token)
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
        return super().request(method, self._moved(url), *args, **kwargs)

    def _moved(self, url: str) -> str:
        """A stand-in has everything in one place; another host of Twilio's is only another `api`."""
        if self._api_base_url.endswith(".twilio.com"):
            return url.replace(TWILIO_API, self._api_base_url, 1)
        return _TWILIO.sub(self._api_base_url, url)


def _status(error: Exception) -> int | None:
    """The HTTP status of an answer; of a list's, the package hands on the answer itself."""
    if isinstance(error, _ANSWERS):
        return int(error.status)
    answer = error.args[1] if isinstance(error, TwilioException) and len(error.args) > 1 else None
    return getattr(answer, "status_code", None)


def _never_taken(error: Exception) -> bool:
    """Twilio says so (429: "was never processed"), or no connection came about."""
    if _status(error) is not None:
        return _status(error) == _TOO_MANY_REQUESTS
    if isinstance(error, ConnectTimeout):
        return True
    reason = getattr(error.args[0], "reason", None) if isinstance(error, RequestsConnectionError) and error.args else None
    return isinstance(reason, (NewConnectionError, NameResolutionError))


def _failure(error: Exception, what: str) -> Exception:
    status = _status(error)
    if status is not None and status < _SERVER_ERROR:
        return _rejected(error, what, status)
    return SendOutcomeUnknown(
        f"No answer from Twilio for {what} ({_kind(error)}). It may have gone through; it is being looked up. "
        "Do not send it again: an event will tell what became of it."
    )


def _rejected(error: Exception, what: str, status: int) -> TwilioRejected:
    # The package puts the HTTP status in the place of a code that is not there, and leaves the code of a list in its text.
    code = getattr(error, "code", None) or _code_in(error)
    return rejection(what, code=code if code != status else None, status=status)


def _code_in(error: Exception) -> int | None:
    try:
        code = json.loads(error.args[1].text)["code"]
    except (IndexError, AttributeError, ValueError, TypeError, KeyError):
        return None
    return code if isinstance(code, int) else None


def _kind(error: Exception) -> str:
    """The kind of failure without its text, which may hold numbers and bodies."""
    status = _status(error)
    return type(error).__name__ if status is None else f"HTTP {status}"
