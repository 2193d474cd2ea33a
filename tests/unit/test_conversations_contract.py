"""What every `Conversations` and `History` does: the fake, and the table as it is deployed."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from tests.unit.fakes import ACCOUNT, World
from twilio_plugin.domain.address import Address, conversation_id
from twilio_plugin.domain.conversation import Entry, KeptMedia
from twilio_plugin.domain.events import Event, OptOutChanged, SmsReceived, SmsStatusChanged, event_id
from twilio_plugin.domain.message_status import StatusUpdate
from twilio_plugin.domain.opt_out import ContactState
from twilio_plugin.domain.timestamp import iso
from twilio_plugin.services.ports import LedgerChange, LedgerMoved

OURS, THEIRS = Address("phone", "+14155550100"), Address("phone", "+14155550123")
PAIR = conversation_id(OURS, THEIRS)


def received(world: World, sid: str, **changes: Any) -> tuple[Entry, Event]:
    now = iso(world.clock())
    entry = Entry(
        conversation_id=PAIR,
        occurred_at=now,
        kind="sms",
        direction="inbound",
        message_sid=sid,
        from_=str(THEIRS),
        to=str(OURS),
        body="Hello!",
    )
    event = SmsReceived(
        event_id=event_id(SmsReceived, sid),
        occurred_at=now,
        account_sid=ACCOUNT,
        conversation_id=PAIR,
        message_sid=sid,
        channel="phone",
        from_=str(THEIRS),
        to=str(OURS),
        body="Hello!",
    )
    return dataclasses.replace(entry, **changes), event


def opt_out_event(world: World, sid: str, state: ContactState) -> OptOutChanged:
    return OptOutChanged(
        event_id=event_id(OptOutChanged, sid),
        occurred_at=iso(world.clock()),
        account_sid=ACCOUNT,
        conversation_id=PAIR,
        channel="phone",
        from_=str(THEIRS),
        to=str(OURS),
        state=state,
        cause="keyword",
    )


def status(world: World, sid: str, to: str, error_code: int | None = None) -> bool:
    update = StatusUpdate(sid, ACCOUNT, to, OURS, THEIRS, error_code)
    event = SmsStatusChanged(
        event_id=event_id(SmsStatusChanged, sid, to),
        occurred_at=iso(world.clock()),
        account_sid=ACCOUNT,
        conversation_id=PAIR,
        message_sid=sid,
        channel="phone",
        from_=str(OURS),
        to=str(THEIRS),
        status=to,
    )
    return world.conversations.apply_status(update, event)


CLOSE = LedgerChange(PAIR, "opted_in", "opted_out")
REOPEN = LedgerChange(PAIR, "opted_out", "opted_in")


def test_who_has_never_said_anything_is_opted_in(world: World) -> None:
    assert world.conversations.contact_state(PAIR) == "opted_in"


def test_a_received_text_is_in_the_history_and_its_event_in_the_outbox(world: World) -> None:
    entry, event = received(world, "SM1", media=(KeptMedia("https://example.com/a.png", "image/png"),), kind="mms")

    assert world.conversations.add_received(entry, [event], None) is True

    assert world.history.page(PAIR, limit=10, before=None).entries == [entry]
    (announcement,) = world.announced()
    assert announcement.event_id == "SMS_RECEIVED#SM1"
    assert announcement.detail_type == "SMS_RECEIVED"
    assert announcement.occurred_at == event.occurred_at
    assert json.loads(announcement.detail) == json.loads(json.dumps(event.detail()))


def test_when_a_text_came_is_known_by_its_sid(world: World) -> None:
    entry, event = received(world, "SM1")
    world.conversations.add_received(entry, [event], None)
    status(world, "SM2", "sent")

    assert [world.conversations.received_at(sid) for sid in ("SM1", "SM2", "SM3")] == [entry.occurred_at, None, None]


def test_a_text_that_is_there_already_changes_nothing(world: World) -> None:
    world.conversations.add_received(*_one(received(world, "SM1")), None)
    world.announced()

    again, event = received(world, "SM1", body="Another body")

    assert world.conversations.add_received(again, [event, opt_out_event(world, "SM1", "opted_out")], CLOSE) is False
    assert [one.body for one in world.history.page(PAIR, limit=10, before=None).entries] == ["Hello!"]
    assert world.conversations.contact_state(PAIR) == "opted_in"
    assert world.announced() == []


def test_a_text_and_its_step_of_the_ledger_are_committed_together(world: World) -> None:
    entry, event = received(world, "SM1")

    world.conversations.add_received(entry, [event, opt_out_event(world, "SM1", "opted_out")], CLOSE)

    assert world.conversations.contact_state(PAIR) == "opted_out"
    assert [one.detail_type for one in world.announced()] == ["SMS_RECEIVED", "OPT_OUT_CHANGED"]


@pytest.mark.parametrize("stale", [CLOSE, REOPEN], ids=["was opted_in", "was opted_out"])
def test_a_text_whose_ledger_has_moved_is_not_stored_at_all(world: World, stale: LedgerChange) -> None:
    if stale is CLOSE:
        world.conversations.change_ledger(CLOSE, opt_out_event(world, "SM0", "opted_out"))
    world.announced()
    entry, event = received(world, "SM1")

    with pytest.raises(LedgerMoved):
        world.conversations.add_received(entry, [event], stale)

    assert world.history.page(PAIR, limit=10, before=None).entries == []
    assert world.announced() == []
    assert world.conversations.add_received(entry, [event], None) is True


def test_a_duplicate_is_a_duplicate_even_if_the_ledger_has_moved_too(world: World) -> None:
    entry, event = received(world, "SM1")
    world.conversations.add_received(entry, [event], CLOSE)

    assert world.conversations.add_received(entry, [event], CLOSE) is False


def test_the_ledger_closes_and_opens_and_refuses_a_step_from_where_it_is_not(world: World) -> None:
    world.conversations.change_ledger(CLOSE, opt_out_event(world, "SM1", "opted_out"))
    with pytest.raises(LedgerMoved):
        world.conversations.change_ledger(CLOSE, opt_out_event(world, "SM2", "opted_out"))
    world.conversations.change_ledger(REOPEN, opt_out_event(world, "SM3", "opted_in"))
    with pytest.raises(LedgerMoved):
        world.conversations.change_ledger(REOPEN, opt_out_event(world, "SM4", "opted_in"))

    assert world.conversations.contact_state(PAIR) == "opted_in"
    assert [one.event_id for one in world.announced()] == ["OPT_OUT_CHANGED#SM1", "OPT_OUT_CHANGED#SM3"]


def test_the_ledger_is_kept_for_each_pair_and_channel(world: World) -> None:
    world.conversations.change_ledger(CLOSE, opt_out_event(world, "SM1", "opted_out"))

    assert world.conversations.contact_state(f"whatsapp|{OURS.value}|{THEIRS.value}") == "opted_in"
    assert world.conversations.contact_state(f"phone|+14155550101|{THEIRS.value}") == "opted_in"


def test_a_status_moves_forward_only_and_is_announced_only_then(world: World) -> None:
    moved = [status(world, "SM1", to) for to in ("sent", "queued", "sent", "delivered", "undelivered", "sending")]

    assert moved == [True, False, False, True, False, False]
    assert [one.event_id for one in world.announced()] == ["SMS_STATUS_CHANGED#SM1#sent", "SMS_STATUS_CHANGED#SM1#delivered"]


def test_a_status_of_a_later_version_never_hides_one_we_know(world: World) -> None:
    assert status(world, "SM1", "teleported") is True
    assert status(world, "SM1", "queued") is True
    assert status(world, "SM1", "teleported") is False


def _one(of: tuple[Entry, Event]) -> tuple[Entry, list[Event]]:
    return of[0], [of[1]]


def test_a_page_is_the_newest_entries_oldest_first_and_says_where_the_next_starts(world: World) -> None:
    for number in range(1, 8):
        world.conversations.add_received(*_one(received(world, f"SM{number}")), None)

    pages, before = [], None
    for _ in range(3):
        page = world.history.page(PAIR, limit=3, before=before)
        pages.append([one.message_sid for one in page.entries])
        before = page.before

    assert pages == [["SM5", "SM6", "SM7"], ["SM2", "SM3", "SM4"], ["SM1"]]
    assert before is None


@pytest.mark.parametrize("limit", [1, 3, 6])
def test_a_last_page_that_is_exactly_full_has_no_next_one(world: World, limit: int) -> None:
    for number in range(6):
        world.conversations.add_received(*_one(received(world, f"SM{number}")), None)

    before, sizes = None, []
    while True:
        page = world.history.page(PAIR, limit=limit, before=before)
        sizes.append(len(page.entries))
        if (before := page.before) is None:
            break

    assert sum(sizes) == 6
    assert 0 not in sizes


def test_texts_of_the_same_millisecond_are_all_there_across_pages(world: World) -> None:
    now = iso(world.clock())
    for number in range(5):
        entry, event = received(world, f"SM{number}", occurred_at=now)
        world.conversations.add_received(entry, [event], None)

    newer = world.history.page(PAIR, limit=3, before=None)
    older = world.history.page(PAIR, limit=3, before=newer.before)

    assert [one.message_sid for one in older.entries + newer.entries] == ["SM0", "SM1", "SM2", "SM3", "SM4"]


def test_a_page_that_arrives_between_two_reads_loses_nothing_of_the_older_ones(world: World) -> None:
    for number in range(4):
        world.conversations.add_received(*_one(received(world, f"SM{number}")), None)
    newer = world.history.page(PAIR, limit=2, before=None)
    world.conversations.add_received(*_one(received(world, "SM9")), None)

    older = world.history.page(PAIR, limit=2, before=newer.before)

    assert [one.message_sid for one in older.entries] == ["SM0", "SM1"]


def test_nobody_elses_entries_and_no_ledger_are_in_a_page(world: World) -> None:
    world.conversations.add_received(*_one(received(world, "SM1")), CLOSE)
    other, event = received(world, "SM2", conversation_id="phone|+14155550100|+141555501234")
    world.conversations.add_received(other, [event], None)

    assert [one.message_sid for one in world.history.page(PAIR, limit=10, before=None).entries] == ["SM1"]


def test_a_conversation_that_never_was_is_an_empty_page(world: World) -> None:
    page = world.history.page("phone|+14155550100|+14155550199", limit=10, before=None)

    assert page.entries == []
    assert page.before is None
