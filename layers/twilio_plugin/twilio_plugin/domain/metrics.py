"""What can be counted of the phone. Metrics follow events: `of_event` is the one place that says which event counts as what.

Every metric has the dimension ``service``, the stack's name; one with a further `dimension` is there once without it, for
sums and alarms, and once for each value of it. A dimension has few values, and never a number, a SID or a word of anybody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

NAMESPACE = "TwilioPlugin"

Unit = Literal["Count", "Milliseconds", "Seconds"]
Detail = Mapping[str, Any]
"""An event's detail as JSON has it."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric, and where its value is found in the detail of the event that it counts. None is no value."""

    name: str
    unit: Unit
    meaning: str
    event: str | None
    """The detail-type. None for what no event tells: it is counted where it happens."""
    value: Callable[[Detail], float | None] = lambda _: 1
    dimension: str | None = None
    """By what it is also counted: a field of the detail where there is an event."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One value. `dimensions` are those beside ``service``."""

    name: str
    unit: Unit
    value: float
    dimensions: tuple[tuple[str, str], ...] = ()


def _field(name: str) -> Callable[[Detail], float | None]:
    return lambda detail: detail.get(name)


REFUSALS = Metric("Refusals", "Count", "invocations that ended in an error of the plugin's", None, dimension="error_type")
WEBHOOKS_REFUSED = Metric(
    "WebhooksRefused", "Count", "requests and handshakes that were not Twilio's, or not readable", None, dimension="reason"
)

METRICS: tuple[Metric, ...] = (
    REFUSALS,
    WEBHOOKS_REFUSED,
    Metric("TextsReceived", "Count", "texts that people sent", "SMS_RECEIVED"),
    Metric("SegmentsReceived", "Count", "the segments they took", "SMS_RECEIVED", _field("num_segments")),
    Metric("TextsSent", "Count", "messages that Twilio accepted", "SMS_SENT"),
    Metric("SegmentsSent", "Count", "the segments they take: what Twilio bills", "SMS_SENT", _field("segments")),
    Metric("TextReplyMilliseconds", "Milliseconds", "from a person's text to its answer", "SMS_SENT", _field("reply_ms")),
    Metric("TextStatuses", "Count", "steps of our messages: sent, delivered, read", "SMS_STATUS_CHANGED", dimension="status"),
    Metric("TextsFailed", "Count", "messages that did not arrive, by Twilio's code", "SMS_FAILED", dimension="error_code"),
    Metric("OptOutChanges", "Count", "people who said STOP or START", "OPT_OUT_CHANGED", dimension="state"),
    Metric("MediaStored", "Count", "media that were copied into the bucket", "MEDIA_STORED"),
    Metric("MediaRefused", "Count", "media that were not copied, by why", "MEDIA_REFUSED", dimension="reason"),
    Metric("CallsReceived", "Count", "people who called", "CALL_RECEIVED"),
    Metric("CallsStarted", "Count", "calls of ours that Twilio accepted", "CALL_STARTED"),
    Metric("CallsEnded", "Count", "calls that are over, by how they ended", "CALL_ENDED", dimension="status"),
    Metric("CallSeconds", "Seconds", "how long they took", "CALL_ENDED", _field("duration")),
    Metric("StreamsStarted", "Count", "times that the agent began to hear somebody", "VOICE_STREAM_STARTED", dimension="mode"),
    Metric("StreamsEnded", "Count", "times that it stopped, by why", "VOICE_STREAM_ENDED", dimension="reason"),
    Metric("FramesHeard", "Count", "frames of audio that were heard, 20 ms each", "VOICE_STREAM_ENDED", _field("frames")),
    Metric("FramesLost", "Count", "frames that never came", "VOICE_STREAM_ENDED", _field("gaps")),
    Metric("TurnsHeard", "Count", "things that people said in calls", "SPEECH_RECEIVED"),
    Metric(
        "ReplyMilliseconds",
        "Milliseconds",
        "from a person's words to the agent's, heard out",
        "SPEECH_PLAYED",
        _field("reply_ms"),
    ),
    Metric("KeysPressed", "Count", "keys that people pressed", "DTMF_RECEIVED"),
    Metric(
        "PhrasesTranscribed",
        "Count",
        "things said in calls that are only listened to, by side",
        "SPEECH_TRANSCRIBED",
        dimension="track",
    ),
    Metric(
        "TranscriptionsEnded", "Count", "times that Twilio stopped listening, by why", "TRANSCRIPTION_ENDED", dimension="reason"
    ),
    Metric("UtterancesPlayed", "Count", "things that the agent said to the end", "SPEECH_PLAYED"),
    Metric("Interruptions", "Count", "things that it did not, by why", "SPEECH_INTERRUPTED", dimension="cause"),
    Metric(
        "AgentFailures", "Count", "times that the agent behind the bridge did not answer", "AGENT_FAILED", dimension="reason"
    ),
    Metric(
        "GuardRefusals",
        "Count",
        "times that a guard refused somebody, once a person and period",
        "GUARD_REFUSED",
        dimension="guard",
    ),
)
# Events that count as nothing: another of the same story does.
UNCOUNTED = frozenset({"CALL_STATUS_CHANGED", "CALL_ANSWERED_BY", "CALL_RECORDED", "SPEECH_PARTIAL"})


def of_event(detail_type: str, detail: Detail) -> Iterator[Measured]:
    """What one event counts as. Nothing for an event, or a field, that is not counted."""
    for metric in METRICS:
        value = metric.value(detail) if metric.event == detail_type else None
        if value is not None:
            yield from _measured(metric, value, detail.get(metric.dimension or ""))


def of_refusal(metric: Metric, why: str) -> Iterator[Measured]:
    """What one refusal counts as; `why` is the name of an error class."""
    return _measured(metric, 1, why)


def _measured(metric: Metric, value: float, by: object) -> Iterator[Measured]:
    yield Measured(metric.name, metric.unit, value)
    if metric.dimension and by is not None:
        yield Measured(metric.name, metric.unit, value, ((metric.dimension, str(by)),))
