"""Where Twilio sends what comes in: the settings of a phone number and of a Messaging Service, and which of them are ours.

Source: Twilio, "IncomingPhoneNumber resource" and "Messaging Service resource", whose names the settings have. A number's
application takes the place of its URLs, and so does a trunk for calls; the texts of a number in a Messaging Service go to the
service, unless that leaves it to the number.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from twilio_plugin.domain.webhook_retries import RETRY_CALLBACK, RETRY_DOCUMENT, RETRY_TEXT

Settings = Mapping[str, str]
"""Values by Twilio's names; empty where nothing is set."""


@dataclass(frozen=True, slots=True)
class _Webhook:
    """A URL of a resource with what belongs to it: ours as a whole, or somebody else's."""

    url: str
    path: str
    """Ours, below the root of our webhooks."""
    method: str
    instead: Settings = field(default_factory=dict)
    """What would take the URL's place, as it is where nothing does."""

    def at(self, root: str) -> dict[str, str]:
        """The settings that bring what comes in to us."""
        return {self.url: f"{root}{self.path}", self.method: "POST", **self.instead}

    def empty(self) -> dict[str, str]:
        """The settings of a resource that nobody has set up."""
        return {self.url: "", self.method: "POST", **self.instead}

    def of(self, settings: Settings) -> dict[str, str]:
        """Its part of a resource's settings."""
        return {name: settings[name] for name in (self.url, self.method, *self.instead)}

    def is_ours(self, settings: Settings, roots: Collection[str]) -> bool:
        replaced = any(settings[name] != value for name, value in self.instead.items())
        return not replaced and any(settings[self.url].startswith(f"{root}/") for root in roots)


_NUMBER = (
    _Webhook("sms_url", f"/sms{RETRY_TEXT}", "sms_method", {"sms_application_sid": ""}),
    _Webhook("sms_fallback_url", f"/sms{RETRY_TEXT}", "sms_fallback_method"),
    _Webhook("voice_url", f"/voice{RETRY_DOCUMENT}", "voice_method", {"voice_application_sid": "", "trunk_sid": ""}),
    _Webhook("voice_fallback_url", "/voice/fallback", "voice_fallback_method"),
    _Webhook("status_callback", f"/status{RETRY_CALLBACK}", "status_callback_method"),
)
_SERVICE = (
    _Webhook("inbound_request_url", f"/sms{RETRY_TEXT}", "inbound_method", {"use_inbound_webhook_on_number": "false"}),
    _Webhook("fallback_url", f"/sms{RETRY_TEXT}", "fallback_method"),
)


@dataclass(frozen=True, slots=True)
class TwilioResource:
    """A phone number (``key`` is its E.164) or a Messaging Service (its SID)."""

    key: str
    sid: str
    settings: Settings

    @property
    def _webhooks(self) -> tuple[_Webhook, ...]:
        return _SERVICE if self.is_service else _NUMBER

    @property
    def is_service(self) -> bool:
        return self.key.startswith("MG")

    @property
    def leaves_texts_to_numbers(self) -> bool:
        """Of a Messaging Service: whether texts go to the URL of the number that they are for."""
        return self.settings["use_inbound_webhook_on_number"] == "true"

    def taken_over(self, root: str) -> dict[str, str]:
        """What must change so that everything comes to us."""
        return self._differing([webhook.at(root) for webhook in self._webhooks])

    def moved(self, root: str, roots: Collection[str]) -> dict[str, str]:
        """What must change so that what came to us under one of `roots` comes to `root`; the rest is left alone."""
        return self._differing([webhook.at(root) for webhook in self._webhooks if webhook.is_ours(self.settings, roots)])

    def restored(self, before: Settings, roots: Collection[str]) -> dict[str, str]:
        """What must change so that what comes to us goes where it went before; the rest is left alone."""
        return self._differing([webhook.of(before) for webhook in self._webhooks if webhook.is_ours(self.settings, roots)])

    def not_ours(self, roots: Collection[str]) -> list[str]:
        """The URLs, by their names, that somebody else has set since."""
        return [webhook.url for webhook in self._webhooks if not webhook.is_ours(self.settings, roots)]

    def without_ours(self, root: str) -> dict[str, str]:
        """What is set, as it is to be put back some day: never our own URLs."""
        parts = [
            webhook.empty() if webhook.is_ours(self.settings, [root]) else webhook.of(self.settings)
            for webhook in self._webhooks
        ]
        return {name: value for part in parts for name, value in part.items()}

    def _differing(self, parts: list[dict[str, str]]) -> dict[str, str]:
        wanted = {name: value for part in parts for name, value in part.items()}
        return {name: value for name, value in wanted.items() if value != self.settings[name]}


@dataclass(frozen=True, slots=True)
class Before:
    """What was set on a resource before it was pointed at this stack, and every root of our URLs that was set on it since."""

    key: str
    settings: Settings
    roots: tuple[str, ...]
