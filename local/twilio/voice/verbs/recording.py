"""Recordings: who is told of them, and ``<Start><Recording>``.

That one records the call beside what else goes on, until it ends or ``<Stop>`` names the recording.

Source: https://www.twilio.com/docs/voice/twiml/recording. On calls it came with two channels whatever was asked for, and with a
``RecordingSource`` of its own. Nothing is recorded here but how long it took.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any
from xml.etree.ElementTree import Element

from ..recordings import Recording
from ..session import Session

_EVENTS = frozenset({"in-progress", "completed", "absent"})
Tell = Callable[[str], Coroutine[Any, Any, None]]


def teller(session: Session, element: Element, recording: Recording) -> Tell:
    """Who is told what becomes of a recording, as ``recordingStatusCallback`` of a verb or a noun says.

    Raises DocumentError for a callback that is no URL.
    """
    events = frozenset(element.get("recordingStatusCallbackEvent", "completed").split())
    if events - _EVENTS:
        asked = element.get("recordingStatusCallbackEvent")
        session.warn(f"recordingStatusCallbackEvent={asked!r} of <{element.tag}>", code=13621)
    target = element.get("recordingStatusCallback")
    url = session.url(target) if target else None
    method = element.get("recordingStatusCallbackMethod", "POST").upper()

    async def tell(status: str) -> None:
        if url is not None and status in events:
            fields = recording.status_fields(status)
            if status != "completed":
                del fields["RecordingDuration"]
            if status == "absent":
                del fields["RecordingUrl"]
            await session.network.request("recording", url, fields, method)

    return tell


def start_recording(session: Session, noun: Element) -> None:
    """Begin; the next verb follows at once. Raises DocumentError for a callback that is no URL."""
    line = session.line
    recording = Recording(line.call, "StartCallRecordingTwiML", session.network.base_url, channels=2)
    tell = teller(session, noun, recording)
    stopped = line.recordings[noun.get("name", recording.sid)] = asyncio.Event()
    session.network.start(_record(session, recording, stopped, tell))


def stop_recording(session: Session, noun: Element) -> None:
    """End one by its name."""
    stopped = session.line.recordings.pop(noun.get("name", ""), None)
    if stopped is None:
        session.warn(f"<Stop> of a recording {noun.get('name')!r} that does not run")
    else:
        stopped.set()
        session.line.changes.tell()


async def _record(session: Session, recording: Recording, stopped: asyncio.Event, tell: Tell) -> None:
    line, began = session.line, time.monotonic()
    line.note("twilio", f"[records {recording.sid}]")
    await tell("in-progress")
    await line.changes.wait_until(lambda: stopped.is_set() or line.call.ended)
    recording.duration = max(1, round(line.clock.on_the_phone(time.monotonic() - began)))
    await tell("completed")
