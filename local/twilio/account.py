"""The one account that the stand-in serves, with its numbers and Messaging Services, and the JSON of its Account resource."""

import hmac
import re
from dataclasses import dataclass, field
from datetime import datetime

from .messages import API_VERSION, now, rfc2822
from .numbers import Number, Route
from .services import Service
from .standing import Standing

MAGIC_SENDER = "+15005550006"  # https://www.twilio.com/docs/iam/test-credentials: may send, though nobody owns it


@dataclass
class Account:
    """``api_keys`` maps an API key's SID to its secret; ``numbers`` are by their E.164, ``services`` by their SIDs.

    REST also takes ``secondary_auth_token``, with which nothing is signed: https://www.twilio.com/docs/iam/api/authtoken.
    ``templates`` are content templates by their SIDs, ``Hello {{1}}``.
    """

    sid: str
    auth_token: str
    numbers: dict[str, Number]
    api_keys: dict[str, str] = field(default_factory=dict)
    services: dict[str, Service] = field(default_factory=dict)
    secondary_auth_token: str | None = None
    standing: Standing = field(default_factory=Standing)
    templates: dict[str, str] = field(default_factory=dict)
    date_created: datetime = field(default_factory=now)

    @property
    def phone_numbers(self) -> list[str]:
        """The first is the default sender and recipient."""
        return list(self.numbers)

    def number(self, address: str) -> Number:
        """The number that receives what is sent to an address, whatever its channel. Raises KeyError."""
        return self.numbers[address.rpartition(":")[2]]

    def service_of(self, number: Number) -> Service | None:
        """The Messaging Service that the number is in."""
        return next((service for service in self.services.values() if number.phone_number in service.numbers), None)

    def texts_go_to(self, address: str) -> Route | None:
        """Where a text to that address goes."""
        number = self.number(address)
        service = self.service_of(number)
        return service.texts(number) if service else number.texts()

    def set_all(self, **settings: str) -> None:
        """Change all numbers."""
        for number in self.numbers.values():
            number.change(settings)

    def knows(self, username: str) -> bool:
        """Whether that is the account's SID or one of its keys."""
        return username == self.sid or username in self.api_keys

    def accepts(self, username: str, password: str) -> bool:
        """Whether these are credentials of the account."""
        secrets = [self.auth_token, self.secondary_auth_token] if username == self.sid else [self.api_keys.get(username)]
        return any(secret and hmac.compare_digest(secret.encode(), password.encode()) for secret in secrets)

    def owns(self, address: str) -> bool:
        """Whether the account receives what is sent to that address, whatever its channel."""
        return address.rpartition(":")[2] in self.numbers

    def may_send_from(self, address: str) -> bool:
        """Whether the account may use that address as a sender."""
        return self.owns(address) or address == MAGIC_SENDER

    def sender_for(self, to: str) -> str:
        """The number that a Messaging Service picks for a recipient: here always the first, in the recipient's channel."""
        channel, colon, _ = to.rpartition(":")
        return channel + colon + self.phone_numbers[0]

    def resource(self) -> dict[str, object]:
        """The JSON of the Account resource."""
        uri = f"/{API_VERSION}/Accounts/{self.sid}"
        return {
            "auth_token": self.auth_token,
            "date_created": rfc2822(self.date_created),
            "date_updated": rfc2822(self.date_created),
            "friendly_name": "Twilio stand-in",
            "owner_account_sid": self.sid,
            "sid": self.sid,
            "status": self.standing.status,
            "subresource_uris": {
                "calls": f"{uri}/Calls.json",
                "incoming_phone_numbers": f"{uri}/IncomingPhoneNumbers.json",
                "messages": f"{uri}/Messages.json",
            },
            "type": self.standing.type,
            "uri": f"{uri}.json",
        }

    def number_resources(self, pattern: str | None = None) -> list[dict[str, object]]:
        """The JSON of the numbers whose digits contain ``pattern``, in which ``*`` stands for one digit."""
        wanted = re.compile(re.escape(pattern or "").replace(r"\*", r"\d"))
        found = [number for number in self.numbers.values() if wanted.search(number.phone_number)]
        return [self.number_resource(number) for number in found]

    def number_resource(self, number: Number) -> dict[str, object]:
        """The JSON of one of them."""
        capabilities = self.standing.capabilities(number.phone_number)
        return number.resource(self.sid, self.date_created) | {"capabilities": capabilities}
