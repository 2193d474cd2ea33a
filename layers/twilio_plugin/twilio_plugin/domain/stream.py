"""A media stream of a call, as it is kept; and the token with which Twilio shows that a stream is the one we asked for.

A call has one stream at a time. Where one ends before the call does, the document reopens the next: a *leg*, counted from 0.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from twilio_plugin.domain.call import CallDirection, VoiceMode
from twilio_plugin.errors import StreamRefused

# Why a stream is over. ``closed``: Twilio or we closed the socket. ``no_reply``: the agent left the person waiting.
# ``lost``: nobody said so; reconciliation found it.
StreamEnd = Literal["stopped", "closed", "failed", "no_reply", "call_ended", "lost"]

NO_STEP = -1  # before the first document of a gathered call
TOKEN_SECONDS = 300  # the greeting comes first, and Twilio then connects at once
# The document reopens a stream so often, and only while the call is going on. Then it says a sentence and hangs up.
MAX_REOPENINGS = 5
# Of a dead session, before what it was listening to is given up.
MAX_RESTARTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """A stream as it is kept. Times are ISO 8601, UTC, milliseconds.

    A call that is held by documents (mode ``gather``) has no socket; its stream says where in the chain of documents it is.
    """

    call_sid: str
    leg: int
    stream_sid: str
    connection_id: str
    """Empty where there is no socket."""
    account_sid: str
    conversation_id: str
    direction: CallDirection
    from_: str
    to: str
    started_at: str
    mode: VoiceMode = "stream"
    ended_at: str | None = None
    end: StreamEnd | None = None
    session_id: str | None = None
    """The session that may act for it."""
    restarts: int = 0
    cursor: int = 0
    """Sequence number up to which its audio has been dealt with."""
    frames: int = 0
    gaps: int = 0
    """Frames that never came."""
    turns: int = 0
    """Turns of the person announced so far."""
    seen_at: str | None = None
    """When its session last said that it is alive."""
    generation: int = 0
    """Rises with every interruption: what was being said under a lower one is to stop."""
    saying: str | None = None
    """What the agent said last, whether it has been played to the end or not."""
    said_at: str | None = None
    last_words: str | None = None
    """What the person said last."""
    heard_at: str | None = None
    """When that was announced."""
    step: int = 0
    """Of a gathered call: the number of the document that was given out last."""
    heard_step: int = NO_STEP
    """The last document whose result is kept."""
    spoken_step: int = NO_STEP
    """The last document into which the person began to speak."""
    spoken_at: str | None = None
    """When they did, as far as it can be told."""
    woken_step: int = NO_STEP
    """The last document that Twilio was told to leave for the next one."""
    prompt_ends_at: str | None = None
    """When the words of the present document end, by estimate; None where it has none."""

    @property
    def envelope(self) -> dict[str, Any]:
        """What every event of a stream carries."""
        return {
            "account_sid": self.account_sid,
            "conversation_id": self.conversation_id,
            "call_sid": self.call_sid,
            "stream_sid": self.stream_sid,
            "from_": self.from_,
            "to": self.to,
            "direction": self.direction,
        }

    @property
    def waits_since(self) -> str | None:
        """Since when the person waits for a word of the agent, if they do."""
        since = self.heard_at or self.started_at
        return since if self.said_at is None or self.said_at < since else None

    def reply_milliseconds(self, now: datetime) -> int | None:
        """How long the person has waited since their words were announced, if the agent has said nothing since."""
        if self.heard_at is None or self.waits_since is None:
            return None
        return max(0, int((now - datetime.fromisoformat(self.heard_at)).total_seconds() * 1000))

    @property
    def ours(self) -> str:
        """Our number."""
        return self.to if self.direction == "inbound" else self.from_

    @property
    def theirs(self) -> str:
        """The person's number."""
        return self.from_ if self.direction == "inbound" else self.to


def stream_token(auth_token: str, call_sid: str, leg: int, *, expires_at: int) -> str:
    """``<leg>.<epoch seconds>.<HMAC-SHA256>``: a handshake's signature is the same for every call, this is not."""
    return f"{leg}.{expires_at}.{_mac(auth_token, call_sid, leg, expires_at)}"


def leg_of_token(token: str, call_sid: str, auth_tokens: Iterable[str], now: datetime | None) -> int:
    """The leg that a token was made for. Without `now` its age does not matter: it is shown again.

    Raises:
        StreamRefused: not ours, of another call, or too old.
    """
    leg, _, rest = token.partition(".")
    expires_at, _, mac = rest.partition(".")
    if not all(part.isascii() and part.isdigit() and len(part) < 12 for part in (leg, expires_at)):
        raise StreamRefused("The stream's token is missing or not one of ours.")
    expected = [_mac(auth_token, call_sid, int(leg), int(expires_at)) for auth_token in auth_tokens]
    fits = [hmac.compare_digest(one.encode(), mac.encode()) for one in expected]
    if True not in fits:
        raise StreamRefused("The stream's token is not one of ours, or of another call.")
    if now and int(expires_at) < now.timestamp():
        raise StreamRefused("The stream's token has expired.")
    return int(leg)


def _mac(auth_token: str, call_sid: str, leg: int, expires_at: int) -> str:
    return hmac.new(auth_token.encode(), f"media-stream|{call_sid}|{leg}|{expires_at}".encode(), hashlib.sha256).hexdigest()
