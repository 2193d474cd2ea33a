"""The bridge under test: its ports in memory. `test_agent_turns_contract` holds the fake to what the adapter does."""

from __future__ import annotations

from collections.abc import Callable

from tests.unit.fakes import FakeOutbox
from twilio_plugin.domain.agent import AgentAnswer, AgentRequest
from twilio_plugin.domain.events import Event
from twilio_plugin.domain.inbound_turn import SettledTurn
from twilio_plugin.services import ports
from twilio_plugin.services.ports import NoAnswer


class FakeAgent:
    """Echoes, unless `answers` holds something else for the next turns. `meanwhile` happens while it thinks."""

    def __init__(self) -> None:
        self.asked: list[AgentRequest] = []
        self.answers: list[AgentAnswer | NoAnswer] = []
        self.meanwhile: list[Callable[[], object]] = []

    def ask(self, request: AgentRequest) -> AgentAnswer:
        self.asked.append(request)
        if self.meanwhile:
            self.meanwhile.pop(0)()
        answer = self.answers.pop(0) if self.answers else AgentAnswer(reply=f"You said: {request.input.text}")
        if isinstance(answer, NoAnswer):
            raise answer
        return answer

    @property
    def inputs(self) -> list[str]:
        """What it was asked about, turn by turn."""
        return [one.input.text for one in self.asked]


class FakeAgentTurns:
    def __init__(self, outbox: FakeOutbox) -> None:
        self._outbox = outbox
        self._last: dict[str, SettledTurn] = {}
        self._taken: set[str] = set()
        self._counts: dict[tuple[str, str], tuple[int, str]] = {}
        self._announced: set[tuple[str, str]] = set()

    def last(self, conversation_id: str) -> SettledTurn | None:
        return self._last.get(conversation_id)

    def settle(self, conversation_id: str, turn: SettledTurn, *, after: SettledTurn | None) -> bool:
        now = self._last.get(conversation_id)
        if (now and now.event_id) != (after and after.event_id):
            return False
        self._last[conversation_id] = turn
        return True

    def take(self, event_id: str, now: str) -> bool:
        if event_id in self._taken:
            return False
        self._taken.add(event_id)
        return True

    def admit(self, conversation_id: str, period: str, event_id: str, *, ceiling: int, now: str) -> bool:
        count, counted = self._counts.get((conversation_id, period), (0, ""))
        if counted == event_id:
            return True
        if count >= ceiling:
            return False
        self._counts[conversation_id, period] = count + 1, event_id
        return True

    def refuse(self, conversation_id: str, period: str, event: Event) -> bool:
        if (conversation_id, period) in self._announced:
            return False
        self._announced.add((conversation_id, period))
        self._outbox.put(event)
        return True


_agent: type[ports.Agent] = FakeAgent
