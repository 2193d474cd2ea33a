"""What is left of a call: a picture of both voices, and its transcript."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from local.picture import Side, Turn, draw_call
from local.twilio.voice.handset import PhoneCall

_PAUSE = 0.8  # seconds between two utterances, at least


def keep_call(call: PhoneCall, details: Sequence[Any], folder: Path) -> list[Path]:
    """Write ``call.png`` and ``call.txt`` into a folder. `details` are those of the events of the bus, in their order."""
    stream = call.stream
    said = [one for one in details if one.get("call_sid") == call.sid and "utterance_id" in one]
    person = [Turn(one.began or 0, one.ended or stream.now, one.words) for one in stream.utterances]
    agent = [
        Turn(sound.began, sound.ended, one["text"], interrupted="heard" in one)
        for sound, one in zip(stream.sounds(_PAUSE), sorted(said, key=lambda one: str(one["utterance_id"])), strict=False)
    ]
    picture, transcript = folder / "call.png", folder / "call.txt"
    title = f"{call.sid}   {len(call.heard_audio()) / 8000:.1f} s"
    sides = [Side("Person", call.spoken_audio(), person), Side("Agent", call.heard_audio(), agent)]
    draw_call(sides, picture, title=title)
    transcript.write_text(_transcript(person, agent))
    return [picture, transcript]


def _transcript(person: Sequence[Turn], agent: Sequence[Turn]) -> str:
    lines = [(turn.starts, "Person", turn) for turn in person] + [(turn.starts, "Agent", turn) for turn in agent]
    return "".join(
        f"{starts:6.2f} s  {who:6}  {turn.words}{' (interrupted)' if turn.interrupted else ''}\n"
        for starts, who, turn in sorted(lines, key=lambda line: line[0])
    )
