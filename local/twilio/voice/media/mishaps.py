"""What faults do to one stream; their kinds are listed in :mod:`local.twilio.faults`. The same seed does the same each time."""

import heapq
import random
from collections.abc import Sequence
from itertools import count

from ...faults import Fault
from ..mishaps import SocketMishaps
from .messages import Message
from .ulaw import FRAME_SECONDS

LEFT_OPEN_SECONDS = 30.0  # of ours


class Mishaps(SocketMishaps):
    """``index`` counts the stream's frames from 0."""

    def __init__(self, faults: Sequence[Fault] = ()) -> None:
        super().__init__(faults)
        self._random = {kind: random.Random(fault.integer("seed", 0)) for kind, fault in self._faults.items()}
        shuffled = self._faults.get("shuffle_frames")
        self._window = shuffled.number("window_ms", 200) / 1000 / FRAME_SECONDS if shuffled else 0.0
        self._held_back: list[tuple[float, int, Message]] = []
        self._order = count()

    @property
    def stop_lost(self) -> str | None:
        """What becomes of the socket, ``closed`` or ``open``, where the stop message is lost."""
        fault = self._faults.get("lose_stop")
        return fault.text("socket", "closed") if fault else None

    def alter(self, start: Message) -> Message:
        """The start message as it arrives."""
        return start | {"start": self.altered(start["start"])}

    def arriving(self, index: int, frames: Sequence[Message]) -> list[Message]:
        """What arrives when these frames were sent: them, some of them, or those of earlier."""
        for frame in frames:
            for _ in range(self._copies(index)):
                delay = self._random["shuffle_frames"].uniform(0, self._window) if self._window else 0.0
                heapq.heappush(self._held_back, (index + delay, next(self._order), frame))
        arrived = []
        while self._held_back and self._held_back[0][0] <= index:
            arrived.append(heapq.heappop(self._held_back)[2])
        return arrived

    def rest(self) -> list[Message]:
        """What is still under way when the stream stops."""
        return [frame for _, _, frame in sorted(self._held_back, key=lambda held: held[:2])]

    def garbage(self, index: int) -> list[str]:
        """What else goes over the socket at that time."""
        return [fault.text("text", "") for fault in self._garbage if index == _frames(fault, "after", 0)]

    def drops_socket(self, index: int) -> bool:
        """Whether the connection breaks at that time."""
        fault = self._faults.get("drop_socket")
        return fault is not None and index == _frames(fault, "after", 1)

    def _copies(self, index: int) -> int:
        if (silent := self._faults.get("stop_frames")) and index >= _frames(silent, "after", 1):
            return 0
        lost, doubled = self._befalls("lose_frames"), self._befalls("duplicate_frames")
        return 0 if lost else 1 + doubled

    def _befalls(self, kind: str) -> bool:
        fault = self._faults.get(kind)
        return fault is not None and self._random[kind].random() < fault.number("fraction", 0.1)


def _frames(fault: Fault, option: str, default: float) -> int:
    return round(fault.number(option, default) / FRAME_SECONDS)
