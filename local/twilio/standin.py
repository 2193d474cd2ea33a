"""A Twilio for tests and for a laptop: REST API, signed webhooks, status callbacks, and the phones of people.

::

    with TwilioStandIn("AC…", "token", ["+14155550100"], sms_url="http://…/sms#rc=2&rp=5xx,ct,rt") as twilio:
        exchange = twilio.receive_text("+14155550199", "Hello?")
        answer = twilio.wait_for_text("+14155550199", timeout=5)
        call = twilio.call_in("+14155550199")
        greeting = call.hears()

All methods may be called from any thread but the stand-in's own.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from types import TracebackType
from typing import Self

from aiohttp import web

from .account import Account
from .application import application_of
from .debugger import Alert
from .faults import Faults
from .inbound import InboundText
from .messages import Message, copy_of
from .numbers import Number
from .server import ServerThread
from .services import Service
from .standing import Standing
from .switchboard import Settings, Switchboard
from .voice.clock import Clock
from .voice.line import Voice
from .voice.operator import Operator
from .voice.people import People
from .voice.phones import Behaviour
from .webhooks import WebhookExchange


class TwilioStandIn(People):
    """One account, its numbers, and everybody's phone.

    ``phone_numbers`` are E.164, the first is the default sender and recipient; ``api_keys`` maps SIDs to secrets;
    ``public_url`` replaces ``url`` in the addresses of media where the webhook reaches the stand-in by another name;
    ``media_redirect_host`` makes a download of media redirect to that name of this machine, as Twilio's to its CDN;
    ``delivery_seconds`` lie between one status and the next; ``keyword_replies``: Twilio itself answers STOP, START, HELP.
    A second of a call lasts ``time_scale`` seconds, and Twilio listens for ``patience`` seconds at least where a test plays the
    person (:class:`~local.twilio.voice.clock.Clock`). Media streams run in real time all the same, but ``media_speed`` times as
    fast; ``voice`` makes µ-law of what people say on them.
    """

    def __init__(
        self,
        account_sid: str,
        auth_token: str,
        phone_numbers: Sequence[str],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        sms_url: str | None = None,
        api_keys: Mapping[str, str] | None = None,
        delivery_seconds: float = 0.05,
        keyword_replies: bool = True,
        public_url: str | None = None,
        media_redirect_host: str | None = None,
        voice_url: str | None = None,
        time_scale: float = 0.01,
        patience: float = 1.0,
        voice: Voice | None = None,
        media_speed: float = 1.0,
    ) -> None:
        self.faults = Faults()
        self.phones: dict[str, Behaviour] = {}
        numbers = {number: Number(number, sms_url=sms_url or "", voice_url=voice_url or "") for number in phone_numbers}
        self._account = Account(account_sid, auth_token, numbers, dict(api_keys or {}))
        clock = Clock(time_scale, patience, media_speed)
        self._settings = Settings(delivery_seconds, keyword_replies, public_url, media_redirect_host, clock, voice)
        self._host, self._port = host, port
        self._switchboard: Switchboard | None = None
        self._server = ServerThread(self._application)

    def start(self) -> Self:
        """Listen. A stand-in that was stopped begins anew, with nothing in it."""
        self._server.start(self._host, self._port)
        self._core.base_url = self._operator.base_url = self._settings.public_url or self.url
        return self

    def stop(self) -> None:
        """End all deliveries and webhooks. Raises an unexpected error that one of them ran into."""
        self._server.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Where the stand-in listens; put it in the place of ``https://api.twilio.com``."""
        return f"http://{self._host}:{self._server.port}"

    @property
    def sms_url(self) -> str | None:
        """Where texts to the first number go, to be set for all of them at any time; may have a fragment with overrides."""
        return self._first.sms_url or None

    @sms_url.setter
    def sms_url(self, url: str | None) -> None:
        self._account.set_all(sms_url=url or "")

    def number(self, phone_number: str) -> Number:
        """A copy of what is set on a number. Raises KeyError where it is not the account's."""
        return replace(self._account.numbers[phone_number])

    def set_number(self, phone_number: str, **settings: str) -> None:
        """Change a number as somebody in the console would, or add it; the settings are those of Number."""
        number = self._account.numbers.setdefault(phone_number, Number(phone_number))
        number.change(settings)

    def service(self, sid: str) -> Service:
        """A copy of what is set on a Messaging Service. Raises KeyError."""
        return replace(self._account.services[sid])

    def add_service(self, service: Service) -> str:
        """One more Messaging Service; its SID."""
        self._account.services[service.sid] = service
        return service.sid

    @property
    def services(self) -> list[str]:
        """The SIDs of the Messaging Services, oldest first."""
        return list(self._account.services)

    def remove_service(self, sid: str) -> None:
        """That service is deleted; its numbers stay."""
        del self._account.services[sid]

    def release_number(self, phone_number: str) -> Number:
        """The account gives a number back; `set_number` buys it again. Raises KeyError where it is not the account's."""
        for service in self._account.services.values():
            service.numbers = [number for number in service.numbers if number != phone_number]
        return self._account.numbers.pop(phone_number)

    @property
    def standing(self) -> Standing:
        """What Twilio and carriers let the account do, to be changed at any time."""
        return self._account.standing

    @standing.setter
    def standing(self, standing: Standing) -> None:
        self._account.standing = standing

    def register_campaign(self) -> str:
        """All numbers in a Messaging Service with a verified A2P 10DLC campaign that leaves texts to the numbers; its SID."""
        numbers = self._account.phone_numbers
        sid = self.add_service(Service("A2P campaign", numbers, use_inbound_webhook_on_number=True))
        self._account.standing.campaigns[sid] = "VERIFIED"
        return sid

    def create_secondary_token(self, auth_token: str) -> None:
        """From now on REST takes this token too; webhooks are signed as before."""
        self._account.secondary_auth_token = auth_token

    def promote_token(self, auth_token: str) -> None:
        """From now on this token signs, and REST takes no other."""
        self._account.auth_token, self._account.secondary_auth_token = auth_token, None

    @property
    def templates(self) -> dict[str, str]:
        """Content templates by their SIDs (``HX…``), with placeholders: ``Hello {{1}}``. Add to it."""
        return self._account.templates

    @property
    def fetched(self) -> list[str]:
        """What was asked for to send media, as ``HEAD http://…``, oldest first; only what is on this machine."""

        async def requests() -> list[str]:
            return list(self._core.fetcher.requests)

        return self._server.run(requests)

    def receive_text(
        self,
        from_: str,
        body: str = "",
        to: str | None = None,
        media: Sequence[tuple[str, bytes] | str] = (),
        **extra_fields: str,
    ) -> WebhookExchange:
        """A person texts the account; returns when the webhook was answered, or given up.

        ``media`` are (content type, bytes), which the stand-in serves, or URLs, which it passes on; ``extra_fields`` add to
        the webhook's fields and replace them. Raises ValueError where ``to`` is not the account's, RuntimeError without an
        ``sms_url``.
        """
        text = InboundText(from_, to or self._account.sender_for(from_), body, media, extra_fields)
        if self._account.owns(text.to) and self._account.texts_go_to(text.to) is None:
            raise RuntimeError("sms_url is not set")
        exchange = self._server.run(lambda: self._core.receive(text))
        assert exchange is not None
        return exchange

    def texts_to(self, person: str) -> list[Message]:
        """What that person's phone shows, in the order in which Twilio accepted it."""

        async def texts() -> list[Message]:
            return self._core.log.texts_to(person)

        return self._server.run(texts)

    def wait_for_text(self, person: str, after: int = 0, timeout: float = 5.0) -> Message:
        """The text with index ``after`` on that person's phone. Raises TimeoutError, saying what the phone shows instead."""

        async def wait() -> list[Message]:
            log = self._core.log
            await log.wait_until(lambda: len(log.texts_to(person)) > after, timeout)
            return log.texts_to(person)

        texts = self._server.run(wait)
        if len(texts) <= after:
            shown = [text.body for text in texts]
            raise TimeoutError(f"after {timeout} s the phone {person} shows {len(texts)} texts: {shown}")
        return texts[after]

    def settle(self, timeout: float = 5.0) -> None:
        """Wait until all deliveries and their callbacks have ended. Raises TimeoutError."""
        if not self._server.run(lambda: self._core.background.settle(timeout)):
            raise TimeoutError(f"after {timeout} s there are still deliveries or callbacks under way")

    @property
    def messages(self) -> list[Message]:
        """The account's log, in and out, oldest first."""

        async def log() -> list[Message]:
            return [copy_of(message) for message in self._core.log if message.logged]

        return self._server.run(log)

    @property
    def exchanges(self) -> list[WebhookExchange]:
        """The last thousand webhooks, oldest first; one under way has no status yet."""

        async def exchanges() -> list[WebhookExchange]:
            return self._core.webhooks.exchanges()

        return self._server.run(exchanges)

    @property
    def alerts(self) -> list[Alert]:
        """What Twilio's Debugger would show, oldest first."""

        async def alerts() -> list[Alert]:
            return self._core.debugger.alerts()

        return self._server.run(alerts)

    @property
    def _core(self) -> Switchboard:
        if self._switchboard is None:
            raise RuntimeError("the stand-in was not started")
        return self._switchboard

    @property
    def _operator(self) -> Operator:
        return self._core.operator

    @asynccontextmanager
    async def _application(self) -> AsyncIterator[web.Application]:
        self._switchboard = switchboard = Switchboard(self._account, self.faults, self._settings, self.phones)
        application = application_of(switchboard)
        try:
            yield application
        finally:
            await switchboard.close()
