"""API Gateway's mapping templates: Velocity by airspeed, and what API Gateway adds to it.

Imitated are ``$input.json`` and ``$input.path`` for paths like ``$.media.chunk``, ``$context``, and Java's strings, whose
``matches`` means the whole string.
"""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

import airspeed


def render(template: str, body: str, context: dict[str, Any], *, missing: str = '""') -> str:
    """What a template makes of a message. `missing` is what ``$input.json`` renders for a path that leads nowhere."""
    return str(_compiled(template).merge({"input": _Input(body, missing), "context": context}))


@cache
def _compiled(template: str) -> airspeed.Template:
    return airspeed.Template(template)


class _JavaString(str):
    __slots__ = ()

    def matches(self, pattern: str) -> bool:
        return re.fullmatch(pattern, self) is not None


class _Input:
    """``$input``."""

    def __init__(self, body: str, missing: str) -> None:
        self._body = json.loads(body)
        self._missing = missing

    def json(self, path: str) -> str:
        found = self._find(path)
        return self._missing if found is None else json.dumps(found)

    def path(self, path: str) -> Any:
        return self._as_java(self._find(path))

    def _find(self, path: str) -> Any:
        value = self._body
        for name in path.removeprefix("$.").split("."):
            value = value.get(name) if isinstance(value, dict) else None
        return value

    def _as_java(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: self._as_java(one) for name, one in value.items()}
        return _JavaString(value) if isinstance(value, str) else value
