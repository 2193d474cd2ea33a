"""Counts a function's DynamoDB requests, and the units that DynamoDB would charge for them.

The local engine's own ConsumedCapacity is right for writes but counts every read as one item's, whatever it read, so the units
are computed here from the items themselves: what was there before a request and what is there after it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.bench.capacity import Item, index_write_units, read_units, write_units

if TYPE_CHECKING:
    from boto3.session import Session
    from mypy_boto3_dynamodb import DynamoDBClient

_WRITES = {"PutItem": "Put", "UpdateItem": "Update", "DeleteItem": "Delete"}


@dataclass(slots=True)
class Usage:
    """HTTP requests by operation, and request units."""

    requests: Counter[str] = field(default_factory=Counter)
    writes: float = 0.0
    reads: float = 0.0


@dataclass(frozen=True, slots=True)
class Write:
    """One put, update or delete, with the item as it was."""

    table: str
    key: Item
    before: Item | None
    wanted: Item | None
    """What a put would leave."""


class Meter:
    """Attach it to a session before clients are made of it. For one request at a time."""

    def __init__(self, database: DynamoDBClient) -> None:
        """`database` is a client of another session: what it reads is not counted."""
        self._database = database
        self._tables: dict[str, Mapping[str, Any]] = {}
        self._usage = Usage()
        self._pending: list[Write] = []

    def attach(self, session: Session) -> None:
        """Count what this session's clients do from now on."""
        session.events.register("provide-client-params.dynamodb", self._before)
        session.events.register("before-send.dynamodb", self._send)
        session.events.register("after-call.dynamodb", self._after)

    @contextmanager
    def counting(self) -> Iterator[Usage]:
        """What happens within, but for what is counted within that."""
        outer, self._usage = self._usage, Usage()
        try:
            yield self._usage
        finally:
            self._usage = outer

    def _before(self, params: Mapping[str, Any], model: Any, **_: Any) -> None:
        name = model.name
        self._pending = list(self._written(name, params))
        if name == "GetItem":
            found = [item for item in [self._get(params["TableName"], params["Key"])] if item]
            self._usage.reads += read_units(found, consistent=params.get("ConsistentRead", False))
        elif name == "BatchGetItem":
            for table, asked in params["RequestItems"].items():
                found_each = [self._get(table, key) for key in asked["Keys"]]
                consistent = asked.get("ConsistentRead", False)
                self._usage.reads += sum(read_units([one] if one else [], consistent=consistent) for one in found_each)
        elif name in ("Query", "Scan"):
            # A filter or a projection comes after the reading: what is charged is what they see.
            whole = {key: value for key, value in params.items() if key not in ("FilterExpression", "ProjectionExpression")}
            if "FilterExpression" in params:
                whole.pop("ExpressionAttributeValues", None)
                # DynamoDB refuses values that nothing uses any more.
                asked = set(re.findall(r":\w+", params.get("KeyConditionExpression", "")))
                if used := {name: value for name, value in params["ExpressionAttributeValues"].items() if name in asked}:
                    whole["ExpressionAttributeValues"] = used
            page = self._database.query(**whole) if name == "Query" else self._database.scan(**whole)
            self._usage.reads += read_units(page["Items"], consistent=params.get("ConsistentRead", False))

    def _send(self, event_name: str, **_: Any) -> None:
        self._usage.requests[event_name.rpartition(".")[2]] += 1

    def _after(self, model: Any, http_response: Any, **_: Any) -> None:
        failed = http_response.status_code >= 300
        # A transaction prepares and commits every item. What it costs when it is cancelled is nowhere said: counted in full.
        times = 2 if model.name == "TransactWriteItems" else 1
        for write in self._pending:
            after = write.before if failed else self._get(write.table, write.key)
            largest = write.wanted if failed and times == 2 and write.wanted else after
            self._usage.writes += times * write_units(write.before, largest)
            self._usage.writes += sum(index_write_units(keys, write.before, after) for keys in self._indexes(write.table))

    def _written(self, operation: str, params: Mapping[str, Any]) -> Iterator[Write]:
        if operation == "TransactWriteItems":
            for request in params["TransactItems"]:
                ((kind, arguments),) = request.items()
                yield self._write(kind, arguments["TableName"], arguments)
        elif operation == "BatchWriteItem":
            for table, requests in params["RequestItems"].items():
                for request in requests:
                    ((kind, arguments),) = request.items()
                    yield self._write(kind.removesuffix("Request"), table, arguments)
        elif operation in _WRITES:
            yield self._write(_WRITES[operation], params["TableName"], params)

    def _write(self, kind: str, table: str, arguments: Mapping[str, Any]) -> Write:
        wanted = arguments["Item"] if kind == "Put" else None
        names = [one["AttributeName"] for one in self._describe(table)["KeySchema"]]
        key = {name: wanted[name] for name in names} if wanted else arguments["Key"]
        return Write(table, key, self._get(table, key), wanted)

    def _get(self, table: str, key: Item) -> Item | None:
        return self._database.get_item(TableName=table, Key=dict(key), ConsistentRead=True).get("Item")

    def _indexes(self, table: str) -> list[list[str]]:
        """The keys of each."""
        indexes = self._describe(table).get("GlobalSecondaryIndexes", ())
        return [[one["AttributeName"] for one in index["KeySchema"]] for index in indexes]

    def _describe(self, table: str) -> Mapping[str, Any]:
        if table not in self._tables:
            self._tables[table] = self._database.describe_table(TableName=table)["Table"]
        return self._tables[table]
