"""What tells of the account's standing: Monitor, geo permissions, registrations. Each has a host of its own at Twilio."""

from datetime import datetime

from aiohttp import web

from .debugger import Alert
from .listing import page_of, v1_page_of
from .messages import new_sid
from .rest import MESSAGING, ROOT, answer_json, not_found
from .switchboard import Switchboard


class StandingRoutes:
    """Handlers bound to one switchboard."""

    def __init__(self, switchboard: Switchboard) -> None:
        self._account, self._debugger = switchboard.account, switchboard.debugger
        self.routes = [
            web.get(f"{ROOT}/{{account}}/OutgoingCallerIds.json", self.list_callers),
            web.get("/v1/DialingPermissions/Countries/{country}", self.fetch_country),
            web.get("/v1/Messaging/GeoPermissions", self.fetch_text_permissions),
            web.get(f"{MESSAGING}/{{service}}/Compliance/Usa2p", self.list_campaigns),
            web.get("/v1/Tollfree/Verifications", self.list_verifications),
            web.get("/v1/Alerts", self.list_alerts),
        ]

    async def list_callers(self, request: web.Request) -> web.StreamResponse:
        """The numbers that a trial account may text and call."""
        callers = self._account.standing.caller_resources(self._account.sid, self._account.date_created)
        return answer_json(page_of("outgoing_caller_ids", callers, request.rel_url))

    async def fetch_country(self, request: web.Request) -> web.StreamResponse:
        """Whether a country may be called."""
        return answer_json(self._account.standing.country_resource(request.match_info["country"]))

    async def fetch_text_permissions(self, request: web.Request) -> web.StreamResponse:
        """Whether a country may be texted; the stand-in answers only of one that is asked for."""
        if "CountryCode" not in request.query:
            raise not_found(request)
        return answer_json(self._account.standing.text_permissions(request.query["CountryCode"]))

    async def list_campaigns(self, request: web.Request) -> web.StreamResponse:
        """The A2P 10DLC campaign of a Messaging Service."""
        account = self._account
        if request.match_info["service"] not in account.services:
            raise not_found(request)
        campaigns = account.standing.campaign_resources(request.match_info["service"], account.sid, account.date_created)
        return answer_json(v1_page_of("compliance", campaigns, request.url))

    async def list_verifications(self, request: web.Request) -> web.StreamResponse:
        """Toll-free verifications, filtered by TollfreePhoneNumberSid."""
        wanted = request.query.get("TollfreePhoneNumberSid")
        sids = {number.sid: number.phone_number for number in self._account.numbers.values() if wanted in (None, number.sid)}
        found = self._account.standing.toll_free_resources(sids, self._account.sid)
        return answer_json(v1_page_of("verifications", found, request.url))

    async def list_alerts(self, request: web.Request) -> web.StreamResponse:
        """The debugger's entries, newest first, filtered by StartDate."""
        since = datetime.fromisoformat(request.query.get("StartDate", "2010-04-01T00:00:00+00:00"))
        found = [self._alert(alert) for alert in reversed(self._debugger.alerts()) if alert.at >= since]
        return answer_json(v1_page_of("alerts", found, request.url))

    def _alert(self, alert: Alert) -> dict[str, object]:
        at = alert.at.isoformat()
        return {
            "account_sid": self._account.sid,
            "alert_text": alert.detail,
            "api_version": "2010-04-01",
            "date_created": at,
            "date_generated": at,
            "date_updated": at,
            "error_code": str(alert.code),
            "log_level": "error",
            "more_info": f"https://www.twilio.com/docs/errors/{alert.code}",
            "request_method": "POST",
            "request_url": alert.url,
            "resource_sid": alert.message_sid or alert.call_sid,
            "sid": new_sid("NO"),
            "url": "https://monitor.twilio.com/v1/Alerts",
        }
