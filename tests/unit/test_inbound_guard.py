"""People's texts and calls under the guards: held back, and passing at the edge."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from tests.unit.fakes import ACCOUNT, FakeWorld
from tests.unit.fakes_calls import FakeCallWorld, inbound
from tests.unit.fakes_guards import FakeCounters, call_minutes, inbound_guard
from tests.unit.fakes_streams import FakeStreams, FakeUtterances
from tests.unit.test_answer_call import MANNER
from tests.unit.test_twiml import Verb, verbs
from twilio_plugin.domain.address import Address
from twilio_plugin.domain.call import VoiceMode
from twilio_plugin.domain.message import inbound_message
from twilio_plugin.errors import StorageUnavailable
from twilio_plugin.services.answer_call import Answering, answer
from twilio_plugin.services.gather_call import GatherOpener
from twilio_plugin.services.inbound_guard import InboundGuard
from twilio_plugin.services.receive_sms import receive_sms
from twilio_plugin.services.relay_line import RelayLine

OURS, THEIRS, OTHERS = "+14155550100", "+14155550123", "+14155550177"
LISTED = frozenset({THEIRS, "72727"})
REJECT: Verb = ("Reject", {"reason": "rejected"}, "")
BUSY: Verb = ("Reject", {"reason": "busy"}, "")


@dataclass
class Phone:
    """A stack's inbound side in memory, with these limits and no others."""

    limits: dict[str, Any] = field(default_factory=dict)
    texts: FakeWorld = field(default_factory=FakeWorld.new)
    calls: FakeCallWorld = field(default_factory=FakeCallWorld.new)
    counters: FakeCounters = field(init=False)
    woken: int = 0

    def __post_init__(self) -> None:
        self.counters = FakeCounters(self.texts.outbox)

    @property
    def guard(self) -> InboundGuard:
        return inbound_guard(self.texts.clock, self.counters, **self.limits)

    def text(self, number: int, sender: str = THEIRS, body: str = "Hello") -> bool:
        form = {"MessageSid": f"SM{number}", "AccountSid": ACCOUNT, "From": sender, "To": OURS, "Body": body}
        return receive_sms(inbound_message(form), self.texts.conversations, self.guard, self.texts.clock)

    def ring(self, number: int, sender: str = THEIRS, query: dict[str, str] | None = None) -> list[Verb]:
        streams = FakeStreams(self.calls.outbox, self.calls.calls)  # type: ignore[arg-type]
        by = Answering(
            calls=self.calls.calls,
            streams=streams,
            guard=self.guard,
            clock=self.calls.clock,
            greeting="Hello.",
            sorry="Sorry.",
            voice_mode="stream",
            websocket_url="wss://example.com/live",
            webhook_url="https://example.com/webhooks/twilio",
            token=lambda call_sid, leg: f"{call_sid} {leg}",
            warm=self._warm,
            gather=GatherOpener(streams, self.calls.clock, MANNER, timedelta(seconds=30)),
            utterances=FakeUtterances(self.calls.outbox, streams, self.texts.conversations),  # type: ignore[arg-type]
            relay=RelayLine({}, "https://example.com/status", 30),
        )
        return verbs(answer(inbound(number, sender=Address("phone", sender)), {}, query or {}, by))

    def announced(self) -> list[str]:
        """What the agent hears of, by type."""
        return [one.detail_type for one in self.texts.announced()]

    def kept(self) -> list[str]:
        return [one.body for one in self.texts.conversations.entries]

    def used(self) -> int:
        return sum(self.counters.used.values())

    def _warm(self, _mode: VoiceMode) -> None:
        self.woken += 1


# -------------------------------------------------------------------------------------------------------------------- texts


def test_texts_of_one_sender_are_announced_up_to_the_ceiling_of_an_hour_and_then_only_kept() -> None:
    phone = Phone({"inbound_texts_per_sender_per_hour": 2})

    assert [phone.text(number, body=str(number)) for number in range(5)] == [True] * 5

    assert phone.announced() == ["SMS_RECEIVED", "SMS_RECEIVED", "GUARD_REFUSED"]
    assert phone.kept() == ["0", "1", "2", "3", "4"]
    phone.text(5, sender=OTHERS)
    phone.texts.clock.advance(hours=1)
    phone.text(6)
    assert phone.announced() == ["SMS_RECEIVED", "SMS_RECEIVED"]


def test_what_is_held_back_is_told_with_its_guard() -> None:
    phone = Phone({"inbound_texts_per_sender_per_hour": 1})
    phone.text(1)
    phone.texts.announced()
    phone.text(2)

    (announcement,) = phone.texts.announced()
    event = json.loads(announcement.detail)
    assert event["event_id"] == f"GUARD_REFUSED#inbound_texts_per_sender_per_hour#phone|{OURS}|{THEIRS}#2026-11-22T08"
    assert (event["conversation_id"], event["account_sid"]) == (f"phone|{OURS}|{THEIRS}", ACCOUNT)
    assert (event["direction"], event["kind"], event["from"], event["to"]) == ("inbound", "text", THEIRS, OURS)
    assert (event["limit"], event["opens_at"]) == ("1", "2026-11-22T09:00:00.000Z")


@pytest.mark.parametrize("word", ["STOP", "HELP"])
def test_stop_and_help_pass_whatever_the_guards_say_and_count_for_nothing(word: str) -> None:
    phone = Phone({"inbound_texts_per_sender_per_hour": 1, "inbound_allow_list": frozenset({OTHERS, THEIRS})})
    phone.text(1)
    phone.text(2, body=word)
    phone.text(3, sender="+14155550199", body=word)

    stopped = ["OPT_OUT_CHANGED"] if word == "STOP" else []
    assert sorted(phone.announced()) == sorted(["SMS_RECEIVED", *(["SMS_RECEIVED", *stopped] * 2)])
    assert phone.used() == 1
    state = phone.texts.conversations.contact_state(f"phone|{OURS}|{THEIRS}")
    assert state == ("opted_out" if word == "STOP" else "opted_in")


def test_start_reopens_for_somebody_who_is_over_the_ceiling() -> None:
    phone = Phone({"inbound_texts_per_sender_per_hour": 1})
    phone.text(1)
    phone.text(2, body="STOP")
    phone.text(3, body="START")

    assert phone.texts.conversations.contact_state(f"phone|{OURS}|{THEIRS}") == "opted_in"


def test_a_text_that_is_delivered_again_counts_once() -> None:
    phone = Phone({"inbound_texts_per_sender_per_hour": 2})

    assert [phone.text(1) for _ in range(3)] == [True, False, False]
    assert phone.used() == 1
    phone.text(2)
    assert phone.announced() == ["SMS_RECEIVED", "SMS_RECEIVED"]


def test_a_text_of_somebody_who_is_not_listed_is_kept_and_not_announced() -> None:
    phone = Phone({"inbound_allow_list": LISTED})
    for number, sender in enumerate([THEIRS, f"whatsapp:{THEIRS}", "72727", OTHERS, OTHERS, f"whatsapp:{OTHERS}"]):
        phone.text(number, sender)

    assert phone.announced() == ["SMS_RECEIVED"] * 3 + ["GUARD_REFUSED"] * 2
    assert len(phone.kept()) == 6


def test_a_text_that_cannot_be_counted_is_not_stored_so_that_twilio_repeats_it() -> None:
    phone = Phone({"inbound_texts_per_sender_per_hour": 2})
    phone.counters.unavailable = {"take"}

    with pytest.raises(StorageUnavailable):
        phone.text(1)

    assert phone.kept() == []


# -------------------------------------------------------------------------------------------------------------------- calls


def test_only_who_is_listed_is_answered_and_the_others_calls_cost_nothing() -> None:
    phone = Phone({"inbound_allow_list": LISTED})

    assert [verb[0] for verb in phone.ring(1)] == ["Say", "Connect", "Redirect"]
    assert phone.ring(2, OTHERS) == phone.ring(3, "anonymous") == [REJECT]

    assert phone.woken == 1
    assert [one["detail_type"] for one in phone.calls.announced()] == ["CALL_RECEIVED"]
    assert phone.announced() == ["GUARD_REFUSED"] * 2


def test_a_call_that_is_answered_goes_on_though_its_caller_is_not_listed_any_more() -> None:
    phone = Phone()
    phone.ring(1, OTHERS)
    phone.limits = {"inbound_allow_list": LISTED}

    assert phone.ring(1, OTHERS, {"leg": "1", "reopened": "1"})[0][0] == "Connect"


def test_callers_are_answered_while_the_minutes_of_a_whole_call_are_left_and_hear_busy_behind_that() -> None:
    phone = Phone({"call_minutes_per_day": 20, "max_call_seconds": 600})

    assert [phone.ring(number)[0][0] for number in (1, 2)] == ["Say", "Say"]
    assert phone.ring(3) == [BUSY]

    (announcement,) = phone.texts.announced()
    assert (announcement.detail_type, json.loads(announcement.detail)["guard"]) == ("GUARD_REFUSED", "call_minutes_per_day")


def test_a_call_whose_webhook_comes_twice_is_answered_twice_and_counted_once() -> None:
    phone = Phone({"call_minutes_per_day": 10, "max_call_seconds": 600})

    assert [phone.ring(1)[0][0] for _ in range(2)] == ["Say", "Say"]
    assert phone.used() == 10


def test_a_call_that_is_over_makes_room_for_the_next_one() -> None:
    phone = Phone({"call_minutes_per_day": 12, "max_call_seconds": 600})
    phone.ring(1)
    assert phone.ring(2) == [BUSY]

    call_minutes(phone.calls.clock, phone.counters, **phone.limits).over(inbound(1, "completed", duration=90))

    assert phone.used() == 2
    assert phone.ring(3)[0][0] == "Say"
