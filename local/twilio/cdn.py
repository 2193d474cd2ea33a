"""The other host that media come from when ``media_redirect_host`` is set.

Like a pre-signed address it needs no credentials, and refuses a request that brings some: a client must not carry its
Authorization header over to another host.
"""

from aiohttp import web

from .switchboard import Switchboard


def cdn_routes(switchboard: Switchboard) -> list[web.RouteDef]:
    """One route, outside of the REST API."""

    async def download(request: web.Request) -> web.StreamResponse:
        if "Authorization" in request.headers:
            return web.Response(status=400, text="Only one auth mechanism allowed")
        media = switchboard.media.get(request.match_info["message"], request.match_info["media"])
        if media is None:
            return web.Response(status=404)
        return web.Response(body=media.content, headers={"Content-Type": media.content_type})

    return [web.get("/_cdn/{message}/{media}", download)]
