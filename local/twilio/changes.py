"""Waiting for what others bring about, on the loop's thread."""

import asyncio
from collections.abc import Callable


class Changes:
    """Whoever changes something tells; whoever waits looks again."""

    def __init__(self) -> None:
        self._next = asyncio.Event()

    def tell(self) -> None:
        """Something changed."""
        self._next.set()
        self._next = asyncio.Event()

    async def wait_until(self, is_so: Callable[[], bool], timeout: float | None = None) -> bool:
        """Whether it came to be so within ``timeout`` seconds."""
        try:
            async with asyncio.timeout(timeout):
                while not is_so():
                    await self._next.wait()
        except TimeoutError:
            return is_so()
        return True
