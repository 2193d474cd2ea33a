from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from tests.unit.fakes_calls import OURS, FakeCalling, inbound, sid
from tests.unit.fakes_guards import outbound_guard
from tests.unit.fakes_streams import FakeStreamWorld, stream
from tests.unit.fakes_transcriptions import FakeCallTranscriptions, transcription, transcription_sid
from tests.unit.test_twiml import Verb, verbs
from twilio_plugin.domain import twiml
from twilio_plugin.domain.actions import ControlCall, ControlledCall
from twilio_plugin.domain.call import VoiceMode
from twilio_plugin.domain.stream import Stream
from twilio_plugin.domain.transcription import CallTranscription, OtherSpeaker, asked_for
from twilio_plugin.errors import InvalidPhoneNumber, InvalidRequest, TwilioRejected
from twilio_plugin.services.control_call import Controller, control_call

OVER = TwilioRejected("Twilio refused the end of the call: 21220", twilio_code=21220, status=400)
# What each action needs, and one value of every field.
NEEDS: dict[str, dict[str, Any]] = {
    "end": {},
    "transfer": {"to": "+14155550199"},
    "send_digits": {"digits": "1w#"},
    "play": {"url": "https://example.com/hold.mp3"},
    "update": {"say": "One moment"},
    "hand_off": {},
    "set_language": {"tts_language": "sv-SE"},
    "limit": {"time_limit": 600},
    "start_transcription": {},
    "stop_transcription": {},
    "record_message": {},
}
FIELDS: dict[str, Any] = {
    "to": "+14155550199",
    "digits": "1",
    "say": "One moment",
    "twiml": "<Response/>",
    "url": "https://example.com/twiml",
    "loop": 2,
    "tts_language": "sv-SE",
    "transcription_language": "sv-SE",
    "handoff_data": {"reason": "a person is wanted"},
    "time_limit": 600,
    "transcribe": True,
    "record": True,
    "outbound_track": "callee",
    "max_length": 60,
    "then": "hang_up",
}
BELONGS_TO = {
    "to": ("transfer", "hand_off"),
    "digits": ("send_digits",),
    "say": ("update", "record_message"),
    "twiml": ("update",),
    "url": ("update", "play"),
    "loop": ("play",),
    "tts_language": ("set_language",),
    "transcription_language": ("set_language",),
    "handoff_data": ("hand_off",),
    "time_limit": ("limit",),
    "transcribe": ("transfer",),
    "record": ("transfer",),
    "outbound_track": ("start_transcription",),
    "max_length": ("record_message",),
    "then": ("record_message",),
}


@pytest.fixture
def calling() -> FakeCalling:
    return FakeCalling()


def control(calling: FakeCalling, action: str, *heard: Stream | CallTranscription, **fields: Any) -> ControlledCall:
    world = FakeStreamWorld.new()
    transcriptions = FakeCallTranscriptions(world.outbox, world.conversations)
    for one in heard:
        if isinstance(one, Stream):
            world.streams.keep(one)
        else:
            transcriptions.open(one)
    return control_in(world, calling, action, transcriptions, **fields)


def control_in(
    world: FakeStreamWorld,
    calling: FakeCalling,
    action: str,
    transcriptions: FakeCallTranscriptions | None = None,
    **fields: Any,
) -> ControlledCall:
    request = ControlCall.model_validate({"call_sid": sid(1), "action": action} | fields)
    by = Controller(
        calling=calling,
        streams=world.streams,
        utterances=world.utterances,
        connections=lambda: world.connections,
        clock=world.clock,
        sleep=lambda seconds: world.clock.advance(seconds=seconds),
        guard=outbound_guard(world.clock),
        phone_number=OURS,
        default_region="US",
        stay_seconds=20,
        webhook_url="https://example.com/webhooks/twilio",
        transcriptions=transcriptions or FakeCallTranscriptions(world.outbox, world.conversations),
        language="en-GB",
    )
    return control_call(request, by)


def document(calling: FakeCalling) -> list[Verb]:
    ((call_sid, twiml, url),) = calling.told
    assert (call_sid, url) == (sid(1), None)
    return verbs(twiml or "")


# ------------------------------------------------------------------------------------------------------------- actions


def test_a_call_is_ended(calling: FakeCalling) -> None:
    assert control(calling, "end") == ControlledCall(call_sid=sid(1), status="completed")
    assert calling.told == [(sid(1), None, None)]


def test_a_transfer_dials_the_number_as_ours(calling: FakeCalling) -> None:
    assert control(calling, "transfer", to="(415) 555-0199").status == "in-progress"
    assert document(calling) == [("Dial", {"callerId": OURS, "timeLimit": "14400"}, [("Number", {}, "+14155550199")])]


def test_keys_are_pressed_and_the_line_stays_open(calling: FakeCalling) -> None:
    control(calling, "send_digits", digits="12w#*W")

    assert document(calling) == [("Play", {"digits": "12w#*W"}, ""), ("Pause", {"length": "20"}, "")]


def test_a_sound_is_played_and_the_line_stays_open(calling: FakeCalling) -> None:
    control(calling, "play", url="https://example.com/hold.mp3?a=1&b=2", loop=0)

    assert document(calling) == [("Play", {"loop": "0"}, "https://example.com/hold.mp3?a=1&b=2"), STAY]


def test_words_are_spoken_and_the_line_stays_open(calling: FakeCalling) -> None:
    control(calling, "update", say='One <moment> & a "half" 👋')

    assert document(calling) == [("Say", {}, 'One <moment> & a "half" 👋'), ("Pause", {"length": "20"}, "")]


OPEN = stream(1, leg=2)
OVER_ALREADY = stream(1, leg=2, ended_at="2026-11-22T08:00:09.000Z", end="closed")
BACK: Verb = (
    "Redirect",
    {"method": "POST"},
    "https://example.com/webhooks/twilio/voice?mode=stream&leg=3&reopened=0#rc=1&rp=5xx,ct&rt=5000",
)
STAY: Verb = ("Pause", {"length": "20"}, "")


@pytest.mark.parametrize(
    ("action", "fields", "done"),
    [
        ("update", {"say": "One moment"}, ("Say", {}, "One moment")),
        ("send_digits", {"digits": "1w#"}, ("Play", {"digits": "1w#"}, "")),
        ("play", {"url": "https://example.com/a.mp3"}, ("Play", {"loop": "1"}, "https://example.com/a.mp3")),
    ],
)
def test_after_words_keys_and_sounds_a_call_that_was_heard_is_heard_again(
    calling: FakeCalling, action: str, fields: dict[str, str], done: Verb
) -> None:
    control(calling, action, stream(1, leg=1, ended_at="2026-11-22T08:00:01.000Z"), OPEN, **fields)
    assert document(calling) == [done, BACK]

    calling.told.clear()
    control(calling, action, OVER_ALREADY, **fields)
    assert document(calling) == [done, STAY]

    calling.told.clear()
    control(calling, action, stream(2), **fields)
    assert document(calling) == [done, STAY]


@pytest.mark.parametrize(
    ("action", "fields", "told"),
    [
        ("end", {}, (None, None)),
        ("update", {"twiml": FIELDS["twiml"]}, (FIELDS["twiml"], None)),
        ("update", {"url": FIELDS["url"]}, (None, FIELDS["url"])),
    ],
)
def test_what_ends_a_call_or_replaces_what_it_does_does_not_come_back(
    calling: FakeCalling, action: str, fields: dict[str, str], told: tuple[str | None, str | None]
) -> None:
    control(calling, action, OPEN, **fields)

    assert calling.told == [(sid(1), *told)]


def test_a_transferred_call_does_not_come_back(calling: FakeCalling) -> None:
    control(calling, "transfer", OPEN, to="+14155550199")

    assert [verb[0] for verb in document(calling)] == ["Dial"]


@pytest.mark.parametrize(("field", "told"), [("twiml", (FIELDS["twiml"], None)), ("url", (None, FIELDS["url"]))])
def test_a_document_or_a_url_replaces_what_is_heard_as_it_is(
    calling: FakeCalling, field: str, told: tuple[str | None, str | None]
) -> None:
    control(calling, "update", **{field: FIELDS[field]})

    assert calling.told == [(sid(1), *told)]


GATHERED = stream(1, mode="gather", connection_id="")


@pytest.mark.parametrize("action", ["transfer", "send_digits", "update", "record_message"])
def test_a_call_without_a_socket_cannot_be_spoken_to_once_it_does_something_else(calling: FakeCalling, action: str) -> None:
    world = FakeStreamWorld.new()
    world.streams.keep(GATHERED)

    control_in(world, calling, action, **NEEDS[action])

    ended = world.streams.read(GATHERED)
    assert (ended.end, [one.detail_type for one in world.announced()]) == ("stopped", ["VOICE_STREAM_ENDED"])


def test_a_call_that_does_not_do_what_it_is_told_goes_on_being_heard(calling: FakeCalling) -> None:
    world = FakeStreamWorld.new()
    world.streams.keep(GATHERED)
    calling.answers = [OVER]

    with pytest.raises(TwilioRejected):
        control_in(world, calling, "transfer", to="+14155550199")

    assert world.streams.read(GATHERED) == GATHERED


def test_a_stream_is_ended_by_its_socket_and_not_by_what_the_call_is_told(calling: FakeCalling) -> None:
    world = FakeStreamWorld.new()
    world.streams.keep(stream(1))

    control_in(world, calling, "transfer", to="+14155550199")

    assert world.streams.read(stream(1)) == stream(1)


# ------------------------------------------------------------------------------------------------------------ listening

ROOT = "https://example.com/webhooks/twilio"
DIAL: Verb = ("Dial", {"callerId": OURS, "timeLimit": "14400"}, [("Number", {}, "+14155550199")])
AGENT, CALLEE, OF_THEIR_OWN = transcription(1), transcription(1, other="callee"), transcription(1, other=None)


def start(other: OtherSpeaker) -> Verb:
    asked = asked_for(other, language="en-GB", webhook_url=ROOT)
    (verb,) = verbs(twiml.document(twiml.start_transcription(**asked)))
    return verb


STOP: Verb = ("Stop", {}, [("Transcription", {"name": "twilio-plugin-call"}, "")])


def test_a_transfer_is_listened_to_from_its_first_word_on(calling: FakeCalling) -> None:
    control(calling, "transfer", OPEN, to="+14155550199", transcribe=True)

    assert document(calling) == [start("callee"), DIAL]


@pytest.mark.parametrize("transcribe", [False, True])
@pytest.mark.parametrize(
    ("running", "first"), [(AGENT, [STOP, start("callee")]), (CALLEE, []), (OF_THEIR_OWN, [])], ids=["agent", "callee", "own"]
)
def test_a_call_that_is_transcribed_stays_so_when_it_is_transferred_and_only_once(
    calling: FakeCalling, running: CallTranscription, first: list[Verb], transcribe: bool
) -> None:
    control(calling, "transfer", running, to="+14155550199", transcribe=transcribe)

    assert document(calling) == [*first, DIAL]


def test_a_transfer_is_recorded_on_two_channels_with_word_of_it(calling: FakeCalling) -> None:
    control(calling, "transfer", to="+14155550199", record=True)

    assert document(calling) == [
        (
            "Dial",
            {
                "callerId": OURS,
                "timeLimit": "14400",
                "record": "record-from-answer-dual",
                "recordingStatusCallback": f"{ROOT}/status#rc=3&rp=5xx,ct,rt",
                "recordingStatusCallbackEvent": "completed absent",
            },
            [("Number", {}, "+14155550199")],
        )
    ]


@pytest.mark.parametrize(("fields", "other"), [({}, "agent"), ({"outbound_track": "callee"}, "callee")])
def test_a_call_that_goes_on_is_listened_to_without_a_new_document(
    calling: FakeCalling, fields: dict[str, str], other: OtherSpeaker
) -> None:
    done = control(calling, "start_transcription", OVER_ALREADY, **fields)

    assert done == ControlledCall(call_sid=sid(1), status="in-progress", transcription_sid=transcription_sid(1))
    assert calling.transcribed == [(sid(1), asked_for(other, language="en-GB", webhook_url=ROOT))]
    assert calling.told == []


@pytest.mark.parametrize(("heard", "says"), [(OPEN, "open media stream"), (AGENT, "transcribed already")])
def test_a_call_that_is_heard_is_not_listened_to_as_well(
    calling: FakeCalling, heard: Stream | CallTranscription, says: str
) -> None:
    with pytest.raises(InvalidRequest, match=says):
        control(calling, "start_transcription", heard)

    assert calling.transcribed == []


def test_all_transcriptions_of_a_call_are_stopped(calling: FakeCalling) -> None:
    other = transcription(1, transcription_sid="GT2")

    assert control(calling, "stop_transcription", AGENT, other, transcription(2)).status == "in-progress"

    assert calling.no_longer_transcribed == [(sid(1), transcription_sid(1)), (sid(1), "GT2")]


def test_a_call_that_is_transcribed_no_longer_goes_on_as_it_did(calling: FakeCalling) -> None:
    world = FakeStreamWorld.new()
    world.streams.keep(GATHERED)

    control_in(world, calling, "stop_transcription")

    assert (calling.told, world.streams.read(GATHERED)) == ([], GATHERED)


def test_one_that_has_not_reported_itself_yet_is_stopped_by_its_name(calling: FakeCalling) -> None:
    control(calling, "stop_transcription")

    assert calling.no_longer_transcribed == [(sid(1), "twilio-plugin-call")]


# ------------------------------------------------------------------------------------------------------------- messages


def record(action: str, seconds: int = 120) -> Verb:
    attributes = {
        "action": action,
        "maxLength": str(seconds),
        "finishOnKey": "#",
        "recordingStatusCallback": f"{ROOT}/status#rc=3&rp=5xx,ct,rt",
        "recordingStatusCallbackEvent": "completed absent",
    }
    return "Record", attributes, ""


GOODBYE_URL = f"{ROOT}/voice?then=hang_up#rc=1&rp=5xx,ct&rt=5000"


@pytest.mark.parametrize("then", [{}, {"then": "hang_up"}])
def test_a_message_is_taken_after_words_and_then_the_call_ends(calling: FakeCalling, then: dict[str, str]) -> None:
    control(calling, "record_message", OPEN, say="After the beep, please.", max_length=60, **then)

    assert document(calling) == [("Say", {}, "After the beep, please."), record(GOODBYE_URL, 60), ("Hangup", {}, "")]


def test_a_message_needs_no_words_before_it(calling: FakeCalling) -> None:
    control(calling, "record_message")

    assert document(calling) == [record(GOODBYE_URL), ("Hangup", {}, "")]


def test_after_a_message_the_agent_listens_again_whether_something_was_said_or_not(calling: FakeCalling) -> None:
    control(calling, "record_message", OPEN, then="listen")

    assert document(calling) == [record(BACK[2] if isinstance(BACK[2], str) else ""), BACK]


@pytest.mark.parametrize("mode", ["gather", "relay"])
def test_after_a_message_a_call_is_heard_the_way_it_was_before(calling: FakeCalling, mode: VoiceMode) -> None:
    world = FakeStreamWorld.new()
    heard = stream(1, leg=2, mode=mode)
    world.streams.keep(heard)

    control_in(world, calling, "record_message", then="listen")

    url = f"{ROOT}/voice?mode={mode}&leg=3&reopened=0#rc=1&rp=5xx,ct&rt=5000"
    assert document(calling) == [record(url), ("Redirect", {"method": "POST"}, url)]
    assert world.streams.read(heard).end == "stopped"


@pytest.mark.parametrize("heard", [[], [OVER_ALREADY]])
def test_where_nobody_listened_nobody_listens_again(calling: FakeCalling, heard: list[Stream]) -> None:
    with pytest.raises(InvalidRequest, match="`then` listen"):
        control(calling, "record_message", *heard, then="listen")

    assert calling.told == []


# -------------------------------------------------------------------------------------------------------------- refused


@pytest.mark.parametrize(
    ("action", "missing"),
    [("transfer", "to"), ("send_digits", "digits"), ("play", "url"), ("update", "one of"), ("limit", "time_limit")],
)
def test_a_field_that_an_action_needs_is_named_when_it_is_missing(calling: FakeCalling, action: str, missing: str) -> None:
    with pytest.raises(InvalidRequest, match=missing):
        control(calling, action)

    assert calling.told == []


@pytest.mark.parametrize(("action", "field"), [(a, f) for a in NEEDS for f in FIELDS if a not in BELONGS_TO[f]])
def test_a_field_of_another_action_is_refused_by_its_name(calling: FakeCalling, action: str, field: str) -> None:
    belongs_to = " or ".join(f"'{one}'" for one in BELONGS_TO[field])
    with pytest.raises(InvalidRequest, match=f"`{field}`.*{belongs_to}, not with '{action}'"):
        control(calling, action, **NEEDS[action] | {field: FIELDS[field]})

    assert calling.told == []


@pytest.mark.parametrize("more", [{"twiml": "<Response/>"}, {"url": "https://example.com"}])
def test_an_update_has_one_thing_to_hear(calling: FakeCalling, more: dict[str, str]) -> None:
    with pytest.raises(InvalidRequest, match="only one"):
        control(calling, "update", say="Hello", **more)
    with pytest.raises(InvalidRequest, match="only one"):
        control(calling, "update", twiml="<Response/>", url="https://example.com")


@pytest.mark.parametrize("words", [" \n ", "\x00\x01", "&" * 3000])
def test_words_that_nobody_can_speak_or_that_are_too_many_are_refused(calling: FakeCalling, words: str) -> None:
    with pytest.raises(InvalidRequest, match="`say`"):
        control(calling, "update", say=words)

    assert calling.told == []


@pytest.mark.parametrize("to", ["", "ada", "911x", "whatsapp:+14155550123"])
def test_a_transfer_goes_to_phone_numbers_only(calling: FakeCalling, to: str) -> None:
    with pytest.raises((InvalidPhoneNumber, InvalidRequest)):
        control(calling, "transfer", to=to)

    assert calling.told == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"call_sid": "CA1"},
        {"call_sid": f"{sid(1)}/../Messages"},
        {"action": "hold"},
        {"action": "send_digits", "digits": "1a"},
        {"action": "send_digits", "digits": ""},
        {"action": "send_digits", "digits": "1" * 101},
        {"action": "send_digits", "digits": "1\n"},
        {"action": "play", "url": "s3://bucket/hold.mp3"},
        {"action": "play", "loop": -1},
        {"action": "play", "loop": 1001},
        {"action": "set_language", "tts_language": "Swedish, please"},
        {"action": "set_language", "transcription_language": "sv_SE"},
        {"action": "record_message", "max_length": 0},
        {"action": "record_message", "max_length": 3601},
        {"action": "record_message", "then": "wait"},
        {"action": "start_transcription", "outbound_track": "both"},
        {"action": "update", "url": "ftp://example.com"},
        {"action": "update", "say": "\udc00"},
        {"volume": 11},
    ],
    ids=str,
)
def test_input_that_breaks_the_contract_is_refused_by_its_field(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as error:
        ControlCall.model_validate({"call_sid": sid(1), "action": "end"} | wrong)

    assert [one["loc"] for one in error.value.errors()] == [tuple(wrong)[-1:]]


def test_the_limit_of_a_call_that_is_over_is_no_error(calling: FakeCalling) -> None:
    calling.answers = [OVER]
    calling.known = {sid(1): inbound(1, "completed")}

    assert control(calling, "limit", time_limit=600).status == "completed"


def test_the_limit_of_a_call_that_is_not_answered_yet_is_set_a_moment_later(calling: FakeCalling) -> None:
    calling.answers = [OVER, OVER]
    calling.known = {sid(1): inbound(1, "ringing")}
    world = FakeStreamWorld.new()
    asked_at = world.clock()

    assert control_in(world, calling, "limit", time_limit=600).status == "in-progress"
    assert calling.limited == [(sid(1), 600)] * 3
    assert timedelta(seconds=1.5) < world.clock() - asked_at < timedelta(seconds=2)


def test_the_limit_of_a_call_that_stays_unanswered_is_an_error(calling: FakeCalling) -> None:
    """Lambda asks again a minute later."""
    calling.answers = [OVER] * 4
    calling.known = {sid(1): inbound(1, "ringing")}

    with pytest.raises(TwilioRejected):
        control(calling, "limit", time_limit=600)

    assert len(calling.limited) == 4


def test_what_else_twilio_refuses_of_a_limit_is_an_error_at_once(calling: FakeCalling) -> None:
    calling.answers = [OVER]
    calling.known = {sid(1): inbound(1, "in-progress")}

    with pytest.raises(TwilioRejected):
        control(calling, "limit", time_limit=600)

    assert len(calling.limited) == 1


@pytest.mark.parametrize("action", sorted(NEEDS.keys() - {"hand_off", "set_language"}))
def test_a_call_that_is_over_is_told_so(calling: FakeCalling, action: str) -> None:
    calling.answers = [OVER]

    with pytest.raises(TwilioRejected) as error:
        control(calling, action, **NEEDS[action])

    assert error.value.twilio_code == 21220
