"""Faults of a relay session that come with time: its socket breaks, or something else goes over it."""

import asyncio
from collections.abc import Callable

from ...background import running
from ..line import Line
from .mishaps import Mishaps
from .post import Post
from .record import RelayRecord
from .voice import Voice


class Troubles:
    """Each befalls a session once. Times are seconds of the call."""

    def __init__(self, line: Line, mishaps: Mishaps, record: RelayRecord, voice: Voice, post: Post) -> None:
        self._line, self._mishaps, self._record, self._voice, self._post = line, mishaps, record, voice, post

    async def run(self, drop: Callable[[], None]) -> None:
        """From the session's beginning on, for ever; ``drop`` breaks the socket."""
        async with running(self._drop_after(drop), self._drop_in_reply(drop), self._drop_when_idle(drop)):
            for seconds, text in self._mishaps.garbage:
                await self._line.clock.sleep(seconds - self._record.now)
                self._post.put_raw(text)
            await asyncio.Event().wait()

    async def _drop_after(self, drop: Callable[[], None]) -> None:
        if (seconds := self._mishaps.drops_after) is not None:
            await self._line.clock.sleep(seconds)
            drop()

    async def _drop_in_reply(self, drop: Callable[[], None]) -> None:
        if (seconds := self._mishaps.drops_in_reply) is not None:
            await self._voice.replying.wait()
            await self._line.clock.sleep(seconds)
            drop()

    async def _drop_when_idle(self, drop: Callable[[], None]) -> None:
        if (seconds := self._mishaps.drops_when_idle) is not None:
            while await self._says_something_within(seconds):
                pass
            drop()

    async def _says_something_within(self, seconds: float) -> bool:
        count = len(self._record.log)
        return await self._line.changes.wait_until(lambda: len(self._record.log) > count, self._line.clock.here(seconds))
