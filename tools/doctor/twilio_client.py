"""Twilio's REST API for the doctor: all of its hosts, or the one stand-in that plays them."""

from __future__ import annotations

import logging
import re
from typing import Any

from twilio.base.exceptions import TwilioException, TwilioRestException, TwilioServiceException
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

from twilio_plugin.adapters.twilio_rest import TWILIO_API

TIMEOUT_SECONDS = 10.0
_HOST = re.compile(r"^https://[a-z0-9.-]+\.twilio\.com")


def client(user: str, password: str, account_sid: str, api_base_url: str) -> Client:
    """A client with Twilio's answers as exceptions, and nothing logged."""
    return Client(user, password, account_sid=account_sid, http_client=_HttpClient(api_base_url))


def refusal(error: TwilioException) -> tuple[int | None, int | None]:
    """HTTP status and Twilio's code of an answer that is none; None for what the package does not say.

    A page that cannot be fetched carries both in its text only.
    """
    if isinstance(error, (TwilioRestException, TwilioServiceException)):
        return error.status, error.code if error.code != error.status else None
    answer = error.args[1] if len(error.args) > 1 else None
    return getattr(answer, "status_code", None), None


class _HttpClient(TwilioHttpClient):  # type: ignore[misc]
    def __init__(self, api_base_url: str) -> None:
        silent = logging.getLogger("twilio.http_client.silent")
        silent.setLevel(logging.ERROR)
        super().__init__(timeout=TIMEOUT_SECONDS, logger=silent)
        self._stand_in = api_base_url.rstrip("/") if api_base_url.rstrip("/") != TWILIO_API else None

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
        return super().request(method, _HOST.sub(self._stand_in, url) if self._stand_in else url, *args, **kwargs)
