"""Whether what lies in S3 can be sent: refused before Twilio is asked, with a sentence, instead of failing there later."""

from __future__ import annotations

from twilio_plugin.domain.media_type import family
from twilio_plugin.domain.outbound import Part
from twilio_plugin.domain.outbound_media import MAX_TOTAL, S3Object
from twilio_plugin.errors import MediaNotAllowed
from twilio_plugin.services.ports import OutboundMedia


def check_media(part: Part, media: OutboundMedia) -> None:
    """Look at every ``s3://`` of a part.

    Raises:
        MediaNotAllowed: it is in another bucket, not there, of a type Twilio does not take, or too large.
        StorageUnavailable: S3 cannot be asked now.
    """
    total = sum(_size(at, media) for at in map(S3Object.named, part.media_url) if at)
    limit = MAX_TOTAL.get(part.recipient.channel, MAX_TOTAL["phone"])
    if total > limit:
        raise MediaNotAllowed(
            f"The media are {total:,} bytes together; Twilio takes at most {limit:,} in a message to {part.recipient.channel}. "
            "Send smaller ones, or several messages."
        )


def _size(at: S3Object, media: OutboundMedia) -> int:
    if at.bucket not in media.buckets:
        raise MediaNotAllowed(
            f"{at.bucket!r} is not a bucket that is sent from. Put it into {media.buckets[0]} (output MediaBucketName), or "
            "name your bucket in the parameter MediaSourceBucket."
        )
    found = media.find(at)
    if found is None:
        raise MediaNotAllowed(f"{str(at)[:120]!r} is not there, or the function may not read it.")
    if family(found.content_type) is None:
        raise MediaNotAllowed(
            f"{str(at)[:120]!r} has the Content-Type {found.content_type[:60]!r}, which Twilio does not take. "
            "Set it on the object, as image/jpeg."
        )
    return found.size
