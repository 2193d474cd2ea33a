"""What Twilio, carriers and regulators let the account do: countries, US registration, toll-free verification."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from tools.doctor.findings import Examination
from tools.doctor.stack import Stack, region_of
from twilio_plugin.domain.address import masked
from twilio_plugin.domain.twilio_errors import TWILIO_ERRORS

_TOLL_FREE = re.compile(r"^\+18(00|33|44|55|66|77|88)\d{7}$")
_UNDER_WAY = {"PENDING", "IN_PROGRESS", "PENDING_REVIEW", "IN_REVIEW"}


def calling(stack: Stack, seen: Examination) -> None:
    """Whether the countries that matter may be called."""
    for country in stack.countries:
        permission = stack.twilio.voice.v1.dialing_permissions.countries(country).fetch()
        if not permission.low_risk_numbers_enabled:
            seen.error(
                f"Calls to {permission.name or country} are off; Twilio refuses them with 21215.",
                "Turn the country on under Voice > Settings > Geo permissions in the Twilio console.",
            )
    seen.fact(f"calls to {', '.join(stack.countries)} are on")


def texting(stack: Stack, seen: Examination) -> None:
    """Whether the countries that matter may be texted."""
    for country in stack.countries:
        answer = stack.twilio.accounts.v1.messaging_geopermissions.fetch(country_code=country)
        rows: Any = answer.permissions or []
        if any(row.get("country_code") == country and row.get("enabled") is False for row in rows):
            seen.error(f"Texts to {country} are off; Twilio refuses them with 21408.", TWILIO_ERRORS[21408].remedy)
    seen.fact(f"texts to {', '.join(stack.countries)} are on")


def us_registration(stack: Stack, seen: Examination) -> None:
    """Whether carriers take texts of our US long codes."""
    codes = [number for number in stack.incoming if region_of(number) == "US" and not _TOLL_FREE.match(number)]
    for number in codes:
        campaigns = list(_campaigns(stack, number))
        statuses = {str(one.campaign_status).upper() for one in campaigns}
        if "VERIFIED" in statuses:
            seen.fact(f"{masked(number)} is in a verified A2P 10DLC campaign")
        elif stack.is_trial:
            seen.note(
                f"{masked(number)} is in no A2P 10DLC campaign.", "A trial account needs none; register once it is upgraded."
            )
        elif statuses & _UNDER_WAY:
            seen.warning(
                f"The A2P 10DLC campaign of {masked(number)} is not approved yet; carriers still refuse its texts (30034).",
                "Wait for Twilio's mail; it takes days to weeks. Calls and texts in work meanwhile.",
            )
        elif campaigns:
            seen.error(
                f"The A2P 10DLC campaign of {masked(number)} is {', '.join(sorted(statuses))}; carriers refuse it (30034).",
                "The reason is under Messaging > Regulatory Compliance in the Twilio console; correct it and hand it in again.",
            )
        else:
            seen.error(
                f"{masked(number)} is in no A2P 10DLC campaign: US carriers refuse its texts (30034). Texts in and calls work.",
                "Register a brand and a campaign under Messaging > Regulatory Compliance in the Twilio console, and put the "
                "number into the campaign's Messaging Service. Or use a verified toll-free number.",
            )
    if not codes:
        seen.fact("no US long code")


def _campaigns(stack: Stack, number: str) -> Iterator[Any]:
    for service, members in stack.messaging_services:
        if number in members:
            yield from stack.twilio.messaging.v1.services(service.sid).us_app_to_person.list(limit=20)


def toll_free(stack: Stack, seen: Examination) -> None:
    """Whether carriers take texts of our toll-free numbers."""
    numbers = {number: resource for number, resource in stack.incoming.items() if _TOLL_FREE.match(number)}
    for number, resource in numbers.items():
        found = stack.twilio.messaging.v1.tollfree_verifications.list(tollfree_phone_number_sid=resource.sid, limit=20)
        statuses = {str(one.status).upper() for one in found}
        if "TWILIO_APPROVED" in statuses:
            seen.fact(f"{masked(number)} is verified")
        elif statuses & _UNDER_WAY:
            seen.warning(
                f"The toll-free verification of {masked(number)} is under way; until then carriers refuse its texts (30032).",
                "Wait for Twilio's mail. Calls and texts in work meanwhile.",
            )
        else:
            state = "was rejected" if statuses else "was never asked for"
            seen.error(
                f"The toll-free verification of {masked(number)} {state}; carriers refuse its texts (30032).",
                "Hand it in under Phone Numbers > Manage > Active numbers > the number > Regulatory Information.",
            )
    if not numbers:
        seen.fact("no toll-free number")
