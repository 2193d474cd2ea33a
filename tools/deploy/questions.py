"""What a first deployment has to know, asked of a person and checked with Twilio before anything is deployed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from requests.exceptions import RequestException
from twilio.base.exceptions import TwilioException
from twilio.rest import Client

from tools.doctor import twilio_client
from twilio_plugin.adapters.twilio_rest import TWILIO_API
from twilio_plugin.domain.address import masked

_SID = re.compile(r"^AC[0-9a-fA-F]{32}$")
_TOKEN = re.compile(r"^[0-9a-f]{32}$")
_MODES = ("stream", "relay", "gather")


class NotDeployed(Exception):
    """A sentence why not, and what to do."""


@dataclass(frozen=True, slots=True)
class Terminal:
    """How the person is asked: `ask` shows what they type, `ask_secretly` does not; `tell` says something."""

    ask: Callable[[str], str]
    ask_secretly: Callable[[str], str]
    tell: Callable[[str], None]


def parameters(terminal: Terminal, environment: Mapping[str, str], api_base_url: str = TWILIO_API) -> dict[str, str]:
    """The parameters of the template, by name. What `environment` has (``TWILIO_ACCOUNT_SID`` …) is not asked.

    Raises:
        NotDeployed: Twilio does not accept the credentials, or the account has no number.
    """
    account_sid = environment.get("TWILIO_ACCOUNT_SID") or _asked(
        terminal.ask, "Account SID (Twilio console, first page)", lambda said: bool(_SID.match(said)), "AC and 32 digits"
    )
    token = environment.get("TWILIO_AUTH_TOKEN") or _asked(
        terminal.ask_secretly, "Auth token, from there too (not shown)", lambda said: bool(_TOKEN.match(said)), "32 digits"
    )
    client = twilio_client.client(account_sid, token, account_sid, api_base_url)
    account, numbers = _account(client, account_sid)
    terminal.tell(f"Twilio: {account.friendly_name}, {account.status}, {str(account.type).lower()} account.")
    number = environment.get("TWILIO_PHONE_NUMBER") or _number(terminal, numbers)
    if number not in {one.phone_number for one in numbers}:
        raise NotDeployed(f"{masked(number)} is no number of this account. Name one of its own in TWILIO_PHONE_NUMBER.")
    return {
        "TwilioAccountSid": account_sid,
        "TwilioAuthToken": token,
        "TwilioPhoneNumber": number,
        "VoiceMode": _voice_mode(terminal, is_trial=str(account.type).lower() == "trial"),
    }


def _account(client: Client, account_sid: str) -> tuple[Any, list[Any]]:
    try:
        account = client.api.v2010.accounts(account_sid).fetch()
        numbers = client.incoming_phone_numbers.list(limit=50)
    except TwilioException as error:
        status, _ = twilio_client.refusal(error)
        raise NotDeployed(
            f"Twilio does not accept this account SID and auth token (HTTP {status}). Copy both from the console's first page."
        ) from error
    except RequestException as error:
        raise NotDeployed(f"Twilio cannot be reached ({type(error).__name__}). Check the network.") from error
    if not numbers:
        raise NotDeployed("The account has no phone number. Get one in the Twilio console (Phone Numbers > Buy a number).")
    return account, numbers


def _number(terminal: Terminal, numbers: list[Any]) -> str:
    for place, one in enumerate(numbers, start=1):
        can = [name for name in ("sms", "mms", "voice") if (one.capabilities or {}).get(name)]
        terminal.tell(f"  {place}. {one.phone_number}  {', '.join(can)}")
    if len(numbers) == 1:
        return str(numbers[0].phone_number)
    places = [str(place) for place in range(1, len(numbers) + 1)]
    chosen = _asked(terminal.ask, "Which number", lambda said: said in places, f"1 to {len(numbers)}", default="1")
    return str(numbers[int(chosen) - 1].phone_number)


def _voice_mode(terminal: Terminal, *, is_trial: bool) -> str:
    if is_trial:
        terminal.tell(
            "A trial account cannot stream calls, so gather is suggested; texts and calls reach verified numbers only."
        )
    default = "gather" if is_trial else "stream"
    return _asked(terminal.ask, "Calls by stream, relay or gather", _MODES.__contains__, "one of these", default=default)


def _asked(ask: Callable[[str], str], question: str, fits: Callable[[str], bool], expected: str, *, default: str = "") -> str:
    shown = f"{question} [{default}]: " if default else f"{question}: "
    while True:
        said = ask(shown).strip() or default
        if fits(said):
            return said
        shown = f"  {expected}, please: "
