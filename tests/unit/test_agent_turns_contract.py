"""What every `AgentTurns` does: the fake, and the table as it is deployed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.fakes import ACCOUNT, END_OF_TIME, FakeOutbox
from tests.unit.fakes_bridge import FakeAgentTurns
from tests.unit.fakes_calls import OURS, PAIR, THEIRS
from twilio_plugin.adapters.agent_turns import AgentTurnsTable
from twilio_plugin.adapters.conversations import ConversationsTable
from twilio_plugin.adapters.dynamodb import DynamoDB
from twilio_plugin.adapters.outbox import OutboxTable
from twilio_plugin.domain.agent import AgentAnswer
from twilio_plugin.domain.events import AgentFailed
from twilio_plugin.domain.inbound_turn import SettledTurn
from twilio_plugin.services import ports

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

NOW, HOUR = "2026-11-22T08:13:41.123Z", "texts#2026-11-22T08"
ANSWERED = SettledTurn(
    event_id="SMS_RECEIVED#SM2",
    texts=("SM1", "SM2"),
    up_to="2026-11-22T08:13:40.000Z#SM2",
    earlier=("SM0",),
    answer=AgentAnswer(reply="Yes 👋", media_url=["https://example.com/a.png"], end_call=True, transfer_to="+14155550199"),
)
GIVEN_UP = SettledTurn(event_id="SMS_RECEIVED#SM3", texts=("SM3",), up_to="2026-11-22T08:13:41.000Z#SM3")


@dataclass
class Kept:
    turns: ports.AgentTurns
    outbox: ports.Outbox
    items: Callable[[], list[Any]] | None = None

    def admit(self, number: int, period: str = HOUR, conversation_id: str = PAIR) -> bool:
        return self.turns.admit(conversation_id, period, f"SMS_RECEIVED#SM{number}", ceiling=2, now=NOW)

    def announced(self) -> list[str]:
        return [one.event_id for one in self.outbox.leftovers(before=END_OF_TIME)]


@pytest.fixture(params=["fake", "dynamodb"])
def kept(request: pytest.FixtureRequest) -> Kept:
    if request.param == "fake":
        outbox = FakeOutbox()
        return Kept(FakeAgentTurns(outbox), outbox)
    client: DynamoDBClient = request.getfixturevalue("dynamodb")
    new_table = request.getfixturevalue("new_table")
    database, table = DynamoDB(client), new_table("ConversationsTable")
    rows = OutboxTable(database, new_table("OutboxTable"))
    conversations = ConversationsTable(database, table, rows, retention_days=1)
    turns = AgentTurnsTable(database, table, rows, conversations)
    return Kept(turns, rows, lambda: list(client.scan(TableName=table)["Items"]))


def refusal(number: int = 1) -> AgentFailed:
    return AgentFailed(
        event_id=f"AGENT_FAILED#{number}",
        occurred_at=NOW,
        account_sid=ACCOUNT,
        conversation_id=PAIR,
        channel="phone",
        from_=THEIRS,
        to=OURS,
        in_reply_to=f"SMS_RECEIVED#SM{number}",
        reason="too_many_turns",
        attempts=1,
    )


def test_the_last_turn_is_read_back_as_it_was_settled(kept: Kept) -> None:
    assert kept.turns.last(PAIR) is None

    assert kept.turns.settle(PAIR, ANSWERED, after=None)
    assert kept.turns.last(PAIR) == ANSWERED
    assert kept.turns.settle(PAIR, GIVEN_UP, after=ANSWERED)
    assert kept.turns.last(PAIR) == GIVEN_UP
    assert kept.turns.last("phone|+1|+2") is None


def test_of_two_that_settle_after_the_same_turn_the_first_counts(kept: Kept) -> None:
    assert kept.turns.settle(PAIR, ANSWERED, after=None)

    assert not kept.turns.settle(PAIR, GIVEN_UP, after=None)
    assert not kept.turns.settle(PAIR, GIVEN_UP, after=GIVEN_UP)
    assert kept.turns.last(PAIR) == ANSWERED


def test_a_turn_that_was_given_up_can_be_settled_again(kept: Kept) -> None:
    kept.turns.settle(PAIR, GIVEN_UP, after=None)
    answered = dataclasses.replace(GIVEN_UP, answer=AgentAnswer(reply="Now"))

    assert kept.turns.settle(PAIR, answered, after=GIVEN_UP)
    assert kept.turns.last(PAIR) == answered


def test_a_spoken_turn_is_taken_once(kept: Kept) -> None:
    assert kept.turns.take("SPEECH_RECEIVED#MZ1#1", NOW)
    assert not kept.turns.take("SPEECH_RECEIVED#MZ1#1", NOW)
    assert kept.turns.take("SPEECH_RECEIVED#MZ1#2", NOW)


def test_turns_are_admitted_up_to_the_ceiling_of_their_period_and_conversation(kept: Kept) -> None:
    assert [kept.admit(number) for number in (1, 2, 3, 4)] == [True, True, False, False]
    assert kept.admit(5, period="texts#2026-11-22T09")
    assert kept.admit(6, period="speech#2026-11-22T08")
    assert kept.admit(7, conversation_id="phone|+1|+2")


def test_a_turn_that_is_tried_again_counts_once(kept: Kept) -> None:
    assert [kept.admit(number) for number in (1, 1, 1, 2, 2, 3, 2)] == [True, True, True, True, True, False, True]


def test_that_it_is_enough_is_announced_once_in_a_period(kept: Kept) -> None:
    assert kept.turns.refuse(PAIR, HOUR, refusal())
    assert not kept.turns.refuse(PAIR, HOUR, refusal(2))
    assert kept.announced() == ["AGENT_FAILED#1"]
    assert kept.turns.refuse(PAIR, "texts#2026-11-22T09", refusal(3))


def test_everything_is_forgotten_some_day(kept: Kept) -> None:
    kept.turns.settle(PAIR, ANSWERED, after=None)
    kept.turns.take("SPEECH_RECEIVED#MZ1#1", NOW)
    kept.admit(1)
    kept.turns.refuse(PAIR, "texts#2026-11-22T09", refusal())

    if kept.items:
        assert [item["sk"]["S"] for item in kept.items() if "ttl" not in item] == []
        assert len(kept.items()) == 4


def test_a_write_whose_answer_was_lost_is_known_as_our_own(
    dynamodb: DynamoDBClient, new_table: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The SDK repeats it, and finds what it wrote itself."""
    database, table = DynamoDB(dynamodb), new_table("ConversationsTable")
    outbox = OutboxTable(database, new_table("OutboxTable"))
    turns = AgentTurnsTable(database, table, outbox, ConversationsTable(database, table, outbox, retention_days=1))
    write = database.write

    def twice(one: Any) -> None:
        write(one)
        write(one)

    monkeypatch.setattr(database, "write", twice)

    assert turns.take("SPEECH_RECEIVED#MZ1#1", NOW)
    assert turns.settle(PAIR, ANSWERED, after=None)
    assert turns.admit(PAIR, HOUR, "SMS_RECEIVED#SM1", ceiling=1, now=NOW)
