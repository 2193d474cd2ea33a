"""A call without a socket asks what comes next: Twilio has listened, was told to go on, or hears the person begin to speak."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from twilio_plugin.domain import twiml
from twilio_plugin.domain.gather import Heard, Place, read_heard, read_partial
from twilio_plugin.services.answer_call import apology, leg_url
from twilio_plugin.services.gather_call import Gatherer, LeftAlone, LegOver, go_on, notice

# For logs: what came in, or how it ended.
Outcome = Literal["words", "keys", "nothing", "speaking", "left alone", "leg over", "lost"]


def answer_gathered(
    call_sid: str, place: Place | None, form: Mapping[str, str], sorry: str, by: Gatherer
) -> tuple[Outcome, str]:
    """What the call is to do now, as a TwiML document, and what has come of it.

    Raises:
        StorageUnavailable: something was not stored.
    """
    if place is None:
        return "lost", apology(sorry)
    if place.reason == "partial":
        notice(call_sid, place, read_partial(form), form.get("SequenceNumber", ""), by)
        return "speaking", twiml.document()  # which nobody reads
    heard = read_heard(form)
    try:
        return _kind(heard), twiml.document(*go_on(call_sid, place, heard, by))
    except LeftAlone:
        return "left alone", apology(sorry)
    except LegOver:
        # Whether there is a next one is decided where legs begin.
        url = leg_url(by.manner.webhook_url, "gather", place.leg + 1, reopened=place.reopened + 1)
        return "leg over", twiml.document(twiml.redirect(url))


def _kind(heard: Heard) -> Outcome:
    return "words" if heard.words else "keys" if heard.keys else "nothing"
