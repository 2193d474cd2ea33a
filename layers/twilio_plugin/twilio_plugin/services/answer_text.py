"""The bridge's turn of texts: ask the agent about all that is unanswered, and send what it says."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from twilio_plugin.domain.actions import HistoryMedia, HistoryTurn, SendMessage, SendMms, SendSms
from twilio_plugin.domain.agent import AgentAnswer, AgentInput, AgentRequest
from twilio_plugin.domain.conversation import Entry, as_turns
from twilio_plugin.domain.inbound_turn import TextTurn, can_be_texted, is_ours, settle, texts_to_answer
from twilio_plugin.errors import PluginError, RecipientOptedOut
from twilio_plugin.services.agent_guard import Guard
from twilio_plugin.services.ports import Agent, AgentTurns, History, NoAnswer
from twilio_plugin.services.send_message import Sender, send_message

PAGE = 50  # entries of the conversation that the agent is given

# ``not_this_text``: another text has it answered, or had. ``nobody_there``: it came from ourselves or from a machine.
TextOutcome = Literal["replied", "no_reply", "not_this_text", "nobody_there", "opted_out", "too_many_turns", "not_delivered"]


class TryAgain(Exception):
    """The turn failed and can succeed later. ``error_type`` is the agent's or the plugin's."""

    def __init__(self, error_type: str) -> None:
        super().__init__(error_type)
        self.error_type = error_type


@dataclass(frozen=True, slots=True)
class TextBridge:
    """What answering texts needs."""

    agent: Agent
    turns: AgentTurns
    history: History
    sender: Sender
    guard: Guard
    attempts: int
    """After so many the turn is given up."""


def answer_text(turn: TextTurn, attempt: int, by: TextBridge) -> TextOutcome:
    """Answer what is unanswered, if this text is the one to have it answered.

    `attempt` counts from 1. What the agent has answered is kept before it is sent: a turn that fails after it goes on with the
    same words, and is safe to repeat because the event's id is the idempotency key.

    Raises:
        TryAgain: repeat it. After the last attempt it is announced too, and the person's next text has a turn of its own.
    """
    if is_ours(turn.person, turn.ours, by.sender.phone_number) or not can_be_texted(turn.person):
        return "nobody_there"
    try:
        return _answer(turn, attempt, by)
    except RecipientOptedOut:
        return "opted_out"
    except (NoAnswer, PluginError) as trouble:
        again = isinstance(trouble, NoAnswer) or trouble.retryable
        if not again or attempt >= by.attempts:
            by.guard.failed(turn, trouble, attempts=attempt)
        if again:
            raise TryAgain(trouble.error_type if isinstance(trouble, NoAnswer) else type(trouble).__name__) from trouble
        return "not_delivered"


def _answer(turn: TextTurn, attempt: int, by: TextBridge) -> TextOutcome:
    last = by.turns.last(turn.conversation_id)
    is_again = last is not None and last.event_id == turn.event_id
    if last and is_again and last.answer:
        return _reply(turn, last.answer, by)
    entries = by.history.page(turn.conversation_id, limit=PAGE, before=None).entries
    if last and is_again:  # given up, and put back into the queue by somebody
        texts = [one for one in entries if one.message_sid in last.texts]
    else:
        texts = texts_to_answer(entries, turn.message_sid, last)
    if not texts:
        return "not_this_text"
    if not by.guard.admits(turn, attempt=attempt):
        return "too_many_turns"
    try:
        answer = by.agent.ask(_request(turn, texts, entries))
    except NoAnswer:
        if attempt >= by.attempts:
            # Otherwise a text that the agent cannot bear would be in every later turn too.
            by.turns.settle(turn.conversation_id, settle(turn, texts, None, last), after=last)
        raise
    if not by.turns.settle(turn.conversation_id, settle(turn, texts, answer, last), after=last):
        raise TryAgain("TurnMoved")  # Lambda ran the turn twice, and the other one was first
    return _reply(turn, answer, by)


def _request(turn: TextTurn, texts: Sequence[Entry], entries: Sequence[Entry]) -> AgentRequest:
    sids = {one.message_sid for one in texts}
    media = [HistoryMedia.model_validate(dataclasses.asdict(one)) for text in texts for one in text.media]
    return AgentRequest(
        channel=turn.channel,
        conversation_id=turn.conversation_id,
        from_=turn.person,
        to=turn.ours,
        input=AgentInput(text="\n".join(text.body for text in texts if text.body), media=media),
        turns=[HistoryTurn.model_validate(one) for one in as_turns(one for one in entries if one.message_sid not in sids)],
    )


def _reply(turn: TextTurn, answer: AgentAnswer, by: TextBridge) -> TextOutcome:
    if not answer.says_something:
        return "no_reply"
    kind: type[SendMessage] = SendMms if answer.media_url else SendSms
    request = kind(
        to=turn.person, from_=turn.ours, body=answer.words, media_url=answer.media_url, idempotency_key=turn.event_id
    )
    send_message(request, turn.event_id, by.sender)
    return "replied"
