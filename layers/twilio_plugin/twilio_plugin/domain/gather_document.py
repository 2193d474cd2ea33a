"""The documents of a call without a socket: they speak and listen, or wait."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import timedelta

from twilio_plugin.domain import twiml
from twilio_plugin.domain.gather import Manner, Place

# Where Twilio was told to go on, and the document's own result came first: it is about to be taken away.
HOLD_SECONDS = 2


def listening(
    manner: Manner, place: Place, prompts: Sequence[str], *, listens: timedelta, barge_in: bool = True
) -> tuple[twiml.Verb, ...]:
    """Speak the prompts while listening, and listen on for so long behind them; then ask what is next, heard or not."""
    action = place.url(manner.webhook_url, "result")
    gather = twiml.gather(
        *(twiml.say(words, voice=manner.voice) for words in prompts),
        input="dtmf speech",
        action=action,
        action_on_empty_result=True,
        barge_in=barge_in,
        finish_on_key="",
        num_digits=1,
        timeout=_whole_seconds(listens),
        speech_timeout=_whole_seconds(manner.endpoint),
        language=manner.language,
        partial_result_callback=place.url(manner.webhook_url, "partial"),
    )
    return gather, twiml.redirect(action)


def holding(manner: Manner, place: Place) -> tuple[twiml.Verb, ...]:
    """Wait for Twilio to be told to go on; and go on without that, should it not come."""
    return twiml.pause(HOLD_SECONDS), twiml.redirect(place.url(manner.webhook_url, "wake"))


def _whole_seconds(time: timedelta) -> int:
    return max(1, math.ceil(time / timedelta(seconds=1)))
