"""The ports of `configure_number` in memory, and a REST secret. `test_number_contract` holds them to what the adapters do."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from twilio_plugin.adapters.secrets import Credentials
from twilio_plugin.domain.number_settings import Before, Settings, TwilioResource
from twilio_plugin.errors import PluginError, TwilioUnavailable
from twilio_plugin.services import ports

UNSET = {
    **dict.fromkeys(("sms_url", "sms_fallback_url", "sms_application_sid"), ""),
    **dict.fromkeys(("voice_url", "voice_fallback_url", "voice_application_sid", "trunk_sid", "status_callback"), ""),
    **{f"{name}_method": "POST" for name in ("sms", "sms_fallback", "voice", "voice_fallback", "status_callback")},
}
NO_URLS = {
    "inbound_request_url": "",
    "inbound_method": "POST",
    "fallback_url": "",
    "fallback_method": "POST",
    "use_inbound_webhook_on_number": "false",
}


@dataclass
class FakeRestSecret:
    """Credentials, and what a fresh look finds; None where none is allowed."""

    known: Credentials = field(default_factory=lambda: Credentials("token"))
    fresh: Credentials | None = None
    looks: int = 0

    def credentials(self) -> Credentials:
        return self.known

    def fresh_credentials(self) -> Credentials | None:
        self.looks += 1
        self.known = self.fresh or self.known
        return self.fresh


@dataclass
class FakeTwilioResources:
    """Numbers and services by their keys. `refusals` are raised by key, or by ``services``, as often as they are there."""

    held: dict[str, TwilioResource] = field(default_factory=dict)
    members: dict[str, list[str]] = field(default_factory=dict)
    """The numbers of each service."""
    refusals: dict[str, PluginError] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    changes: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    loses_answers: bool = False
    """A change is made, and nobody hears of it."""

    def add_number(self, number: str, **settings: str) -> None:
        self.held[number] = TwilioResource(number, f"PN{number[1:]}", UNSET | settings)

    def add_service(self, sid: str, *numbers: str, **settings: str) -> None:
        self.held[sid] = TwilioResource(sid, sid, NO_URLS | settings)
        self.members[sid] = list(numbers)

    def set_by_hand(self, key: str, **settings: str) -> None:
        self.held[key] = replace(self.held[key], settings={**self.held[key].settings, **settings})

    def settings(self, key: str) -> Settings:
        return self.held[key].settings

    def find(self, key: str) -> TwilioResource | None:
        self.asked.append(key)
        self._fail(key)
        return self.held.get(key)

    def service_of(self, number: TwilioResource) -> TwilioResource | None:
        self._fail("services")
        return next((self.held[sid] for sid, numbers in self.members.items() if number.key in numbers), None)

    def change(self, resource: TwilioResource, changes: Settings) -> None:
        self._fail(resource.key)
        self.changes.append((resource.key, dict(changes)))
        self.set_by_hand(resource.key, **changes)
        if self.loses_answers:
            raise TwilioUnavailable("Twilio did not answer.")

    def _fail(self, key: str) -> None:
        if key in self.refusals:
            raise self.refusals[key]


@dataclass
class FakeSettingsBefore:
    held: dict[str, Before] = field(default_factory=dict)
    refusal: PluginError | None = None

    def all(self) -> list[Before]:
        if self.refusal:
            raise self.refusal
        return list(self.held.values())

    def keep(self, before: Before) -> None:
        self.held[before.key] = before

    def forget(self, key: str) -> None:
        self.held.pop(key, None)


_resources: type[ports.TwilioResources] = FakeTwilioResources
_before: type[ports.SettingsBefore] = FakeSettingsBefore
