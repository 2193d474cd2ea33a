from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from pydantic import ValidationError

from tests.unit.fakes_calls import (
    OURS,
    PAIR,
    THEIRS,
    CallWorld,
    FakeCallRequests,
    FakeCallWorld,
    outbound,
    real_call_world,
    sid,
)
from tests.unit.fakes_guards import outbound_guard
from tests.unit.test_twiml import verbs
from twilio_plugin.domain import twiml
from twilio_plugin.domain.actions import MadeCall, MakeCall
from twilio_plugin.domain.call import CallUpdate
from twilio_plugin.domain.transcription import asked_for
from twilio_plugin.errors import (
    IdempotencyKeyReused,
    InvalidPhoneNumber,
    InvalidRequest,
    PluginError,
    SendInProgress,
    SendOutcomeUnknown,
    StorageUnavailable,
    TwilioRejected,
    TwilioUnavailable,
)
from twilio_plugin.services.make_call import Caller, make_call
from twilio_plugin.services.track_call import track_call

REFUSED = TwilioRejected("Twilio refused the call to ***0123: 21215", twilio_code=21215, status=400)
LOST = SendOutcomeUnknown("No answer from Twilio.")
BUSY = TwilioUnavailable("Twilio took no request in 4 tries.")


@dataclass
class Phone:
    """A stack's calling side, over a storage and a faked Twilio."""

    world: CallWorld
    not_recorded: list[str] = field(default_factory=list)

    def call(self, request_id: str = "request 1", **fields: Any) -> MadeCall:
        request = MakeCall.model_validate({"to": THEIRS, "say": "Hello"} | fields)
        by = Caller(
            requests=self.world.requests,
            calling=self.world.calling,
            guard=outbound_guard(self.world.clock),
            clock=self.world.clock,
            phone_number=OURS,
            default_region="US",
            language="en-US",
            webhook_url="https://example.com/webhooks/twilio",
            not_recorded=self.not_recorded.append,
        )
        return make_call(request, request_id, by)

    @property
    def rung(self) -> int:
        """How often somebody's phone rang, or may have."""
        return len(self.world.calling.asked)


@pytest.fixture(params=["fake", "dynamodb"])
def both(request: pytest.FixtureRequest) -> Phone:
    """Once in memory, once on the tables."""
    if request.param == "fake":
        return Phone(FakeCallWorld.new())
    return Phone(real_call_world(request.getfixturevalue("dynamodb"), request.getfixturevalue("new_table")))


@pytest.fixture
def phone() -> Phone:
    return Phone(FakeCallWorld.new())


@pytest.fixture
def storage(phone: Phone) -> FakeCallRequests:
    assert isinstance(phone.world, FakeCallWorld)
    return phone.world.requests


# ------------------------------------------------------------------------------------------------------------ the call


def test_a_call_is_made_answered_for_and_announced(both: Phone) -> None:
    made = both.call(idempotency_key="key 1", time_limit=60)

    assert made == MadeCall(call_sid=sid(1), status="queued", conversation_id=PAIR, to=THEIRS, from_=OURS)
    (asked,) = both.world.calling.asked
    assert (asked.request_id, asked.time_limit, asked.url) == ("key 1", 60, None)
    assert "<Say>Hello</Say></Response>" in (asked.twiml or "")
    (event,) = both.world.announced()
    assert (event["event_id"], event["detail_type"]) == (f"CALL_STARTED#{sid(1)}", "CALL_STARTED")
    assert (event["from"], event["to"], event["status"], event["request_id"]) == (OURS, THEIRS, "queued", "key 1")
    assert event["conversation_id"] == PAIR


def test_a_call_of_ours_is_active_from_the_start(phone: Phone) -> None:
    phone.call()

    (call,) = phone.world.calls.active()
    assert (call.call_sid, call.direction, call.status) == (sid(1), "outbound", "queued")
    assert (call.from_, call.to, call.conversation_id) == (OURS, THEIRS, PAIR)


def test_a_document_and_a_url_go_to_twilio_as_they_are(phone: Phone) -> None:
    phone.call("1", say=None, twiml="<Response><Hangup/></Response>")
    phone.call("2", say=None, url="https://example.com/a?b=c")

    assert [(one.twiml, one.url) for one in phone.world.calling.asked] == [
        ("<Response><Hangup/></Response>", None),
        (None, "https://example.com/a?b=c"),
    ]


def test_numbers_are_read_as_they_are_dialled_and_our_own_may_be_chosen(phone: Phone) -> None:
    made = phone.call(to="(415) 555-0123", **{"from": "415-555-0177"})

    assert (made.to, made.from_) == (THEIRS, "+14155550177")
    assert made.conversation_id == f"phone|+14155550177|{THEIRS}"


def test_who_is_called_with_nothing_to_hear_talks_to_the_agent(phone: Phone) -> None:
    phone.call(say=None)

    (asked,) = phone.world.calling.asked
    assert (asked.twiml, asked.url) == (None, None)


@pytest.mark.parametrize(
    ("wanted", "kept"),
    [
        ({}, ("continue", None)),
        ({"on_machine": "hang_up"}, ("hang_up", None)),
        (
            {"on_machine": "leave_message", "message": "Call <me> back."},
            ("leave_message", [("Say", {}, "Call <me> back."), ("Hangup", {}, "")]),
        ),
    ],
    ids=str,
)
def test_what_a_machine_is_to_get_is_asked_for_and_kept_with_the_call(
    both: Phone, wanted: dict[str, str], kept: tuple[str, list[Any] | None]
) -> None:
    both.call(machine_detection=wanted, record=True)

    (asked,) = both.world.calling.asked
    call = both.world.calls.call(sid(1))
    assert call
    assert asked.record is True
    assert asked.machine_detection == call.machine_detection
    assert call.machine_detection
    document = call.machine_detection.twiml
    assert (call.machine_detection.on_machine, verbs(document) if document else None) == kept


def test_nothing_is_asked_about_machines_or_recorded_unless_wanted(both: Phone) -> None:
    both.call()

    (asked,) = both.world.calling.asked
    call = both.world.calls.call(sid(1))
    assert call
    assert (asked.record, asked.machine_detection, call.machine_detection) == (False, None, None)


# -------------------------------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    "wrong",
    [
        {"on_machine": "leave_message"},
        {"on_machine": "hang_up", "message": "Hello"},
        {"message": "Hello"},
        {"on_machine": "leave_message", "message": " \n"},
        {"on_machine": "leave_message", "message": "&" * 3000},
    ],
    ids=lambda wrong: str(wrong)[:60],
)
def test_a_message_goes_with_leaving_one_and_must_be_one(phone: Phone, wrong: dict[str, str]) -> None:
    with pytest.raises(InvalidRequest, match=r"machine_detection\.message"):
        phone.call(machine_detection=wrong)

    assert phone.rung == 0


@pytest.mark.parametrize("wrong", [{"on_machine": "shout"}, {"mode": "fast"}, {"message": ""}, "yes", True], ids=str)
def test_machine_detection_of_another_shape_is_refused_by_its_field(wrong: Any) -> None:
    with pytest.raises(ValidationError) as error:
        MakeCall.model_validate({"to": THEIRS, "machine_detection": wrong})

    assert {one["loc"][0] for one in error.value.errors()} == {"machine_detection"}


@pytest.mark.parametrize(
    "heard",
    [
        pytest.param({"twiml": "<Response/>"}, id="words and a document"),
        pytest.param({"url": "https://example.com"}, id="words and a URL"),
        pytest.param({"say": None, "twiml": "<Response/>", "url": "https://example.com"}, id="a document and a URL"),
        pytest.param({"twiml": "<Response/>", "url": "https://example.com"}, id="all three"),
    ],
)
def test_more_than_one_thing_to_hear_is_refused_before_twilio(phone: Phone, heard: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest, match="only one"):
        phone.call(**heard)

    assert phone.rung == 0
    assert phone.world.announced() == []


@pytest.mark.parametrize("words", [" \n ", "\x00\x01"])
def test_words_that_nobody_can_speak_are_refused_before_twilio(phone: Phone, words: str) -> None:
    """The phone would ring, and whoever answers would be hung up on."""
    with pytest.raises(InvalidRequest, match="say"):
        phone.call(say=words)

    assert phone.rung == 0


@pytest.mark.parametrize("ours", [OURS, "(415) 555-0100"])
def test_our_own_number_is_not_called(phone: Phone, ours: str) -> None:
    with pytest.raises(InvalidRequest, match="own number"):
        phone.call(to=ours)
    with pytest.raises(InvalidRequest, match="own number"):
        phone.call(to="+14155550177", **{"from": "+14155550177"})

    assert phone.rung == 0


@pytest.mark.parametrize("to", ["", "ada", "12345", "whatsapp:+14155550123", "+1 415 555 0123 ext. 4", "sip:ada@example.com"])
def test_only_phone_numbers_are_called(phone: Phone, to: str) -> None:
    with pytest.raises(InvalidPhoneNumber):
        phone.call(to=to)

    assert phone.rung == 0


@pytest.mark.parametrize(
    "fields",
    [
        {"say": ""},
        {"say": "a" * 3001},
        {"say": "half an emoji: \ud83d"},
        {"twiml": ""},
        {"twiml": "a" * 4001},
        {"url": "ftp://example.com"},
        {"url": "https://"},
        {"url": "javascript:alert(1)"},
        {"time_limit": 4},
        {"time_limit": 14_401},
        {"idempotency_key": ""},
        {"idempotency_key": "k" * 129},
        {"record": "loudly"},
        {"volume": 11},
    ],
    ids=str,
)
def test_input_that_breaks_the_contract_is_refused_by_its_field(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as error:
        MakeCall.model_validate({"to": THEIRS} | fields)

    assert [one["loc"] for one in error.value.errors()] == [(name,) for name in fields]


# ------------------------------------------------------------------------------------------------------------ only once


def test_the_same_key_calls_once_and_answers_the_same(both: Phone) -> None:
    first = both.call("request 1", idempotency_key="key 1")

    assert both.call("request 2", idempotency_key="key 1") == first
    assert both.rung == 1
    assert len(both.world.announced()) == 1


def test_a_retry_of_the_same_invocation_calls_once_without_any_key(phone: Phone) -> None:
    assert phone.call("request 1") == phone.call("request 1")
    assert phone.rung == 1


def test_two_invocations_without_a_key_are_two_calls(phone: Phone) -> None:
    assert phone.call("request 1").call_sid != phone.call("request 2").call_sid
    assert phone.rung == 2


@pytest.mark.parametrize("heard", [{"say": "Hello"}, {"twiml": "<Response/>"}, {"url": "https://example.com"}], ids=str)
def test_a_call_that_does_not_lead_to_the_agent_has_no_voice_mode(phone: Phone, heard: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest, match="`voice_mode`"):
        phone.call(**{"say": None, "voice_mode": "relay"} | heard)
    assert phone.rung == 0


@pytest.mark.parametrize(
    "other",
    [
        {"to": "+14155550199"},
        {"from": "+14155550177"},
        {"say": "Goodbye"},
        {"say": None, "url": "https://example.com"},
        {"say": None},
        {"say": None, "voice_mode": "relay"},
        {"time_limit": 60},
        {"record": True},
        {"machine_detection": {}},
        {"machine_detection": {"on_machine": "hang_up"}},
        {"machine_detection": {"on_machine": "leave_message", "message": "Call me."}},
    ],
    ids=str,
)
def test_a_key_used_for_another_call_is_refused(phone: Phone, other: dict[str, Any]) -> None:
    phone.call(idempotency_key="key 1")

    with pytest.raises(IdempotencyKeyReused):
        phone.call(**{"idempotency_key": "key 1"} | other)
    assert phone.rung == 1


def test_a_number_written_in_another_way_is_the_same_call(phone: Phone) -> None:
    first = phone.call(idempotency_key="key 1")

    assert phone.call(to="415 555 0123", idempotency_key="key 1") == first


@pytest.mark.parametrize("trouble", [REFUSED, BUSY])
def test_a_key_is_free_again_after_a_call_that_twilio_did_not_take(both: Phone, trouble: PluginError) -> None:
    both.world.calling.answers = [trouble]
    with pytest.raises(type(trouble)):
        both.call(idempotency_key="key 1")
    assert both.world.announced() == []

    assert both.call(idempotency_key="key 1", say="Something else").call_sid == sid(2)


def test_a_call_whose_answer_was_lost_is_never_made_again(both: Phone) -> None:
    both.world.calling.answers = [LOST]

    for _ in range(3):
        with pytest.raises(SendOutcomeUnknown):
            both.call(idempotency_key="key 1")
        both.world.clock.advance(minutes=5)

    assert both.rung == 1
    assert both.world.announced() == []


def test_while_a_call_is_being_made_the_same_key_waits(phone: Phone, monkeypatch: pytest.MonkeyPatch) -> None:
    make, second = phone.world.calling.make, []

    def meanwhile(request: Any) -> CallUpdate:
        with pytest.raises(SendInProgress) as error:
            phone.call(idempotency_key="key 1")
        second.append(error.value.retryable)
        return make(request)

    monkeypatch.setattr(phone.world.calling, "make", meanwhile)

    assert phone.call(idempotency_key="key 1").call_sid == sid(1)
    assert second == [True]
    assert phone.rung == 1


# ---------------------------------------------------------------------------------------------------- storage in trouble


def test_without_storage_nobody_is_called(phone: Phone, storage: FakeCallRequests) -> None:
    storage.unavailable = {"claim"}

    with pytest.raises(StorageUnavailable):
        phone.call()
    assert phone.rung == 0


def test_a_call_that_twilio_took_and_storage_did_not_is_a_success_and_reported(phone: Phone, storage: FakeCallRequests) -> None:
    storage.unavailable = {"record_made"}
    made = phone.call(idempotency_key="key 1")

    assert (made.call_sid, phone.not_recorded) == (sid(1), [sid(1)])
    with pytest.raises(SendInProgress):
        phone.call(idempotency_key="key 1")
    assert phone.rung == 1
    assert [request.request_id for request, _ in phone.world.requests.unsettled(before=phone.world.clock())] == ["key 1"]


@pytest.mark.parametrize("trouble", [REFUSED, BUSY, LOST])
def test_what_became_of_the_call_is_told_even_if_it_cannot_be_written_down(
    phone: Phone, storage: FakeCallRequests, trouble: PluginError
) -> None:
    phone.world.calling.answers = [trouble]
    storage.unavailable = {"release", "mark_unknown"}

    with pytest.raises(type(trouble)):
        phone.call()


def test_callbacks_that_come_before_the_calls_own_record_stay_the_truth(both: Phone, monkeypatch: pytest.MonkeyPatch) -> None:
    make = both.world.calling.make

    def answered_at_once(request: Any) -> CallUpdate:
        made = make(request)
        for status in ("initiated", "ringing", "busy"):
            track_call(outbound(1, status, request_id="key 1"), both.world.calls, both.world.clock)
        return made

    monkeypatch.setattr(both.world.calling, "make", answered_at_once)

    both.call(idempotency_key="key 1")

    assert both.world.active() == []
    call = both.world.calls.call(sid(1))
    assert call
    assert (call.status, call.ended_at is not None) == ("busy", True)
    assert [event["detail_type"] for event in both.world.announced()] == [
        "CALL_STATUS_CHANGED",
        "CALL_STATUS_CHANGED",
        "CALL_ENDED",
        "CALL_STARTED",
    ]


# ----------------------------------------------------------------------------------------------------------- transcribed

START = asked_for("agent", language="en-US", webhook_url="https://example.com/webhooks/twilio")


@pytest.mark.parametrize(
    ("heard", "then"),
    [
        ({"say": "Hello"}, ("Say", {}, "Hello")),
        ({"say": None, "twiml": "<Response><Dial>+15555550199</Dial></Response>"}, ("Dial", {}, "+15555550199")),
        (
            {"say": None, "url": "https://example.com/survey?a=b&c=d#rc=2"},
            ("Redirect", {"method": "POST"}, "https://example.com/survey?a=b&c=d#rc=2"),
        ),
    ],
    ids=["say", "twiml", "url"],
)
def test_a_call_is_listened_to_from_its_first_word_on_whatever_the_person_hears(
    phone: Phone, heard: dict[str, Any], then: Any
) -> None:
    phone.call(transcribe=True, **heard)

    (asked,) = phone.world.calling.asked
    start, *more = verbs(asked.twiml or "")
    assert [start] == verbs(twiml.document(twiml.start_transcription(**START)))
    assert more == [then]
    assert asked.url is None


@pytest.mark.parametrize("mode", [{}, {"voice_mode": "gather"}])
def test_a_call_that_the_agent_hears_is_not_listened_to_as_well(phone: Phone, mode: dict[str, str]) -> None:
    with pytest.raises(InvalidRequest, match="`transcribe` goes with"):
        phone.call(say=None, transcribe=True, **mode)

    assert phone.rung == 0


def test_the_same_call_with_and_without_a_transcription_are_two(phone: Phone) -> None:
    phone.call(idempotency_key="key", transcribe=True)

    with pytest.raises(IdempotencyKeyReused):
        phone.call(idempotency_key="key")


@pytest.mark.parametrize(
    ("heard", "says"),
    [
        ({"say": None, "twiml": f"<Response><Say>{'x' * 3900}</Say></Response>"}, "`twiml` is too long"),
        ({"say": None, "url": f"https://example.com/{'x' * 3900}"}, "`url` is too long"),
        ({"say": None, "twiml": "<Response/>"}, "begins with <Response>"),
    ],
    ids=["twiml", "url", "empty"],
)
def test_what_does_not_fit_behind_the_transcription_is_refused(phone: Phone, heard: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidRequest, match=says):
        phone.call(transcribe=True, **heard)

    assert phone.rung == 0
