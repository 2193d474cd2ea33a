"""Media we send from S3: ``s3://bucket/key`` in `media_url`, and the link under which Twilio fetches it.

Twilio fetches media without a signature, with HEAD and then GET, and may do so until the message's validity period is over.
A pre-signed URL of S3 is good for one method only, and ends with the credentials it was made with. So the link is one of ours:
what it names and until when is in its token, under a MAC.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime

from twilio_plugin.domain.address import Channel

LINK_SECONDS = 12 * 3600  # Twilio's longest validity period is 10 hours
# Of all media of a message. Twilio, "Accepted content types for media"; errors 11751.
MAX_TOTAL: dict[Channel, int] = {"phone": 5 * 1024 * 1024, "whatsapp": 16 * 1024 * 1024}
_SCHEME = "s3://"
_LONGEST_TOKEN = 2048  # of a key of 1,024 bytes


class LinkRefused(Exception):
    """A token that is not one of ours, or too old. Strangers are not told which."""


@dataclass(frozen=True, slots=True)
class S3Object:
    """An object by its bucket and key."""

    bucket: str
    key: str

    @classmethod
    def named(cls, url: str) -> S3Object | None:
        """``s3://bucket/key``; None for any other URL."""
        if not url.startswith(_SCHEME):
            return None
        bucket, _, key = url.removeprefix(_SCHEME).partition("/")
        return cls(bucket, key) if bucket and key else None

    def __str__(self) -> str:
        return f"{_SCHEME}{self.bucket}/{self.key}"


@dataclass(frozen=True, slots=True)
class StoredMedia:
    """What S3 says of an object."""

    content_type: str
    size: int
    """Bytes."""


def media_token(key: bytes, at: S3Object, *, expires_at: int) -> str:
    """``<bucket/key in base64url>.<epoch seconds>.<HMAC-SHA256>``."""
    where = base64.urlsafe_b64encode(f"{at.bucket}/{at.key}".encode()).decode().rstrip("=")
    return f"{where}.{expires_at}.{_mac(key, where, expires_at)}"


def object_of(token: str, key: bytes, now: datetime) -> S3Object:
    """What a token was made for. Raises LinkRefused."""
    where, _, rest = token.partition(".")
    expires_at, _, mac = rest.partition(".")
    if len(token) > _LONGEST_TOKEN or not (expires_at.isascii() and expires_at.isdigit() and len(expires_at) < 12):
        raise LinkRefused
    fits = hmac.compare_digest(_mac(key, where, int(expires_at)).encode(), mac.encode())
    if not fits or int(expires_at) < now.timestamp():
        raise LinkRefused
    bucket, _, name = base64.urlsafe_b64decode(where + "=" * (-len(where) % 4)).decode().partition("/")
    return S3Object(bucket, name)


def _mac(key: bytes, where: str, expires_at: int) -> str:
    # The first word keeps it apart from what else is under this key: the ledger's hashes, of conversations' ids.
    return hmac.new(key, f"media-link|{where}|{expires_at}".encode(), hashlib.sha256).hexdigest()
