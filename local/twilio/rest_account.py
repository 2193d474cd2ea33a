"""The Account and IncomingPhoneNumber resources of the REST API."""

from aiohttp import web

from .listing import page_of
from .numbers import SETTINGS, Number
from .refusals import refusal
from .rest import ROOT, answer_json, credentials, form_of, not_found, snake_case
from .switchboard import Switchboard
from .validation import is_url

# The code that refuses what is not a URL.
_URL_CODES = {
    "sms_url": 21402,
    "sms_fallback_url": 21403,
    "voice_url": 21502,
    "voice_fallback_url": 21502,
    "status_callback": 21609,
}


class AccountRoutes:
    """Handlers bound to one switchboard."""

    def __init__(self, switchboard: Switchboard) -> None:
        self._account = switchboard.account
        numbers = f"{ROOT}/{{account}}/IncomingPhoneNumbers"
        self.routes = [
            web.get(f"{ROOT}/{{account}}.json", self.fetch),
            web.get(f"{numbers}.json", self.list_numbers),
            web.get(f"{numbers}/{{number}}.json", self.fetch_number),
            web.post(f"{numbers}/{{number}}.json", self.update_number),
        ]

    async def fetch(self, request: web.Request) -> web.StreamResponse:
        """The account. A standard API key may not read it: https://www.twilio.com/docs/iam/api-keys/keys-in-console."""
        if credentials(request).login != self._account.sid:
            raise refusal(20003)
        return answer_json(self._account.resource())

    async def list_numbers(self, request: web.Request) -> web.StreamResponse:
        """The account's numbers, filtered by PhoneNumber."""
        resources = self._account.number_resources(request.query.get("PhoneNumber"))
        return answer_json(page_of("incoming_phone_numbers", resources, request.rel_url))

    async def fetch_number(self, request: web.Request) -> web.StreamResponse:
        """One number."""
        return self._answer(self._number(request))

    async def update_number(self, request: web.Request) -> web.StreamResponse:
        """Set what Number has; an empty value clears. Other parameters are ignored."""
        number = self._number(request)
        settings = {snake_case(name): value.strip() for name, value in (await form_of(request)).items()}
        for name, code in _URL_CODES.items():
            url = settings.get(name)
            if url and not is_url(url):
                raise refusal(code, url=url)
        number.change({name: value for name, value in settings.items() if name in SETTINGS})
        return self._answer(number)

    def _answer(self, number: Number) -> web.StreamResponse:
        return answer_json(self._account.number_resource(number))

    def _number(self, request: web.Request) -> Number:
        sid = request.match_info["number"]
        for number in self._account.numbers.values():
            if number.sid == sid:
                return number
        raise not_found(request)
