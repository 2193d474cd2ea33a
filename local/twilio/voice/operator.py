"""Puts calls through: from people to the account, from the account to people, and from one call to another.

Everything here runs on the loop's thread.
"""

import asyncio
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from ..account import Account
from ..background import Background
from ..changes import Changes
from ..debugger import Debugger
from ..faults import Fault, Faults
from ..messages import new_sid
from ..numbers import Route, number_sid
from ..webhooks import WebhookExchange, WebhookSender
from . import outbound
from .call import Call
from .clock import Clock
from .creation import NewCall, check_call
from .line import HangUp, Line, Source, Voice
from .phones import Answers, Behaviour
from .progress import EVENTS, Progress
from .ringing import ring
from .script import Step, follow
from .session import Leg, Session
from .verbs import VERBS

T = TypeVar("T")


class Lines:
    """All calls with their lines, in the order in which they began."""

    def __init__(self) -> None:
        self._lines: dict[str, Line] = {}
        self.changes = Changes()

    def __iter__(self) -> Iterator[Line]:
        return iter(list(self._lines.values()))

    def get(self, sid: str) -> Line | None:
        """The line of that call."""
        return self._lines.get(sid)

    def add(self, line: Line) -> None:
        """A call begins."""
        self._lines[line.call.sid] = line
        self.changes.tell()

    def remove(self, line: Line) -> None:
        """Forget a call."""
        self._lines.pop(line.call.sid, None)


@dataclass
class Operator:
    """``phones`` says what people do when they are called; ``base_url`` is where recordings are found.

    ``voice`` speaks for them on streams.
    """

    account: Account
    faults: Faults
    phones: Mapping[str, Behaviour]
    clock: Clock
    debugger: Debugger
    webhooks: WebhookSender
    background: Background
    voice: Voice | None = None
    base_url: str = ""
    lines: Lines = field(default_factory=Lines)
    _progress: dict[str, Progress] = field(default_factory=dict)

    def receive(self, from_: str, to: str, *, attended: bool, extra: Mapping[str, str]) -> Line:
        """A person calls the account. Raises ValueError where the call is for somebody else."""
        if not self.account.owns(to):
            raise ValueError(f"{to} is not a number of the account")
        call = Call(self.account.sid, "inbound", from_, to, "ringing", number_sid(to))
        number = self.account.number(to)
        told = Progress(call, self.webhooks, self.background, number.status_callback or None, number.status_callback_method)
        line = self._begin(call, told, attended)
        fields = {"CallToken": new_sid("CT"), "StirVerstat": "TN-Validation-Passed-A"} | dict(extra)
        self.start(self._run_inbound(line, fields))
        return line

    def place(self, asked: NewCall) -> tuple[Line, asyncio.Task[None]]:
        """The account calls a person; the task ends with the last status callback. Raises Refusal."""
        check_call(asked, self.account)
        call = Call(self.account.sid, "outbound-api", asked.from_, asked.to, "queued", number_sid(asked.from_))
        progress = Progress(call, self.webhooks, self.background, asked.status_callback, asked.status_callback_method)
        if asked.status_callback_events:
            progress.events = frozenset(asked.status_callback_events)
        if not progress.events <= EVENTS:
            self.report(21626, asked.status_callback or "", ", ".join(asked.status_callback_events), call.sid)
            progress.url = None
        progress.break_by(self.faults.take("callbacks", to=asked.to))
        line = self._begin(call, progress, attended=True)
        return line, self.background.start(self._run_outbound(line, asked))

    def call_in(self, from_: str, to: str, script: Sequence[Step] | None, extra: Mapping[str, str]) -> Line:
        """A person calls, who keeps to a script if there is one."""
        line = self.receive(from_, to, attended=script is None, extra=extra)
        if script is not None:
            self.start(follow(line, script))
        return line

    def rung(self, person: str) -> list[Line]:
        """The calls that made that person's phone ring."""
        return [line for line in self.lines if line.call.to == person and line.has_rung]

    async def request(self, kind: str, url: str, fields: Mapping[str, str], method: str = "POST") -> WebhookExchange:
        """Ask a webhook."""
        return await self.webhooks.send(kind, url, fields, method=method)

    def report(self, code: int, url: str, detail: str, sid: str) -> None:
        """Put an alert into the Debugger."""
        self.debugger.report(code, url, detail, sid)

    def start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Begin work that may outlast the call."""
        return self.background.start(work)

    def sign(self, url: str, *, forged: bool = False) -> str:
        """The signature of a handshake, which has no fields."""
        return self.webhooks.sign(f"forged {url}" if forged else url, {})

    def stream_faults(self, person: str) -> list[Fault]:
        """What is to go wrong with the next stream of that person's call."""
        return self.faults.take_all("stream", to=person) + self.faults.take_all("socket", to=person)

    def relay_faults(self, person: str) -> list[Fault]:
        """What is to go wrong with the next relay session of that person's call."""
        return self.faults.take_all("relay", to=person) + self.faults.take_all("socket", to=person)

    def transcription_faults(self, person: str) -> list[Fault]:
        """What is to go wrong with the next transcription of that person's call."""
        return self.faults.take_all("transcript", to=person)

    def prepare(self, parent: Line, leg: Leg) -> Line:
        """A call that is to be made for another."""
        call = Call(self.account.sid, "outbound-dial", leg.caller_id, leg.to, "queued", parent_call_sid=parent.call.sid)
        progress = Progress(call, self.webhooks, self.background, leg.status_callback, leg.status_callback_method, leg.events)
        return self._begin(call, progress, attended=True)

    async def ring(self, line: Line, leg: Leg) -> None:
        """Make it; returns when it is answered or has ended."""
        behaviour = self.phones.get(leg.to, Answers())
        if ending := await ring(line, behaviour, leg.timeout, partial(self._advance, line), queued=False):
            self.end(line, ending.status)
        elif isinstance(behaviour, Answers) and behaviour.script is not None:
            line.attended = False
            self.start(follow(line, behaviour.script))
        if leg.send_digits and not line.call.ended:
            line.hear(f"[play digits {leg.send_digits}]")

    def end(self, line: Line, status: str) -> None:
        """End a call that has not ended."""
        if not line.call.ended:
            self._end(line, status)

    def _begin(self, call: Call, progress: Progress, attended: bool) -> Line:
        line = Line(call, self.clock, attended=attended, voice=self.voice)
        self._progress[call.sid] = progress
        line.note("call", call.status)
        self.lines.add(line)
        return line

    def _answer(self, line: Line) -> None:
        if line.call.status == "ringing":
            self._advance(line, "in-progress", "answered")

    def _advance(self, line: Line, status: str, event: str) -> None:
        line.advance(status)
        self._progress[line.call.sid].tell(event)
        self.lines.changes.tell()

    def _end(self, line: Line, status: str, asked: NewCall | None = None) -> None:
        line.advance(status)
        # Twilio ignores Record of a call with <ConversationRelay>; <Start><Recording> is what records it.
        recording = outbound.recording_of(asked, line.call, self.base_url) if asked and not line.relays else None
        self._progress[line.call.sid].tell("completed", recording.fields() if recording else {})
        self.lines.changes.tell()
        if recording and asked and asked.recording_status_callback and "completed" in asked.recording_status_callback_events:
            url, method = asked.recording_status_callback, asked.recording_status_callback_method
            self.start(self.request("recording", url, recording.status_fields(), method))

    async def _run_inbound(self, line: Line, fields: Mapping[str, str]) -> None:
        route = self.account.number(line.call.to).calls() or Route("")
        if route.fallback_url:
            line.fallback = Source(route.fallback_url, route.fallback_method)
        ending = await self._session(line).run(Source(route.url, route.method, fields))
        if line.call.status == "ringing" and ending.status == "completed":
            ending = HangUp("no-answer" if ending.by == "person" else "canceled", ending.by)
        self._end(line, ending.status)

    async def _run_outbound(self, line: Line, asked: NewCall) -> None:
        behaviour = self.phones.get(asked.to, Answers())
        line.attended = not isinstance(behaviour, Answers) or behaviour.script is None
        ending = await outbound.run(asked, self._session(line), behaviour, partial(self._advance, line))
        self._end(line, ending.status, asked)
        await self._progress[line.call.sid].settle()

    def _session(self, line: Line) -> Session:
        return Session(line, self, VERBS, lambda: self._answer(line))
