"""The bridge's turns of texts: one answer for all that is unanswered, once, in order, whatever happens on the way."""

from __future__ import annotations

import json
from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.unit.fakes import ACCOUNT, FakeWorld
from tests.unit.fakes_bridge import FakeAgent, FakeAgentTurns
from tests.unit.fakes_guards import outbound_guard
from tests.unit.fakes_media import FakeBuckets
from twilio_plugin.domain.actions import SendSms
from twilio_plugin.domain.address import Address, conversation_id
from twilio_plugin.domain.agent import AgentAnswer
from twilio_plugin.domain.conversation import Entry, Kind
from twilio_plugin.domain.inbound_turn import REMEMBERED, TextTurn, text_turn
from twilio_plugin.domain.message import Media
from twilio_plugin.domain.opt_out import OptOutType
from twilio_plugin.domain.timestamp import iso
from twilio_plugin.errors import SendOutcomeUnknown, TwilioRejected, TwilioUnavailable
from twilio_plugin.services.agent_guard import Guard
from twilio_plugin.services.answer_text import TextBridge, TryAgain, answer_text
from twilio_plugin.services.ports import LedgerChange, NoAnswer
from twilio_plugin.services.send_message import Sender, send_message

OURS, THEIRS, OTHERS = "+14155550100", "+14155550123", "+14155550177"
PAIR = f"phone|{OURS}|{THEIRS}"
PICTURE = Media("https://api.twilio.com/ME0", "image/jpeg")
ATTEMPTS = 4
BROKEN = NoAnswer("ValueError")


@dataclass
class Line:
    """A stack with an agent behind the bridge, and people who text it."""

    world: FakeWorld = field(default_factory=FakeWorld.new)
    agent: FakeAgent = field(default_factory=FakeAgent)
    ceiling: int = 60

    def __post_init__(self) -> None:
        world = self.world
        self.turns = FakeAgentTurns(world.outbox)
        self.sender = Sender(
            conversations=world.conversations,
            sends=world.sends,
            texting=world.texting,
            guard=outbound_guard(world.clock),
            clock=world.clock,
            phone_number=OURS,
            default_region="US",
            account_sid=ACCOUNT,
            media=FakeBuckets(),
            not_recorded=lambda _: None,
        )
        guard = Guard(self.turns, world.outbox, world.clock, texts_per_hour=self.ceiling, speech_per_hour=1)
        self.by = TextBridge(self.agent, self.turns, world.history, self.sender, guard, ATTEMPTS)

    def text(
        self,
        body: str,
        *,
        from_: str = THEIRS,
        to: str = OURS,
        media: tuple[Media, ...] = (),
        opt_out_type: OptOutType | None = None,
        occurred_at: str | None = None,
    ) -> TextTurn:
        """A text comes in and is kept; the turn that waits for it."""
        sid = f"MM{len(self.world.conversations.messages):032x}"
        ours, theirs = Address.parse(to), Address.parse(from_)
        kind: Kind = "mms" if media else "sms"
        entry = Entry(
            conversation_id=conversation_id(ours, theirs),
            occurred_at=occurred_at or iso(self.world.clock()),
            kind=kind,
            direction="inbound",
            message_sid=sid,
            from_=from_,
            to=to,
            body=body,
            media=media,
            opt_out_type=opt_out_type,
        )
        self.world.conversations.add_received(entry, [], None)
        return text_turn(
            {
                "event_id": f"SMS_RECEIVED#{sid}",
                "account_sid": ACCOUNT,
                "conversation_id": entry.conversation_id,
                "channel": theirs.channel,
                "message_sid": sid,
                "from": from_,
                "to": to,
            }
        )

    def handle(self, turn: TextTurn, attempt: int = 1) -> str:
        return answer_text(turn, attempt, self.by)

    def deliver(self, *turns: TextTurn) -> list[tuple[str, str]]:
        """As the queue does: in order within a conversation, the first again until it is done or was tried too often."""
        groups: dict[str, deque[TextTurn]] = defaultdict(deque)
        for turn in turns:
            groups[turn.conversation_id].append(turn)
        outcomes = []
        for group in groups.values():
            for turn in group:
                for attempt in range(1, ATTEMPTS + 1):
                    try:
                        outcomes.append((turn.message_sid, self.handle(turn, attempt)))
                        break
                    except TryAgain as failure:
                        outcomes.append((turn.message_sid, failure.error_type))
        return outcomes

    @property
    def replies(self) -> list[str]:
        """What was handed to Twilio, in order."""
        return [part.body for part in self.world.texting.asked]

    def failures(self) -> list[dict[str, Any]]:
        """The failures announced since the last look."""
        return [json.loads(one.detail) for one in self.world.announced() if one.detail_type == "AGENT_FAILED"]


@pytest.fixture
def line() -> Line:
    return Line()


# ------------------------------------------------------------------------------------------------------------- the turn


def test_a_text_is_answered_with_what_the_agent_says(line: Line) -> None:
    assert line.handle(line.text("Are you open?")) == "replied"

    assert line.replies == ["You said: Are you open?"]
    (part,) = line.world.texting.asked
    assert (str(part.sender), str(part.recipient)) == (OURS, THEIRS)
    assert line.failures() == []


def test_the_agent_is_told_who_said_what_where_and_what_was_said_before(line: Line) -> None:
    line.handle(line.text("Hello"))
    line.handle(line.text("Is this it?", media=(PICTURE,)))

    assert line.agent.asked[-1].model_dump(by_alias=True, exclude_none=True) == {
        "channel": "phone",
        "conversation_id": PAIR,
        "from": THEIRS,
        "to": OURS,
        "input": {"text": "Is this it?", "media": [{"url": PICTURE.url, "content_type": "image/jpeg"}]},
        "turns": [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "You said: Hello"}],
    }


def test_three_texts_in_a_burst_are_one_turn_in_order_with_all_media(line: Line) -> None:
    burst = [line.text("One", media=(PICTURE,)), line.text("two"), line.text("three", media=(Media("https://b", "image/png"),))]

    outcomes = line.deliver(*burst)

    assert [outcome for _, outcome in outcomes] == ["not_this_text", "not_this_text", "replied"]
    (asked,) = line.agent.asked
    assert asked.input.text == "One\ntwo\nthree"
    assert [media.content_type for media in asked.input.media] == ["image/jpeg", "image/png"]
    assert line.replies == ["You said: One\ntwo\nthree"]


def test_texts_that_overtook_each_other_on_their_way_are_one_turn_too(line: Line) -> None:
    one, two, three = line.text("One"), line.text("two"), line.text("three")

    outcomes = line.deliver(three, one, two)

    assert [outcome for _, outcome in outcomes] == ["replied", "not_this_text", "not_this_text"]
    assert line.agent.inputs == ["One\ntwo\nthree"]


def test_each_conversation_has_a_turn_of_its_own(line: Line) -> None:
    first, other, second = line.text("One"), line.text("Hi", from_=OTHERS), line.text("two")

    line.deliver(first, other, second)

    assert [(one.from_, one.input.text) for one in line.agent.asked] == [(THEIRS, "One\ntwo"), (OTHERS, "Hi")]


def test_a_text_that_came_while_the_agent_was_thinking_has_the_next_turn(line: Line) -> None:
    """The reply to the first stands behind it in the history, and is no answer to it."""
    first = line.text("One")
    later: list[TextTurn] = []
    line.agent.meanwhile.append(lambda: later.append(line.text("two")))

    line.deliver(first)
    line.deliver(*later)

    assert line.agent.inputs == ["One", "two"]
    assert [turn.content for turn in line.agent.asked[1].turns] == ["One", "You said: One"]
    assert line.replies == ["You said: One", "You said: two"]


def test_texts_that_came_while_the_agent_was_thinking_are_one_turn(line: Line) -> None:
    first = line.text("One")
    later: list[TextTurn] = []
    line.agent.meanwhile.append(lambda: later.extend([line.text("two"), line.text("three")]))

    line.deliver(first)
    outcomes = line.deliver(*later)

    assert [outcome for _, outcome in outcomes] == ["not_this_text", "replied"]
    assert line.agent.inputs == ["One", "two\nthree"]


def test_what_we_send_of_our_own_accord_answers_nothing(line: Line) -> None:
    line.handle(line.text("Hello"))
    waiting = line.text("Are you there?")
    send_message(SendSms(to=THEIRS, body="Your table is ready."), "reminder", line.sender)

    assert line.handle(waiting) == "replied"
    assert line.agent.inputs[-1] == "Are you there?"


def test_what_was_answered_before_there_was_a_bridge_stays_answered(line: Line) -> None:
    line.text("An old question")
    send_message(SendSms(to=THEIRS, body="An old answer"), "old", line.sender)

    line.handle(line.text("A new one"))

    assert line.agent.inputs == ["A new one"]


def test_a_text_that_was_stored_late_is_answered_by_itself(line: Line) -> None:
    """Its webhook read the clock first, and committed last."""
    then = iso(line.world.clock())
    line.handle(line.text("Second"))
    late = line.text("First", occurred_at=then)

    assert line.handle(late) == "replied"
    assert line.agent.inputs == ["Second", "First"]
    assert line.handle(late) == "replied", "from what is kept"
    assert len(line.replies) == 2


def test_a_text_that_was_stored_late_is_not_left_to_a_later_one_that_cannot_see_it(line: Line) -> None:
    then = iso(line.world.clock())
    line.handle(line.text("Second"))
    late, newest = line.text("First", occurred_at=then), line.text("Third")

    outcomes = line.deliver(late, newest)

    assert [outcome for _, outcome in outcomes] == ["replied", "not_this_text"]
    assert line.agent.inputs == ["Second", "First\nThird"]


def test_many_texts_are_remembered_but_not_for_ever(line: Line) -> None:
    turns = [line.text(f"{number}") for number in range(3)]
    for turn in turns:
        line.handle(turn)
    for number in range(REMEMBERED + 5):
        line.handle(line.text(f"more {number}"))

    last = line.turns.last(PAIR)
    assert last
    assert len(last.earlier) == REMEMBERED


def test_a_picture_alone_is_a_turn(line: Line) -> None:
    line.handle(line.text("", media=(PICTURE,)))

    assert line.agent.asked[0].input.text == ""
    assert len(line.agent.asked[0].input.media) == 1


def test_stop_is_no_part_of_an_answer(line: Line) -> None:
    """It has no turn of its own: the bus keeps it from the bridge."""
    line.text("Stop", opt_out_type="STOP")

    line.handle(line.text("I mean it"))

    assert line.agent.inputs == ["I mean it"]
    assert line.agent.asked[0].turns == []


# ------------------------------------------------------------------------------------------------------------ the reply


def test_a_picture_goes_out(line: Line) -> None:
    line.agent.answers.append(AgentAnswer.model_validate({"media_url": "https://example.com/cat.png"}))

    line.handle(line.text("A cat, please"))

    assert line.world.texting.asked[0].media_url == ("https://example.com/cat.png",)


def test_a_long_reply_goes_out_in_order(line: Line) -> None:
    reply = "".join(f"Sentence {number} of many. " for number in range(150))
    line.agent.answers.append(AgentAnswer(reply=reply))

    line.handle(line.text("Tell me everything"))

    assert len(line.replies) > 1
    assert "".join(line.replies).strip() == reply.strip()


@pytest.mark.parametrize("answer", [AgentAnswer(), AgentAnswer(reply=" \n"), AgentAnswer(end_call=True)])
def test_an_agent_may_say_nothing(line: Line, answer: AgentAnswer) -> None:
    line.agent.answers.append(answer)
    turn = line.text("Thanks")

    assert line.handle(turn) == "no_reply"
    assert line.handle(turn) == "no_reply"
    assert len(line.agent.asked) == 1
    assert line.replies == []


def test_a_whatsapp_message_is_answered_on_whatsapp(line: Line) -> None:
    line.handle(line.text("Hi", from_=f"whatsapp:{THEIRS}", to=f"whatsapp:{OURS}"))

    assert str(line.world.texting.asked[0].recipient) == f"whatsapp:{THEIRS}"
    assert line.agent.asked[0].channel == "whatsapp"


# ----------------------------------------------------------------------------------------------------------- the trouble


def test_an_agent_that_fails_twice_and_then_works_replies_once(line: Line) -> None:
    line.agent.answers += [BROKEN, BROKEN]
    turn = line.text("Hello")

    assert [outcome for _, outcome in line.deliver(turn)] == ["ValueError", "ValueError", "replied"]
    assert line.replies == ["You said: Hello"]
    assert line.failures() == []


def test_an_agent_that_never_works_is_announced_once_and_without_its_words(line: Line) -> None:
    line.agent.answers += [BROKEN] * 4
    turn = line.text("Hello")

    assert [outcome for _, outcome in line.deliver(turn)] == ["ValueError"] * 4
    (failure,) = line.failures()
    assert failure == {
        "version": "1",
        "event_id": f"AGENT_FAILED#{turn.event_id}",
        "occurred_at": failure["occurred_at"],
        "account_sid": ACCOUNT,
        "conversation_id": PAIR,
        "channel": "phone",
        "from": THEIRS,
        "to": OURS,
        "in_reply_to": turn.event_id,
        "reason": "no_answer",
        "error_type": "ValueError",
        "attempts": 4,
    }
    assert line.replies == []


def test_a_text_that_the_agent_cannot_bear_is_not_in_later_turns(line: Line) -> None:
    line.agent.answers += [BROKEN] * 4
    line.deliver(line.text("Poison"))

    line.deliver(line.text("Hello"))

    assert line.agent.inputs[-1] == "Hello"
    assert line.agent.asked[-1].turns[0].content == "Poison"


def test_a_text_that_was_given_up_and_put_back_is_answered(line: Line) -> None:
    line.agent.answers += [BROKEN] * 4
    turn = line.text("Hello")
    line.deliver(turn)

    assert line.handle(turn) == "replied"
    assert line.handle(turn) == "replied"
    assert line.replies == ["You said: Hello"]


def test_a_text_that_was_given_up_is_left_where_the_conversation_has_gone_on(line: Line) -> None:
    line.agent.answers += [BROKEN] * 4
    turn = line.text("Hello")
    line.deliver(turn)
    line.deliver(line.text("Never mind"))

    assert line.handle(turn) == "not_this_text"


def test_texts_that_come_while_the_agent_fails_are_answered_together(line: Line) -> None:
    line.agent.answers.append(BROKEN)
    first = line.text("One")
    with pytest.raises(TryAgain):
        line.handle(first)
    second = line.text("two")

    assert line.handle(first, 2) == "not_this_text"
    assert line.handle(second) == "replied"
    assert line.agent.inputs == ["One", "One\ntwo"]


def test_a_turn_delivered_again_sends_and_asks_nothing_more(line: Line) -> None:
    turn = line.text("Hello")
    line.handle(turn)

    assert line.handle(turn) == "replied"
    assert line.handle(turn, 2) == "replied"
    assert (len(line.agent.asked), len(line.replies)) == (1, 1)
    later = line.text("More")
    line.handle(later)
    assert line.handle(turn) == "not_this_text"
    assert len(line.replies) == 2


def test_a_reply_that_twilio_did_not_take_goes_on_with_the_same_words(line: Line) -> None:
    line.agent.answers.append(AgentAnswer(reply="one " * 500))
    line.world.texting.answers += [TwilioUnavailable("429")]
    turn = line.text("Hello")
    with pytest.raises(TryAgain) as failure:
        line.handle(turn)

    assert failure.value.error_type == "TwilioUnavailable"
    assert line.handle(turn, 2) == "replied"
    assert len(line.agent.asked) == 1
    assert "".join(part.body for part in line.world.texting.asked[1:]).split() == ["one"] * 500


def test_a_second_part_that_failed_is_sent_and_the_first_is_not_sent_again(line: Line) -> None:
    line.agent.answers.append(AgentAnswer(reply="one " * 500))
    turn = line.text("Hello")
    send = line.world.texting.send
    refused: list[int] = []

    def once(part: Any) -> Any:
        if part.number == 2 and not refused:
            refused.append(part.number)
            raise TwilioUnavailable("429")
        return send(part)

    line.world.texting.send = once  # type: ignore[method-assign]
    with pytest.raises(TryAgain):
        line.handle(turn)
    assert [part.number for part in line.world.texting.asked] == [1]

    assert line.handle(turn, 2) == "replied"
    assert [part.number for part in line.world.texting.asked] == [1, 2]


def test_a_twilio_that_stays_away_is_announced(line: Line) -> None:
    line.world.texting.answers += [TwilioUnavailable("429")] * 4

    assert [outcome for _, outcome in line.deliver(line.text("Hello"))] == ["TwilioUnavailable"] * 4
    (failure,) = line.failures()
    assert (failure["reason"], failure["error_type"], failure["attempts"]) == ("not_delivered", "TwilioUnavailable", 4)
    assert len(line.agent.asked) == 1


@pytest.mark.parametrize("trouble", [TwilioRejected("21612", twilio_code=21612, status=400), SendOutcomeUnknown("?")])
def test_a_refusal_for_good_is_announced_at_once_and_not_repeated(line: Line, trouble: Any) -> None:
    line.world.texting.answers.append(trouble)

    assert [outcome for _, outcome in line.deliver(line.text("Hello"))] == ["not_delivered"]
    (failure,) = line.failures()
    assert (failure["error_type"], failure["attempts"]) == (type(trouble).__name__, 1)


def test_who_said_stop_meanwhile_gets_no_reply_and_nobody_is_alarmed(line: Line) -> None:
    turn = line.text("Hello")
    line.world.conversations._move(LedgerChange(PAIR, "opted_in", "opted_out"))

    assert line.handle(turn) == "opted_out"
    assert line.failures() == []


def test_storage_that_is_down_is_tried_again(line: Line) -> None:
    line.world.sends.unavailable.add("claim")
    turn = line.text("Hello")
    with pytest.raises(TryAgain, match="StorageUnavailable"):
        line.handle(turn)
    line.world.sends.unavailable.clear()

    assert line.handle(turn, 2) == "replied"
    assert line.replies == ["You said: Hello"]


def test_of_two_bridges_on_one_text_one_replies(line: Line) -> None:
    """Lambda may run a message twice: while the first asks the agent, the second does all of it."""
    turn = line.text("Hello")
    line.agent.meanwhile.append(lambda: line.handle(turn))

    with pytest.raises(TryAgain, match="TurnMoved"):
        line.handle(turn)

    assert line.handle(turn, 2) == "replied"
    assert len(line.replies) == 1


# ------------------------------------------------------------------------------------------------------------- the loop


@pytest.mark.parametrize(
    ("from_", "to"),
    [
        (OURS, "+14155550101"),  # another number of ours, texted from the stack's
        (f"whatsapp:{OURS}", f"whatsapp:{OURS}"),
        ("12345", OURS),
        ("AMAZON", OURS),
        ("rcs:agent", "rcs:us"),
        ("messenger:104", "messenger:1"),
    ],
)
def test_machines_and_ourselves_get_no_answer(line: Line, from_: str, to: str) -> None:
    assert line.handle(line.text("Your code is 4711", from_=from_, to=to)) == "nobody_there"
    assert line.agent.asked == []


def test_there_is_a_ceiling_of_turns_in_an_hour_announced_once() -> None:
    line = Line(ceiling=2)

    assert [line.handle(line.text("Ping")) for _ in range(4)] == ["replied", "replied", "too_many_turns", "too_many_turns"]
    (failure,) = line.failures()
    assert (failure["reason"], failure["attempts"]) == ("too_many_turns", 1)
    assert "error_type" not in failure
    assert line.handle(line.text("Hi", from_=OTHERS)) == "replied"

    line.world.clock.advance(hours=1)
    assert line.handle(line.text("Still there?")) == "replied"
    assert line.agent.inputs[-1] == "Ping\nPing\nStill there?"


def test_an_attempt_is_no_turn() -> None:
    line = Line(ceiling=1)
    line.agent.answers += [BROKEN, BROKEN]

    assert [outcome for _, outcome in line.deliver(line.text("Hello"))] == ["ValueError", "ValueError", "replied"]
