from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError, ReadTimeoutError
from botocore.stub import Stubber

from twilio_plugin.adapters.dynamodb import ConditionFailed, DynamoDB, plain, sets, typed, update
from twilio_plugin.errors import StorageUnavailable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PUT = {"Put": {"TableName": "t", "Item": {"event_id": {"S": "1"}}}}


@pytest.fixture(scope="module")
def _client() -> DynamoDBClient:
    return boto3.client("dynamodb")


@pytest.fixture
def stub(_client: DynamoDBClient) -> Iterator[Stubber]:
    with Stubber(_client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


@pytest.fixture
def database(_client: DynamoDBClient, stub: Stubber) -> DynamoDB:
    return DynamoDB(_client)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    slept: list[float] = []
    monkeypatch.setattr("twilio_plugin.adapters.dynamodb.time.sleep", slept.append)
    return slept


def cancelled(stub: Stubber, *codes: str) -> None:
    reasons = [{"Code": code} for code in codes]
    stub.add_client_error(
        "transact_write_items", "TransactionCanceledException", modeled_fields={"CancellationReasons": reasons}
    )


def test_a_conflict_of_transactions_is_tried_again_after_a_growing_pause(
    database: DynamoDB, stub: Stubber, pauses: list[float]
) -> None:
    for _ in range(5):
        cancelled(stub, "None", "TransactionConflict")
    stub.add_response("transact_write_items", {}, {"TransactItems": [PUT]})

    database.transact([PUT])

    assert len(pauses) == 5
    assert all(0 <= pause <= 0.02 * 2**attempt for attempt, pause in enumerate(pauses))
    assert sum(pauses) > 0


def test_a_plain_write_into_an_item_of_a_running_transaction_is_tried_again(
    database: DynamoDB, stub: Stubber, pauses: list[float]
) -> None:
    for _ in range(5):
        stub.add_client_error("put_item", "TransactionConflictException")
    stub.add_response("put_item", {}, {**PUT["Put"], "ReturnValuesOnConditionCheckFailure": "ALL_OLD"})

    database.write(PUT)

    assert len(pauses) == 5
    assert all(0 <= pause <= 0.02 * 2**attempt for attempt, pause in enumerate(pauses))


def test_a_plain_write_that_conflicts_without_end_is_reported(database: DynamoDB, stub: Stubber, pauses: list[float]) -> None:
    for _ in range(6):
        stub.add_client_error("put_item", "TransactionConflictException")

    with pytest.raises(StorageUnavailable, match="conflict"):
        database.write(PUT)


def test_an_update_names_every_attribute_it_speaks_of_and_leaves_out_values_it_has_not(database: DynamoDB) -> None:
    write = update("t", {"a": "b"}, f"{sets(['end'])} REMOVE #active", condition="#state = :old", values={"end": 1, "old": "x"})

    assert write["Update"]["UpdateExpression"] == "SET #end = :end REMOVE #active"
    assert write["Update"]["ExpressionAttributeNames"] == {"#end": "end", "#active": "active", "#state": "state"}
    assert write["Update"]["ExpressionAttributeValues"] == {":end": {"N": "1"}, ":old": {"S": "x"}}
    assert "ExpressionAttributeValues" not in update("t", {"a": "b"}, "REMOVE #a", condition="attribute_exists(#a)")["Update"]


def test_a_conflict_that_does_not_end_is_reported(database: DynamoDB, stub: Stubber, pauses: list[float]) -> None:
    for _ in range(6):
        cancelled(stub, "TransactionConflict", "None")

    with pytest.raises(StorageUnavailable, match="conflict"):
        database.transact([PUT])

    assert sum(pauses) < 1.5


@pytest.mark.parametrize(
    ("codes", "failed"),
    [
        (["ConditionalCheckFailed"], [0]),
        (["None", "ConditionalCheckFailed", "None", "ConditionalCheckFailed"], [1, 3]),
        (["TransactionConflict", "ConditionalCheckFailed"], [1]),
    ],
)
def test_a_condition_that_failed_is_named_by_its_position(
    database: DynamoDB, stub: Stubber, pauses: list[float], codes: list[str], failed: list[int]
) -> None:
    cancelled(stub, *codes)

    with pytest.raises(ConditionFailed) as conflict:
        database.transact([PUT])

    assert conflict.value.failed == failed
    assert isinstance(conflict.value.__cause__, ClientError)
    assert pauses == []


@pytest.mark.parametrize("codes", [["ThrottlingError"], ["ItemCollectionSizeLimitExceeded"], ["ValidationError"], ["None"]])
def test_a_transaction_cancelled_for_another_reason_is_not_repeated(
    database: DynamoDB, stub: Stubber, pauses: list[float], codes: list[str]
) -> None:
    cancelled(stub, *codes)

    with pytest.raises(StorageUnavailable) as refused:
        database.transact([PUT])

    assert isinstance(refused.value.__cause__, ClientError)
    assert pauses == []


@pytest.mark.parametrize(
    ("operation", "call"),
    [
        ("transact_write_items", lambda database: database.transact([PUT])),
        ("put_item", lambda database: database.write(PUT)),
        ("get_item", lambda database: database.get("t", {"event_id": "1"})),
        ("batch_get_item", lambda database: database.get_many("t", [{"event_id": "1"}], attributes=("a",))),
        ("query", lambda database: database.query(TableName="t", KeyConditionExpression="a = b")),
        ("scan", lambda database: list(database.pages("scan", TableName="t"))),
        ("batch_write_item", lambda database: database.delete_many("t", [{"event_id": "1"}])),
    ],
)
@pytest.mark.parametrize("code", ["AccessDeniedException", "ResourceNotFoundException", "InternalServerError"])
def test_what_dynamodb_refuses_is_one_error_with_its_cause_and_its_code(
    database: DynamoDB, stub: Stubber, operation: str, call: Callable[[DynamoDB], Any], code: str
) -> None:
    stub.add_client_error(operation, code, "User arn:aws:… may not read +14155550100", http_status_code=400)

    with pytest.raises(StorageUnavailable, match=code) as refused:
        call(database)

    assert isinstance(refused.value.__cause__, ClientError)
    assert "+14155550100" not in str(refused.value)
    assert refused.value.retryable


@pytest.mark.parametrize(
    "error",
    [
        EndpointConnectionError(endpoint_url="https://dynamodb"),
        ReadTimeoutError(endpoint_url="https://dynamodb"),
        BotoCoreError(),
    ],
)
@pytest.mark.parametrize(
    "call",
    [
        lambda database: database.transact([PUT]),
        lambda database: database.write(PUT),
        lambda database: database.get("t", {"event_id": "1"}),
    ],
    ids=["transact", "write", "get"],
)
def test_a_dynamodb_out_of_reach_is_the_same_error(call: Callable[[DynamoDB], Any], error: BotoCoreError) -> None:
    class OutOfReach:
        def __getattr__(self, _name: str) -> Callable[..., Any]:
            def fail(**_arguments: Any) -> Any:
                raise error

            return fail

    unreachable: Any = OutOfReach()
    with pytest.raises(StorageUnavailable, match=type(error).__name__) as refused:
        call(DynamoDB(unreachable))

    assert refused.value.__cause__ is error


def test_a_single_write_whose_condition_failed_tells_what_was_there(database: DynamoDB, stub: Stubber) -> None:
    existing = {"event_id": {"S": "1"}, "part": {"N": "2"}}
    stub.add_client_error("update_item", "ConditionalCheckFailedException", modeled_fields={"Item": existing})

    with pytest.raises(ConditionFailed) as conflict:
        database.write({"Update": {"TableName": "t", "Key": {"event_id": {"S": "1"}}}})

    assert conflict.value.failed == [0]
    assert conflict.value.existing == {"event_id": "1", "part": 2}


def test_a_single_write_whose_condition_failed_on_nothing_tells_nothing(database: DynamoDB, stub: Stubber) -> None:
    stub.add_client_error("delete_item", "ConditionalCheckFailedException")

    with pytest.raises(ConditionFailed) as conflict:
        database.write({"Delete": {"TableName": "t", "Key": {"event_id": {"S": "1"}}}})

    assert conflict.value.existing is None


def test_what_a_batch_read_leaves_unread_is_asked_for_again(database: DynamoDB, stub: Stubber) -> None:
    def keys(*ids: str) -> list[Any]:
        return [{"event_id": {"S": one}} for one in ids]

    names = {"ProjectionExpression": "#0", "ExpressionAttributeNames": {"#0": "status"}}
    stub.add_response(
        "batch_get_item",
        {"Responses": {"t": [{"status": {"S": "a"}}]}, "UnprocessedKeys": {"t": {"Keys": keys("2"), **names}}},
        {"RequestItems": {"t": {"Keys": keys("1", "2"), **names}}},
    )
    stub.add_response(
        "batch_get_item",
        {"Responses": {"t": [{"status": {"S": "b"}}]}, "UnprocessedKeys": {}},
        {"RequestItems": {"t": {"Keys": keys("2"), **names}}},
    )

    found = database.get_many("t", [{"event_id": "1"}, {"event_id": "2"}], attributes=("status",))

    assert found == [{"status": "a"}, {"status": "b"}]


def test_deletes_go_in_batches_and_what_is_left_is_repeated(database: DynamoDB, stub: Stubber) -> None:
    def deletes(*numbers: int) -> dict[str, Any]:
        return {"t": [{"DeleteRequest": {"Key": {"event_id": {"S": str(number)}}}} for number in numbers]}

    stub.add_response("batch_write_item", {"UnprocessedItems": deletes(3)}, {"RequestItems": deletes(*range(25))})
    stub.add_response("batch_write_item", {"UnprocessedItems": {}}, {"RequestItems": deletes(3)})
    stub.add_response("batch_write_item", {}, {"RequestItems": deletes(25, 26)})

    database.delete_many("t", [{"event_id": str(number)} for number in range(27)])


def test_nothing_to_delete_is_no_request(database: DynamoDB, stub: Stubber) -> None:
    database.delete_many("t", [])


def test_every_page_of_a_scan_is_read(database: DynamoDB, stub: Stubber) -> None:
    last = {"event_id": {"S": "1"}}
    stub.add_response("scan", {"Items": [{"n": {"N": "1"}}], "LastEvaluatedKey": last}, {"TableName": "t"})
    stub.add_response("scan", {"Items": [], "LastEvaluatedKey": last}, {"TableName": "t", "ExclusiveStartKey": last})
    stub.add_response("scan", {"Items": [{"n": {"N": "2"}}]}, {"TableName": "t", "ExclusiveStartKey": last})

    assert list(database.pages("scan", TableName="t")) == [{"n": 1}, {"n": 2}]


def test_plain_values_come_back_as_they_went_but_for_none() -> None:
    item = {"text": "Hello 👋", "blank": "", "number": 7, "yes": True, "list": ["a"], "media": [{"url": "u"}], "none": None}

    assert plain(typed(item)) == {name: value for name, value in item.items() if value is not None}
    assert type(plain(typed({"number": 7}))["number"]) is int
