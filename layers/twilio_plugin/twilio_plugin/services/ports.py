"""What the services need from the world. Adapters implement these; tests pass fakes held to the same contract."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, Protocol

if TYPE_CHECKING:  # a webhook does not pay for what only sends need
    from twilio_plugin.domain.agent import AgentAnswer, AgentRequest
    from twilio_plugin.domain.call import Call, CallRequest, CallUpdate
    from twilio_plugin.domain.conversation import Entry, KeptMedia
    from twilio_plugin.domain.events import Event, GuardRefused
    from twilio_plugin.domain.forgetting import Person
    from twilio_plugin.domain.guards import Draw
    from twilio_plugin.domain.inbound_turn import SettledTurn, TextTurn
    from twilio_plugin.domain.media_copy import MediaMessage, MediaRefusal
    from twilio_plugin.domain.media_stream import Frame
    from twilio_plugin.domain.message_status import StatusUpdate
    from twilio_plugin.domain.number_settings import Before, Settings, TwilioResource
    from twilio_plugin.domain.opt_out import ContactState
    from twilio_plugin.domain.outbound import Part, Receipt, TwilioMessage
    from twilio_plugin.domain.outbound_media import S3Object, StoredMedia
    from twilio_plugin.domain.recording import Recording
    from twilio_plugin.domain.relay_timer import RelayTimer
    from twilio_plugin.domain.speech import Piece, Utterance
    from twilio_plugin.domain.stream import Stream, StreamEnd
    from twilio_plugin.domain.transcription import CallTranscription, TranscriptionReport

Clock = Callable[[], datetime]


class LedgerMoved(Exception):
    """The contact's state is no longer the one that was read: read again and decide again."""


@dataclass(frozen=True, slots=True)
class LedgerChange:
    """A step of the opt-out ledger, committed only if the contact is still in `before`."""

    conversation_id: str
    before: ContactState
    after: ContactState


@dataclass(frozen=True, slots=True)
class Page:
    """Entries oldest first. `before` is where the next older page starts; None on the last."""

    entries: list[Entry]
    before: str | None


class Conversations(Protocol):
    """Messages, their status and the opt-out ledger. Every method that announces commits state and events together."""

    def contact_state(self, conversation_id: str) -> ContactState:
        """Who has never said anything is ``opted_in``."""

    def received_at(self, message_sid: str) -> str | None:
        """When a text of a person came, ISO 8601; None for one that is not known."""

    def add_received(self, entry: Entry, events: Sequence[Event], ledger: LedgerChange | None) -> bool:
        """False if this message is there already: then nothing is written. Raises LedgerMoved."""

    def apply_status(self, update: StatusUpdate, event: Event) -> bool:
        """False if the message has reached this rank already: then nothing is written."""

    def change_ledger(self, change: LedgerChange, event: Event) -> None:
        """Raises LedgerMoved."""

    def add_turn(self, entry: Entry) -> None:
        """Add a spoken turn of the person; of the same moment and ``message_sid`` twice is one."""


class MediaNotTaken(Exception):
    """A medium that is not to be had, for good."""

    def __init__(self, reason: MediaRefusal) -> None:
        super().__init__(reason)
        self.reason = reason


class MediaNotReady(MediaNotTaken):
    """A medium that may be there later: ``not_found`` so far, or ``unavailable``."""


class MediaSource(Protocol):
    """Where people's media are: Twilio."""

    def fetch(self, url: str) -> BinaryIO:
        """All of it, in a file that is deleted when it is closed.

        Raises:
            MediaNotTaken, MediaNotReady: see there.
            StorageUnavailable: the credentials cannot be read.
        """


class MediaStore(Protocol):
    """The stack's bucket of media."""

    name: str

    def put(self, key: str, content: BinaryIO, content_type: str) -> None:
        """Keep an object; the same one twice is one. Raises StorageUnavailable."""

    def delete(self, key: str) -> None:
        """Raises StorageUnavailable."""


class MediaCopies(Protocol):
    """What has become of the copies of a message's media: it is in the message's entry of the history."""

    def media_of(self, message: MediaMessage) -> tuple[KeptMedia, ...] | None:
        """All of them, in order; None where the entry is kept no longer. Strongly consistent."""

    def settle(self, message: MediaMessage, index: int, media: KeptMedia, event: Event) -> bool:
        """Keep the outcome (``size``, or ``refused``) and announce it. False if it is settled already, or kept no longer."""


class OutboundMedia(Protocol):
    """Media to send, in S3."""

    buckets: tuple[str, ...]
    """Those that may be sent from; the stack's own first."""

    def find(self, at: S3Object) -> StoredMedia | None:
        """None where it is not there, or may not be read. Raises StorageUnavailable."""

    def read(self, at: S3Object) -> bytes:
        """All of it. Raises StorageUnavailable."""

    def temporary_url(self, at: S3Object) -> str:
        """Where it can be had by GET for some minutes, by whoever knows it. Raises StorageUnavailable."""


class History(Protocol):
    """Conversations, read back."""

    def page(self, conversation_id: str, *, limit: int, before: str | None) -> Page:
        """The newest `limit` entries, or the newest before `before`."""


class Sends(Protocol):
    """The record of every part on its way, so that none goes out twice."""

    def claim(self, part: Part) -> Receipt | None:
        """Take the part before calling Twilio. A Receipt means that it has been sent before.

        Raises:
            IdempotencyKeyReused, SendInProgress, SendOutcomeUnknown: see `twilio_plugin.errors`.
        """

    def release(self, part: Part) -> None:
        """Twilio did not take it: the key may be used again."""

    def mark_unknown(self, part: Part) -> None:
        """The request left and no answer came."""

    def record_sent(self, part: Part, receipt: Receipt, entry: Entry, event: Event) -> bool:
        """False if it is recorded already."""

    def record_not_sent(self, part: Part, event: Event) -> bool:
        """Twilio never had it: announce that and free the key. False if it is settled already."""

    def unsettled(self, *, before: datetime) -> Iterator[tuple[Part, datetime]]:
        """Parts claimed before a moment and without an outcome, with the moment of their claim; oldest first."""

    def senders_of(self, message_sids: Iterable[str]) -> Mapping[str, tuple[str, int] | None]:
        """Send id and part number of the messages we know; None for one that is known but not as a send of ours."""


class Texting(Protocol):
    """Twilio's Messages resource."""

    def send(self, part: Part) -> Receipt:
        """Hand one part to Twilio, once.

        Raises:
            TwilioRejected, TwilioUnavailable, SendOutcomeUnknown: see `twilio_plugin.errors`.
        """

    def sent(self, part: Part, *, since: datetime) -> list[TwilioMessage]:
        """What Twilio has from this sender to this recipient since a moment; oldest first."""


class CallReader(Protocol):
    """Calls, read back."""

    def call(self, call_sid: str) -> Call | None:
        """One call."""

    def active(self) -> list[Call]:
        """Calls that have not ended, the longest-running first; at most a hundred."""


class Calls(CallReader, Protocol):
    """Calls and their status. Every method that announces commits state and events together."""

    def add_received(self, update: CallUpdate, event: Event) -> bool:
        """False if this call is announced already: then nothing is written."""

    def apply_status(self, update: CallUpdate, event: Event) -> bool:
        """False if the call has reached this rank already: then nothing is written."""

    def apply_answered_by(self, call_sid: str, answered_by: str, event: Event) -> bool:
        """Keep who answered. False if that is known already, or the call is not: then nothing is written."""

    def add_recording(self, recording: Recording, event: Event) -> bool:
        """Keep what became of a recording. False if this very status of it is kept already: then nothing is written."""

    def unended(self, *, before: datetime) -> Iterator[Call]:
        """Calls that began before a moment and are still listed as active."""

    def no_longer_active(self, call_sid: str) -> None:
        """Take a call off that list."""


class CallRequests(Protocol):
    """The record of every call on its way to Twilio, so that nobody is called twice."""

    def claim(self, request: CallRequest) -> CallUpdate | None:
        """Take the request before calling Twilio. A CallUpdate means that it was made before.

        Raises:
            IdempotencyKeyReused, SendInProgress, SendOutcomeUnknown: see `twilio_plugin.errors`.
        """

    def release(self, request: CallRequest) -> None:
        """Twilio did not take it: the key may be used again."""

    def mark_unknown(self, request: CallRequest) -> None:
        """The request left and no answer came."""

    def record_made(self, request: CallRequest, made: CallUpdate, event: Event) -> bool:
        """False if it is recorded already."""

    def record_not_made(self, request: CallRequest, event: Event) -> bool:
        """Twilio never had it: announce that and free the key. False if it is settled already."""

    def unsettled(self, *, before: datetime) -> Iterator[tuple[CallRequest, datetime]]:
        """Requests claimed before a moment and without an outcome, with the moment of their claim; oldest first."""

    def requested_by(self, call_sids: Iterable[str]) -> Mapping[str, str | None]:
        """Request ids of the calls we know; None for one that is known but not as a request of ours."""


class Calling(Protocol):
    """Twilio's Calls resource."""

    def make(self, request: CallRequest) -> CallUpdate:
        """Hand a call to Twilio, once.

        Raises:
            TwilioRejected, TwilioUnavailable, SendOutcomeUnknown: see `twilio_plugin.errors`.
        """

    def redirect(self, call_sid: str, *, twiml: str | None = None, url: str | None = None) -> str:
        """Replace what a live call is doing; its status. Raises as `make`."""

    def end(self, call_sid: str) -> str:
        """Hang up; the status. Raises as `make`."""

    def limit(self, call_sid: str, seconds: int) -> str:
        """Have Twilio end a live call when it is so old; its status. Raises as `make`."""

    def start_transcription(self, call_sid: str, asked: Mapping[str, str | bool]) -> str:
        """Have a live call transcribed as `domain.transcription.asked_for` says; the transcription's SID. Raises as `make`."""

    def stop_transcription(self, call_sid: str, transcription: str) -> str:
        """End a transcription, by its SID or its name; its status. Raises as `make`."""

    def fetch(self, call_sid: str) -> CallUpdate | None:
        """What Twilio says of a call now; None for one it does not know. Raises StorageUnavailable."""

    def made(self, request: CallRequest, *, since: datetime) -> list[CallUpdate]:
        """The calls Twilio has from this sender to this recipient since a moment; oldest first. Raises StorageUnavailable."""


class CallTranscriptionReader(Protocol):
    """Transcriptions of calls that are only listened to, read back."""

    def of_call(self, call_sid: str) -> list[CallTranscription]:
        """Those of a call that are not over. Strongly consistent."""

    def active(self) -> list[CallTranscription]:
        """Those that are not over, of all calls, the longest-running first; at most a hundred."""


class CallTranscriptions(CallTranscriptionReader, Protocol):
    """Transcriptions, and what Twilio reports of them. Every method that announces commits state, event and history at once."""

    def add(self, report: TranscriptionReport) -> None:
        """Keep a report until it is dealt with; the same one twice is one."""

    def open(self, transcription: CallTranscription) -> CallTranscription:
        """Keep a new transcription. The one that is kept then: another, if there was one of its SID before."""

    def find(self, call_sid: str, transcription_sid: str) -> CallTranscription | None:
        """One transcription, over or not. Strongly consistent."""

    def waiting(self, transcription: CallTranscription, *, after: int) -> list[TranscriptionReport]:
        """Its reports of higher numbers than `after` that are not dealt with, in order. Strongly consistent."""

    def settle(
        self,
        before: CallTranscription,
        report: TranscriptionReport,
        after: CallTranscription,
        event: Event | None,
        entry: Entry | None,
    ) -> bool:
        """Deal with a report: from now on the transcription is as `after`, and its words are kept in `entry` only.

        False if the transcription is not as `before` any more, or the report is dealt with already: nothing is written.
        """

    def end(self, transcription: CallTranscription, event: Event) -> bool:
        """Close it (``ended_at``, ``end``) without a report, and announce that. False if it is over already."""


class Superseded(Exception):
    """Another session acts for the stream now, or it is over: whoever gets this stops at once."""


class StreamReader(Protocol):
    """Media streams of calls, read back."""

    def of_connection(self, connection_id: str) -> Stream | None:
        """The stream that came over a connection."""

    def of_call(self, call_sid: str) -> Stream | None:
        """The call's latest stream, ended or not. Strongly consistent."""

    def read(self, stream: Stream) -> Stream:
        """The stream as it is now. Strongly consistent. Raises Superseded where it is kept no longer."""

    def active(self) -> list[Stream]:
        """Streams that have not ended, the longest-running first; at most a hundred."""


class Streams(StreamReader, Protocol):
    """Media streams of calls. Every method that announces commits state and event together."""

    def open(self, stream: Stream, event: Event) -> bool:
        """Keep a new stream and announce it. False if this very stream is there already: nothing is written.

        Raises:
            StreamRefused: the leg or the connection belongs to another stream, or the call is not one of ours or over.
        """

    def appoint(self, stream: Stream, session_id: str, *, restart: bool) -> bool:
        """Let another session act for the stream. `stream` says which one did so far; a restart is counted.

        Again with the same id is True. False if it is another by now, or the stream is over: nothing is written.
        """

    def take(self, stream: Stream, session_id: str, now: str) -> Stream:
        """The appointed session begins, once. Raises Superseded."""

    def save(self, stream: Stream, now: str) -> None:
        """Keep where the session is (cursor, counts, turns, last words and when) and that it is alive. Raises Superseded."""

    def rebind(self, stream: Stream, connection_id: str, now: str) -> Stream:
        """The stream comes over another connection from now on; the same one twice is one.

        Raises:
            Superseded: the stream is over.
            StreamRefused: the connection belongs to another stream.
        """

    def raise_generation(self, stream: Stream) -> None:
        """What is being said now is to stop."""

    def end(self, stream: Stream, event: Event) -> bool:
        """Close it for good (``stream.ended_at``, ``stream.end``) and announce that. False if it is over already."""


class Utterances(Protocol):
    """What the agent says. Every method that announces commits state, event and history together."""

    def hold(self, stream: Stream, utterance_id: str, *, until: str, now: str) -> bool:
        """Take, or keep, the right to speak into the stream until a moment. False while somebody else has it."""

    def let_go(self, stream: Stream, utterance_id: str) -> None:
        """Give it back."""

    def begin(self, stream: Stream, utterance: Utterance) -> None:
        """Keep a new utterance, and that the stream is saying it; the same one twice is one.

        Raises:
            NoMediaStream: the stream is over.
        """

    def add_pieces(self, utterance: Utterance, more: Sequence[Piece], *, complete: bool) -> bool:
        """Add pieces before they are sent. False if the utterance is over: nothing is written."""

    def find(self, call_sid: str, utterance_id: str) -> Utterance | None:
        """One utterance. Strongly consistent."""

    def open(self, call_sid: str) -> list[Utterance]:
        """Those that are not over, oldest first. Strongly consistent."""

    def heard(self, utterance: Utterance, pieces: int) -> None:
        """So many pieces were played; nothing changes if more were, or if it is over."""

    def end(self, utterance: Utterance, event: Event, entry: Entry | None) -> bool:
        """Close it as ``utterance.state`` with what was heard. False if it is over already, or if more was heard meanwhile."""


class PersonTurns(Protocol):
    """What the person says in a relayed call: Twilio makes the words, and no session counts them."""

    def add(self, stream: Stream, entry: Entry, now: str) -> bool:
        """Count a turn and keep it in the history. False if another was counted meanwhile, or the stream is over."""


class RelayTimers(Protocol):
    """What is to be looked at later, because no session waits for it."""

    def set(self, timer: RelayTimer, seconds: int) -> None:
        """Have it looked at in so many seconds, at most 900. Raises StorageUnavailable."""


class Gathering(Protocol):
    """Calls that are held by documents: where they are, on their streams. Nothing is written to one that is over."""

    def hear(self, stream: Stream, after: Stream, events: Sequence[Event], entry: Entry | None) -> bool:
        """Keep and announce what a document heard (``heard_step``, turns, last words), and the words in the history.

        False if what another one heard was kept since `stream` was read: nothing is written.
        """

    def give_out(self, stream: Stream, after: Stream, given: Sequence[Utterance]) -> bool:
        """The next document is out (``step``, ``seen_at``, ``prompt_ends_at``) and says these utterances (``begins_at``).

        False if since `stream` was read another was given out, something more is to be said, Twilio was told to go on, or one
        of the utterances is over or in a document: nothing is written.
        """

    def wake(self, stream: Stream) -> bool:
        """Twilio is about to be told to leave the present document. False if it is another by now, or has been told already."""

    def notice(self, stream: Stream) -> None:
        """The person speaks into a document (``spoken_step``, ``spoken_at``); nothing changes if it or a later one is known."""


class Frames(Protocol):
    """Audio on its way from the socket to the session."""

    def put(self, connection_id: str, frame: Frame, *, stream_sid: str, expires_at: int) -> None:
        """Keep a frame; the same one twice is one."""

    def put_end(self, connection_id: str, end: StreamEnd, *, last: int | None, expires_at: int) -> None:
        """Write behind all audio that no more comes. `last` is the sequence number of Twilio's ``stop``, if it came.

        The first reason stays; a `last` that comes after it is added.
        """

    def after(self, connection_id: str, cursor: int, *, limit: int) -> Arrived:
        """What has arrived beyond a sequence number, in order: at most `limit`, the end counted. Strongly consistent."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """Frames by sequence number, and the end if it is there."""

    frames: list[Frame]
    end: StreamEnd | None = None
    last: int | None = None
    """With the end: the sequence number of Twilio's ``stop``, if it came. Frames below it may still be under way."""


class ConnectionGone(Exception):
    """The socket is closed: nothing can be sent any more."""


class Connections(Protocol):
    """Open WebSocket connections."""

    def send(self, connection_id: str, message: str) -> None:
        """Send a message behind those sent before.

        Raises:
            ConnectionGone: nobody is there.
            StorageUnavailable: API Gateway refused for good or could not be reached.
        """

    def close(self, connection_id: str) -> None:
        """Hang up the socket; nothing happens if it is closed already. Raises StorageUnavailable."""

    def is_open(self, connection_id: str) -> bool:
        """Whether somebody is there. Raises StorageUnavailable."""


class Sessions(Protocol):
    """Where call sessions run."""

    def start(self, stream: Stream, session_id: str) -> None:
        """Run a session of this id, in the background. Raises StorageUnavailable."""


class Warmer(Protocol):
    """Functions that are about to be needed."""

    def warm(self, function_names: Sequence[str]) -> list[str]:
        """Have each started. Raises nothing: the names of those that could not be are returned."""


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was said in a turn."""

    text: str
    confidence: float | None = None
    """0 to 1, if the engine says."""


class Transcription(Protocol):
    """One turn being transcribed while it is spoken. No method waits for the engine."""

    def write(self, audio: bytes) -> None:
        """More of the person's voice, µ-law."""

    def partial(self) -> str:
        """The words so far; empty if there are none."""

    def finish(self) -> None:
        """No more audio comes."""

    def result(self) -> Transcript | None:
        """The final words after `finish`, or None while the engine is at it. Raises SpeechUnavailable."""

    def cancel(self) -> None:
        """The words are not wanted."""


class Transcriber(Protocol):
    """An engine that hears. Another one can be brought: see docs/decisions."""

    def begin(self) -> Transcription:
        """A new turn."""


class Synthesizer(Protocol):
    """An engine that speaks. Another one can be brought: see docs/decisions."""

    def synthesize(self, text: str) -> bytes:
        """The words as µ-law, 8,000 samples a second.

        Raises:
            SpeechUnavailable: see `twilio_plugin.errors`.
            Misconfigured: there is no such voice; no retry helps.
        """


@dataclass(frozen=True, slots=True)
class Announcement:
    """An event as the outbox holds it: the detail is JSON already."""

    event_id: str
    detail_type: str
    detail: str
    occurred_at: str


class EventBus(Protocol):
    """Where events go out."""

    def publish(self, announcements: Sequence[Announcement]) -> set[str]:
        """Put them on the bus, in order. Returns the ids of those that the bus did not take, after retries."""


KeptIn = Literal["outbox", "calls", "conversations"]
Place = Mapping[str, str]
"""Where in a table a page ended: a key."""


@dataclass(slots=True)
class Found:
    """What a page of a table holds of a person, and what hangs on it."""

    keys: list[dict[str, Any]] = field(default_factory=list)
    mentions: list[dict[str, Any]] = field(default_factory=list)
    """Items of others in which the number stands."""
    elsewhere: list[dict[str, Any]] = field(default_factory=list)
    """Keys in the Conversations table of what hangs on a call: turns that were answered, minutes that are held."""
    message_sids: list[str] = field(default_factory=list)
    media_of: list[str] = field(default_factory=list)
    """Inbound messages that had media."""
    call_sids: list[str] = field(default_factory=list)
    recording_sids: list[str] = field(default_factory=list)
    connection_ids: list[str] = field(default_factory=list)
    """Of streams: their frames are below these."""
    is_ours: bool = False
    """The number is our side of a conversation: it is not a person's."""


class PersonalData(Protocol):
    """What the tables keep of a person."""

    def page(self, kept_in: KeptIn, person: Person, after: Place | None) -> tuple[Found, Place | None]:
        """The next page of a table, and where it ended; None behind the last. Strongly consistent."""

    def delete(self, kept_in: KeptIn, found: Found) -> None:
        """Frames and turns first, then the keys."""

    def count_frames(self, found: Found) -> int:
        """How many frames hang on it."""

    def mask(self, kept_in: KeptIn, person: Person, item: dict[str, Any]) -> None:
        """Take the number out of an item of others; nothing happens if it is gone."""


class KeptMediaFiles(Protocol):
    """The stack's bucket, to be emptied of something."""

    def delete_below(self, prefix: str, *, dry_run: bool) -> int:
        """Delete every version of every object there; how many there were. Raises StorageUnavailable."""


class TwilioRecords(Protocol):
    """What Twilio keeps. To erase what is not there is no error. All raise StorageUnavailable."""

    def erase_message(self, message_sid: str) -> None:
        """A message with its media."""

    def erase_recording(self, recording_sid: str) -> None:
        """A recording."""

    def erase_call(self, call_sid: str) -> None:
        """The record of a call."""


class Outbox(Protocol):
    """Events committed and not yet on the bus."""

    def add(self, event: Event) -> None:
        """An event that tells of nothing we keep; the same one twice is one."""

    def delete(self, event_ids: Iterable[str]) -> None:
        """They are on the bus."""

    def leftovers(self, *, before: datetime) -> Iterator[Announcement]:
        """What the relay should have taken by now."""


class NoAnswer(Exception):
    """The agent raised, took too long, could not be invoked, or answered what is not an answer.

    ``error_type`` says which: its own errorType, ``Timeout``, ``InvalidAnswer``, or Lambda's error code.
    """

    def __init__(self, error_type: str) -> None:
        super().__init__(error_type)
        self.error_type = error_type


class Agent(Protocol):
    """The function that stands behind the bridge."""

    def ask(self, request: AgentRequest) -> AgentAnswer:
        """Its answer. Raises NoAnswer."""


class TextQueue(Protocol):
    """Where texts wait for the agent: those of a conversation one after the other, conversations beside each other."""

    def put(self, turn: TextTurn) -> None:
        """Let it wait; the same one twice within minutes is one. Raises StorageUnavailable."""


class AgentTurns(Protocol):
    """What has become of the turns that the agent is asked about."""

    def last(self, conversation_id: str) -> SettledTurn | None:
        """The last turn of the conversation's texts that is over. Strongly consistent."""

    def settle(self, conversation_id: str, turn: SettledTurn, *, after: SettledTurn | None) -> bool:
        """Keep it as the last. False if another than `after` is by now: nothing is written."""

    def take(self, event_id: str, now: str) -> bool:
        """Take a spoken turn, to speak the answer. False if it is taken already."""

    def admit(self, conversation_id: str, period: str, event_id: str, *, ceiling: int, now: str) -> bool:
        """Count a turn; the same one twice in a row counts once. False over the ceiling of a period."""

    def refuse(self, conversation_id: str, period: str, event: Event) -> bool:
        """Announce that the ceiling is reached. False if that is announced already for this period."""


class TwilioResources(Protocol):
    """Twilio's IncomingPhoneNumbers and Messaging Services. Every method raises TwilioRejected and TwilioUnavailable."""

    def find(self, key: str) -> TwilioResource | None:
        """A number by its E.164, a Messaging Service by its SID; None where the account has no such."""

    def service_of(self, number: TwilioResource) -> TwilioResource | None:
        """The Messaging Service that a number is in."""

    def change(self, resource: TwilioResource, changes: Settings) -> None:
        """Set what is given, by Twilio's names; an empty text clears. Doing it twice is doing it once."""


class SettingsBefore(Protocol):
    """What was set on numbers and Messaging Services before they were pointed at this stack."""

    def all(self) -> list[Before]:
        """All that is kept. Strongly consistent."""

    def keep(self, before: Before) -> None:
        """Keep it in the place of what is kept under its key."""

    def forget(self, key: str) -> None:
        """It is put back."""


class Counters(Protocol):
    """How much of each ceiling is used. What a function that died had taken stays taken until the period is over."""

    def take(self, draws: Sequence[Draw]) -> Draw | None:
        """Take all of them or none: the first one that would pass its limit is returned."""

    def give_back(self, draws: Sequence[Draw]) -> None:
        """What was taken was not used after all."""

    def hold(self, holder: str, draw: Draw) -> bool:
        """Take it for somebody, once: for one who holds already, nothing is taken and True. False past the limit."""

    def release(self, holder: str, *, used: int) -> bool:
        """Give back what the holder has not used; its last word. False if it holds nothing, or no longer."""

    def refuse(self, event: GuardRefused, period: str) -> bool:
        """Announce that a guard refused. False if that is announced already for its conversation and period."""
