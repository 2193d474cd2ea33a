"""``X-Twilio-Signature``: is this request from Twilio, for us, unchanged?

Source: Twilio, "Webhooks security". The computation is the twilio package's; what it leaves open is decided here: which URL
Twilio called, which of two tokens it used during a rotation, and that every doubt ends in a refusal.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable, Iterator
from typing import Protocol
from urllib.parse import urlsplit, urlunsplit

from twilio.request_validator import RequestValidator

_HMAC_SHA1 = re.compile(r"[A-Za-z0-9+/]{27}=")


class MultiForm(Protocol):
    """A form in which a name may stand several times; what the twilio package asks of one."""

    def getlist(self, name: str) -> list[str]:
        """Every value of a name."""

    def __iter__(self) -> Iterator[str]: ...


def is_signed(signature: str, urls: Iterable[str], form: MultiForm, auth_tokens: Iterable[str]) -> bool:
    """Whether one of the tokens signed this form for one of the URLs. Never raises for anything a stranger can send."""
    candidates = [candidate for url in dict.fromkeys(urls) for candidate in _with_and_without_port(url)]
    signed = False
    for token in auth_tokens:
        validator = RequestValidator(token)
        for url in candidates:
            try:
                expected = validator.compute_signature(url, form)
                signed |= hmac.compare_digest(expected.encode(), signature.encode())
            except UnicodeEncodeError:
                return False  # bytes that are not UTF-8: Twilio never signs such
    return signed


def is_possible(signature: str, form: MultiForm | None = None) -> bool:
    """Whether any token at all could have signed this: the signature is an HMAC-SHA1's, and the form is text."""
    fields = form or _NoFields()
    try:
        "".join(text for name in fields for text in (name, *fields.getlist(name))).encode()
    except UnicodeEncodeError:
        return False
    return bool(_HMAC_SHA1.fullmatch(signature))


def is_signed_handshake(signature: str, urls: Iterable[str], auth_tokens: Iterable[str]) -> bool:
    """Whether one of the tokens signed a WebSocket handshake with one of the URLs, which has no form.

    Twilio does not say whether it signs a slash at the end, so both forms count. Never raises for anything a stranger can send.
    """
    bare = [url.rstrip("/") for url in urls]
    return is_signed(signature, [form for url in bare for form in (url, f"{url}/")], _NoFields(), auth_tokens)


class _NoFields:
    def getlist(self, name: str) -> list[str]:
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(())


def _with_and_without_port(url: str) -> list[str]:
    """Twilio is not consistent about the default port, so both forms count."""
    parts = urlsplit(url)
    default = {"https": ":443", "wss": ":443", "http": ":80", "ws": ":80"}.get(parts.scheme, "")
    host = parts.netloc
    if default and host.endswith(default):
        return [url, urlunsplit(parts._replace(netloc=host.removesuffix(default)))]
    if parts.port is None and default:
        return [url, urlunsplit(parts._replace(netloc=host + default))]
    return [url]
