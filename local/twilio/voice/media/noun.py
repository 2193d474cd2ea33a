"""``<Stream>`` as Twilio reads it: https://www.twilio.com/docs/voice/twiml/stream."""

import ipaddress
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit
from xml.etree.ElementTree import Element

from ..session import Session

MAX_PARAMETER = 500  # characters of name and value together
_TRACKS = {"inbound_track": ["inbound"], "outbound_track": ["outbound"], "both_tracks": ["inbound", "outbound"]}
_SOCKETS = {"http": "ws", "https": "wss"}


@dataclass
class Noun:
    """``problem`` is the error, code and detail, that keeps the stream from starting."""

    url: str
    name: str
    two_way: bool
    tracks: list[str] = field(default_factory=lambda: ["inbound"])
    parameters: dict[str, str] = field(default_factory=dict)
    callback: str | None = None
    callback_method: str = "POST"
    problem: tuple[int, str] | None = None


def read_noun(session: Session, stream: Element, *, two_way: bool) -> Noun:
    """Read the one within ``<Connect>`` (``two_way``) or ``<Start>``. Raises DocumentError for a callback that is no URL."""
    callback = stream.get("statusCallback")
    noun = Noun(
        url=socket_url(session, stream.get("url", "")),
        name=stream.get("name", ""),
        two_way=two_way,
        parameters=parameters_of(session, stream),
        callback=session.url(callback) if callback else None,
        callback_method=stream.get("statusCallbackMethod", "POST").upper(),
    )
    track = stream.get("track", "inbound_track")
    if track not in _TRACKS or (two_way and track != "inbound_track"):
        noun.problem = 31941, f"track {track}"
    else:
        noun.tracks = _TRACKS[track]
        noun.problem = _problem(noun.url)
    return noun


def socket_url(session: Session, target: str) -> str:
    """A URL in the present document, absolute, for a socket."""
    if not target or urlsplit(target).scheme:
        return target
    scheme, _, rest = urljoin(session.document.url, target).partition(":")
    return f"{_SOCKETS.get(scheme, scheme)}:{rest}"


def url_problem(url: str) -> tuple[int, str] | None:
    """What is wrong with a URL that is none of a socket: ``wss``, or ``ws`` on this machine."""
    parts = urlsplit(url)
    if not parts.hostname or parts.scheme not in ({"wss", "ws"} if _is_loopback(parts.hostname) else {"wss"}):
        return 11100, f"{url!r} is not a wss URL"
    return None


def _problem(url: str) -> tuple[int, str] | None:
    if problem := url_problem(url):
        return problem
    return (31920, "the URL has a query string") if "?" in url else None


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def parameters_of(session: Session, noun: Element) -> dict[str, str]:
    """The ``<Parameter>`` within a noun; those that Twilio does not take are warnings."""
    found = {}
    for parameter in noun.findall("Parameter"):
        name, value = parameter.get("name", ""), parameter.get("value", "")
        if not name or len(name) + len(value) >= MAX_PARAMETER:
            session.warn(f"<Parameter> {name[:50]!r} has no name, or {MAX_PARAMETER} characters")
        else:
            found[name] = value
    return found
