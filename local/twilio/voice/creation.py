"""What a call is asked for with, and what Twilio refuses to call, in the order in which it looks.

Numbers that always fail: https://www.twilio.com/docs/iam/test-credentials. What is refused with 20001 is
refused by Twilio too; its code and wording were not found.
"""

import re
from dataclasses import dataclass, field

from multidict import MultiMapping

from ..account import Account
from ..refusals import Refusal, refusal
from ..validation import is_callback_url, is_url

MAX_TWIML = 4000
MAX_TIMEOUT = 600
_E164 = re.compile(r"\+[1-9]\d{6,14}", re.ASCII)
_KEYS = re.compile(r"[0-9*#wWA-D]+", re.ASCII)
_MAGIC_TO = {"+15005550001": 21217, "+15005550002": 21214, "+15005550003": 21215, "+15005550004": 21216}
_MAGIC_FROM = {"+15005550001": 21212}
# Where the wording for texts is another.
_WORDINGS = {
    20001: "{value}",
    21205: "Url is not a valid URL: {value}",
    21211: "The phone number you are attempting to call, {value}, is not valid.",
    21212: "From is not a valid phone number: {value}",
}


@dataclass
class NewCall:
    """What was asked for. ``url`` and ``twiml`` are None where the parameter was missing; times are seconds of the call."""

    to: str
    from_: str
    url: str | None = None
    twiml: str | None = None
    method: str = "POST"
    application_sid: str | None = None
    fallback_url: str | None = None
    fallback_method: str = "POST"
    status_callback: str | None = None
    status_callback_method: str = "POST"
    status_callback_events: list[str] = field(default_factory=list)
    send_digits: str | None = None
    timeout: str = "60"
    time_limit: str = "14400"
    record: bool = False
    recording_status_callback: str | None = None
    recording_status_callback_method: str = "POST"
    recording_status_callback_events: list[str] = field(default_factory=lambda: ["completed"])
    machine_detection: str | None = None
    async_amd: bool = False
    async_amd_status_callback: str | None = None
    async_amd_status_callback_method: str = "POST"

    @classmethod
    def of_form(cls, form: MultiMapping[str]) -> "NewCall":
        """From the form of ``POST Calls.json``; other parameters are ignored."""
        return cls(
            to=form.get("To", ""),
            from_=form.get("From", ""),
            url=form.get("Url") or None,
            twiml=form.get("Twiml") or None,
            method=form.get("Method", "POST").upper(),
            application_sid=form.get("ApplicationSid") or None,
            fallback_url=form.get("FallbackUrl") or None,
            fallback_method=form.get("FallbackMethod", "POST").upper(),
            status_callback=form.get("StatusCallback") or None,
            status_callback_method=form.get("StatusCallbackMethod", "POST").upper(),
            status_callback_events=form.getall("StatusCallbackEvent", []),
            send_digits=form.get("SendDigits") or None,
            timeout=form.get("Timeout") or "60",
            time_limit=form.get("TimeLimit") or "14400",
            record=form.get("Record", "").lower() == "true",
            recording_status_callback=form.get("RecordingStatusCallback") or None,
            recording_status_callback_method=form.get("RecordingStatusCallbackMethod", "POST").upper(),
            recording_status_callback_events=" ".join(form.getall("RecordingStatusCallbackEvent", ["completed"])).split(),
            machine_detection=form.get("MachineDetection") or None,
            async_amd=form.get("AsyncAmd", "").lower() == "true",
            async_amd_status_callback=form.get("AsyncAmdStatusCallback") or None,
            async_amd_status_callback_method=form.get("AsyncAmdStatusCallbackMethod", "POST").upper(),
        )


def call_refusal(code: int, value: str = "") -> Refusal:
    """The refusal of that code in the wording of calls."""
    if code in _WORDINGS:
        return Refusal(code, 400, _WORDINGS[code].format(value=value))
    return refusal(code, to=value, from_=value, url=value)


def check_call(call: NewCall, account: Account) -> None:
    """Raises the :class:`~local.twilio.refusals.Refusal` that Twilio would answer."""
    if not call.to:
        raise call_refusal(21201)
    if call.application_sid:
        raise call_refusal(21218)
    check_instructions(call.url, call.twiml, call.method)
    _check_numbers(call, account)
    if call.status_callback and not is_callback_url(call.status_callback):
        raise call_refusal(21609, call.status_callback)
    if call.send_digits and not _KEYS.fullmatch(call.send_digits):
        raise call_refusal(21206)
    if not call.timeout.isdecimal() or int(call.timeout) > MAX_TIMEOUT:
        raise call_refusal(21208)
    if not call.time_limit.isdecimal():
        raise call_refusal(20001, "Invalid TimeLimit")


def check_instructions(url: str | None, twiml: str | None, method: str) -> None:
    """Raises the Refusal of what neither tells nor shows where to find what to do."""
    if method not in {"GET", "POST"}:
        raise call_refusal(21209)
    if twiml is not None and len(twiml) > MAX_TWIML:
        raise call_refusal(20001, f"Twiml must not be longer than {MAX_TWIML} characters")
    if url is None and twiml is None:
        raise refusal(21205)
    if url is not None and not is_url(url):
        raise call_refusal(21205, url)


def _check_numbers(call: NewCall, account: Account) -> None:
    if not call.from_:
        raise call_refusal(21213)
    if call.from_ in _MAGIC_FROM or not _E164.fullmatch(call.from_):
        raise call_refusal(21212, call.from_)
    if not account.may_send_from(call.from_):
        raise call_refusal(21210, call.from_)
    if call.to in _MAGIC_TO:
        raise call_refusal(_MAGIC_TO[call.to], call.to)
    if not _E164.fullmatch(call.to):
        raise call_refusal(21211, call.to)
