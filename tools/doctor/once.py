"""A property that is asked for once, however many checks want it at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

Value = TypeVar("Value")


class asked_once(Generic[Value]):  # noqa: N801  used like functools.cached_property, which lets every thread ask
    """Kept in the instance's own dictionary. What raises is asked again by whoever comes next."""

    def __init__(self, ask: Callable[[Any], Value]) -> None:
        self._ask = ask
        self._lock = threading.RLock()
        self.__doc__ = ask.__doc__

    def __set_name__(self, _owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> asked_once[Value]: ...
    @overload
    def __get__(self, instance: object, owner: type) -> Value: ...
    def __get__(self, instance: object | None, owner: type) -> asked_once[Value] | Value:
        if instance is None:
            return self
        known = vars(instance)
        with self._lock:
            if self._name not in known:
                known[self._name] = self._ask(instance)
        value: Value = known[self._name]
        return value
