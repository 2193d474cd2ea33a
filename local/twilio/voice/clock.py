"""How long things take on the phone, and how long they take here."""

import asyncio
from dataclasses import dataclass

CHARACTERS_PER_SECOND = 15  # of speech, Twilio's and people's
PLAY_SECONDS = 2.0  # audio is not fetched, so nobody knows how long it is
KEY_SECONDS = 0.5


@dataclass(frozen=True)
class Clock:
    """A second of a call lasts ``scale`` seconds here.

    Where Twilio waits for a person whom a test plays, it waits at least ``patience`` seconds of ours: the test's thread must
    get its turn, however quick the call is. Audio goes by at its own pace, which ``media_speed`` quickens.
    """

    scale: float = 0.01
    patience: float = 1.0
    media_speed: float = 1.0

    async def sleep(self, seconds: float) -> None:
        """Let seconds of the call pass."""
        await asyncio.sleep(seconds * self.scale)

    def here(self, seconds: float) -> float:
        """Seconds of ours for seconds of the call."""
        return seconds * self.scale

    def on_the_phone(self, seconds: float) -> float:
        """Seconds of the call for seconds of ours; with a scale of 0 they are the same."""
        return seconds / self.scale if self.scale else seconds


def speaking_seconds(text: str) -> float:
    """How long it takes to say that."""
    return len(text) / CHARACTERS_PER_SECOND
