"""The plugin's EventBridge bus."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from twilio_plugin.domain.events import SOURCE
from twilio_plugin.errors import StorageUnavailable
from twilio_plugin.services.ports import Announcement

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

_ENTRIES = 10  # PutEvents takes no more in a call
_TRIES = 3


class EventBridgeBus:
    """`EventBus` on EventBridge, which answers 200 even when it took only some of the entries."""

    def __init__(
        self, client: EventBridgeClient, bus_name: str, published: Callable[[Sequence[Announcement]], None] = lambda _: None
    ) -> None:
        """`published` is told what the bus has taken."""
        self._client = client
        self._bus_name = bus_name
        self._published = published

    def publish(self, announcements: Sequence[Announcement]) -> set[str]:
        """Raises StorageUnavailable when the bus cannot be reached at all."""
        failed: list[Announcement] = []
        for at in range(0, len(announcements), _ENTRIES):
            failed += self._publish(announcements[at : at + _ENTRIES])
        return {one.event_id for one in failed}

    def _publish(self, batch: Sequence[Announcement]) -> Sequence[Announcement]:
        for attempt in range(_TRIES):
            if attempt:
                time.sleep(0.1 * 2**attempt)
            try:
                answer = self._client.put_events(Entries=[self._entry(one) for one in batch])
            except (ClientError, BotoCoreError) as error:
                raise StorageUnavailable(f"EventBridge refused or could not be reached: {type(error).__name__}.") from error
            refused = [one for one, entry in zip(batch, answer["Entries"], strict=True) if entry.get("ErrorCode")]
            self._published([one for one in batch if one not in refused])
            if not refused:
                return []
            batch = refused
        return batch

    def _entry(self, one: Announcement) -> Any:
        return {
            "EventBusName": self._bus_name,
            "Source": SOURCE,
            "DetailType": one.detail_type,
            "Detail": one.detail,
            "Time": datetime.fromisoformat(one.occurred_at),
        }
