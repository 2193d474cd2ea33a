"""DynamoDB as the tables use it: plain values in and out, one error for every failure, conflicts retried."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import BotoCoreError, ClientError

from twilio_plugin.errors import StorageUnavailable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Item = dict[str, Any]
Key = Mapping[str, str]

_CONFLICT_TRIES = 6
_CONFLICT = "DynamoDB kept reporting a transaction conflict."
_NAME = re.compile(r"#(\w+)")
_serialize = TypeSerializer().serialize
_deserialize = TypeDeserializer().deserialize


class ConditionFailed(Exception):
    """A write's condition did not hold; nothing was written. `failed` are the positions of those writes."""

    def __init__(self, failed: Sequence[int], existing: Item | None = None) -> None:
        super().__init__(failed)
        self.failed = failed
        self.existing = existing


class DynamoDB:
    """A client whose every call either works, says which condition failed, or raises StorageUnavailable."""

    def __init__(self, client: DynamoDBClient) -> None:
        self._client = client

    def transact(self, writes: Sequence[Mapping[str, Any]]) -> None:
        """Commit all or nothing. Raises ConditionFailed.

        AWS cancels one of two transactions that touch an item at once (TransactionConflict); that one is tried again.
        """
        for attempt in range(_CONFLICT_TRIES):
            try:
                self._client.transact_write_items(TransactItems=list(writes))  # type: ignore[arg-type]
            except ClientError as error:
                codes = [reason.get("Code") for reason in error.response.get("CancellationReasons", ())]
                if failed := [at for at, code in enumerate(codes) if code == "ConditionalCheckFailed"]:
                    raise ConditionFailed(failed) from error
                if "TransactionConflict" not in codes:
                    raise _unavailable(error) from error
                _pause(attempt)
            except BotoCoreError as error:
                raise _unavailable(error) from error
            else:
                return
        raise StorageUnavailable(_CONFLICT)

    def write(self, write: Mapping[str, Any]) -> None:
        """Commit one put, update or delete, written as for `transact`. Raises ConditionFailed with the existing item.

        AWS refuses it while a transaction is at the item (TransactionConflictException); it is tried again. The SDK repeats a
        write whose answer was lost, without the token that a transaction has: a condition may then find the write's own work.
        """
        ((operation, arguments),) = write.items()
        method = {"Put": "put_item", "Update": "update_item", "Delete": "delete_item"}[operation]
        for attempt in range(_CONFLICT_TRIES):
            try:
                getattr(self._client, method)(**arguments, ReturnValuesOnConditionCheckFailure="ALL_OLD")
            except ClientError as error:
                code = error.response["Error"]["Code"]
                if code == "ConditionalCheckFailedException":
                    existing: Any = error.response.get("Item")
                    raise ConditionFailed([0], plain(existing) if existing else None) from error
                if code != "TransactionConflictException":
                    raise _unavailable(error) from error
                _pause(attempt)
            except BotoCoreError as error:
                raise _unavailable(error) from error
            else:
                return
        raise StorageUnavailable(_CONFLICT)

    def get(self, table: str, key: Key) -> Item | None:
        """One item, strongly consistent."""
        found = self._call("get_item", TableName=table, Key=typed(key), ConsistentRead=True).get("Item")
        return plain(found) if found else None

    def get_many(self, table: str, keys: Sequence[Key], *, attributes: Sequence[str]) -> list[Item]:
        """At most 100 items in any order, eventually consistent; those that are not there are left out."""
        names = {f"#{index}": name for index, name in enumerate(attributes)}
        request: Any = {
            table: {
                "Keys": [typed(key) for key in keys],
                "ProjectionExpression": ", ".join(names),
                "ExpressionAttributeNames": names,
            }
        }
        items: list[Item] = []
        while request:
            answer = self._call("batch_get_item", RequestItems=request)
            items += [plain(item) for item in answer["Responses"].get(table, ())]
            request = answer.get("UnprocessedKeys")
        return items

    def query(self, **arguments: Any) -> list[Item]:
        """One page, as `Limit` cuts it."""
        return [plain(item) for item in self._call("query", **arguments)["Items"]]

    def pages(self, operation: str, **arguments: Any) -> Iterator[Item]:
        """Every item of a query or a scan, page after page."""
        start: dict[str, Any] = {}
        while True:
            answer = self._call(operation, **arguments, **start)
            yield from map(plain, answer["Items"])
            if not answer.get("LastEvaluatedKey"):
                return
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    def scan_page(self, table: str, after: Key | None) -> tuple[list[Item], dict[str, str] | None]:
        """One page of a whole table behind a key, strongly consistent; and the key that the next page is behind."""
        start = {"ExclusiveStartKey": typed(after)} if after else {}
        answer = self._call("scan", TableName=table, ConsistentRead=True, **start)
        last = answer.get("LastEvaluatedKey")
        return [plain(item) for item in answer["Items"]], plain(last) if last else None

    def delete_many(self, table: str, keys: Sequence[Mapping[str, Any]]) -> None:
        """Delete in batches of 25, repeating what DynamoDB left unprocessed."""
        for at in range(0, len(keys), 25):
            request: Any = {table: [{"DeleteRequest": {"Key": typed(key)}} for key in keys[at : at + 25]]}
            while request:
                request = self._call("batch_write_item", RequestItems=request).get("UnprocessedItems")

    def _call(self, operation: str, **arguments: Any) -> Any:
        try:
            return getattr(self._client, operation)(**arguments)
        except (ClientError, BotoCoreError) as error:
            raise _unavailable(error) from error


def update(table: str, key: Key, expression: str, *, condition: str, values: Item | None = None) -> dict[str, Any]:
    """The write that updates an item. ``#name`` in the expression or the condition is the attribute of that name."""
    names = {f"#{name}": name for name in _NAME.findall(f"{expression} {condition}")}
    return {
        "Update": {
            "TableName": table,
            "Key": typed(key),
            "UpdateExpression": expression,
            "ConditionExpression": condition,
            "ExpressionAttributeNames": names,
            **({"ExpressionAttributeValues": typed({f":{name}": value for name, value in values.items()})} if values else {}),
        }
    }


def sets(names: Iterable[str]) -> str:
    """``SET``, each attribute to the value of its name."""
    return "SET " + ", ".join(f"#{name} = :{name}" for name in names)


def typed(item: Mapping[str, Any]) -> dict[str, Any]:
    """Plain values to DynamoDB's; None is left out."""
    return {name: _serialize(value) for name, value in item.items() if value is not None}


def plain(item: Mapping[str, Any]) -> Item:
    """DynamoDB's values to plain ones; whole numbers to int."""
    return {name: _whole(_deserialize(value)) for name, value in item.items()}


def _pause(attempt: int) -> None:
    time.sleep(random.uniform(0, 0.02 * 2**attempt))  # noqa: S311  jitter


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, Decimal) else value


def _unavailable(error: ClientError | BotoCoreError) -> StorageUnavailable:
    code = error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__
    return StorageUnavailable(f"DynamoDB: {code}. Look at the table's metrics and the function's permissions.")
