"""The plugin's events: the one place their shapes are written down.

`events/schemas`, `events/bus` and `docs/events.md` are generated from these classes. Every event goes to the bus with source
``twilio.plugin``; its detail-type is the class's `detail_type`. A field that has nothing to say is left out of the detail.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from twilio_plugin.domain.address import Channel
from twilio_plugin.domain.call import CallDirection, VoiceMode
from twilio_plugin.domain.guards import GuardedKind, GuardName
from twilio_plugin.domain.media_copy import MediaRefusal
from twilio_plugin.domain.message import Media
from twilio_plugin.domain.opt_out import ContactState, OptOutType
from twilio_plugin.domain.speech import InterruptionCause
from twilio_plugin.domain.stream import StreamEnd
from twilio_plugin.domain.transcription import Speaker, Track, TranscriptionEnd
from twilio_plugin.domain.twilio_errors import ErrorClass

SOURCE = "twilio.plugin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What every event carries."""

    detail_type: ClassVar[str]

    version: Literal["1"] = "1"
    """The version of this shape. Fields may be added within a version; none is removed or changed."""
    event_id: str
    """The same when an event is delivered again: act on it once."""
    occurred_at: str
    """When it happened: ISO 8601, UTC, milliseconds."""
    account_sid: str
    """The Twilio account, ``AC…``."""
    conversation_id: str
    """``phone|<our number>|<theirs>``, or another channel in front."""

    def detail(self) -> dict[str, Any]:
        """The detail as JSON has it: without empty fields, and ``from_`` under Twilio's name."""
        fields = dataclasses.asdict(self, dict_factory=_present)
        return {name.rstrip("_"): value for name, value in fields.items()}


def _present(fields: list[tuple[str, Any]]) -> dict[str, Any]:
    return {name: value for name, value in fields if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class SmsReceived(Event):
    """A person sent a text: SMS, MMS, WhatsApp or RCS."""

    detail_type: ClassVar[str] = "SMS_RECEIVED"

    message_sid: str
    """Twilio's id of the message, ``SM…`` or ``MM…``."""
    channel: Channel
    """Where it came in."""
    from_: str
    """Who sent it, as Twilio writes the address."""
    to: str
    """Our address it was sent to: answer from this one."""
    body: str
    """The text; may be empty where there are media."""
    media: tuple[Media, ...] = ()
    """The attachments. With the parameter ``CopyMedia`` each has an ``s3_key``, where it will be in the stack's bucket within
    seconds: then MEDIA_STORED comes, or MEDIA_REFUSED if it never will be."""
    num_segments: int = 1
    """How many SMS segments it took."""
    opt_out_type: OptOutType | None = None
    """There only if the text was STOP, START or HELP (or a keyword for them): Twilio has answered, an agent must not."""
    messaging_service_sid: str | None = None
    """The Messaging Service, if the number is in one."""
    fields: dict[str, str] = dataclasses.field(default_factory=dict)
    """Everything else Twilio sent, under Twilio's names: ``ProfileName``, ``ButtonPayload``, ``Latitude``, ``FromCity`` …"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _OfMedia(Event):
    """What tells of an inbound attachment."""

    message_sid: str
    """The message it came with."""
    channel: Channel
    """Where that came in."""
    from_: str
    """Who sent it."""
    to: str
    """Our address it was sent to."""
    index: int
    """Which attachment of the message it is, from 0."""
    url: str
    """Where Twilio has it."""
    content_type: str
    """What Twilio says it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaStored(_OfMedia):
    """The copy of an attachment is there; only with the parameter ``CopyMedia``."""

    detail_type: ClassVar[str] = "MEDIA_STORED"

    bucket: str
    """The bucket it is in: ``s3://<bucket>/<s3_key>`` can be sent on as `media_url`."""
    s3_key: str
    """Its key, as SMS_RECEIVED gave it."""
    size: int
    """Bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaRefused(_OfMedia):
    """There will be no copy of an attachment; only with the parameter ``CopyMedia``."""

    detail_type: ClassVar[str] = "MEDIA_REFUSED"

    reason: MediaRefusal
    """What was wrong with it."""
    meaning: str
    """The same in a sentence."""
    remedy: str
    """What to do about it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SmsSent(Event):
    """Twilio accepted a message of ours. Its status callbacks may have come before this."""

    detail_type: ClassVar[str] = "SMS_SENT"

    message_sid: str
    """Twilio's id of the message."""
    channel: Channel
    """Where it goes out."""
    from_: str
    """Our address."""
    to: str
    """The recipient."""
    body: str
    """The text of this part."""
    media_url: tuple[str, ...] = ()
    """The media sent with it, as the caller named them."""
    content_sid: str | None = None
    """The content template it was made from; `body` is then what it came to, if Twilio says so, else its name and variables."""
    status: str
    """Twilio's status at acceptance: ``queued`` or ``accepted``, later ones if it was found by reconciliation."""
    encoding: Literal["GSM-7", "UCS-2"]
    """How it travels."""
    segments: int
    """How many SMS segments it takes."""
    part: int
    """Which part of the text this is, from 1."""
    parts: int
    """How many parts the text has."""
    send_id: str
    """The caller's idempotency key, or the request id of the invocation that sent it."""
    reply_ms: int | None = None
    """Milliseconds from the arrival of the text that this answers to its acceptance; only of the first part, and where the
    idempotency key is the event's id of that text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SmsStatusChanged(Event):
    """A message of ours went a step further: ``sent``, ``delivered``, ``read`` …  Failures come as SMS_FAILED instead."""

    detail_type: ClassVar[str] = "SMS_STATUS_CHANGED"

    message_sid: str
    """Twilio's id of the message."""
    channel: Channel
    """Where it went out."""
    from_: str
    """Our address."""
    to: str
    """The recipient."""
    status: str
    """Twilio's message status."""
    send_id: str | None = None
    """The idempotency key or request id of the send."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SmsFailed(Event):
    """A message of ours did not arrive."""

    detail_type: ClassVar[str] = "SMS_FAILED"

    message_sid: str | None = None
    """Twilio's id of the message; not there if Twilio never had it."""
    channel: Channel
    """Where it was to go out."""
    from_: str
    """Our address."""
    to: str
    """The recipient."""
    status: Literal["failed", "undelivered", "not_sent"]
    """Twilio's status, or ``not_sent`` where reconciliation found that Twilio never had it: sending it again is safe."""
    error_code: int | None = None
    """Twilio's error code."""
    error_class: ErrorClass
    """What kind of trouble it is."""
    meaning: str
    """The trouble in a sentence."""
    remedy: str
    """What to do about it."""
    send_id: str | None = None
    """The idempotency key or request id of the send."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OptOutChanged(Event):
    """A person said STOP or START, or Twilio told us that they had."""

    detail_type: ClassVar[str] = "OPT_OUT_CHANGED"

    channel: Channel
    """Where it was said."""
    from_: str
    """The person."""
    to: str
    """Our address they mean."""
    state: ContactState
    """``opted_out``: every send is refused until their START. ``opted_in``: sends are allowed again."""
    cause: Literal["keyword", "twilio_21610"]
    """A text of theirs, or Twilio's refusal of a send."""
    message_sid: str | None = None
    """The message that said so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallReceived(Event):
    """A person is calling us, and hears the greeting."""

    detail_type: ClassVar[str] = "CALL_RECEIVED"

    call_sid: str
    """Twilio's id of the call, ``CA…``: everything is done to the call with it."""
    from_: str
    """Who is calling; ``anonymous`` where they hide their number."""
    to: str
    """Our number that they called."""
    fields: dict[str, str] = dataclasses.field(default_factory=dict)
    """Everything else Twilio sent, under Twilio's names: ``CallerName``, ``StirVerstat``, ``FromCity`` …"""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallStarted(Event):
    """Twilio accepted a call of ours. Its status callbacks may have come before this."""

    detail_type: ClassVar[str] = "CALL_STARTED"

    call_sid: str
    """Twilio's id of the call."""
    from_: str
    """Our number."""
    to: str
    """The person called."""
    status: str
    """Twilio's status at acceptance: ``queued`` as a rule, a later one if it was found by reconciliation."""
    request_id: str
    """The caller's idempotency key, or the request id of the invocation that made the call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallStatusChanged(Event):
    """A call went a step further: ``ringing``, ``in-progress`` …  Its end comes as CALL_ENDED instead."""

    detail_type: ClassVar[str] = "CALL_STATUS_CHANGED"

    call_sid: str
    """Twilio's id of the call."""
    direction: CallDirection
    """Who called whom."""
    from_: str
    """Who is calling."""
    to: str
    """Who is called."""
    status: str
    """Twilio's call status; ``in-progress`` is an answered call."""
    request_id: str | None = None
    """The idempotency key or request id of a call of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallEnded(Event):
    """A call is over, however it ended."""

    detail_type: ClassVar[str] = "CALL_ENDED"

    call_sid: str | None = None
    """Twilio's id of the call; not there if Twilio never had it."""
    direction: CallDirection
    """Who called whom."""
    from_: str
    """Who was calling."""
    to: str
    """Who was called."""
    status: str
    """``completed``, ``busy``, ``failed``, ``no-answer``, ``canceled``; or ``not_made`` where reconciliation found that Twilio
    never had it: calling again is safe."""
    duration: int | None = None
    """Seconds, if Twilio has said so."""
    request_id: str | None = None
    """The idempotency key or request id of a call of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallAnsweredBy(Event):
    """Twilio's answering machine detection has found who answered a call of ours."""

    detail_type: ClassVar[str] = "CALL_ANSWERED_BY"

    call_sid: str
    """Twilio's id of the call."""
    from_: str
    """Our number."""
    to: str
    """The person called."""
    answered_by: str
    """Twilio's word: ``human``, ``machine_start``, ``machine_end_beep``, ``machine_end_silence``, ``fax``, ``unknown`` …"""
    control: dict[str, str] | None = None
    """What the call is told to do because of it, as `control_call` takes it: hang up, or leave a message."""
    request_id: str | None = None
    """The idempotency key or request id of the call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRecorded(Event):
    """A recording of a call is there, or there is none after all."""

    detail_type: ClassVar[str] = "CALL_RECORDED"

    call_sid: str
    """Twilio's id of the call."""
    recording_sid: str
    """Twilio's id of the recording, ``RE…``."""
    status: str
    """``completed``; ``absent`` where there was nothing to record, or ``failed``."""
    source: str | None = None
    """What made it, in Twilio's words: ``RecordVerb`` (a message), ``DialVerb`` (a transfer), ``OutboundAPI`` (`make_call`),
    ``StartCallRecordingTwiML`` …"""
    recording_url: str | None = None
    """Where it is, ``.mp3`` or ``.wav`` behind it; reading it needs the account's credentials."""
    duration: int | None = None
    """Seconds."""
    channels: int | None = None
    """2 where each side has a channel of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _InStream(Event):
    """What every event of a media stream carries."""

    call_sid: str
    """Twilio's id of the call: speak with it."""
    stream_sid: str
    """Twilio's id of the media stream, ``MZ…``; of the session, ``VX…``, in the mode ``relay``; in the mode ``gather``, which
    has neither, the call's with the leg behind it."""
    from_: str
    """Who is calling; ``anonymous`` where they hide their number."""
    to: str
    """Who is called."""
    direction: CallDirection
    """Who called whom."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceStreamStarted(_InStream):
    """The agent can hear the person and speak to them."""

    detail_type: ClassVar[str] = "VOICE_STREAM_STARTED"

    leg: int = 0
    """0 for the call's first stream; more where one before it ended early."""
    mode: VoiceMode = "stream"
    """How they talk: the call's sound (``stream``), words by ConversationRelay (``relay``), or documents (``gather``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceStreamEnded(_InStream):
    """The agent can no longer hear the person. Comes once a stream; a later one of the same call may follow."""

    detail_type: ClassVar[str] = "VOICE_STREAM_ENDED"

    reason: StreamEnd
    """``stopped`` by Twilio, ``closed`` socket, ``failed`` by Twilio's word, ``no_reply`` of the agent in time, ``call_ended``,
    or ``lost``: nobody said so, and reconciliation found it."""
    duration: float
    """Seconds."""
    frames: int
    """Frames of audio that were heard, 20 ms each as a rule."""
    gaps: int
    """Frames that never came."""
    handoff_data: dict[str, Any] | None = None
    """What the agent ended a ``relay`` session with, by ``hand_off`` of `control_call`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechReceived(_InStream):
    """The person said something and stopped."""

    detail_type: ClassVar[str] = "SPEECH_RECEIVED"

    turn: int
    """Which turn of the stream this is, from 1."""
    text: str
    """Their words."""
    confidence: float | None = None
    """How sure the transcriber is, 0 to 1, if it says."""
    starts_at_ms: int
    """Where in the stream the words begin, in milliseconds from its start; but in the mode ``stream`` an estimate."""
    duration_ms: int
    """How long they took; an estimate there too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechPartial(_InStream):
    """What the person is saying, as far as it is understood; only with the parameter ``PartialTranscripts``."""

    detail_type: ClassVar[str] = "SPEECH_PARTIAL"

    text: str
    """Their words so far; later ones may change them."""
    starts_at_ms: int
    """Where in the stream the words begin, in milliseconds from its start: the same as in the SPEECH_RECEIVED that follows, but
    for mode ``relay``, where both are estimates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechPlayed(_InStream):
    """The person has heard an utterance to its end."""

    detail_type: ClassVar[str] = "SPEECH_PLAYED"

    utterance_id: str
    """As `say` answered it."""
    text: str
    """What was said; ``[audio]`` where it was sound."""
    duration_ms: int
    """How long it took."""
    reply_ms: int | None = None
    """Milliseconds from the announcement of the person's last words to the moment that this began to go out; only if it is the
    first thing that was said since."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechInterrupted(_InStream):
    """An utterance was stopped before its end."""

    detail_type: ClassVar[str] = "SPEECH_INTERRUPTED"

    utterance_id: str
    """As `say` answered it."""
    text: str
    """What was to be said; ``[audio]`` where it was sound."""
    heard: str
    """The words that the person heard, to within about a second; may be empty. In the mode ``gather`` an estimate by time."""
    heard_ms: int
    """How much of it was played, in milliseconds."""
    reply_ms: int | None = None
    """Milliseconds from the announcement of the person's last words to the moment that this began to go out; only if it is the
    first thing that was said since."""
    cause: InterruptionCause
    """The person's ``speech`` or ``key``, another ``say``, or the ``end`` of the stream. In mode ``relay`` Twilio does not say
    which of the first two it was: ``speech``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DtmfReceived(_InStream):
    """The person pressed a key."""

    detail_type: ClassVar[str] = "DTMF_RECEIVED"

    digit: str
    """``0``-``9``, ``*``, ``#`` or ``A``-``D``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _InTranscription(Event):
    """What every event of a transcription carries."""

    call_sid: str
    """Twilio's id of the call."""
    transcription_sid: str
    """Twilio's id of the transcription, ``GT…``."""
    from_: str
    """Who is calling; ``anonymous`` where they hide their number."""
    to: str
    """Who is called."""
    direction: CallDirection
    """Who called whom."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechTranscribed(_InTranscription):
    """Something was said in a call that is only listened to: nobody waits for an answer of the agent."""

    detail_type: ClassVar[str] = "SPEECH_TRANSCRIBED"

    turn: int
    """Which turn of the transcription this is, from 1."""
    sequence_id: int
    """Twilio's number of it. It rises with `turn`, but for words that Twilio delivered too late to wait for."""
    track: Track
    """Twilio's name of the side: ``inbound_track`` is the person, ``outbound_track`` what they hear."""
    speaker: Speaker
    """The ``person``; what we had them hear (``agent``); or whom they were connected with (``callee``)."""
    text: str
    """The words."""
    confidence: float | None = None
    """How sure Twilio is of them, 0 to 1, if it says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscriptionEnded(_InTranscription):
    """A transcription is over. Comes once, behind all of its turns but those that come too late."""

    detail_type: ClassVar[str] = "TRANSCRIPTION_ENDED"

    reason: TranscriptionEnd
    """``stopped`` by us or by the end of the call, ``error``; or ``call_ended``: Twilio did not say so, reconciliation did."""
    turns: int
    """Turns that were announced."""
    error_code: int | None = None
    """With ``error``: Twilio's code, if it gave one."""
    error: str | None = None
    """With ``error``: Twilio's words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentFailed(Event):
    """The bridge could not answer a person; only with the parameter ``AgentFunctionArn``."""

    detail_type: ClassVar[str] = "AGENT_FAILED"

    channel: Channel
    """Where they wait for an answer."""
    from_: str
    """The person."""
    to: str
    """Our address."""
    call_sid: str | None = None
    """The call, if they said it in one."""
    in_reply_to: str
    """The `event_id` of what stays without an answer: an SMS_RECEIVED or a SPEECH_RECEIVED."""
    reason: Literal["no_answer", "not_delivered", "too_many_turns"]
    """``no_answer`` of the agent; an answer that was ``not_delivered``; ``too_many_turns`` in this hour, said once an hour."""
    error_type: str | None = None
    """The agent's errorType, ``Timeout``, ``InvalidAnswer``, Lambda's own error, or the plugin's where it could not deliver."""
    attempts: int
    """How often it was tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardRefused(Event):
    """A guard held something back. Comes once for a guard, a conversation and a day, or the hour where it counts by that."""

    detail_type: ClassVar[str] = "GUARD_REFUSED"

    guard: GuardName
    """Which one: the parameter's name in small letters, or ``premium_numbers``, which has no parameter."""
    direction: CallDirection
    """``outbound``: a text or a call of ours that was not made. ``inbound``: a text that was kept and not announced, or a call
    that was rejected."""
    kind: GuardedKind
    """What was held back."""
    channel: Channel
    """Where it was to go, or came in."""
    from_: str
    """Who sends or calls."""
    to: str
    """The recipient."""
    parameter: str | None = None
    """The stack's parameter to change if this should have passed."""
    limit: str | None = None
    """Its value: a number, or the countries that are allowed."""
    opens_at: str | None = None
    """When a ceiling opens again: ISO 8601, UTC."""


EVENTS: tuple[type[Event], ...] = (
    SmsReceived,
    MediaStored,
    MediaRefused,
    SmsSent,
    SmsStatusChanged,
    SmsFailed,
    OptOutChanged,
    CallReceived,
    CallStarted,
    CallStatusChanged,
    CallEnded,
    CallAnsweredBy,
    CallRecorded,
    VoiceStreamStarted,
    VoiceStreamEnded,
    SpeechReceived,
    SpeechPartial,
    SpeechPlayed,
    SpeechInterrupted,
    DtmfReceived,
    SpeechTranscribed,
    TranscriptionEnded,
    AgentFailed,
    GuardRefused,
)


def event_id(kind: type[Event], *facts: str | int) -> str:
    """An id that is the same whenever the same thing is announced: ``SMS_RECEIVED#SM…``."""
    return "#".join([kind.detail_type, *map(str, facts)])
