"""What every `Sends` does: the fake, and the table as it is deployed."""

from __future__ import annotations

import dataclasses
import json
from datetime import timedelta

import pytest

from tests.unit.fakes import ACCOUNT, World
from twilio_plugin.domain.address import Address
from twilio_plugin.domain.events import SmsFailed, SmsStatusChanged, event_id
from twilio_plugin.domain.message_status import StatusUpdate
from twilio_plugin.domain.outbound import Part, Receipt
from twilio_plugin.domain.timestamp import iso
from twilio_plugin.errors import IdempotencyKeyReused, SendInProgress, SendOutcomeUnknown
from twilio_plugin.services.send_message import sent_entry, sent_event

PART = Part(
    send_id="key 1",
    number=1,
    parts=2,
    fingerprint="f" * 64,
    sender=Address("whatsapp", "+14155550100"),
    recipient=Address("whatsapp", "+14155550123"),
    body="Hello 👋",
    media_url=("https://example.com/a.png",),
    messaging_service_sid="MG" + "0" * 32,
)
SECOND = dataclasses.replace(PART, number=2, body="and more", media_url=())
RECEIPT = Receipt("SM1", ACCOUNT, "queued")


def record_sent(world: World, part: Part, receipt: Receipt = RECEIPT) -> bool:
    now = iso(world.clock())
    return world.sends.record_sent(part, receipt, sent_entry(part, receipt, now), sent_event(part, receipt, now))


def record_not_sent(world: World, part: Part) -> bool:
    return world.sends.record_not_sent(
        part,
        SmsFailed(
            event_id=event_id(SmsFailed, part.send_id, part.number),
            occurred_at=iso(world.clock()),
            account_sid=ACCOUNT,
            conversation_id=part.conversation_id,
            channel=part.recipient.channel,
            from_=str(part.sender),
            to=str(part.recipient),
            status="not_sent",
            error_class="transient",
            meaning="It never got there.",
            remedy="Send it again.",
        ),
    )


def callback(world: World, sid: str, status: str, send_id: str | None, part: int | None) -> None:
    update = StatusUpdate(sid, ACCOUNT, status, PART.sender, PART.recipient, None, send_id, part)
    event = SmsStatusChanged(
        event_id=event_id(SmsStatusChanged, sid, status),
        occurred_at=iso(world.clock()),
        account_sid=ACCOUNT,
        conversation_id=update.conversation_id,
        message_sid=sid,
        channel="whatsapp",
        from_=str(PART.sender),
        to=str(PART.recipient),
        status=status,
    )
    assert world.conversations.apply_status(update, event)


def unsettled(world: World) -> list[Part]:
    return [part for part, _ in world.sends.unsettled(before=world.clock() + timedelta(days=1))]


def test_a_fresh_part_is_claimed_once_and_is_in_progress_for_others(world: World) -> None:
    assert world.sends.claim(PART) is None
    with pytest.raises(SendInProgress):
        world.sends.claim(PART)


def test_the_parts_of_a_send_are_claimed_one_by_one(world: World) -> None:
    assert world.sends.claim(PART) is None
    assert world.sends.claim(SECOND) is None


def test_a_part_that_was_sent_answers_with_its_receipt(world: World) -> None:
    world.sends.claim(PART)
    assert record_sent(world, PART) is True

    assert world.sends.claim(PART) == RECEIPT
    assert unsettled(world) == []


def test_a_part_that_was_sent_is_in_the_history_and_announced_once(world: World) -> None:
    world.sends.claim(PART)
    record_sent(world, PART)
    assert record_sent(world, PART) is False

    (entry,) = world.history.page(PART.conversation_id, limit=10, before=None).entries
    assert (entry.message_sid, entry.direction, entry.kind, entry.status) == ("SM1", "outbound", "mms", "queued")
    (announcement,) = world.announced()
    assert announcement.event_id == "SMS_SENT#SM1"
    assert json.loads(announcement.detail)["body"] == "Hello 👋"


def test_nothing_is_recorded_of_a_part_that_nobody_claimed(world: World) -> None:
    assert record_sent(world, PART) is False
    assert record_not_sent(world, PART) is False
    assert world.announced() == []
    assert world.history.page(PART.conversation_id, limit=10, before=None).entries == []


@pytest.mark.parametrize("how", ["sending", "unknown", "sent", "not_sent"])
def test_a_key_used_for_another_message_is_refused_whatever_became_of_the_first(world: World, how: str) -> None:
    world.sends.claim(PART)
    if how == "unknown":
        world.sends.mark_unknown(PART)
    if how == "sent":
        record_sent(world, PART)
    if how == "not_sent":
        record_not_sent(world, PART)

    with pytest.raises(IdempotencyKeyReused):
        world.sends.claim(dataclasses.replace(PART, fingerprint="0" * 64))


def test_a_released_part_can_be_claimed_again_even_for_another_message(world: World) -> None:
    world.sends.claim(PART)
    world.sends.release(PART)

    assert unsettled(world) == []
    assert world.sends.claim(dataclasses.replace(PART, fingerprint="0" * 64)) is None


def test_releasing_does_not_forget_what_is_settled_or_unknown(world: World) -> None:
    world.sends.claim(PART)
    record_sent(world, PART)
    world.sends.release(PART)
    world.sends.claim(SECOND)
    world.sends.mark_unknown(SECOND)
    world.sends.release(SECOND)

    assert world.sends.claim(PART) == RECEIPT
    with pytest.raises(SendOutcomeUnknown):
        world.sends.claim(SECOND)


def test_releasing_or_doubting_what_nobody_claimed_is_nothing(world: World) -> None:
    world.sends.release(PART)
    world.sends.mark_unknown(PART)

    assert unsettled(world) == []
    assert world.sends.claim(PART) is None


def test_an_unknown_part_is_never_claimed_again_and_waits_to_be_settled(world: World) -> None:
    world.sends.claim(PART)
    world.sends.mark_unknown(PART)

    with pytest.raises(SendOutcomeUnknown):
        world.sends.claim(PART)
    assert unsettled(world) == [PART]


def test_a_claim_without_an_outcome_becomes_unknown_when_no_invocation_can_still_hold_it(world: World) -> None:
    world.sends.claim(PART)

    world.clock.advance(seconds=80)
    with pytest.raises(SendInProgress):
        world.sends.claim(PART)
    world.clock.advance(seconds=11)
    with pytest.raises(SendOutcomeUnknown):
        world.sends.claim(PART)


def test_what_was_not_sent_is_announced_once_and_frees_the_key(world: World) -> None:
    world.sends.claim(PART)
    world.sends.mark_unknown(PART)

    assert record_not_sent(world, PART) is True
    assert record_not_sent(world, PART) is False
    assert [one.event_id for one in world.announced()] == ["SMS_FAILED#key 1#1"]
    assert unsettled(world) == []
    assert world.sends.claim(PART) is None
    assert unsettled(world) == [PART]


def test_what_is_recorded_as_sent_is_not_recorded_as_not_sent_and_the_other_way_round(world: World) -> None:
    world.sends.claim(PART)
    world.sends.claim(SECOND)
    record_sent(world, PART)
    record_not_sent(world, SECOND)

    assert record_not_sent(world, PART) is False
    assert record_sent(world, SECOND) is False


def test_a_key_is_free_for_anything_after_a_day(world: World) -> None:
    world.sends.claim(PART)
    record_sent(world, PART)

    world.clock.advance(hours=23)
    assert world.sends.claim(PART) == RECEIPT
    world.clock.advance(hours=1, seconds=2)
    assert world.sends.claim(dataclasses.replace(PART, fingerprint="0" * 64)) is None


def test_unsettled_parts_come_whole_oldest_first_and_only_if_old_enough(world: World) -> None:
    other = dataclasses.replace(PART, send_id="key 2", messaging_service_sid=None, media_url=(), parts=1)
    world.sends.claim(SECOND)
    world.sends.claim(other)
    between = world.clock()
    world.sends.claim(PART)

    found = list(world.sends.unsettled(before=between))

    assert [part for part, _ in found] == [SECOND, other]
    assert all(between - timedelta(seconds=1) < claimed < between for _, claimed in found)
    assert unsettled(world) == [SECOND, other, PART]


def test_senders_are_known_from_the_record_and_from_the_callback(world: World) -> None:
    world.sends.claim(PART)
    record_sent(world, PART)
    callback(world, "SM2", "sent", "key 2", 3)
    callback(world, "SM3", "sent", None, None)

    assert world.sends.senders_of(["SM1", "SM2", "SM3", "SM4"]) == {"SM1": ("key 1", 1), "SM2": ("key 2", 3), "SM3": None}


def test_senders_of_more_messages_than_one_request_takes(world: World) -> None:
    callback(world, "SM149", "sent", "key", 1)

    assert world.sends.senders_of(f"SM{number}" for number in range(150)) == {"SM149": ("key", 1)}


def test_senders_of_no_messages_are_none(world: World) -> None:
    assert world.sends.senders_of([]) == {}


def test_a_callback_before_our_own_record_keeps_its_status(world: World) -> None:
    world.sends.claim(PART)
    callback(world, "SM1", "delivered", PART.send_id, PART.number)

    assert record_sent(world, PART) is True

    (entry,) = world.history.page(PART.conversation_id, limit=10, before=None).entries
    assert entry.status == "delivered"


def test_the_status_at_acceptance_is_where_callbacks_go_on_from(world: World) -> None:
    world.sends.claim(PART)
    record_sent(world, PART, dataclasses.replace(RECEIPT, status="sent"))
    world.announced()

    with pytest.raises(AssertionError):
        callback(world, "SM1", "queued", PART.send_id, PART.number)
    callback(world, "SM1", "delivered", PART.send_id, PART.number)

    (entry,) = world.history.page(PART.conversation_id, limit=10, before=None).entries
    assert entry.status == "delivered"
    assert [one.event_id for one in world.announced()] == ["SMS_STATUS_CHANGED#SM1#delivered"]


def test_an_error_known_at_acceptance_is_in_the_history(world: World) -> None:
    world.sends.claim(PART)
    record_sent(world, PART, dataclasses.replace(RECEIPT, status="failed", error_code=30034))

    (entry,) = world.history.page(PART.conversation_id, limit=10, before=None).entries
    assert (entry.status, entry.error_code) == ("failed", 30034)
