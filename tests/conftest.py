"""What the tests are told, and how they are divided between processes (``pytest -n 2 --dist loadgroup``).

A file is one group, but for files that share a stack.
"""

from __future__ import annotations

import os

import pytest

# Of every function in the template; the logger reads it when it is imported.
os.environ["POWERTOOLS_SERVICE_NAME"] = "phone"

# People really speak in these, for minutes: one stack for them, another for all that only exchanges requests.
_SPOKEN = {"test_modes", "test_sessions", "test_stack", "test_voice"}


@pytest.hookimpl(tryfirst=True)  # xdist reads the marks in its own hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A group is one process's; the long ones are collected, and so begun, first."""
    for item in items:
        file = item.path
        group = str(file)
        if file.parent.name == "e2e":
            group = "spoken calls" if file.stem in _SPOKEN else "requests"
        item.add_marker(pytest.mark.xdist_group(group))
