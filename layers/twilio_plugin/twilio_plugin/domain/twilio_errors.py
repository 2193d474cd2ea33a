"""Twilio's error codes for messages and calls: what kind of trouble each is, and what to do about it.

Source: Twilio, "Error and Warning Dictionary".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from twilio_plugin.errors import TwilioRejected

ErrorClass = Literal["recipient", "configuration", "content", "policy", "transient", "unknown"]


@dataclass(frozen=True, slots=True)
class TwilioError:
    """``recipient``: this person cannot be reached so. ``configuration``: the account or number needs a change.
    ``content``: the message is at fault. ``policy``: a carrier or Twilio filtered it. ``transient``: later may work.
    """

    code: int | None
    error_class: ErrorClass
    meaning: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.meaning} {self.remedy}" if self.code is None else f"{self.code}: {self.meaning} {self.remedy}"


def _row(code: int, error_class: ErrorClass, meaning: str, remedy: str) -> tuple[int, TwilioError]:
    return code, TwilioError(code, error_class, meaning, remedy)


TWILIO_ERRORS: dict[int, TwilioError] = dict(
    (
        _row(
            20003,
            "configuration",
            "Twilio did not accept the credentials.",
            "Check the account SID and the stored secret.",
        ),
        _row(11751, "content", "The media are too large for the channel.", "Send smaller media, or several messages."),
        _row(
            12300,
            "content",
            "A medium's Content-Type is missing, or not what it is.",
            "Serve it with the Content-Type of what it is.",
        ),
        _row(20404, "configuration", "Twilio does not know this resource.", "Check the account SID and the number."),
        _row(20429, "transient", "Too many requests at once.", "Send more slowly; nothing was sent."),
        _row(21211, "recipient", "The recipient is not a phone number Twilio accepts.", "Correct the number."),
        _row(21212, "configuration", "The sender is not a phone number Twilio accepts.", "Use a number of this account."),
        _row(
            21215,
            "configuration",
            "Calls to this country are off.",
            "Turn it on under Voice > Settings > Geo permissions.",
        ),
        _row(
            21219,
            "configuration",
            "A trial account calls verified numbers only.",
            "Verify the number, or upgrade the account.",
        ),
        _row(
            21408,
            "configuration",
            "Texts to this country are off.",
            "Turn it on under Messaging > Settings > Geo permissions.",
        ),
        _row(21602, "content", "There is no text.", "Give a body or media."),
        _row(21604, "content", "There is no recipient.", "Give `to`."),
        _row(
            21606,
            "configuration",
            "The sender cannot text from this account.",
            "Use an SMS-capable number of this account.",
        ),
        _row(
            21608,
            "configuration",
            "A trial account texts verified numbers only.",
            "Verify the number, or upgrade the account.",
        ),
        _row(21610, "recipient", "The person said STOP to this number.", "Do not text; they can reopen it with START."),
        _row(
            21611,
            "transient",
            "The sender's queue is full.",
            "Send more slowly, or add numbers in a Messaging Service.",
        ),
        _row(
            21612,
            "configuration",
            "This sender cannot reach this recipient.",
            "Use a number of the recipient's country.",
        ),
        _row(21614, "recipient", "The recipient is not a mobile number.", "Use a number that takes texts."),
        _row(21617, "content", "The text is over 1,600 characters.", "Lower `chunk_limit`."),
        _row(21619, "content", "There is no text and no media.", "Give a body or media."),
        _row(21620, "content", "A media URL is not valid.", "Give a public http(s) URL, or s3://bucket/key."),
        _row(21623, "content", "There are more than ten media.", "Send at most ten in a message."),
        _row(21654, "content", "Variables came without their template.", "Give `content_sid`."),
        _row(
            21655,
            "content",
            "The content template is not one of this account.",
            "Copy `content_sid` (HX…) from the Content Template Builder.",
        ),
        _row(
            21656,
            "content",
            "The variables of the template are not as Twilio wants them.",
            "Give each placeholder of the template a text that is not empty.",
        ),
        _row(21660, "configuration", "The sender belongs to another account.", "Use a number of this account."),
        _row(30001, "transient", "Twilio's queue for this sender is full.", "Send more slowly."),
        _row(30002, "configuration", "The Twilio account is suspended.", "See the Twilio console."),
        _row(30003, "recipient", "The phone is off or out of reach.", "Try again later."),
        _row(30004, "recipient", "The recipient or their carrier blocks this.", "Do not try again."),
        _row(30005, "recipient", "The number is not in service.", "Correct the number."),
        _row(30006, "recipient", "The number is a landline or its carrier is out of reach.", "Use a mobile number."),
        _row(
            30007,
            "policy",
            "The carrier filtered it as spam.",
            "Reword it; register the sender; keep to the carrier's rules.",
        ),
        _row(30008, "transient", "The carrier gave no reason.", "Try again later."),
        _row(30019, "content", "The media are too large for the carrier.", "Send smaller media."),
        _row(30034, "configuration", "The US number is not registered.", "Register an A2P 10DLC campaign for it."),
        _row(30032, "configuration", "The toll-free number is not verified.", "Complete toll-free verification."),
        _row(30036, "transient", "It waited longer than it may.", "Send again if it still matters."),
        _row(30410, "transient", "The carrier timed out.", "Try again later."),
        _row(30450, "policy", "Blocked as SMS pumping.", "See SMS Pumping Protection in the console."),
        _row(30610, "policy", "Blocked by the compliance toolkit.", "See the consent records."),
        _row(30640, "policy", "Blocked in quiet hours.", "Send in the recipient's daytime."),
        _row(
            63003,
            "recipient",
            "Nobody has this address on this channel, as who has no WhatsApp.",
            "Correct the number, or use SMS.",
        ),
        _row(63005, "content", "The channel did not take this content.", "Send what the channel supports."),
        _row(
            63007,
            "configuration",
            "Our number is not a sender on this channel.",
            "Register it as a WhatsApp sender, or send from one that is.",
        ),
        _row(63013, "policy", "It breaks a rule of the channel.", "Reword it; see WhatsApp's business policy."),
        _row(63014, "recipient", "The person blocked us on this channel.", "Do not try again."),
        _row(
            63016,
            "policy",
            "A free text on WhatsApp, and the person has not written within 24 hours.",
            "Send an approved template (`content_sid`), or wait until they write.",
        ),
        _row(63018, "transient", "More messages than the channel allows us.", "Send more slowly; see the sender's limits."),
        _row(
            63019,
            "content",
            "Twilio could not fetch the media for the channel.",
            "Check that the URL answers HEAD and GET with the medium.",
        ),
        _row(63021, "content", "The channel does not support this medium or this length.", "Send another type, or less."),
        _row(63024, "recipient", "The recipient is not one the channel can reach.", "Correct the number, or use SMS."),
        _row(
            63028,
            "content",
            "The template has another number of variables.",
            "Give `content_variables` all placeholders, and no others.",
        ),
        _row(
            63032,
            "policy",
            "WhatsApp does not deliver this to this person, for limits of its own.",
            "Do not try again soon; use SMS.",
        ),
        _row(63036, "recipient", "The recipient cannot be reached on this channel.", "Use SMS."),
        _row(
            63049,
            "policy",
            "Meta chose not to deliver this marketing message to this person.",
            "Do not send it again; later ones may be delivered.",
        ),
    )
)


def explain(code: int | None) -> TwilioError:
    """The row of a code; a code without a row is ``unknown``, with where to look it up."""
    if code in TWILIO_ERRORS:
        return TWILIO_ERRORS[code]
    where = "See the Twilio console's error log." if code is None else f"See https://www.twilio.com/docs/api/errors/{code}."
    return TwilioError(code, "unknown", "Twilio gave no further reason.", where)


_REJECTION = re.compile(r"Twilio refused .*? \(HTTP (?P<status>\d{3})\): (?:(?P<code>\d+): )?")


def rejection(what: str, *, code: int | None, status: int) -> TwilioRejected:
    """Twilio's refusal of `what` (``the text to ***1234``), for good. Its sentence says all of it."""
    return TwilioRejected(f"Twilio refused {what} (HTTP {status}): {explain(code)}", twilio_code=code, status=status)


def read_rejection(message: str) -> TwilioRejected:
    """The refusal whose sentence this is, with whatever was put before it: of an error, Lambda passes on only the sentence."""
    found = _REJECTION.search(message)
    code, status = (found["code"], found["status"]) if found else (None, None)
    return TwilioRejected(message, twilio_code=int(code) if code else None, status=int(status) if status else None)
