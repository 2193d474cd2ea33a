from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from tests.unit.fakes import ACCOUNT
from tests.unit.fakes_calls import OURS, PAIR, THEIRS, CallWorld, FakeCallWorld, inbound, outbound, real_call_world, sid
from tests.unit.fakes_guards import FakeCounters, call_minutes
from twilio_plugin.domain.address import Address
from twilio_plugin.domain.call import CallRequest, CallUpdate
from twilio_plugin.errors import SendInProgress, SendOutcomeUnknown, StorageUnavailable, TwilioUnavailable
from twilio_plugin.services.answer_call import answer_call
from twilio_plugin.services.call_minutes import CallMinutes
from twilio_plugin.services.reconcile_calls import CallReconciler, ReconciledCalls, reconcile_calls
from twilio_plugin.services.track_call import track_call

REQUEST = CallRequest(
    request_id="key 1",
    fingerprint="f",
    sender=Address("phone", OURS),
    recipient=Address("phone", THEIRS),
    time_limit=60,
    twiml="<Response/>",
)
OTHER = dataclasses.replace(REQUEST, request_id="key 2")
ELSEWHERE = dataclasses.replace(REQUEST, request_id="key 3", recipient=Address("phone", "+14155550199"))
NOTHING = ReconciledCalls(found_made=0, found_not_made=0, still_unknown=0, ended=0)


@dataclass
class Operator:
    """Calls in their world, and a run of reconciliation over it."""

    world: CallWorld
    counters: FakeCounters = field(default_factory=FakeCounters)
    limits: dict[str, int] = field(default_factory=dict)

    def run(self) -> ReconciledCalls:
        return reconcile_calls(
            CallReconciler(
                self.world.requests,
                self.world.calls,
                self.world.calling,
                self.minutes,
                self.world.clock,
                account_sid=ACCOUNT,
            )
        )

    @property
    def minutes(self) -> CallMinutes:
        return call_minutes(self.world.clock, self.counters, **self.limits)

    def lose(self, *requests: CallRequest, minutes: float = 3) -> None:
        """Calls are made, the answers never come, and time goes by."""
        for request in requests:
            assert self.world.requests.claim(request) is None
            self.world.requests.mark_unknown(request)
        self.world.clock.advance(minutes=minutes)

    def callback(self, update: CallUpdate) -> None:
        """Twilio's status callback, whose event is on the bus by now."""
        assert track_call(update, self.world.calls, self.world.clock)
        self.world.announced()

    def receive(self, *calls: CallUpdate, minutes: float = 11) -> None:
        """People call, their end is never reported, and time goes by."""
        for call in calls:
            assert answer_call(call, {}, self.world.calls, self.world.clock)
        self.world.announced()
        self.world.clock.advance(minutes=minutes)

    def unsettled(self) -> list[CallRequest]:
        return [request for request, _ in self.world.requests.unsettled(before=self.world.clock())]


@pytest.fixture(params=["fake", "dynamodb"])
def operator(request: pytest.FixtureRequest) -> Operator:
    if request.param == "fake":
        return Operator(FakeCallWorld.new())
    return Operator(real_call_world(request.getfixturevalue("dynamodb"), request.getfixturevalue("new_table")))


@pytest.fixture
def fake_operator() -> Operator:
    return Operator(FakeCallWorld.new())


def test_a_run_with_nothing_to_do_does_nothing(fake_operator: Operator) -> None:
    assert fake_operator.run() == NOTHING
    assert fake_operator.world.announced() == []


# ---------------------------------------------------------------------------------------------------- calls that were lost


def test_a_lost_call_is_found_by_the_callback_that_named_its_request(operator: Operator) -> None:
    operator.lose(REQUEST)
    operator.callback(outbound(2, "in-progress", request_id="key 1"))
    operator.world.calling.listed = [outbound(1), outbound(2, "in-progress")]

    assert operator.run() == dataclasses.replace(NOTHING, found_made=1)
    (event,) = operator.world.announced()
    assert (event["detail_type"], event["call_sid"], event["request_id"]) == ("CALL_STARTED", sid(2), "key 1")
    assert (event["from"], event["to"], event["conversation_id"]) == (OURS, THEIRS, PAIR)
    made = operator.world.requests.claim(REQUEST)
    assert made
    assert made.call_sid == sid(2)
    assert operator.run() == NOTHING


def test_a_lost_call_is_found_by_its_pair_of_numbers_the_oldest_first(operator: Operator) -> None:
    operator.lose(REQUEST)
    operator.world.calling.listed = [outbound(1, "ringing"), outbound(2)]

    assert operator.run() == dataclasses.replace(NOTHING, found_made=1)
    (event,) = operator.world.announced()
    assert (event["call_sid"], event["status"]) == (sid(1), "ringing")
    assert operator.world.active() == [sid(1)]


def test_a_call_whose_invocation_died_is_settled_like_a_lost_one(fake_operator: Operator) -> None:
    fake_operator.world.requests.claim(REQUEST)
    fake_operator.world.clock.advance(minutes=3)
    fake_operator.world.calling.listed = [outbound(1)]

    assert fake_operator.run() == dataclasses.replace(NOTHING, found_made=1)


def test_a_lost_call_is_looked_for_from_a_little_before_its_claim(fake_operator: Operator) -> None:
    before = fake_operator.world.clock()
    fake_operator.lose(REQUEST)

    fake_operator.run()

    ((request_id, since),) = fake_operator.world.calling.looked_up
    assert request_id == "key 1"
    assert before - timedelta(minutes=2) < since < before


def test_a_call_of_another_request_is_not_taken_for_the_lost_one(fake_operator: Operator) -> None:
    fake_operator.lose(REQUEST)
    fake_operator.callback(outbound(1, "ringing", request_id="key 2"))
    fake_operator.world.calling.listed = [outbound(1, "ringing")]

    assert fake_operator.run() == dataclasses.replace(NOTHING, still_unknown=1)
    assert fake_operator.world.announced() == []


def test_a_call_that_was_recorded_and_not_called_back_yet_is_not_taken_for_the_lost_one(operator: Operator) -> None:
    """Twilio's answer to the request does not have our request id, so the record must."""
    operator.lose(OTHER)
    operator.world.calling.listed = [outbound(1)]
    assert operator.run() == dataclasses.replace(NOTHING, found_made=1)
    operator.world.announced()

    operator.lose(REQUEST)

    assert operator.run() == dataclasses.replace(NOTHING, still_unknown=1)
    assert operator.world.announced() == []


def test_two_lost_calls_of_one_pair_are_not_found_in_the_same_call(operator: Operator) -> None:
    operator.lose(REQUEST, OTHER, minutes=16)
    operator.world.calling.listed, operator.world.calling.known = [outbound(1)], {sid(1): outbound(1, "in-progress")}

    assert operator.run() == dataclasses.replace(NOTHING, found_made=1, found_not_made=1)


def test_two_lost_calls_of_one_pair_are_found_in_two_calls(fake_operator: Operator) -> None:
    fake_operator.lose(REQUEST, OTHER)
    fake_operator.callback(outbound(1, "ringing", request_id="key 2"))
    fake_operator.world.calling.listed = [outbound(1, "ringing"), outbound(2)]

    assert fake_operator.run() == dataclasses.replace(NOTHING, found_made=2)
    found = {event["request_id"]: event["call_sid"] for event in fake_operator.world.announced()}
    assert found == {"key 1": sid(2), "key 2": sid(1)}


def test_a_lost_call_that_is_found_to_be_over_is_announced_as_ended(operator: Operator) -> None:
    """Its callbacks were lost as well: there will be no other word of its end."""
    operator.lose(REQUEST)
    over = outbound(1, "completed", duration=42)
    operator.world.calling.listed, operator.world.calling.known = [over], {sid(1): over}

    operator.run()
    operator.world.clock.advance(minutes=16)
    operator.run()

    assert [event["detail_type"] for event in operator.world.announced()] == ["CALL_STARTED", "CALL_ENDED"]
    call = operator.world.calls.call(sid(1))
    assert call
    assert (call.status, call.duration, call.ended_at is not None) == ("completed", 42, True)


def test_what_twilio_does_not_have_yet_is_left_for_a_later_run(fake_operator: Operator) -> None:
    fake_operator.lose(REQUEST, minutes=14)

    assert fake_operator.run() == dataclasses.replace(NOTHING, still_unknown=1)
    assert fake_operator.world.announced() == []
    with pytest.raises(SendOutcomeUnknown):
        fake_operator.world.requests.claim(REQUEST)


def test_what_twilio_still_does_not_have_was_not_made_and_the_key_is_free(operator: Operator) -> None:
    operator.lose(REQUEST, minutes=16)

    assert operator.run() == dataclasses.replace(NOTHING, found_not_made=1)
    (event,) = operator.world.announced()
    assert (event["detail_type"], event["status"], event["request_id"]) == ("CALL_ENDED", "not_made", "key 1")
    assert (event["from"], event["to"], event["direction"]) == (OURS, THEIRS, "outbound")
    assert (event["account_sid"], event["conversation_id"]) == (ACCOUNT, PAIR)
    assert "call_sid" not in event
    assert operator.run() == NOTHING
    assert operator.world.requests.claim(REQUEST) is None


def test_a_call_that_is_lost_again_under_its_key_is_announced_again(fake_operator: Operator) -> None:
    announced = []
    for _ in range(2):
        fake_operator.lose(REQUEST, minutes=16)
        fake_operator.run()
        announced += fake_operator.world.announced()

    first, second = announced
    assert first["event_id"] != second["event_id"]


def test_a_call_that_may_still_be_under_way_is_left_alone(fake_operator: Operator) -> None:
    fake_operator.world.requests.claim(REQUEST)
    fake_operator.world.clock.advance(seconds=80)

    assert fake_operator.run() == NOTHING
    assert fake_operator.world.calling.looked_up == []
    with pytest.raises(SendInProgress):
        fake_operator.world.requests.claim(REQUEST)


# -------------------------------------------------------------------------------------------- calls that nobody ended


def test_a_call_that_nobody_ended_is_ended_by_what_twilio_says(operator: Operator) -> None:
    operator.receive(inbound(1))
    operator.world.calling.known = {sid(1): inbound(1, "completed", duration=42)}

    assert operator.run() == dataclasses.replace(NOTHING, ended=1)
    (event,) = operator.world.announced()
    assert (event["event_id"], event["status"], event["duration"]) == (f"CALL_ENDED#{sid(1)}", "completed", 42)
    assert (event["direction"], event["conversation_id"]) == ("inbound", PAIR)
    assert operator.world.active() == []
    assert operator.run() == NOTHING


def test_a_call_that_is_still_going_on_stays_active(fake_operator: Operator) -> None:
    fake_operator.receive(inbound(1))
    fake_operator.world.calling.known = {sid(1): inbound(1, "in-progress")}

    assert fake_operator.run() == NOTHING
    assert fake_operator.world.announced() == []
    assert fake_operator.world.active() == [sid(1)]


def test_a_young_call_is_not_asked_about(fake_operator: Operator) -> None:
    fake_operator.receive(inbound(1), minutes=9)
    fake_operator.world.calling.down = {sid(1)}

    assert fake_operator.run() == NOTHING


def test_a_call_that_twilio_does_not_know_is_no_longer_active(fake_operator: Operator) -> None:
    fake_operator.receive(inbound(1))

    assert fake_operator.run() == dataclasses.replace(NOTHING, ended=1)
    assert fake_operator.world.active() == []
    assert fake_operator.run() == NOTHING


def test_a_call_that_had_ended_before_it_was_stored_is_taken_off_the_list_and_not_announced_again(operator: Operator) -> None:
    operator.callback(inbound(1, "completed"))
    operator.receive(inbound(1))
    operator.world.calling.known = {sid(1): inbound(1, "completed")}

    operator.run()

    assert operator.world.announced() == []
    assert list(operator.world.calls.unended(before=operator.world.clock())) == []


# ------------------------------------------------------------------------------------------------------- limits and minutes


def test_a_call_that_twilio_should_have_ended_is_ended_and_one_within_its_limit_is_not(operator: Operator) -> None:
    operator.limits = {"max_call_seconds": 600}
    operator.world.calling.known = {sid(1): inbound(1, "in-progress")}
    operator.receive(inbound(1), minutes=14.9)

    operator.run()
    assert operator.world.calling.told == []

    operator.world.clock.advance(minutes=0.2)
    assert operator.run() == NOTHING
    assert operator.world.calling.told == [(sid(1), None, None)]


def test_one_call_that_twilio_does_not_end_does_not_keep_the_others_from_being_ended(fake_operator: Operator) -> None:
    fake_operator.limits = {"max_call_seconds": 600}
    fake_operator.world.calling.known = {sid(number): inbound(number, "in-progress") for number in (1, 2)}
    fake_operator.world.calling.answers = [TwilioUnavailable("Twilio took no request in 4 tries.")]
    fake_operator.receive(inbound(1), inbound(2), minutes=16)

    with pytest.raises(TwilioUnavailable):
        fake_operator.run()

    assert [call_sid for call_sid, _, _ in fake_operator.world.calling.told] == [sid(1), sid(2)]


def test_calls_whose_end_is_found_give_back_the_minutes_they_did_not_use(operator: Operator) -> None:
    operator.limits = {"call_minutes_per_day": 100}
    operator.minutes.hold(f"call|{sid(1)}", seconds=1800)
    operator.minutes.hold("request|key 2", seconds=1800)
    operator.receive(inbound(1), minutes=0)
    operator.callback(outbound(2, "in-progress", request_id="key 2"))
    operator.world.clock.advance(minutes=11)
    operator.world.calling.known = {
        sid(1): inbound(1, "completed", duration=42),
        sid(2): outbound(2, "completed", duration=61),
    }

    operator.run()

    assert sum(operator.counters.used.values()) == 3


def test_a_call_that_twilio_never_had_gives_back_its_minutes(operator: Operator) -> None:
    operator.limits = {"call_minutes_per_day": 100}
    operator.minutes.hold("request|key 1", seconds=1800)
    operator.lose(REQUEST, minutes=60)

    assert operator.run() == dataclasses.replace(NOTHING, found_not_made=1)

    assert sum(operator.counters.used.values()) == 0


# ------------------------------------------------------------------------------------------------------------- trouble


def test_a_list_that_cannot_be_read_settles_nothing_and_fails_the_run(fake_operator: Operator) -> None:
    fake_operator.lose(REQUEST, minutes=60)
    fake_operator.world.calling.down = {THEIRS}

    with pytest.raises(StorageUnavailable):
        fake_operator.run()

    assert fake_operator.world.announced() == []
    assert fake_operator.unsettled() == [REQUEST]


def test_one_lookup_that_fails_does_not_keep_the_others_from_being_settled_or_ended(fake_operator: Operator) -> None:
    fake_operator.lose(REQUEST, ELSEWHERE, minutes=60)
    fake_operator.receive(inbound(1), inbound(2))
    fake_operator.world.calling.down = {THEIRS, sid(1)}
    fake_operator.world.calling.known = {sid(2): inbound(2, "completed")}

    with pytest.raises(StorageUnavailable):
        fake_operator.run()

    assert fake_operator.unsettled() == [REQUEST]
    assert fake_operator.world.active() == [sid(1)]
    assert [(event["detail_type"], event["status"]) for event in fake_operator.world.announced()] == [
        ("CALL_ENDED", "not_made"),
        ("CALL_ENDED", "completed"),
    ]
