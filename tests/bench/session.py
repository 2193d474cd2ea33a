"""One execution environment of call_session: imports its handler, hears one stream, and says what that cost.

Runs as a script in a fresh interpreter, as `worker` does, and reads a job as JSON from standard input: ``path``, ``payload``
(the invocation's), and

``looks``
    ``full``: the handler as it is. As all audio is there already, it reads four seconds at a time. ``paced``: it gets a tenth
    of a second with each look, as in a call.
``clock``
    ``real``, or ``fast``: sleeping takes no time and moves the clock.
``storage``
    ``real``: the tables. ``none``: frames and stream are in memory, and what it writes is thrown away.
"""

from __future__ import annotations

import json
import os
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

LOOK = 5  # frames in a tenth of a second


class Context:
    """Lambda's context object, as far as the handler reads it."""

    function_name = aws_request_id = "bench"
    memory_limit_in_mb = 1024
    invoked_function_arn = "arn:aws:lambda:us-east-1:000000000000:function:bench"

    def get_remaining_time_in_millis(self) -> int:
        """Always enough."""
        return 900_000


class Clock:
    """Notes the CPU seconds of the process at the end of each look, when the session sleeps."""

    def __init__(self) -> None:
        self.looks: list[float] = []

    def sleep(self, seconds: float) -> None:
        """As `time.sleep`."""
        self.looks.append(time.process_time())
        time.sleep(seconds)


class FastClock(Clock):
    """Moved by whoever sleeps."""

    def __init__(self) -> None:
        super().__init__()
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now

    def sleep(self, seconds: float) -> None:
        """At once."""
        self.looks.append(time.process_time())
        self.now += timedelta(seconds=seconds)


def main() -> None:
    """Hear the stream."""
    job = json.load(sys.stdin)
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.path[:0] = job["path"]
    sys.path.append(str(Path(__file__).parent))
    from worker import peak_rss_bytes  # type: ignore[import-not-found]

    clock = FastClock() if job["clock"] == "fast" else Clock()
    _prepare(job, clock)
    from app import lambda_handler  # type: ignore[import-not-found]

    imported = peak_rss_bytes()
    lambda_handler(job["payload"], Context())
    done = {"looks_cpu_s": clock.looks, "imported_bytes": imported, "peak_bytes": peak_rss_bytes()}
    answer.write(json.dumps(done))
    answer.close()


def _prepare(job: dict[str, Any], clock: Clock) -> None:
    """Put the session's surroundings in place before its handler is built of them."""
    from twilio_plugin.adapters.media_frames import MediaFrames
    from twilio_plugin.runtime.wiring import parts, streams

    patch.object(streams, "time", clock).start()
    if isinstance(clock, FastClock):
        patch.object(parts, "now", clock).start()
    if job["storage"] == "none":
        _forget_everything(job["payload"]["call_sid"])
    elif job["looks"] == "paced":
        after = MediaFrames.after

        def paced(self: MediaFrames, connection_id: str, cursor: int, *, limit: int) -> Any:
            return after(self, connection_id, cursor, limit=min(limit, LOOK))

        patch.object(MediaFrames, "after", paced).start()


def _forget_everything(call_sid: str) -> None:
    """Read the stream and its frames into memory, and let every write be none."""
    from twilio_plugin.adapters.conversations import ConversationsTable
    from twilio_plugin.adapters.event_bus import EventBridgeBus
    from twilio_plugin.adapters.media_frames import MediaFrames
    from twilio_plugin.adapters.streams import StreamsTable
    from twilio_plugin.adapters.utterances import UtterancesTable
    from twilio_plugin.domain.media_stream import Frame
    from twilio_plugin.runtime.wiring import parts
    from twilio_plugin.services.ports import Arrived

    stream = parts.streams_reader(os.environ["CALLS_TABLE"]).of_call(call_sid)
    if stream is None:
        raise LookupError(f"{call_sid} has no stream.")
    table, arrived, found = parts.frames(os.environ["MEDIA_FRAMES_TABLE"]), Arrived([]), list[Frame]()
    while arrived.end is None:
        arrived = table.after(stream.connection_id, found[-1].sequence_number if found else 0, limit=1000)
        found += arrived.frames
    looks = iter([*(Arrived(found[at : at + LOOK]) for at in range(0, len(found), LOOK)), arrived])

    def nothing(*_: Any, **__: Any) -> Any:
        return []

    for kind, method, instead in (
        (MediaFrames, "after", lambda *_, **__: next(looks)),
        (StreamsTable, "of_call", lambda *_: stream),
        (StreamsTable, "take", lambda *_: stream),
        (StreamsTable, "save", nothing),
        (StreamsTable, "end", nothing),
        (UtterancesTable, "open", nothing),
        (ConversationsTable, "add_turn", nothing),
        (EventBridgeBus, "publish", nothing),
    ):
        patch.object(kind, method, instead).start()


if __name__ == "__main__":
    main()
