"""What every `Counters` does: the fake, and the table as it is deployed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.fakes import ACCOUNT, END_OF_TIME, FakeOutbox
from tests.unit.fakes_calls import OURS, PAIR, THEIRS
from tests.unit.fakes_guards import FakeCounters
from twilio_plugin.adapters.counters import CountersTable
from twilio_plugin.adapters.dynamodb import DynamoDB
from twilio_plugin.adapters.outbox import OutboxTable
from twilio_plugin.domain.events import GuardRefused
from twilio_plugin.domain.guards import Draw
from twilio_plugin.services import ports

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TO_ADA = Draw(ceiling="texts_per_recipient_per_day", whose=THEIRS, period="2026-11-22", units=1, limit=3)
SEGMENTS = Draw(ceiling="segments_per_day", whose="", period="2026-11-22", units=4, limit=10)
HOUR = Draw(ceiling="call_minutes_per_day", whose="", period="2026-11-22", units=60, limit=100)
REFUSED = GuardRefused(
    event_id="GUARD_REFUSED#1",
    occurred_at="2026-11-22T08:13:41.123Z",
    account_sid=ACCOUNT,
    conversation_id=PAIR,
    guard="texts_per_recipient_per_day",
    direction="outbound",
    kind="text",
    channel="phone",
    from_=OURS,
    to=THEIRS,
)


@dataclass
class Kept:
    counters: ports.Counters
    outbox: ports.Outbox
    items: Callable[[], list[Any]] | None = None

    def free(self, draw: Draw) -> int:
        """How many units can be taken one by one."""
        one = replace(draw, units=1)
        taken = 0
        while self.counters.take([one]) is None:
            taken += 1
        self.counters.give_back([one] * taken)
        return taken


@pytest.fixture(params=["fake", "dynamodb"])
def kept(request: pytest.FixtureRequest) -> Kept:
    if request.param == "fake":
        outbox = FakeOutbox()
        return Kept(FakeCounters(outbox), outbox)
    client: DynamoDBClient = request.getfixturevalue("dynamodb")
    new_table = request.getfixturevalue("new_table")
    database, table = DynamoDB(client), new_table("ConversationsTable")
    rows = OutboxTable(database, new_table("OutboxTable"))
    return Kept(CountersTable(database, table, rows), rows, lambda: list(client.scan(TableName=table)["Items"]))


def test_units_are_taken_up_to_the_limit_and_not_beyond(kept: Kept) -> None:
    assert [kept.counters.take([TO_ADA]) for _ in range(4)] == [None, None, None, TO_ADA]
    assert [kept.counters.take([SEGMENTS]) for _ in range(3)] == [None, None, SEGMENTS]
    assert kept.counters.take([replace(SEGMENTS, units=2)]) is None


def test_what_is_larger_than_the_limit_never_fits(kept: Kept) -> None:
    too_much = replace(SEGMENTS, units=11)

    assert kept.counters.take([too_much]) == too_much
    assert not kept.counters.hold("call|CA1", too_much)
    assert kept.free(SEGMENTS) == 10


def test_recipients_periods_and_ceilings_are_counted_apart(kept: Kept) -> None:
    kept.counters.take([replace(TO_ADA, units=3)])

    others = [
        replace(TO_ADA, whose="+14155550199"),
        replace(TO_ADA, period="2026-11-23"),
        replace(TO_ADA, ceiling="texts_per_day"),
    ]
    assert [kept.counters.take([one]) for one in others] == [None, None, None]
    assert kept.counters.take([TO_ADA]) == TO_ADA


def test_of_several_ceilings_all_are_taken_or_none(kept: Kept) -> None:
    assert kept.counters.take([TO_ADA, replace(SEGMENTS, units=8)]) is None

    assert kept.counters.take([TO_ADA, SEGMENTS]) == SEGMENTS
    assert kept.free(TO_ADA) == 2
    assert kept.free(SEGMENTS) == 2


def test_what_is_given_back_can_be_taken_again(kept: Kept) -> None:
    kept.counters.take([replace(TO_ADA, units=3)])
    kept.counters.give_back([TO_ADA])

    assert kept.free(TO_ADA) == 1


def test_a_limit_that_was_lowered_counts_at_once(kept: Kept) -> None:
    kept.counters.take([replace(TO_ADA, units=2)])
    lower = replace(TO_ADA, limit=2)

    assert kept.counters.take([lower]) == lower


def test_a_holder_takes_once(kept: Kept) -> None:
    assert kept.counters.hold("call|CA1", HOUR)
    assert kept.counters.hold("call|CA1", HOUR)
    assert kept.free(HOUR) == 40
    assert not kept.counters.hold("call|CA2", HOUR)
    assert kept.counters.hold("call|CA3", replace(HOUR, units=40))
    assert kept.counters.hold("call|CA1", HOUR), "who holds already is not refused when all is taken"


def test_a_holder_gives_back_what_was_not_used_and_once(kept: Kept) -> None:
    kept.counters.hold("call|CA1", HOUR)
    kept.counters.take([replace(HOUR, units=40)])  # others' minutes, which are not its to give back

    assert kept.counters.release("call|CA1", used=2)
    assert not kept.counters.release("call|CA1", used=30)
    assert kept.free(HOUR) == 58


def test_who_has_used_more_than_they_held_gives_nothing_back(kept: Kept) -> None:
    kept.counters.hold("call|CA1", HOUR)

    assert kept.counters.release("call|CA1", used=61)
    assert kept.free(HOUR) == 40


def test_who_holds_nothing_gives_nothing_back(kept: Kept) -> None:
    assert not kept.counters.release("call|CA1", used=0)
    assert kept.free(HOUR) == 100


def test_a_key_that_became_free_holds_anew(kept: Kept) -> None:
    kept.counters.hold("request|key 1", HOUR)
    kept.counters.release("request|key 1", used=0)

    assert kept.counters.hold("request|key 1", HOUR)
    assert kept.free(HOUR) == 40
    assert kept.counters.release("request|key 1", used=0)
    assert kept.free(HOUR) == 100


def test_a_refusal_is_announced_once_for_a_guard_a_conversation_and_a_period(kept: Kept) -> None:
    assert kept.counters.refuse(REFUSED, "2026-11-22")
    assert not kept.counters.refuse(replace(REFUSED, event_id="GUARD_REFUSED#2"), "2026-11-22")
    assert kept.counters.refuse(replace(REFUSED, event_id="GUARD_REFUSED#3"), "2026-11-23")
    assert kept.counters.refuse(replace(REFUSED, event_id="GUARD_REFUSED#4", guard="texts_per_day"), "2026-11-22")
    assert kept.counters.refuse(replace(REFUSED, event_id="GUARD_REFUSED#5", conversation_id="phone|+1|+2"), "2026-11-22")

    announced = [one.event_id for one in kept.outbox.leftovers(before=END_OF_TIME)]
    assert sorted(announced) == [f"GUARD_REFUSED#{number}" for number in (1, 3, 4, 5)]


def test_everything_is_forgotten_some_day(kept: Kept) -> None:
    kept.counters.take([TO_ADA])
    kept.counters.hold("call|CA1", HOUR)
    kept.counters.refuse(REFUSED, "2026-11-22")

    if kept.items:
        assert [item["sk"]["S"] for item in kept.items() if "ttl" not in item] == []
        assert len(kept.items()) == 4


def test_what_time_to_live_took_is_not_given_back(dynamodb: DynamoDBClient, new_table: Callable[[str], str]) -> None:
    """A negative count would be room that nobody granted."""
    database, table = DynamoDB(dynamodb), new_table("ConversationsTable")
    counters = CountersTable(database, table, OutboxTable(database, new_table("OutboxTable")))
    counters.hold("call|CA1", HOUR)
    for item in dynamodb.scan(TableName=table)["Items"]:
        if item["sk"]["S"].startswith("USED#"):
            key = {name: item[name] for name in ("conversation_id", "sk")}
            dynamodb.delete_item(TableName=table, Key=key)

    counters.give_back([TO_ADA])
    assert not counters.release("call|CA1", used=0)
    assert [item["sk"]["S"] for item in dynamodb.scan(TableName=table)["Items"]] == ["HELD"]


_counters: type[ports.Counters] = FakeCounters
