"""What can go wrong when an attachment is downloaded; see :mod:`local.twilio.faults`."""

from aiohttp import web

from .faults import Fault
from .media import Media

CHUNK = b"\x00" * 65536
ENDLESS = 4 * 1024 * 1024 * 1024  # bytes; nobody reads so much


async def amiss(request: web.Request, media: Media, fault: Fault) -> web.StreamResponse:
    """Answer a download as the fault has it."""
    if fault.kind == "media_not_ready":
        return web.Response(status=404)
    if fault.kind == "media_redirect":
        return web.Response(status=307, headers={"Location": fault.text("url", "")})
    response = web.StreamResponse(headers={"Content-Type": media.content_type})
    if fault.kind == "media_length":
        response.content_length = fault.integer("bytes", 0)
    await response.prepare(request)
    try:
        await response.write(media.content)
        for _ in range(ENDLESS // len(CHUNK) if fault.kind == "media_endless" else 0):
            await response.write(CHUNK)
    except ConnectionError:
        return response  # the client has had enough
    if request.transport is not None:
        request.transport.close()
    return response
