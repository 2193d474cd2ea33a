"""Tables of figures, as text and as JSON."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Value = float | int | str | None
WIDTH = 120  # characters, of the text around a table


@dataclass(frozen=True, slots=True)
class Target:
    """What a column's value should be. ``<`` and ``≤`` are ceilings."""

    column: str
    relation: Literal["<", "≤", "="]
    limit: float

    def is_met_by(self, values: Mapping[str, Value]) -> bool:
        """Whether the column's value is as it should be; a value that is not there is not."""
        value = values.get(self.column)
        if not isinstance(value, (int, float)):
            return False
        return {"<": value < self.limit, "≤": value <= self.limit, "=": value == self.limit}[self.relation]


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that was measured. Columns are named with their unit at the end, as in ``cpu_ms``."""

    what: str
    values: Mapping[str, Value]
    target: Target | None = None

    @property
    def verdict(self) -> str:
        """``met``, ``missed``, or nothing where there is no target."""
        if self.target is None:
            return ""
        return "met" if self.target.is_met_by(self.values) else "missed"


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of one kind; `method` says how they were measured, and what they leave out."""

    title: str
    method: str
    rows: list[Row]


def as_json(table: Table) -> dict[str, Any]:
    """For ``bench.json``."""
    return {"title": table.title, "method": table.method, "rows": [_row_as_json(row) for row in table.rows]}


def as_text(table: Table) -> str:
    """Plain text: a title, how it was measured, the columns."""
    columns = list(dict.fromkeys(name for row in table.rows for name in row.values))
    has_targets = any(row.target for row in table.rows)
    heads = ["", *(name.replace("_", " ") for name in columns), *(["target", ""] if has_targets else [])]
    bodies = [[_cell(row.values.get(name), _decimals(table.rows, name)) for name in columns] for row in table.rows]
    ends = [[_target(row), row.verdict] for row in table.rows] if has_targets else [[] for _ in table.rows]
    cells = [heads, *([row.what, *body, *end] for row, body, end in zip(table.rows, bodies, ends, strict=True))]
    left = [any(isinstance(row.values.get(name), str) for row in table.rows) for name in columns]
    lines = _aligned(cells, [True, *left, *([True, True] if has_targets else [])])
    return "\n".join([table.title.upper(), *textwrap.wrap(table.method, WIDTH), "", *(f"  {line}" for line in lines)])


def _row_as_json(row: Row) -> dict[str, Any]:
    figures = {name: round(value, 4) if isinstance(value, float) else value for name, value in row.values.items()}
    if row.target is None:
        return {"what": row.what, **figures}
    target = {"column": row.target.column, "relation": row.target.relation, "limit": row.target.limit}
    return {"what": row.what, **figures, "target": target, "verdict": row.verdict}


def _decimals(rows: Iterable[Row], column: str) -> int:
    values = [value for row in rows if isinstance(value := row.values.get(column), float)]
    largest = max(map(abs, values), default=0.0)
    return 2 if largest < 100 else 1 if largest < 1000 else 0


def _cell(value: Value, decimals: int) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.{decimals}f}"
    return f"{value:,}" if isinstance(value, int) else value


def _target(row: Row) -> str:
    if row.target is None:
        return ""
    return f"{row.target.column.replace('_', ' ')} {row.target.relation} {row.target.limit:,g}"


def _aligned(cells: list[list[str]], left: list[bool]) -> list[str]:
    widths = [max(len(row[at]) for row in cells) for at in range(len(cells[0]))]
    return [
        "  ".join(
            cell.ljust(width) if is_left else cell.rjust(width) for cell, width, is_left in zip(row, widths, left, strict=True)
        ).rstrip()
        for row in cells
    ]
