"""Media to send, in S3."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from twilio_plugin.adapters.media_bucket import s3_unavailable
from twilio_plugin.domain.outbound_media import S3Object, StoredMedia

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

URL_SECONDS = 300  # Twilio follows a redirect at once
# Who may not list a bucket is told 403 of an object that is not there; a bucket of another region answers 301, and 400 to HEAD.
_NOT_THERE = {"301", "400", "403", "404", "NoSuchBucket", "NoSuchKey", "AccessDenied", "PermanentRedirect"}


class S3Media:
    """`OutboundMedia` on S3."""

    def __init__(self, client: Callable[[], S3Client], buckets: Sequence[str]) -> None:
        """`client` is called when something is asked: most texts have no media in S3."""
        self._client = client
        self.buckets = tuple(buckets)

    def find(self, at: S3Object) -> StoredMedia | None:
        try:
            head = self._client().head_object(Bucket=at.bucket, Key=at.key)
        except ClientError as error:
            if error.response["Error"]["Code"] in _NOT_THERE:
                return None
            raise s3_unavailable(error) from error
        except BotoCoreError as error:
            raise s3_unavailable(error) from error
        return StoredMedia(head["ContentType"], head["ContentLength"])

    def read(self, at: S3Object) -> bytes:
        try:
            return self._client().get_object(Bucket=at.bucket, Key=at.key)["Body"].read()
        except (ClientError, BotoCoreError) as error:
            raise s3_unavailable(error) from error

    def temporary_url(self, at: S3Object) -> str:
        try:
            where = {"Bucket": at.bucket, "Key": at.key}
            return self._client().generate_presigned_url(ClientMethod="get_object", Params=where, ExpiresIn=URL_SECONDS)
        except (ClientError, BotoCoreError) as error:
            raise s3_unavailable(error) from error
