"""A Messaging Service: the numbers in it, where their texts go, and the JSON of its resources.

Source: https://www.twilio.com/docs/messaging/api/service-resource. Texts to a number of a service go to the service's
``inbound_request_url`` unless ``use_inbound_webhook_on_number``; where it has none, they are dropped.
"""

from dataclasses import dataclass, field
from datetime import datetime

from .messages import new_sid
from .numbers import Number, Route

API = "https://messaging.twilio.com"


@dataclass
class Service:
    """``numbers`` are E.164. The names are Twilio's."""

    friendly_name: str
    numbers: list[str] = field(default_factory=list)
    inbound_request_url: str = ""
    inbound_method: str = "POST"
    fallback_url: str = ""
    fallback_method: str = "POST"
    status_callback: str = ""
    use_inbound_webhook_on_number: bool = False
    sid: str = field(default_factory=lambda: new_sid("MG"))

    def texts(self, number: Number) -> Route | None:
        """Where texts to a number of the service go."""
        if self.use_inbound_webhook_on_number:
            own = number.texts()
            return own and Route(own.url, own.method, own.fallback_url, own.fallback_method, self.sid)
        if not self.inbound_request_url:
            return None
        return Route(self.inbound_request_url, self.inbound_method, self.fallback_url, self.fallback_method, self.sid)

    def resource(self, account_sid: str, created: datetime) -> dict[str, object]:
        """The JSON of the Service."""
        url = f"{API}/v1/Services/{self.sid}"
        return {
            "account_sid": account_sid,
            "area_code_geomatch": True,
            "date_created": created.isoformat(),
            "date_updated": created.isoformat(),
            "fallback_method": self.fallback_method,
            "fallback_to_long_code": True,
            "fallback_url": self.fallback_url or None,
            "friendly_name": self.friendly_name,
            "inbound_method": self.inbound_method,
            "inbound_request_url": self.inbound_request_url or None,
            "links": {"phone_numbers": f"{url}/PhoneNumbers"},
            "mms_converter": True,
            "scan_message_content": "inherit",
            "sid": self.sid,
            "smart_encoding": True,
            "status_callback": self.status_callback or None,
            "sticky_sender": True,
            "synchronous_validation": False,
            "url": url,
            "us_app_to_person_registered": False,
            "use_inbound_webhook_on_number": self.use_inbound_webhook_on_number,
            "usecase": "undeclared",
            "validity_period": 36000,
        }

    def number_resource(self, number: Number, account_sid: str, created: datetime) -> dict[str, object]:
        """The JSON of a number's place in the service."""
        return {
            "account_sid": account_sid,
            "capabilities": ["MMS", "SMS", "Voice"],
            "country_code": "US",
            "date_created": created.isoformat(),
            "date_updated": created.isoformat(),
            "phone_number": number.phone_number,
            "service_sid": self.sid,
            "sid": number.sid,
            "url": f"{API}/v1/Services/{self.sid}/PhoneNumbers/{number.sid}",
        }
