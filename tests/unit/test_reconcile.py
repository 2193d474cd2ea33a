from __future__ import annotations

import dataclasses
import json
from datetime import timedelta
from typing import Any

import pytest

from tests.unit.fakes import ACCOUNT, FakeBus, FakeTexting, FakeWorld, World
from twilio_plugin.domain.address import Address
from twilio_plugin.domain.events import SmsStatusChanged, event_id
from twilio_plugin.domain.message_status import StatusUpdate
from twilio_plugin.domain.outbound import Part, Receipt, TwilioMessage
from twilio_plugin.domain.timestamp import iso
from twilio_plugin.errors import SendOutcomeUnknown, StorageUnavailable
from twilio_plugin.services.reconcile import Reconciled, Reconciler, reconcile
from twilio_plugin.services.send_message import sent_entry, sent_event

PART = Part(
    send_id="key 1",
    number=1,
    parts=1,
    fingerprint="f",
    sender=Address("phone", "+14155550100"),
    recipient=Address("phone", "+14155550123"),
    body="See you at nine.",
)
OTHER = dataclasses.replace(PART, send_id="key 2")
NOTHING = Reconciled(republished=0, found_sent=0, found_not_sent=0, still_unknown=0)


@dataclasses.dataclass
class Operator:
    """A world with a bus and with Twilio faked, and a run of reconciliation over it."""

    world: World
    texting: FakeTexting = dataclasses.field(default_factory=FakeTexting)
    bus: FakeBus = dataclasses.field(default_factory=FakeBus)

    def run(self) -> Reconciled:
        return reconcile(
            Reconciler(self.world.outbox, self.bus, self.world.sends, self.texting, self.world.clock, account_sid=ACCOUNT)
        )

    def lose(self, *parts: Part, minutes: float = 3) -> None:
        """Parts are sent, the answers never come, and time goes by."""
        for part in parts:
            assert self.world.sends.claim(part) is None
            self.world.sends.mark_unknown(part)
        self.world.clock.advance(minutes=minutes)

    def callback(self, sid: str, part: Part | None, status: str = "sent") -> None:
        """Twilio's status callback; the send is in its address unless somebody else sent the message."""
        update = StatusUpdate(
            *(sid, ACCOUNT, status, PART.sender, PART.recipient),
            send_id=part.send_id if part else None,
            part=part.number if part else None,
        )
        event = SmsStatusChanged(
            event_id=event_id(SmsStatusChanged, sid, status),
            occurred_at=iso(self.world.clock()),
            account_sid=ACCOUNT,
            conversation_id=update.conversation_id,
            message_sid=sid,
            channel="phone",
            from_=str(PART.sender),
            to=str(PART.recipient),
            status=status,
        )
        self.world.conversations.apply_status(update, event)
        self.world.announced()

    def announced(self) -> list[dict[str, Any]]:
        return [{"detail_type": one.detail_type, **json.loads(one.detail)} for one in self.world.announced()]


@pytest.fixture
def operator(world: World) -> Operator:
    return Operator(world)


@pytest.fixture
def fake_operator(fake_world: FakeWorld) -> Operator:
    return Operator(fake_world)


def at_twilio(sid: str, body: str, *, num_media: int = 0, status: str = "sent") -> TwilioMessage:
    return TwilioMessage(Receipt(sid, ACCOUNT, status), body, num_media)


# ------------------------------------------------------------------------------------------------------------- outbox


def leave_events(operator: Operator, count: int) -> None:
    for number in range(count):
        part = dataclasses.replace(PART, send_id=f"send {number}")
        receipt, now = Receipt(f"SM{number}", ACCOUNT, "queued"), iso(operator.world.clock())
        operator.world.sends.claim(part)
        operator.world.sends.record_sent(part, receipt, sent_entry(part, receipt, now), sent_event(part, receipt, now))


def test_a_run_with_nothing_to_do_does_nothing(fake_operator: Operator) -> None:
    assert fake_operator.run() == NOTHING
    assert fake_operator.bus.published == []


def test_events_that_the_relay_left_are_published_and_deleted(operator: Operator) -> None:
    leave_events(operator, 12)
    operator.world.clock.advance(minutes=3)

    assert operator.run() == dataclasses.replace(NOTHING, republished=12)
    assert {one.event_id for one in operator.bus.published} == {f"SMS_SENT#SM{number}" for number in range(12)}
    assert operator.announced() == []
    assert operator.run() == NOTHING


def test_events_that_the_relay_may_still_be_at_are_left_to_it(fake_operator: Operator) -> None:
    leave_events(fake_operator, 2)
    fake_operator.world.clock.advance(seconds=100)

    assert fake_operator.run() == NOTHING
    assert len(fake_operator.announced()) == 2


def test_events_that_the_bus_refuses_stay(fake_operator: Operator) -> None:
    leave_events(fake_operator, 12)
    fake_operator.world.clock.advance(minutes=3)
    fake_operator.bus.refuses = {"SMS_SENT#SM3", "SMS_SENT#SM11"}

    assert fake_operator.run() == dataclasses.replace(NOTHING, republished=10)
    assert {event["event_id"] for event in fake_operator.announced()} == fake_operator.bus.refuses


# -------------------------------------------------------------------------------------------------------------- sends


def test_a_lost_send_is_found_by_the_callback_that_named_it(operator: Operator) -> None:
    operator.lose(PART)
    operator.callback("SM2", PART, "delivered")
    operator.texting.listed = [at_twilio("SM1", PART.body), at_twilio("SM2", "Reworded on the way.", status="delivered")]

    assert operator.run() == dataclasses.replace(NOTHING, found_sent=1)
    (event,) = operator.announced()
    assert (event["detail_type"], event["message_sid"], event["send_id"]) == ("SMS_SENT", "SM2", "key 1")
    (entry,) = operator.world.history.page(PART.conversation_id, limit=10, before=None).entries
    assert (entry.message_sid, entry.body, entry.status) == ("SM2", PART.body, "delivered")


def test_a_lost_send_is_found_by_its_text(operator: Operator) -> None:
    operator.lose(PART)
    operator.texting.listed = [at_twilio("SM1", "Another text."), at_twilio("SM2", f"{PART.body} ")]

    assert operator.run() == dataclasses.replace(NOTHING, found_sent=1)
    assert operator.announced()[0]["message_sid"] == "SM2"
    assert operator.world.sends.claim(PART) == Receipt("SM2", ACCOUNT, "sent")
    assert operator.run() == NOTHING


def test_a_lost_send_is_found_behind_the_sentence_that_trial_accounts_put_in_front(fake_operator: Operator) -> None:
    fake_operator.lose(PART)
    fake_operator.texting.listed = [at_twilio("SM1", f"Sent from your Twilio trial account - {PART.body}")]

    assert fake_operator.run() == dataclasses.replace(NOTHING, found_sent=1)


def test_a_lost_send_is_looked_for_from_a_little_before_its_claim(fake_operator: Operator) -> None:
    before = fake_operator.world.clock()
    fake_operator.lose(PART)

    fake_operator.run()

    ((part, since),) = fake_operator.texting.looked_up
    assert part == PART
    assert before - timedelta(minutes=2) < since < before


def test_the_found_text_stands_in_the_history_where_it_was_sent(fake_operator: Operator) -> None:
    before = iso(fake_operator.world.clock())
    fake_operator.lose(PART)
    after_it = iso(fake_operator.world.clock() - timedelta(minutes=2))
    fake_operator.texting.listed = [at_twilio("SM1", PART.body)]

    fake_operator.run()

    (entry,) = fake_operator.world.history.page(PART.conversation_id, limit=10, before=None).entries
    assert before < entry.occurred_at < after_it


def test_an_identical_text_of_another_send_is_not_taken_for_the_lost_one(fake_operator: Operator) -> None:
    fake_operator.lose(PART)
    fake_operator.callback("SM1", OTHER)
    fake_operator.texting.listed = [at_twilio("SM1", PART.body)]

    assert fake_operator.run() == dataclasses.replace(NOTHING, still_unknown=1)


def test_another_part_of_the_same_send_is_not_taken_for_the_lost_one(fake_operator: Operator) -> None:
    first, second = dataclasses.replace(PART, parts=2), dataclasses.replace(PART, parts=2, number=2)
    fake_operator.lose(second)
    fake_operator.callback("SM1", first)
    fake_operator.texting.listed = [at_twilio("SM1", PART.body)]

    assert fake_operator.run() == dataclasses.replace(NOTHING, still_unknown=1)


def test_two_lost_sends_of_one_text_are_not_found_in_the_same_message(fake_operator: Operator) -> None:
    fake_operator.lose(PART, OTHER, minutes=20)
    fake_operator.texting.listed = [at_twilio("SM1", PART.body)]

    assert fake_operator.run() == dataclasses.replace(NOTHING, found_sent=1, found_not_sent=1)


def test_two_lost_sends_of_one_text_are_found_in_two_messages(operator: Operator) -> None:
    operator.lose(PART, OTHER)
    operator.callback("SM1", OTHER)
    operator.texting.listed = [at_twilio("SM1", PART.body), at_twilio("SM2", PART.body)]

    assert operator.run() == dataclasses.replace(NOTHING, found_sent=2)
    assert operator.world.sends.claim(PART) == Receipt("SM2", ACCOUNT, "sent")
    assert operator.world.sends.claim(OTHER) == Receipt("SM1", ACCOUNT, "sent")


@pytest.mark.parametrize(
    ("part", "message"),
    [
        pytest.param(PART, at_twilio("SM1", PART.body, num_media=1), id="media that were not sent"),
        pytest.param(
            dataclasses.replace(PART, media_url=("https://example.com/a",)), at_twilio("SM1", PART.body), id="media missing"
        ),
        pytest.param(dataclasses.replace(PART, body="OK"), at_twilio("SM1", "Is that OK"), id="the end of another text"),
        pytest.param(
            dataclasses.replace(PART, body="", media_url=("https://example.com/a",)),
            at_twilio("SM1", "Somebody else's picture", num_media=1),
            id="another text with media",
        ),
    ],
)
def test_a_message_that_differs_is_not_taken_for_the_lost_one(
    fake_operator: Operator, part: Part, message: TwilioMessage
) -> None:
    fake_operator.lose(part)
    fake_operator.texting.listed = [message]

    assert fake_operator.run() == dataclasses.replace(NOTHING, still_unknown=1)


def test_what_twilio_does_not_have_yet_is_left_for_a_later_run(fake_operator: Operator) -> None:
    fake_operator.lose(PART, minutes=10)

    assert fake_operator.run() == dataclasses.replace(NOTHING, still_unknown=1)
    assert fake_operator.announced() == []
    with pytest.raises(SendOutcomeUnknown):
        fake_operator.world.sends.claim(PART)


def test_what_twilio_still_does_not_have_was_not_sent_and_the_key_is_free(operator: Operator) -> None:
    operator.lose(PART, minutes=16)

    assert operator.run() == dataclasses.replace(NOTHING, found_not_sent=1)
    (event,) = operator.announced()
    assert (event["detail_type"], event["status"], event["send_id"]) == ("SMS_FAILED", "not_sent", "key 1")
    assert (event["error_class"], event["account_sid"]) == ("transient", ACCOUNT)
    assert "message_sid" not in event
    assert operator.world.sends.claim(PART) is None


def test_a_send_that_is_lost_again_under_its_key_is_announced_again(fake_operator: Operator) -> None:
    announced = []
    for _ in range(2):
        fake_operator.lose(PART, minutes=16)
        fake_operator.run()
        announced += fake_operator.announced()

    first, second = announced
    assert first["event_id"] != second["event_id"]


def test_a_send_whose_invocation_died_is_settled_like_a_lost_one(operator: Operator) -> None:
    operator.world.sends.claim(PART)
    operator.world.clock.advance(minutes=3)
    operator.texting.listed = [at_twilio("SM1", PART.body)]

    assert operator.run() == dataclasses.replace(NOTHING, found_sent=1)


def test_a_send_that_may_still_be_under_way_is_left_alone(fake_operator: Operator) -> None:
    fake_operator.lose(PART, minutes=1.5)

    assert fake_operator.run() == NOTHING
    assert fake_operator.texting.looked_up == []


def test_twilios_list_that_cannot_be_read_settles_nothing_and_fails_the_run(fake_operator: Operator) -> None:
    fake_operator.lose(PART, minutes=60)
    fake_operator.texting.lookup_fails_for = {str(PART.recipient)}

    with pytest.raises(StorageUnavailable):
        fake_operator.run()

    assert fake_operator.announced() == []
    assert [part for part, _ in fake_operator.world.sends.unsettled(before=fake_operator.world.clock())] == [PART]


def test_one_lookup_that_fails_does_not_keep_the_others_from_being_settled(fake_operator: Operator) -> None:
    other = dataclasses.replace(PART, send_id="key 2", recipient=Address("phone", "+14155550199"))
    fake_operator.lose(PART, other, minutes=60)
    fake_operator.texting.lookup_fails_for = {str(PART.recipient)}

    with pytest.raises(StorageUnavailable):
        fake_operator.run()

    assert [part for part, _ in fake_operator.world.sends.unsettled(before=fake_operator.world.clock())] == [PART]
