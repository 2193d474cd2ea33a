"""A call without a socket: heard, answered, interrupted and ended from document to document, nothing lost and nothing twice."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.unit.gathered import ROOT, SORRY, GatheredCall
from twilio_plugin.domain import twiml
from twilio_plugin.domain.stream import Stream, StreamEnd
from twilio_plugin.errors import InvalidRequest, NoMediaStream, StorageUnavailable, TwilioRejected, TwilioUnavailable
from twilio_plugin.services.end_stream import call_ended, end_stream
from twilio_plugin.services.gather_call import begin
from twilio_plugin.services.reconcile_streams import StreamReconciler, reconcile_streams

LONG = "We are open from nine to five on weekdays. On Saturdays we are open until noon."  # nearly six seconds


@pytest.fixture
def call() -> GatheredCall:
    return GatheredCall()


# -------------------------------------------------------------------------------------------------------------- documents


def test_a_caller_is_greeted_by_words_that_they_may_interrupt(call: GatheredCall) -> None:
    ((gather, attributes, nested), redirect) = call.document

    action = f"{ROOT}/voice/gather?leg=0&reopened=0&step=0&reason=result#rc=1&rp=5xx,ct&rt=5000"
    assert gather == "Gather"
    assert nested == [("Say", {"voice": "Polly.Amy-Neural"}, "Hello.")]
    assert attributes == {
        "input": "dtmf speech",
        "action": action,
        "actionOnEmptyResult": "true",
        "bargeIn": "true",
        "finishOnKey": "",
        "numDigits": "1",
        "timeout": "3",
        "speechTimeout": "1",
        "language": "en-GB",
        "partialResultCallback": f"{ROOT}/voice/gather?leg=0&reopened=0&step=0&reason=partial",
    }
    assert redirect == ("Redirect", {"method": "POST"}, action)


def test_a_gathered_call_has_a_stream_like_any_other() -> None:
    call = GatheredCall()

    stream = call.stream
    assert (stream.mode, stream.leg, stream.connection_id) == ("gather", 0, "")
    assert stream.stream_sid == f"{call.call.call_sid}-0"


def test_a_document_that_is_asked_for_twice_opens_one_stream(call: GatheredCall) -> None:
    again = begin(call.call, 0, 0, "Hello.", call.opener)

    assert twiml.document(*again).count("Hello.") == 1
    assert call.told() == []


def test_a_call_that_has_gone_on_is_not_greeted_again(call: GatheredCall) -> None:
    call.result(after=6)

    again = twiml.document(*begin(call.call, 0, 0, "Hello.", call.opener))

    assert "Hello." not in again
    assert "step=1&amp;" in again


# -------------------------------------------------------------------------------------------------------------- the person


def test_words_are_a_turn_once_however_often_they_are_brought(call: GatheredCall) -> None:
    action = call.gather["action"]
    first = call.hears("are you open", after=4)
    again = call.result(url=action, SpeechResult="are you open", Confidence="0.95")

    assert first == again
    (event,) = call.events()
    assert (event["type"], event["text"], event["turn"], event["confidence"]) == ("SPEECH_RECEIVED", "are you open", 1, 0.95)
    assert event["event_id"] == f"SPEECH_RECEIVED#{call.stream.stream_sid}#1"
    assert call.history() == [("inbound", "are you open")]
    assert (call.stream.turns, call.stream.last_words, call.stream.step) == (1, "are you open", 1)


def test_turns_are_counted_and_follow_one_another(call: GatheredCall) -> None:
    call.hears("one", after=4)
    call.hears("two", after=4)

    assert [(one["turn"], one["text"]) for one in call.events()] == [(1, "one"), (2, "two")]


def test_where_words_lie_in_the_stream_is_estimated_and_never_outside_of_it(call: GatheredCall) -> None:
    call.hears("fourteen chars", after=10)

    (event,) = call.events()
    assert event["starts_at_ms"] == pytest.approx(9000, abs=50)
    assert event["duration_ms"] == pytest.approx(1000, abs=50)

    call.hears("words that nobody could have said in such a short time", after=0.5)
    (event,) = call.events()
    assert 10_000 <= event["starts_at_ms"] <= 10_600


def test_a_confidence_that_is_none_is_left_out(call: GatheredCall) -> None:
    call.result(SpeechResult="hello", Confidence="")

    assert "confidence" not in call.events()[0]


def test_each_key_is_announced_once_and_in_order(call: GatheredCall) -> None:
    action = call.gather["action"]
    call.result(Digits="4")
    call.result(url=action, Digits="4")
    call.result(Digits="#")
    call.result(Digits="*0")

    assert [one["digit"] for one in call.events()] == ["4", "#", "*", "0"]
    assert call.history() == []


def test_a_silent_person_is_listened_to_for_ever_and_asked_nothing(call: GatheredCall) -> None:
    call.result(after=4)
    call.say("Hello, this is the agent.")
    call.wake()
    for _ in range(200):
        call.result(after=14)

    assert (call.prompts, call.gather["timeout"]) == ([], "14")
    assert [kind for kind, _ in call.told()] == ["SPEECH_PLAYED"]


# --------------------------------------------------------------------------------------------------------------- the agent


def test_the_agent_is_waited_for_in_laps_that_end_with_its_patience(call: GatheredCall) -> None:
    call.hears("are you open", after=4)
    laps: list[float] = []
    while call.document[0][0] == "Gather":
        laps.append(float(call.gather["timeout"]))
        call.result(after=laps[-1])

    assert laps == [14, 14, 2]
    assert call.document == [("Say", {}, SORRY), ("Hangup", {}, "")]
    assert [(one["type"], one.get("reason")) for one in call.events()] == [
        ("SPEECH_RECEIVED", None),
        ("VOICE_STREAM_ENDED", "no_reply"),
    ]


def test_what_the_agent_says_is_fetched_at_once_and_heard(call: GatheredCall) -> None:
    call.hears("are you open", after=4)
    said = call.say("Yes, we are.")

    assert (said.status, len(call.calling.told)) == ("accepted", 1)
    call.wake()
    assert (call.prompts, call.gather["timeout"], call.gather["bargeIn"]) == (["Yes, we are."], "3", "true")
    call.result(after=5)
    assert call.told() == [("SPEECH_RECEIVED", "are you open"), ("SPEECH_PLAYED", "Yes, we are.")]
    assert call.history() == [("inbound", "are you open"), ("outbound", "Yes, we are.")]
    assert call.prompts == []


def test_a_greeting_is_not_cut_off_by_what_the_agent_says() -> None:
    call = GatheredCall(greeting="Hello and welcome to our shop. One moment, please.")
    call.say("How can I help?")

    assert call.calling.told == []
    call.result(after=6)
    assert call.prompts == ["How can I help?"]


def test_once_the_greeting_is_over_nobody_waits(call: GatheredCall) -> None:
    call.world.clock.advance(seconds=3)

    call.say("How can I help?")

    assert len(call.calling.told) == 1


def test_what_is_said_while_something_is_being_said_lines_up(call: GatheredCall) -> None:
    call.hears("tell me more", after=4)
    call.say(LONG)
    call.wake()
    call.say("Anything else?")
    call.say("I am listening.")

    assert call.calling.told == []
    call.result(after=9)
    assert call.prompts == ["Anything else?", "I am listening."]
    call.result(after=6)
    assert [kind for kind, _ in call.told()] == ["SPEECH_RECEIVED"] + ["SPEECH_PLAYED"] * 3


def test_two_that_are_said_before_twilio_has_come_are_in_one_document(call: GatheredCall) -> None:
    call.hears("hello", after=4)
    call.say("First.")
    call.say("Second.")

    assert len(call.calling.told) == 1, "Twilio is told once"
    call.wake()
    assert call.prompts == ["First.", "Second."]


def test_more_than_a_document_holds_is_said_in_the_next(call: GatheredCall) -> None:
    call.hears("hello", after=4)
    for _ in range(4):
        call.say("&" * 2999 + "a")
    call.wake()

    assert len(call.prompts) == 3
    call.result(after=700)
    assert len(call.prompts) == 1


def test_sound_is_refused_in_words(call: GatheredCall) -> None:
    with pytest.raises(InvalidRequest, match="gather"):
        call.say(None, audio="////")  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------------------------------ interruptions


def test_a_person_who_speaks_into_the_agents_words_has_heard_a_part_of_them(call: GatheredCall) -> None:
    call.hears("when are you open", after=4)
    call.say(LONG)
    call.wake()
    call.told()
    call.world.clock.advance(seconds=3)
    call.partial("wait")

    call.hears("wait a moment", after=2)

    assert call.told() == [
        ("SPEECH_INTERRUPTED", "We are open from nine to"),
        ("SPEECH_RECEIVED", "wait a moment"),
    ]
    assert call.history()[1:] == [("outbound", "We are open from nine to"), ("inbound", "wait a moment")]


def test_without_a_report_of_their_first_word_its_moment_is_estimated_by_the_words_length(call: GatheredCall) -> None:
    call.hears("when are you open", after=4)
    call.say(LONG)
    call.wake()
    call.told()

    call.hears("fourteen chars", after=4.6)

    assert call.told()[0] == ("SPEECH_INTERRUPTED", "We are open from nine to five on")


def test_words_behind_the_agents_last_leave_it_played(call: GatheredCall) -> None:
    call.hears("when are you open", after=4)
    call.say(LONG)
    call.wake()
    call.told()

    call.hears("thank you", after=8)

    assert call.told() == [("SPEECH_PLAYED", LONG), ("SPEECH_RECEIVED", "thank you")]
    assert [words for _, words in call.history()] == ["when are you open", LONG, "thank you"]


def test_a_key_interrupts_as_words_do_and_is_announced_first(call: GatheredCall) -> None:
    call.hears("when are you open", after=4)
    call.say(LONG)
    call.wake()
    call.told()

    call.result(after=3.6, Digits="1")

    assert call.told() == [("DTMF_RECEIVED", "1"), ("SPEECH_INTERRUPTED", "We are open from nine to five on")]


def test_what_waits_behind_the_interrupted_is_not_said(call: GatheredCall) -> None:
    call.hears("when are you open", after=4)
    call.say(LONG)
    call.wake()
    call.say("Anything else?")
    call.told()

    call.hears("wait", after=3)

    assert [kind for kind, _ in call.told()] == ["SPEECH_INTERRUPTED", "SPEECH_INTERRUPTED", "SPEECH_RECEIVED"]
    assert call.prompts == []


def test_what_may_not_be_interrupted_is_said_without_barge_in_and_counts_as_heard(call: GatheredCall) -> None:
    call.hears("hello", after=4)
    call.say("This call is recorded.", allow_barge_in=False)
    call.say("Now then.")
    call.wake()

    assert (call.gather["bargeIn"], len(call.prompts)) == ("false", 2)
    call.told()
    call.hears("what", after=0.3)
    assert [kind for kind, _ in call.told()] == ["SPEECH_PLAYED", "SPEECH_PLAYED", "SPEECH_RECEIVED"]


def test_what_may_not_be_interrupted_keeps_its_place_though_the_person_speaks(call: GatheredCall) -> None:
    call.hears("hello", after=4)
    call.say(LONG)
    call.wake()
    call.say("This call is recorded.", allow_barge_in=False)

    call.hears("wait", after=3)

    assert call.prompts == ["This call is recorded."]


def test_a_new_utterance_can_take_the_place_of_what_is_being_said(call: GatheredCall) -> None:
    call.hears("hello", after=4)
    call.say(LONG)
    call.wake()
    call.told()
    call.world.clock.advance(seconds=2)

    call.say("Anything else?")
    call.say("Never mind.", interrupt=True)
    call.wake()

    assert call.prompts == ["Never mind."]
    assert call.told() == [("SPEECH_INTERRUPTED", "We are open"), ("SPEECH_INTERRUPTED", "")]
    call.result(after=5)
    assert [kind for kind, _ in call.told()] == ["SPEECH_PLAYED"]


def test_nobody_is_cut_off_who_is_speaking(call: GatheredCall) -> None:
    call.hears("I would like a table", after=4)
    call.partial("for")

    assert call.say("For how many?").status == "accepted"
    assert call.calling.told == [], "Twilio would throw away what it has heard"
    call.told()
    call.hears("for two", after=2)
    assert call.told() == [("SPEECH_INTERRUPTED", ""), ("SPEECH_RECEIVED", "for two")]
    assert call.prompts == []


def test_partial_words_are_told_where_they_are_wanted_and_begin_where_the_turn_does() -> None:
    call = GatheredCall(partials=True)
    call.world.clock.advance(seconds=4)
    call.partial("are", 0)
    call.world.clock.advance(seconds=1)
    call.partial("are you", 1)
    call.partial("are you", 1)
    call.hears("are you open")

    one, two, turn = call.events()
    assert [one["type"], one["text"], two["text"]] == ["SPEECH_PARTIAL", "are", "are you"]
    assert one["starts_at_ms"] == two["starts_at_ms"] == turn["starts_at_ms"]


def test_partial_words_are_told_to_nobody_who_does_not_want_them(call: GatheredCall) -> None:
    call.partial("are")

    assert call.told() == []


def test_a_report_that_comes_behind_its_result_changes_nothing(call: GatheredCall) -> None:
    late = call.gather["partialResultCallback"]
    call.hears("hello", after=4)
    call.ask(late, {"StableSpeechResult": "hello"})

    call.say("Good morning.")

    assert len(call.calling.told) == 1, "nobody is speaking any more"


# -------------------------------------------------------------------------------------------------------------------- races


def test_a_result_that_comes_while_twilio_is_told_to_go_on_gets_a_pause_and_nothing_is_said_twice(call: GatheredCall) -> None:
    call.hears("hello", after=4)
    call.say("Good morning.")

    lap = call.result(after=14)
    assert [name for name, _, _ in lap] == ["Pause", "Redirect"]
    call.wake()
    assert call.prompts == ["Good morning."]


def test_a_pause_leads_on_by_itself_where_twilio_was_not_told_after_all(call: GatheredCall) -> None:
    call.hears("hello", after=4)
    call.calling.answers = [TwilioUnavailable("The fake Twilio is down.")]
    call.say("Good morning.")
    assert call.not_woken == ["TwilioUnavailable"]

    _, (_, _, url) = call.result(after=14)
    call.result(after=2, url=str(url))

    assert call.prompts == ["Good morning."]


def test_words_that_come_while_twilio_is_told_to_go_on_are_kept_and_interrupt_what_was_to_be_said(call: GatheredCall) -> None:
    call.hears("I would like a table", after=4)
    call.say("For how many?")
    call.told()

    call.hears("for two please", after=2)
    call.wake()

    assert call.told() == [("SPEECH_INTERRUPTED", ""), ("SPEECH_RECEIVED", "for two please")]
    assert call.prompts == []


def test_words_that_come_behind_the_next_document_are_kept_too(call: GatheredCall) -> None:
    call.hears("I would like a table", after=4)
    lap = call.gather["action"]
    call.say("For how many?")
    call.wake()
    call.told()

    again = call.ask(lap, {"SpeechResult": "for two please"})

    assert call.told() == [("SPEECH_RECEIVED", "for two please")]
    assert again == call.document, "whoever comes late gets the present document"
    call.ask(lap, {"SpeechResult": "for two please"})
    assert call.told() == []


def test_what_is_said_while_a_document_is_being_made_is_in_it(call: GatheredCall) -> None:
    call.hears("hello", after=4)
    call.world.gathering.meanwhile = [lambda: call.say("Good morning.")]

    call.result(after=14)  # which has seen that there is nothing to say

    assert [name for name, _, _ in call.document] == ["Pause", "Redirect"], "not a lap, for which the words would wait"
    call.wake()
    assert call.prompts == ["Good morning."]


def test_of_two_who_want_to_wake_twilio_one_does(call: GatheredCall) -> None:
    call.hears("hello", after=4)
    call.world.gathering.meanwhile = [lambda: call.say("Second.")]

    call.say("First.")

    assert len(call.calling.told) == 1
    call.wake()
    assert sorted(call.prompts) == ["First.", "Second."]


def test_a_document_that_is_given_out_while_somebody_speaks_up_is_not_woken_from(call: GatheredCall) -> None:
    call.hears("hello", after=4)
    action = call.gather["action"]
    call.world.gathering.meanwhile = [lambda: call.result(url=action)]

    call.say("Good morning.")

    assert call.prompts == ["Good morning."]
    assert call.calling.told == []


def test_the_same_result_at_once_leads_to_one_document(call: GatheredCall) -> None:
    read, action = call.world.streams.read, call.gather["action"]

    def read_after_another(stream: Stream) -> Stream:
        call.world.streams.read = read  # type: ignore[method-assign]
        call.result(url=action, SpeechResult="hello")
        return read(stream)

    call.world.streams.read = read_after_another  # type: ignore[method-assign]
    call.hears("hello", after=4)

    assert call.stream.step == 1
    assert call.told() == [("SPEECH_RECEIVED", "hello")]


def test_nothing_is_lost_where_storage_fails_and_twilio_asks_again(call: GatheredCall) -> None:
    call.world.gathering.unavailable = {"hear"}
    with pytest.raises(StorageUnavailable):
        call.hears("hello", after=4)
    assert call.told() == []

    call.world.gathering.unavailable = {"give_out"}
    with pytest.raises(StorageUnavailable):
        call.hears("hello")
    call.world.gathering.unavailable = set()
    call.hears("hello")

    assert call.told() == [("SPEECH_RECEIVED", "hello")]


def test_an_answer_that_is_there_when_twilio_asks_again_is_not_taken_for_interrupted(call: GatheredCall) -> None:
    call.world.gathering.unavailable = {"give_out"}
    with pytest.raises(StorageUnavailable):
        call.hears("hello", after=4)
    call.world.gathering.unavailable = set()
    call.say("Good morning.")

    call.hears("hello", after=5)
    call.wake()

    assert call.prompts == ["Good morning."]
    assert call.told() == [("SPEECH_RECEIVED", "hello")]


def test_words_and_a_key_in_one_result_are_both_kept(call: GatheredCall) -> None:
    call.hears("one", after=4, Digits="1")

    assert call.told() == [("DTMF_RECEIVED", "1"), ("SPEECH_RECEIVED", "one")]


# --------------------------------------------------------------------------------------------------------------------- ends


def test_the_end_of_the_call_ends_the_stream_once_and_closes_what_was_said(call: GatheredCall) -> None:
    call.hears("hello", after=4)
    call.say(LONG)
    call.wake()
    call.say("Anything else?")
    call.told()
    call.world.clock.advance(seconds=3)

    call_ended(call.call.call_sid, call.ender)
    call_ended(call.call.call_sid, call.ender)

    kinds = [one["type"] for one in call.events()]
    assert kinds == ["SPEECH_INTERRUPTED", "SPEECH_INTERRUPTED", "VOICE_STREAM_ENDED"]


def test_what_was_heard_to_its_end_before_the_call_ended_was_played(call: GatheredCall) -> None:
    call.hears("hello", after=4)
    call.say("Goodbye.")
    call.wake()
    call.told()
    call.world.clock.advance(seconds=2)

    call_ended(call.call.call_sid, call.ender)

    assert call.told()[0] == ("SPEECH_PLAYED", "Goodbye.")


def test_a_call_that_twilio_no_longer_has_cannot_be_spoken_to(call: GatheredCall) -> None:
    call.hears("hello", after=4)
    call.calling.answers = [TwilioRejected("Call is not in-progress", twilio_code=21220, status=400)]

    with pytest.raises(NoMediaStream):
        call.say("Are you still there?")

    assert call.told()[1] == ("SPEECH_INTERRUPTED", "")
    end_stream(call.stream, "call_ended", call.ender)
    with pytest.raises(NoMediaStream):
        call.say("Hello?")


def test_a_refusal_that_is_not_the_calls_end_leaves_the_words_in_line(call: GatheredCall) -> None:
    call.hears("hello", after=4)
    call.calling.answers = [TwilioRejected("no such key", twilio_code=20003, status=401)]

    assert call.say("Good morning.").status == "accepted"

    assert call.not_woken == ["no such key"]
    assert [one.text for one in call.world.utterances.open(call.call.call_sid)] == ["Good morning."]


@pytest.mark.parametrize("end", ["stopped", "no_reply"])
def test_a_document_behind_the_end_of_its_stream_leads_to_where_legs_begin(call: GatheredCall, end: StreamEnd) -> None:
    action = call.gather["action"]
    end_stream(call.stream, end, call.ender)

    assert call.result(url=action) == [
        ("Redirect", {"method": "POST"}, f"{ROOT}/voice?mode=gather&leg=1&reopened=1#rc=1&rp=5xx,ct&rt=5000")
    ]


def test_a_document_of_an_earlier_leg_leads_to_the_present_one(call: GatheredCall) -> None:
    action = call.gather["action"]
    end_stream(call.stream, "stopped", call.ender)
    begin(call.call, 1, 0, None, call.opener)
    call.told()

    assert [name for name, _, _ in call.ask(action, {"SpeechResult": "too late"})] == ["Redirect"]
    assert call.told() == []


def test_an_address_that_is_not_ours_is_apologized_to(call: GatheredCall) -> None:
    assert call.ask(f"{ROOT}/voice/gather?leg=0&step=x", {}) == [("Say", {}, SORRY), ("Hangup", {}, "")]


def test_a_long_lap_is_a_sign_of_life_and_its_absence_none(call: GatheredCall) -> None:
    by = StreamReconciler(call.ender, call.world.calls)
    call.hears("tell me all", after=4)
    call.say("word " * 600)  # three and a half minutes
    call.wake()
    call.world.clock.advance(minutes=6)
    assert reconcile_streams(by) == 0

    call.world.clock.advance(minutes=1)
    assert reconcile_streams(by) == 1
    assert [one["reason"] for one in call.events() if one["type"] == "VOICE_STREAM_ENDED"] == ["lost"]


def test_the_agents_words_begin_with_a_moment_that_a_clock_would_tell() -> None:
    call = GatheredCall(greeting=None)
    call.say("Hello.")
    call.wake()

    (one,) = call.world.utterances.open(call.call.call_sid)
    assert one.begins_at
    assert one.complete
    assert timedelta(milliseconds=one.milliseconds) == timedelta(milliseconds=len("Hello.") * 1000 // 14)
