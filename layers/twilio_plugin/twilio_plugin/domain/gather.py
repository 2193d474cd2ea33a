"""A call that is held by documents: each lets Twilio speak and listen (``<Gather>``) and brings what was heard to our URL.

The URL says which document it belongs to, because a result has no id of its own: `Place`. Whatever comes from the same document
twice is the same result.

Source: Twilio, "TwiML Voice: <Gather>". What is not written there, and is taken as the careful reading of it: keys that are
pressed while no <Gather> runs may be lost, so each is brought at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, get_args
from urllib.parse import urlencode

from twilio_plugin.domain.stream import Stream
from twilio_plugin.domain.webhook_retries import RETRY_DOCUMENT

# What asks: the document itself, when it has listened (``result``); Twilio, because we told it to go on (``wake``); or the
# person's first words, before their last (``partial``).
Reason = Literal["result", "wake", "partial"]

# Twilio has charged for speech recognition by units of fifteen seconds of a <Gather>, so a lap stays below one. A person who
# has heard something begins to answer within three seconds; where they do not, what waits behind it is said.
LAP = timedelta(seconds=14)
AFTER_WORDS = timedelta(seconds=3)
# From our answer to the first sound of its words: an estimate.
UNTIL_SPOKEN = timedelta(milliseconds=500)
KEYS = frozenset("0123456789*#ABCD")


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How Twilio speaks and listens in gathered calls."""

    webhook_url: str
    """The root of our webhooks."""
    voice: str
    """Twilio's name of it."""
    language: str
    """That is heard."""
    endpoint: timedelta
    """The silence that ends a person's turn; Twilio takes whole seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where in a gathered call something comes from."""

    leg: int
    reopened: int
    """How often the call has opened a stream on its own."""
    step: int
    """The document."""
    reason: Reason = "result"

    def url(self, webhook_url: str, reason: Reason) -> str:
        """Where Twilio goes on from here."""
        query = urlencode({"leg": self.leg, "reopened": self.reopened, "step": self.step, "reason": reason})
        return f"{webhook_url}/voice/gather?{query}" + ("" if reason == "partial" else RETRY_DOCUMENT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What a document heard: words or keys, or nothing."""

    words: str = ""
    confidence: float | None = None
    keys: str = ""

    @property
    def is_something(self) -> bool:
        """Whether the person did anything."""
        return bool(self.words or self.keys)


def read_place(query: Mapping[str, str]) -> Place | None:
    """Read our own URL back; None where it is none of ours."""
    leg, reopened, step = (_number(query.get(name, "")) for name in ("leg", "reopened", "step"))
    reasons: tuple[Reason, ...] = get_args(Reason)
    reason = next((one for one in reasons if one == query.get("reason")), None)
    if leg is None or reopened is None or step is None or reason is None:
        return None
    return Place(leg=leg, reopened=reopened, step=step, reason=reason)


def read_heard(form: Mapping[str, str]) -> Heard:
    """Read the fields that <Gather> adds to its ``action``."""
    return Heard(
        words=form.get("SpeechResult", "").strip(),
        confidence=_confidence(form.get("Confidence", "")),
        keys="".join(key for key in form.get("Digits", "") if key in KEYS),
    )


def read_partial(form: Mapping[str, str]) -> str:
    """The words so far, as ``partialResultCallback`` brings them: those that stay and those that may change."""
    stable, unstable = form.get("StableSpeechResult", ""), form.get("UnstableSpeechResult", "")
    return f"{stable} {unstable}".strip()


def is_prompting(stream: Stream, now: datetime) -> bool:
    """Whether the words of the present document are still being spoken; their end is an estimate, so a second is added."""
    ends_at = stream.prompt_ends_at
    return ends_at is not None and now < datetime.fromisoformat(ends_at) + timedelta(seconds=1)


def _confidence(written: str) -> float | None:
    try:
        confidence = float(written)
    except ValueError:
        return None
    return confidence if 0 <= confidence <= 1 else None


def _number(written: str) -> int | None:
    return int(written) if written.isascii() and written.isdigit() and len(written) < 9 else None
