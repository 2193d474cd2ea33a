"""Texts, calls and transfers of ours under the guards: refused, and passing at the edge."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.unit.fakes import ACCOUNT, FakeWorld
from tests.unit.fakes_calls import FakeCallWorld, outbound, sid
from tests.unit.fakes_guards import FakeCounters, call_minutes, outbound_guard
from tests.unit.fakes_media import FakeBuckets
from tests.unit.fakes_streams import FakeStreamWorld, stream
from tests.unit.fakes_transcriptions import FakeCallTranscriptions
from tests.unit.test_twiml import verbs
from twilio_plugin.domain.actions import ControlCall, MadeCall, MakeCall, RanAction, RunAction, SendResult, SendSms
from twilio_plugin.errors import (
    CeilingReached,
    IdempotencyKeyReused,
    PluginError,
    RecipientNotAllowed,
    RecipientOptedOut,
    SendOutcomeUnknown,
    StorageUnavailable,
    TwilioRejected,
    TwilioUnavailable,
)
from twilio_plugin.services.control_call import Controller, control_call
from twilio_plugin.services.make_call import Caller, make_call
from twilio_plugin.services.outbound_guard import OutboundGuard
from twilio_plugin.services.run_action import Agent, run_action
from twilio_plugin.services.send_message import Sender, prepare, send_message

OURS, THEIRS, OTHERS = "+14155550100", "+14155550123", "+14155550177"
JAMAICAN, PREMIUM, SATELLITE = "+18765551234", "+19005551234", "+881612345678"
NOT_TAKEN = [
    TwilioRejected("Twilio refused it: 21211", twilio_code=21211, status=400),
    TwilioUnavailable("Twilio took no request in 4 tries."),
]


@dataclass
class Phone:
    """A stack's outbound side in memory, with these limits and no others."""

    limits: dict[str, Any] = field(default_factory=dict)
    texts: FakeWorld = field(default_factory=FakeWorld.new)
    calls: FakeCallWorld = field(default_factory=FakeCallWorld.new)
    streams: FakeStreamWorld = field(default_factory=FakeStreamWorld.new)
    counters: FakeCounters = field(init=False)

    def __post_init__(self) -> None:
        self.counters = FakeCounters(self.texts.outbox)

    @property
    def guard(self) -> OutboundGuard:
        return outbound_guard(self.texts.clock, self.counters, **self.limits)

    @property
    def sender(self) -> Sender:
        return Sender(
            conversations=self.texts.conversations,
            sends=self.texts.sends,
            texting=self.texts.texting,
            media=FakeBuckets(),
            guard=self.guard,
            clock=self.texts.clock,
            phone_number=OURS,
            default_region="US",
            account_sid=ACCOUNT,
            not_recorded=lambda _sid: None,
        )

    @property
    def caller(self) -> Caller:
        return Caller(
            requests=self.calls.requests,
            calling=self.calls.calling,
            guard=self.guard,
            clock=self.calls.clock,
            phone_number=OURS,
            default_region="US",
            language="en-US",
            webhook_url="https://example.com/webhooks/twilio",
            not_recorded=lambda _sid: None,
        )

    def text(self, key: str, to: str = THEIRS, body: str = "Hello", **more: Any) -> SendResult:
        request = SendSms.model_validate({"to": to, "body": body, "idempotency_key": key} | more)
        return send_message(request, "request 1", self.sender)

    def call(self, key: str, to: str = THEIRS, **more: Any) -> MadeCall:
        request = MakeCall.model_validate({"to": to, "say": "Hello", "idempotency_key": key} | more)
        return make_call(request, "request 1", self.caller)

    def transfer(self, to: str) -> None:
        control_call(ControlCall(call_sid=sid(1), action="transfer", to=to), self.controller)

    def hand_off(self, to: str) -> None:
        self.streams.streams.keep(stream(1, mode="relay"))
        control_call(ControlCall(call_sid=sid(1), action="hand_off", to=to), self.controller)

    def limit(self, seconds: int) -> None:
        control_call(ControlCall(call_sid=sid(1), action="limit", time_limit=seconds), self.controller)

    @property
    def controller(self) -> Controller:
        return Controller(
            calling=self.calls.calling,
            streams=self.streams.streams,
            utterances=self.streams.utterances,
            connections=lambda: self.streams.connections,
            clock=self.calls.clock,
            sleep=lambda _: None,
            guard=self.guard,
            phone_number=OURS,
            default_region="US",
            stay_seconds=30,
            webhook_url="https://example.com/webhooks/twilio",
            transcriptions=FakeCallTranscriptions(self.streams.outbox, self.streams.conversations),
            language="en-US",
        )

    def run(self, input_: Any, **more: Any) -> RanAction:
        asked = RunAction.model_validate({"input": input_} | more)
        return run_action(asked, "request 1", Agent(self.sender, self.caller))

    @property
    def texted(self) -> list[str]:
        return [str(one.recipient) for one in self.texts.texting.asked]

    @property
    def called(self) -> list[str]:
        return [str(one.recipient) for one in self.calls.calling.asked]

    def used(self, ceiling: str) -> int:
        return sum(units for (counted, _, _), units in self.counters.used.items() if counted == ceiling)

    def refusals(self) -> list[dict[str, Any]]:
        """The GUARD_REFUSED events since the last look."""
        return [json.loads(one.detail) for one in self.texts.announced() if one.detail_type == "GUARD_REFUSED"]


# -------------------------------------------------------------------------------------------------------------- where to


@pytest.mark.parametrize("to", [JAMAICAN, "+447911223456", "whatsapp:+447911223456", "+15142345678"])
def test_a_text_into_another_country_is_refused_before_anything_is_claimed(to: str) -> None:
    phone = Phone()

    with pytest.raises(
        RecipientNotAllowed, match=r"is in (JM|GB|CA); texts and calls go to US only.*AllowedCountries"
    ) as refused:
        phone.text("key 1", to)

    assert to.removeprefix("whatsapp:") not in str(refused.value)
    assert not phone.texted
    assert not phone.texts.sends.records


@pytest.mark.parametrize("to", [THEIRS, "+15555551234", "whatsapp:+15555551234", "+18005551234"])
def test_a_text_within_the_country_of_our_number_goes_out(to: str) -> None:
    phone = Phone()

    phone.text("key 1", to)

    assert phone.texted == [to]


def test_a_country_that_is_listed_is_allowed_and_then_our_own_only_if_it_is() -> None:
    phone = Phone({"allowed_countries": "JM"})

    phone.text("key 1", JAMAICAN)

    with pytest.raises(RecipientNotAllowed, match="is in US"):
        phone.text("key 2", THEIRS)


@pytest.mark.parametrize("to", [PREMIUM, SATELLITE, "+447012345678"])
def test_premium_and_satellite_numbers_are_refused_even_where_every_country_is_allowed(to: str) -> None:
    phone = Phone({"allowed_countries": "*"})
    phone.text("key 1", JAMAICAN)

    with pytest.raises(RecipientNotAllowed, match="premium-rate"):
        phone.text("key 2", to)
    with pytest.raises(RecipientNotAllowed, match="premium-rate"):
        phone.call("key 3", to)
    with pytest.raises(RecipientNotAllowed, match="premium-rate"):
        phone.transfer(to)

    assert phone.texted == [JAMAICAN]
    assert not phone.called
    assert not phone.calls.calling.told
    assert [(one["guard"], "parameter" in one) for one in phone.refusals()] == [("premium_numbers", False)]


def test_a_freephone_number_of_no_country_needs_every_country_to_be_allowed() -> None:
    Phone({"allowed_countries": "*"}).call("key 1", "+80012345678")

    with pytest.raises(RecipientNotAllowed, match="belongs to no country"):
        Phone().call("key 1", "+80012345678")


def test_calls_and_transfers_are_held_to_the_countries_too() -> None:
    phone = Phone()

    with pytest.raises(RecipientNotAllowed, match="is in JM"):
        phone.call("key 1", JAMAICAN)
    with pytest.raises(RecipientNotAllowed, match="is in JM"):
        phone.transfer(JAMAICAN)
    with pytest.raises(RecipientNotAllowed, match="is in JM"):
        phone.hand_off(JAMAICAN)
    phone.call("key 2")
    phone.transfer(OTHERS)

    assert phone.called == [THEIRS]
    ((_, document, _),) = phone.calls.calling.told
    ((name, _, numbers),) = verbs(document or "")
    assert (name, numbers) == ("Dial", [("Number", {}, OTHERS)])


def test_a_refusal_of_a_country_is_announced_once_a_day_and_pair() -> None:
    phone = Phone({"allowed_countries": "US,CA"})
    for attempt in range(3):
        with pytest.raises(RecipientNotAllowed):
            phone.text(f"key {attempt}", JAMAICAN)
    with pytest.raises(RecipientNotAllowed):
        phone.text("key 4", "+447911223456")

    first, other = phone.refusals()
    assert first["conversation_id"] == f"phone|{OURS}|{JAMAICAN}"
    assert (first["guard"], first["direction"], first["kind"], first["channel"]) == (
        "allowed_countries",
        "outbound",
        "text",
        "phone",
    )
    assert (first["from"], first["to"]) == (OURS, JAMAICAN)
    assert (first["parameter"], first["limit"], "opens_at" in first) == ("AllowedCountries", "CA,US", False)
    assert other["to"] == "+447911223456"

    phone.texts.clock.advance(days=1)
    with pytest.raises(RecipientNotAllowed):
        phone.text("key 5", JAMAICAN)
    assert len(phone.refusals()) == 1


def test_a_dry_run_says_that_it_would_be_refused_and_announces_nothing() -> None:
    phone = Phone()

    for action in ("SEND_SMS", "MAKE_CALL"):
        fields = {"to": JAMAICAN} | ({"body": "Hello"} if action == "SEND_SMS" else {})
        ran = phone.run(fields, action=action, dry_run=True)
        assert (ran.valid, "is in JM" in str(ran.reason)) == (False, True)
    with pytest.raises(RecipientNotAllowed):
        prepare(SendSms(to=JAMAICAN, body="Hello"), "request 1", phone.sender)

    assert phone.refusals() == []


def test_that_a_refusal_cannot_be_announced_changes_nothing_about_it() -> None:
    phone = Phone()
    phone.counters.unavailable = {"refuse"}

    with pytest.raises(RecipientNotAllowed):
        phone.text("key 1", JAMAICAN)


# --------------------------------------------------------------------------------------------------------------- how many


@pytest.mark.parametrize("ceiling", ["texts_per_recipient_per_day", "texts_per_day", "segments_per_day"])
def test_texts_pass_up_to_a_ceiling_and_not_beyond(ceiling: str) -> None:
    phone = Phone({ceiling: 3})
    for number in range(3):
        phone.text(f"key {number}")

    with pytest.raises(CeilingReached) as refused:
        phone.text("key 3")

    assert len(phone.texted) == 3
    parameter = "".join(word.capitalize() for word in ceiling.split("_"))
    assert f"{parameter} is 3" in str(refused.value)
    assert refused.value.opens_at == "2026-11-23T00:00:00.000Z"
    assert refused.value.retryable
    assert THEIRS not in str(refused.value)
    (event,) = phone.refusals()
    assert (event["guard"], event["parameter"], event["limit"], event["opens_at"]) == (
        ceiling,
        parameter,
        "3",
        "2026-11-23T00:00:00.000Z",
    )


def test_a_refused_text_can_go_out_the_next_day_under_the_same_key() -> None:
    phone = Phone({"texts_per_day": 1})
    phone.text("key 1")
    with pytest.raises(CeilingReached):
        phone.text("key 2")

    phone.texts.clock.advance(days=1)
    phone.text("key 2")

    assert len(phone.texted) == 2


def test_one_recipient_who_had_enough_keeps_nobody_else_from_texts() -> None:
    phone = Phone({"texts_per_recipient_per_day": 1})
    phone.text("key 1")
    phone.text("key 2", OTHERS)

    with pytest.raises(CeilingReached):
        phone.text("key 3")


def test_parts_count_each_and_segments_as_they_are_billed() -> None:
    phone = Phone({"texts_per_day": 100, "segments_per_day": 100})

    result = phone.text("key 1", body="word " * 100, chunk_limit=320)

    assert phone.used("texts_per_day") == len(result.messages) == 2
    assert phone.used("segments_per_day") == sum(one.segments for one in result.messages) == 5


def test_a_text_that_passes_a_ceiling_on_its_way_says_how_many_parts_are_out() -> None:
    phone = Phone({"texts_per_day": 2})

    with pytest.raises(CeilingReached, match=r"Part 3 of 4 \(2 sent\).*TextsPerDay is 2"):
        phone.text("key 1", body="word " * 120, chunk_limit=160)


def test_a_text_of_more_segments_than_are_left_takes_none() -> None:
    phone = Phone({"segments_per_day": 2, "texts_per_recipient_per_day": 5})

    with pytest.raises(CeilingReached, match="SegmentsPerDay is 2, and 3 more would pass it"):
        phone.text("key 1", body="word " * 70)

    assert phone.used("texts_per_recipient_per_day") == phone.used("segments_per_day") == 0
    phone.text("key 2", body="word " * 50)
    assert phone.used("segments_per_day") == 2


def test_a_repeated_key_counts_once_and_is_answered_even_when_the_ceiling_is_reached() -> None:
    phone = Phone({"texts_per_day": 1})
    first = phone.text("key 1")

    assert phone.text("key 1") == first
    assert phone.used("texts_per_day") == 1
    with pytest.raises(IdempotencyKeyReused):
        phone.text("key 1", body="Other words")
    assert phone.used("texts_per_day") == 1


@pytest.mark.parametrize("trouble", NOT_TAKEN, ids=lambda one: type(one).__name__)
def test_what_twilio_did_not_take_gives_its_units_back(trouble: PluginError) -> None:
    phone = Phone({"texts_per_day": 1, "calls_per_recipient_per_day": 1, "call_minutes_per_day": 60})
    phone.texts.texting.answers = [trouble]
    phone.calls.calling.answers = [trouble]

    with pytest.raises(type(trouble)):
        phone.text("key 1")
    with pytest.raises(type(trouble)):
        phone.call("key 2")

    assert not +phone.counters.used
    phone.text("key 1")
    phone.call("key 2")
    assert (phone.used("texts_per_day"), phone.used("call_minutes_per_day")) == (1, 60)


def test_what_nobody_knows_the_outcome_of_stays_counted() -> None:
    phone = Phone({"texts_per_day": 1, "call_minutes_per_day": 60})
    lost = SendOutcomeUnknown("No answer from Twilio.")
    phone.texts.texting.answers = [lost]
    phone.calls.calling.answers = [lost]

    with pytest.raises(SendOutcomeUnknown):
        phone.text("key 1")
    with pytest.raises(SendOutcomeUnknown):
        phone.call("key 2")

    assert (phone.used("texts_per_day"), phone.used("call_minutes_per_day")) == (1, 60)


@pytest.mark.parametrize("method", ["take", "hold"])
def test_without_storage_to_count_in_nothing_goes_out_and_the_key_stays_free(method: str) -> None:
    phone = Phone({"texts_per_day": 1, "calls_per_recipient_per_day": 1, "call_minutes_per_day": 60})
    phone.counters.unavailable = {method}

    if method == "take":
        with pytest.raises(StorageUnavailable):
            phone.text("key 1")
    with pytest.raises(StorageUnavailable):
        phone.call("key 2")

    assert phone.texted == phone.called == []
    assert not +phone.counters.used
    phone.counters.unavailable = set()
    phone.text("key 1")
    phone.call("key 2")


def test_who_said_stop_is_not_counted() -> None:
    phone = Phone({"texts_per_day": 1})
    phone.texts.texting.answers = [TwilioRejected("Twilio refused it: 21610", twilio_code=21610, status=400)]

    for _ in range(2):
        with pytest.raises(RecipientOptedOut):
            phone.text("key 1")

    assert phone.used("texts_per_day") == 0


# ------------------------------------------------------------------------------------------------------------------- calls


def test_calls_to_one_recipient_pass_up_to_the_ceiling_and_not_beyond() -> None:
    phone = Phone({"calls_per_recipient_per_day": 2})
    phone.call("key 1")
    phone.call("key 2")

    with pytest.raises(CeilingReached, match=r"CallsPerRecipientPerDay is 2 for \*\*\*0123"):
        phone.call("key 3")

    phone.call("key 4", OTHERS)
    assert phone.called == [THEIRS, THEIRS, OTHERS]
    assert [(one["guard"], one["kind"]) for one in phone.refusals()] == [("calls_per_recipient_per_day", "call")]


def test_a_call_takes_the_minutes_that_it_may_last_and_one_that_may_last_longer_than_are_left_is_refused() -> None:
    phone = Phone({"call_minutes_per_day": 3, "calls_per_recipient_per_day": 5})
    phone.call("key 1", time_limit=61)

    with pytest.raises(CeilingReached, match="CallMinutesPerDay is 3, and 2 more would pass it"):
        phone.call("key 2", time_limit=61)

    assert phone.used("calls_per_recipient_per_day") == 1
    phone.call("key 2", time_limit=60)
    assert phone.used("call_minutes_per_day") == 3


def test_a_repeated_key_takes_no_more_minutes() -> None:
    phone = Phone({"call_minutes_per_day": 60})

    assert phone.call("key 1") == phone.call("key 1")
    assert phone.used("call_minutes_per_day") == 60


def test_a_call_gives_back_what_it_did_not_use_once() -> None:
    phone = Phone({"call_minutes_per_day": 60})
    phone.call("key 1")
    minutes = call_minutes(phone.calls.clock, phone.counters, **phone.limits)

    for _ in range(2):
        minutes.over(outbound(1, "completed", duration=61, request_id="key 1"))

    assert phone.used("call_minutes_per_day") == 2
    phone.call("key 2", time_limit=58 * 60)
    with pytest.raises(CeilingReached):
        phone.call("key 3", time_limit=5)


@pytest.mark.parametrize("status", ["busy", "failed", "no-answer", "canceled"])
def test_a_call_that_nobody_answered_gives_back_everything(status: str) -> None:
    phone = Phone({"call_minutes_per_day": 60})
    phone.call("key 1")

    call_minutes(phone.calls.clock, phone.counters, **phone.limits).over(outbound(1, status, request_id="key 1"))

    assert phone.used("call_minutes_per_day") == 0


@pytest.mark.parametrize(
    "update",
    [
        outbound(1, "in-progress", request_id="key 1"),
        outbound(1, "completed", request_id="key 1"),
        outbound(1, "completed", duration=5),
        outbound(1, "completed", duration=5, request_id="key 2"),
    ],
    ids=["it goes on", "nobody says how long it was", "nobody says whose it was", "it was another"],
)
def test_minutes_stay_taken_until_it_is_known_what_was_used_of_them(update: Any) -> None:
    phone = Phone({"call_minutes_per_day": 60})
    phone.call("key 1")

    call_minutes(phone.calls.clock, phone.counters, **phone.limits).over(update)

    assert phone.used("call_minutes_per_day") == 60


def test_no_call_is_made_without_a_time_limit_and_none_longer_than_the_stacks() -> None:
    phone = Phone({"max_call_seconds": 600})
    phone.call("key 1")
    phone.call("key 2", OTHERS, time_limit=599)
    Phone().call("key 3")

    assert [one.time_limit for one in phone.calls.calling.asked] == [600, 599]


def test_a_call_that_goes_on_can_be_given_a_limit_but_none_beyond_the_stacks() -> None:
    phone = Phone({"max_call_seconds": 600})
    phone.limit(5)
    phone.limit(14_400)

    assert phone.calls.calling.limited == [(sid(1), 5), (sid(1), 600)]


def test_who_is_transferred_to_is_not_on_the_line_for_longer_than_a_call_may_last() -> None:
    phone = Phone({"max_call_seconds": 600})
    phone.transfer(OTHERS)

    ((_, document, _),) = phone.calls.calling.told
    ((name, attributes, _),) = verbs(document or "")
    assert (name, attributes["timeLimit"]) == ("Dial", "600")


# ---------------------------------------------------------------------------------------------------------------- an action


@pytest.mark.parametrize(
    ("limits", "to", "reason"),
    [({}, JAMAICAN, "AllowedCountries"), ({"texts_per_day": 1}, THEIRS, "It opens again at 2026-11-23T00:00:00.000Z")],
)
def test_an_action_that_is_refused_is_not_valid_and_says_why(limits: dict[str, Any], to: str, reason: str) -> None:
    phone = Phone(limits)
    phone.text("key 1")

    ran = phone.run({"to": to, "body": "Hello"}, action="SEND_SMS")

    assert (ran.valid, reason in str(ran.reason), ran.result) == (False, True, None)
    assert len(phone.texted) == 1
