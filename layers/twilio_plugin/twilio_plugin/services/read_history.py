"""A conversation, newest page first, each page as an agent reads it: oldest first."""

from __future__ import annotations

import base64
import dataclasses
import hashlib

from twilio_plugin.domain.actions import History, HistoryMessage, HistoryTurn, ReadHistory
from twilio_plugin.domain.address import Address, conversation_id
from twilio_plugin.domain.conversation import as_text, as_turns
from twilio_plugin.domain.phone_number import any_address
from twilio_plugin.errors import InvalidPageToken, InvalidRequest
from twilio_plugin.services import ports


def read_history(request: ReadHistory, history: ports.History, *, phone_number: str, default_region: str) -> History:
    """One page.

    Raises:
        InvalidPhoneNumber, InvalidPageToken, InvalidRequest: see `twilio_plugin.errors`.
    """
    theirs = _theirs(request, default_region)
    ours = any_address(request.our_number or phone_number, default_region=default_region)
    of = conversation_id(ours, theirs)
    before = _open(request.next_token, of) if request.next_token else None
    page = history.page(of, limit=request.limit, before=before)
    return History(
        conversation_id=of,
        text=as_text(page.entries),
        messages=[HistoryMessage.model_validate(dataclasses.asdict(entry)) for entry in page.entries],
        turns=[HistoryTurn.model_validate(turn) for turn in as_turns(page.entries)],
        next_token=_sealed(page.before, of) if page.before else None,
    )


def _theirs(request: ReadHistory, default_region: str) -> Address:
    theirs = any_address(request.phone_number, default_region=default_region)
    if request.channel is None or request.channel == theirs.channel:
        return theirs
    if theirs.channel != "phone":
        raise InvalidRequest(f"`channel` is {request.channel} and `phone_number` is on {theirs.channel}; leave one out.")
    return Address(request.channel, theirs.value)


def _sealed(before: str, of: str) -> str:
    return base64.urlsafe_b64encode(f"{_check(of)}{before}".encode()).decode()


def _open(token: str, of: str) -> str:
    try:
        opened = base64.urlsafe_b64decode(token.encode()).decode()
    except ValueError as error:
        raise InvalidPageToken("`next_token` is not one of ours. Pass back the one of the last answer.") from error
    check, before = opened[:8], opened[8:]
    if check != _check(of) or not before:
        raise InvalidPageToken("`next_token` belongs to another conversation. Leave it out to start at the newest message.")
    return before


def _check(of: str) -> str:
    return hashlib.sha256(of.encode()).hexdigest()[:8]
