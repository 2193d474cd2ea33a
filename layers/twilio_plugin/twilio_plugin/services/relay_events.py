"""From the outbox to the bus."""

from __future__ import annotations

from collections.abc import Sequence

from twilio_plugin.services.ports import Announcement, EventBus, Outbox


def relay_events(announcements: Sequence[Announcement], bus: EventBus, outbox: Outbox) -> set[str]:
    """Publish, then delete what is published. Returns the ids of events that the bus did not take."""
    failed = bus.publish(announcements)
    outbox.delete(one.event_id for one in announcements if one.event_id not in failed)
    return failed
