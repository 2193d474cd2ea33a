"""What Twilio does during a call: fetches a document, executes its verbs in order, fetches the next.

A verb is a coroutine function of its own. It answers with the :class:`~local.twilio.voice.line.Source` of the document to
go on with, with a :class:`~local.twilio.voice.line.HangUp`, or with None for the verb that follows it; it is cancelled when
somebody hangs up or the REST API redirects the call.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar
from urllib.parse import urljoin
from xml.etree.ElementTree import Element

from ..faults import Fault
from ..validation import is_url
from ..webhooks import WebhookExchange
from .clock import speaking_seconds
from .documents import Document, DocumentError, read_document, read_twiml
from .line import HangUp, Line, Source
from .requests import call_fields

APPLICATION_ERROR = "We are sorry, an application error has occurred. Goodbye."
MAX_SILENT_DOCUMENTS = 100
T = TypeVar("T")
Outcome = Source | HangUp | None
Verb = Callable[["Session", Element], Awaitable[Outcome]]


@dataclass(frozen=True)
class Leg:
    """A call that a call makes; ``timeout`` is seconds of the call."""

    to: str
    caller_id: str
    timeout: float = 30.0
    status_callback: str | None = None
    status_callback_method: str = "POST"
    events: frozenset[str] = frozenset({"completed"})
    send_digits: str | None = None


class Network(Protocol):
    """What a call needs of the rest of Twilio; ``base_url`` is where its recordings are found."""

    base_url: str

    async def request(self, kind: str, url: str, fields: Mapping[str, str], method: str = "POST") -> WebhookExchange:
        """Ask a webhook."""

    def report(self, code: int, url: str, detail: str, sid: str) -> None:
        """Put an alert into the Debugger."""

    def start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Begin work that may outlast the call."""

    def sign(self, url: str, *, forged: bool = False) -> str:
        """The signature of a handshake."""

    def stream_faults(self, person: str) -> list[Fault]:
        """What is to go wrong with the next stream of that person's call."""

    def relay_faults(self, person: str) -> list[Fault]:
        """What is to go wrong with the next relay session of that person's call."""

    def transcription_faults(self, person: str) -> list[Fault]:
        """What is to go wrong with the next transcription of that person's call."""

    def prepare(self, parent: Line, leg: Leg) -> Line:
        """A call that is to be made for another."""

    async def ring(self, line: Line, leg: Leg) -> None:
        """Make it; returns when it is answered or has ended."""

    def end(self, line: Line, status: str) -> None:
        """End a call that has not ended."""


class Session:
    """One call under Twilio's control. ``answer`` is called when the first document wants it.

    ``told`` is what cancelled the running verb: where the call goes on, or its end; None where its time is over.
    """

    def __init__(self, line: Line, network: Network, verbs: Mapping[str, Verb], answer: Callable[[], None]) -> None:
        self.line, self.network = line, network
        self.time_limit = 14_400.0
        self.document = Document("", "")
        self.told: Source | HangUp | None = None
        self._source = Source()
        self._verbs, self._answer = verbs, answer
        self._silent_documents = 0

    async def run(self, source: Source) -> HangUp:
        """Returns when the call is to end: nothing is left to do, somebody hung up, or its time is over."""
        limit = self.line.clock.here(self.time_limit) or None
        try:
            async with asyncio.timeout(limit) as self.line.deadline:
                order: Source | HangUp = source
                while isinstance(order, Source):
                    order = await self._run_until_told(order)
                return order
        except TimeoutError:
            return HangUp(by="time limit")

    def url(self, target: str) -> str:
        """A URL in the present document, absolute; its own for an empty one. Raises DocumentError 11100."""
        url = urljoin(self.document.url, target.strip())
        if not is_url(url):
            raise DocumentError(11100, f"{target!r} in {self.document.url or 'TwiML without a URL'}")
        return url

    def source(self, verb: Element, fields: Mapping[str, str], target: str | None = None) -> Source:
        """Where ``action`` and ``method`` of a verb lead, with the fields that it adds."""
        url = self.url(verb.get("action", "") if target is None else target)
        return Source(url, verb.get("method", "POST").upper(), fields)

    def warn(self, detail: str, code: int = 12200) -> None:
        """Complain about the document."""
        self.network.report(code, self.document.url, detail, self.line.call.sid)

    def has_sounded(self) -> None:
        """There was something to hear, so that the call is not one that only leads from document to document."""
        self._silent_documents = 0

    async def perform(self, verb: Element) -> Outcome:
        """Execute one verb."""
        heard = len(self.line.heard)
        outcome = await self._verbs[verb.tag](self, verb)
        if len(self.line.heard) > heard or verb.tag in {"Pause", "Gather", "Record", "Dial"}:
            self.has_sounded()
        return outcome

    async def _run_until_told(self, source: Source) -> Source | HangUp:
        self.told = None
        work = asyncio.create_task(self._execute(source))
        told = asyncio.create_task(self.line.orders.get())
        try:
            await asyncio.wait({work, told}, return_when=asyncio.FIRST_COMPLETED)
            self.told = told.result() if told.done() else None
            return told.result() if told.done() else work.result()
        finally:
            work.cancel()
            told.cancel()
            await asyncio.gather(work, told, return_exceptions=True)

    async def _execute(self, source: Source) -> HangUp:
        outcome: Outcome = source
        try:
            while isinstance(outcome, Source):
                self.document = await self._fetch(outcome)
                outcome = await self._execute_document()
        except DocumentError as error:
            self._report(error, self._source.url)
            self._answer()
            await self.line.speak(APPLICATION_ERROR, speaking_seconds(APPLICATION_ERROR))
        return outcome if isinstance(outcome, HangUp) else HangUp()

    async def _execute_document(self) -> Outcome:
        if self._silent_documents > MAX_SILENT_DOCUMENTS:
            self.warn(f"{MAX_SILENT_DOCUMENTS} documents without anything to hear: ended by the stand-in", code=0)
            return HangUp()
        self._silent_documents += 1
        verbs = self.document.verbs
        if not (verbs and verbs[0].tag == "Reject"):
            self._answer()
        for verb in verbs:
            if outcome := await self.perform(verb):
                return outcome
        return HangUp()

    async def _fetch(self, source: Source) -> Document:
        try:
            return await self._ask(source)
        except DocumentError as error:
            if self.line.fallback is None:
                raise
            self._report(error, source.url)
            about = {"ErrorCode": str(error.code), "ErrorUrl": source.url.partition("#")[0]}
            return await self._ask(replace(self.line.fallback, fields={**source.fields, **about}))

    async def _ask(self, source: Source) -> Document:
        self._source = source
        if source.twiml is not None:
            return self._received(read_twiml("", source.twiml))
        fields = call_fields(self.line.call) | dict(source.fields)
        exchange = await self.network.request("call", source.url, fields, source.method)
        if not exchange.succeeded:
            raise DocumentError(exchange.error_code or 11200, "no document", reported=True)
        return self._received(read_document(source.url, exchange.content_type, exchange.body))

    def _received(self, document: Document) -> Document:
        self.line.documents.append(document.text)
        for warning in document.warnings:
            self.network.report(12200, document.url, warning, self.line.call.sid)
        return document

    def _report(self, error: DocumentError, url: str) -> None:
        if not error.reported:
            self.network.report(error.code, url.partition("#")[0], str(error), self.line.call.sid)
