"""The Twilio credentials, from Secrets Manager.

The secret is a JSON object: ``{"auth_token": "…"}``, with ``previous_auth_token`` while a token is rotated, and with
``api_key_sid`` and ``api_key_secret`` where REST calls should use an API key.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from twilio_plugin.errors import Misconfigured, StorageUnavailable

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

LIFETIME_SECONDS = 300
FIELDS = ("auth_token", "previous_auth_token", "api_key_sid", "api_key_secret")


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """Never printed: it has no repr."""

    auth_tokens: tuple[str, ...]
    """The token in force first, then the previous one if there is one."""
    api_key: tuple[str, str] | None
    """SID and secret."""


class TwilioSecret:
    """The credentials, read once and again after `LIFETIME_SECONDS`."""

    def __init__(self, client: Callable[[], SecretsManagerClient], secret: str) -> None:
        """`client` is called at the first read, so that a warm start pays nothing for it. `secret` is a name or an ARN."""
        self._client = client
        self._secret = secret
        self._cached: Credentials | None = None
        self._read_at = 0.0

    def credentials(self, *, newer_than_seconds: float = LIFETIME_SECONDS) -> Credentials:
        """Raises Misconfigured for a secret of another shape, StorageUnavailable where it could never be read."""
        if self._cached is None or time.monotonic() - self._read_at >= newer_than_seconds:
            try:
                self._cached = self._read()
            except StorageUnavailable:
                # Credentials that were good a while ago are better than no phone.
                if self._cached is None:
                    raise
            self._read_at = time.monotonic()
        return self._cached

    def _read(self) -> Credentials:
        try:
            text = self._client().get_secret_value(SecretId=self._secret).get("SecretString", "")
        except (ClientError, BotoCoreError) as error:
            code = error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__
            raise StorageUnavailable(f"Secrets Manager: {code} for the secret {self._secret!r}.") from error
        return _parse(text, self._secret)


def _parse(text: str, secret: str) -> Credentials:
    try:
        fields = json.loads(text)
    except ValueError:
        fields = None  # not chained: the cause would show what is in the secret
    values = [fields.get(name) or "" for name in FIELDS] if isinstance(fields, dict) else [""]
    texts = [value for value in values if isinstance(value, str)]
    if len(texts) == len(FIELDS):
        token, previous, key_sid, key_secret = texts
        if token and bool(key_sid) == bool(key_secret):
            return Credentials((token, previous) if previous else (token,), (key_sid, key_secret) if key_sid else None)
    raise Misconfigured(
        f'The secret {secret!r} must be JSON like {{"auth_token": "…"}}, with api_key_sid and api_key_secret or neither.'
    )
