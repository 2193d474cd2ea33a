"""A phone number of the account: where its texts and calls go, and the JSON of its IncomingPhoneNumber resource.

Source: https://www.twilio.com/docs/phone-numbers/api/incomingphonenumber-resource. The SID of a TwiML App or of a trunk takes
the place of URLs; neither has any here, so what comes in for such a number goes nowhere.
"""

import hashlib
from dataclasses import asdict, dataclass, fields
from datetime import datetime

from .messages import API_VERSION, rfc2822


@dataclass(frozen=True)
class Route:
    """Where something that comes in goes, and where it goes instead if that fails."""

    url: str
    method: str = "POST"
    fallback_url: str = ""
    fallback_method: str = "POST"
    service_sid: str = ""


@dataclass
class Number:
    """``phone_number`` is E.164. URLs may have a fragment; empty means none. The names are Twilio's."""

    phone_number: str
    sms_url: str = ""
    sms_method: str = "POST"
    sms_fallback_url: str = ""
    sms_fallback_method: str = "POST"
    sms_application_sid: str = ""
    voice_url: str = ""
    voice_method: str = "POST"
    voice_fallback_url: str = ""
    voice_fallback_method: str = "POST"
    voice_application_sid: str = ""
    trunk_sid: str = ""
    status_callback: str = ""
    status_callback_method: str = "POST"

    @property
    def sid(self) -> str:
        """The same SID for the same number in every run, so that it can be written into a test."""
        return number_sid(self.phone_number)

    def texts(self) -> Route | None:
        """Where texts go that no Messaging Service takes."""
        if self.sms_application_sid or not self.sms_url:
            return None
        return Route(self.sms_url, self.sms_method, self.sms_fallback_url, self.sms_fallback_method)

    def calls(self) -> Route | None:
        """Where calls go. A trunk or an application hides the URLs."""
        if self.trunk_sid or self.voice_application_sid or not self.voice_url:
            return None
        return Route(self.voice_url, self.voice_method, self.voice_fallback_url, self.voice_fallback_method)

    def change(self, settings: dict[str, str]) -> None:
        """Set what is given. A trunk takes the application's place, and an application the trunk's."""
        for name, value in settings.items():
            setattr(self, name, value)
        if settings.get("trunk_sid"):
            self.voice_application_sid = ""
        elif settings.get("voice_application_sid"):
            self.trunk_sid = ""

    def resource(self, account_sid: str, created: datetime) -> dict[str, object]:
        """The JSON of the IncomingPhoneNumber."""
        settings = asdict(self) | {"trunk_sid": self.trunk_sid or None}
        return {
            "account_sid": account_sid,
            "address_requirements": "none",
            "address_sid": None,
            "api_version": API_VERSION,
            "beta": False,
            "bundle_sid": None,
            "capabilities": {"fax": False, "mms": True, "sms": True, "voice": True},
            "date_created": rfc2822(created),
            "date_updated": rfc2822(created),
            "emergency_address_sid": None,
            "emergency_address_status": "unregistered",
            "emergency_status": "Inactive",
            "friendly_name": self.phone_number,
            "identity_sid": None,
            "origin": "twilio",
            "sid": self.sid,
            "status": "in-use",
            "type": "local",
            "uri": f"/{API_VERSION}/Accounts/{account_sid}/IncomingPhoneNumbers/{self.sid}.json",
            "voice_caller_id_lookup": False,
            "voice_receive_mode": "voice",
            **settings,
        }


SETTINGS = frozenset(field.name for field in fields(Number)) - {"phone_number"}


def number_sid(number: str) -> str:
    """The SID of a number."""
    return "PN" + hashlib.sha256(number.encode()).hexdigest()[:32]
