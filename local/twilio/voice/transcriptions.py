"""Real-time transcriptions of a call: what is said on it, told to a webhook turn by turn.

Source: https://www.twilio.com/docs/voice/twiml/transcription and
https://www.twilio.com/docs/voice/api/realtime-transcription-resource. The inbound track is the person on the call, the outbound
one what they hear; whatever is not words (played files, keys) is not transcribed. A turn is told when its words begin: nobody
waits for it. Everything that is told has a number; whether Twilio counts from 1 was not found.
"""

import asyncio
import json
import random
from collections.abc import Mapping
from dataclasses import dataclass

from ..delivery import out_of_order
from ..messages import API_VERSION, new_sid, now, rfc2822
from .line import Line
from .session import Network

CONFIDENCE = 0.95
TRACKS = ("inbound_track", "outbound_track", "both_tracks")
_PROVIDER_ERROR = 32651


@dataclass(frozen=True)
class NewTranscription:
    """What was asked for. ``track`` is one of ``TRACKS``."""

    name: str = ""
    track: str = "both_tracks"
    callback: str | None = None
    callback_method: str = "POST"
    partial_results: bool = False
    language: str = "en-US"
    engine: str = "google"


class Transcription:
    """One, from its beginning to its end. Used on the loop's thread only."""

    def __init__(self, line: Line, network: Network, asked: NewTranscription) -> None:
        self.sid = new_sid("GT")
        self.name = asked.name or self.sid
        self.status = "in-progress"
        self.date_updated = now()
        self._line, self._network, self._asked = line, network, asked
        self._faults = {fault.kind: fault for fault in network.transcription_faults(line.call.person)}
        self._told = 0
        self._held_back: list[dict[str, str]] = []
        self._late: list[dict[str, str]] = []
        self._last: asyncio.Task[None] | None = None

    @property
    def over(self) -> bool:
        """Whether it hears no more."""
        return self.status != "in-progress"

    def begin(self) -> None:
        """Listen from now on, until it is stopped or the call ends."""
        if fault := self._faults.get("fail_transcript"):
            code = fault.integer("code", _PROVIDER_ERROR)
            self._end("transcription-error", {"TranscriptionErrorCode": str(code), "TranscriptionError": "Provider Error"})
            self._network.report(code, self._asked.callback or "", "Provider Error", self._line.call.sid)
            return
        about = {
            "LanguageCode": self._asked.language,
            "Track": self._asked.track,
            "TranscriptionEngine": self._asked.engine,
            "ProviderConfiguration": "{}",
            "PartialResults": str(self._asked.partial_results).lower(),
            "Name": self.name,
        }
        self._tell("transcription-started", about)
        self._line.note("twilio", f"[transcribes as {self.name}]")
        self._line.ears.append(self.hear)
        self._network.start(self._until_the_call_ends())

    def hear(self, track: str, words: str) -> None:
        """Words on one of the tracks."""
        if self.over or self._asked.track not in {track, "both_tracks"}:
            return
        about = {"LanguageCode": self._asked.language, "Track": track}
        if self._asked.partial_results:
            partial = {"TranscriptionData": json.dumps({"transcript": words.split()[0]}), "Final": "false", "Stability": "0.9"}
            self._tell("transcription-content", about | partial)
        data = json.dumps({"transcript": words, "confidence": CONFIDENCE})
        self._tell("transcription-content", about | {"TranscriptionData": data, "Final": "true"})

    def stop(self) -> None:
        """End it; does nothing when it is over."""
        if not self.over:
            self._line.ears.remove(self.hear)
            self._end("transcription-stopped", {})

    def resource(self) -> dict[str, object]:
        """The JSON of the Transcription resource."""
        call = self._line.call
        return {
            "sid": self.sid,
            "account_sid": call.account_sid,
            "call_sid": call.sid,
            "name": self.name,
            "status": self.status,
            "date_updated": rfc2822(self.date_updated),
            "uri": f"/{API_VERSION}/Accounts/{call.account_sid}/Calls/{call.sid}/Transcriptions/{self.sid}.json",
        }

    async def _until_the_call_ends(self) -> None:
        await self._line.changes.wait_until(lambda: self.over or self._line.call.ended)
        self.stop()

    def _end(self, event: str, about: Mapping[str, str]) -> None:
        self.status, self.date_updated = "stopped", now()
        self._tell(event, about)
        if fault := self._faults.get("shuffle_transcript"):
            self._held_back = out_of_order(self._held_back, random.Random(fault.integer("seed", 0)))
        for form in [*self._held_back, *self._late]:
            self._send(form)
        self._line.changes.tell()

    def _tell(self, event: str, about: Mapping[str, str]) -> None:
        self._told += 1
        form = {
            "AccountSid": self._line.call.account_sid,
            "CallSid": self._line.call.sid,
            "TranscriptionSid": self.sid,
            "TranscriptionEvent": event,
            "SequenceId": str(self._told),
            "Timestamp": now().isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        } | dict(about)
        if self._meets("lose_transcript"):
            return
        if self._meets("late_transcript"):
            self._late.append(form)
        elif "shuffle_transcript" in self._faults:
            self._held_back.append(form)
        else:
            self._send(form)

    def _meets(self, kind: str) -> bool:
        fault = self._faults.get(kind)
        return fault is not None and fault.integer("sequence_id", 2) == self._told

    def _send(self, form: dict[str, str]) -> None:
        if self._asked.callback is not None:
            self._last = self._network.start(self._send_after(self._last, self._asked.callback, form))

    async def _send_after(self, previous: asyncio.Task[None] | None, url: str, form: dict[str, str]) -> None:
        if previous is not None:
            await asyncio.wait({previous})
        fault = self._faults.get("double_transcript")
        async with asyncio.TaskGroup() as sending:
            for _ in range(fault.integer("times", 2) if fault else 1):
                sending.create_task(self._network.request("transcription", url, form, self._asked.callback_method))


def running(line: Line, named: str) -> Transcription | None:
    """The transcription of a call that has this name or SID and is not over."""
    found = (one for one in line.transcriptions if not one.over and named in {one.name, one.sid})
    return next(found, None)


def begin(line: Line, network: Network, asked: NewTranscription) -> Transcription:
    """Transcribe a call from now on."""
    transcription = Transcription(line, network, asked)
    line.transcriptions.append(transcription)
    transcription.begin()
    return transcription
