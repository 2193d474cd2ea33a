"""The sound on one call, in real time: every 20 ms a frame of the person and a frame of what is played to them.

A call's other times may be scaled; these may not, because whoever listens to speech counts milliseconds. ``speed`` is for the
stand-in's own tests.
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Protocol

from ...changes import Changes
from .mouth import Mouth, Utterance
from .playback import Playback
from .ulaw import FRAME_SECONDS, SILENCE

Start = Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]


@dataclass(frozen=True)
class Tick:
    """20 ms: what the person said and was played, and the marks that playing it reached."""

    said: bytes
    utterance: Utterance | None
    played: bytes
    marks: list[str]


class Listener(Protocol):
    """A stream."""

    def tick(self, tick: Tick) -> None:
        """20 ms are over."""

    def press(self, key: str) -> None:
        """The person pressed a key."""


class CallAudio:
    """Runs while somebody listens. Late ticks are made up for, so that the rate holds."""

    def __init__(self, changes: Changes, speed: float) -> None:
        self.speed = speed
        self.mouth = Mouth()
        self._changes = changes
        self._listeners: list[Listener] = []
        self._playback: Playback | None = None
        self._ticking: asyncio.Task[None] | None = None

    @property
    def is_connected(self) -> bool:
        """Whether a stream listens that may answer."""
        return self._playback is not None

    @property
    def is_heard(self) -> bool:
        """Whether any stream listens."""
        return bool(self._listeners)

    def attach(self, listener: Listener, playback: Playback | None, start: Start) -> None:
        """Somebody listens from now on; with a ``playback`` they are heard too. ``start`` begins work in the background."""
        self._listeners.append(listener)
        self._playback = playback or self._playback
        if self._ticking is None:
            self._ticking = start(self._tick())

    def detach(self, listener: Listener, playback: Playback | None) -> None:
        """No more. Does nothing for whom it does not know."""
        if listener not in self._listeners:
            return
        self._listeners.remove(listener)
        if playback is not None and self._playback is playback:
            self._playback = None
        if not self._listeners and self._ticking is not None:
            self._ticking.cancel()
            self._ticking = None
            self.mouth.clear()
        self._changes.tell()

    def press(self, key: str) -> None:
        """The person presses a key."""
        for listener in list(self._listeners):
            listener.press(key)

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        began, number = loop.time(), 0
        while True:
            number += 1
            await asyncio.sleep(began + number * FRAME_SECONDS / self.speed - loop.time())
            said, utterance = self.mouth.take()
            played, marks = self._playback.take() if self._playback else (SILENCE, [])
            tick = Tick(said, utterance, played, marks)
            for listener in list(self._listeners):
                listener.tick(tick)
            self._changes.tell()
