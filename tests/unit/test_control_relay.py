"""What is told to a call over its ConversationRelay session."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from tests.unit.fakes_calls import OURS, FakeCalling, sid
from tests.unit.fakes_guards import outbound_guard
from tests.unit.fakes_streams import FakeConnections, FakeStreamWorld, stream
from tests.unit.fakes_transcriptions import FakeCallTranscriptions
from tests.unit.test_twiml import verbs
from twilio_plugin.domain.actions import ControlCall, ControlledCall
from twilio_plugin.domain.stream import Stream
from twilio_plugin.errors import InvalidPhoneNumber, InvalidRequest, NoMediaStream
from twilio_plugin.services.control_call import Controller, control_call

RELAYED = stream(1, leg=2, mode="relay")
OVER = stream(1, leg=2, mode="relay", ended_at="2026-11-22T08:00:09.000Z", end="closed")


class Switchboard:
    """What controls calls. `sent` is what went over sockets."""

    def __init__(self, *streams: Stream) -> None:
        self.calling = FakeCalling()
        self.connections = FakeConnections()
        self.world = FakeStreamWorld.new()
        self.world.streams.keep(*streams)
        self.by = Controller(
            calling=self.calling,
            streams=self.world.streams,
            utterances=self.world.utterances,
            connections=lambda: self.connections,
            clock=self.world.clock,
            sleep=lambda _: None,
            guard=outbound_guard(self.world.clock),
            phone_number=OURS,
            default_region="US",
            stay_seconds=20,
            webhook_url="https://example.com/webhooks/twilio",
            transcriptions=FakeCallTranscriptions(self.world.outbox, self.world.conversations),
            language="en-US",
        )

    def control(self, action: str, **fields: Any) -> ControlledCall:
        return control_call(ControlCall.model_validate({"call_sid": sid(1), "action": action} | fields), self.by)

    @property
    def sent(self) -> list[tuple[str, Any]]:
        return [(to, json.loads(one)) for to, messages in self.connections.messages.items() for one in messages]


def test_keys_are_pressed_without_ending_the_session() -> None:
    board = Switchboard(RELAYED)

    assert board.control("send_digits", digits="1wW#").status == "in-progress"
    assert board.sent == [(RELAYED.connection_id, {"type": "sendDigits", "digits": "1ww#"})]
    assert board.calling.told == []


def test_keys_for_a_session_that_is_over_go_by_a_document() -> None:
    board = Switchboard(OVER)

    board.control("send_digits", digits="1")

    assert board.sent == []
    assert [verb[0] for verb in verbs(board.calling.told[0][1] or "")] == ["Play", "Pause"]


def test_a_sound_is_played_without_ending_the_session() -> None:
    board = Switchboard(RELAYED)

    board.control("play", url="https://example.com/hold.mp3", loop=3)
    board.control("play", url="https://example.com/ding.mp3")

    assert [message for _, message in board.sent] == [
        {"type": "play", "source": "https://example.com/hold.mp3", "loop": 3},
        {"type": "play", "source": "https://example.com/ding.mp3", "loop": 1},
    ]
    assert board.calling.told == []


def test_a_session_goes_on_in_another_language() -> None:
    board = Switchboard(RELAYED)

    board.control("set_language", tts_language="sv-SE", transcription_language="en-US")
    board.control("set_language", transcription_language="sv-SE")

    assert [message for _, message in board.sent] == [
        {"type": "language", "ttsLanguage": "sv-SE", "transcriptionLanguage": "en-US"},
        {"type": "language", "transcriptionLanguage": "sv-SE"},
    ]


def test_a_language_is_needed_where_it_is_to_change() -> None:
    board = Switchboard(RELAYED)

    with pytest.raises(InvalidRequest, match="`tts_language`, `transcription_language`"):
        board.control("set_language")

    assert board.sent == []


def test_words_by_twilio_bring_the_call_back_into_a_session() -> None:
    board = Switchboard(RELAYED)

    board.control("update", say="One moment")

    redirect = verbs(board.calling.told[0][1] or "")[-1]
    assert "mode=relay&leg=3&reopened=0" in str(redirect[2])
    assert [one.detail_type for one in board.world.announced()] == ["VOICE_STREAM_ENDED"]


def test_a_hand_off_ends_the_session_with_its_data_and_the_number_that_is_meant() -> None:
    board = Switchboard(RELAYED)

    board.control("hand_off", to="(415) 555-0199", handoff_data={"reason": "billing", "tries": 2})

    ((connection, message),) = board.sent
    assert (connection, message["type"]) == (RELAYED.connection_id, "end")
    assert json.loads(message["handoffData"]) == {"reason": "billing", "tries": 2, "to": "+14155550199"}
    assert board.calling.told == []


def test_a_hand_off_may_say_nothing_at_all() -> None:
    board = Switchboard(RELAYED)

    board.control("hand_off")

    assert board.sent == [(RELAYED.connection_id, {"type": "end", "handoffData": "{}"})]


@pytest.mark.parametrize("streams", [(), (OVER,), (stream(1),)], ids=["none", "over", "streamed"])
def test_without_a_session_there_is_nothing_to_hand_off_or_to_speak_another_language(streams: tuple[Stream, ...]) -> None:
    board = Switchboard(*streams)

    for action, fields in (("hand_off", {}), ("set_language", {"tts_language": "sv-SE"})):
        with pytest.raises(NoMediaStream, match="no open ConversationRelay session"):
            board.control(action, **fields)

    assert board.sent == []


@pytest.mark.parametrize(
    ("action", "fields"),
    [
        ("hand_off", {}),
        ("send_digits", {"digits": "1"}),
        ("play", {"url": "https://a.example"}),
        ("set_language", {"tts_language": "da"}),
    ],
)
def test_a_session_that_has_just_lost_its_connection_says_so(action: str, fields: dict[str, str]) -> None:
    board = Switchboard(RELAYED)
    board.connections.gone.add(RELAYED.connection_id)

    with pytest.raises(NoMediaStream, match="lost its connection"):
        board.control(action, **fields)


def test_a_number_in_the_data_is_refused_because_nobody_has_checked_it() -> None:
    with pytest.raises(InvalidRequest, match="`to` beside it"):
        Switchboard(RELAYED).control("hand_off", handoff_data={"to": "911"})
    with pytest.raises(InvalidPhoneNumber):
        Switchboard(RELAYED).control("hand_off", to="ada")


def test_data_that_twilio_would_have_to_carry_in_a_url_are_bounded() -> None:
    Switchboard(RELAYED).control("hand_off", handoff_data={"a": "x" * 3980})

    with pytest.raises((InvalidRequest, ValidationError), match="4,000"):
        Switchboard(RELAYED).control("hand_off", handoff_data={"a": "x" * 4000})
