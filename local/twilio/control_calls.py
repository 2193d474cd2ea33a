"""Drives calls over HTTP, as :mod:`local.twilio.control` drives texts."""

import base64
from typing import Any

from aiohttp import web

from .json_body import json_object
from .switchboard import Switchboard
from .voice.line import Line
from .voice.phones import Answers, Behaviour, Busy, Fails, NoAnswer
from .voice.script import check_script
from .voice.talking import say

HELP = """\
POST   /_standin/calls               {"from", "to"?, "script"?: [{"say"} | {"press"} | {"wait": s} | {"hang_up": true}],
                                     "fields"?: {}}: a person calls; without a script, drive them with the next but one
GET    /_standin/calls               all calls with their logs, oldest first
GET    /_standin/calls/CA...         one of them; ?heard=N&timeout=S waits until more than N things were said, or the end
POST   /_standin/calls/CA...         {"say": words} | {"press": keys} | {"silence": true} | {"hang_up": true}
                                     | {"sound": base64 of µ-law}; words are spoken where a stream answers;
                                     a call's "relays" say what went over their sockets, and what the person heard
GET    /_standin/calls/CA.../heard   the last stream's audio as the person heard it, raw µ-law; .../spoken: as they spoke
POST   /_standin/phones              {"person", "kind": "answers" | "busy" | "no-answer" | "fails", "after_seconds"?,
                                     "answered_by"?, "script"?}: what that person does when called
POST   /_standin/voice_url           {"url", "fallback"?, "status"?}: where inbound calls go, and who is told of their end
"""
_BEHAVIOURS: dict[str, type[Behaviour]] = {"answers": Answers, "busy": Busy, "no-answer": NoAnswer, "fails": Fails}


class CallControlRoutes:
    """Handlers bound to one switchboard."""

    def __init__(self, switchboard: Switchboard) -> None:
        self._account, self._operator = switchboard.account, switchboard.operator
        self._phones = switchboard.phones
        self.routes = [
            web.get("/_standin/calls", self.list),
            web.post("/_standin/calls", self.call_in),
            web.get("/_standin/calls/{call}", self.fetch),
            web.post("/_standin/calls/{call}", self.act),
            web.get("/_standin/calls/{call}/{side:heard|spoken}", self.audio),
            web.post("/_standin/phones", self.set_phone),
            web.post("/_standin/voice_url", self.set_voice_url),
        ]

    async def list(self, _request: web.Request) -> web.StreamResponse:
        """All calls."""
        return web.json_response([call_json(line) for line in self._operator.lines])

    async def call_in(self, request: web.Request) -> web.StreamResponse:
        """A person calls."""
        given = await json_object(request)
        to = str(given.get("to") or self._account.phone_numbers[0])
        if self._account.owns(to) and self._account.number(to).calls() is None:
            raise ValueError("voice_url is not set")
        check_script(given.get("script") or [])
        fields = {str(name): str(value) for name, value in given.get("fields", {}).items()}
        line = self._operator.call_in(str(given["from"]), to, given.get("script"), fields)
        return web.json_response(call_json(line))

    async def fetch(self, request: web.Request) -> web.StreamResponse:
        """One call."""
        line = self._line(request)
        if "heard" in request.query:
            known, timeout = int(request.query["heard"]), float(request.query.get("timeout", 10))
            await line.changes.wait_until(lambda: len(line.heard) > known or line.call.ended, timeout)
        return web.json_response(call_json(line))

    async def act(self, request: web.Request) -> web.StreamResponse:
        """The person does something."""
        line, given = self._line(request), await json_object(request)
        if len(given) != 1:
            raise ValueError("one of say, press, silence, hang_up")
        [(kind, value)] = given.items()
        actions = {
            "press": lambda: line.press(str(value)),
            "sound": lambda: line.sound(base64.b64decode(str(value), validate=True), "[sound]"),
            "silence": line.silence,
            "hang_up": line.hang_up,
        }
        if kind == "say":
            await say(line, str(value))
        elif kind in actions:
            actions[kind]()
        else:
            raise ValueError(f"{kind} is not one of say, {', '.join(actions)}")
        return web.json_response(call_json(line))

    async def audio(self, request: web.Request) -> web.StreamResponse:
        """What was heard or spoken on the last two-way stream."""
        streams = [record for record in self._line(request).streams if record.two_way]
        if not streams:
            raise ValueError("no stream has begun")
        record = streams[-1]
        audio = record.heard if request.match_info["side"] == "heard" else record.spoken
        return web.Response(body=bytes(audio), content_type="audio/basic")

    async def set_phone(self, request: web.Request) -> web.StreamResponse:
        """What somebody does when called."""
        given = await json_object(request)
        person, kind = str(given.pop("person")), str(given.pop("kind"))
        if kind not in _BEHAVIOURS:
            raise ValueError(f"{kind} is not one of {', '.join(_BEHAVIOURS)}")
        check_script(given.get("script") or [])
        self._phones[person] = _BEHAVIOURS[kind](**given)
        return web.json_response({"person": person, "kind": kind, **given})

    async def set_voice_url(self, request: web.Request) -> web.StreamResponse:
        """Where inbound calls go."""
        given = await json_object(request)
        settings = {"voice_url": given["url"]}
        if "fallback" in given:
            settings["voice_fallback_url"] = given["fallback"]
        if "status" in given:
            settings["status_callback"] = given["status"]
        self._account.set_all(**{name: str(url or "") for name, url in settings.items()})
        return web.json_response(given)

    def _line(self, request: web.Request) -> Line:
        line = self._operator.lines.get(request.match_info["call"])
        if line is None:
            raise KeyError(request.match_info["call"])
        return line


def call_json(line: Line) -> dict[str, Any]:
    """The Call resource, with what was said and done on the line."""
    streams = [record.as_dict() for record in line.streams]
    relays = [record.as_dict() for record in line.relays]
    about = {"log": line.log, "heard": line.heard, "twiml": line.documents, "streams": streams, "relays": relays}
    return line.call.resource() | about
