"""A conversation as it is kept and as an agent reads it back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypedDict

from twilio_plugin.domain.media_copy import MediaRefusal
from twilio_plugin.domain.message import Media
from twilio_plugin.domain.message_status import FAILED
from twilio_plugin.domain.transcription import Speaker

Kind = Literal["sms", "mms", "speech"]
Direction = Literal["inbound", "outbound"]


@dataclass(frozen=True, slots=True)
class KeptMedia(Media):
    """An attachment as the history has it."""

    size: int | None = None
    """Bytes, once the copy is there."""
    refused: MediaRefusal | None = None
    """Why there will never be a copy; then there is no ``s3_key``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One message or spoken turn of a conversation."""

    conversation_id: str
    occurred_at: str
    """ISO 8601, UTC, milliseconds: when it was received, or accepted by Twilio."""
    kind: Kind
    direction: Direction
    message_sid: str
    """Twilio's id of a message. Of speech: the utterance's id, ``<stream_sid>-<turn>`` for what the person said, or
    ``<transcription_sid>-<sequence_id>`` for what was said in a call that is only listened to."""
    from_: str
    to: str
    body: str
    media: tuple[Media, ...] = ()
    opt_out_type: str | None = None
    call_sid: str | None = None
    """Speech only: the call in which it was said."""
    speaker: Speaker | None = None
    """Transcribed speech only: whose words they are."""
    status: str | None = None
    """Outbound messages only: the last status known."""
    error_code: int | None = None


class Turn(TypedDict):
    """A turn as chat models take it."""

    role: Literal["user", "assistant"]
    content: str


def as_text(entries: Sequence[Entry]) -> str:
    """The conversation in lines, oldest first: what an agent can put in its prompt as it is."""
    if not entries:
        return "No messages yet."
    return "\n".join(f"[{entry.occurred_at}] {_speaker(entry)}: {_content(entry)}{_remark(entry)}" for entry in entries)


def as_turns(entries: Iterable[Entry]) -> list[Turn]:
    """The conversation as alternating turns, oldest first.

    Neighbours of one side become one turn, because several models accept nothing else. Texts that did not arrive are left
    out, because the person never saw them; so are STOP, START and HELP, which are said to Twilio.
    """
    turns: list[Turn] = []
    for entry in entries:
        if entry.status in FAILED or entry.opt_out_type:
            continue
        role: Literal["user", "assistant"] = "user" if entry.direction == "inbound" else "assistant"
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += "\n" + _said_to_model(entry)
        else:
            turns.append({"role": role, "content": _said_to_model(entry)})
    return turns


def _speaker(entry: Entry) -> str:
    if entry.speaker == "callee":
        return "Callee"
    return "User" if entry.direction == "inbound" else "Assistant"


def _content(entry: Entry) -> str:
    attachments = [f"[{media.content_type}: {media.url}]" for media in entry.media]
    return "\n".join([*([entry.body] if entry.body else []), *attachments])


def _said_to_model(entry: Entry) -> str:
    """In the agent's role a model must not take for its own what somebody else said to the person."""
    return f"[callee] {_content(entry)}" if entry.speaker == "callee" else _content(entry)


def _remark(entry: Entry) -> str:
    if entry.status in FAILED:
        return f" (not delivered{f', error {entry.error_code}' if entry.error_code else ''})"
    return f" ({entry.opt_out_type})" if entry.opt_out_type else ""
