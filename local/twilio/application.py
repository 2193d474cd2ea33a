"""All that the stand-in answers over HTTP: Twilio's REST API and its own control routes."""

from aiohttp import web

from .cdn import cdn_routes
from .control import ControlRoutes, control_middleware
from .control_calls import CallControlRoutes
from .rest import rest_middleware
from .rest_account import AccountRoutes
from .rest_calls import CallRoutes
from .rest_messages import MessageRoutes
from .rest_services import ServiceRoutes
from .rest_standing import StandingRoutes
from .rest_transcriptions import TranscriptionRoutes
from .switchboard import Switchboard

MAX_REQUEST = 32 * 1024 * 1024  # bytes; media given to the control routes are base64


def application_of(switchboard: Switchboard) -> web.Application:
    """The routes, bound to one switchboard."""
    application = web.Application(
        middlewares=[rest_middleware(switchboard), control_middleware],
        client_max_size=MAX_REQUEST,
    )
    for routes in (
        MessageRoutes,
        CallRoutes,
        TranscriptionRoutes,
        AccountRoutes,
        ServiceRoutes,
        StandingRoutes,
        ControlRoutes,
        CallControlRoutes,
    ):
        application.add_routes(routes(switchboard).routes)
    application.add_routes(cdn_routes(switchboard))
    return application
