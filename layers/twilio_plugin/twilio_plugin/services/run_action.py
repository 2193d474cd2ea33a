"""An action of the catalogue, by its fields or in words: understood, checked, and carried out."""

from __future__ import annotations

from dataclasses import dataclass

from twilio_plugin.domain.actions import MadeCall, MakeCall, RanAction, RunAction, SendMessage, SendResult
from twilio_plugin.domain.catalogue import ACTIONS, ActionDescription
from twilio_plugin.domain.natural_text.request import Question
from twilio_plugin.domain.natural_text.understand import understand
from twilio_plugin.domain.reply import reply
from twilio_plugin.domain.validation import validated
from twilio_plugin.errors import CeilingReached, InvalidRequest, RecipientNotAllowed, RecipientOptedOut
from twilio_plugin.services import make_call, send_message

_NAMES = ", ".join(one.name for one in ACTIONS)


@dataclass(frozen=True, slots=True)
class Agent:
    """What the actions need."""

    sender: send_message.Sender
    caller: make_call.Caller


def run_action(asked: RunAction, request_id: str, by: Agent) -> RanAction:
    """Do it, or say why not. What the caller can correct, or must ask a person for, is an answer and no error.

    `request_id` stands in for the idempotency key where the caller gave none.

    Raises:
        TwilioRejected, TwilioUnavailable, SendOutcomeUnknown, SendInProgress, StorageUnavailable: as the services do.
    """
    action = next((one for one in ACTIONS if one.name == asked.action), None)
    try:
        if asked.action is not None and action is None:
            raise InvalidRequest(f"`action` is {asked.action[:40]!r}. It is one of: {_NAMES}.")
        if isinstance(asked.input, dict):
            if action is None:
                raise InvalidRequest(f"`action` is missing. With fields it says what they are for: {_NAMES}.")
            return _act(action, asked.input, asked, request_id, by)
        understood = understand(asked.input, by.sender.default_region, action.name if action else None)
        if isinstance(understood, Question):
            return _refusal(action, understood.sentence, understood.sentence)
        action = next(one for one in ACTIONS if one.name == understood.action)
        return _act(action, understood.fields, asked, request_id, by)
    except (InvalidRequest, RecipientNotAllowed, RecipientOptedOut, CeilingReached) as error:
        return _refusal(action, str(error), f"I can't do that. {error}")


def _act(action: ActionDescription, fields: dict[str, object], asked: RunAction, request_id: str, by: Agent) -> RanAction:
    request = validated(action.input, fields)
    act_id = asked.idempotency_key or request_id
    if asked.dry_run:
        return RanAction(action=action.name, valid=True, reply=reply(request, _recipient(request, act_id, by)))
    result = _carry_out(request, act_id, by)
    return RanAction(action=action.name, valid=True, reply=reply(request, result.to), result=result)


def _recipient(request: SendMessage | MakeCall, act_id: str, by: Agent) -> str:
    """Whom it would reach. Raises what acting would raise before Twilio."""
    if isinstance(request, MakeCall):
        return str(make_call.prepare(request, act_id, by.caller).recipient)
    return str(send_message.prepare(request, act_id, by.sender)[0].recipient)


def _carry_out(request: SendMessage | MakeCall, act_id: str, by: Agent) -> SendResult | MadeCall:
    if isinstance(request, MakeCall):
        return make_call.make_call(request, act_id, by.caller)
    return send_message.send_message(request, act_id, by.sender)


def _refusal(action: ActionDescription | None, reason: str, said: str) -> RanAction:
    return RanAction(action=action.name if action else None, valid=False, reason=reason, reply=said)
