"""How streams, utterances and frames are written down: other code and the template read and write the same items."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.fakes_streams import real_stream_world, stream, utterance
from tests.unit.test_streams_contract import FIRST, call, end, listed, open_, opened
from tests.unit.test_utterances_contract import begun, close, spoken
from twilio_plugin.adapters.calls import CallsTable
from twilio_plugin.adapters.dynamodb import DynamoDB
from twilio_plugin.adapters.media_frames import MediaFrames
from twilio_plugin.domain.media_stream import END_OF_STREAM, Frame
from twilio_plugin.domain.stream import Stream
from twilio_plugin.domain.timestamp import iso
from twilio_plugin.services.ports import Superseded

if TYPE_CHECKING:
    from botocore.model import OperationModel
    from mypy_boto3_dynamodb import DynamoDBClient

    NewTable = Callable[[str], str]


@pytest.fixture
def asked(dynamodb: DynamoDBClient) -> Iterator[list[str]]:
    """The names of the operations that DynamoDB was asked for."""
    names: list[str] = []

    def note(model: OperationModel, **_more: Any) -> None:
        names.append(model.name)

    dynamodb.meta.events.register("before-call.dynamodb", note)
    yield names
    dynamodb.meta.events.unregister("before-call.dynamodb", note)


def items(dynamodb: DynamoDBClient, prefix: str) -> list[dict[str, Any]]:
    """Every item of the one table whose name begins so, as DynamoDB has it, by sort key."""
    (table,) = (name for name in dynamodb.list_tables()["TableNames"] if name.startswith(prefix))
    found: list[dict[str, Any]] = [dict(item) for item in dynamodb.scan(TableName=table)["Items"]]
    return sorted(found, key=lambda item: str(item.get("sk") or item.get("sequence_number")))


@pytest.mark.parametrize("days", [30, 0])
def test_all_of_a_stream_is_kept_as_long_as_the_stack_keeps_things_and_its_connection_for_a_day(
    dynamodb: DynamoDBClient, new_table: NewTable, days: int
) -> None:
    world = real_stream_world(dynamodb, new_table, retention_days=days)
    world.utterances.begin(opened(world), utterance(FIRST))

    def after(moment: str, days: int) -> dict[str, str]:
        return {"N": str(int((datetime.fromisoformat(moment) + timedelta(days=days)).timestamp()))}

    kept: dict[str, Any] = {item["sk"]["S"]: item.get("ttl") for item in items(dynamodb, "CallsTable")}
    assert kept.pop("CALL") is not None if days else kept.pop("CALL") is None
    assert kept == {
        "CONNECTION": after(FIRST.started_at, 1),
        "STREAM#000": after(FIRST.started_at, days) if days else None,
        "UTTERANCE#01": after(utterance(FIRST).started_at, days) if days else None,
    }


def test_streams_and_calls_share_the_index_and_no_list(dynamodb: DynamoDBClient, new_table: NewTable) -> None:
    world = real_stream_world(dynamodb, new_table)
    opened(world)
    assert isinstance(world.calls, CallsTable)

    assert [one.call_sid for one in world.calls.active()] == [FIRST.call_sid]
    assert [one.call_sid for one in world.calls.unended(before=world.clock())] == [FIRST.call_sid]
    active = {item["sk"]["S"]: item.get("active") for item in items(dynamodb, "CallsTable")}
    assert active == {"CALL": {"S": "call"}, "CONNECTION": None, "STREAM#000": {"S": "stream"}}


def test_the_list_of_streams_is_bounded(dynamodb: DynamoDBClient, new_table: NewTable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("twilio_plugin.adapters.streams._LISTED", 2)
    world = real_stream_world(dynamodb, new_table)
    for number in (1, 2, 3, 4):
        call(world, number)
        open_(world, stream(number, started_at=f"2026-11-22T08:00:0{number}.000Z"))
    end(world, stream(1))

    assert listed(world) == [stream(2).stream_sid, stream(3).stream_sid]


def test_a_frame_is_written_exactly_as_the_route_writes_it(dynamodb: DynamoDBClient, new_table: NewTable) -> None:
    frames = MediaFrames(DynamoDB(dynamodb), new_table("MediaFramesTable"))

    frames.put("L0SM9cOFvHcCIhw=", Frame(3, 1, 20, "inbound", b"\xff\x7f"), stream_sid="MZ1", expires_at=1_795_000_000)

    assert items(dynamodb, "MediaFramesTable") == [
        {
            "connection_id": {"S": "L0SM9cOFvHcCIhw="},
            "sequence_number": {"N": "3"},
            "stream_sid": {"S": "MZ1"},
            "chunk": {"N": "1"},
            "timestamp": {"N": "20"},
            "track": {"S": "inbound"},
            "payload": {"B": b"\xff\x7f"},
            "ttl": {"N": "1795000000"},
        }
    ]


@pytest.mark.parametrize("last", [None, 5])
def test_the_end_is_a_mark_of_its_own(dynamodb: DynamoDBClient, new_table: NewTable, last: int | None) -> None:
    frames = MediaFrames(DynamoDB(dynamodb), new_table("MediaFramesTable"))

    frames.put_end("L0SM9cOFvHcCIhw=", "closed", last=last, expires_at=1_795_000_000)
    frames.put_end("L0SM9cOFvHcCIhw=", "stopped", last=None, expires_at=1_796_000_000)

    assert items(dynamodb, "MediaFramesTable") == [
        {
            "connection_id": {"S": "L0SM9cOFvHcCIhw="},
            "sequence_number": {"N": str(END_OF_STREAM)},
            "end": {"S": "closed"},
            "ttl": {"N": "1795000000"},
            **({"last": {"N": "5"}} if last else {}),
        }
    ]


def test_a_page_that_is_cut_by_its_size_ends_nothing(dynamodb: DynamoDBClient, new_table: NewTable) -> None:
    """DynamoDB reads at most a megabyte at once, whatever the limit."""
    frames = MediaFrames(DynamoDB(dynamodb), new_table("MediaFramesTable"))
    for number in range(1, 5):
        frames.put("line", Frame(number, number, 0, "inbound", bytes(390_000)), stream_sid="MZ1", expires_at=1)
    frames.put_end("line", "closed", last=None, expires_at=1)

    cut = frames.after("line", 0, limit=100)
    rest = frames.after("line", cut.frames[-1].sequence_number, limit=100)

    assert 1 <= len(cut.frames) < 4
    assert cut.end is None
    assert [one.sequence_number for one in cut.frames + rest.frames] == [1, 2, 3, 4]
    assert rest.end == "closed"


def test_a_session_that_is_replaced_while_it_begins_does_not_act_for_its_successor(
    dynamodb: DynamoDBClient, new_table: NewTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = real_stream_world(dynamodb, new_table)
    world.streams.appoint(opened(world), "session 1", restart=False)
    first, read = world.streams.read(FIRST), world.streams.read

    def meanwhile(one: Stream) -> Stream:
        world.streams.appoint(first, "session 2", restart=True)
        return read(one)

    monkeypatch.setattr(world.streams, "read", meanwhile)
    with pytest.raises(Superseded):
        world.streams.take(FIRST, "session 1", iso(world.clock()))


def test_a_long_call_is_not_read_from_its_beginning_for_what_is_being_said(
    dynamodb: DynamoDBClient, new_table: NewTable, asked: list[str]
) -> None:
    world = real_stream_world(dynamodb, new_table)
    opened(world)
    for number in range(25):
        one = utterance(FIRST, f"{number:02d}")
        world.utterances.begin(FIRST, one)
        close(world, one, entry_too=False)

    assert world.utterances.open(FIRST.call_sid) == []

    assert asked.count("Query") == 1


def test_speech_is_not_looked_up_as_a_message(dynamodb: DynamoDBClient, new_table: NewTable, asked: list[str]) -> None:
    world = real_stream_world(dynamodb, new_table)
    close(world, begun(world, utterance(FIRST)))

    assert len(spoken(world)) == 1

    assert "Query" in asked
    assert "BatchGetItem" not in asked
