"""A call's audio as the plugin stores it, for measurements that need no phone: somebody's turns on a line that hisses."""

from __future__ import annotations

import dataclasses
import random
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from local.callers import caller
from tests.bench.stage import Stage
from twilio_plugin.adapters.dynamodb import DynamoDB, typed
from twilio_plugin.adapters.media_frames import MediaFrames, row
from twilio_plugin.adapters.streams import stream_key
from twilio_plugin.domain.audio import BYTES_PER_SECOND, FRAME_BYTES, FRAME_MILLISECONDS
from twilio_plugin.domain.media_stream import INBOUND, Frame
from twilio_plugin.domain.stream import Stream
from twilio_plugin.domain.timestamp import epoch, iso

# When in the call each is said, in seconds; what the agent answers falls between.
SAID = ((2, "opening_hours"), (12, "my_order"), (22, "a_person"), (32, "closing_time"), (42, "cancel"), (52, "my_name"))
HISS = bytes([0xFF, 0x7F, 0xFE, 0x7E])  # samples of 0 and 8 of 32,767: a line is never silent


@dataclass(frozen=True, slots=True)
class Waiting:
    """A stream that is over, with its audio stored and a session appointed that has not begun to listen."""

    call_sid: str
    session_id: str
    frames: int

    @property
    def payload(self) -> dict[str, Any]:
        """What the session is invoked with."""
        return {"call_sid": self.call_sid, "leg": 0, "session_id": self.session_id}


def audio(seconds: int, *, turns: bool = True) -> bytes:
    """µ-law of the person, the same every time."""
    chance = random.Random(seconds)
    sound = bytearray(chance.choices(HISS, k=seconds * BYTES_PER_SECOND))
    for at, name in SAID if turns else ():
        said, begins = caller(name), at * BYTES_PER_SECOND
        if begins + len(said) <= len(sound):
            sound[begins : begins + len(said)] = said
    return bytes(sound)


def frames(sound: bytes) -> list[Frame]:
    """As Twilio sends it: the first message is ``connected`` or ``start``, so the first frame is the third or so."""
    return [
        Frame(number + 2, number, (number - 1) * FRAME_MILLISECONDS, INBOUND, sound[at : at + FRAME_BYTES])
        for number, at in enumerate(range(0, len(sound), FRAME_BYTES), start=1)
    ]


def store(stage: Stage, connection_id: str, stream_sid: str, said: list[Frame]) -> None:
    """Write the frames into the table, as the socket's route does."""
    expires_at = epoch(datetime.now(UTC), days=1)
    stage.put(stage.output("MediaFramesTableName"), [row(connection_id, one, stream_sid, expires_at) for one in said])


def waiting_stream(stage: Stage, said: list[Frame]) -> Waiting:
    """A stream of a person's call to us, that long ago that all of its audio has come."""
    call_sid, connection_id = f"CA{secrets.token_hex(16)}", f"bench-{secrets.token_hex(4)}="
    person, ours = stage.person(), stage.our_number
    began = datetime.now(UTC) - timedelta(milliseconds=len(said) * FRAME_MILLISECONDS)
    stream = Stream(
        call_sid=call_sid,
        leg=0,
        stream_sid=f"MZ{secrets.token_hex(16)}",
        connection_id=connection_id,
        account_sid="AC" + "0" * 32,
        conversation_id=f"phone|{ours}|{person}",
        direction="inbound",
        from_=person,
        to=ours,
        started_at=iso(began),
        session_id="bench",
        # So that nobody hangs up because the agent says nothing.
        saying="Hello.",
        said_at=iso(datetime.now(UTC) + timedelta(hours=1)),
    )
    kept = dataclasses.asdict(stream) | stream_key(call_sid, 0)
    kept |= {"active": "stream", "session_state": "appointed", "ttl": epoch(began, days=1)}
    stage.put(stage.output("CallsTableName"), [typed(kept)])
    store(stage, connection_id, stream.stream_sid, said)
    table = MediaFrames(DynamoDB(stage.database), stage.output("MediaFramesTableName"))
    last = said[-1].sequence_number + 1
    table.put_end(connection_id, "stopped", last=last, expires_at=epoch(began, days=1))
    return Waiting(call_sid, "bench", len(said))
