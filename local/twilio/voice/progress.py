"""Status callbacks of one call: those of the events that were asked for, one after another.

Source: https://www.twilio.com/docs/voice/api/call-resource#statuscallbackevent. ``completed`` stands for every end of a call.
"""

import asyncio
import random
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..background import Background
from ..delivery import out_of_order
from ..faults import Fault
from ..webhooks import WebhookSender
from .call import Call
from .requests import status_fields

EVENTS = frozenset({"initiated", "ringing", "answered", "completed"})


@dataclass
class Progress:
    """``url`` is None where nobody asked. Callbacks wait for one another, so that tests see them in order, as of texts."""

    call: Call
    webhooks: WebhookSender
    background: Background
    url: str | None = None
    method: str = "POST"
    events: frozenset[str] = frozenset({"completed"})
    times: int = 1
    shuffle: random.Random | None = None
    _sequence: int = 0
    _held_back: list[dict[str, str]] = field(default_factory=list)
    _last: asyncio.Task[None] | None = None

    def break_by(self, fault: Fault | None) -> None:
        """Let a fault of the moment ``callbacks`` do its work."""
        if fault and fault.kind == "duplicate_status":
            self.times = fault.integer("times", 2)
        if fault and fault.kind == "shuffle_status":
            self.shuffle = random.Random(fault.integer("seed", 0))

    def tell(self, event: str, extra: Mapping[str, str] | None = None) -> None:
        """Something happened to the call, which has its new status; ``extra`` fields are told too."""
        if self.url is None or event not in self.events:
            return
        form = status_fields(self.call, self._sequence) | dict(extra or {})
        self._sequence += 1
        self._held_back.append(form)
        if self.shuffle is None:
            self._send_held_back()
        elif self.call.ended:
            self._held_back = out_of_order(self._held_back, self.shuffle)
            self._send_held_back()

    async def settle(self) -> None:
        """Wait for the last callback so far."""
        if self._last is not None:
            await asyncio.wait({self._last})

    def _send_held_back(self) -> None:
        forms, self._held_back = self._held_back, []
        for form in forms:
            self._last = self.background.start(self._send_after(self._last, form))

    async def _send_after(self, previous: asyncio.Task[None] | None, form: dict[str, str]) -> None:
        if previous is not None:
            await asyncio.wait({previous})
        assert self.url is not None
        token = str(uuid.uuid4())
        async with asyncio.TaskGroup() as sending:
            for _ in range(self.times):
                sending.create_task(self.webhooks.send("status", self.url, form, token, self.method))
