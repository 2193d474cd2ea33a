"""``/Calls`` of the REST API: make, list, fetch, change and delete calls."""

import asyncio
from collections.abc import Mapping

from aiohttp import web

from .listing import call_filter, page_of
from .refusals import refusal
from .rest import ROOT, ConnectionDropped, answer_json, form_of, not_found
from .switchboard import Switchboard
from .voice.creation import NewCall, call_refusal, check_instructions
from .voice.line import HangUp, Line, Source

ENDING_SECONDS = 2.0  # how long an answer waits for the end that was asked for


class CallRoutes:
    """Handlers bound to one switchboard."""

    def __init__(self, switchboard: Switchboard) -> None:
        self._switchboard, self._operator = switchboard, switchboard.operator
        calls = f"{ROOT}/{{account}}/Calls"
        self.routes = [
            web.post(f"{calls}.json", self.create),
            web.get(f"{calls}.json", self.list),
            web.get(f"{calls}/{{call}}.json", self.fetch),
            web.post(f"{calls}/{{call}}.json", self.update),
            web.delete(f"{calls}/{{call}}.json", self.delete),
        ]

    async def create(self, request: web.Request) -> web.StreamResponse:
        """Call somebody. The answer shows the call as it was queued."""
        asked = NewCall.of_form(await form_of(request))
        line, ended = self._operator.place(asked)
        resource = line.call.resource()
        fault = self._switchboard.faults.take("answer", to=asked.to)
        if fault and fault.kind == "drop_after":
            raise ConnectionDropped
        if fault and fault.kind == "late_response":
            await asyncio.shield(ended)
        return answer_json(resource, status=201)

    async def list(self, request: web.Request) -> web.StreamResponse:
        """One page of the calls, newest first."""
        wanted = call_filter(request.query)
        calls = [line.call.resource() for line in reversed(list(self._operator.lines)) if wanted(line.call)]
        return answer_json(page_of("calls", calls, request.rel_url))

    async def fetch(self, request: web.Request) -> web.StreamResponse:
        """One call."""
        return answer_json(self._line(request).call.resource())

    async def update(self, request: web.Request) -> web.StreamResponse:
        """End a call, have it go on with other TwiML at once, or say how old it may become."""
        line, form = self._line(request), await form_of(request)
        if form.get("TimeLimit"):
            self._limit(line, form["TimeLimit"])
        if form.get("Status"):
            await self._end(line, form["Status"])
        elif form.get("Url") or form.get("Twiml") or not form.get("TimeLimit"):
            self._redirect(line, form)
        return answer_json(line.call.resource())

    async def delete(self, request: web.Request) -> web.StreamResponse:
        """Forget a call that has ended."""
        line = self._line(request)
        if not line.call.ended:
            raise refusal(20009)
        self._operator.lines.remove(line)
        return web.Response(status=204)

    async def _end(self, line: Line, status: str) -> None:
        if status not in {"completed", "canceled"}:
            raise call_refusal(20001, f"Status {status} is not one of completed, canceled")
        if line.call.ended:
            raise call_refusal(21220)
        if status == "canceled" and line.call.status == "in-progress":
            return
        line.orders.put_nowait(HangUp(by="api"))
        await line.changes.wait_until(lambda: line.call.ended, ENDING_SECONDS)

    def _limit(self, line: Line, seconds: str) -> None:
        if not seconds.isdecimal():
            raise call_refusal(20001, "Invalid TimeLimit")
        if line.call.status != "in-progress":
            raise call_refusal(21220)
        line.limit(float(seconds))

    def _redirect(self, line: Line, form: Mapping[str, str]) -> None:
        url, twiml, method = form.get("Url") or None, form.get("Twiml") or None, form.get("Method", "POST").upper()
        check_instructions(url, twiml, method)
        if line.call.status != "in-progress":
            raise call_refusal(21220)
        if form.get("FallbackUrl"):
            line.fallback = Source(form["FallbackUrl"], form.get("FallbackMethod", "POST").upper())
        line.note("api", url or "other TwiML")
        line.orders.put_nowait(Source(url or "", method, twiml=twiml))

    def _line(self, request: web.Request) -> Line:
        line = self._operator.lines.get(request.match_info["call"])
        if line is None:
            raise not_found(request)
        return line
