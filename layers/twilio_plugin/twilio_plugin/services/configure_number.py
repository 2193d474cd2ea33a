"""Point the numbers at this stack, and back at what they were pointed at before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from twilio_plugin.domain.address import masked
from twilio_plugin.domain.number_settings import Before, TwilioResource
from twilio_plugin.errors import Misconfigured, PluginError, TwilioRejected, TwilioUnavailable
from twilio_plugin.services.ports import Clock, SettingsBefore, TwilioResources

# No resource is begun later than this: each may take a minute where Twilio does not answer, and a deploy must not hang.
PATIENCE = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class NumbersWanted:
    """What is to come to us. `root` is the root of our webhooks, `service_sid` a Messaging Service, if there is one."""

    root: str
    numbers: Sequence[str]
    service_sid: str | None = None


@dataclass(frozen=True, slots=True)
class Configurer:
    """What pointing numbers needs."""

    twilio: TwilioResources
    before: SettingsBefore
    clock: Clock
    account_sid: str


@dataclass(slots=True)
class Outcome:
    """Names for the log: numbers masked, settings by Twilio's names."""

    changed: list[str] = field(default_factory=list)
    restored: list[str] = field(default_factory=list)
    left_alone: list[str] = field(default_factory=list)
    """What somebody else has set since, as ``***0100 voice_url``."""
    not_restored: list[str] = field(default_factory=list)
    """With the reason; what was there stays kept."""
    not_looked_up: list[str] = field(default_factory=list)
    """Numbers of which the credentials may not tell whether they are in a Messaging Service."""


def configure_numbers(wanted: NumbersWanted, by: Configurer) -> Outcome:
    """Point what is wanted at us and put back what no longer is. What was there before is kept first, once.

    Raises:
        Misconfigured: a number or service is not the account's, or a number's texts go to a service that was not named.
        TwilioRejected, TwilioUnavailable, StorageUnavailable: see `twilio_plugin.errors`. It may be half done; once more helps.
    """
    outcome, deadline = Outcome(), by.clock() + PATIENCE
    kept = {one.key: one for one in by.before.all()}
    keys = list(dict.fromkeys([*wanted.numbers, *([wanted.service_sid] if wanted.service_sid else [])]))
    # All of them are looked at before one is changed: a mistake changes nothing.
    for resource in [_found(key, wanted, outcome, deadline, by) for key in keys]:
        _in_time(deadline, by)
        _point(resource, kept.get(resource.key), wanted.root, outcome, by)
    for key, before in kept.items():
        if key not in keys:
            _in_time(deadline, by)
            _put_back(before, outcome, by)
    return outcome


def restore_numbers(by: Configurer) -> Outcome:
    """Put everything back, as far as that can be done soon. Raises nothing of ours: what remains stays kept, and is told."""
    outcome, deadline = Outcome(), by.clock() + PATIENCE
    try:
        kept = by.before.all()
    except PluginError as trouble:
        outcome.not_restored.append(str(trouble))
        return outcome
    for before in kept:
        try:
            _in_time(deadline, by)
            _put_back(before, outcome, by)
        except TwilioUnavailable as trouble:
            outcome.not_restored.append(f"{masked(before.key)}: {trouble}")
            deadline = by.clock() - PATIENCE  # nor would the next be reached
        except PluginError as trouble:
            outcome.not_restored.append(f"{masked(before.key)}: {trouble}")
    return outcome


def _found(key: str, wanted: NumbersWanted, outcome: Outcome, deadline: datetime, by: Configurer) -> TwilioResource:
    _in_time(deadline, by)
    resource = by.twilio.find(key)
    if resource is None:
        what, parameter = (
            ("Messaging Service", "TwilioMessagingServiceSid") if key.startswith("MG") else ("number", "TwilioPhoneNumber")
        )
        raise Misconfigured(
            f"The {what} {masked(key)} is not in the Twilio account {by.account_sid}. Correct {parameter} or TwilioAccountSid, "
            "or set ConfigureNumber to false."
        )
    if not resource.is_service:
        _check_service(resource, wanted, outcome, by)
    return resource


def _check_service(number: TwilioResource, wanted: NumbersWanted, outcome: Outcome, by: Configurer) -> None:
    try:
        service = by.twilio.service_of(number)
    except TwilioRejected:
        # A restricted API key may change numbers and not read services.
        outcome.not_looked_up.append(masked(number.key))
        return
    if service and service.key != wanted.service_sid and not service.leaves_texts_to_numbers:
        raise Misconfigured(
            f"Texts to {masked(number.key)} go to the Messaging Service {service.key}, which it is in. Name that in "
            "TwilioMessagingServiceSid, or have it defer to the sender's webhook."
        )


def _point(resource: TwilioResource, kept: Before | None, root: str, outcome: Outcome, by: Configurer) -> None:
    before = kept or Before(resource.key, resource.without_ours(root), ())
    roots = tuple(dict.fromkeys([*before.roots, root]))
    if before.roots != roots:
        by.before.keep(replace(before, roots=roots))
    changes = resource.moved(root, roots) if kept else resource.taken_over(root)
    if changes:
        by.twilio.change(resource, changes)
        outcome.changed.append(masked(resource.key))
    if kept:
        outcome.left_alone += [f"{masked(resource.key)} {name}" for name in resource.not_ours(roots)]


def _put_back(before: Before, outcome: Outcome, by: Configurer) -> None:
    resource = by.twilio.find(before.key)
    if resource:  # else it was given up
        if changes := resource.restored(before.settings, before.roots):
            by.twilio.change(resource, changes)
        outcome.left_alone += [f"{masked(before.key)} {name}" for name in resource.not_ours(before.roots)]
    by.before.forget(before.key)
    outcome.restored.append(masked(before.key))


def _in_time(deadline: datetime, by: Configurer) -> None:
    if by.clock() > deadline:
        raise TwilioUnavailable("Twilio takes too long.")
