"""The bridge's turns in calls: said if the person still waits for it, and ended or handed over only once it was heard."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.fakes import ACCOUNT
from tests.unit.fakes_bridge import FakeAgent, FakeAgentTurns
from tests.unit.fakes_calls import OURS, PAIR, THEIRS, FakeCalling
from tests.unit.fakes_guards import outbound_guard
from tests.unit.fakes_transcriptions import FakeCallTranscriptions
from tests.unit.test_speaking import Phone
from tests.unit.test_twiml import verbs
from twilio_plugin.domain.agent import AgentAnswer
from twilio_plugin.domain.conversation import Entry
from twilio_plugin.domain.inbound_turn import SpeechTurn, speech_turn
from twilio_plugin.domain.timestamp import iso
from twilio_plugin.errors import StorageUnavailable, TwilioRejected, TwilioUnavailable
from twilio_plugin.services.agent_guard import Guard
from twilio_plugin.services.answer_speech import SpeechBridge, answer_speech
from twilio_plugin.services.control_call import Controller
from twilio_plugin.services.end_stream import end_stream
from twilio_plugin.services.ports import NoAnswer
from twilio_plugin.services.stop_speaking import interrupt

BROKEN = NoAnswer("ValueError")
GOODBYE = AgentAnswer(reply="Goodbye.", end_call=True)
ENDED = (None, None)


class Call:
    """A call with an open stream, and an agent behind the bridge. `while_playing` happens the first time the bridge waits."""

    def __init__(self, *, ceiling: int = 600) -> None:
        self.phone = Phone()
        self.world = self.phone.world
        self.stream = self.phone.stream
        self.agent = FakeAgent()
        self.calling = FakeCalling()
        self.turns = FakeAgentTurns(self.world.outbox)
        self.while_playing: list[Callable[[], object]] = []
        self.slept = 0.0
        self.spoken = 0
        self.world.announced()
        self.by = SpeechBridge(
            agent=self.agent,
            turns=self.turns,
            history=self.world.history,
            speaker=self.phone.speaker,
            controller=Controller(
                calling=self.calling,
                streams=self.world.streams,
                utterances=self.world.utterances,
                connections=lambda: self.world.connections,
                clock=self.world.clock,
                sleep=self.sleep,
                guard=outbound_guard(self.world.clock),
                phone_number=OURS,
                default_region="US",
                stay_seconds=30,
                webhook_url="https://example.com/webhooks/twilio",
                transcriptions=FakeCallTranscriptions(self.world.outbox, self.world.conversations),
                language="en-US",
            ),
            guard=Guard(self.turns, self.world.outbox, self.world.clock, texts_per_hour=1, speech_per_hour=ceiling),
            clock=self.world.clock,
            sleep=self.sleep,
        )

    def sleep(self, seconds: float) -> None:
        self.slept += seconds
        self.world.clock.advance(seconds=seconds)
        if self.while_playing:
            self.while_playing.pop(0)()

    def speak(self, text: str) -> SpeechTurn:
        """The person says something, which the session keeps and announces."""
        self.spoken += 1
        turn = speech_turn(
            {
                "event_id": f"SPEECH_RECEIVED#{self.stream.stream_sid}#{self.spoken}",
                "account_sid": ACCOUNT,
                "conversation_id": PAIR,
                "call_sid": self.stream.call_sid,
                "stream_sid": self.stream.stream_sid,
                "direction": "inbound",
                "from": THEIRS,
                "to": OURS,
                "text": text,
                "turn": self.spoken,
            }
        )
        entry = Entry(
            conversation_id=PAIR,
            occurred_at=iso(self.world.clock()),
            kind="speech",
            direction="inbound",
            message_sid=turn.message_sid,
            from_=THEIRS,
            to=OURS,
            body=text,
            call_sid=turn.call_sid,
        )
        self.world.conversations.add_turn(entry)
        self.world.streams.keep(dataclasses.replace(self.phone.line.now(), turns=self.spoken))
        return turn

    def handle(self, turn: SpeechTurn) -> str:
        return answer_speech(turn, self.by)

    def play(self) -> None:
        """All that is being said is heard."""
        for one in self.world.utterances.open(self.stream.call_sid):
            self.phone.play(one.utterance_id, len(one.pieces))

    def failures(self) -> list[dict[str, Any]]:
        return [json.loads(one.detail) for one in self.world.announced() if one.detail_type == "AGENT_FAILED"]

    @property
    def said(self) -> list[str]:
        return [one.text for one in self.world.utterances._utterances.values()]


@pytest.fixture
def call() -> Call:
    return Call()


def test_what_the_agent_replies_is_said(call: Call) -> None:
    assert call.handle(call.speak("Are you open?")) == "replied"

    assert call.said == ["You said: Are you open?"]
    assert call.calling.told == []
    assert call.slept == 0, "nobody waits for it to be played"


def test_the_agent_is_told_which_call_it_is(call: Call) -> None:
    call.handle(call.speak("Hello"))
    call.play()
    call.handle(call.speak("Are you open?"))

    assert call.agent.asked[-1].model_dump(by_alias=True, exclude_none=True) == {
        "channel": "phone",
        "conversation_id": PAIR,
        "from": THEIRS,
        "to": OURS,
        "input": {"text": "Are you open?", "media": []},
        "turns": [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "You said: Hello"}],
        "call": {"call_sid": call.stream.call_sid, "stream_sid": call.stream.stream_sid, "direction": "inbound"},
    }


def test_in_a_call_of_ours_the_person_is_still_the_one_it_is_from() -> None:
    detail = {
        "event_id": "SPEECH_RECEIVED#MZ1#1",
        "account_sid": ACCOUNT,
        "conversation_id": PAIR,
        "call_sid": "CA1",
        "stream_sid": "MZ1",
        "direction": "outbound",
        "from": OURS,
        "to": THEIRS,
        "text": "Yes?",
        "turn": 1,
    }

    turn = speech_turn(detail)

    assert (turn.person, turn.ours) == (THEIRS, OURS)


def test_a_reply_to_a_turn_that_the_caller_interrupted_is_dropped_and_their_next_turn_takes_it_along(call: Call) -> None:
    first = call.speak("Book a table")
    later: list[SpeechTurn] = []
    call.agent.meanwhile.append(lambda: later.append(call.speak("for four")))

    assert call.handle(first) == "interrupted"
    assert call.said == []
    assert call.handle(later[0]) == "replied"
    assert call.agent.inputs == ["Book a table", "Book a table\nfor four"]
    assert call.said == ["You said: Book a table\nfor four"]


def test_a_turn_that_is_over_before_the_agent_is_asked_costs_nothing(call: Call) -> None:
    first = call.speak("Book a table")
    call.speak("for four")

    assert call.handle(first) == "interrupted"
    assert call.agent.asked == []


def test_what_was_said_in_another_call_or_by_text_is_history(call: Call) -> None:
    other = Entry(
        conversation_id=PAIR,
        occurred_at=iso(call.world.clock()),
        kind="sms",
        direction="inbound",
        message_sid="SM1",
        from_=THEIRS,
        to=OURS,
        body="I will call you",
    )
    call.world.conversations.add_turn(other)

    call.handle(call.speak("Hello"))

    assert call.agent.inputs == ["Hello"]
    assert [turn.content for turn in call.agent.asked[0].turns] == ["I will call you"]


def test_a_turn_that_the_history_has_lost_is_answered_by_what_the_event_says(call: Call) -> None:
    turn = call.speak("Hello")
    call.world.conversations.entries.clear()

    call.handle(turn)

    assert call.agent.inputs == ["Hello"]


@pytest.mark.parametrize("moment", ["before", "while it thinks"])
def test_who_has_hung_up_is_told_nothing(call: Call, moment: str) -> None:
    turn = call.speak("Hello")

    def hang_up() -> None:
        end_stream(call.phone.line.now(), "stopped", call.phone.line.ender)

    if moment == "before":
        hang_up()
    else:
        call.agent.meanwhile.append(hang_up)

    assert call.handle(turn) == "gone"
    assert call.said == []
    assert call.failures() == []
    assert len(call.agent.asked) == (0 if moment == "before" else 1)


def test_an_event_that_comes_twice_is_said_once(call: Call) -> None:
    turn = call.speak("Hello")

    assert [call.handle(turn), call.handle(turn)] == ["replied", "taken"]
    assert call.said == ["You said: Hello"]


def test_a_long_reply_is_said_in_order(call: Call) -> None:
    reply = "".join(f"This is sentence number {number} of many. " for number in range(200))
    call.agent.answers.append(AgentAnswer(reply=reply))

    assert call.handle(call.speak("Tell me everything")) == "replied"

    assert len(call.said) > 1
    assert "".join(call.said) == reply
    assert all(len(said) <= 3000 for said in call.said)


def test_of_a_long_reply_that_is_interrupted_nothing_more_is_said(call: Call) -> None:
    reply = "".join(f"This is sentence number {number} of many. " for number in range(200))
    call.agent.answers.append(AgentAnswer(reply=reply))
    phrases: list[str] = []

    def interrupt_the_second(phrase: str) -> None:
        phrases.append(phrase)
        if len(phrases) == 2:
            call.world.streams.raise_generation(call.phone.line.now())

    call.phone.voice.before = interrupt_the_second

    assert call.handle(call.speak("Tell me everything")) == "interrupted"
    assert len(call.said) == 1


def test_an_agent_may_say_nothing(call: Call) -> None:
    call.agent.answers.append(AgentAnswer(media_url=["https://example.com/a.png"]))

    assert call.handle(call.speak("Hm")) == "no_reply"
    assert call.said == []


# ------------------------------------------------------------------------------------------------------ ending the call


def test_a_call_is_ended_once_the_goodbye_was_heard_and_not_before(call: Call) -> None:
    call.agent.answers.append(GOODBYE)
    told: list[int] = []
    call.while_playing += [lambda: told.append(len(call.calling.told)), call.play]

    assert call.handle(call.speak("That is all")) == "replied"

    assert told == [0]
    assert call.calling.told == [(call.stream.call_sid, *ENDED)]


def test_who_speaks_into_the_goodbye_is_not_hung_up_on(call: Call) -> None:
    call.agent.answers.append(GOODBYE)
    call.while_playing.append(lambda: interrupt(call.phone.line.now(), "speech", call.phone.by))

    assert call.handle(call.speak("That is all")) == "interrupted"
    assert call.calling.told == []


def test_who_speaks_while_the_goodbye_is_being_sent_is_not_hung_up_on(call: Call) -> None:
    call.agent.answers.append(GOODBYE)
    call.phone.voice.before = lambda _: call.world.streams.raise_generation(call.phone.line.now())

    assert call.handle(call.speak("That is all")) == "interrupted"
    assert call.calling.told == []


def test_marks_that_never_come_do_not_keep_the_call(call: Call) -> None:
    call.agent.answers.append(GOODBYE)

    assert call.handle(call.speak("That is all")) == "replied"
    assert call.calling.told == [(call.stream.call_sid, *ENDED)]
    assert 5 < call.slept < 10, "the goodbye's own length, and five seconds"


def test_a_call_can_be_ended_without_a_word(call: Call) -> None:
    call.agent.answers.append(AgentAnswer(end_call=True))

    assert call.handle(call.speak("Bye")) == "replied"
    assert call.calling.told == [(call.stream.call_sid, *ENDED)]
    assert call.slept == 0


def test_a_person_is_connected_to_somebody_else_after_they_were_told(call: Call) -> None:
    call.agent.answers.append(AgentAnswer(reply="One moment.", transfer_to="(415) 555-0199"))
    call.while_playing.append(call.play)

    assert call.handle(call.speak("A human, please")) == "replied"

    ((_, document, _),) = call.calling.told
    assert document
    assert verbs(document)[0][0] == "Dial"
    assert "+14155550199" in document


# ----------------------------------------------------------------------------------------------------------- the trouble


def test_an_agent_that_fails_is_asked_once_more_at_once(call: Call) -> None:
    call.agent.answers.append(BROKEN)

    assert call.handle(call.speak("Hello")) == "replied"
    assert call.agent.inputs == ["Hello", "Hello"]
    assert call.failures() == []


def test_an_agent_that_fails_twice_is_announced(call: Call) -> None:
    call.agent.answers += [BROKEN, NoAnswer("Timeout")]
    turn = call.speak("Hello")

    assert call.handle(turn) == "no_answer"
    (failure,) = call.failures()
    assert (failure["reason"], failure["error_type"], failure["attempts"]) == ("no_answer", "Timeout", 2)
    assert (failure["call_sid"], failure["in_reply_to"]) == (call.stream.call_sid, turn.event_id)
    assert (failure["from"], failure["to"], failure["channel"]) == (THEIRS, OURS, "phone")


def test_an_agent_that_failed_is_not_asked_again_about_a_turn_that_is_over(call: Call) -> None:
    call.agent.answers.append(BROKEN)
    turn = call.speak("Book a table")
    call.agent.meanwhile.append(lambda: call.speak("for four"))

    assert call.handle(turn) == "interrupted"
    assert call.agent.inputs == ["Book a table"]


def test_a_voice_that_fails_is_announced(call: Call) -> None:
    call.phone.voice.fails_at = "You said: Hello"

    assert call.handle(call.speak("Hello")) == "not_delivered"
    (failure,) = call.failures()
    assert (failure["reason"], failure["error_type"]) == ("not_delivered", "SpeechUnavailable")


def test_a_transfer_that_twilio_refuses_is_announced(call: Call) -> None:
    call.agent.answers.append(AgentAnswer(transfer_to="+14155550199"))
    call.calling.answers.append(TwilioUnavailable("429"))

    assert call.handle(call.speak("A human, please")) == "not_delivered"
    assert call.failures()[0]["error_type"] == "TwilioUnavailable"


def test_a_call_that_is_over_needs_no_end(call: Call) -> None:
    call.agent.answers.append(AgentAnswer(end_call=True))
    call.calling.answers.append(TwilioRejected("over", twilio_code=21220, status=400))

    assert call.handle(call.speak("Bye")) == "gone"
    assert call.failures() == []


def test_storage_that_is_down_is_left_to_lambda(call: Call) -> None:
    turn = call.speak("Hello")
    call.world.streams.unavailable.add("of_call")

    with pytest.raises(StorageUnavailable):
        call.handle(turn)


# ------------------------------------------------------------------------------------------------------------- the loop


def test_we_do_not_talk_to_ourselves(call: Call) -> None:
    turn = dataclasses.replace(call.speak("Hello"), person=OURS, ours="+14155550101")

    assert call.handle(turn) == "nobody_there"
    assert call.agent.asked == []


def test_who_hides_their_number_is_spoken_to(call: Call) -> None:
    assert call.handle(dataclasses.replace(call.speak("Hello"), person="anonymous")) == "replied"


def test_calls_have_a_ceiling_of_their_own() -> None:
    call = Call(ceiling=2)

    assert [call.handle(call.speak("Ping")) for _ in range(4)] == ["replied", "replied", "too_many_turns", "too_many_turns"]
    assert [failure["reason"] for failure in call.failures()] == ["too_many_turns"]
