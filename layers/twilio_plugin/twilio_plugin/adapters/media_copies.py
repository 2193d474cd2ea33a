"""What has become of a message's media, in its entry of the Conversations table: ``media[n].size``, or ``media[n].refused``."""

from __future__ import annotations

from twilio_plugin.adapters.conversations import entry_key
from twilio_plugin.adapters.dynamodb import ConditionFailed, DynamoDB, Item, update
from twilio_plugin.adapters.outbox import OutboxTable
from twilio_plugin.domain.conversation import KeptMedia
from twilio_plugin.domain.events import Event
from twilio_plugin.domain.media_copy import MediaMessage


class MediaCopiesTable:
    """`MediaCopies` on DynamoDB."""

    def __init__(self, database: DynamoDB, table: str, outbox: OutboxTable) -> None:
        self._database = database
        self._table = table
        self._outbox = outbox

    def media_of(self, message: MediaMessage) -> tuple[KeptMedia, ...] | None:
        item = self._database.get(self._table, _key(message))
        return tuple(KeptMedia(**media) for media in item["media"]) if item else None

    def settle(self, message: MediaMessage, index: int, media: KeptMedia, event: Event) -> bool:
        at = f"#media[{index}]"
        values: Item = {"size": media.size} if media.refused is None else {"refused": media.refused}
        change = f"SET {at}.#size = :size" if media.refused is None else f"SET {at}.#refused = :refused REMOVE {at}.#s3_key"
        pending = f"attribute_exists({at}.#s3_key) AND attribute_not_exists({at}.#size)"
        write = update(self._table, _key(message), change, condition=pending, values=values)
        try:
            self._database.transact([write, self._outbox.put(event)])
        except ConditionFailed:
            return False
        return True


def _key(message: MediaMessage) -> dict[str, str]:
    return entry_key(message.conversation_id, message.occurred_at, message.message_sid)
