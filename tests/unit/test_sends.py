"""What only the table does; the rest is in `test_sends_contract`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tests.unit.test_adapters import ENTRY, EVENT, PART, RECEIPT
from tests.unit.test_conversations import Tables

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def test_only_what_has_no_outcome_is_in_the_index_of_unsettled_sends(
    dynamodb: DynamoDBClient, new_table: Callable[[str], str]
) -> None:
    tables = Tables(dynamodb, new_table, 30)
    tables.sends.claim(PART)
    assert "unsettled" in tables.items()["send|key PART#0001"]

    tables.sends.record_sent(PART, RECEIPT, ENTRY, EVENT)

    assert "unsettled" not in tables.items()["send|key PART#0001"]


def test_a_claim_that_boto3_repeats_because_its_answer_was_lost_is_still_ours(
    dynamodb: DynamoDBClient, new_table: Callable[[str], str]
) -> None:
    class TwiceTold:
        """What boto3's own retry does: the first put was taken, its answer never came."""

        def __getattr__(self, name: str) -> Any:
            def put(**arguments: Any) -> Any:
                dynamodb.put_item(**arguments)
                return dynamodb.put_item(**arguments)

            return put if name == "put_item" else getattr(dynamodb, name)

    client: Any = TwiceTold()

    assert Tables(client, new_table, 30).sends.claim(PART) is None
