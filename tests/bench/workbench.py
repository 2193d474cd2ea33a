"""What measurements share, made when the first of them asks: the functions as Lambda lays them out, and the local stack."""

from __future__ import annotations

import time
from contextlib import ExitStack
from functools import cached_property
from types import TracebackType

from local import deployment
from local.engine import ROOT
from tests.bench.layout import Layout
from tests.bench.stage import Stage

FOLDER = ROOT / ".local" / "bench"


class Workbench:
    """Use as a context manager; what was started ends with it."""

    def __init__(self) -> None:
        self._open = ExitStack()
        self._started = time.monotonic()

    def __enter__(self) -> Workbench:
        FOLDER.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self._open.close()

    def say(self, what: str) -> None:
        """A line of progress, with the seconds since the start."""
        print(f"[{time.monotonic() - self._started:4.0f} s] {what}", flush=True)

    @cached_property
    def layout(self) -> Layout:
        """The built layers, boto3 and the functions."""
        self.say("Building the layers (sam build), unless they are up to date")
        return Layout.of(deployment.build(ROOT / "template.yaml").parent, FOLDER)

    @cached_property
    def stage(self) -> Stage:
        """The deployed stack."""
        return self._open.enter_context(Stage(FOLDER, self.say))
