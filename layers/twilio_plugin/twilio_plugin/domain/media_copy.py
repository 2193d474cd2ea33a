"""Copying what people send: which addresses are Twilio's, what is let in, and why something is not.

Twilio's media URL is ``https://api.twilio.com/2010-04-01/Accounts/AC…/Messages/MM…/Media/ME…``, read with the account's
credentials. It answers with a redirect to its CDN, which needs none: ``mms.twiliocdn.com`` where media are protected, else
``media.twiliocdn.com`` and from there to that name's bucket (Twilio, "Protect Media Access with HTTP Basic Authentication").
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import SplitResult, urlsplit

from twilio_plugin.domain.address import Channel

MediaRefusal = Literal[
    "not_from_twilio", "redirected_elsewhere", "too_large", "type_not_allowed", "wrong_type", "not_found", "unavailable"
]

_LOOPBACK = ("127.0.0.1", "localhost")
_CDN = ".twiliocdn.com"
# Where Twilio's CDN sends on to while media are not protected. The host is everybody's, the folder is Twilio's.
_BUCKET_HOST, _BUCKET_FOLDER = "s3-external-1.amazonaws.com", "/media.twiliocdn.com/"


@dataclass(frozen=True, slots=True)
class WhyRefused:
    """A reason in words."""

    meaning: str
    remedy: str


WHY_REFUSED: dict[MediaRefusal, WhyRefused] = {
    "not_from_twilio": WhyRefused(
        "The URL is not one of a medium of this Twilio account, so it was not fetched.",
        "Check TwilioAccountSid; a subaccount's texts need a stack of their own.",
    ),
    "redirected_elsewhere": WhyRefused(
        "Twilio's answer led to a host that is not Twilio's, so it was not followed.",
        "If Twilio serves media from a new host, report it; the medium is still at its URL.",
    ),
    "too_large": WhyRefused("It is larger than MaxMediaBytes.", "Raise that parameter, or fetch it from its URL."),
    "type_not_allowed": WhyRefused(
        "Its type is not one of those that people send: pictures, sound, video, contacts, calendars, text, documents.",
        "Fetch it from its URL, if you trust it.",
    ),
    "wrong_type": WhyRefused("Its content is not what its type says.", "Do not open it; ask the person to send it again."),
    "not_found": WhyRefused("Twilio does not have it, or not any more.", "Ask the person to send it again."),
    "unavailable": WhyRefused("Twilio did not hand it over within minutes.", "Fetch it from its URL later."),
}


@dataclass(frozen=True, slots=True)
class MediaHosts:
    """Whom media are fetched from. `api_base_url` is Twilio's, or a stand-in's on loopback."""

    account_sid: str
    api_base_url: str

    def is_media(self, url: str) -> bool:
        """Whether this is a medium of the account at the API itself: only there the credentials go."""
        parts = _split(url)
        path = rf"/2010-04-01/Accounts/{re.escape(self.account_sid)}/Messages/[A-Z]{{2}}[0-9a-f]{{32}}/Media/ME[0-9a-f]{{32}}"
        base = urlsplit(self.api_base_url)
        return (
            parts is not None
            and (parts.scheme, parts.netloc) == (base.scheme, base.netloc)
            and re.fullmatch(path, parts.path) is not None
            and not parts.query
        )

    def is_redirect(self, url: str) -> bool:
        """Whether Twilio may send us there; without credentials."""
        parts = _split(url)
        if parts is None:
            return False
        host = parts.hostname or ""
        if self.on_loopback:
            return host in _LOOPBACK and parts.scheme == "http"
        if parts.scheme != "https" or parts.port not in (None, 443):
            return False
        return host.endswith(_CDN) or (host == _BUCKET_HOST and parts.path.startswith(_BUCKET_FOLDER))

    @property
    def on_loopback(self) -> bool:
        """Whether it is a stand-in on this machine, whose addresses are private and without TLS."""
        return urlsplit(self.api_base_url).hostname in _LOOPBACK


def _split(url: str) -> SplitResult | None:
    """An absolute URL without user, fragment, dots to climb with or anything that is written in two ways; or None."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    odd = (
        parts.username is not None or parts.fragment or "\\" in url or not url.isascii() or re.search(r"[\s\x00-\x1f\x7f]", url)
    )
    return None if odd or ".." in parts.path.split("/") or parts.netloc != parts.netloc.lower() else parts


@dataclass(frozen=True, slots=True)
class MediaMessage:
    """Whose media are to be copied: what its SMS_RECEIVED says, and where its entry in the history is."""

    message_sid: str
    account_sid: str
    conversation_id: str
    occurred_at: str
    channel: Channel
    from_: str
    to: str

    @classmethod
    def announced(cls, detail: Mapping[str, Any]) -> MediaMessage:
        """From the event's detail."""
        names = ("message_sid", "account_sid", "conversation_id", "occurred_at", "channel", "from", "to")
        return cls(*(detail[name] for name in names))
