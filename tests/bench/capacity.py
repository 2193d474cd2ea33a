"""What DynamoDB charges for: item sizes and request units, by its published rules.

Sources: DynamoDB Developer Guide, "DynamoDB item sizes and formats", "DynamoDB read and write operations", "Capacity management
for transactions" and "Using global secondary indexes: write capacity". On-demand prices are us-east-1's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from math import ceil
from typing import Any

Item = Mapping[str, Any]
"""As DynamoDB writes it: every value under its type."""

WRITE_UNIT, READ_UNIT = 1024, 4096  # bytes
USD_PER_MILLION_WRITES, USD_PER_MILLION_READS = 0.625, 0.125
# The price pages of API Gateway (WebSocket, the first billion), AWS Lambda (arm64) and Amazon EventBridge (custom events).
USD_PER_MILLION_MESSAGES, USD_PER_MILLION_CONNECTION_MINUTES = 1.00, 0.25
USD_PER_MILLION_INVOCATIONS, USD_PER_MILLION_GB_SECONDS = 0.20, 13.3334
USD_PER_MILLION_EVENTS = 1.00
_CONTAINER = 3  # bytes of a list or a map, beside a byte for each member


def size_of(item: Item) -> int:
    """Bytes."""
    return sum(_text(name) + _value(value) for name, value in item.items())


def write_units(old: Item | None, new: Item | None) -> int:
    """One write, by the larger of the item before and after it; a write that finds nothing counts as the smallest."""
    return max(1, ceil(max(size_of(old or {}), size_of(new or {})) / WRITE_UNIT))


def index_write_units(keys: Iterable[str], old: Item | None, new: Item | None) -> int:
    """What a write to the table costs in one index with these keys that projects everything. Never doubled by a transaction."""
    names = list(keys)
    before = old if old and all(name in old for name in names) else None
    after = new if new and all(name in new for name in names) else None
    if before == after:
        return 0
    if before and after and any(before[name] != after[name] for name in names):
        return write_units(before, None) + write_units(None, after)
    return write_units(before, after)


def read_units(items: Iterable[Item], *, consistent: bool) -> float:
    """One get, or one page of a query or a scan: the sizes are added up before they are rounded."""
    units = max(1, ceil(sum(size_of(item) for item in items) / READ_UNIT))
    return units if consistent else units / 2


def usd_per_million(*, writes: float, reads: float) -> float:
    """What a million of something costs that takes these units."""
    return writes * USD_PER_MILLION_WRITES + reads * USD_PER_MILLION_READS


def _text(value: str) -> int:
    return len(value.encode())


def _value(typed: Mapping[str, Any]) -> int:
    ((kind, value),) = typed.items()
    if kind == "S":
        return _text(value)
    if kind == "N":
        return _number(value)
    if kind == "B":
        return len(value)
    if kind == "M":
        return _CONTAINER + len(value) + size_of(value)
    if kind == "L":
        return _CONTAINER + len(value) + sum(map(_value, value))
    if kind in ("BOOL", "NULL"):
        return 1
    return sum(_value({kind[0]: one}) for one in value)  # SS, NS, BS


def _number(written: str) -> int:
    """A byte for every two significant digits and one more, and one for a minus."""
    sign, digits, _ = Decimal(written).normalize().as_tuple()
    return ceil(len(digits) / 2) + 1 + sign
