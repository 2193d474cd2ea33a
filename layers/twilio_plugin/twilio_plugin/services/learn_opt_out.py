"""Twilio refuses a recipient with 21610: the ledger learns what it had missed."""

from __future__ import annotations

from twilio_plugin.domain.address import Address, conversation_id
from twilio_plugin.domain.events import OptOutChanged, event_id
from twilio_plugin.services.ports import Conversations, LedgerChange, LedgerMoved

OPTED_OUT = 21610


def learn_opt_out(
    conversations: Conversations, *, sender: Address, recipient: Address, account_sid: str, learnt_from: str, now: str
) -> None:
    """Close the pair and announce it, unless the ledger knows.

    ``learnt_from`` tells one time from another in the event's id: a message SID, or a send and its time.
    """
    pair = conversation_id(ours=sender, theirs=recipient)
    if conversations.contact_state(pair) == "opted_out":
        return
    event = OptOutChanged(
        event_id=event_id(OptOutChanged, learnt_from),
        occurred_at=now,
        account_sid=account_sid,
        conversation_id=pair,
        channel=recipient.channel,
        from_=str(recipient),
        to=str(sender),
        state="opted_out",
        cause="twilio_21610",
    )
    try:
        conversations.change_ledger(LedgerChange(pair, "opted_in", "opted_out"), event)
    except LedgerMoved:
        return  # somebody else learnt it in this very moment
