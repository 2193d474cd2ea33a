"""What every `CallTranscriptions` does: the fake, and the table as it is deployed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.fakes_transcriptions import (
    FakeListeningWorld,
    ListeningWorld,
    real_listening_world,
    report,
    transcription,
)
from twilio_plugin.domain.events import TranscriptionEnded
from twilio_plugin.domain.transcription import CallTranscription, TranscriptionReport
from twilio_plugin.services.track_transcription import dealt_with, ended

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ONE = transcription(1)
NOW = "2026-11-22T08:01:00.000Z"


@pytest.fixture(params=["fake", "dynamodb"])
def world(request: pytest.FixtureRequest) -> ListeningWorld:
    if request.param == "fake":
        return FakeListeningWorld.new()
    return real_listening_world(request.getfixturevalue("dynamodb"), request.getfixturevalue("new_table"))


def came(sequence_id: int, text: str = "", **more: Any) -> TranscriptionReport:
    """A report as it is kept."""
    return report(sequence_id, text, **({"received_at": NOW} | more))


def keep(world: ListeningWorld, *reports: TranscriptionReport) -> None:
    for one in reports:
        world.transcriptions.add(one)
    world.transcriptions.open(ONE)


def settle(world: ListeningWorld, one: TranscriptionReport, before: CallTranscription | None = None) -> bool:
    before = before or kept(world)
    after, event, entry = dealt_with(before, one, NOW)
    return world.transcriptions.settle(before, one, after, event, entry)


def kept(world: ListeningWorld) -> CallTranscription:
    found = world.transcriptions.find(ONE.call_sid, ONE.transcription_sid)
    assert found
    return found


def numbers(world: ListeningWorld, *, after: int = 0) -> list[int]:
    return [one.sequence_id for one in world.transcriptions.waiting(ONE, after=after)]


def over(one: CallTranscription = ONE) -> tuple[CallTranscription, TranscriptionEnded]:
    return ended(one, None, NOW)


# ------------------------------------------------------------------------------------------------------------- reports


def test_reports_wait_in_the_order_of_their_numbers_however_they_came(world: ListeningWorld) -> None:
    keep(world, came(10, "ten"), came(2, "two"), came(9, "nine"))

    assert numbers(world) == [2, 9, 10]
    assert numbers(world, after=2) == [9, 10]
    assert numbers(world, after=10) == []


def test_a_report_is_kept_as_it_came_and_once(world: ListeningWorld) -> None:
    first = came(7, "Send it 👋", confidence=0.875, track="outbound_track", other="callee")
    keep(world, first, dataclasses.replace(first, text="Something else", received_at="2026-11-22T09:00:00.000Z"))

    assert world.transcriptions.waiting(ONE, after=0) == [first]


def test_reports_of_a_number_that_are_not_the_same_are_kept_both(world: ListeningWorld) -> None:
    keep(world, came(7, "Hello", track="inbound_track"), came(7, "Hi", track="outbound_track"))

    assert [one.text for one in world.transcriptions.waiting(ONE, after=0)] == ["Hello", "Hi"]


def test_reports_of_another_transcription_of_the_call_are_not_its_own(world: ListeningWorld) -> None:
    keep(world, came(2, "two"), came(3, "three", transcription_sid="GT" + "f" * 32))

    assert numbers(world) == [2]


def test_an_error_is_kept_with_its_code_and_words(world: ListeningWorld) -> None:
    broken = came(2, event="transcription-error", track=None, error="Provider Error", error_code=32651)
    keep(world, broken)

    assert world.transcriptions.waiting(ONE, after=0) == [broken]


# ------------------------------------------------------------------------------------------------------ transcriptions


def test_a_transcription_is_opened_once_and_stays_as_it_was(world: ListeningWorld) -> None:
    assert world.transcriptions.open(ONE) == ONE
    assert world.transcriptions.open(dataclasses.replace(ONE, started_at=NOW, other="callee")) == ONE


def test_running_transcriptions_are_listed_and_found_by_their_call(world: ListeningWorld) -> None:
    later = transcription(2, started_at="2026-11-22T08:00:20.000Z", other=None)
    world.transcriptions.open(later)
    world.transcriptions.open(ONE)

    assert world.transcriptions.active() == [ONE, later]
    assert world.transcriptions.of_call(later.call_sid) == [later]
    assert world.transcriptions.of_call(transcription(3).call_sid) == []


def test_one_that_is_over_is_listed_no_more(world: ListeningWorld) -> None:
    world.transcriptions.open(ONE)

    assert world.transcriptions.end(*over()) is True
    assert world.transcriptions.end(*over()) is False

    assert world.transcriptions.active() == []
    assert world.transcriptions.of_call(ONE.call_sid) == []
    now = kept(world)
    assert (now.ended_at, now.end) == (NOW, "call_ended")
    assert [one["detail_type"] for one in world.announced()] == ["TRANSCRIPTION_ENDED"]


def test_what_was_never_opened_is_not_found(world: ListeningWorld) -> None:
    world.transcriptions.add(came(1, "Hello"))

    assert world.transcriptions.find(ONE.call_sid, ONE.transcription_sid) is None


def test_none_ends_that_was_never_there(world: ListeningWorld) -> None:
    assert world.transcriptions.end(*over()) is False
    assert world.announced() == []


# ------------------------------------------------------------------------------------------------------- dealing with


def test_words_move_the_cursor_and_go_into_history_and_outbox_at_once(world: ListeningWorld) -> None:
    keep(world, came(1, "Hello"))

    assert settle(world, came(1, "Hello")) is True

    now = kept(world)
    assert (now.cursor, now.turns, now.last_at) == (1, 1, "2026-11-22T08:00:01.500Z")
    assert numbers(world) == []
    assert world.said() == [("inbound", "person", "Hello")]
    (event,) = world.announced()
    assert (event["detail_type"], event["text"], event["turn"]) == ("SPEECH_TRANSCRIBED", "Hello", 1)


def test_a_report_is_dealt_with_once_though_it_comes_again(world: ListeningWorld) -> None:
    keep(world, came(1, "Hello"))
    settle(world, came(1, "Hello"))

    keep(world, came(1, "Hello"))

    assert numbers(world) == []
    assert settle(world, came(1, "Hello")) is False
    assert len(world.announced()) == 1


def test_one_that_was_never_kept_is_not_dealt_with(world: ListeningWorld) -> None:
    keep(world, came(1, "Hello"))

    assert settle(world, came(2, "there")) is False
    assert world.announced() == []


def test_who_looks_at_an_old_state_changes_nothing(world: ListeningWorld) -> None:
    keep(world, came(1, "Hello"), came(2, "there"))
    old = kept(world)
    settle(world, came(1, "Hello"))
    world.announced()

    assert settle(world, came(2, "there"), before=old) is False

    assert numbers(world) == [2]
    assert world.announced() == []
    assert world.said() == [("inbound", "person", "Hello")]


def test_one_that_came_too_late_counts_and_leaves_the_cursor(world: ListeningWorld) -> None:
    keep(world, came(5, "five"), came(2, "two"))
    settle(world, came(5, "five"))
    settle(world, came(2, "two"))

    now = kept(world)
    assert (now.cursor, now.turns, now.last_at) == (5, 2, "2026-11-22T08:00:05.500Z")


def test_the_end_that_is_reported_closes_it_once(world: ListeningWorld) -> None:
    stop = came(1, event="transcription-stopped", track=None)
    keep(world, stop)
    before = kept(world)

    assert settle(world, stop) is True
    assert world.transcriptions.end(*over()) is False
    assert settle(world, stop, before=before) is False

    now = kept(world)
    assert (now.end, now.cursor, world.transcriptions.active()) == ("stopped", 1, [])
    assert [one["reason"] for one in world.announced()] == ["stopped"]


def test_an_end_that_is_reported_behind_reconciliation_is_none(world: ListeningWorld) -> None:
    stop = came(1, event="transcription-stopped", track=None)
    keep(world, stop)
    before = kept(world)
    world.transcriptions.end(*over())
    world.announced()

    assert settle(world, stop, before=before) is False
    assert settle(world, stop) is True
    assert world.announced() == []


# -------------------------------------------------------------------------------------------------------------- DynamoDB


@pytest.mark.parametrize("days", [0, 30])
def test_words_are_kept_beside_the_call_until_they_are_in_the_history(
    dynamodb: DynamoDBClient, new_table: Callable[[str], str], days: int
) -> None:
    tables: dict[str, str] = {}

    def make(name: str) -> str:
        tables[name] = new_table(name)
        return tables[name]

    world = real_listening_world(dynamodb, make, retention_days=days)
    keep(world, came(1, "My number is 4711", confidence=0.5))
    settle(world, came(1, "My number is 4711"))

    items = dynamodb.scan(TableName=tables["CallsTable"])["Items"]
    assert len(items) == 2
    assert "4711" not in str(items)
    assert all(("ttl" in item) is bool(days) for item in items)


def test_a_page_of_reports_is_not_all_of_them(dynamodb: DynamoDBClient, new_table: Callable[[str], str]) -> None:
    world = real_listening_world(dynamodb, new_table)
    keep(world, *(came(number, "words " * 4000) for number in range(1, 61)))  # over a megabyte, DynamoDB's page

    assert numbers(world) == list(range(1, 61))
