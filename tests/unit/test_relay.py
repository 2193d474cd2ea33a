"""A ConversationRelay session's life: let in, heard, interrupted, taken up again, and ended once."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from tests.unit.fakes import FakeBus
from tests.unit.fakes_calls import FakeCalling, inbound, sid
from tests.unit.fakes_streams import FakeStreamWorld, stream
from twilio_plugin.domain.actions import Said, Say
from twilio_plugin.domain.relay import Interrupt, Prompt, RelayKey, RelaySetup
from twilio_plugin.domain.relay_timer import RECONNECT_SECONDS, RelayTimer
from twilio_plugin.domain.speech import Utterance
from twilio_plugin.domain.stream import TOKEN_SECONDS, Stream, stream_token
from twilio_plugin.errors import InvalidRequest, NoMediaStream, StorageUnavailable, StreamRefused
from twilio_plugin.services.answer_call import answer_call
from twilio_plugin.services.end_stream import StreamEnder, announce_end, call_ended, end_stream
from twilio_plugin.services.hear_relay import RelayEars, hear_key, hear_prompt
from twilio_plugin.services.relay_playback import follow_tokens, interrupt_relay
from twilio_plugin.services.relay_timer import RelayWatch, lose_connection, time_is_up
from twilio_plugin.services.say_between import Waker
from twilio_plugin.services.speak import Speaker, say
from twilio_plugin.services.start_relay import RelayOpener, start_relay
from twilio_plugin.services.stop_speaking import Interrupter

SECRET = "the auth token"
SESSION = "VX" + "1" * 32
FIRST, SECOND = "connection-1=", "connection-2="


class NoVoice:
    """What speaks in streamed calls; nobody may ask it here."""

    def synthesize(self, text: str) -> bytes:
        raise AssertionError(f"Twilio speaks, and not we: {text}")


class Relayed:
    """A person's call to us that is relayed, and everything that acts on its session."""

    def __init__(self) -> None:
        self.world = world = FakeStreamWorld.new()
        self.bus = FakeBus()
        ids = (f"{number:04d}" for number in itertools.count(1))
        self.by = Interrupter(world.streams, world.utterances, world.connections, world.clock)
        self.opener = RelayOpener(
            calls=world.calls,
            streams=world.streams,
            utterances=world.utterances,
            connections=world.connections,
            clock=world.clock,
            timers=world.timers,
            auth_tokens=lambda fresh: [SECRET],
            reply_seconds=30,
        )
        self.ears = RelayEars(
            interrupter=self.by,
            turns=world.turns,
            bus=self.bus,
            outbox=world.outbox,
            timers=world.timers,
            new_id=lambda: next(ids),
            reply_seconds=30,
        )
        self.watch = RelayWatch(world.streams, world.utterances, world.connections, world.clock, timedelta(seconds=30))
        self.ender = StreamEnder(world.streams, world.utterances, world.frames, world.clock)
        self.while_waiting: list[Callable[[], object]] = []
        waker = Waker(world.gathering, FakeCalling, "https://example.com/webhooks/twilio", lambda *_: None)
        self.speaker = Speaker(
            by=self.by,
            synthesizer=NoVoice(),
            waker=waker,
            clock=world.clock,
            sleep=self.sleep,
            new_id=lambda: next(ids),
        )
        answer_call(inbound(1), {}, world.calls, world.clock)
        world.announced()

    def sleep(self, seconds: float) -> None:
        self.world.clock.advance(seconds=seconds)
        if self.while_waiting:
            self.while_waiting.pop(0)()

    def token(self, leg: int = 0, secret: str = SECRET) -> str:
        return stream_token(secret, sid(1), leg, expires_at=int(self.world.clock().timestamp()) + TOKEN_SECONDS)

    def setup(self, connection: str = FIRST, session: str = SESSION, token: str | None = None, **more: Any) -> Stream:
        parameters = {"token": self.token() if token is None else token}
        facts: dict[str, Any] = {"call_sid": sid(1), "account_sid": stream().account_sid, "parameters": parameters}
        return start_relay(connection, RelaySetup(session_id=session, **(facts | more)), self.opener)

    def opened(self) -> Stream:
        found = self.setup()
        self.events()
        return found

    @property
    def stream(self) -> Stream:
        found = self.world.streams.of_call(sid(1))
        assert found
        return found

    def prompt(self, words: str, *, last: bool = True) -> bool:
        return hear_prompt(self.stream, Prompt(words, last), self.ears)

    def say(self, text: str, **more: Any) -> Said:
        return say(Say(call_sid=sid(1), text=text, **more), self.speaker)

    def interrupt(self, said: str) -> bool:
        return interrupt_relay(self.stream, Interrupt(said).said, self.by)

    def play(self, words: str) -> None:
        follow_tokens(self.stream, words, self.by)

    def tokens(self, connection: str = FIRST) -> list[str]:
        messages = [json.loads(one) for one in self.world.connections.messages.get(connection, [])]
        return [one["token"] for one in messages if one["type"] == "text"]

    def events(self) -> list[Any]:
        """All that was announced since the last look, what went straight to the bus first."""
        spoken, self.bus.published = self.bus.published, []
        announced = [*spoken, *self.world.announced()]
        return [{"type": one.detail_type, **json.loads(one.detail)} for one in announced]

    def types(self) -> list[str]:
        return [event["type"] for event in self.events()]

    def history(self) -> list[tuple[str, str]]:
        entries = sorted(self.world.conversations.entries, key=lambda one: one.occurred_at)
        return [(entry.direction, entry.body) for entry in entries]


@pytest.fixture
def relayed() -> Relayed:
    return Relayed()


@pytest.fixture
def call(relayed: Relayed) -> Relayed:
    """Its session is open."""
    relayed.opened()
    relayed.world.timers.waiting.clear()
    return relayed


# --------------------------------------------------------------------------------------------------------------- setup


def test_a_session_is_a_stream_like_any_other(relayed: Relayed) -> None:
    opened = relayed.setup()

    assert (opened.stream_sid, opened.connection_id, opened.mode, opened.leg) == (SESSION, FIRST, "relay", 0)
    (event,) = relayed.events()
    assert (event["type"], event["mode"], event["stream_sid"]) == ("VOICE_STREAM_STARTED", "relay", SESSION)
    assert relayed.world.sessions.started == []
    assert relayed.world.timers.waiting == [(RelayTimer("reply", sid(1), SESSION, FIRST), 30)]


def test_a_setup_that_comes_twice_is_one(relayed: Relayed) -> None:
    for _ in range(2):
        relayed.setup()

    assert relayed.types() == ["VOICE_STREAM_STARTED"]
    assert relayed.world.connections.closed == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"token": ""},
        {"token": "0.99999999999.ff"},
        {"account_sid": "AC" + "f" * 32},
        {"call_sid": "CA" + "f" * 32},
    ],
)
def test_a_session_that_is_not_ours_is_closed_and_nothing_is_kept(relayed: Relayed, wrong: dict[str, str]) -> None:
    with pytest.raises(StreamRefused):
        relayed.setup(**wrong)

    assert relayed.world.connections.closed == [FIRST]
    assert relayed.world.streams.of_call(sid(1)) is None
    assert relayed.events() == []


def test_a_new_session_must_show_its_token_in_time(relayed: Relayed) -> None:
    token = relayed.token()
    relayed.world.clock.advance(seconds=TOKEN_SECONDS + 1)

    with pytest.raises(StreamRefused, match="expired"):
        relayed.setup(token=token)


def test_another_session_cannot_show_the_token_of_an_open_one(call: Relayed) -> None:
    with pytest.raises(StreamRefused):
        call.setup(SECOND, session="VX" + "2" * 32)

    assert call.stream.connection_id == FIRST
    assert call.world.connections.closed == [SECOND]


def test_where_storage_fails_the_socket_is_closed(relayed: Relayed) -> None:
    relayed.world.streams.unavailable.add("open")

    with pytest.raises(StorageUnavailable):
        relayed.setup()

    assert relayed.world.connections.closed == [FIRST]


def test_the_next_leg_ends_the_one_before_it_if_nobody_did(call: Relayed) -> None:
    call.setup(SECOND, session="VX" + "2" * 32, token=call.token(leg=1))

    ended = next(event for event in call.events() if event["type"] == "VOICE_STREAM_ENDED")
    assert (ended["stream_sid"], ended["reason"]) == (SESSION, "closed")
    assert call.stream.leg == 1


# ----------------------------------------------------------------------------------------------------------- reconnect


def test_a_known_session_is_taken_up_on_another_connection_whatever_the_age_of_its_token(call: Relayed) -> None:
    token = call.token()
    call.world.clock.advance(seconds=3600)

    again = call.setup(SECOND, token=token)

    assert (again.connection_id, again.leg, again.ended_at) == (SECOND, 0, None)
    assert call.events() == [], "it has not begun again"
    assert call.world.connections.closed == []
    call.say("Here I am again.")
    assert call.tokens(FIRST) == []
    assert call.tokens(SECOND) == ["Here I am again."]


@pytest.mark.parametrize("wrong", ["", "0.99999999999.ff", "another leg's"])
def test_a_known_session_still_has_to_show_its_token(call: Relayed, wrong: str) -> None:
    with pytest.raises(StreamRefused):
        call.setup(SECOND, token=call.token(leg=1) if wrong == "another leg's" else wrong)

    assert call.stream.connection_id == FIRST
    assert call.world.connections.closed == [SECOND]


def test_a_session_that_is_over_is_not_taken_up_again(call: Relayed) -> None:
    end_stream(call.stream, "closed", call.ender)

    with pytest.raises(StreamRefused, match="over"):
        call.setup(SECOND)

    assert call.world.connections.closed == [SECOND]


def test_what_still_comes_over_the_old_connection_is_of_the_same_session(call: Relayed) -> None:
    call.setup(SECOND)

    assert call.world.streams.of_connection(FIRST) == call.world.streams.of_connection(SECOND) == call.stream


def test_a_lost_connection_ends_the_session_only_if_no_other_comes(call: Relayed) -> None:
    lose_connection(call.stream, FIRST, call.world.timers)
    ((timer, seconds),) = call.world.timers.waiting
    assert (timer.kind, timer.connection_id, seconds) == ("reconnect", FIRST, RECONNECT_SECONDS)

    call.setup(SECOND)
    assert time_is_up(timer, call.watch) == "reconnected"
    assert call.events() == []

    assert time_is_up(dataclasses.replace(timer, connection_id=SECOND), call.watch) == "closed"
    assert [(event["type"], event["reason"]) for event in call.events()] == [("VOICE_STREAM_ENDED", "closed")]
    assert time_is_up(dataclasses.replace(timer, connection_id=SECOND), call.watch) == "over"


def test_the_end_of_an_old_connection_starts_no_timer(call: Relayed) -> None:
    call.setup(SECOND)

    lose_connection(call.stream, FIRST, call.world.timers)

    assert call.world.timers.waiting == []


def test_a_reply_goes_on_over_the_connection_that_takes_the_place_of_a_lost_one(call: Relayed) -> None:
    sent = call.world.connections.send

    def breaks_after_the_first(connection_id: str, message: str) -> None:
        sent(connection_id, message)
        call.world.connections.gone.add(FIRST)

    call.world.connections.send = breaks_after_the_first  # type: ignore[method-assign]
    call.while_waiting = [lambda: None, lambda: call.setup(SECOND)]

    said = call.say("One. Two. Three.")

    assert said.status == "accepted"
    assert (call.tokens(FIRST), call.tokens(SECOND)) == (["One. "], ["Two. ", "Three."])


def test_where_no_connection_takes_its_place_the_reply_is_over(call: Relayed) -> None:
    call.world.connections.gone.add(FIRST)
    before = call.world.clock()

    with pytest.raises(NoMediaStream, match="closed before"):
        call.say("One. Two.")

    assert [(event["type"], event["cause"]) for event in call.events()] == [("SPEECH_INTERRUPTED", "end")]
    assert call.world.clock() - before < timedelta(seconds=15), "the right to speak is still ours"


# ------------------------------------------------------------------------------------------------------------- hearing


def test_a_prompt_is_a_turn_in_the_history_and_on_the_bus(call: Relayed) -> None:
    call.world.clock.advance(seconds=10)

    assert call.prompt("Are you open?")

    (event,) = call.events()
    assert (event["type"], event["turn"], event["text"]) == ("SPEECH_RECEIVED", 1, "Are you open?")
    assert event["starts_at_ms"] + event["duration_ms"] == pytest.approx(10_000, abs=10)
    assert 500 < event["duration_ms"] < 1500
    assert call.history() == [("inbound", "Are you open?")]
    assert (call.stream.turns, call.stream.last_words) == (1, "Are you open?")
    assert call.world.timers.waiting == [(RelayTimer("reply", sid(1), SESSION, FIRST), 30)]


def test_what_the_bus_does_not_take_waits_in_the_outbox(call: Relayed) -> None:
    call.bus.refuses = {f"SPEECH_RECEIVED#{SESSION}#1"}

    call.prompt("Are you open?")

    assert [one.detail_type for one in call.world.announced()] == ["SPEECH_RECEIVED"]


def test_what_the_person_is_saying_is_told_and_not_kept(call: Relayed) -> None:
    assert call.prompt("Are you", last=False)

    (event,) = call.events()
    assert (event["type"], event["text"]) == ("SPEECH_PARTIAL", "Are you")
    assert call.history() == []
    assert call.stream.turns == 0


def test_silence_is_no_turn(call: Relayed) -> None:
    assert not call.prompt("")
    assert call.events() == []


def test_a_prompt_that_comes_twice_at_once_is_one_turn(call: Relayed) -> None:
    assert call.prompt("Yes.")
    assert not call.prompt("Yes.")

    assert call.types() == ["SPEECH_RECEIVED"]


def test_who_says_the_same_again_has_said_it_twice(call: Relayed) -> None:
    call.prompt("Yes.")
    call.world.clock.advance(seconds=2)
    call.prompt("Yes.")

    assert [event["turn"] for event in call.events()] == [1, 2]


def test_a_prompt_that_is_replayed_after_a_reconnect_is_one_turn(call: Relayed) -> None:
    call.prompt("Yes.")
    call.world.clock.advance(seconds=20)
    call.setup(SECOND)
    call.world.clock.advance(seconds=2)

    assert not call.prompt("Yes.")
    assert call.prompt("And on Sunday?")

    assert [event["text"] for event in call.events()] == ["Yes.", "And on Sunday?"]


def test_prompts_that_are_heard_at_the_same_moment_are_turns_of_their_own(call: Relayed) -> None:
    """Each Lambda has read the stream before the other has counted its turn."""
    before = call.stream
    hear_prompt(before, Prompt("And on Sunday?", last=True), call.ears)
    hear_prompt(before, Prompt("Are you open?", last=True), call.ears)

    assert [(event["turn"], event["text"]) for event in call.events()] == [(1, "And on Sunday?"), (2, "Are you open?")]
    assert len({entry.message_sid for entry in call.world.conversations.entries}) == 2


def test_the_same_prompt_in_two_functions_at_once_is_one_turn(call: Relayed) -> None:
    before = call.stream
    hear_prompt(before, Prompt("Yes.", last=True), call.ears)
    hear_prompt(before, Prompt("Yes.", last=True), call.ears)

    assert call.types() == ["SPEECH_RECEIVED"]


def test_after_the_end_nothing_is_heard(call: Relayed) -> None:
    end_stream(call.stream, "call_ended", call.ender)
    call.events()

    assert not call.prompt("Hello?")
    assert call.events() == []


def test_a_key_is_announced_as_often_as_it_is_pressed(call: Relayed) -> None:
    for _ in range(2):
        hear_key(call.stream, RelayKey("5"), call.ears)

    events = call.events()
    assert [(event["type"], event["digit"]) for event in events] == [("DTMF_RECEIVED", "5")] * 2
    assert len({event["event_id"] for event in events}) == 2


# ------------------------------------------------------------------------------------------------------------ speaking


def test_a_reply_goes_out_sentence_by_sentence_and_says_where_it_ends(call: Relayed) -> None:
    said = call.say("Good morning. How are you?")

    messages = [json.loads(one) for one in call.world.connections.messages[FIRST]]
    assert messages == [
        {"type": "text", "token": "Good morning. ", "last": False},
        {"type": "text", "token": "How are you?", "last": True},
    ]
    assert said.status == "accepted"
    assert call.stream.saying == "Good morning. How are you?"


def test_what_may_not_be_interrupted_says_so_to_twilio(call: Relayed) -> None:
    call.say("This call is recorded.", allow_barge_in=False)

    assert json.loads(call.world.connections.messages[FIRST][0])["interruptible"] is False


def test_sound_cannot_be_relayed(call: Relayed) -> None:
    with pytest.raises(InvalidRequest, match="mode is relay"):
        say(Say(call_sid=sid(1), audio="AAAA"), call.speaker)

    assert call.world.connections.messages == {}


def test_what_twilio_says_it_has_spoken_was_heard(call: Relayed) -> None:
    call.say("Good morning. How are you?")
    call.play("Good morning.")
    assert call.events() == []
    assert call.world.utterances.open(sid(1))[0].heard == 2

    call.play("How are you?")

    (played,) = call.events()
    assert (played["type"], played["text"]) == ("SPEECH_PLAYED", "Good morning. How are you?")
    assert call.history() == [("outbound", "Good morning. How are you?")]


def test_replies_in_line_are_played_one_after_the_other(call: Relayed) -> None:
    call.say("One.")
    call.say("Two.")

    call.play("One.")
    assert [event["text"] for event in call.events()] == ["One."]
    call.play("Two.")
    assert [event["text"] for event in call.events()] == ["Two."]


def test_the_greeting_is_nothing_of_ours(call: Relayed) -> None:
    call.say("Good morning.")

    call.play("Hello. One moment, please.")

    assert call.events() == []
    assert call.world.utterances.open(sid(1))[0].heard == 0


def test_an_utterance_that_is_spoken_while_another_say_waits_for_its_turn_is_not_stopped_by_it(call: Relayed) -> None:
    """Twilio cannot take back what it has, so `interrupt` only lines up."""
    call.say("A long story.")

    call.say("Never mind.", interrupt=True)

    assert call.events() == []
    assert call.tokens() == ["A long story.", "Never mind."]


# ------------------------------------------------------------------------------------------------------------ stopping


def test_an_interruption_leaves_in_the_history_what_was_heard(call: Relayed) -> None:
    call.say("We are open from nine to five. On Sundays, we are closed.")

    assert call.interrupt("We are open from")

    (event,) = call.events()
    assert (event["type"], event["cause"], event["heard"]) == ("SPEECH_INTERRUPTED", "speech", "We are open from")
    assert event["heard_ms"] == 214 + 285 + 357 + 357
    assert call.history() == [("outbound", "We are open from")]
    assert call.stream.generation == 1


def test_an_interruption_is_shared_out_over_all_that_was_in_line(call: Relayed) -> None:
    for words in ("One moment.", "We are open.", "And on Sundays we are closed."):
        call.say(words)

    call.interrupt("One moment. We are")

    events = call.events()
    assert [(event["type"], event.get("heard")) for event in events] == [
        ("SPEECH_PLAYED", None),
        ("SPEECH_INTERRUPTED", "We are"),
        ("SPEECH_INTERRUPTED", ""),
    ]
    assert call.history() == [("outbound", "One moment."), ("outbound", "We are")]


def test_who_interrupts_the_greeting_interrupts_nothing_of_ours(call: Relayed) -> None:
    assert not call.interrupt("Hello. One")
    assert call.events() == []
    assert call.stream.generation == 0


@pytest.mark.parametrize("sent_before", range(5))
def test_no_token_of_a_reply_leaves_after_its_interruption_is_kept(call: Relayed, sent_before: int) -> None:
    """Whenever it comes: before the first token, between any two, or behind the last."""
    connections, send = call.world.connections, call.world.connections.send
    interrupted = False

    def send_and_interrupt(connection_id: str, message: str) -> None:
        nonlocal interrupted
        assert not interrupted, message
        send(connection_id, message)
        if len(call.tokens()) == sent_before:
            interrupted = call.interrupt("".join(call.tokens()))

    begin = call.world.utterances.begin

    def begin_and_interrupt(stream: Stream, utterance: Utterance) -> None:
        nonlocal interrupted
        begin(stream, utterance)
        interrupted = call.interrupt("")

    if sent_before:
        connections.send = send_and_interrupt  # type: ignore[method-assign]
    else:
        call.world.utterances.begin = begin_and_interrupt  # type: ignore[method-assign]

    said = call.say("One. Two. Three. Four.")

    assert call.tokens() == ["One. ", "Two. ", "Three. ", "Four."][:sent_before]
    assert said.status == ("accepted" if sent_before == 4 else "interrupted")
    assert call.types() == ["SPEECH_INTERRUPTED" if sent_before < 4 else "SPEECH_PLAYED"]


def test_an_interruption_between_two_looks_stops_the_reply_too(call: Relayed) -> None:
    """It is kept while the next phrase is being kept: the phrase has no place any more."""
    add_pieces = call.world.utterances.add_pieces

    def add_behind(*arguments: Any, **more: Any) -> bool:
        call.interrupt("One.")
        return add_pieces(*arguments, **more)

    call.world.utterances.add_pieces = add_behind  # type: ignore[method-assign]

    assert call.say("One. Two.").status == "interrupted"
    assert call.tokens() == ["One. "]


def test_a_session_that_ends_during_a_reply_gets_no_token_more(call: Relayed) -> None:
    send = call.world.connections.send

    def send_and_end(connection_id: str, message: str) -> None:
        send(connection_id, message)
        end_stream(call.stream, "call_ended", call.ender)

    call.world.connections.send = send_and_end  # type: ignore[method-assign]

    assert call.say("One. Two. Three.").status == "interrupted"
    assert call.tokens() == ["One. "]


def test_the_next_reply_is_said_after_an_interruption(call: Relayed) -> None:
    call.say("A long story.")
    call.interrupt("A long")
    call.prompt("Stop.")

    assert call.say("All right.").status == "accepted"
    assert call.tokens()[-1] == "All right."


# ------------------------------------------------------------------------- without a word of Twilio's about what was spoken


def test_who_speaks_and_interrupts_nothing_has_heard_what_must_be_over_by_then(call: Relayed) -> None:
    call.say("Yes, from nine to five.")
    call.world.clock.advance(seconds=5)

    call.prompt("Thank you.")

    assert call.types() == ["SPEECH_RECEIVED", "SPEECH_PLAYED"]
    assert call.history() == [("outbound", "Yes, from nine to five."), ("inbound", "Thank you.")]


def test_a_prompt_in_the_middle_of_a_reply_closes_nothing(call: Relayed) -> None:
    """The reply may not be interrupted; or the word of the interruption has been overtaken."""
    call.say("Yes, from nine to five.")
    call.world.clock.advance(seconds=0.5)

    call.prompt("Thank you.")
    assert call.types() == ["SPEECH_RECEIVED"]

    call.interrupt("Yes, from")
    assert [(event["type"], event["heard"]) for event in call.events()] == [("SPEECH_INTERRUPTED", "Yes, from")]


@pytest.mark.parametrize(
    ("seconds", "heard", "told"),
    [(60, "Yes, from nine to five.", "SPEECH_PLAYED"), (0.8, "Yes, from", "SPEECH_INTERRUPTED"), (0, "", "SPEECH_INTERRUPTED")],
)
def test_at_the_end_what_was_heard_is_estimated_by_time(call: Relayed, seconds: float, heard: str, told: str) -> None:
    call.say("Yes, from nine to five.")
    call.world.clock.advance(seconds=seconds)

    call_ended(sid(1), call.ender)

    assert call.types() == [told, "VOICE_STREAM_ENDED"]
    assert call.history() == ([("outbound", heard)] if heard else [])


def test_at_the_end_what_twilio_has_told_counts_more_than_time(call: Relayed) -> None:
    call.say("Yes, from nine to five.")
    call.play("Yes,")
    call.world.clock.advance(seconds=60)

    end_stream(call.stream, "call_ended", call.ender)

    assert call.events()[0]["heard"] == "Yes,"


# ------------------------------------------------------------------------------------------------------ silence, and ends


def reply_timer(call: Relayed) -> RelayTimer:
    return RelayTimer("reply", sid(1), call.stream.stream_sid, FIRST)


def test_an_agent_that_leaves_the_person_waiting_ends_the_session(call: Relayed) -> None:
    call.prompt("Are you open?")
    call.events()
    call.world.clock.advance(seconds=30)

    assert time_is_up(reply_timer(call), call.watch) == "no_reply"

    assert [(event["type"], event["reason"]) for event in call.events()] == [("VOICE_STREAM_ENDED", "no_reply")]
    assert [json.loads(one) for one in call.world.connections.messages[FIRST]] == [{"type": "end"}]


def test_a_timer_that_rings_twice_ends_it_once(call: Relayed) -> None:
    """The session's end may not have reached Twilio the first time."""
    call.world.clock.advance(seconds=30)
    call.world.connections.down = True
    with pytest.raises(StorageUnavailable):
        time_is_up(reply_timer(call), call.watch)
    call.world.connections.down = False

    assert time_is_up(reply_timer(call), call.watch) == "no_reply"

    assert call.types() == ["VOICE_STREAM_ENDED"]
    assert len(call.world.connections.messages[FIRST]) == 1


def test_a_person_who_was_answered_does_not_wait(call: Relayed) -> None:
    call.prompt("Are you open?")
    call.say("Yes.")
    call.world.clock.advance(seconds=600)

    assert time_is_up(reply_timer(call), call.watch) == "answered"
    assert call.stream.ended_at is None


def test_a_person_who_has_spoken_since_has_a_timer_of_its_own(call: Relayed) -> None:
    call.world.clock.advance(seconds=20)
    call.prompt("Hello?")
    call.world.clock.advance(seconds=10)

    assert time_is_up(reply_timer(call), call.watch) == "answered"

    call.world.clock.advance(seconds=20)
    assert time_is_up(reply_timer(call), call.watch) == "no_reply"


@pytest.mark.parametrize("kind", ["reply", "reconnect"])
def test_a_timer_of_another_session_is_nothing(call: Relayed, kind: Any) -> None:
    call.world.clock.advance(seconds=600)

    assert time_is_up(RelayTimer(kind, sid(1), "VX" + "2" * 32, FIRST), call.watch) == "over"
    assert time_is_up(RelayTimer(kind, sid(2), SESSION, FIRST), call.watch) == "over"
    assert call.stream.ended_at is None


def test_a_session_that_ended_otherwise_is_not_ended_by_a_timer(call: Relayed) -> None:
    end_stream(call.stream, "call_ended", call.ender)
    call.events()
    call.world.clock.advance(seconds=600)

    assert time_is_up(reply_timer(call), call.watch) == "over"
    assert call.world.connections.messages == {}


def test_the_calls_end_ends_the_session_at_once_and_leaves_no_mark_behind_frames(call: Relayed) -> None:
    call.say("Goodbye.")
    call.play("Goodbye.")

    call_ended(sid(1), call.ender)
    announce_end(call.stream, "closed", call.ender)

    assert call.types() == ["SPEECH_PLAYED", "VOICE_STREAM_ENDED"]
    assert call.world.frames.after(FIRST, 0, limit=10).end is None
