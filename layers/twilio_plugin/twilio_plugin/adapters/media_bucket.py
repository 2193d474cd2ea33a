"""The stack's bucket of media."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, BinaryIO

from botocore.exceptions import BotoCoreError, ClientError

from twilio_plugin.errors import StorageUnavailable

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class MediaBucket:
    """`MediaStore` on S3."""

    def __init__(self, client: Callable[[], S3Client], name: str) -> None:
        self._client = client
        self.name = name

    def put(self, key: str, content: BinaryIO, content_type: str) -> None:
        try:
            self._client().put_object(Bucket=self.name, Key=key, Body=content, ContentType=content_type)
        except (ClientError, BotoCoreError) as error:
            raise s3_unavailable(error) from error

    def delete(self, key: str) -> None:
        try:
            self._client().delete_object(Bucket=self.name, Key=key)
        except (ClientError, BotoCoreError) as error:
            raise s3_unavailable(error) from error

    def delete_below(self, prefix: str, *, dry_run: bool) -> int:
        count = 0
        behind: dict[str, Any] | None = {}
        try:
            while behind is not None:
                # Versions, in case somebody has turned them on: a delete without one would only hide the object.
                page = self._client().list_object_versions(Bucket=self.name, Prefix=prefix, **behind)
                listed = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
                count += len(listed)
                for one in () if dry_run else listed:
                    self._client().delete_object(Bucket=self.name, Key=one["Key"], VersionId=one["VersionId"])
                behind = _next(page)
        except (ClientError, BotoCoreError) as error:
            raise s3_unavailable(error) from error
        return count


def _next(page: Mapping[str, Any]) -> dict[str, Any] | None:
    """Where the next page begins; None behind the last."""
    if not page.get("IsTruncated"):
        return None
    markers = {"KeyMarker": page["NextKeyMarker"], "VersionIdMarker": page.get("NextVersionIdMarker")}
    return {name: value for name, value in markers.items() if value}


def s3_unavailable(error: ClientError | BotoCoreError) -> StorageUnavailable:
    """S3's failure in words."""
    code = error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__
    return StorageUnavailable(f"S3: {code}. Look at the bucket and the function's permissions.")
