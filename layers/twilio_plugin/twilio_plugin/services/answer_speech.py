"""The bridge's turn in a call: ask the agent what to say to the person, and say it if they still wait for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from twilio_plugin.domain.actions import ControlCall, HistoryTurn, Say
from twilio_plugin.domain.agent import AgentAnswer, AgentCall, AgentInput, AgentRequest
from twilio_plugin.domain.conversation import as_turns
from twilio_plugin.domain.inbound_turn import SpeechTurn, is_ours, words_to_answer
from twilio_plugin.domain.speech import phrases
from twilio_plugin.domain.timestamp import iso
from twilio_plugin.errors import NoMediaStream, PluginError, TwilioRejected
from twilio_plugin.services.agent_guard import Guard
from twilio_plugin.services.answer_text import PAGE
from twilio_plugin.services.control_call import Controller, control_call
from twilio_plugin.services.ports import Agent, AgentTurns, Clock, History, NoAnswer
from twilio_plugin.services.speak import Speaker, say

ATTEMPTS = 2  # a person on the phone does not wait for more
LONGEST_SAY = 3000  # characters
_CALL_IS_OVER = 21220

# ``interrupted``: they said something else meanwhile, or into the reply. ``gone``: the call or its stream is over.
SpeechOutcome = Literal[
    "replied", "no_reply", "interrupted", "gone", "nobody_there", "taken", "too_many_turns", "no_answer", "not_delivered"
]


@dataclass(frozen=True, slots=True)
class SpeechBridge:
    """What answering speech needs."""

    agent: Agent
    turns: AgentTurns
    history: History
    speaker: Speaker
    controller: Controller
    guard: Guard
    clock: Clock
    sleep: Callable[[float], None]
    look_every: float = 0.2
    """Seconds, while a reply is being played."""
    marks_take: timedelta = timedelta(seconds=5)
    """How long after its end the word may take that a reply was played."""


class _MovedOn(Exception):
    def __init__(self, outcome: Literal["interrupted", "gone"]) -> None:
        super().__init__(outcome)
        self.outcome: Literal["interrupted", "gone"] = outcome


def answer_speech(turn: SpeechTurn, by: SpeechBridge) -> SpeechOutcome:
    """Answer a spoken turn, unless the person has spoken again before it could be said: their next turn takes it along.

    Raises:
        StorageUnavailable: nothing was said.
    """
    if is_ours(turn.person, turn.ours, by.controller.phone_number):
        return "nobody_there"
    try:
        _stay(turn, by)
        if not by.guard.admits(turn):
            return "too_many_turns"
        answer = _ask(turn, by)
        _stay(turn, by)
    except _MovedOn as moved:
        return moved.outcome
    except NoAnswer as trouble:
        by.guard.failed(turn, trouble, attempts=ATTEMPTS)
        return "no_answer"
    if not by.turns.take(turn.event_id, iso(by.clock())):
        return "taken"  # the event came twice
    try:
        return _act(turn, answer, by)
    except NoMediaStream:
        return "gone"
    except PluginError as trouble:
        if isinstance(trouble, TwilioRejected) and trouble.twilio_code == _CALL_IS_OVER:
            return "gone"
        by.guard.failed(turn, trouble, attempts=1)
        return "not_delivered"


def _stay(turn: SpeechTurn, by: SpeechBridge) -> None:
    """Raises _MovedOn where this is no longer what the person waits for."""
    stream = by.speaker.by.streams.of_call(turn.call_sid)
    if stream is None or stream.ended_at or stream.stream_sid != turn.stream_sid:
        raise _MovedOn("gone")
    if stream.turns > turn.turn:
        raise _MovedOn("interrupted")


def _ask(turn: SpeechTurn, by: SpeechBridge) -> AgentAnswer:
    request = _request(turn, by)
    for _ in range(ATTEMPTS - 1):
        try:
            return by.agent.ask(request)
        except NoAnswer:
            _stay(turn, by)
    return by.agent.ask(request)


def _request(turn: SpeechTurn, by: SpeechBridge) -> AgentRequest:
    entries = by.history.page(turn.conversation_id, limit=PAGE, before=None).entries
    words = words_to_answer(entries, turn)
    sids = {one.message_sid for one in words}
    return AgentRequest(
        channel="phone",
        conversation_id=turn.conversation_id,
        from_=turn.person,
        to=turn.ours,
        input=AgentInput(text="\n".join(one.body for one in words) or turn.text),
        turns=[HistoryTurn.model_validate(one) for one in as_turns(one for one in entries if one.message_sid not in sids)],
        call=AgentCall(call_sid=turn.call_sid, stream_sid=turn.stream_sid, direction=turn.direction),
    )


def _act(turn: SpeechTurn, answer: AgentAnswer, by: SpeechBridge) -> SpeechOutcome:
    utterance_id = None
    for words in _portions(answer.words):
        said = say(Say(call_sid=turn.call_sid, text=words), by.speaker)
        if said.status == "interrupted":
            return "interrupted"
        utterance_id = said.utterance_id
    if answer.transfer_to or answer.end_call:
        # Either stops at once what is being said; and whoever speaks into a goodbye has something to say.
        if utterance_id and not _is_heard(turn.call_sid, utterance_id, by):
            return "interrupted"
        action: Literal["end", "transfer"] = "transfer" if answer.transfer_to else "end"
        control_call(ControlCall(call_sid=turn.call_sid, action=action, to=answer.transfer_to), by.controller)
    return "replied" if answer.words or answer.transfer_to or answer.end_call else "no_reply"


def _portions(words: str) -> Iterator[str]:
    """What `say` takes at a time, whole sentences where they are short enough."""
    portion = ""
    for phrase in phrases(words):
        if len(portion) + len(phrase) > LONGEST_SAY:
            yield portion
            portion = ""
        portion += phrase
    if portion.strip():
        yield portion


def _is_heard(call_sid: str, utterance_id: str, by: SpeechBridge) -> bool:
    """Wait until it is played. False if it was stopped before. Marks that never come do not keep the call for ever."""
    utterances = by.speaker.by.utterances
    to_play = sum(piece.milliseconds for one in utterances.open(call_sid) for piece in one.pieces[one.heard :])
    deadline = by.clock() + timedelta(milliseconds=to_play) + by.marks_take
    while True:
        utterance = utterances.find(call_sid, utterance_id)
        if utterance is None or utterance.state != "speaking" or by.clock() >= deadline:
            return utterance is not None and utterance.state != "interrupted"
        by.sleep(by.look_every)
