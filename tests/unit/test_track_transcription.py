"""Twilio's reports of a transcription, in whatever order they come: every turn comes out once, and in order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.fakes_calls import OURS, PAIR, THEIRS, inbound, outbound, sid
from tests.unit.fakes_transcriptions import (
    FakeListeningWorld,
    ListeningWorld,
    real_listening_world,
    report,
    transcription,
    transcription_sid,
)
from twilio_plugin.domain.timestamp import iso
from twilio_plugin.domain.transcription import TranscriptionReport
from twilio_plugin.errors import StorageUnavailable, UnknownCall
from twilio_plugin.services.answer_call import answer_call
from twilio_plugin.services.ports import Clock
from twilio_plugin.services.track_call import track_call
from twilio_plugin.services.track_transcription import Listener, track_transcription

STARTED = report(1, event="transcription-started", track=None)
STOPPED = report(9, event="transcription-stopped", track=None)
# What Twilio reports of a call in which two speak: partial results and silence have numbers too.
CONVERSATION = [
    STARTED,
    report(2, "Hello?"),
    report(3, "Ada speaking.", track="outbound_track", other="callee"),
    report(4),
    report(5, "Is the table ready?"),
    report(6, "It is.", track="outbound_track", other="callee"),
    report(7, event="transcription-of-tomorrow", track=None),
    report(8, "Thank you."),
    STOPPED,
]
WORDS = ["Hello?", "Ada speaking.", "Is the table ready?", "It is.", "Thank you."]


@pytest.fixture(params=["fake", "dynamodb"])
def both(request: pytest.FixtureRequest) -> ListeningWorld:
    """A call that is known; once in memory, once on the tables."""
    if request.param == "fake":
        return known(FakeListeningWorld.new())
    return known(real_listening_world(request.getfixturevalue("dynamodb"), request.getfixturevalue("new_table")))


@pytest.fixture
def world() -> FakeListeningWorld:
    found = FakeListeningWorld.new()
    known(found)
    return found


def known(world: ListeningWorld) -> ListeningWorld:
    answer_call(inbound(1), {}, world.calls, world.clock)
    world.announced()
    return world


def follow(world: ListeningWorld, reports: Sequence[TranscriptionReport], clock: Clock | None = None) -> int:
    """They come, one after the other; how many turns were announced."""
    by = Listener(world.calls, world.transcriptions, clock or world.clock)
    return sum(track_transcription(one, by) for one in reports)


def turns(world: ListeningWorld) -> list[str]:
    return [one["text"] for one in world.announced() if one["detail_type"] == "SPEECH_TRANSCRIBED"]


# ------------------------------------------------------------------------------------------------------------- in order


def test_a_conversation_comes_out_with_who_said_what_and_then_its_end(both: ListeningWorld) -> None:
    assert follow(both, CONVERSATION) == 5

    *said, end = both.announced()
    assert [one["text"] for one in said] == WORDS
    assert [one["turn"] for one in said] == [1, 2, 3, 4, 5]
    assert [one["sequence_id"] for one in said] == [2, 3, 5, 6, 8]
    assert {key: value for key, value in said[0].items() if key != "occurred_at"} == {
        "detail_type": "SPEECH_TRANSCRIBED",
        "version": "1",
        "event_id": f"SPEECH_TRANSCRIBED#{transcription_sid(1)}#2#inbound_track",
        "account_sid": inbound(1).account_sid,
        "conversation_id": PAIR,
        "call_sid": sid(1),
        "transcription_sid": transcription_sid(1),
        "from": THEIRS,
        "to": OURS,
        "direction": "inbound",
        "turn": 1,
        "sequence_id": 2,
        "track": "inbound_track",
        "speaker": "person",
        "text": "Hello?",
    }
    assert (end["detail_type"], end["reason"], end["turns"]) == ("TRANSCRIPTION_ENDED", "stopped", 5)
    assert "error" not in end


def test_the_history_has_the_words_of_both_in_order(both: ListeningWorld) -> None:
    follow(both, [report(1, event="transcription-started", track=None, other="callee"), *CONVERSATION[:0:-1]])

    assert both.said() == [
        ("inbound", "person", "Hello?"),
        ("outbound", "callee", "Ada speaking."),
        ("inbound", "person", "Is the table ready?"),
        ("outbound", "callee", "It is."),
        ("inbound", "person", "Thank you."),
    ]


@given(st.data())
def test_reports_in_any_order_and_any_number_of_times_make_every_turn_once_and_in_order(data: st.DataObject) -> None:
    world = FakeListeningWorld.new()
    known(world)
    copies = [one for one in CONVERSATION for _ in range(data.draw(st.integers(1, 3)))]

    assert follow(world, data.draw(st.permutations(copies))) == 5

    told = world.announced()
    assert [one.get("text", one["detail_type"]) for one in told] == [*WORDS, "TRANSCRIPTION_ENDED"]
    assert [one["turn"] for one in told[:-1]] == [1, 2, 3, 4, 5]
    assert [body for _, _, body in world.said()] == WORDS
    assert [one.ended_at for one in world.transcriptions.active()] == []


@given(st.data())
def test_without_one_of_them_the_others_still_come_out_once_and_in_order(data: st.DataObject) -> None:
    world = FakeListeningWorld.new()
    known(world)
    lost = data.draw(st.integers(0, len(CONVERSATION) - 1))
    left = CONVERSATION[:lost] + CONVERSATION[lost + 1 :]
    follow(world, data.draw(st.permutations(left + left)))

    world.clock.advance(seconds=11)
    follow(world, [data.draw(st.sampled_from(left))])

    words = [one for one in WORDS if one != CONVERSATION[lost].text]
    assert turns(world) == words


def test_who_closes_the_gap_brings_out_what_stood_behind_it(both: ListeningWorld) -> None:
    assert follow(both, [STARTED, *CONVERSATION[2:6]]) == 0
    assert both.announced() == []

    assert follow(both, [CONVERSATION[1]]) == 4
    assert turns(both) == WORDS[:4]


# ------------------------------------------------------------------------------------------------- gaps and late reports


def test_a_gap_is_waited_for_ten_seconds_and_then_passed_over_by_the_next(world: FakeListeningWorld) -> None:
    follow(world, [STARTED, report(3, "three")])
    world.clock.advance(seconds=9)
    assert follow(world, [report(4, "four")]) == 0

    world.clock.advance(seconds=1)

    assert follow(world, [report(5, "five")]) == 3
    assert turns(world) == ["three", "four", "five"]


def test_behind_a_gap_that_was_passed_over_another_one_is_waited_for_anew(world: FakeListeningWorld) -> None:
    follow(world, [STARTED, report(3, "three")])
    world.clock.advance(seconds=11)

    assert follow(world, [report(6, "six")]) == 1
    assert turns(world) == ["three"]


def test_words_that_come_too_late_are_told_all_the_same_and_stand_where_they_belong(both: ListeningWorld) -> None:
    follow(both, [STARTED, report(3, "three")])
    both.clock.advance(seconds=11)
    follow(both, [report(4, "four")])
    both.announced()

    assert follow(both, [report(2, "two"), report(2, "two")]) == 1

    (late,) = both.announced()
    assert (late["text"], late["sequence_id"], late["turn"]) == ("two", 2, 3)
    assert [body for _, _, body in both.said()] == ["two", "three", "four"]


def test_words_after_the_end_are_told_and_end_nothing_again(both: ListeningWorld) -> None:
    follow(both, [STARTED, report(2, event="transcription-stopped", track=None)])
    assert [one["reason"] for one in both.announced()] == ["stopped"]

    assert follow(both, [report(3, "three"), report(4, event="transcription-error", track=None, error_code=32651)]) == 1
    assert [one["detail_type"] for one in both.announced()] == ["SPEECH_TRANSCRIBED"]


def test_the_history_keeps_the_order_of_the_numbers_where_the_times_do_not(both: ListeningWorld) -> None:
    same = "2026-11-22T08:00:01.000Z"
    said = [report(2, "two", at=same), report(3, "three", at=same), report(4, "four", at="2026-11-22T08:00:00.000Z")]

    follow(both, [STARTED, *said, report(5, "five", at=None)])

    assert [body for _, _, body in both.said()] == ["two", "three", "four", "five"]


def test_a_time_ahead_of_ours_is_now(world: FakeListeningWorld) -> None:
    follow(world, [STARTED, report(2, "two", at="2099-01-01T00:00:00.000Z")])

    (event,) = world.announced()
    assert event["occurred_at"] <= iso(world.clock())


# --------------------------------------------------------------------------------------------------------- who is who


@pytest.mark.parametrize("other", ["agent", "callee", None])
def test_in_a_call_of_ours_the_inbound_track_is_the_person_too(other: Any) -> None:
    world = FakeListeningWorld.new()
    track_call(outbound(1, "in-progress"), world.calls, world.clock)
    world.announced()

    mine = report(1, "Who is there?", other=other)
    follow(world, [mine, report(2, "Good morning.", track="outbound_track", other=other)])

    theirs, ours = world.announced()
    assert [(one["speaker"], one["from"], one["to"]) for one in (theirs, ours)] == [
        ("person", OURS, THEIRS),
        (other or "agent", OURS, THEIRS),
    ]
    entries = world.history.page(PAIR, limit=10, before=None).entries
    assert [(one.direction, one.from_, one.to) for one in entries] == [
        ("inbound", THEIRS, OURS),
        ("outbound", OURS, THEIRS),
    ]


def test_an_error_is_told_with_twilios_code_and_words(both: ListeningWorld) -> None:
    follow(both, [report(1, event="transcription-error", track=None, error="Provider Error", error_code=32651)])

    (event,) = both.announced()
    assert (event["reason"], event["error"], event["error_code"], event["turns"]) == ("error", "Provider Error", 32651, 0)
    assert both.transcriptions.active() == []


# --------------------------------------------------------------------------------------------------- together, and trouble


def test_two_that_announce_at_once_announce_once(world: FakeListeningWorld) -> None:
    # While the first is about to announce 2, another function brings 3 and announces both.
    world.transcriptions.meanwhile = [lambda: None, lambda: follow(world, [report(3, "three")])]

    follow(world, [STARTED, report(2, "two")])

    assert turns(world) == ["two", "three"]


def test_one_that_is_overtaken_while_it_is_being_kept_is_not_left_behind(
    world: FakeListeningWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    follow(world, [STARTED])
    add = world.transcriptions.add

    def add_behind_another(one: TranscriptionReport) -> None:
        monkeypatch.undo()
        follow(world, [report(2, "two")])  # which does not see the other one yet
        add(one)

    monkeypatch.setattr(world.transcriptions, "add", add_behind_another)
    follow(world, [report(3, "three")])

    assert turns(world) == ["two", "three"]


def test_a_report_of_a_call_that_is_not_known_yet_is_asked_for_again() -> None:
    world = FakeListeningWorld.new()

    with pytest.raises(UnknownCall, match=sid(1)):
        follow(world, [STARTED])

    assert world.transcriptions.active() == []


@pytest.mark.parametrize("method", ["add", "find", "waiting", "settle"])
def test_what_broke_off_is_made_good_when_twilio_repeats_it(world: FakeListeningWorld, method: str) -> None:
    follow(world, [STARTED])
    world.transcriptions.unavailable = {method}
    with pytest.raises(StorageUnavailable):
        follow(world, [report(2, "two")])
    assert turns(world) == []

    world.transcriptions.unavailable = set()
    assert follow(world, [report(2, "two")]) == 1
    assert turns(world) == ["two"]


def test_a_transcription_that_was_opened_by_its_words_is_kept_as_the_call_has_it(world: FakeListeningWorld) -> None:
    follow(world, [report(2, "two", other="callee")])

    (kept,) = world.transcriptions.of_call(sid(1))
    assert kept == transcription(1, started_at=kept.started_at, other="callee")
