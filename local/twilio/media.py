"""Media of inbound texts: kept here, served like api.twilio.com does."""

from dataclasses import dataclass, field
from datetime import datetime

from .messages import Message, new_sid, now, rfc2822


@dataclass
class Media:
    """One attachment."""

    content_type: str
    content: bytes
    message_sid: str = ""
    sid: str = field(default_factory=lambda: new_sid("ME"))
    date_created: datetime = field(default_factory=now)


class MediaStore:
    """All attachments, by message. Used on the loop's thread only."""

    def __init__(self) -> None:
        self._by_message: dict[str, dict[str, Media]] = {}

    def attach(self, media: Media, message_sid: str) -> None:
        """Keep an attachment of a message."""
        media.message_sid = message_sid
        self._by_message.setdefault(message_sid, {})[media.sid] = media

    def of(self, message_sid: str) -> list[Media]:
        """The attachments of a message."""
        return list(self._by_message.get(message_sid, {}).values())

    def get(self, message_sid: str, sid: str) -> Media | None:
        """One attachment, if it is of that message."""
        return self._by_message.get(message_sid, {}).get(sid)

    def remove(self, media: Media) -> None:
        """Delete one attachment."""
        self._by_message.get(media.message_sid, {}).pop(media.sid, None)

    def remove_all(self, message_sid: str) -> None:
        """Delete what a deleted message had."""
        self._by_message.pop(message_sid, None)


def resource(message: Message, media: Media) -> dict[str, object]:
    """The JSON of https://www.twilio.com/docs/messaging/api/media-resource."""
    return {
        "sid": media.sid,
        "account_sid": message.account_sid,
        "parent_sid": message.sid,
        "content_type": media.content_type,
        "date_created": rfc2822(media.date_created),
        "date_updated": rfc2822(media.date_created),
        "uri": f"{message.uri}/Media/{media.sid}.json",
    }
