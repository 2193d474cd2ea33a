"""The one account that the stand-in serves, and the JSON of its Account and IncomingPhoneNumber resources."""

import hashlib
import hmac
import re
from dataclasses import dataclass, field
from datetime import datetime

from .messages import API_VERSION, now, rfc2822

MAGIC_SENDER = "+15005550006"  # https://www.twilio.com/docs/iam/test-credentials: may send, though nobody owns it


@dataclass
class Account:
    """``api_keys`` maps an API key's SID to its secret.

    ``sms_url`` is where inbound texts go, ``voice_url`` inbound calls; ``status_url`` is told when an inbound call ended. Each
    may have a fragment, and holds for all numbers.
    """

    sid: str
    auth_token: str
    phone_numbers: list[str]
    api_keys: dict[str, str] = field(default_factory=dict)
    sms_url: str | None = None
    voice_url: str | None = None
    voice_fallback_url: str | None = None
    status_url: str | None = None
    date_created: datetime = field(default_factory=now)

    def knows(self, username: str) -> bool:
        """Whether that is the account's SID or one of its keys."""
        return username == self.sid or username in self.api_keys

    def accepts(self, username: str, password: str) -> bool:
        """Whether these are credentials of the account."""
        secret = self.auth_token if username == self.sid else self.api_keys.get(username)
        return secret is not None and hmac.compare_digest(secret.encode(), password.encode())

    def owns(self, address: str) -> bool:
        """Whether the account receives what is sent to that address, whatever its channel."""
        return address.partition(":")[2] in self.phone_numbers or address in self.phone_numbers

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
            "status": "active",
            "subresource_uris": {
                "calls": f"{uri}/Calls.json",
                "incoming_phone_numbers": f"{uri}/IncomingPhoneNumbers.json",
                "messages": f"{uri}/Messages.json",
            },
            "type": "Full",
            "uri": f"{uri}.json",
        }

    def number_resources(self, pattern: str | None = None) -> list[dict[str, object]]:
        """The JSON of the numbers whose digits contain ``pattern``, in which ``*`` stands for one digit."""
        if not pattern:
            return [self._number(number) for number in self.phone_numbers]
        wanted = re.compile(re.escape(pattern).replace(r"\*", r"\d"))
        return [self._number(number) for number in self.phone_numbers if wanted.search(number)]

    def _number(self, number: str) -> dict[str, object]:
        sid = number_sid(number)
        return {
            "account_sid": self.sid,
            "address_requirements": "none",
            "address_sid": None,
            "api_version": API_VERSION,
            "beta": False,
            "bundle_sid": None,
            "capabilities": {"fax": False, "mms": True, "sms": True, "voice": True},
            "date_created": rfc2822(self.date_created),
            "date_updated": rfc2822(self.date_created),
            "emergency_address_sid": None,
            "emergency_address_status": "unregistered",
            "emergency_status": "Inactive",
            "friendly_name": number,
            "identity_sid": None,
            "origin": "twilio",
            "phone_number": number,
            "sid": sid,
            "sms_application_sid": "",
            "sms_fallback_method": "POST",
            "sms_fallback_url": "",
            "sms_method": "POST",
            "sms_url": self.sms_url or "",
            "status": "in-use",
            "status_callback": self.status_url or "",
            "status_callback_method": "POST",
            "trunk_sid": None,
            "type": "local",
            "uri": f"/{API_VERSION}/Accounts/{self.sid}/IncomingPhoneNumbers/{sid}.json",
            "voice_application_sid": "",
            "voice_caller_id_lookup": False,
            "voice_fallback_method": "POST",
            "voice_fallback_url": self.voice_fallback_url or "",
            "voice_method": "POST",
            "voice_receive_mode": "voice",
            "voice_url": self.voice_url or "",
        }


def number_sid(number: str) -> str:
    """The same SID for the same number in every run, so that it can be written into a test."""
    return "PN" + hashlib.sha256(number.encode()).hexdigest()[:32]
