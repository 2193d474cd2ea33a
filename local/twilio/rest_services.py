"""The Messaging Services of messaging.twilio.com."""

from aiohttp import web

from .listing import v1_page_of
from .refusals import refusal
from .rest import MESSAGING, answer_json, form_of, not_found, snake_case
from .services import Service
from .switchboard import Switchboard
from .validation import is_url

_URLS = ("inbound_request_url", "fallback_url", "status_callback")
_SETTINGS = {*_URLS, "friendly_name", "inbound_method", "fallback_method"}
_ON_NUMBER = "use_inbound_webhook_on_number"


class ServiceRoutes:
    """Handlers bound to one switchboard."""

    def __init__(self, switchboard: Switchboard) -> None:
        self._account = switchboard.account
        service = f"{MESSAGING}/{{service}}"
        self.routes = [
            web.get(MESSAGING, self.list_services),
            web.get(service, self.fetch),
            web.post(service, self.update),
            web.get(f"{service}/PhoneNumbers", self.list_numbers),
            web.get(f"{service}/PhoneNumbers/{{number}}", self.fetch_number),
        ]

    async def list_services(self, request: web.Request) -> web.StreamResponse:
        """All services."""
        account = self._account
        resources = [service.resource(account.sid, account.date_created) for service in account.services.values()]
        return answer_json(v1_page_of("services", resources, request.url))

    async def fetch(self, request: web.Request) -> web.StreamResponse:
        """One service."""
        return self._answer(self._service(request))

    async def update(self, request: web.Request) -> web.StreamResponse:
        """Set what is given; an empty value clears. Other parameters are ignored."""
        service = self._service(request)
        given = {snake_case(name): value.strip() for name, value in (await form_of(request)).items()}
        for name in _URLS:
            if given.get(name) and not is_url(given[name]):
                raise refusal(21402, url=given[name])
        for name in _SETTINGS & given.keys():
            setattr(service, name, given[name])
        if _ON_NUMBER in given:
            service.use_inbound_webhook_on_number = given[_ON_NUMBER].lower() == "true"
        return self._answer(service)

    async def list_numbers(self, request: web.Request) -> web.StreamResponse:
        """The numbers in a service."""
        return answer_json(v1_page_of("phone_numbers", self._numbers(self._service(request)), request.url))

    async def fetch_number(self, request: web.Request) -> web.StreamResponse:
        """Whether a number is in a service."""
        for resource in self._numbers(self._service(request)):
            if resource["sid"] == request.match_info["number"]:
                return answer_json(resource)
        raise not_found(request)

    def _numbers(self, service: Service) -> list[dict[str, object]]:
        account = self._account
        numbers = [account.numbers[number] for number in service.numbers]
        return [service.number_resource(number, account.sid, account.date_created) for number in numbers]

    def _answer(self, service: Service) -> web.StreamResponse:
        return answer_json(service.resource(self._account.sid, self._account.date_created))

    def _service(self, request: web.Request) -> Service:
        service = self._account.services.get(request.match_info["service"])
        if service is None:
            raise not_found(request)
        return service
