"""The middle of the stand-in: takes texts from the account's REST requests and from people's phones.

Everything here runs on the loop's thread.
"""

import asyncio
import uuid
from dataclasses import dataclass, field, replace
from urllib.parse import urljoin

from .account import Account
from .background import Background
from .content import OUTSIDE_THE_WINDOW, rendered, window_is_open
from .debugger import Debugger
from .delivery import Delivery, Plan, plan_for, status_form
from .faults import Faults
from .fetching import FetchFailed, MediaFetcher
from .inbound import InboundText, media_fields, webhook_fields
from .media import Media, MediaStore
from .messages import Message, MessageLog
from .numbers import Route
from .opt_outs import OptOuts
from .refusals import Refusal
from .segments import count_segments
from .twiml import Reply, read_answer
from .validation import NewMessage, check
from .voice.clock import Clock
from .voice.line import Voice
from .voice.operator import Operator
from .voice.phones import Behaviour
from .webhooks import WebhookExchange, WebhookSender


@dataclass
class Settings:
    """``delivery_seconds`` lie between one status and the next; ``keyword_replies``: whether Twilio answers STOP itself.

    ``clock`` says how quickly calls go by; ``voice`` speaks for people on streams.
    """

    delivery_seconds: float = 0.05
    keyword_replies: bool = True
    public_url: str | None = None
    media_redirect_host: str | None = None
    clock: Clock = field(default_factory=Clock)
    voice: Voice | None = None


@dataclass
class Switchboard:
    """One account with its messages. Create it on the loop; ``base_url`` is where its media are found."""

    account: Account
    faults: Faults
    settings: Settings
    phones: dict[str, Behaviour]
    base_url: str = ""
    debugger: Debugger = field(default_factory=Debugger)
    log: MessageLog = field(default_factory=MessageLog)
    media: MediaStore = field(default_factory=MediaStore)
    opt_outs: OptOuts = field(default_factory=OptOuts)
    background: Background = field(default_factory=Background)
    fetcher: MediaFetcher = field(default_factory=MediaFetcher)
    webhooks: WebhookSender = field(init=False)
    delivery: Delivery = field(init=False)
    operator: Operator = field(init=False)

    def __post_init__(self) -> None:
        self.webhooks = WebhookSender(self.account, self.debugger)
        self.delivery = Delivery(self.account, self.log, self.webhooks, self.settings.delivery_seconds)
        self.operator = Operator(
            account=self.account,
            faults=self.faults,
            phones=self.phones,
            clock=self.settings.clock,
            debugger=self.debugger,
            webhooks=self.webhooks,
            background=self.background,
            voice=self.settings.voice,
        )

    async def close(self) -> None:
        """End all work, then the client."""
        try:
            await self.background.close()
        finally:
            await self.webhooks.close()
            await self.fetcher.close()

    async def send(self, asked: NewMessage, direction: str = "outbound-api") -> tuple[Message, asyncio.Task[None]]:
        """Accept a message and set it on its way; the task ends with its last callback. Raises Refusal."""
        check(asked, self.account, self.opt_outs)
        template = rendered(self.account.templates, asked.content_sid, asked.content_variables)
        message = self._accepted(asked if template is None else replace(asked, body=template, media_urls=[]), direction)
        await self.log.add(message)
        if message.status == "scheduled":
            return message, self.background.start(asyncio.sleep(0))
        delivery = self.faults.take("delivery", to=asked.to)
        callbacks = self.faults.take("callbacks", to=asked.to)
        return message, self.background.start(self._carry(message, plan_for(message, delivery, callbacks), template is None))

    async def cancel(self, message: Message) -> None:
        """Cancel what was not sent yet; only a scheduled message reports that."""
        was_scheduled = message.status == "scheduled"
        message.advance("canceled")
        await self.log.changed()
        if was_scheduled:
            self.background.start(self.delivery.report(message, status_form(message)))

    async def receive(self, text: InboundText) -> WebhookExchange | None:
        """A person texts the account. Returns the (first) exchange with the webhook, or None where no webhook is set.

        Raises ValueError where the text is for somebody else.
        """
        if not self.account.owns(text.to):
            raise ValueError(f"{text.to} is not a number of the account")
        message, attachments = await self._received(text)
        route = self.account.texts_go_to(text.to)
        if route is None:
            return None
        service = {"MessagingServiceSid": route.service_sid} if route.service_sid else {}
        fields = webhook_fields(message, media_fields(message, attachments, self.base_url), service | dict(text.extra))
        fault = self.faults.take("inbound", to=text.to)
        times = fault.integer("times", 2) if fault else 1
        token = str(uuid.uuid4())
        async with asyncio.TaskGroup() as posts:
            tasks = [posts.create_task(self._consult_webhooks(route, fields, token)) for _ in range(times)]
        return tasks[0].result()

    def _accepted(self, asked: NewMessage, direction: str) -> Message:
        waits_for_sender = asked.messaging_service_sid is not None and asked.from_ is None
        status = "queued" if asked.messaging_service_sid is None else "accepted"
        return Message(
            account_sid=self.account.sid,
            direction=direction,
            from_=asked.from_,
            to=asked.to,
            body=asked.body or "",
            status="scheduled" if asked.scheduled else status,
            num_segments=0 if waits_for_sender else count_segments(asked.body or ""),
            media_urls=list(asked.media_urls),
            messaging_service_sid=asked.messaging_service_sid,
            status_callback=asked.status_callback,
        )

    async def _carry(self, message: Message, plan: Plan, is_free: bool) -> None:
        if is_free and message.to.startswith("whatsapp:") and not window_is_open(self.log, message.to, message.from_):
            plan.fail_with(OUTSIDE_THE_WINDOW)
        elif plan.error_code is None:
            await self._fetch_media(message, plan)
        await self.delivery.carry(message, plan)
        if message.shown and message.status == "delivered" and self.account.owns(message.to):
            looped = InboundText(message.from_ or "", message.to, message.body, list(message.media_urls))
            self.background.start(self.receive(looped))

    async def _fetch_media(self, message: Message, plan: Plan) -> None:
        try:
            fetched = await self.fetcher.fetch(message.media_urls, message.to)
        except FetchFailed as failure:
            self.debugger.report(failure.code, failure.url, failure.detail, message.sid)
            plan.fail_with(failure.code)
            return
        for media in fetched:
            self.media.attach(media, message.sid)

    async def _received(self, text: InboundText) -> tuple[Message, list[Media | str]]:
        attachments = [item if isinstance(item, str) else Media(*item) for item in text.media]
        message = Message(
            account_sid=self.account.sid,
            direction="inbound",
            from_=text.from_,
            to=text.to,
            body=text.body,
            status="receiving",
            num_segments=count_segments(text.body),
            media_urls=[item if isinstance(item, str) else item.sid for item in attachments],
        )
        for item in attachments:
            if isinstance(item, Media):
                self.media.attach(item, message.sid)
        message.advance("received")
        await self.log.add(message)
        if ":" not in text.from_ and not self.account.owns(text.from_):
            await self._heed_keyword(text)
        return message, attachments

    async def _heed_keyword(self, text: InboundText) -> None:
        answer = self.opt_outs.hear(text.from_, text.to, text.body)
        if answer is None or not self.settings.keyword_replies:
            return
        reply = Message(self.account.sid, "outbound-reply", text.to, text.from_, answer, "delivered", logged=False)
        await self.log.add(reply)

    async def _consult_webhooks(self, route: Route, fields: dict[str, str], token: str) -> WebhookExchange:
        """The first exchange: what comes of the fallback URL is in the list of all."""
        exchange = await self._consult_webhook(route.url, fields, token, route.method)
        if not exchange.succeeded and route.fallback_url:
            failure = {"ErrorCode": str(exchange.error_code), "ErrorUrl": exchange.url}
            await self._consult_webhook(route.fallback_url, fields | failure, str(uuid.uuid4()), route.fallback_method)
        return exchange

    async def _consult_webhook(self, url: str, fields: dict[str, str], token: str, method: str) -> WebhookExchange:
        exchange = await self.webhooks.send("message", url, fields, token, method)
        if exchange.succeeded:
            document = read_answer(exchange.content_type, exchange.body)
            for code, detail in document.complaints:
                self.debugger.report(code, exchange.url, detail, fields["MessageSid"])
            for reply in document.replies:
                await self._reply(reply, exchange)
        return exchange

    async def _reply(self, reply: Reply, exchange: WebhookExchange) -> None:
        fields, callback = exchange.fields, reply.status_callback
        asked = NewMessage(
            to=reply.to or fields["From"],
            from_=reply.from_ or fields["To"],
            body=reply.body,
            media_urls=reply.media_urls,
            status_callback=urljoin(exchange.url, callback) if callback else None,
        )
        try:
            await self.send(asked, direction="outbound-reply")
        except Refusal as error:
            code = 14103 if error.code in {21602, 21617, 21619} else error.code
            self.debugger.report(code, exchange.url, error.message, fields["MessageSid"])
