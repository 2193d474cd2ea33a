"""The ports of media: once in memory, once on S3 and DynamoDB (moto)."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from tests.unit.fakes import ACCOUNT, FakeConversations, FakeOutbox, World
from tests.unit.fakes_media import BUCKET, PNG, FakeBuckets, FakeCopies, FakeStore
from twilio_plugin.adapters.conversations import ConversationsTable
from twilio_plugin.adapters.dynamodb import DynamoDB
from twilio_plugin.adapters.media_bucket import MediaBucket
from twilio_plugin.adapters.media_copies import MediaCopiesTable
from twilio_plugin.adapters.s3_media import S3Media
from twilio_plugin.domain.conversation import Entry, KeptMedia
from twilio_plugin.domain.events import MediaStored
from twilio_plugin.domain.media_copy import MediaMessage
from twilio_plugin.domain.message import Media, media_key
from twilio_plugin.domain.outbound_media import S3Object, StoredMedia
from twilio_plugin.services import ports

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PAIR, AT = "phone|+14155550100|+14155550123", "2026-11-22T08:00:00.000Z"
MESSAGE = MediaMessage("MM1", ACCOUNT, PAIR, AT, "phone", "+14155550123", "+14155550100")
MEDIA = (
    Media("https://api.twilio.com/0", "image/png", media_key("MM1", 0)),
    Media("https://api.twilio.com/1", "image/jpeg", media_key("MM1", 1)),
)
ENTRY = Entry(
    conversation_id=PAIR,
    occurred_at=AT,
    kind="mms",
    direction="inbound",
    message_sid="MM1",
    from_="+14155550123",
    to="+14155550100",
    body="",
    media=MEDIA,
)


def stored(index: int) -> MediaStored:
    return MediaStored(
        event_id=f"MEDIA_STORED#MM1#{index}",
        occurred_at=AT,
        account_sid=ACCOUNT,
        conversation_id=PAIR,
        message_sid="MM1",
        channel="phone",
        from_="+14155550123",
        to="+14155550100",
        index=index,
        url="https://api.twilio.com/0",
        content_type="image/png",
        bucket=BUCKET,
        s3_key=media_key("MM1", index),
        size=9,
    )


@pytest.fixture
def s3(dynamodb: DynamoDBClient) -> Iterator[Any]:
    """moto's S3, with a bucket; all of moto is on with DynamoDB's."""
    client = boto3.client("s3")
    client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    yield client
    for version in client.list_object_versions(Bucket=BUCKET).get("Versions", []):
        client.delete_object(Bucket=BUCKET, Key=version["Key"], VersionId=version["VersionId"])
    client.delete_bucket(Bucket=BUCKET)


# --------------------------------------------------------------------------------------------------------- the stack's bucket


@dataclass
class Files:
    store: ports.MediaStore
    files: ports.KeptMediaFiles
    outbound: ports.OutboundMedia


@pytest.fixture(params=["fake", "s3"])
def bucket(request: pytest.FixtureRequest) -> Files:
    if request.param == "fake":
        fake, buckets = FakeStore(), FakeBuckets()
        buckets.objects = Shown(fake)
        return Files(fake, fake, buckets)
    client = request.getfixturevalue("s3")
    real = MediaBucket(lambda: client, BUCKET)
    return Files(real, real, S3Media(lambda: client, [BUCKET, "yours"]))


class Shown(dict[tuple[str, str], tuple[bytes, str]]):
    """The one fake's objects as the other's."""

    def __init__(self, store: FakeStore) -> None:
        self._store = store

    def get(self, at: Any, default: Any = None) -> Any:
        return self._store.objects.get(at[1], default)

    def __getitem__(self, at: tuple[str, str]) -> tuple[bytes, str]:
        return self._store.objects[at[1]]


def test_what_is_put_there_can_be_found_and_read(bucket: Files) -> None:
    bucket.store.put("inbound/MM1/0", io.BytesIO(PNG), "image/png")
    at = S3Object(BUCKET, "inbound/MM1/0")

    assert bucket.outbound.find(at) == StoredMedia("image/png", len(PNG))
    assert bucket.outbound.read(at) == PNG
    assert bucket.outbound.temporary_url(at).startswith("https://")
    assert "inbound/MM1/0" in bucket.outbound.temporary_url(at)


def test_what_is_not_there_is_none(bucket: Files) -> None:
    assert bucket.outbound.find(S3Object(BUCKET, "nothing")) is None


def test_a_bucket_that_is_not_there_is_none_too(s3: Any) -> None:
    assert S3Media(lambda: s3, [BUCKET]).find(S3Object("nobodys-bucket", "a")) is None


def test_an_object_can_be_deleted_twice(bucket: Files) -> None:
    bucket.store.put("inbound/MM1/0", io.BytesIO(PNG), "image/png")

    for _ in range(2):
        bucket.store.delete("inbound/MM1/0")

    assert bucket.outbound.find(S3Object(BUCKET, "inbound/MM1/0")) is None


def test_only_what_is_below_is_deleted_and_a_dry_run_only_counts(bucket: Files) -> None:
    for key in ("inbound/MM1/0", "inbound/MM1/1", "inbound/MM10/0"):
        bucket.store.put(key, io.BytesIO(PNG), "image/png")

    assert bucket.files.delete_below("inbound/MM1/", dry_run=True) == 2
    assert bucket.files.delete_below("inbound/MM1/", dry_run=False) == 2
    assert bucket.files.delete_below("inbound/MM1/", dry_run=False) == 0
    assert bucket.outbound.find(S3Object(BUCKET, "inbound/MM10/0"))


def test_where_versions_are_kept_every_one_goes(s3: Any) -> None:
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    store = MediaBucket(lambda: s3, BUCKET)
    for content in (b"one", b"two"):
        store.put("inbound/MM1/0", io.BytesIO(content), "image/png")
    store.delete("inbound/MM1/0")

    assert store.delete_below("inbound/MM1/", dry_run=False) == 3

    left = s3.list_object_versions(Bucket=BUCKET)
    assert not left.get("Versions")
    assert not left.get("DeleteMarkers")


# ------------------------------------------------------------------------------------------------------- what became of copies


@dataclass
class Copies:
    copies: ports.MediaCopies
    world: World


@pytest.fixture
def kept(world: World, request: pytest.FixtureRequest) -> Copies:
    world.conversations.add_received(ENTRY, [], None)
    if isinstance(world.conversations, FakeConversations):
        assert isinstance(world.outbox, FakeOutbox)
        return Copies(FakeCopies(world.conversations, world.outbox), world)
    conversations: Any = world.conversations
    assert isinstance(conversations, ConversationsTable)
    client: DynamoDBClient = request.getfixturevalue("dynamodb")
    return Copies(MediaCopiesTable(DynamoDB(client), conversations._table, conversations._outbox), world)


def test_the_media_of_a_message_are_those_it_came_with(kept: Copies) -> None:
    assert kept.copies.media_of(MESSAGE) == tuple(KeptMedia(one.url, one.content_type, one.s3_key) for one in MEDIA)


def test_of_a_message_that_is_not_kept_there_is_nothing_and_nothing_can_be_settled(kept: Copies) -> None:
    other = MediaMessage("MM2", ACCOUNT, PAIR, AT, "phone", "+14155550123", "+14155550100")

    assert kept.copies.media_of(other) is None
    assert not kept.copies.settle(other, 0, KeptMedia("u", "image/png", "k", size=9), stored(0))
    assert kept.world.announced() == []


def test_a_copy_is_settled_once_and_announced_once(kept: Copies) -> None:
    first, second = kept.copies.media_of(MESSAGE) or ()
    there = KeptMedia(first.url, first.content_type, first.s3_key, size=9)

    assert kept.copies.settle(MESSAGE, 0, there, stored(0))
    assert not kept.copies.settle(MESSAGE, 0, KeptMedia(first.url, first.content_type, refused="too_large"), stored(0))
    assert kept.copies.media_of(MESSAGE) == (there, second)
    assert [one.event_id for one in kept.world.announced()] == ["MEDIA_STORED#MM1#0"]


def test_what_was_refused_has_no_key_any_more(kept: Copies) -> None:
    first, second = kept.copies.media_of(MESSAGE) or ()
    refused = KeptMedia(second.url, second.content_type, refused="wrong_type")

    assert kept.copies.settle(MESSAGE, 1, refused, stored(1))
    assert not kept.copies.settle(MESSAGE, 1, KeptMedia(second.url, second.content_type, second.s3_key, size=9), stored(1))
    assert kept.copies.media_of(MESSAGE) == (first, refused)


def test_the_history_shows_what_became_of_it(real_world: World, dynamodb: DynamoDBClient) -> None:
    conversations: Any = real_world.conversations
    real_world.conversations.add_received(ENTRY, [], None)
    copies = MediaCopiesTable(DynamoDB(dynamodb), conversations._table, conversations._outbox)
    copies.settle(MESSAGE, 0, KeptMedia("u", "image/png", media_key("MM1", 0), size=9), stored(0))

    (entry,) = real_world.history.page(PAIR, limit=1, before=None).entries

    assert entry.media == (
        KeptMedia(MEDIA[0].url, "image/png", media_key("MM1", 0), size=9),
        KeptMedia(MEDIA[1].url, "image/jpeg", media_key("MM1", 1)),
    )
