"""What callers put in: the input of every function an agent invokes, and what they get back.

Types and unknown fields are refused here with the field's name. What is wrong *about* a message (its number, its media) has an
error of its own and is decided by the services.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from twilio_plugin.domain.address import Channel
from twilio_plugin.domain.audio import BYTES_PER_SECOND
from twilio_plugin.domain.call import CallDirection, VoiceMode
from twilio_plugin.domain.machine_detection import OnMachine
from twilio_plugin.domain.segments import MAX_BODY, MIN_LIMIT, Encoding
from twilio_plugin.domain.transcription import OtherSpeaker, Speaker


class _Input(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, use_attribute_docstrings=True)


class SendMessage(_Input):
    """A text to one person."""

    to: str
    """The recipient: E.164, a number as it is dialled in the default region, or ``whatsapp:`` before one."""
    body: str = ""
    """The text. One that is too long for a message is sent in parts, one after the other."""
    media_url: list[str] = []
    """At most ten public http(s) URLs, or ``s3://bucket/key`` in a bucket the stack sends from. They go with the first part."""
    from_: Annotated[str | None, Field(alias="from")] = None
    """Our number; the stack's number where none is given. Answer a text from the address it came to."""
    messaging_service_sid: Annotated[str | None, Field(pattern=r"^MG[0-9a-fA-F]{32}$")] = None
    """A Messaging Service to send through; the number above must be in it."""
    chunk_limit: Annotated[int, Field(ge=MIN_LIMIT, le=MAX_BODY)] = MAX_BODY
    """Characters in a part. At 160 or less every part is a single SMS segment."""
    idempotency_key: Annotated[str | None, Field(min_length=1, max_length=128)] = None
    """The same key within 24 hours sends once, and answers the same."""
    strip_markdown: bool = False
    """Turn Markdown into plain text first."""
    smart_encoded: bool = False
    """Turn typographic punctuation into GSM-7 look-alikes first, so that it does not double the segments."""


class SendSms(SendMessage):
    """A text with words in it; media may come along. Or a content template, instead of both."""

    content_sid: Annotated[str | None, Field(pattern=r"^HX[0-9a-fA-F]{32}$")] = None
    """A content template of Twilio's to send instead of words: WhatsApp takes nothing else outside its 24-hour window."""
    content_variables: Annotated[dict[str, Annotated[str, Field(min_length=1)]], Field(max_length=100)] = {}
    """What stands in its placeholders, as ``{"1": "Ada"}``."""


class SendMms(SendMessage):
    """Media, with or without words."""


class SentMessage(BaseModel):
    """One part as Twilio accepted it."""

    message_sid: str
    status: str
    body: str
    encoding: Encoding
    segments: int


class SendResult(BaseModel):
    """What was sent."""

    model_config = ConfigDict(populate_by_name=True)

    conversation_id: str
    to: str
    from_: Annotated[str, Field(alias="from")]
    messages: list[SentMessage]


_Words = Annotated[str | None, Field(min_length=1, max_length=3000)]
_Document = Annotated[str | None, Field(min_length=1, max_length=4000)]
_Url = Annotated[str | None, Field(pattern=r"^https?://[^\s/]+\S*$")]
_LanguageTag = Annotated[str | None, Field(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$")]
MAX_HANDOFF = 4000  # characters as JSON
MAX_AUDIO = -(-60 * BYTES_PER_SECOND // 3) * 4  # a minute in base64
_CallSid = Field(pattern=r"^CA[0-9a-fA-F]{32}$")


def _short_enough(data: dict[str, Any]) -> dict[str, Any]:
    if (length := len(json.dumps(data, ensure_ascii=False))) > MAX_HANDOFF:
        raise ValueError(f"it has {length:,} characters as JSON, and may have {MAX_HANDOFF:,}")
    return data


_HandoffData = Annotated[dict[str, Any], AfterValidator(_short_enough)] | None


class DetectMachine(_Input):
    """Find out whether a person or a machine answers, while the call goes on."""

    on_machine: OnMachine = "continue"
    """What to do with a machine, or a fax: ``continue`` as with a person, ``hang_up``, or ``leave_message``."""
    message: _Words = None
    """With ``leave_message``: the words to leave after the beep, before the call ends."""


class MakeCall(_Input):
    """A call to one person. They talk to the agent, unless one of `say`, `twiml` and `url` says what they hear."""

    to: str
    """The person: E.164, or a number as it is dialled in the default region."""
    say: _Words = None
    """Words to speak when they answer, before the call ends."""
    twiml: _Document = None
    """Or a TwiML document to run."""
    url: _Url = None
    """Or where Twilio fetches one."""
    voice_mode: VoiceMode | None = None
    """How they talk to the agent; as the stack's parameter `VoiceMode` says where it is left out."""
    from_: Annotated[str | None, Field(alias="from")] = None
    """Our number; the stack's number where none is given."""
    record: bool = False
    """Record the call; an event tells where the recording is."""
    transcribe: bool = False
    """Have Twilio transcribe the call; events tell what is said. With `say`, `twiml` or `url`: the agent hears other calls."""
    machine_detection: DetectMachine | None = None
    """Find out who answers; an event tells it."""
    time_limit: Annotated[int, Field(ge=5, le=14_400)] = 3600
    """Seconds until Twilio ends the call; at most the stack's `MaxCallSeconds`."""
    idempotency_key: Annotated[str | None, Field(min_length=1, max_length=128)] = None
    """The same key within 24 hours calls once, and answers the same."""


class MadeCall(BaseModel):
    """A call as Twilio accepted it."""

    model_config = ConfigDict(populate_by_name=True)

    call_sid: str
    status: str
    conversation_id: str
    to: str
    from_: Annotated[str, Field(alias="from")]


ControlAction = Literal[
    "end",
    "transfer",
    "send_digits",
    "play",
    "update",
    "hand_off",
    "set_language",
    "limit",
    "start_transcription",
    "stop_transcription",
    "record_message",
]


class ControlCall(_Input):
    """What to do with a call that is going on."""

    call_sid: Annotated[str, _CallSid]
    """The call's SID, from its event."""
    action: ControlAction
    """``update`` replaces what the person hears by one of `say`, `twiml` and `url`; ``record_message`` takes a message;
    ``hand_off`` ends a ``relay`` session, and ``set_language`` has it speak or hear another language; ``limit`` says when the
    call is to end."""
    to: str | None = None
    """With ``transfer``: the number to connect the person to."""
    digits: Annotated[str | None, Field(pattern=r"^[0-9*#wW]+$", max_length=100)] = None
    """With ``send_digits``: the keys to press, ``w`` being half a second."""
    transcribe: bool = False
    """With ``transfer``: have Twilio transcribe what the two say."""
    record: bool = False
    """With ``transfer``: record what the two say."""
    outbound_track: OtherSpeaker | None = None
    """With ``start_transcription``: who the person hears, ``agent`` (the default) or, after a transfer, ``callee``."""
    max_length: Annotated[int | None, Field(ge=1, le=3600)] = None
    """With ``record_message``: seconds that the message may take; two minutes where it is left out."""
    then: Literal["hang_up", "listen"] | None = None
    """With ``record_message``, once it is taken: end the call (the default), or let the agent go on listening."""
    say: _Words = None
    """With ``update``: words to speak; then the agent goes on listening, or the line stays open where it does not listen.
    With ``record_message``: words before the beep."""
    twiml: _Document = None
    """With ``update``: a TwiML document to run."""
    url: _Url = None
    """With ``update``: where Twilio fetches one. With ``play``: where it fetches a sound file."""
    loop: Annotated[int | None, Field(ge=0, le=1000)] = None
    """With ``play``: how often, once where it is left out; 0 is until something else is done, or a thousand times."""
    tts_language: _LanguageTag = None
    """With ``set_language``: what Twilio speaks from here on, ``sv-SE``."""
    transcription_language: _LanguageTag = None
    """With ``set_language``: what it hears."""
    handoff_data: _HandoffData = None
    """With ``hand_off``: an object that `VOICE_STREAM_ENDED` brings to whoever takes over. `to` goes with it too."""
    time_limit: Annotated[int | None, Field(ge=5, le=14_400)] = None
    """With ``limit``: the age, in seconds, at which Twilio ends the call; at most the stack's `MaxCallSeconds`."""


class ControlledCall(BaseModel):
    """A call after it was told what to do."""

    call_sid: str
    status: str
    transcription_sid: str | None = None
    """Only where a transcription was started."""


class Say(_Input):
    """Something to say in a call: one of `text` and `audio`."""

    call_sid: Annotated[str, _CallSid]
    """The call's SID, from its event."""
    text: _Words = None
    """Words to speak."""
    audio: Annotated[str | None, Field(pattern=r"^[A-Za-z0-9+/]+={0,2}$", max_length=MAX_AUDIO)] = None
    """Or sound: base64 of µ-law, 8,000 samples a second, one channel, no header; at most a minute."""
    interrupt: bool = False
    """Stop what is being said; otherwise it is said to its end first."""
    allow_barge_in: bool = True
    """The person stops it by speaking or with a key."""


class Said(BaseModel):
    """An utterance that is on its way to the person. Events tell how much of it was heard."""

    utterance_id: str
    call_sid: str
    status: Literal["accepted", "interrupted"]
    """``interrupted`` if it was stopped before all of it was sent."""


MAX_SENTENCE = 10_000  # characters of natural text; six times the longest text in one message


class RunAction(_Input):
    """One of the actions of `domain.catalogue`, by its fields or in words."""

    action: str | None = None
    """`SEND_SMS`, `SEND_MMS` or `MAKE_CALL`. With words it may be left out: they say it."""
    input: Annotated[str, Field(max_length=MAX_SENTENCE)] | dict[str, Any]
    """The action's fields, or English: "Send a text to +15555551234 saying Hello!"."""
    dry_run: bool = False
    """Only say what would be done, and whether it would be refused."""
    idempotency_key: Annotated[str | None, Field(min_length=1, max_length=128)] = None
    """The same key within 24 hours acts once, and answers the same."""


class RanAction(BaseModel):
    """What was understood, and what came of it."""

    action: str | None = None
    """Absent where it is not known which one was meant."""
    valid: bool
    """It was done, or in a dry run would be. Otherwise nothing was done, but for parts of a long text that a STOP cut short."""
    reason: str | None = None
    """Only where it is not valid: what was wrong, for whoever made the payload."""
    reply: str
    """What the agent can say: what it does, or the question that leads on."""
    result: SendResult | MadeCall | None = None
    """Only where it was done."""


class ReadCalls(_Input):
    """Which call; all active ones where none is named."""

    call_sid: Annotated[str | None, _CallSid] = None
    """One call, active or over."""


class StreamState(BaseModel):
    """A call's open media stream: what the agent hears and says."""

    stream_sid: str
    started_at: str
    saying: str | None = None
    said_at: str | None = None
    last_words: str | None = None


class TranscriptionState(BaseModel):
    """A running transcription of a call that is only listened to."""

    transcription_sid: str
    started_at: str
    turns: int


class CallState(BaseModel):
    """One call. Without a stream it is run by a TwiML document, not answered yet, or over."""

    model_config = ConfigDict(populate_by_name=True)

    call_sid: str
    conversation_id: str
    direction: CallDirection
    from_: Annotated[str, Field(alias="from")]
    to: str
    status: str
    started_at: str
    answered_at: str | None = None
    ended_at: str | None = None
    duration: int | None = None
    answered_by: str | None = None
    stream: StreamState | None = None
    transcription: TranscriptionState | None = None


class CallStates(BaseModel):
    """Calls, the longest-running first."""

    text: str
    calls: list[CallState]


class ReadHistory(_Input):
    """Which conversation, and how much of it."""

    phone_number: str
    """The person's number or address."""
    our_number: str | None = None
    """Our side of it; the stack's number where none is given."""
    limit: Annotated[int, Field(ge=1, le=100)] = 20
    """The newest messages to return."""
    channel: Channel | None = None
    """``phone`` (texts and calls) unless the number has a channel in front."""
    next_token: str | None = None
    """From the answer before: the next older page."""


class Forget(_Input):
    """Whom to forget."""

    phone_number: str
    """The person's number."""
    dry_run: bool = False
    """Only count what there is."""
    at_twilio: bool = False
    """Erase their messages, media, calls and recordings at Twilio too."""
    next_token: str | None = None
    """From an answer that is not `complete`: go on from there."""


class Forgotten(BaseModel):
    """What was deleted, or in a dry run would be; each run counts for itself."""

    phone_number: str
    """Masked."""
    complete: bool
    """Otherwise there was more than a run can do: invoke it again with `next_token`."""
    next_token: str | None = None
    conversations: int = 0
    """Items of the Conversations table: history, status, sends, turns."""
    calls: int = 0
    """Items of the Calls table."""
    media_frames: int = 0
    outbox: int = 0
    media: int = 0
    """Objects in the bucket."""
    masked: int = 0
    """Items of others in which the number stood, and does no longer."""
    at_twilio: int = 0
    """Messages, calls and recordings."""
    kept: list[str]
    """What no function can search: where the number may still be, and for how long."""


class HistoryMedia(BaseModel):
    """An attachment."""

    url: str
    content_type: str
    s3_key: str | None = None
    """Where it is copied to in the stack's bucket, with the parameter ``CopyMedia``."""
    size: int | None = None
    """Bytes, once the copy is there."""
    refused: str | None = None
    """Why there is no copy."""


class HistoryMessage(BaseModel):
    """One message or spoken turn."""

    model_config = ConfigDict(populate_by_name=True)

    message_sid: str
    occurred_at: str
    kind: Literal["sms", "mms", "speech"]
    direction: Literal["inbound", "outbound"]
    from_: Annotated[str, Field(alias="from")]
    to: str
    body: str
    media: list[HistoryMedia] = []
    opt_out_type: str | None = None
    call_sid: str | None = None
    speaker: Speaker | None = None
    status: str | None = None
    error_code: int | None = None


class HistoryTurn(BaseModel):
    """A turn as chat models take it."""

    role: Literal["user", "assistant"]
    content: str


class History(BaseModel):
    """A page of a conversation, oldest first."""

    conversation_id: str
    text: str
    messages: list[HistoryMessage]
    turns: list[HistoryTurn]
    next_token: str | None = None
