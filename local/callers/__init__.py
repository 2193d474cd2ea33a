"""What callers say in the tests, and noises: raw µ-law at 8,000 samples a second. `tools.caller_audio` made it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Said:
    """Something a caller says: one turn, with no pause that would end it."""

    words: str
    voice: str


# pocketsphinx gets all of these word for word, through a telephone and behind the voice activity detector; of STORY most.
SAID = {
    "opening_hours": Said("what are your opening hours", "kal16"),
    "a_person": Said("i would like to speak to a person", "kal16"),
    "my_order": Said("can you tell me where my order is", "rms"),
    "cancel": Said("i want to cancel my appointment", "rms"),
    "my_name": Said("my name is john smith", "kal16"),
    "closing_time": Said("what time do you close today", "rms"),
    "yes": Said("yes please", "kal16"),
    "no": Said("no thank you", "kal16"),
    "wait": Said("one moment please", "rms"),
    "story": Said(
        "i was in your shop this morning and wanted to buy a new chair for my mother who is old and does not like to sit in "
        "the one that she has but there was nobody to help me and so i went home again and now i am calling you to hear what "
        "it would cost and how long it will take",
        "rms",
    ),
}
STORY = "story"  # some fifteen seconds
NOISES = ("click", "white_noise", "cough")


def caller(name: str) -> bytes:
    """The µ-law audio of one of `SAID` or `NOISES`, with no silence around it."""
    return FOLDER.joinpath(f"{name}.ulaw").read_bytes()
