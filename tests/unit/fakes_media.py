"""The ports of media in memory. `test_media_contract` holds those of S3 and of the table to what the adapters do."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from tests.unit.fakes import FakeConversations, FakeOutbox
from twilio_plugin.domain.conversation import KeptMedia
from twilio_plugin.domain.events import Event
from twilio_plugin.domain.media_copy import MediaMessage
from twilio_plugin.domain.outbound_media import S3Object, StoredMedia
from twilio_plugin.services import ports

BUCKET = "twilio-plugin-media"
PNG = b"\x89PNG\r\n\x1a\n" + b"pixels"


class FakeBuckets:
    """Objects by bucket and key, with their types: what is sent from."""

    def __init__(self, buckets: Sequence[str] = (BUCKET,)) -> None:
        self.buckets = tuple(buckets)
        self.objects: dict[tuple[str, str], tuple[bytes, str]] = {}

    def add(self, url: str, content: bytes = PNG, content_type: str = "image/png") -> None:
        at = S3Object.named(url)
        assert at
        self.objects[at.bucket, at.key] = (content, content_type)

    def find(self, at: S3Object) -> StoredMedia | None:
        found = self.objects.get((at.bucket, at.key))
        return StoredMedia(found[1], len(found[0])) if found else None

    def read(self, at: S3Object) -> bytes:
        return self.objects[at.bucket, at.key][0]

    def temporary_url(self, at: S3Object) -> str:
        return f"https://{at.bucket}.s3.amazonaws.com/{at.key}?X-Amz-Signature=0"


class FakeStore:
    """The stack's bucket. `meanwhile` is what others do while something is put there."""

    name = BUCKET

    def __init__(self) -> None:
        self.objects: dict[str, tuple[bytes, str]] = {}
        self.meanwhile: Callable[[], object] | None = None

    def put(self, key: str, content: BinaryIO, content_type: str) -> None:
        self.objects[key] = (content.read(), content_type)
        if self.meanwhile:
            self.meanwhile()

    def delete(self, key: str) -> None:
        self.objects.pop(key, None)

    def delete_below(self, prefix: str, *, dry_run: bool) -> int:
        below = [key for key in self.objects if key.startswith(prefix)]
        for key in () if dry_run else below:
            del self.objects[key]
        return len(below)


@dataclass
class FakeSource:
    """Twilio's media. `troubles` are raised first, one at each request; `held` is what there is."""

    held: dict[str, bytes] = field(default_factory=dict)
    troubles: list[ports.MediaNotTaken] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def fetch(self, url: str) -> BinaryIO:
        self.asked.append(url)
        if self.troubles:
            raise self.troubles.pop(0)
        if url not in self.held:
            raise ports.MediaNotTaken("not_from_twilio")
        return io.BytesIO(self.held[url])


class FakeCopies:
    """What became of the copies, over the fake conversations."""

    def __init__(self, conversations: FakeConversations, outbox: FakeOutbox) -> None:
        self._conversations = conversations
        self._outbox = outbox
        self._settled: dict[tuple[str, int], KeptMedia] = {}

    def media_of(self, message: MediaMessage) -> tuple[KeptMedia, ...] | None:
        for entry in self._conversations.entries:
            if (entry.conversation_id, entry.message_sid) == (message.conversation_id, message.message_sid):
                kept = [KeptMedia(one.url, one.content_type, one.s3_key) for one in entry.media]
                return tuple(self._settled.get((message.message_sid, index), one) for index, one in enumerate(kept))
        return None

    def settle(self, message: MediaMessage, index: int, media: KeptMedia, event: Event) -> bool:
        if self.media_of(message) is None or (message.message_sid, index) in self._settled:
            return False
        self._settled[message.message_sid, index] = media
        self._outbox.put(event)
        return True


@dataclass
class FakeTwilioRecords:
    """What Twilio was told to erase."""

    erased: list[str] = field(default_factory=list)

    def erase_message(self, message_sid: str) -> None:
        self.erased.append(message_sid)

    def erase_recording(self, recording_sid: str) -> None:
        self.erased.append(recording_sid)

    def erase_call(self, call_sid: str) -> None:
        self.erased.append(call_sid)


_buckets: type[ports.OutboundMedia] = FakeBuckets
_store: type[ports.MediaStore] = FakeStore
_files: type[ports.KeptMediaFiles] = FakeStore
_source: type[ports.MediaSource] = FakeSource
_copies: type[ports.MediaCopies] = FakeCopies
_records: type[ports.TwilioRecords] = FakeTwilioRecords
