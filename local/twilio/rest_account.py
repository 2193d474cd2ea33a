"""The Account and IncomingPhoneNumber resources of the REST API."""

from aiohttp import web

from .listing import page_of
from .refusals import refusal
from .rest import ROOT, answer_json, credentials, not_found
from .switchboard import Switchboard
from .validation import is_url

# A parameter of a number: the account's attribute, and the code that refuses what is not a URL.
_URLS = {
    "SmsUrl": ("sms_url", 21402),
    "VoiceUrl": ("voice_url", 21502),
    "VoiceFallbackUrl": ("voice_fallback_url", 21502),
    "StatusCallback": ("status_url", 21609),
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
        return answer_json(self._number(request))

    async def update_number(self, request: web.Request) -> web.StreamResponse:
        """Set what is in _URLS, here for all numbers at once; other parameters are ignored."""
        self._number(request)
        form = await request.post()
        for parameter, (attribute, code) in _URLS.items():
            url = str(form.get(parameter, ""))
            if url and not is_url(url):
                raise refusal(code, url=url)
            if url:
                setattr(self._account, attribute, url)
        return answer_json(self._number(request))

    def _number(self, request: web.Request) -> dict[str, object]:
        sid = request.match_info["number"]
        for resource in self._account.number_resources():
            if resource["sid"] == sid:
                return resource
        raise not_found(request)
