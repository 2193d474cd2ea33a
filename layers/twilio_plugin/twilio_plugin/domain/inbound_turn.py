"""What a person said and the agent is to answer: a text, or a turn in a call; and which words belong to an answer.

Read by functions that wait for nothing, so without pydantic.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from twilio_plugin.domain.address import Address, Channel
from twilio_plugin.domain.call import CallDirection
from twilio_plugin.domain.conversation import Entry

if TYPE_CHECKING:
    from twilio_plugin.domain.agent import AgentAnswer

# Of texts whose turns are over, so that one which was stored late is told from one that came again.
REMEMBERED = 50
# Short codes and sender names are machines, and take no answer.
_NUMBER = re.compile(r"\+\d{7,15}")


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundTurn:
    """What both have."""

    event_id: str
    account_sid: str
    conversation_id: str
    channel: Channel
    person: str
    ours: str
    call_sid: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TextTurn(InboundTurn):
    """A text that is waiting: where to find it, not what it says."""

    message_sid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechTurn(InboundTurn):
    """A turn that a person spoke."""

    call_sid: str
    stream_sid: str
    direction: CallDirection
    text: str
    turn: int
    """Which of the stream, from 1."""

    @property
    def message_sid(self) -> str:
        """What the history calls it."""
        return f"{self.stream_sid}-{self.turn}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SettledTurn:
    """The last turn of a conversation's texts that is over: the agent answered, or was given up on."""

    event_id: str
    texts: tuple[str, ...]
    """The SIDs of the texts it was about."""
    up_to: str
    """The `place` of the newest of them."""
    earlier: tuple[str, ...] = ()
    """The SIDs of turns before it, at most `REMEMBERED`."""
    answer: AgentAnswer | None = None
    """None if the agent was given up on."""


def text_turn(detail: Mapping[str, Any]) -> TextTurn:
    """From the detail of an SMS_RECEIVED."""
    return TextTurn(
        event_id=detail["event_id"],
        account_sid=detail["account_sid"],
        conversation_id=detail["conversation_id"],
        channel=detail["channel"],
        person=detail["from"],
        ours=detail["to"],
        message_sid=detail["message_sid"],
    )


def speech_turn(detail: Mapping[str, Any]) -> SpeechTurn:
    """From the detail of a SPEECH_RECEIVED."""
    ends = (detail["from"], detail["to"])
    person, ours = ends if detail["direction"] == "inbound" else ends[::-1]
    return SpeechTurn(
        event_id=detail["event_id"],
        account_sid=detail["account_sid"],
        conversation_id=detail["conversation_id"],
        channel="phone",
        person=person,
        ours=ours,
        call_sid=detail["call_sid"],
        stream_sid=detail["stream_sid"],
        direction=detail["direction"],
        text=detail["text"],
        turn=detail["turn"],
    )


def is_ours(person: str, ours: str, our_number: str) -> bool:
    """Whether we would be talking to ourselves: nobody there ever stops."""
    return Address.parse(person).value in (our_number, Address.parse(ours).value)


def can_be_texted(person: str) -> bool:
    """Whether an answer can arrive and is for a person."""
    address = Address.parse(person)
    return address.channel == "whatsapp" or (address.channel == "phone" and bool(_NUMBER.fullmatch(address.value)))


def place(entry: Entry) -> str:
    """Where an entry stands in its conversation; sorts as text."""
    return f"{entry.occurred_at}#{entry.message_sid}"


def texts_to_answer(entries: Sequence[Entry], message_sid: str, last: SettledTurn | None) -> list[Entry]:
    """The texts that one answer is for, oldest first; none if this text is not the one to have them answered.

    Those are all that no turn was about, and the newest of them has them answered. What was sent meanwhile says nothing: the
    reply to an earlier text often stands behind a later one. Only where no turn is known yet, a message of ours counts as the
    answer to all before it. A text that was stored late, behind ones that are settled, is answered by itself.
    """
    texts = [one for one in entries if one.direction == "inbound" and one.kind != "speech" and not one.opt_out_type]
    this = next((one for one in texts if one.message_sid == message_sid), None)
    settled = {*last.texts, *last.earlier} if last else set()
    if this is None or message_sid in settled:
        return []
    sent = [place(one) for one in entries if one.direction == "outbound" and one.kind != "speech"]
    since = last.up_to if last else max(sent, default="")
    waiting = [one for one in texts if one.message_sid not in settled and (place(one) > since or one is this)]
    return waiting if waiting[-1] is this or place(this) <= since else []


def words_to_answer(entries: Sequence[Entry], turn: SpeechTurn) -> list[Entry]:
    """The spoken turns that one answer is for: this one, and those before it since the agent was last heard in the call."""
    since: list[Entry] = []
    for entry in (one for one in entries if one.call_sid == turn.call_sid):
        since = [] if entry.direction == "outbound" else [*since, entry]
        if entry.message_sid == turn.message_sid:
            return since
    return []


def settle(turn: TextTurn, texts: Sequence[Entry], answer: AgentAnswer | None, last: SettledTurn | None) -> SettledTurn:
    """The turn as the conversation remembers it."""
    known = [*last.earlier, *last.texts] if last else []
    return SettledTurn(
        event_id=turn.event_id,
        texts=tuple(one.message_sid for one in texts),
        up_to=max([place(one) for one in texts] + ([last.up_to] if last else [])),
        earlier=tuple(known[-REMEMBERED:]),
        answer=answer,
    )
