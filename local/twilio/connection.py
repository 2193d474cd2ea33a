"""How Twilio connects to a webhook, and what a URL's fragment changes in it.

Source: https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides. ``#rc=3&rp=5xx,ct,rt&ct=2000&rt=5000``;
times are milliseconds in the URL and seconds here. ``sni`` and ``e`` (edge) mean nothing on one machine and are ignored.
"""

from dataclasses import dataclass
from urllib.parse import parse_qsl, urldefrag

POLICIES = frozenset({"4xx", "5xx", "ct", "rt", "all"})
_RANGES = {"ct": (100, 10_000), "rt": (100, 15_000), "tt": (100, 15_000), "rc": (0, 5)}


class InvalidOverride(Exception):
    """A value out of its range, or a retry policy that does not exist; ``code`` is the alert's."""

    def __init__(self, code: int, detail: str) -> None:
        super().__init__(detail)
        self.code = code


@dataclass(frozen=True)
class Connection:
    """Defaults are Twilio's: one retry, and only where no connection came about."""

    url: str
    connect_timeout: float = 5.0
    read_timeout: float = 15.0
    total_timeout: float = 15.0
    retries: int = 1
    policies: frozenset[str] = frozenset({"ct"})

    @classmethod
    def to(cls, url: str) -> "Connection":
        """Read the overrides off a URL. Raises InvalidOverride."""
        bare, fragment = urldefrag(url)
        given = dict(parse_qsl(fragment))
        policies = frozenset(given.get("rp", "ct").split(","))
        if not policies <= POLICIES:
            raise InvalidOverride(11243, f"rp={given['rp']}")
        return cls(
            url=bare,
            connect_timeout=_number(given, "ct", 5_000) / 1000,
            read_timeout=_number(given, "rt", 15_000) / 1000,
            total_timeout=_number(given, "tt", 15_000) / 1000,
            retries=_number(given, "rc", 1),
            policies=policies,
        )

    def retries_after(self, failure: str) -> bool:
        """``failure`` is ``ct``, ``rt`` or an HTTP status as text."""
        policy = f"{failure[0]}xx" if failure.isdigit() else failure
        return bool({"all", policy} & self.policies)


def _number(given: dict[str, str], key: str, default: int) -> int:
    low, high = _RANGES[key]
    text = given.get(key, str(default))
    if not text.isdecimal() or not low <= int(text) <= high:
        raise InvalidOverride(11100, f"{key}={text} is not within {low} and {high}")
    return int(text)
