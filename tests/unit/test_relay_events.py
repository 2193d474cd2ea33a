from __future__ import annotations

from tests.unit.fakes import END_OF_TIME, FakeWorld
from twilio_plugin.domain.events import SmsStatusChanged
from twilio_plugin.services.ports import Announcement
from twilio_plugin.services.relay_events import relay_events


def held(world: FakeWorld, count: int) -> list[Announcement]:
    for number in range(count):
        world.outbox.put(
            SmsStatusChanged(
                event_id=f"event {number}",
                occurred_at="2026-11-22T08:00:00.000Z",
                account_sid="AC1",
                conversation_id="phone|+14155550100|+14155550123",
                message_sid="SM1",
                channel="phone",
                from_="+14155550100",
                to="+14155550123",
                status="sent",
            )
        )
    return list(world.outbox.leftovers(before=END_OF_TIME))


def test_what_is_on_the_bus_leaves_the_outbox(fake_world: FakeWorld) -> None:
    announcements = held(fake_world, 3)

    assert relay_events(announcements, fake_world.bus, fake_world.outbox) == set()
    assert fake_world.bus.published == announcements
    assert held(fake_world, 0) == []


def test_what_the_bus_did_not_take_is_named_and_stays(fake_world: FakeWorld) -> None:
    announcements = held(fake_world, 3)
    fake_world.bus.refuses = {"event 1"}

    assert relay_events(announcements, fake_world.bus, fake_world.outbox) == {"event 1"}
    assert [one.event_id for one in held(fake_world, 0)] == ["event 1"]


def test_nothing_is_no_work(fake_world: FakeWorld) -> None:
    assert relay_events([], fake_world.bus, fake_world.outbox) == set()
