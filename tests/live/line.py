"""What the live tests talk through: a deployed stack, its client, and the person whose phone rings."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tools.doctor.stack import Stack, Where
from twilio_plugin.client import TwilioPlugin
from twilio_plugin.errors import PluginError

Value = TypeVar("Value")

_EVERY_SECONDS = 0.2


@dataclass
class Live:
    """`person` is called and texted; `recording` is the folder of `make run RECORD=…`, if there is one.

    `patience`: seconds for the person to text back.
    """

    where: Where
    stack: Stack
    person: str
    recording: Path | None = None
    patience: float = 30.0
    began: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.plugin = TwilioPlugin(
            self.where.stack_name, session=self.where.session, endpoint_url=self.where.endpoint_url, timeout=70
        )

    def tell(self, what: str) -> None:
        """Say what happens, as it happens."""
        print(f"\n  {time.monotonic() - self.began:6.1f} s  {what}", end="", flush=True)

    def wait(self, what: str, seconds: float, look: Callable[[], Value | None]) -> Value:
        """What `look` finds, as soon as it finds something. The test fails where it does not in time."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if (found := look()) is not None:
                return found
            time.sleep(_EVERY_SECONDS)
        pytest.fail(f"{what} did not come in {seconds:.0f} s. `make doctor` may know why.")

    def ask(self, request: Callable[[], Value]) -> Value:
        """Do something that the plugin may refuse. Its own sentence is what the test fails with."""
        try:
            return request()
        except PluginError as refusal:
            pytest.fail(f"{type(refusal).__name__}: {refusal} `make doctor` may say more.")

    def exchanges(self) -> Iterator[dict[str, Any]]:
        """The webhooks of the recording."""
        for file in sorted(self._recording().glob("*.json")):
            yield json.loads(file.read_text())

    def sockets(self) -> Iterator[list[dict[str, Any]]]:
        """The lines of each socket of the recording."""
        for file in sorted(self._recording().glob("*.jsonl")):
            yield [json.loads(line) for line in file.read_text().splitlines()]

    def _recording(self) -> Path:
        if self.recording is None:
            pytest.skip("needs a recording: make run RECORD=<folder> behind a tunnel, then make live RECORD=<folder>")
        return self.recording
