"""Our numbers at Twilio: whether they are ours, what they can do, and where they send texts and calls."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from tools.doctor.findings import Examination
from tools.doctor.stack import Stack
from twilio_plugin.domain.address import masked
from twilio_plugin.domain.webhook_retries import RETRY_CALLBACK, RETRY_DOCUMENT, RETRY_TEXT


def numbers(stack: Stack, seen: Examination) -> None:
    """Whether the account has them, and what they can do."""
    for number in stack.numbers:
        resource = stack.incoming.get(number)
        if resource is None:
            seen.error(
                f"{masked(number)} is no number of this Twilio account.",
                "Deploy with a TwilioPhoneNumber of the account, or with the account that has it.",
            )
            continue
        can = resource.capabilities or {}
        for ability, words in (("sms", "text"), ("voice", "call")):
            if not can.get(ability):
                seen.error(
                    f"{masked(number)} cannot {words}: Twilio sold it without {ability.upper()}.",
                    f"Buy a number with {ability.upper()} and deploy with it as TwilioPhoneNumber.",
                )
        if not can.get("mms"):
            seen.note(f"{masked(number)} cannot send pictures.", "Nothing to do, unless the agent is to send MMS.")
        seen.fact(f"{masked(number)}: {', '.join(name for name in ('sms', 'mms', 'voice') if can.get(name))}")


def urls(stack: Stack, seen: Examination) -> None:
    """Whether texts and calls come to this stack, and come again where it fails."""
    # Where a Messaging Service has a URL of its own, a number's is ignored: see `messaging_services`.
    by_service = {
        number
        for service, members in stack.messaging_services
        if not service.use_inbound_webhook_on_number
        for number in members
    }
    for number, resource in stack.incoming.items():
        if not resource.sms_application_sid and number not in by_service:
            _url(stack, seen, number, "A message comes in", resource.sms_url, resource.sms_method, "sms", RETRY_TEXT)
        if resource.voice_application_sid or getattr(resource, "trunk_sid", None):
            continue
        _url(stack, seen, number, "A call comes in", resource.voice_url, resource.voice_method, "voice", RETRY_DOCUMENT)
        if _bare(resource.voice_fallback_url) != stack.url("voice/fallback"):
            seen.warning(
                f'"Primary handler fails" of {masked(number)} is {_shown(resource.voice_fallback_url)}: where the voice '
                "webhook fails, callers hear that an application error has occurred.",
                f"Set it to {stack.url('voice/fallback')}",
            )
        _status(stack, seen, number, resource)
    seen.fact(f"they lead to {stack.output('WebhookUrl')}")


def _url(
    stack: Stack, seen: Examination, number: str, field: str, url: str | None, method: str, path: str, retries: str
) -> None:
    wanted = stack.url(path) + retries
    if _bare(url) != stack.url(path):
        seen.error(f'"{field}" of {masked(number)} is {_shown(url)}, not this stack\'s.', f"Set it to {wanted}")
    elif str(method).upper() != "POST":
        seen.error(f'"{field}" of {masked(number)} is asked by {method}; the webhook takes POST.', "Set it to HTTP POST.")
    elif not _repeats(url or ""):
        seen.warning(
            f'"{field}" of {masked(number)} has no connection override, so what fails once is lost.', f"Set it to {wanted}"
        )


def _status(stack: Stack, seen: Examination, number: str, resource: Any) -> None:
    wanted = stack.url("status") + RETRY_CALLBACK
    if _bare(resource.status_callback) != stack.url("status"):
        seen.warning(
            f'"Call status changes" of {masked(number)} is {_shown(resource.status_callback)}: the end of a call is noticed up '
            "to a quarter of an hour late.",
            f"Set it to {wanted}",
        )
    elif not _repeats(resource.status_callback):
        seen.warning(
            f'"Call status changes" of {masked(number)} has no connection override, so what fails once is lost.',
            f"Set it to {wanted}",
        )


def overrides(stack: Stack, seen: Examination) -> None:
    """What makes Twilio ignore a number's URLs."""
    for number, resource in stack.incoming.items():
        if resource.sms_application_sid:
            seen.error(
                f"{masked(number)} texts through the TwiML App {resource.sms_application_sid[:6]}…, so its own URL is ignored.",
                "In the console, set the number's messaging configuration to Webhook instead of TwiML App.",
            )
        if resource.voice_application_sid:
            seen.error(
                f"{masked(number)} takes calls through the TwiML App {resource.voice_application_sid[:6]}…, so its own URL is "
                "ignored.",
                "In the console, set the number's voice configuration to Webhook instead of TwiML App.",
            )
        if trunk := getattr(resource, "trunk_sid", None):
            seen.error(
                f"Calls to {masked(number)} go to the SIP trunk {trunk[:6]}….",
                "In the console, take the number out of the trunk.",
            )
    seen.fact("no TwiML App and no trunk in between")


def messaging_services(stack: Stack, seen: Examination) -> None:
    """Whether a Messaging Service takes the texts away."""
    for service, members in stack.messaging_services:
        who = f"The Messaging Service {service.friendly_name}, which has {', '.join(map(masked, members))},"
        if service.use_inbound_webhook_on_number:
            seen.fact(f"{service.friendly_name} defers to the number")
        elif not service.inbound_request_url:
            seen.error(
                f"{who} drops the texts that come in.",
                'Set its Integration > Incoming Messages to "Defer to sender\'s webhook".',
            )
        elif _bare(service.inbound_request_url) != stack.url("sms"):
            seen.error(
                f"{who} sends texts to {_shown(service.inbound_request_url)}, not to this stack.",
                'Set its Integration > Incoming Messages to "Defer to sender\'s webhook", or to '
                f"{stack.url('sms')}{RETRY_TEXT}",
            )
        else:
            seen.fact(f"{service.friendly_name} sends texts here")
    if not stack.messaging_services:
        seen.fact("in no Messaging Service")


def _bare(url: str | None) -> str:
    """Without the fragment, which only Twilio reads."""
    return (url or "").partition("#")[0]


def _repeats(url: str) -> bool:
    """Whether its connection override makes Twilio try again after a 5xx."""
    options = dict(part.partition("=")[::2] for part in url.partition("#")[2].split("&"))
    return options.get("rc", "0") != "0" and bool({"5xx", "all"} & set(options.get("rp", "").split(",")))


def _shown(url: str | None) -> str:
    """Without credentials and query, which may be somebody's secret."""
    if not url:
        return "not set"
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}{parts.path}"
