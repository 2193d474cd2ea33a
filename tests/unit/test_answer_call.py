from __future__ import annotations

import runpy
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.fakes import ACCOUNT, FakeConversations, FakeOutbox, LambdaContext
from tests.unit.fakes_calls import OURS, PAIR, THEIRS, FakeCallWorld, inbound, outbound, sid
from tests.unit.fakes_guards import inbound_guard
from tests.unit.fakes_streams import FakeStreams, FakeUtterances, stream
from tests.unit.test_twiml import Verb, verbs
from twilio_plugin.domain.call import CallUpdate, VoiceMode, call_update, other_fields
from twilio_plugin.domain.gather import Manner
from twilio_plugin.domain.stream import MAX_REOPENINGS
from twilio_plugin.errors import Misconfigured, StorageUnavailable, UnreadableWebhook
from twilio_plugin.runtime.http import Form, Response, twiml, webhook
from twilio_plugin.services.answer_call import LOST, Answering, answer, answer_call, apology
from twilio_plugin.services.gather_call import GatherOpener
from twilio_plugin.services.relay_line import RelayLine
from twilio_plugin.services.track_call import track_call

FALLBACK = Path(__file__).parents[2] / "functions" / "voice_fallback" / "app.py"
CALL = {
    "AccountSid": ACCOUNT,
    "CallSid": sid(1),
    "CallStatus": "ringing",
    "Direction": "inbound",
    "From": THEIRS,
    "To": OURS,
    "FromCity": "BERLIN",
}
OF_OURS = CALL | {"CallStatus": "in-progress", "Direction": "outbound-api", "From": OURS, "To": THEIRS}
GREETING, SORRY = "Hello & welcome.", "Sorry, nobody is there."
ROOT = "https://example.com/webhooks/twilio"
HANGUP: Verb = ("Hangup", {}, "")
MANNER = Manner(webhook_url=ROOT, voice="Polly.Amy-Neural", language="en-GB", endpoint=timedelta(milliseconds=700))


@dataclass
class Desk:
    """What answers calls, with its storage in memory; `test_calls_contract` holds that to the tables."""

    world: FakeCallWorld
    streams: FakeStreams
    outbox: FakeOutbox
    modes: list[VoiceMode] = field(default_factory=list)
    woken: list[str | None] = field(default_factory=list)
    """The status of call 1 each time that the stream's functions were woken."""
    trouble: Exception | None = None

    def answer(self, call: CallUpdate, query: Mapping[str, str] | None = None) -> list[Verb]:
        return verbs(answer(call, {"FromCity": "BERLIN"}, query or {}, self.by))

    @property
    def by(self) -> Answering:
        return Answering(
            calls=self.world.calls,
            streams=self.streams,
            guard=inbound_guard(self.world.clock),
            clock=self.world.clock,
            greeting=GREETING,
            sorry=SORRY,
            voice_mode="stream",
            websocket_url="wss://example.com/live",
            webhook_url=ROOT,
            token=lambda call_sid, leg: f"token of {call_sid} {leg}",
            gather=GatherOpener(self.streams, self.world.clock, MANNER, timedelta(seconds=30)),
            warm=self._warm,
            utterances=self.utterances,
            relay=RelayLine({"language": "en-GB"}, f"{ROOT}/status", 30),
        )

    @property
    def utterances(self) -> FakeUtterances:
        return FakeUtterances(self.outbox, self.streams, FakeConversations(self.outbox))

    def _warm(self, mode: VoiceMode) -> None:
        self.modes.append(mode)
        self.woken.append(self.world.status(1))
        if self.trouble:
            raise self.trouble


def connected(leg: int, reopened: int) -> list[Verb]:
    """The stream of a leg, and what comes when it ends before the call."""
    parameter: Verb = ("Parameter", {"name": "token", "value": f"token of {sid(1)} {leg}"}, "")
    stream: Verb = (
        "Stream",
        {"url": "wss://example.com/live", "statusCallback": f"{ROOT}/status#rc=3&rp=5xx,ct,rt"},
        [parameter],
    )
    return [
        ("Connect", {}, [stream]),
        (
            "Redirect",
            {"method": "POST"},
            f"{ROOT}/voice?mode=stream&leg={leg + 1}&reopened={reopened + 1}#rc=1&rp=5xx,ct&rt=5000",
        ),
    ]


def said(words: str) -> list[Verb]:
    return [("Say", {}, words), HANGUP]


@pytest.fixture
def world() -> FakeCallWorld:
    """In memory; `test_calls_contract` holds it to the tables."""
    return FakeCallWorld.new()


@pytest.fixture
def desk(world: FakeCallWorld) -> Desk:
    outbox = FakeOutbox()
    return Desk(world, FakeStreams(outbox, world.calls), outbox)


# ----------------------------------------------------------------------------------------------------------- the call


def test_a_call_is_kept_as_active_and_announced_with_all_that_twilio_said(world: FakeCallWorld) -> None:
    assert answer_call(inbound(1), {"FromCity": "BERLIN"}, world.calls, world.clock) is True

    assert world.active() == [sid(1)]
    (event,) = world.announced()
    assert event.pop("occurred_at")
    assert event == {
        "detail_type": "CALL_RECEIVED",
        "version": "1",
        "event_id": f"CALL_RECEIVED#{sid(1)}",
        "account_sid": ACCOUNT,
        "conversation_id": PAIR,
        "call_sid": sid(1),
        "from": THEIRS,
        "to": OURS,
        "fields": {"FromCity": "BERLIN"},
    }


def test_a_repeated_webhook_is_announced_once_and_moves_nothing(world: FakeCallWorld) -> None:
    answer_call(inbound(1), {}, world.calls, world.clock)
    before = world.calls.call(sid(1))
    world.announced()

    assert answer_call(inbound(1), {}, world.calls, world.clock) is False

    assert world.calls.call(sid(1)) == before
    assert world.announced() == []


def test_a_caller_without_a_number_is_announced_as_anonymous(world: FakeCallWorld) -> None:
    call = call_update(CALL | {"From": ""}, {})

    answer_call(call, {}, world.calls, world.clock)

    (event,) = world.announced()
    assert (event["from"], event["conversation_id"]) == ("anonymous", f"phone|{OURS}|anonymous")


def test_nothing_is_announced_that_could_not_be_stored(world: FakeCallWorld) -> None:
    world.calls.unavailable = {"add_received"}
    with pytest.raises(StorageUnavailable):
        answer_call(inbound(1), {}, world.calls, world.clock)
    assert world.announced() == []

    world.calls.unavailable = set()
    assert answer_call(inbound(1), {}, world.calls, world.clock) is True


# ------------------------------------------------------------------------------------------------ a person calls, or answers


def test_a_person_who_calls_is_greeted_and_heard_and_the_call_is_announced(desk: Desk) -> None:
    assert desk.answer(inbound(1)) == [("Say", {}, GREETING), *connected(0, 0)]

    (event,) = desk.world.announced()
    assert (event["detail_type"], event["fields"]) == ("CALL_RECEIVED", {"FromCity": "BERLIN"})
    assert desk.world.status(1) == "in-progress"


def test_a_repeated_request_is_answered_the_same_and_announced_once(desk: Desk) -> None:
    assert desk.answer(inbound(1)) == desk.answer(inbound(1))

    assert len(desk.world.announced()) == 1


def test_a_person_whom_we_call_talks_to_the_agent_at_once_and_the_call_counts_as_answered(desk: Desk) -> None:
    track_call(outbound(1, "ringing", request_id="key 1"), desk.world.calls, desk.world.clock)
    desk.world.announced()

    assert desk.answer(outbound(1, "in-progress", request_id="key 1")) == connected(0, 0)

    (event,) = desk.world.announced()
    assert (event["event_id"], event["request_id"]) == (f"CALL_STATUS_CHANGED#{sid(1)}#in-progress", "key 1")
    assert desk.world.status(1) == "in-progress"


@pytest.mark.parametrize("order", [("callback", "request"), ("request", "callback"), ("request", "request", "callback")])
def test_that_a_person_has_answered_is_announced_once_whoever_says_it_first(desk: Desk, order: tuple[str, ...]) -> None:
    for one in order:
        if one == "callback":
            track_call(outbound(1, "in-progress"), desk.world.calls, desk.world.clock)
        else:
            desk.answer(outbound(1, "ringing"))

    (event,) = desk.world.announced()
    assert (event["detail_type"], event["status"]) == ("CALL_STATUS_CHANGED", "in-progress")


@pytest.mark.parametrize("call", [inbound(1), outbound(1, "in-progress")], ids=["inbound", "outbound"])
def test_what_the_stream_needs_is_woken_once_the_call_is_stored(desk: Desk, call: CallUpdate) -> None:
    desk.answer(call)

    assert desk.woken == ["in-progress"]


def test_what_cannot_be_woken_starts_cold(desk: Desk) -> None:
    desk.trouble = StorageUnavailable("Lambda: TooManyRequestsException.")

    assert desk.answer(inbound(1)) == [("Say", {}, GREETING), *connected(0, 0)]
    assert desk.woken


@pytest.mark.parametrize("call", [inbound(1), outbound(1, "in-progress")], ids=["inbound", "outbound"])
def test_no_stream_is_asked_for_of_a_call_that_could_not_be_stored(desk: Desk, call: CallUpdate) -> None:
    desk.world.calls.unavailable = {"add_received", "apply_status"}

    with pytest.raises(StorageUnavailable):
        desk.answer(call)
    assert desk.woken == []


# --------------------------------------------------------------------------------------- a stream ended before its call


def go_on(desk: Desk, leg: object, reopened: object) -> list[Verb]:
    return desk.answer(inbound(1, "in-progress"), {"leg": str(leg), "reopened": str(reopened)})


@pytest.fixture
def going_on(desk: Desk) -> Desk:
    """A call after its first document."""
    desk.answer(inbound(1))
    desk.world.announced()
    desk.woken.clear()
    return desk


@pytest.mark.parametrize("end", ["stopped", "closed", "failed", "lost"])
def test_a_stream_that_ended_before_its_call_is_reopened_as_the_next_leg(going_on: Desk, end: Any) -> None:
    going_on.streams.keep(stream(1, ended_at="2026-11-22T08:00:09.000Z", end=end))

    assert go_on(going_on, 1, 1) == connected(1, 1)
    assert go_on(going_on, 2, 2) == connected(2, 2)


def test_a_stream_whose_end_is_not_known_yet_or_that_never_began_is_reopened_too(going_on: Desk) -> None:
    assert go_on(going_on, 1, 1) == connected(1, 1)
    going_on.streams.keep(stream(1))
    assert go_on(going_on, 1, 1) == connected(1, 1)


def test_going_on_announces_greets_and_wakes_nothing(going_on: Desk) -> None:
    go_on(going_on, 1, 1)

    assert going_on.world.announced() == []
    assert going_on.woken == []


def test_a_call_that_is_over_is_hung_up(going_on: Desk) -> None:
    track_call(inbound(1, "completed"), going_on.world.calls, going_on.world.clock)

    assert go_on(going_on, 1, 1) == [HANGUP]


def test_a_person_whom_the_agent_left_waiting_hears_a_sentence(going_on: Desk) -> None:
    going_on.streams.keep(stream(1, ended_at="2026-11-22T08:00:30.000Z", end="no_reply"))

    assert go_on(going_on, 1, 1) == said(SORRY)


def test_an_agent_that_found_its_words_at_the_last_moment_goes_on(going_on: Desk) -> None:
    """`control_call` had seen the stream open; by the time that its words are spoken, nobody waits any more."""
    going_on.streams.keep(stream(1, ended_at="2026-11-22T08:00:30.000Z", end="no_reply"))

    assert go_on(going_on, 1, 0) == connected(1, 0)


def test_a_stream_is_reopened_so_often_and_then_the_call_ends(going_on: Desk) -> None:
    assert go_on(going_on, 9, MAX_REOPENINGS) == connected(9, MAX_REOPENINGS)
    assert go_on(going_on, 10, MAX_REOPENINGS + 1) == said(LOST)


@pytest.mark.parametrize(
    ("leg", "reopened"), [("", "1"), ("one", "1"), ("1", ""), ("1", "-1"), ("²", "1"), ("1", "1" * 9), ("1.0", "1")]
)
def test_an_address_that_is_not_one_of_ours_ends_the_call_in_words(going_on: Desk, leg: str, reopened: str) -> None:
    assert go_on(going_on, leg, reopened) == said(SORRY)


def test_an_address_without_its_count_ends_the_call_in_words(going_on: Desk) -> None:
    assert going_on.answer(inbound(1, "in-progress"), {"leg": "1"}) == said(SORRY)


def test_a_call_that_nobody_knows_does_not_go_on(desk: Desk) -> None:
    assert go_on(desk, 1, 1) == said(SORRY)
    assert desk.world.announced() == []


# -------------------------------------------------------------------------------------------------- what the caller hears


def answered(
    desk: Desk, form: Mapping[str, str], *, query: str = "", trouble: Exception | None = None, signed: bool = True
) -> Response:
    """The voice webhook's way through HTTP."""

    def use_case(form: Form, query: Mapping[str, str]) -> Response:
        document = answer(call_update(form, query), other_fields(form), query, desk.by)
        if trouble:
            raise trouble
        return twiml(document)

    handler = webhook(
        use_case, lambda *_: signed, ROOT, twiml(apology(SORRY)), admits_source=lambda _: True, whatever_happens=True
    )
    headers = {"content-type": "application/x-www-form-urlencoded", "x-twilio-signature": "signed"}
    path = {"rawPath": "/webhooks/twilio/voice", "rawQueryString": query}
    event: dict[str, Any] = {"headers": headers, **path, "body": urlencode(form)}
    return handler(event, LambdaContext())


def test_a_call_is_answered_through_http_first_and_when_it_goes_on(desk: Desk) -> None:
    first, next_ = answered(desk, CALL), answered(desk, CALL, query="leg=1&reopened=1")

    assert verbs(first["body"]) == [("Say", {}, GREETING), *connected(0, 0)]
    assert verbs(next_["body"]) == connected(1, 1)
    assert first["headers"] == {"content-type": "text/xml; charset=utf-8"}


def test_a_call_of_ours_is_answered_through_http_with_its_request(desk: Desk) -> None:
    assert verbs(answered(desk, OF_OURS, query="request=key+1")["body"]) == connected(0, 0)

    (event,) = desk.world.announced()
    assert (event["direction"], event["request_id"]) == ("outbound", "key 1")


@pytest.mark.parametrize("trouble", [StorageUnavailable("down"), Misconfigured("no GREETING"), RuntimeError("a bug")])
@pytest.mark.parametrize("query", ["", "leg=1&reopened=1"])
def test_a_caller_hears_a_sentence_whatever_happens_to_us(desk: Desk, trouble: Exception, query: str) -> None:
    answer = answered(desk, CALL, query=query, trouble=trouble)

    assert answer["statusCode"] == 200
    assert verbs(answer["body"]) == said(SORRY)


def test_a_caller_hears_a_sentence_where_nothing_can_be_stored(desk: Desk) -> None:
    desk.world.calls.unavailable = {"add_received"}

    assert verbs(answered(desk, CALL)["body"]) == said(SORRY)


def test_a_stranger_is_refused_whatever_happens(desk: Desk) -> None:
    assert answered(desk, CALL, signed=False)["statusCode"] == 403
    assert desk.world.announced() == []


@pytest.mark.parametrize("missing", ["CallSid", "To", "AccountSid", "CallStatus"])
def test_a_request_that_is_no_call_is_refused_by_its_missing_field(desk: Desk, missing: str) -> None:
    answer = answered(desk, {name: value for name, value in CALL.items() if name != missing})

    assert answer["statusCode"] == UnreadableWebhook.status
    assert missing in answer["body"]
    assert desk.world.announced() == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.text(min_size=1, max_size=20), st.text(max_size=50), max_size=5))
def test_whatever_else_twilio_says_the_caller_hears_the_greeting(desk: Desk, more: dict[str, str]) -> None:
    assert verbs(answered(desk, more | CALL)["body"]) == [("Say", {}, GREETING), *connected(0, 0)]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=12), st.text(max_size=12))
def test_whatever_the_address_says_the_answer_is_a_document(going_on: Desk, leg: str, reopened: str) -> None:
    assert go_on(going_on, leg, reopened)


def test_the_fallback_apologises_and_hangs_up_without_a_look_at_the_request() -> None:
    handler = runpy.run_path(str(FALLBACK))["lambda_handler"]

    answers = [handler(event, None) for event in ({}, None, {"body": "CallSid=CA1"})]

    assert answers[0] == answers[1] == answers[2]
    assert answers[0]["statusCode"] == 200
    assert answers[0]["headers"] == {"content-type": "text/xml; charset=utf-8"}
    (say, hangup) = verbs(answers[0]["body"])
    assert (say[0], hangup[0]) == ("Say", "Hangup")
    assert "Sorry" in say[2]
