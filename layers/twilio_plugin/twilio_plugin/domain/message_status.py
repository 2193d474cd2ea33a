"""Message status as a reducer: callbacks come late, twice, out of order, and before our own response.

Source of the names and their flow: Twilio, "Message resource: status values"; of the order: there is none promised.
"""

from __future__ import annotations

from dataclasses import dataclass

from twilio_plugin.domain.address import Address, conversation_id

# A status replaces another only if its rank is higher. The four final ones share a rank: the first to arrive stays.
RANK = {
    "scheduled": 5,
    "accepted": 10,
    "queued": 20,
    "sending": 30,
    "sent": 40,
    "partially_delivered": 45,
    "delivered": 60,
    "undelivered": 60,
    "failed": 60,
    "canceled": 60,
    "read": 70,
}
FAILED = frozenset({"failed", "undelivered"})


def rank(status: str) -> int:
    """0 for a status this version does not know, so that it never hides one it knows."""
    return RANK.get(status, 0)


@dataclass(frozen=True, slots=True)
class StatusUpdate:
    """One status callback of an outbound message."""

    message_sid: str
    account_sid: str
    status: str
    sender: Address
    recipient: Address
    error_code: int | None = None
    send_id: str | None = None
    """Our own id of the send, which Twilio brings back in the callback URL's query."""
    part: int | None = None
    """Which part of that send it is, from 1."""

    @property
    def conversation_id(self) -> str:
        return conversation_id(ours=self.sender, theirs=self.recipient)
