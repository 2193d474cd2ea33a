"""Copy the media of a text into the stack's bucket, each once, and announce what became of each."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from io import SEEK_END
from typing import Any, BinaryIO

from twilio_plugin.domain.conversation import KeptMedia
from twilio_plugin.domain.events import MediaRefused, MediaStored, event_id
from twilio_plugin.domain.media_copy import WHY_REFUSED, MediaMessage, MediaRefusal
from twilio_plugin.domain.media_type import HEAD_BYTES, family, fits
from twilio_plugin.domain.timestamp import iso
from twilio_plugin.services.ports import Clock, MediaCopies, MediaNotReady, MediaNotTaken, MediaSource, MediaStore

# Twilio's webhook may come before its media (404): "1-3 seconds, with backoff" is Twilio's own advice.
PAUSES = (1.0, 3.0, 9.0, 20.0)
# Lambda runs a failed invocation again after one minute and after two more. What fails when so much time has gone is given up;
# before, the failure is Lambda's to repeat.
GIVE_UP = timedelta(minutes=3)


@dataclass(frozen=True, slots=True)
class Copier:
    """The ports that copying needs. `pause` waits for so many seconds."""

    source: MediaSource
    store: MediaStore
    copies: MediaCopies
    clock: Clock
    pause: Callable[[float], None]


def copy_media(message: MediaMessage, by: Copier) -> str:
    """Copy what is not copied yet; says what it did.

    Raises:
        MediaNotReady: something was not to be had and may be later; the others are copied.
        StorageUnavailable: as the ports do.
    """
    kept = by.copies.media_of(message)
    if kept is None:
        return "forgotten"
    outcomes: list[str] = []
    late: list[MediaNotReady] = []
    for index, media in enumerate(kept):
        if media.s3_key is None or media.size is not None:
            continue  # an earlier invocation has settled it
        try:
            outcomes.append(_copy(message, index, media, media.s3_key, by))
        except MediaNotReady as trouble:
            late.append(trouble)
    if late:
        raise late[0]
    return ", ".join(outcomes) or "nothing to do"


def _copy(message: MediaMessage, index: int, media: KeptMedia, key: str, by: Copier) -> str:
    try:
        size = _store(media, key, by)
    except MediaNotReady as trouble:
        if by.clock() - datetime.fromisoformat(message.occurred_at) < GIVE_UP:
            raise
        return _refuse(message, index, media, trouble.reason, by)
    except MediaNotTaken as refusal:
        return _refuse(message, index, media, refusal.reason, by)
    event = MediaStored(
        **_about(message, index, media, by),
        event_id=event_id(MediaStored, message.message_sid, index),
        bucket=by.store.name,
        s3_key=key,
        size=size,
    )
    if by.copies.settle(message, index, dataclasses.replace(media, size=size), event):
        return "stored"
    if by.copies.media_of(message) is None:
        by.store.delete(key)  # the person was forgotten meanwhile
        return "forgotten"
    return "stored before"


def _store(media: KeptMedia, key: str, by: Copier) -> int:
    """Its bytes, now in the bucket."""
    if family(media.content_type) is None:
        raise MediaNotTaken("type_not_allowed")
    with _fetched(media.url, by) as content:
        if not fits(media.content_type, content.read(HEAD_BYTES)):
            raise MediaNotTaken("wrong_type")
        size = content.seek(0, SEEK_END)
        content.seek(0)
        by.store.put(key, content, media.content_type)
    return size


def _fetched(url: str, by: Copier) -> BinaryIO:
    for pause in PAUSES:
        try:
            return by.source.fetch(url)
        except MediaNotReady:
            by.pause(pause)
    return by.source.fetch(url)


def _refuse(message: MediaMessage, index: int, media: KeptMedia, reason: MediaRefusal, by: Copier) -> str:
    why = WHY_REFUSED[reason]
    event = MediaRefused(
        **_about(message, index, media, by),
        event_id=event_id(MediaRefused, message.message_sid, index),
        reason=reason,
        meaning=why.meaning,
        remedy=why.remedy,
    )
    by.copies.settle(message, index, dataclasses.replace(media, s3_key=None, refused=reason), event)
    return reason


def _about(message: MediaMessage, index: int, media: KeptMedia, by: Copier) -> dict[str, Any]:
    """What both events say."""
    return dataclasses.asdict(message) | {
        "occurred_at": iso(by.clock()),
        "index": index,
        "url": media.url,
        "content_type": media.content_type,
    }
