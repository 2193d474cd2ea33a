"""The Twilio credentials, from Secrets Manager: JSON objects, of which a function may read one; and the stack's own key.

The *signing secret* is what Twilio signs with: ``{"auth_token": "…"}``, with ``previous_auth_token`` where two are to count.
What it held before its last change counts for `FORMER_SECONDS` more. The *REST secret* is what requests are made with:
``{"api_key_sid": "SK…", "api_key_secret": "…"}``, or ``{"auth_token": "…"}`` where there is no API key.
"""

from __future__ import annotations

import json
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from twilio_plugin.errors import Misconfigured, StorageUnavailable

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

LIFETIME_SECONDS = 300
# An old token counts so long after it was replaced: Twilio signs with it until the new one is promoted.
FORMER_SECONDS = 900
# Strangers' signatures make us look again, and must not do so at will: a few looks at once, and then one every few seconds.
LOOKS = 5
SECONDS_PER_LOOK = 2.0
_FIELDS = ("auth_token", "previous_auth_token", "api_key_sid", "api_key_secret")
_SIGNING = '{"auth_token": "…"}'
_REST = '{"api_key_sid": "SK…", "api_key_secret": "…"}, or {"auth_token": "…"} without an API key'

Content = TypeVar("Content")


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """What REST requests are made with. Never printed: it has no repr."""

    auth_token: str = ""
    api_key: tuple[str, str] | None = None
    """SID and secret, in the place of the token."""


class _Secret(ABC, Generic[Content]):
    """A secret, read once and again after `LIFETIME_SECONDS`, or sooner where it seems to have changed."""

    def __init__(self, client: Callable[[], SecretsManagerClient], secret: str) -> None:
        """`client` is called at the first read, so that a warm start pays nothing for it. `secret` is a name or an ARN."""
        self._client = client
        self._secret = secret
        self._cached: Content | None = None
        self._read_at = 0.0
        self._looks = float(LOOKS)
        self._looked_at = time.monotonic()

    @abstractmethod
    def _content(self) -> Content:
        """What the secret holds now."""

    def _known(self) -> Content:
        if self._cached is None or time.monotonic() - self._read_at >= LIFETIME_SECONDS:
            try:
                self._cached = self._content()
            except StorageUnavailable:
                # Credentials that were good a while ago are better than no phone.
                if self._cached is None:
                    raise
            self._read_at = time.monotonic()
        return self._cached

    def _fresh(self) -> Content | None:
        """What it holds now, though it was read a moment ago; None where that cannot be told at the moment."""
        if self._cached is None:
            return self._known()
        if not self._may_look():
            return None
        try:
            self._cached = self._content()
        except StorageUnavailable:
            return None
        self._read_at = time.monotonic()
        return self._cached

    def _may_look(self) -> bool:
        now = time.monotonic()
        self._looks = min(LOOKS, self._looks + (now - self._looked_at) / SECONDS_PER_LOOK)
        self._looked_at = now
        if self._looks < 1:
            return False
        self._looks -= 1
        return True

    def _fields(self, text: str, expected: str) -> Mapping[str, str]:
        """The secret's texts. Raises Misconfigured where it is no JSON object, or something in it no text."""
        try:
            fields = json.loads(text)
        except ValueError:
            fields = None  # not chained: the cause would show what is in the secret
        if isinstance(fields, dict):
            values = {name: fields.get(name) or "" for name in _FIELDS}
            if all(isinstance(value, str) for value in values.values()):
                return values
        raise self._misshapen(expected)

    def _misshapen(self, expected: str) -> Misconfigured:
        return Misconfigured(f"The secret {self._secret!r} must be JSON like {expected}.")


class SigningSecret(_Secret[tuple[str, ...]]):
    """The tokens that Twilio signs with. The one in force is the first."""

    def auth_tokens(self) -> tuple[str, ...]:
        """Raises Misconfigured for a secret of another shape, StorageUnavailable where it could never be read."""
        return self._known()

    def fresh_auth_tokens(self) -> tuple[str, ...] | None:
        """The tokens as the secret has them now; None where that may not, or cannot, be looked up at the moment."""
        return self._fresh()

    def _content(self) -> tuple[str, ...]:
        try:
            version = self._client().get_secret_value(SecretId=self._secret)
            tokens = self._tokens(version.get("SecretString", ""))
            if time.time() - version["CreatedDate"].timestamp() < FORMER_SECONDS:
                tokens += self._former_tokens()
        except (ClientError, BotoCoreError) as error:
            raise _unavailable(self._secret, error) from error
        return tuple(dict.fromkeys(tokens))

    def _former_tokens(self) -> tuple[str, ...]:
        try:
            version = self._client().get_secret_value(SecretId=self._secret, VersionStage="AWSPREVIOUS")
            return self._tokens(version.get("SecretString", ""))
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceNotFoundException":
                raise
        except Misconfigured:
            pass  # it was wrong, and was set right
        return ()

    def _tokens(self, text: str) -> tuple[str, ...]:
        fields = self._fields(text, _SIGNING)
        if not fields["auth_token"]:
            raise self._misshapen(_SIGNING)
        return tuple(token for token in (fields["auth_token"], fields["previous_auth_token"]) if token)


class RestSecret(_Secret[Credentials]):
    """What REST requests are made with."""

    def credentials(self) -> Credentials:
        """Raises Misconfigured for a secret of another shape, StorageUnavailable where it could never be read."""
        return self._known()

    def fresh_credentials(self) -> Credentials | None:
        """The credentials as the secret has them now; None where that may not, or cannot, be looked up at the moment."""
        return self._fresh()

    def _content(self) -> Credentials:
        try:
            text = self._client().get_secret_value(SecretId=self._secret).get("SecretString", "")
        except (ClientError, BotoCoreError) as error:
            raise _unavailable(self._secret, error) from error
        fields = self._fields(text, _REST)
        key = (fields["api_key_sid"], fields["api_key_secret"])
        if all(key):
            return Credentials(api_key=key)
        if any(key) or not fields["auth_token"]:
            raise self._misshapen(_REST)
        return Credentials(auth_token=fields["auth_token"])


class LedgerKey:
    """The key under which the opt-out ledger knows a pair of numbers, and by which links to media are known to be ours.

    It never changes, so it is read once.
    """

    def __init__(self, client: Callable[[], SecretsManagerClient], secret: str) -> None:
        """As a secret of Twilio's credentials."""
        self._client = client
        self._secret = secret
        self._cached = b""

    def key(self) -> bytes:
        """Raises Misconfigured for a secret without text, StorageUnavailable where it cannot be read."""
        if not self._cached:
            self._cached = self._read().encode()
        if not self._cached:
            raise Misconfigured(f"The secret {self._secret!r} is empty: the opt-out ledger cannot be read without its key.")
        return self._cached

    def _read(self) -> str:
        try:
            return self._client().get_secret_value(SecretId=self._secret).get("SecretString", "")
        except (ClientError, BotoCoreError) as error:
            raise _unavailable(self._secret, error) from error


def _unavailable(secret: str, error: ClientError | BotoCoreError) -> StorageUnavailable:
    code = error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__
    return StorageUnavailable(f"Secrets Manager: {code} for the secret {secret!r}.")
