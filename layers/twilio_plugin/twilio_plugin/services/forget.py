"""Delete all that is kept of a person. What hangs on something goes before it, so that a run that broke off can be repeated."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from twilio_plugin.domain.actions import Forget, Forgotten
from twilio_plugin.domain.address import Address, masked
from twilio_plugin.domain.forgetting import Person
from twilio_plugin.domain.message import media_prefix
from twilio_plugin.domain.phone_number import e164
from twilio_plugin.errors import InvalidPageToken, InvalidRequest
from twilio_plugin.services.ports import Clock, Found, KeptIn, KeptMediaFiles, PersonalData, Place, TwilioRecords

# Calls before conversations, where the history tells what there was; the outbox first, because what is in it goes out.
ORDER: tuple[KeptIn, ...] = ("outbox", "calls", "conversations")
KEPT = [
    "That they said STOP, as a hash that nobody can read without the ledger's key: so that nobody texts them.",
    "Backups of the tables, for 35 days; a table that is restored from one must forget them again.",
    "Messages in the queues InvocationFailures and AgentFailures, for at most 14 days.",
    "Logs, with the number masked to its last four digits, for LogRetentionDays.",
    "What subscribers of the bus and an archive of it have kept, and what the bucket has below other prefixes than inbound/.",
]
AT_TWILIO = "Twilio's own records, unless this was asked for with `at_twilio`."


@dataclass(frozen=True, slots=True)
class Forgetter:
    """What forgetting needs. It stops and asks to be called again when `clock` is at `until`."""

    data: PersonalData
    media: KeptMediaFiles
    twilio: TwilioRecords
    clock: Clock
    until: Callable[[], datetime]
    phone_number: str
    default_region: str


def forget(request: Forget, by: Forgetter) -> Forgotten:
    """One run.

    Raises:
        InvalidPhoneNumber, InvalidPageToken: see `twilio_plugin.errors`.
        InvalidRequest: the number is ours. Nothing is deleted from the page on which that showed.
        StorageUnavailable: it broke off; the same again goes on.
    """
    person = Person(e164(Address.parse(request.phone_number.strip()).value, default_region=by.default_region))
    if person.number == by.phone_number:
        raise _ours(person)
    kept_in, after = _open(request.next_token) if request.next_token else (ORDER[0], None)
    until = by.until()
    done = Forgotten(
        phone_number=masked(person.number), complete=True, kept=[*KEPT, *([] if request.at_twilio else [AT_TWILIO])]
    )
    for table in ORDER[ORDER.index(kept_in) :]:
        while True:
            found, after = by.data.page(table, person, after)
            if found.is_ours:
                raise _ours(person)
            _erase(table, person, found, request, done, by)
            if after is None:
                break
            if by.clock() >= until:
                return done.model_copy(update={"complete": False, "next_token": _sealed(table, after)})
    return done


def _erase(table: KeptIn, person: Person, found: Found, request: Forget, done: Forgotten, by: Forgetter) -> None:
    for message_sid in found.media_of:
        done.media += by.media.delete_below(media_prefix(message_sid), dry_run=request.dry_run)
    if request.at_twilio:
        done.at_twilio += _erase_at_twilio(found, by, dry_run=request.dry_run)
    done.media_frames += by.data.count_frames(found)
    done.masked += len(found.mentions)
    if table == "outbox":
        done.outbox += len(found.keys)
    elif table == "calls":
        done.calls += len(found.keys)
        done.conversations += len(found.elsewhere)
    else:
        done.conversations += len(found.keys)
    if request.dry_run:
        return
    by.data.delete(table, found)
    for item in found.mentions:
        by.data.mask(table, person, item)


def _erase_at_twilio(found: Found, by: Forgetter, *, dry_run: bool) -> int:
    erasures = (
        (by.twilio.erase_message, found.message_sids),
        (by.twilio.erase_recording, found.recording_sids),
        (by.twilio.erase_call, found.call_sids),
    )
    if not dry_run:
        for erase, sids in erasures:
            for sid in dict.fromkeys(sids):
                erase(sid)
    return sum(len(set(sids)) for _, sids in erasures)


def _ours(person: Person) -> InvalidRequest:
    return InvalidRequest(f"{masked(person.number)} is one of our own numbers: to forget it would delete every conversation.")


def _sealed(kept_in: KeptIn, after: Place) -> str:
    return base64.urlsafe_b64encode(json.dumps([kept_in, dict(after)]).encode()).decode()


def _open(token: str) -> tuple[KeptIn, Place]:
    try:
        kept_in, after = json.loads(base64.urlsafe_b64decode(token.encode()))
    except (ValueError, TypeError) as error:
        raise _not_ours() from error
    if kept_in not in ORDER or not isinstance(after, dict) or not all(isinstance(one, str) for one in after.values()):
        raise _not_ours()
    return cast("KeptIn", kept_in), after


def _not_ours() -> InvalidPageToken:
    return InvalidPageToken("`next_token` is not one of ours. Pass back the one of the last answer, or leave it out.")
