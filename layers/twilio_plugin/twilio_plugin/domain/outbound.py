"""A text on its way out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from twilio_plugin.domain.address import Address, conversation_id
from twilio_plugin.domain.segments import Encoding, encoding_of, segment_count


@dataclass(frozen=True, slots=True)
class Template:
    """A content template, which Twilio makes the text of."""

    sid: str
    """``HX…``."""
    variables: str
    """A JSON object, as Twilio takes it."""

    def __str__(self) -> str:
        return f"[template {self.sid}: {self.variables}]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One message of a send. A short text has one part."""

    send_id: str
    """The caller's idempotency key, or the request id of the invocation."""
    number: int
    """From 1."""
    parts: int
    fingerprint: str
    """Of the whole request: the same key with another fingerprint is a mistake."""
    sender: Address
    recipient: Address
    body: str
    media_url: tuple[str, ...] = ()
    messaging_service_sid: str | None = None
    template: Template | None = None
    """Instead of body and media."""

    @property
    def conversation_id(self) -> str:
        return conversation_id(ours=self.sender, theirs=self.recipient)

    @property
    def kind(self) -> Literal["sms", "mms"]:
        """``mms`` with media, else ``sms``."""
        return "mms" if self.media_url else "sms"

    def text(self, receipt: Receipt) -> str:
        """What the person gets to read, as far as it is known."""
        return receipt.template_text or str(self.template) if self.template else self.body

    @property
    def encoding(self) -> Encoding:
        return encoding_of(self.body)

    @property
    def segments(self) -> int:
        """An MMS is one message, whatever its text; so is a template, whose text only Twilio knows."""
        return 1 if self.media_url or self.template else segment_count(self.body)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What Twilio says it has of a part."""

    message_sid: str
    account_sid: str
    status: str
    error_code: int | None = None
    template_text: str | None = None
    """What a template came to, if Twilio says so."""


@dataclass(frozen=True, slots=True)
class TwilioMessage:
    """A message in Twilio's own list, for finding out what became of a send."""

    receipt: Receipt
    body: str
    num_media: int
