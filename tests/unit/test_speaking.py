"""The agent speaks: phrase by phrase, one utterance after the other, and not a word more once it is interrupted."""

from __future__ import annotations

import base64
import dataclasses
import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.fakes_calls import FakeCalling
from tests.unit.fakes_streams import FakeStreamWorld, utterance
from tests.unit.test_streams import Line
from twilio_plugin.domain.actions import Said, Say
from twilio_plugin.domain.media_stream import Key, Mark
from twilio_plugin.domain.speech import Piece, mark_name
from twilio_plugin.domain.stream import Stream
from twilio_plugin.domain.timestamp import iso
from twilio_plugin.errors import InvalidRequest, NoMediaStream, SpeakerBusy, SpeechUnavailable
from twilio_plugin.services.end_stream import end_stream
from twilio_plugin.services.follow_playback import follow_mark, press_key
from twilio_plugin.services.say_between import Waker
from twilio_plugin.services.speak import Speaker, say
from twilio_plugin.services.stop_speaking import Interrupter, interrupt


class FakeSynthesizer:
    """A tenth of a second of sound for each character. `before` runs ahead of each phrase."""

    def __init__(self) -> None:
        self.phrases: list[str] = []
        self.fails_at: str | None = None
        self.before: Callable[[str], None] = lambda _: None

    def synthesize(self, text: str) -> bytes:
        self.before(text)
        if text == self.fails_at:
            raise SpeechUnavailable("The fake voice is hoarse.")
        self.phrases.append(text)
        return bytes([len(self.phrases)]) * (800 * len(text))


class Phone:
    """A call with an open stream, and what goes over its socket."""

    def __init__(self) -> None:
        self.line = Line()
        self.world: FakeStreamWorld = self.line.world
        self.stream: Stream = self.line.opened()
        self.voice = FakeSynthesizer()
        self.by = Interrupter(self.world.streams, self.world.utterances, self.world.connections, self.world.clock)
        ids = (f"utterance-{number}" for number in itertools.count(1))
        self.slept = 0
        self.speaker = Speaker(
            by=self.by,
            synthesizer=self.voice,
            waker=Waker(self.world.gathering, FakeCalling, "https://example.com/webhooks/twilio", lambda *_: None),
            clock=self.world.clock,
            sleep=self.sleep,
            new_id=lambda: next(ids),
        )

    def sleep(self, seconds: float) -> None:
        self.slept += 1
        self.world.clock.advance(seconds=seconds)

    def say(self, text: str, **more: Any) -> Said:
        return say(Say(call_sid=self.stream.call_sid, text=text, **more), self.speaker)

    def sent(self) -> list[str]:
        """Events and marks, in the order they went out."""
        messages = [json.loads(one) for one in self.world.connections.messages.get(self.stream.connection_id, [])]
        return [one["mark"]["name"] if one["event"] == "mark" else one["event"] for one in messages]

    def audio(self) -> bytes:
        messages = [json.loads(one) for one in self.world.connections.messages.get(self.stream.connection_id, [])]
        return b"".join(base64.b64decode(one["media"]["payload"]) for one in messages if one["event"] == "media")

    def play(self, utterance_id: str, piece: int) -> None:
        follow_mark(
            self.stream, Mark(self.stream.stream_sid, mark_name(utterance_id, piece)), self.world.utterances, self.world.clock
        )

    def hears(self, heard_at: str) -> None:
        """The person's words are announced."""
        line = self.world.streams.read(self.stream)
        self.world.streams.keep(dataclasses.replace(line, heard_at=heard_at, last_words="And?"))

    def events(self) -> list[Any]:
        return [{"type": one.detail_type, **json.loads(one.detail)} for one in self.world.announced()]

    def history(self) -> list[str]:
        return [entry.body for entry in self.world.conversations.entries]


@pytest.fixture
def phone() -> Phone:
    return Phone()


def test_each_second_goes_out_with_a_mark_behind_it(phone: Phone) -> None:
    said = phone.say("Good morning. How are you?")

    assert (said.utterance_id, said.call_sid, said.status) == ("utterance-1", phone.stream.call_sid, "accepted")
    assert phone.voice.phrases == ["Good morning.", "How are you?"]
    # 13 and 12 characters: two pieces each.
    assert phone.sent() == [
        "media",
        "utterance-1:1",
        "media",
        "utterance-1:2",
        "media",
        "utterance-1:3",
        "media",
        "utterance-1:4",
    ]
    assert phone.audio() == b"\1" * 800 * 13 + b"\2" * 800 * 12


def test_the_first_words_are_out_before_the_last_are_made(phone: Phone) -> None:
    out: list[int] = []
    phone.voice.before = lambda _: out.append(len(phone.audio()))

    phone.say("One. Two. Three.")

    assert out[0] == 0
    assert out == sorted(set(out)), "each phrase was sent before the next was made"


def test_a_reply_tells_how_long_the_person_waited_and_what_comes_behind_it_does_not(phone: Phone) -> None:
    phone.hears(iso(phone.world.clock()))
    phone.world.clock.advance(seconds=0.75)

    for number, words in enumerate(("Good.", "Really."), 1):
        phone.say(words)
        phone.play(f"utterance-{number}", 1)

    assert [event.get("reply_ms") for event in phone.events()] == [pytest.approx(750, abs=20), None]


def test_a_reply_that_was_interrupted_tells_it_too_and_what_nobody_asked_for_does_not(phone: Phone) -> None:
    phone.say("Hello.")
    phone.hears(iso(phone.world.clock()))
    phone.world.clock.advance(seconds=2)
    phone.say("Good morning.", interrupt=True)
    phone.say("Stop.", interrupt=True)

    assert [(event["text"], event.get("reply_ms")) for event in phone.events()] == [
        ("Hello.", None),
        ("Good morning.", pytest.approx(2000, abs=20)),
    ]


def test_call_state_knows_what_is_being_said(phone: Phone) -> None:
    phone.say("Good morning.")

    assert phone.line.now().saying == "Good morning."


def test_when_the_last_mark_comes_back_it_was_heard_and_not_before(phone: Phone) -> None:
    phone.say("Good morning. How are you?")
    for piece in (1, 2, 3):
        phone.play("utterance-1", piece)
    assert phone.events() == []
    assert phone.history() == []

    phone.play("utterance-1", 4)
    phone.play("utterance-1", 4)

    (played,) = phone.events()
    assert (played["type"], played["text"], played["duration_ms"]) == ("SPEECH_PLAYED", "Good morning. How are you?", 2500)
    assert phone.history() == ["Good morning. How are you?"]


def test_a_last_mark_counts_even_where_those_before_it_are_late_or_lost(phone: Phone) -> None:
    phone.say("Good morning. How are you?")

    for piece in (4, 2, 1):
        phone.play("utterance-1", piece)

    assert [event["type"] for event in phone.events()] == ["SPEECH_PLAYED"]


@pytest.mark.parametrize("name", ["", "hello", "utterance-9:1", "utterance-1:99", "utterance-1:x"])
def test_a_mark_of_nothing_we_said_changes_nothing(phone: Phone, name: str) -> None:
    phone.say("Good morning.")

    follow_mark(phone.stream, Mark(phone.stream.stream_sid, name), phone.world.utterances, phone.world.clock)

    assert phone.events() == []


def test_the_person_interrupts(phone: Phone) -> None:
    phone.say("One two three four five six. Seven eight.")
    phone.play("utterance-1", 2)

    assert interrupt(phone.line.now(), "speech", phone.by)

    (event,) = phone.events()
    assert (event["type"], event["cause"], event["heard"], event["heard_ms"]) == (
        "SPEECH_INTERRUPTED",
        "speech",
        "One two three four",
        2000,
    )
    assert event["text"] == "One two three four five six. Seven eight."
    assert phone.sent()[-1] == "clear"
    assert phone.history() == ["One two three four"]
    assert phone.line.now().generation == 1


def test_the_marks_that_clear_sends_back_do_not_count_as_heard(phone: Phone) -> None:
    phone.say("One two three four five six. Seven eight.")
    interrupt(phone.line.now(), "speech", phone.by)
    phone.events()

    for piece in range(1, 6):
        phone.play("utterance-1", piece)

    assert phone.events() == []
    assert phone.history() == []


def test_where_nothing_is_said_there_is_nothing_to_interrupt(phone: Phone) -> None:
    assert not interrupt(phone.stream, "speech", phone.by)
    assert phone.sent() == []
    assert phone.line.now().generation == 0


def test_what_may_not_be_interrupted_is_not_but_for_the_agent(phone: Phone) -> None:
    phone.say("This call is recorded.", allow_barge_in=False)

    assert not interrupt(phone.stream, "speech", phone.by)
    assert not interrupt(phone.stream, "key", phone.by)
    assert "clear" not in phone.sent()
    assert interrupt(phone.stream, "say", phone.by)


def test_everything_that_waits_behind_it_is_stopped_too(phone: Phone) -> None:
    phone.say("First.")
    phone.say("Second.")

    interrupt(phone.line.now(), "speech", phone.by)

    assert [event["utterance_id"] for event in phone.events()] == ["utterance-1", "utterance-2"]


def test_a_say_that_is_still_sending_stops_with_it(phone: Phone) -> None:
    def interrupted_at(text: str) -> None:
        if text == "Three.":
            interrupt(phone.line.now(), "speech", phone.by)

    phone.voice.before = interrupted_at

    said = phone.say("One. Two. Three. Four.")

    assert said.status == "interrupted"
    assert phone.voice.phrases[-1] in ("Two.", "Three.")
    assert phone.audio() == b"\1" * 3200 + b"\2" * 3200
    assert phone.sent()[-1] == "clear"
    assert [event["type"] for event in phone.events()] == ["SPEECH_INTERRUPTED"]


def test_what_left_after_somebodys_clear_is_cleared_again(phone: Phone) -> None:
    """The interruption comes between our look at the generation and the message that follows it."""
    connections = phone.world.connections
    done: list[bool] = []
    send = connections.send

    def send_late(connection_id: str, message: str) -> None:
        if '"media"' in message and not done:
            done.append(True)
            interrupt(phone.line.now(), "speech", phone.by)
        send(connection_id, message)

    connections.send = send_late  # type: ignore[method-assign]

    said = phone.say("Hello.")

    assert said.status == "interrupted"
    assert phone.sent()[0] == "clear"
    assert phone.sent()[-1] == "clear"
    assert [event["type"] for event in phone.events()] == ["SPEECH_INTERRUPTED"]


def test_a_key_is_announced_once_and_interrupts(phone: Phone) -> None:
    phone.say("For sales, press one.")

    for _ in range(2):
        press_key(phone.line.now(), Key(phone.stream.stream_sid, 9, "1"), phone.world.outbox, phone.by)

    events = {event["type"]: event for event in phone.events()}
    assert sorted(events) == ["DTMF_RECEIVED", "SPEECH_INTERRUPTED"]
    assert events["DTMF_RECEIVED"]["digit"] == "1"
    assert events["SPEECH_INTERRUPTED"]["cause"] == "key"


def test_a_new_utterance_may_take_the_place_of_the_old(phone: Phone) -> None:
    phone.say("A long story.")

    phone.say("Never mind.", interrupt=True)

    assert [(event["type"], event["cause"]) for event in phone.events()] == [("SPEECH_INTERRUPTED", "say")]
    assert "clear" in phone.sent()
    assert phone.sent()[-1] == "utterance-2:2"
    assert [one.utterance_id for one in phone.world.utterances.open(phone.stream.call_sid)] == ["utterance-2"]


def test_while_another_one_is_being_sent_it_waits(phone: Phone) -> None:
    now = phone.world.clock()
    from twilio_plugin.domain.timestamp import iso

    phone.world.utterances.hold(phone.stream, "somebody", until=iso(now.replace(second=5)), now=iso(now))

    said = phone.say("Hello.")

    assert said.status == "accepted"
    assert phone.slept > 10


def test_it_does_not_wait_for_ever(phone: Phone) -> None:
    hold = phone.world.utterances.hold
    phone.world.utterances.hold = lambda *_, **__: False  # type: ignore[method-assign]

    with pytest.raises(SpeakerBusy):
        phone.say("Hello.")

    phone.world.utterances.hold = hold  # type: ignore[method-assign]
    assert phone.sent() == []
    assert phone.say("Hello.").status == "accepted"


def test_the_stream_is_free_again_whatever_happens(phone: Phone) -> None:
    phone.voice.fails_at = "Hello."
    with pytest.raises(SpeechUnavailable):
        phone.say("Hello.")
    assert phone.events() == []

    phone.voice.fails_at = None
    phone.say("Hello.")

    assert phone.slept == 0


def test_where_the_voice_fails_on_the_way_what_was_made_is_all_there_is(phone: Phone) -> None:
    phone.voice.fails_at = "Two."

    with pytest.raises(SpeechUnavailable):
        phone.say("One. Two.")

    phone.play("utterance-1", 1)
    assert [event["type"] for event in phone.events()] == ["SPEECH_PLAYED"]


def test_a_socket_that_closes_on_the_way(phone: Phone) -> None:
    phone.voice.before = lambda text: phone.world.connections.gone.add(phone.stream.connection_id) if text == "Two." else None

    with pytest.raises(NoMediaStream, match="closed before"):
        phone.say("One. Two.")

    assert [(event["type"], event["cause"]) for event in phone.events()] == [("SPEECH_INTERRUPTED", "end")]


def test_without_a_stream_there_is_nobody_to_speak_to(phone: Phone) -> None:
    end_stream(phone.stream, "stopped", phone.line.ender)

    with pytest.raises(NoMediaStream, match="no open media stream"):
        phone.say("Hello.")
    with pytest.raises(NoMediaStream):
        say(Say(call_sid="CA" + "f" * 32, text="Hello."), phone.speaker)


def test_sound_of_the_agents_own(phone: Phone) -> None:
    sound = bytes(range(256)) * 40

    said = say(Say(call_sid=phone.stream.call_sid, audio=base64.b64encode(sound).decode()), phone.speaker)

    assert phone.audio() == sound
    assert phone.voice.phrases == []
    phone.play(said.utterance_id, 2)
    (played,) = phone.events()
    assert (played["text"], played["duration_ms"]) == ("[audio]", 1280)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({}, "one of `text` and `audio`"),
        ({"text": "a", "audio": "YQ=="}, "one of `text` and `audio`"),
        ({"text": " … "}, "nothing that can be spoken"),
        ({"audio": "AAAAA"}, "not base64"),
        ({"audio": base64.b64encode(b"RIFF" + b"\0" * 400).decode()}, "header of a file"),
    ],
)
def test_nothing_to_say(phone: Phone, more: dict[str, str], says: str) -> None:
    with pytest.raises(InvalidRequest, match=says):
        say(Say(call_sid=phone.stream.call_sid, **more), phone.speaker)

    assert phone.sent() == []


def test_an_utterance_that_nobody_marks_is_told_of_when_the_stream_ends(phone: Phone) -> None:
    of = utterance(phone.stream, "u", pieces=(Piece("Hello.", 600),), complete=True)
    phone.world.utterances.begin(phone.stream, of)

    end_stream(phone.stream, "closed", phone.line.ender)

    assert [event["type"] for event in phone.events()] == ["SPEECH_INTERRUPTED", "VOICE_STREAM_ENDED"]
