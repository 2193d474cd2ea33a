"""Addresses as Twilio writes them, and the conversation between two of them.

An inbound address is whatever Twilio says it is: E.164, a short code, an alphanumeric sender, or one behind a channel prefix
(``whatsapp:+1…``, ``rcs:<sender id>``). Only what we send to must be a phone number; see `domain.phone_number`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, get_args

Channel = Literal["phone", "whatsapp", "rcs", "messenger"]

_NUMBER = re.compile(r"(\+|%2[Bb])\d{6,15}")


@dataclass(frozen=True, slots=True)
class Address:
    """One end of a conversation: ``Address("whatsapp", "+14155550100")``. ``str()`` gives Twilio's form back."""

    channel: Channel
    value: str

    @classmethod
    def parse(cls, twilio_form: str) -> Address:
        """Read ``whatsapp:+1…`` as channel and value; whatever has no known prefix belongs to ``phone``."""
        prefix, colon, rest = twilio_form.partition(":")
        for channel in get_args(Channel):
            if colon and prefix.lower() == channel and channel != "phone":
                return cls(channel, rest)
        return cls("phone", twilio_form)

    def __str__(self) -> str:
        return self.value if self.channel == "phone" else f"{self.channel}:{self.value}"


def conversation_id(ours: Address, theirs: Address) -> str:
    """``phone|<ours>|<theirs>`` for SMS, MMS and voice, so texts and speech are one history; ``whatsapp|…`` and so on."""
    return f"{theirs.channel}|{ours.value}|{theirs.value}"


def masked(address: str) -> str:
    """Keep the channel and the last digits: ``whatsapp:***0100``. For error messages and logs."""
    parsed = Address.parse(address)
    tail = parsed.value[-4:] if len(parsed.value) > 8 else parsed.value[-2:]
    return str(Address(parsed.channel, f"***{tail}"))


def mask_numbers(text: str) -> str:
    """Mask every international number that stands in a text, percent-encoded ones too."""
    return _NUMBER.sub(lambda match: f"***{match[0][-4:]}", text)
