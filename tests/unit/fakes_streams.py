"""Streamed calls under test: the ports in memory, and the same ports on the tables that the template deploys.

`test_streams_contract`, `test_utterances_contract` and `test_media_frames_contract` hold the fakes to what the adapters do.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.unit.fakes import ACCOUNT, END_OF_TIME, FakeClock, FakeConversations, FakeHistory, FakeOutbox
from tests.unit.fakes_calls import OURS, PAIR, THEIRS, FakeCalls, sid
from twilio_plugin.adapters.calls import CallsTable
from twilio_plugin.adapters.conversations import ConversationsTable
from twilio_plugin.adapters.dynamodb import DynamoDB
from twilio_plugin.adapters.gathering import GatheringTable
from twilio_plugin.adapters.history import HistoryTable
from twilio_plugin.adapters.media_frames import MediaFrames
from twilio_plugin.adapters.outbox import OutboxTable
from twilio_plugin.adapters.person_turns import PersonTurnsTable
from twilio_plugin.adapters.streams import StreamsTable
from twilio_plugin.adapters.utterances import UtterancesTable
from twilio_plugin.domain.call import FINAL_RANK, call_rank
from twilio_plugin.domain.conversation import Entry
from twilio_plugin.domain.events import Event
from twilio_plugin.domain.media_stream import END_OF_STREAM, Frame
from twilio_plugin.domain.relay_timer import RelayTimer
from twilio_plugin.domain.speech import Piece, Utterance
from twilio_plugin.domain.stream import Stream, StreamEnd
from twilio_plugin.errors import NoMediaStream, StorageUnavailable, StreamRefused
from twilio_plugin.services import ports
from twilio_plugin.services.ports import Announcement, Arrived, ConnectionGone, Superseded

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def stream(number: int = 1, **more: Any) -> Stream:
    """The first stream of a person's call to us, as `start` makes it."""
    facts: dict[str, Any] = {
        "call_sid": sid(number),
        "leg": 0,
        "stream_sid": f"MZ{number:032x}",
        "connection_id": f"connection-{number}=",
        "account_sid": ACCOUNT,
        "conversation_id": PAIR,
        "direction": "inbound",
        "from_": THEIRS,
        "to": OURS,
        "started_at": "2026-11-22T08:00:10.000Z",
    }
    return Stream(**(facts | more))


def utterance(of: Stream, utterance_id: str = "01", **more: Any) -> Utterance:
    """Something to be said into a stream, of which nothing is made yet."""
    facts: dict[str, Any] = {
        "call_sid": of.call_sid,
        "stream_sid": of.stream_sid,
        "utterance_id": utterance_id,
        "text": "Hello. How can I help?",
        "allow_barge_in": True,
        "started_at": "2026-11-22T08:00:11.000Z",
    }
    return Utterance(**(facts | more))


class _Storage:
    """`unavailable` are the names of the methods that storage fails."""

    def __init__(self) -> None:
        self.unavailable: set[str] = set()

    def _reach(self, method: str) -> None:
        if method in self.unavailable:
            raise StorageUnavailable("The fake storage is down.")


class FakeStreams(_Storage):
    """Streams beside the calls of `calls`. Those of the calls in `down` cannot be ended."""

    def __init__(self, outbox: FakeOutbox, calls: FakeCalls) -> None:
        super().__init__()
        self._outbox = outbox
        self._calls = calls
        self._streams: dict[tuple[str, int], Stream] = {}
        self._waiting: set[str] = set()
        self._earlier: dict[str, tuple[str, int]] = {}
        self.down: set[str] = set()

    def open(self, stream: Stream, event: Event) -> bool:
        self._reach("open")
        kept = self.kept(stream)
        if kept and (kept.stream_sid, kept.connection_id) == (stream.stream_sid, stream.connection_id):
            return False
        call = self._calls.call(stream.call_sid)
        going_on = call is not None and call_rank(call.status) < FINAL_RANK
        if not going_on or self._calls.accounts[stream.call_sid] != stream.account_sid:
            raise StreamRefused("The fake call is none or over.")
        if kept or (stream.connection_id and self._over(stream.connection_id)):
            raise StreamRefused("The fake leg or connection is taken.")
        self._keep(stream)
        self._outbox.put(event)
        return True

    def of_connection(self, connection_id: str) -> Stream | None:
        self._reach("of_connection")
        return self._over(connection_id)

    def of_call(self, call_sid: str) -> Stream | None:
        self._reach("of_call")
        return max((one for one in self._streams.values() if one.call_sid == call_sid), key=lambda one: one.leg, default=None)

    def read(self, stream: Stream) -> Stream:
        self._reach("read")
        if (kept := self.kept(stream)) is None:
            raise Superseded
        return kept

    def active(self) -> list[Stream]:
        self._reach("active")
        return sorted((one for one in self._streams.values() if not one.ended_at), key=lambda one: one.started_at)[:100]

    def appoint(self, stream: Stream, session_id: str, *, restart: bool) -> bool:
        self._reach("appoint")
        kept = self._going_on(stream)
        if kept is None or kept.session_id != stream.session_id:
            return kept is not None and kept.session_id == session_id
        self._keep(dataclasses.replace(kept, session_id=session_id, restarts=kept.restarts + restart))
        self._waiting.add(session_id)
        return True

    def take(self, stream: Stream, session_id: str, now: str) -> Stream:
        self._reach("take")
        kept = self._going_on(stream)
        if kept is None or kept.session_id != session_id or session_id not in self._waiting:
            raise Superseded
        self._waiting.remove(session_id)
        return self._keep(dataclasses.replace(kept, seen_at=now))

    def save(self, stream: Stream, now: str) -> None:
        self._reach("save")
        kept = self._going_on(stream)
        if kept is None or kept.session_id != stream.session_id:
            raise Superseded
        progress = {name: getattr(stream, name) for name in ("cursor", "frames", "gaps", "turns")}
        progress |= {name: value for name in ("last_words", "heard_at") if (value := getattr(stream, name)) is not None}
        self._keep(dataclasses.replace(kept, **progress, seen_at=now))

    def rebind(self, stream: Stream, connection_id: str, now: str) -> Stream:
        self._reach("rebind")
        kept, carried = self._going_on(stream), self._over(connection_id)
        if kept is None:
            raise Superseded
        if carried and (carried.call_sid, carried.leg) != (stream.call_sid, stream.leg):
            raise StreamRefused("The fake connection is taken.")
        self._earlier[kept.connection_id] = kept.call_sid, kept.leg
        return self._keep(dataclasses.replace(kept, connection_id=connection_id, seen_at=now))

    def raise_generation(self, stream: Stream) -> None:
        self._reach("raise_generation")
        if kept := self.kept(stream):
            self._keep(dataclasses.replace(kept, generation=kept.generation + 1))

    def end(self, stream: Stream, event: Event) -> bool:
        self._reach("end")
        if stream.call_sid in self.down:
            raise StorageUnavailable("The fake stream cannot be written.")
        if (kept := self._going_on(stream)) is None:
            return False
        over = {name: getattr(stream, name) for name in ("ended_at", "end", "frames", "gaps")}
        self._keep(dataclasses.replace(kept, **over))
        self._outbox.put(event)
        return True

    def kept(self, stream: Stream) -> Stream | None:
        """The stream as it is kept."""
        return self._streams.get((stream.call_sid, stream.leg))

    def keep(self, *streams: Stream) -> None:
        """Keep streams just so, whatever was there before, and announce nothing."""
        for stream in streams:
            self._keep(stream)

    def say(self, stream: Stream, utterance: Utterance) -> None:
        """Keep what the stream is saying."""
        self._keep(dataclasses.replace(stream, saying=utterance.text, said_at=utterance.started_at))

    def _over(self, connection_id: str) -> Stream | None:
        if connection_id in self._earlier:
            return self._streams[self._earlier[connection_id]]
        return next((one for one in self._streams.values() if one.connection_id == connection_id), None)

    def _going_on(self, stream: Stream) -> Stream | None:
        kept = self.kept(stream)
        return kept if kept and not kept.ended_at else None

    def _keep(self, stream: Stream) -> Stream:
        self._streams[stream.call_sid, stream.leg] = stream
        return stream


class FakeUtterances(_Storage):
    """Utterances of the streams of `streams`."""

    def __init__(self, outbox: FakeOutbox, streams: FakeStreams, conversations: FakeConversations) -> None:
        super().__init__()
        self._outbox = outbox
        self._streams = streams
        self._conversations = conversations
        self._utterances: dict[tuple[str, str], Utterance] = {}
        self._speakers: dict[tuple[str, int], tuple[str, str]] = {}

    def hold(self, stream: Stream, utterance_id: str, *, until: str, now: str) -> bool:
        self._reach("hold")
        speaker, held_until = self._speakers.get((stream.call_sid, stream.leg), (utterance_id, ""))
        if self._streams.kept(stream) is None or (speaker != utterance_id and held_until >= now):
            return False
        self._speakers[stream.call_sid, stream.leg] = utterance_id, until
        return True

    def let_go(self, stream: Stream, utterance_id: str) -> None:
        self._reach("let_go")
        if self._speakers.get((stream.call_sid, stream.leg), ("", ""))[0] == utterance_id:
            del self._speakers[stream.call_sid, stream.leg]

    def begin(self, stream: Stream, utterance: Utterance) -> None:
        self._reach("begin")
        kept = self._streams.kept(stream)
        if kept is None or kept.ended_at:
            raise NoMediaStream("The fake stream is over.")
        if (utterance.call_sid, utterance.utterance_id) not in self._utterances:
            self._streams.say(kept, utterance)
            self._keep(utterance)

    def add_pieces(self, utterance: Utterance, more: Sequence[Piece], *, complete: bool) -> bool:
        self._reach("add_pieces")
        if (kept := self._speaking(utterance)) is None:
            return False
        self._keep(dataclasses.replace(kept, pieces=(*kept.pieces, *more), complete=complete))
        return True

    def find(self, call_sid: str, utterance_id: str) -> Utterance | None:
        self._reach("find")
        return self._utterances.get((call_sid, utterance_id))

    def open(self, call_sid: str) -> list[Utterance]:
        self._reach("open")
        found = [one for one in self._utterances.values() if one.call_sid == call_sid and one.state == "speaking"]
        return sorted(found, key=lambda one: one.utterance_id)

    def heard(self, utterance: Utterance, pieces: int) -> None:
        self._reach("heard")
        if (kept := self._speaking(utterance)) and kept.heard < pieces:
            self._keep(dataclasses.replace(kept, heard=pieces))

    def end(self, utterance: Utterance, event: Event, entry: Entry | None) -> bool:
        self._reach("end")
        kept = self._speaking(utterance)
        if kept is None or kept.heard > utterance.heard:
            return False
        self._keep(dataclasses.replace(kept, state=utterance.state, heard=utterance.heard))
        self._outbox.put(event)
        if entry:
            self._conversations.add_turn(entry)
        return True

    def waits(self, utterance: Utterance) -> bool:
        """Whether no document has it yet."""
        kept = self._speaking(utterance)
        return kept is not None and kept.begins_at is None

    def speak(self, utterance: Utterance) -> None:
        """A document has it."""
        if kept := self._speaking(utterance):
            self._keep(dataclasses.replace(kept, begins_at=utterance.begins_at))

    def _speaking(self, utterance: Utterance) -> Utterance | None:
        kept = self._utterances.get((utterance.call_sid, utterance.utterance_id))
        return kept if kept and kept.state == "speaking" else None

    def _keep(self, utterance: Utterance) -> None:
        self._utterances[utterance.call_sid, utterance.utterance_id] = utterance


class FakePersonTurns(_Storage):
    """Turns of the person, counted on the streams of `streams`."""

    def __init__(self, streams: FakeStreams, conversations: FakeConversations) -> None:
        super().__init__()
        self._streams = streams
        self._conversations = conversations

    def add(self, stream: Stream, entry: Entry, now: str) -> bool:
        self._reach("add")
        kept = self._streams.kept(stream)
        if kept is None or kept.ended_at or kept.turns != stream.turns:
            return False
        self._streams.keep(dataclasses.replace(kept, turns=kept.turns + 1, last_words=entry.body, heard_at=now))
        self._conversations.add_turn(entry)
        return True


class FakeRelayTimers:
    """Notes what was set and for when. `down` is SQS that takes nothing."""

    def __init__(self) -> None:
        self.waiting: list[tuple[RelayTimer, int]] = []
        self.down = False

    def set(self, timer: RelayTimer, seconds: int) -> None:
        if self.down:
            raise StorageUnavailable("The fake SQS is down.")
        self.waiting.append((timer, seconds))


class FakeGathering(_Storage):
    """Gathered calls on the streams of `streams`. `meanwhile` runs ahead of each next write, once."""

    def __init__(
        self, outbox: FakeOutbox, streams: FakeStreams, utterances: FakeUtterances, conversations: FakeConversations
    ) -> None:
        super().__init__()
        self._outbox = outbox
        self._streams = streams
        self._utterances = utterances
        self._conversations = conversations
        self.meanwhile: list[Callable[[], object]] = []

    def hear(self, stream: Stream, after: Stream, events: Sequence[Event], entry: Entry | None) -> bool:
        kept = self._now("hear", stream)
        if kept is None or kept.heard_step != stream.heard_step:
            return False
        heard = {name: getattr(after, name) for name in ("heard_step", "turns")}
        heard |= {name: value for name in ("last_words", "heard_at") if (value := getattr(after, name)) is not None}
        self._streams.keep(dataclasses.replace(kept, **heard))
        for event in events:
            self._outbox.put(event)
        if entry:
            self._conversations.add_turn(entry)
        return True

    def give_out(self, stream: Stream, after: Stream, given: Sequence[Utterance]) -> bool:
        kept = self._now("give_out", stream)
        read = (stream.step, stream.woken_step, stream.said_at)
        if kept is None or (kept.step, kept.woken_step, kept.said_at) != read:
            return False
        if not all(self._utterances.waits(one) for one in given):
            return False
        out = {name: getattr(after, name) for name in ("step", "seen_at", "prompt_ends_at")}
        self._streams.keep(dataclasses.replace(kept, **out))
        for one in given:
            self._utterances.speak(one)
        return True

    def wake(self, stream: Stream) -> bool:
        kept = self._now("wake", stream)
        if kept is None or kept.step != stream.step or kept.woken_step >= stream.step:
            return False
        self._streams.keep(dataclasses.replace(kept, woken_step=stream.step))
        return True

    def notice(self, stream: Stream) -> None:
        kept = self._now("notice", stream)
        if kept and kept.spoken_step < stream.spoken_step:
            self._streams.keep(dataclasses.replace(kept, spoken_step=stream.spoken_step, spoken_at=stream.spoken_at))

    def _now(self, method: str, stream: Stream) -> Stream | None:
        self._reach(method)
        if self.meanwhile:
            self.meanwhile.pop(0)()
        kept = self._streams.kept(stream)
        return kept if kept and not kept.ended_at else None


class FakeFrames(_Storage):
    """`stream_sids` are those that came with the frames, by connection."""

    def __init__(self) -> None:
        super().__init__()
        self._frames: dict[str, dict[int, Frame]] = {}
        self._ends: dict[str, tuple[StreamEnd, int | None]] = {}
        self.stream_sids: dict[str, set[str]] = {}

    def put(self, connection_id: str, frame: Frame, *, stream_sid: str, expires_at: int) -> None:
        self._reach("put")
        self._frames.setdefault(connection_id, {})[frame.sequence_number] = frame
        self.stream_sids.setdefault(connection_id, set()).add(stream_sid)

    def put_end(self, connection_id: str, end: StreamEnd, *, last: int | None, expires_at: int) -> None:
        self._reach("put_end")
        first, known = self._ends.get(connection_id, (end, None))
        self._ends[connection_id] = first, last if known is None else known

    def after(self, connection_id: str, cursor: int, *, limit: int) -> Arrived:
        self._reach("after")
        frames = self._frames.get(connection_id, {})
        page = [frames[number] for number in sorted(frames) if number > cursor][:limit]
        if connection_id in self._ends and len(page) < limit and cursor < END_OF_STREAM:
            return Arrived(page, *self._ends[connection_id])
        return Arrived(page)


class FakeConnections:
    """Takes every message, but for connections in `gone`. `down` is API Gateway that refuses everything."""

    def __init__(self) -> None:
        self.messages: dict[str, list[str]] = {}
        self.closed: list[str] = []
        self.gone: set[str] = set()
        self.down = False

    def send(self, connection_id: str, message: str) -> None:
        self._reach()
        if connection_id in self.gone:
            raise ConnectionGone
        self.messages.setdefault(connection_id, []).append(message)

    def close(self, connection_id: str) -> None:
        self._reach()
        if connection_id not in self.gone:
            self.closed.append(connection_id)
            self.gone.add(connection_id)

    def is_open(self, connection_id: str) -> bool:
        self._reach()
        return connection_id not in self.gone

    def _reach(self) -> None:
        if self.down:
            raise StorageUnavailable("The fake API Gateway is down.")


class FakeSessions:
    """Notes who was started, as (call, leg, session). `down` is Lambda that takes nothing."""

    def __init__(self) -> None:
        self.started: list[tuple[str, int, str]] = []
        self.down = False

    def start(self, stream: Stream, session_id: str) -> None:
        if self.down:
            raise StorageUnavailable("The fake Lambda is down.")
        self.started.append((stream.call_sid, stream.leg, session_id))


class FakeWarmer:
    """Warms every function, but for those in `cold`."""

    def __init__(self) -> None:
        self.warmed: list[str] = []
        self.cold: set[str] = set()

    def warm(self, function_names: Sequence[str]) -> list[str]:
        self.warmed += [name for name in function_names if name not in self.cold]
        return [name for name in function_names if name in self.cold]


@dataclass(frozen=True)
class StreamWorld:
    """The ports of streamed calls that share one storage."""

    outbox: ports.Outbox
    calls: ports.Calls
    streams: ports.Streams
    utterances: ports.Utterances
    turns: ports.PersonTurns
    gathering: ports.Gathering
    conversations: ports.Conversations
    history: ports.History
    frames: ports.Frames
    clock: FakeClock

    def announced(self) -> list[Announcement]:
        """What has been put into the outbox since the last look; the outbox is empty after it, as the relay leaves it."""
        announcements = sorted(self.outbox.leftovers(before=END_OF_TIME), key=lambda one: one.occurred_at)
        self.outbox.delete([one.event_id for one in announcements])
        return announcements


@dataclass(frozen=True)
class FakeStreamWorld(StreamWorld):
    """All of it in memory, and what is beyond storage too."""

    outbox: FakeOutbox
    calls: FakeCalls
    streams: FakeStreams
    utterances: FakeUtterances
    turns: FakePersonTurns
    gathering: FakeGathering
    conversations: FakeConversations
    history: FakeHistory
    frames: FakeFrames
    connections: FakeConnections = dataclasses.field(default_factory=FakeConnections)
    timers: FakeRelayTimers = dataclasses.field(default_factory=FakeRelayTimers)
    sessions: FakeSessions = dataclasses.field(default_factory=FakeSessions)
    warmer: FakeWarmer = dataclasses.field(default_factory=FakeWarmer)

    @classmethod
    def new(cls) -> FakeStreamWorld:
        outbox = FakeOutbox()
        calls, conversations = FakeCalls(outbox), FakeConversations(outbox)
        streams = FakeStreams(outbox, calls)
        utterances = FakeUtterances(outbox, streams, conversations)
        return cls(
            outbox=outbox,
            calls=calls,
            streams=streams,
            utterances=utterances,
            turns=FakePersonTurns(streams, conversations),
            gathering=FakeGathering(outbox, streams, utterances, conversations),
            conversations=conversations,
            history=FakeHistory(conversations),
            frames=FakeFrames(),
            clock=FakeClock(),
        )


def real_stream_world(dynamodb: DynamoDBClient, new_table: Callable[[str], str], *, retention_days: int = 365) -> StreamWorld:
    """The ports on the deployed tables."""
    database, table, texts = DynamoDB(dynamodb), new_table("CallsTable"), new_table("ConversationsTable")
    outbox = OutboxTable(database, new_table("OutboxTable"))
    conversations = ConversationsTable(database, texts, outbox, retention_days=retention_days)
    return StreamWorld(
        outbox=outbox,
        calls=CallsTable(database, table, outbox, retention_days=retention_days),
        streams=StreamsTable(database, table, outbox, retention_days=retention_days),
        utterances=UtterancesTable(database, table, outbox, conversations, retention_days=retention_days),
        turns=PersonTurnsTable(database, table, conversations),
        gathering=GatheringTable(database, table, outbox, conversations),
        conversations=conversations,
        history=HistoryTable(database, texts),
        frames=MediaFrames(database, new_table("MediaFramesTable")),
        clock=FakeClock(),
    )


_connections: type[ports.Connections] = FakeConnections
_sessions: type[ports.Sessions] = FakeSessions
_timers: type[ports.RelayTimers] = FakeRelayTimers
_warmer: type[ports.Warmer] = FakeWarmer
