"""What Twilio, carriers and regulators let the account do, and the JSON of the resources that tell of it.

An account begins as one that may do everything. A test, or somebody at the control routes, takes things away.
"""

from dataclasses import dataclass, field
from datetime import datetime

from .messages import API_VERSION, new_sid, rfc2822

ABILITIES = ("sms", "mms", "voice", "fax")


@dataclass
class Standing:
    """``campaigns`` has the A2P 10DLC campaign's status by Messaging Service, ``toll_free`` a verification's by number.

    ``status`` is active, suspended or closed, ``type`` Full or Trial. Countries are ISO 3166; ``lacks`` has what a number
    cannot do, of ABILITIES.
    """

    status: str = "active"
    type: str = "Full"
    verified_callers: list[str] = field(default_factory=list)
    no_calls_to: list[str] = field(default_factory=list)
    no_texts_to: list[str] = field(default_factory=list)
    campaigns: dict[str, str] = field(default_factory=dict)
    toll_free: dict[str, str] = field(default_factory=dict)
    lacks: dict[str, list[str]] = field(default_factory=dict)

    def capabilities(self, number: str) -> dict[str, bool]:
        """Of a number, as its resource has them."""
        return {ability: ability != "fax" and ability not in self.lacks.get(number, []) for ability in ABILITIES}

    def caller_resources(self, account_sid: str, created: datetime) -> list[dict[str, object]]:
        """The JSON of the verified numbers: https://www.twilio.com/docs/voice/api/outgoing-caller-ids."""
        return [
            {
                "account_sid": account_sid,
                "date_created": rfc2822(created),
                "date_updated": rfc2822(created),
                "friendly_name": number,
                "phone_number": number,
                "sid": (sid := "PN" + number.removeprefix("+").rjust(32, "0")),
                "uri": f"/{API_VERSION}/Accounts/{account_sid}/OutgoingCallerIds/{sid}.json",
            }
            for number in self.verified_callers
        ]

    def country_resource(self, country: str) -> dict[str, object]:
        """The JSON of a country that may be called: https://www.twilio.com/docs/voice/api/dialingpermissions-country-resource."""
        return {
            "continent": "NORTH_AMERICA",
            "country_codes": ["+1"],
            "high_risk_special_numbers_enabled": False,
            "high_risk_tollfraud_numbers_enabled": False,
            "iso_code": country,
            "links": {"highrisk_special_prefixes": f"{_countries(country)}/HighRiskSpecialPrefixes"},
            "low_risk_numbers_enabled": country not in self.no_calls_to,
            "name": country,
            "url": _countries(country),
        }

    def text_permissions(self, country: str) -> dict[str, object]:
        """The JSON of Messaging's geo permissions, of one country."""
        enabled = country not in self.no_texts_to
        return {"permissions": [{"country_code": country, "type": "country", "enabled": enabled}]}

    def campaign_resources(self, service_sid: str, account_sid: str, created: datetime) -> list[dict[str, object]]:
        """The JSON of a service's campaign: https://www.twilio.com/docs/messaging/api/usapptoperson-resource."""
        if service_sid not in self.campaigns:
            return []
        return [
            {
                "account_sid": account_sid,
                "brand_registration_sid": new_sid("BN"),
                "campaign_status": self.campaigns[service_sid],
                "date_created": created.isoformat(),
                "date_updated": created.isoformat(),
                "messaging_service_sid": service_sid,
                "sid": "QE2c6890da8086d771620e9b13fadeba0b",
                "us_app_to_person_usecase": "LOW_VOLUME",
            }
        ]

    def toll_free_resources(self, sids: dict[str, str], account_sid: str) -> list[dict[str, object]]:
        """The JSON of verifications, of the numbers by their SIDs."""
        return [
            {
                "account_sid": account_sid,
                "sid": new_sid("HH"),
                "status": self.toll_free[number],
                "tollfree_phone_number_sid": sid,
            }
            for sid, number in sids.items()
            if number in self.toll_free
        ]


def _countries(country: str) -> str:
    return f"https://voice.twilio.com/v1/DialingPermissions/Countries/{country}"
