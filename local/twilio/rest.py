"""The REST API as HTTP: credentials, errors, faults. What the routes do is in the ``rest_*`` modules.

Every answer carries what api.twilio.com sends with it; errors are the JSON of :mod:`local.twilio.refusals`. What
messaging.twilio.com serves is on the same port, below ``/v1/``.
"""

import asyncio
import re
import secrets
from collections.abc import Awaitable, Callable

from aiohttp import BasicAuth, web
from aiohttp.typedefs import Middleware
from multidict import MultiDict

from .faults import Fault
from .messages import API_VERSION
from .refusals import Refusal, refusal
from .switchboard import Switchboard

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
ROOT = f"/{API_VERSION}/Accounts"
MESSAGING = "/v1/Services"
_CODES = {429: 20429, 500: 20500, 503: 20503}


class ConnectionDropped(Exception):
    """The connection is to be closed without an answer."""


def rest_middleware(switchboard: Switchboard) -> Middleware:
    """Wraps all of ``/2010-04-01/`` and ``/v1/``; other paths pass untouched."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not request.path.startswith((f"/{API_VERSION}", "/v1/")):
            return await handler(request)
        try:
            _authenticate(request, switchboard)
            return await _answer(request, handler, switchboard)
        except Refusal as error:
            return answer_json(error.body(), status=error.status)
        except web.HTTPNotFound:
            return answer_json(not_found(request).body(), status=404)
        except web.HTTPMethodNotAllowed:
            return answer_json(refusal(20004).body(), status=405)
        except ConnectionDropped:
            if request.transport is not None:
                request.transport.close()
            return web.Response()  # never leaves: the transport is closed

    return middleware


def answer_json(body: object, status: int = 200) -> web.Response:
    """JSON with Twilio's headers; a 401 asks for Basic credentials."""
    response = web.json_response(body, status=status)
    response.headers["Twilio-Request-Id"] = f"RQ{secrets.token_hex(16)}"
    response.headers["Twilio-Concurrent-Requests"] = "1"
    response.headers["X-API-Domain"] = "api.twilio.com"
    if status == 401:
        response.headers["WWW-Authenticate"] = 'Basic realm="Twilio API"'
    return response


async def form_of(request: web.Request) -> MultiDict[str]:
    """The fields of a form; empty for any other body, which is why JSON is answered that To is missing."""
    return MultiDict((name, str(value)) for name, value in (await request.post()).items())


def snake_case(parameter: str) -> str:
    """The attribute of a parameter: ``SmsUrl`` is ``sms_url``."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", parameter).lower()


def not_found(request: web.Request) -> Refusal:
    """20404 with the path that was asked for."""
    return refusal(20404, path=request.path)


def credentials(request: web.Request) -> BasicAuth:
    """The Basic credentials of a request. Raises Refusal 20003 where there are none."""
    try:
        return BasicAuth.decode(request.headers["Authorization"])
    except (KeyError, ValueError):
        raise Refusal(20003, 401, "Authentication Error - No credentials provided") from None


def _authenticate(request: web.Request, switchboard: Switchboard) -> None:
    given, account = credentials(request), switchboard.account
    if not account.knows(given.login):
        raise Refusal(20003, 401, "Authentication Error - invalid username")
    if not account.accepts(given.login, given.password):
        raise refusal(20003)
    parts = request.path.split("/")
    if request.path.startswith(f"{ROOT}/") and parts[3].removesuffix(".json") != account.sid:
        raise not_found(request)


async def _answer(request: web.Request, handler: Handler, switchboard: Switchboard) -> web.StreamResponse:
    to = str((await request.post()).get("To", "")) or None
    fault = switchboard.faults.take("request", method=request.method, to=to, path=request.path)
    if fault is None:
        return await handler(request)
    if fault.kind == "slow":
        response = await handler(request)
        await asyncio.sleep(fault.number("seconds", 1))
        return response
    if fault.kind == "hang":
        await asyncio.sleep(fault.number("seconds", 60))
        raise ConnectionDropped
    raise _failure(fault)


def _failure(fault: Fault) -> Refusal | ConnectionDropped:
    if fault.kind == "drop_before":
        return ConnectionDropped()
    if fault.kind == "reject":
        status = fault.integer("status", 0)
        return refusal(fault.integer("code", 0), status=status or None)
    status = fault.integer("status", 500)
    return refusal(_CODES.get(status, 20500), status=status)
