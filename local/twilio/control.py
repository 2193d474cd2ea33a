"""Drives the stand-in over HTTP, so that other processes and curl can play the person and break things.

JSON, without credentials, and only for this machine.
"""

import base64
import binascii
import ipaddress
from collections.abc import Awaitable, Callable
from dataclasses import asdict, replace

from aiohttp import web

from .control_calls import HELP as HELP_ON_CALLS
from .inbound import InboundText
from .json_body import json_object
from .messages import Message
from .numbers import SETTINGS, Number
from .services import Service
from .switchboard import Switchboard

HELP = """\
The Twilio stand-in. Its REST API is under /2010-04-01/; this is how to drive it:

GET    /_standin/texts?person=+1...  what that person's phone shows; &after=N&timeout=S waits until there are more than N
POST   /_standin/texts               {"from", "body", "to"?, "media"?: [url | {"content_type", "base64"}], "fields"?: {}}
                                     a person texts; answers with the exchange with the webhook
GET    /_standin/exchanges           the last thousand webhooks and their answers, oldest first
GET    /_standin/alerts              what Twilio's Debugger would show
GET    /_standin/faults              what is still to go wrong
POST   /_standin/faults              {"kind", "count"?, options...}; the kinds are listed in local/twilio/faults.py
DELETE /_standin/faults              forget them
POST   /_standin/sms_url             {"url"}: where inbound texts go, whatever the number
GET    /_standin/numbers             the account's numbers and where what comes in for them goes
POST   /_standin/numbers             {"phone_number", settings of an IncomingPhoneNumber...}: changes one, or adds it
POST   /_standin/services            {"friendly_name", "numbers", settings...}: adds a Messaging Service; answers with its SID
GET    /_standin/standing            what Twilio and carriers let the account do
POST   /_standin/standing            {"status", "type", "no_calls_to"...}: takes it away; see local/twilio/standing.py
"""


class ControlRoutes:
    """Handlers bound to one switchboard."""

    def __init__(self, switchboard: Switchboard) -> None:
        self._switchboard = switchboard
        self.routes = [
            web.get("/_standin", self.help),
            web.get("/_standin/texts", self.texts),
            web.post("/_standin/texts", self.send_text),
            web.get("/_standin/exchanges", self.exchanges),
            web.get("/_standin/alerts", self.alerts),
            web.get("/_standin/faults", self.faults),
            web.post("/_standin/faults", self.add_fault),
            web.delete("/_standin/faults", self.clear_faults),
            web.post("/_standin/sms_url", self.set_sms_url),
            web.get("/_standin/numbers", self.numbers),
            web.post("/_standin/numbers", self.set_number),
            web.post("/_standin/services", self.add_service),
            web.get("/_standin/standing", self.standing),
            web.post("/_standin/standing", self.set_standing),
        ]

    async def help(self, _request: web.Request) -> web.StreamResponse:
        """This text."""
        return web.Response(text=HELP + HELP_ON_CALLS)

    async def texts(self, request: web.Request) -> web.StreamResponse:
        """The texts on a phone."""
        person, log = request.query["person"], self._switchboard.log
        if "after" in request.query:
            after = int(request.query["after"])
            await log.wait_until(lambda: len(log.texts_to(person)) > after, float(request.query.get("timeout", 10)))
        return web.json_response([text_json(message) for message in log.texts_to(person)])

    async def send_text(self, request: web.Request) -> web.StreamResponse:
        """A person texts."""
        given = await json_object(request)
        exchange = await self._switchboard.receive(
            InboundText(
                from_=str(given["from"]),
                to=str(given.get("to") or self._switchboard.account.sender_for(str(given["from"]))),
                body=str(given.get("body", "")),
                media=[_media(item) for item in given.get("media", [])],
                extra={str(name): str(value) for name, value in given.get("fields", {}).items()},
            )
        )
        return web.json_response(exchange and exchange.as_dict())

    async def exchanges(self, _request: web.Request) -> web.StreamResponse:
        """All exchanges."""
        return web.json_response([exchange.as_dict() for exchange in self._switchboard.webhooks.exchanges()])

    async def alerts(self, _request: web.Request) -> web.StreamResponse:
        """All alerts."""
        return web.json_response([alert.as_dict() for alert in self._switchboard.debugger.alerts()])

    async def faults(self, _request: web.Request) -> web.StreamResponse:
        """All faults to come."""
        return web.json_response(self._switchboard.faults.pending())

    async def add_fault(self, request: web.Request) -> web.StreamResponse:
        """One more."""
        given = await json_object(request)
        self._switchboard.faults.add(str(given.pop("kind")), int(given.pop("count", 1)), **given)
        return await self.faults(request)

    async def clear_faults(self, request: web.Request) -> web.StreamResponse:
        """No more."""
        self._switchboard.faults.clear()
        return await self.faults(request)

    async def set_sms_url(self, request: web.Request) -> web.StreamResponse:
        """Where inbound texts go."""
        url = (await json_object(request))["url"]
        self._switchboard.account.set_all(sms_url=str(url or ""))
        return web.json_response({"url": url})

    async def numbers(self, _request: web.Request) -> web.StreamResponse:
        """All numbers."""
        return web.json_response(self._switchboard.account.number_resources())

    async def set_number(self, request: web.Request) -> web.StreamResponse:
        """Change a number as the REST API would, or add it."""
        given, account = await json_object(request), self._switchboard.account
        phone_number = str(given.pop("phone_number"))
        if unknown := set(given) - SETTINGS:
            raise ValueError(f"a number has no {', '.join(sorted(unknown))}")
        number = account.numbers.setdefault(phone_number, Number(phone_number))
        number.change({name: str(value or "") for name, value in given.items()})
        return web.json_response(number.resource(account.sid, account.date_created))

    async def add_service(self, request: web.Request) -> web.StreamResponse:
        """One more service."""
        service, account = Service(**await json_object(request)), self._switchboard.account
        account.services[service.sid] = service
        return web.json_response(service.resource(account.sid, account.date_created))

    async def standing(self, _request: web.Request) -> web.StreamResponse:
        """All of it."""
        return web.json_response(asdict(self._switchboard.account.standing))

    async def set_standing(self, request: web.Request) -> web.StreamResponse:
        """Change what is given."""
        account = self._switchboard.account
        account.standing = replace(account.standing, **await json_object(request))
        return await self.standing(request)


@web.middleware
async def control_middleware(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Keeps strangers out, and says in JSON what is wrong with a request."""
    if not request.path.startswith("/_standin"):
        return await handler(request)
    if not ipaddress.ip_address(request.remote or "0.0.0.0").is_loopback:
        return web.json_response({"error": "only for this machine"}, status=403)
    try:
        return await handler(request)
    except KeyError as error:
        return web.json_response({"error": f"{error} is missing"}, status=400)
    except (ValueError, TypeError, AttributeError) as error:
        return web.json_response({"error": str(error)}, status=400)


def text_json(message: Message) -> dict[str, object]:
    """A text as the phone shows it: the Message resource and the addresses of its media."""
    return message.resource() | {"media_urls": message.media_urls}


def _media(item: object) -> tuple[str, bytes] | str:
    if isinstance(item, str):
        return item
    if not isinstance(item, dict):
        raise TypeError("a medium is a URL or an object with content_type and base64")
    try:
        return str(item["content_type"]), base64.b64decode(item["base64"], validate=True)
    except binascii.Error as error:
        raise ValueError(f"base64: {error}") from None
