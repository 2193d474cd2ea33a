"""Twilio fetches what we send with a text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from twilio_plugin.domain.outbound_media import LinkRefused, S3Object, object_of
from twilio_plugin.services.ports import Clock, OutboundMedia

# Of what a function may answer (6 MB) a body in base64 takes four thirds.
LARGEST_BODY = 4_400_000


@dataclass(frozen=True, slots=True)
class Served:
    """What Twilio is answered: the body, where it was asked for; or, where that is too large, where it is."""

    content_type: str
    size: int
    body: bytes | None = None
    location: str | None = None


def serve_media(token: str, *, with_body: bool, media: OutboundMedia, key: Callable[[], bytes], clock: Clock) -> Served | None:
    """The medium that a link's token names; None where there is nothing for whoever shows it.

    Raises:
        StorageUnavailable: S3 or the key cannot be read now.
    """
    at = _named(token, key(), clock())
    # The sender has checked it; but a bucket that is no longer named in the parameters is no longer served.
    found = media.find(at) if at and at.bucket in media.buckets else None
    if at is None or found is None:
        return None
    if not with_body:
        return Served(found.content_type, found.size)
    if found.size > LARGEST_BODY:
        return Served(found.content_type, found.size, location=media.temporary_url(at))
    return Served(found.content_type, found.size, body=media.read(at))


def _named(token: str, key: bytes, now: datetime) -> S3Object | None:
    try:
        return object_of(token, key, now)
    except LinkRefused:
        return None
