from __future__ import annotations

from datetime import timedelta

import pytest

from tests.unit.fakes_calls import inbound, sid
from tests.unit.fakes_transcriptions import FakeListeningWorld, report, transcription
from tests.unit.test_track_transcription import STARTED, follow, turns
from twilio_plugin.errors import StorageUnavailable
from twilio_plugin.services.answer_call import answer_call
from twilio_plugin.services.reconcile_transcriptions import (
    ReconciledTranscriptions,
    TranscriptionReconciler,
    reconcile_transcriptions,
)
from twilio_plugin.services.track_call import track_call
from twilio_plugin.services.track_transcription import Listener

NOTHING = ReconciledTranscriptions(turns=0, ended=0)


@pytest.fixture
def world() -> FakeListeningWorld:
    """Two calls that are known."""
    world = FakeListeningWorld.new()
    for number in (1, 2):
        answer_call(inbound(number), {}, world.calls, world.clock)
    world.announced()
    return world


def run(world: FakeListeningWorld) -> ReconciledTranscriptions:
    listener = Listener(world.calls, world.transcriptions, world.clock)
    return reconcile_transcriptions(TranscriptionReconciler(listener))


def end_call(world: FakeListeningWorld, number: int = 1, *, since: timedelta = timedelta(seconds=61)) -> None:
    track_call(inbound(number, "completed"), world.calls, world.clock)
    world.announced()
    world.clock.advance(seconds=since.total_seconds())


def test_a_transcription_that_goes_on_is_left_alone(world: FakeListeningWorld) -> None:
    follow(world, [STARTED, report(2, "two"), report(4, "four")])
    world.announced()

    assert run(world) == NOTHING
    assert world.announced() == []
    assert [one.call_sid for one in world.transcriptions.active()] == [sid(1)]


def test_what_waits_behind_a_report_that_never_came_comes_out(world: FakeListeningWorld) -> None:
    follow(world, [STARTED, report(3, "three"), report(4, event="transcription-stopped", track=None)])
    world.clock.advance(seconds=11)

    assert run(world) == ReconciledTranscriptions(turns=1, ended=0)

    said, end = world.announced()
    assert (said["text"], end["reason"], end["turns"]) == ("three", "stopped", 1)
    assert run(world) == NOTHING


def test_words_that_came_late_and_whose_function_died_come_out(world: FakeListeningWorld) -> None:
    follow(world, [STARTED, report(3, "three")])
    world.clock.advance(seconds=11)
    follow(world, [report(4, "four")])
    world.transcriptions.unavailable = {"settle"}
    with pytest.raises(StorageUnavailable):
        follow(world, [report(2, "two")])
    world.transcriptions.unavailable = set()
    world.announced()

    assert run(world).turns == 1
    assert turns(world) == ["two"]


def test_one_whose_call_is_over_and_whose_end_was_never_told_ends_with_all_its_words(world: FakeListeningWorld) -> None:
    follow(world, [STARTED, report(2, "two"), report(4, "four")])
    world.announced()
    end_call(world)

    assert run(world) == ReconciledTranscriptions(turns=1, ended=1)

    said, end = world.announced()
    assert said["text"] == "four"
    assert (end["reason"], end["turns"]) == ("call_ended", 2)
    assert world.transcriptions.active() == []


def test_twilio_is_left_a_minute_to_tell_the_end_itself(world: FakeListeningWorld) -> None:
    follow(world, [STARTED])
    end_call(world, since=timedelta(seconds=59))

    assert run(world) == NOTHING
    follow(world, [report(2, event="transcription-stopped", track=None)])
    assert [one["reason"] for one in world.announced()] == ["stopped"]


def test_one_whose_call_is_kept_no_more_is_over(world: FakeListeningWorld) -> None:
    world.transcriptions.open(transcription(7))

    assert run(world) == ReconciledTranscriptions(turns=0, ended=1)
    assert world.transcriptions.active() == []


def test_trouble_with_one_is_no_reason_to_leave_the_next(world: FakeListeningWorld) -> None:
    for number in (1, 2):
        follow(world, [report(1, "", number, event="transcription-started"), report(3, "three", number)])
    world.clock.advance(seconds=11)

    def down() -> None:
        world.transcriptions.unavailable = {"settle"}

    def up() -> None:
        world.transcriptions.unavailable = set()

    world.transcriptions.meanwhile = [down, up]
    with pytest.raises(StorageUnavailable):
        run(world)

    assert [one["call_sid"] for one in world.announced()] == [sid(2)]
    assert run(world).turns == 1
