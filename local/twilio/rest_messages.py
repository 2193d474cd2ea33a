"""``/Messages`` of the REST API: send, list, fetch, redact, cancel, delete, and the media of a message."""

import asyncio

from aiohttp import web

from . import media as media_resources
from .listing import message_filter, page_of
from .media import Media
from .media_mishaps import amiss
from .messages import FINAL, Message
from .refusals import refusal
from .rest import ROOT, ConnectionDropped, answer_json, form_of, not_found
from .switchboard import Switchboard
from .validation import NewMessage

_CANCELABLE = frozenset({"accepted", "queued", "scheduled"})


class MessageRoutes:
    """Handlers bound to one switchboard."""

    def __init__(self, switchboard: Switchboard) -> None:
        self._switchboard = switchboard
        messages = f"{ROOT}/{{account}}/Messages"
        self.routes = [
            web.post(f"{messages}.json", self.create),
            web.get(f"{messages}.json", self.list),
            web.get(f"{messages}/{{message}}/Media.json", self.list_media),
            web.get(f"{messages}/{{message}}/Media/{{media}}.json", self.fetch_media),
            web.delete(f"{messages}/{{message}}/Media/{{media}}.json", self.delete_media),
            web.get(f"{messages}/{{message}}/Media/{{media}}", self.download_media),
            web.get(f"{messages}/{{message}}.json", self.fetch),
            web.post(f"{messages}/{{message}}.json", self.update),
            web.delete(f"{messages}/{{message}}.json", self.delete),
        ]

    async def create(self, request: web.Request) -> web.StreamResponse:
        """Send a message. The answer shows it as it was accepted, however far it has come since."""
        asked = NewMessage.of_form(await form_of(request))
        message, delivered = await self._switchboard.send(asked)
        resource = message.resource()
        fault = self._switchboard.faults.take("answer", to=asked.to)
        if fault and fault.kind == "drop_after":
            raise ConnectionDropped
        if fault and fault.kind == "late_response":
            await asyncio.shield(delivered)
        return answer_json(resource, status=201)

    async def list(self, request: web.Request) -> web.StreamResponse:
        """One page of the log, newest first."""
        wanted = message_filter(request.query)
        messages = [message for message in self._switchboard.log.newest_first() if wanted(message)]
        return answer_json(page_of("messages", [message.resource() for message in messages], request.rel_url))

    async def fetch(self, request: web.Request) -> web.StreamResponse:
        """One message."""
        return answer_json(self._message(request).resource())

    async def update(self, request: web.Request) -> web.StreamResponse:
        """``Body=`` redacts, ``Status=canceled`` cancels; nothing else can be changed."""
        message, form = self._message(request), await form_of(request)
        redacts, cancels = form.get("Body") == "", form.get("Status") == "canceled"
        if redacts == cancels or len(form) > 1:
            raise refusal(30400)
        if redacts:
            message.body = ""
        elif message.status in _CANCELABLE:
            await self._switchboard.cancel(message)
        else:
            raise refusal(30409)
        return answer_json(message.resource())

    async def delete(self, request: web.Request) -> web.StreamResponse:
        """Forget a message and its media."""
        message = self._message(request)
        if message.status not in FINAL:
            raise refusal(20009)
        await self._switchboard.log.remove(message)
        self._switchboard.media.remove_all(message.sid)
        return web.Response(status=204)

    async def list_media(self, request: web.Request) -> web.StreamResponse:
        """The attachments of a message."""
        message = self._message(request)
        resources = [media_resources.resource(message, item) for item in self._switchboard.media.of(message.sid)]
        return answer_json(page_of("media_list", resources, request.rel_url))

    async def fetch_media(self, request: web.Request) -> web.StreamResponse:
        """What is known about an attachment."""
        return answer_json(media_resources.resource(self._message(request), self._media(request)))

    async def delete_media(self, request: web.Request) -> web.StreamResponse:
        """Forget one attachment."""
        self._switchboard.media.remove(self._media(request))
        return web.Response(status=204)

    async def download_media(self, request: web.Request) -> web.StreamResponse:
        """The bytes, or a redirect to another host that has them, as Twilio's to its CDN."""
        media = self._media(request)
        fault = self._switchboard.faults.take("media")
        if fault:
            return await amiss(request, media, fault)
        host = self._switchboard.settings.media_redirect_host
        if host:
            location = request.url.with_host(host).with_path(f"/_cdn/{media.message_sid}/{media.sid}")
            raise web.HTTPTemporaryRedirect(location)
        return web.Response(body=media.content, headers={"Content-Type": media.content_type})

    def _message(self, request: web.Request) -> Message:
        message = self._switchboard.log.get(request.match_info["message"])
        if message is None:
            raise not_found(request)
        return message

    def _media(self, request: web.Request) -> Media:
        media = self._switchboard.media.get(self._message(request).sid, request.match_info["media"])
        if media is None:
            raise not_found(request)
        return media
