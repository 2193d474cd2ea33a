"""The Account and IncomingPhoneNumber resources of the REST API."""

from aiohttp import web

from .listing import page_of
from .refusals import refusal
from .rest import ROOT, answer_json, credentials, not_found
from .switchboard import Switchboard
from .validation import is_url


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
        return answer_json(self._number(request))

    async def update_number(self, request: web.Request) -> web.StreamResponse:
        """Set SmsUrl, here for all numbers at once; other parameters are ignored."""
        self._number(request)
        url = str((await request.post()).get("SmsUrl", ""))
        if url and not is_url(url):
            raise refusal(21402, url=url)
        self._account.sms_url = url or self._account.sms_url
        return answer_json(self._number(request))

    def _number(self, request: web.Request) -> dict[str, object]:
        sid = request.match_info["number"]
        for resource in self._account.number_resources():
            if resource["sid"] == sid:
                return resource
        raise not_found(request)
