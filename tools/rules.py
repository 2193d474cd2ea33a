"""A rule on every event, as a subscriber would write it: the pattern of an EventBridge rule, and what it is good for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from twilio_plugin.domain.events import (
    SOURCE,
    AgentFailed,
    CallAnsweredBy,
    CallEnded,
    CallReceived,
    CallRecorded,
    CallStarted,
    CallStatusChanged,
    DtmfReceived,
    Event,
    GuardRefused,
    MediaRefused,
    MediaStored,
    OptOutChanged,
    SmsFailed,
    SmsReceived,
    SmsSent,
    SmsStatusChanged,
    SpeechInterrupted,
    SpeechPartial,
    SpeechPlayed,
    SpeechReceived,
    SpeechTranscribed,
    TranscriptionEnded,
    VoiceStreamEnded,
    VoiceStreamStarted,
)


@dataclass(frozen=True, slots=True)
class Rule:
    """A pattern for one kind of event. `detail` narrows it, in EventBridge's own words."""

    kind: type[Event]
    purpose: str
    detail: dict[str, list[Any]] | None = None

    @property
    def pattern(self) -> dict[str, Any]:
        """As ``PutRule`` takes it."""
        whole: dict[str, Any] = {"source": [SOURCE], "detail-type": [self.kind.detail_type]}
        return whole | ({"detail": self.detail} if self.detail else {})


RULES = (
    Rule(
        SmsReceived,
        "Wake an agent for every ordinary text; STOP, START and HELP are answered by Twilio",
        {"opt_out_type": [{"exists": False}]},
    ),
    Rule(MediaStored, "Look at the pictures that people send", {"content_type": [{"prefix": "image/"}]}),
    Rule(MediaRefused, "Ask the person to send it again", {"reason": ["not_found", "wrong_type"]}),
    Rule(SmsSent, "Log what was sent to North America", {"to": [{"prefix": "+1"}]}),
    Rule(SmsStatusChanged, "Note that a text arrived", {"status": ["delivered", "read"]}),
    Rule(SmsFailed, "Tell somebody, unless it may pass by itself", {"error_class": [{"anything-but": ["transient"]}]}),
    Rule(OptOutChanged, "Take whoever said STOP off the mailing list", {"state": ["opted_out"]}),
    Rule(CallReceived, "Take over calls whose number is shown", {"from": [{"anything-but": ["anonymous"]}]}),
    Rule(CallStarted, "Log the calls that were made"),
    Rule(
        CallStatusChanged,
        "Know when a person has answered a call of ours",
        {"direction": ["outbound"], "status": ["in-progress"]},
    ),
    Rule(CallEnded, "Count the minutes of calls that took place", {"status": ["completed"], "duration": [{"exists": True}]}),
    Rule(CallAnsweredBy, "Try again later where a machine answered", {"answered_by": [{"prefix": "machine"}]}),
    Rule(CallRecorded, "Fetch the messages that people left", {"status": ["completed"], "source": ["RecordVerb"]}),
    Rule(VoiceStreamStarted, "Greet whoever calls, once a call", {"direction": ["inbound"], "leg": [0]}),
    Rule(VoiceStreamEnded, "Let go of what was kept for the stream"),
    Rule(SpeechReceived, "Wake an agent for every spoken turn"),
    Rule(SpeechPartial, "Look things up while the person is still speaking"),
    Rule(SpeechPlayed, "Know that the person has heard it all"),
    Rule(SpeechInterrupted, "Know what the person has not heard because they spoke", {"cause": ["speech"]}),
    Rule(DtmfReceived, "A menu for one key", {"digit": ["1"]}),
    Rule(SpeechTranscribed, "Follow what the person says in a call that is only listened to", {"speaker": ["person"]}),
    Rule(TranscriptionEnded, "Sum up what was said"),
    Rule(AgentFailed, "Tell a person that the agent does not answer"),
    Rule(GuardRefused, "Tell an operator that a ceiling is reached", {"opens_at": [{"exists": True}]}),
)
