"""Whether what Twilio calls answers: webhooks and socket, with a signature and without. As seen from this machine."""

from __future__ import annotations

import http.client
import ipaddress
from urllib.parse import urlsplit

from tools.doctor.findings import Examination
from tools.doctor.probe import Answer, handshake, post
from tools.doctor.stack import Stack
from twilio_plugin.adapters.twilio_rest import TWILIO_API

_SIGNED = ("sms", "voice", "status")
# It names no message and no call, so there is nothing that it could change: once verified, it is refused as unreadable.
_PROBE = {"Probe": "doctor"}
_UNREADABLE, _FORBIDDEN, _NOT_FOUND = 400, 403, 404
_SWITCHING = 101


def public(stack: Stack, seen: Examination) -> None:
    """Whether Twilio could reach the addresses at all."""
    for name in ("WebhookUrl", "WebSocketUrl"):
        host = urlsplit(stack.output(name)).hostname or ""
        if stack.api_base_url == TWILIO_API and _is_private(host):
            seen.error(
                f"{name} is at {host}, which Twilio cannot reach.",
                "Start a tunnel, and deploy with TwilioWebhookUrl (in `make run`: TWILIO_WEBHOOK_URL) naming its address.",
            )
        seen.fact(host)


def strangers(stack: Stack, seen: Examination) -> None:
    """Whether requests without a signature are refused."""
    for path in _SIGNED:
        answer = _posted(stack, seen, path, None)
        if answer is None:
            continue
        if answer.status == _NOT_FOUND:
            seen.error(f"{stack.url(path)} does not exist (HTTP 404).", _wrong_address(stack))
        elif answer.status != _FORBIDDEN:
            seen.error(
                f"A request without a signature to {stack.url(path)} is answered {answer.status}, not 403.",
                f"Read the log of /aws/lambda/{stack.name}-{path}-webhook. " + _wrong_address(stack),
            )
    seen.fact("without a signature: 403")


def signed(stack: Stack, seen: Examination) -> None:
    """Whether requests that Twilio would sign are taken for Twilio's."""
    for path in _SIGNED:
        answer = _posted(stack, seen, path, stack.credentials.auth_tokens[0])
        if answer is None:
            continue
        if answer.status == _FORBIDDEN:
            seen.error(
                f"{stack.url(path)} refuses what is signed with the stored auth token (HTTP 403).",
                "The functions are told another URL than Twilio calls, or still hold the token from before a rotation (five "
                "minutes at most). With a custom domain, a tunnel or a proxy in front, deploy with TwilioWebhookUrl.",
            )
        elif answer.status != _UNREADABLE or answer.error != "UnreadableWebhook":
            seen.error(
                f"{stack.url(path)} answers {answer.status} {answer.error} to a signed request.",
                f"Read the log of /aws/lambda/{stack.name}-{path}-webhook: it names the cause.",
            )
    seen.fact("signed: verified")


def fallback(stack: Stack, seen: Examination) -> None:
    """Whether a caller hears something where the voice webhook fails."""
    answer = _posted(stack, seen, "voice/fallback", None)
    if answer is not None and (answer.status != http.client.OK or "<Say>" not in answer.body):
        seen.error(
            f"{stack.url('voice/fallback')} answers {answer.status}, and no words for a caller.",
            f"Read the log of /aws/lambda/{stack.name}-voice-fallback, and deploy again.",
        )
    seen.fact("the fallback speaks")


def socket(stack: Stack, seen: Examination) -> None:
    """Whether a media stream's handshake opens a socket, and only Twilio's."""
    url = stack.output("WebSocketUrl")
    try:
        stranger, twilio = handshake(url, None), handshake(url, stack.credentials.auth_tokens[0])
    except (OSError, http.client.HTTPException) as error:
        seen.error(f"{url} cannot be reached: {_reason(error)}.", _unreachable("TwilioWebSocketUrl"))
        return
    if stranger == _SWITCHING:
        seen.error(
            f"{url} opens a socket for anybody.",
            "Deploy again: the route $connect has lost its authorizer. Something else may answer at that address.",
        )
    if twilio != _SWITCHING:
        seen.error(
            f"{url} answers a signed handshake with {twilio}, not 101; Twilio would say 31920, and calls have no sound.",
            f"Read the log of /aws/lambda/{stack.name}-stream-authorizer. No line there: the address is not this stack's "
            "WebSocket API, or the tunnel passes no WebSockets; see TwilioWebSocketUrl.",
        )
    seen.fact(f"signed: 101, otherwise {stranger}")


def _posted(stack: Stack, seen: Examination, path: str, auth_token: str | None) -> Answer | None:
    try:
        return post(stack.url(path), _PROBE, auth_token)
    except OSError as error:
        seen.error(f"{stack.url(path)} cannot be reached: {_reason(error)}.", _unreachable("TwilioWebhookUrl"))
        return None


def _reason(error: Exception) -> str:
    return str(getattr(error, "reason", "") or error or type(error).__name__)


def _unreachable(parameter: str) -> str:
    return f"Is {parameter} the address of a domain, tunnel or proxy that is up, with a certificate that is valid?"


def _wrong_address(stack: Stack) -> str:
    named = stack.parameters.get("TwilioWebhookUrl")
    if named:
        return f"{named} (TwilioWebhookUrl) does not lead to this stack's HTTP API: correct the domain's mapping or the tunnel."
    return "Deploy again."


def _is_private(host: str) -> bool:
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return host == "localhost"
