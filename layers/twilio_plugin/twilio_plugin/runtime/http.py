"""Where Twilio's HTTP webhooks meet the services: API Gateway events in (payload format 2.0), answers out."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl

from twilio_plugin.domain.metrics import WEBHOOKS_REFUSED, of_refusal
from twilio_plugin.errors import (
    InvalidSignature,
    PluginError,
    SourceNotAllowed,
    UnreadableWebhook,
    UnsupportedContent,
    WebhookRefused,
    WebhookTooLarge,
)
from twilio_plugin.runtime.metrics import emit
from twilio_plugin.runtime.observability import correlate, logger

ROOT = "/webhooks/twilio"
MAX_BYTES = 128 * 1024  # 1,600 characters, ten media URLs and every rich field fit in a tenth of it
MAX_BASE64 = -(-MAX_BYTES // 3) * 4
MAX_FIELDS = 500

EMPTY_TWIML = '<?xml version="1.0" encoding="UTF-8"?><Response/>'

Event = dict[str, Any]
Response = dict[str, Any]
Handler = Callable[[Event, Any], Response]
IsSigned = Callable[[str, Iterable[str], "Form"], bool]
"""Signature, candidate URLs, form → whether Twilio signed it. May raise UnverifiedSignature."""
AdmitsSource = Callable[[str], bool]
"""IP address → whether a request may come from there."""


class Form(Mapping[str, str]):
    """A webhook's fields. A name may stand several times: `getlist` gives every value, indexing the first."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in pairs:
            self._values.setdefault(name, []).append(value)

    def getlist(self, name: str) -> list[str]:
        """Every value of a name, in the order sent."""
        return self._values[name]

    def __getitem__(self, name: str) -> str:
        return self._values[name][0]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def webhook(
    use_case: Callable[[Form, Mapping[str, str]], Response | None],
    is_signed: IsSigned,
    public_url: str,
    answer: Response,
    *,
    admits_source: AdmitsSource,
    whatever_happens: bool = False,
) -> Handler:
    """A handler that verifies, calls `use_case` with the form and the query, and gives what that does, or else `answer`.

    With `whatever_happens` Twilio gets `answer` even where the use case fails, because a caller must hear something.

    Refusals are 4xx in words; 503 says that trying again can help; anything unforeseen is a 500 without details. To be warmed
    (``{"warm": true}``, which no request is) it does nothing.
    """

    @logger.inject_lambda_context(clear_state=True)
    def lambda_handler(event: Event, _context: Any) -> Response:
        if event == {"warm": True}:
            return {}
        try:
            _refuse_other_sources(event, admits_source)
            form = _verified(event, is_signed, public_url)
            query = dict(parse_qsl(event.get("rawQueryString", "")))
            correlate(query.get("send"), query.get("request"), form.get("MessageSid"), form.get("CallSid"))
            return use_case(form, query) or answer
        except WebhookRefused as refusal:
            logger.warning("webhook refused", extra={"reason": type(refusal).__name__, "status": refusal.status})
            emit(of_refusal(WEBHOOKS_REFUSED, type(refusal).__name__))
            return _problem(refusal.status, refusal)
        except PluginError as failure:
            logger.exception("webhook failed")
            return answer if whatever_happens else _problem(503 if failure.retryable else 500, failure)
        except Exception:
            logger.exception("webhook failed unexpectedly")
            sorry = PluginError("Something went wrong on our side; the function's log has it.")
            return answer if whatever_happens else _problem(500, sorry)

    return lambda_handler


def twiml(document: str = EMPTY_TWIML) -> Response:
    """200 with TwiML; by default the empty one, which sends no reply."""
    return {"statusCode": 200, "headers": {"content-type": "text/xml; charset=utf-8"}, "body": document}


def no_content() -> Response:
    """204, which is all a status callback wants."""
    return {"statusCode": 204}


def _refuse_other_sources(event: Event, admits_source: AdmitsSource) -> None:
    # API Gateway's own word for who connected to it; what a header says anybody can write.
    if not admits_source(event.get("requestContext", {}).get("http", {}).get("sourceIp", "")):
        raise SourceNotAllowed("Requests from this address are not accepted.")


def _verified(event: Event, is_signed: IsSigned, public_url: str) -> Form:
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        raise UnsupportedContent("Twilio's webhooks are POSTed as application/x-www-form-urlencoded.")
    form = _form(_body(event))
    signature = headers.get("x-twilio-signature", "")
    if not signature:
        raise InvalidSignature("X-Twilio-Signature is missing.")
    if not is_signed(signature, _urls(event, public_url), form):
        raise InvalidSignature("X-Twilio-Signature does not fit this URL, these fields and the stack's auth token.")
    return form


def _body(event: Event) -> str:
    body = event.get("body") or ""
    if len(body) > (MAX_BASE64 if event.get("isBase64Encoded") else MAX_BYTES):
        raise WebhookTooLarge(f"The body is over {MAX_BYTES // 1024} KiB.")
    if not event.get("isBase64Encoded"):
        return body
    try:
        # A form is ASCII. Whatever else comes stays as it is, and no signature fits it.
        return base64.b64decode(body, validate=True).decode("utf-8", "surrogateescape")
    except ValueError as error:
        raise UnreadableWebhook("The body is not the base64 that it is said to be.") from error


def _form(body: str) -> Form:
    if body.count("&") >= MAX_FIELDS:
        raise WebhookTooLarge(f"The form has more than {MAX_FIELDS} fields.")
    if not body:
        return Form(())
    try:
        # Blank values are signed too. A field without "=" is nothing Twilio writes, and could pose as another field.
        return Form(parse_qsl(body, keep_blank_values=True, strict_parsing=True, errors="surrogateescape"))
    except ValueError as error:
        raise InvalidSignature("The body is not a form that Twilio could have signed.") from error


def _urls(event: Event, public_url: str) -> list[str]:
    """The URLs Twilio may have called: the configured one, and the one API Gateway saw."""
    path = event.get("rawPath", "")
    query = f"?{event['rawQueryString']}" if event.get("rawQueryString") else ""
    below_root = path.partition(ROOT)[2]
    seen_by = event.get("requestContext", {}).get("domainName", "")
    return [f"{public_url}{below_root}{query}", f"https://{seen_by}{path}{query}"]


def _problem(status: int, error: PluginError) -> Response:
    body = json.dumps({"error": type(error).__name__, "message": str(error)})
    return {"statusCode": status, "headers": {"content-type": "application/json"}, "body": body}
