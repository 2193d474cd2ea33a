"""What every `Streams` does: the fake, and the table as it is deployed."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from tests.unit.fakes import ACCOUNT
from tests.unit.fakes_calls import inbound, sid
from tests.unit.fakes_streams import StreamWorld, stream, utterance
from twilio_plugin.domain.conversation import Entry
from twilio_plugin.domain.events import Event, VoiceStreamEnded, VoiceStreamStarted, event_id
from twilio_plugin.domain.stream import Stream
from twilio_plugin.domain.timestamp import iso
from twilio_plugin.errors import StreamRefused
from twilio_plugin.services.answer_call import answer_call
from twilio_plugin.services.ports import Superseded
from twilio_plugin.services.track_call import track_call

FIRST = stream(1)
SECOND = stream(1, leg=1, stream_sid="MZ" + "a" * 32, connection_id="connection-b=", started_at="2026-11-22T08:10:00.000Z")


def _about(one: Stream) -> dict[str, Any]:
    return {
        "account_sid": one.account_sid,
        "conversation_id": one.conversation_id,
        "call_sid": one.call_sid,
        "stream_sid": one.stream_sid,
        "from_": one.from_,
        "to": one.to,
        "direction": one.direction,
    }


def started(world: StreamWorld, one: Stream) -> Event:
    event = event_id(VoiceStreamStarted, one.stream_sid)
    return VoiceStreamStarted(event_id=event, occurred_at=iso(world.clock()), leg=one.leg, **_about(one))


def ended(world: StreamWorld, one: Stream) -> Event:
    return VoiceStreamEnded(
        event_id=event_id(VoiceStreamEnded, one.stream_sid),
        occurred_at=iso(world.clock()),
        reason=one.end or "lost",
        duration=1.5,
        frames=one.frames,
        gaps=one.gaps,
        **_about(one),
    )


def call(world: StreamWorld, number: int = 1, status: str = "in-progress") -> None:
    answer_call(inbound(number), {}, world.calls, world.clock)
    if status != "in-progress":
        track_call(inbound(number, status), world.calls, world.clock)
    world.announced()


def open_(world: StreamWorld, one: Stream = FIRST) -> bool:
    return world.streams.open(one, started(world, one))


def opened(world: StreamWorld, one: Stream = FIRST) -> Stream:
    """A call's stream, as it is kept."""
    call(world)
    assert open_(world, one)
    world.announced()
    return world.streams.read(one)


def run(world: StreamWorld, one: Stream = FIRST, session_id: str = "session 1") -> Stream:
    """A call's stream, with a session that runs."""
    world.streams.appoint(opened(world, one), session_id, restart=False)
    return world.streams.take(one, session_id, iso(world.clock()))


def end(world: StreamWorld, one: Stream, **facts: Any) -> bool:
    over = dataclasses.replace(one, **({"ended_at": iso(world.clock()), "end": "stopped"} | facts))
    return world.streams.end(over, ended(world, over))


def events(world: StreamWorld) -> list[str]:
    return [one.event_id for one in world.announced()]


def listed(world: StreamWorld) -> list[str]:
    return [one.stream_sid for one in world.streams.active()]


# ------------------------------------------------------------------------------------------------------------- opening


def test_a_stream_is_kept_as_it_came_and_announced(stream_world: StreamWorld) -> None:
    call(stream_world)
    event = started(stream_world, FIRST)

    assert stream_world.streams.open(FIRST, event) is True

    assert stream_world.streams.read(FIRST) == FIRST
    assert stream_world.streams.of_call(FIRST.call_sid) == FIRST
    assert stream_world.streams.of_connection(FIRST.connection_id) == FIRST
    assert stream_world.streams.active() == [FIRST]
    (announcement,) = stream_world.announced()
    assert announcement.detail_type == "VOICE_STREAM_STARTED"
    assert json.loads(announcement.detail) == event.detail()


def test_a_start_that_comes_again_changes_nothing(stream_world: StreamWorld) -> None:
    run(stream_world)

    assert open_(stream_world, dataclasses.replace(FIRST, started_at="2026-11-22T08:00:59.000Z")) is False

    kept = stream_world.streams.read(FIRST)
    assert (kept.started_at, kept.session_id) == (FIRST.started_at, "session 1")
    assert events(stream_world) == []


def test_a_start_that_comes_again_after_the_calls_end_is_no_error(stream_world: StreamWorld) -> None:
    end(stream_world, opened(stream_world))
    track_call(inbound(1, "completed"), stream_world.calls, stream_world.clock)
    stream_world.announced()

    assert open_(stream_world) is False
    assert events(stream_world) == []


@pytest.mark.parametrize(
    "other",
    [
        dataclasses.replace(FIRST, stream_sid="MZ" + "b" * 32, connection_id="connection-b="),
        dataclasses.replace(FIRST, stream_sid="MZ" + "b" * 32),
        dataclasses.replace(FIRST, connection_id="connection-b="),
    ],
    ids=["another stream", "another stream on the connection", "another connection"],
)
def test_a_leg_belongs_to_the_first_stream_that_shows_its_token(stream_world: StreamWorld, other: Stream) -> None:
    opened(stream_world)

    with pytest.raises(StreamRefused):
        open_(stream_world, other)

    assert stream_world.streams.of_call(FIRST.call_sid) == FIRST
    assert stream_world.streams.of_connection("connection-b=") is None
    assert events(stream_world) == []


def test_a_connection_carries_one_stream(stream_world: StreamWorld) -> None:
    opened(stream_world)
    call(stream_world, 2)

    with pytest.raises(StreamRefused):
        open_(stream_world, stream(2, connection_id=FIRST.connection_id))

    assert stream_world.streams.of_connection(FIRST.connection_id) == FIRST
    assert stream_world.streams.of_call(sid(2)) is None
    assert events(stream_world) == []


@pytest.mark.parametrize("status", ["completed", "failed", "no-answer"])
def test_a_call_that_is_over_gets_no_stream(stream_world: StreamWorld, status: str) -> None:
    call(stream_world, status=status)

    with pytest.raises(StreamRefused):
        open_(stream_world)

    assert stream_world.streams.of_call(FIRST.call_sid) is None
    assert stream_world.streams.of_connection(FIRST.connection_id) is None
    assert events(stream_world) == []


def test_a_call_we_do_not_know_gets_no_stream(stream_world: StreamWorld) -> None:
    with pytest.raises(StreamRefused):
        open_(stream_world)

    assert stream_world.streams.active() == []
    assert events(stream_world) == []


def test_a_stream_of_another_account_is_refused(stream_world: StreamWorld) -> None:
    call(stream_world)

    with pytest.raises(StreamRefused):
        open_(stream_world, dataclasses.replace(FIRST, account_sid=ACCOUNT.replace("0", "1")))

    assert stream_world.streams.of_call(FIRST.call_sid) is None


def test_a_call_that_still_rings_by_our_word_gets_its_stream(stream_world: StreamWorld) -> None:
    """The callback that says `in-progress` may come after the stream."""
    track_call(inbound(1, "ringing"), stream_world.calls, stream_world.clock)

    assert open_(stream_world) is True


# ------------------------------------------------------------------------------------------------------------- finding


def test_the_latest_leg_is_the_calls_stream_and_each_connection_has_its_own(stream_world: StreamWorld) -> None:
    end(stream_world, opened(stream_world))
    open_(stream_world, SECOND)

    assert stream_world.streams.of_call(FIRST.call_sid) == SECOND
    assert stream_world.streams.of_connection(SECOND.connection_id) == SECOND
    first = stream_world.streams.of_connection(FIRST.connection_id)
    assert first is not None
    assert (first.leg, first.end) == (0, "stopped")


def test_legs_are_ordered_as_numbers(stream_world: StreamWorld) -> None:
    call(stream_world)
    for leg in (2, 10, 9):
        one = dataclasses.replace(FIRST, leg=leg, connection_id=f"connection-{leg}=", stream_sid=f"MZ{leg:032x}")
        assert open_(stream_world, one) is True

    latest = stream_world.streams.of_call(FIRST.call_sid)
    assert latest is not None
    assert latest.leg == 10


def test_an_utterance_beside_a_stream_is_not_its_call_s_stream(stream_world: StreamWorld) -> None:
    stream_world.utterances.begin(opened(stream_world), utterance(FIRST))

    found = stream_world.streams.of_call(FIRST.call_sid)
    assert found is not None
    assert found.stream_sid == FIRST.stream_sid


def test_nothing_is_found_where_there_is_no_stream(stream_world: StreamWorld) -> None:
    call(stream_world)

    assert stream_world.streams.of_call(sid(1)) is None
    assert stream_world.streams.of_connection("connection-1=") is None
    assert stream_world.streams.active() == []
    with pytest.raises(Superseded):
        stream_world.streams.read(FIRST)


def test_active_streams_come_the_longest_running_first_until_they_end(stream_world: StreamWorld) -> None:
    for number, second in ((1, 30), (2, 10), (3, 20)):
        call(stream_world, number)
        open_(stream_world, stream(number, started_at=f"2026-11-22T08:00:{second}.000Z"))
    assert listed(stream_world) == [stream(number).stream_sid for number in (2, 3, 1)]

    end(stream_world, stream(3))

    assert listed(stream_world) == [stream(number).stream_sid for number in (2, 1)]


# ------------------------------------------------------------------------------------------------------------ sessions


def test_the_appointed_session_takes_the_stream_once(stream_world: StreamWorld) -> None:
    one = opened(stream_world)
    assert stream_world.streams.appoint(one, "session 1", restart=False) is True
    now = iso(stream_world.clock())

    taken = stream_world.streams.take(one, "session 1", now)

    assert taken == dataclasses.replace(one, session_id="session 1", seen_at=now)
    assert stream_world.streams.read(one) == taken
    with pytest.raises(Superseded):
        stream_world.streams.take(one, "session 1", iso(stream_world.clock()))


def test_nobody_takes_a_stream_they_are_not_appointed_for(stream_world: StreamWorld) -> None:
    one = opened(stream_world)
    with pytest.raises(Superseded):
        stream_world.streams.take(one, "session 1", iso(stream_world.clock()))
    stream_world.streams.appoint(one, "session 1", restart=False)

    with pytest.raises(Superseded):
        stream_world.streams.take(one, "session 2", iso(stream_world.clock()))

    assert stream_world.streams.take(one, "session 1", iso(stream_world.clock())).session_id == "session 1"


def test_a_successor_is_appointed_only_by_who_knows_the_session_before(stream_world: StreamWorld) -> None:
    one = opened(stream_world)
    assert stream_world.streams.appoint(one, "session 1", restart=False) is True

    assert stream_world.streams.appoint(one, "session 2", restart=True) is False
    assert stream_world.streams.read(one).restarts == 0

    first = stream_world.streams.read(one)
    assert stream_world.streams.appoint(first, "session 2", restart=True) is True
    assert stream_world.streams.appoint(first, "session 3", restart=True) is False
    kept = stream_world.streams.read(one)
    assert (kept.session_id, kept.restarts) == ("session 2", 1)


def test_an_appointment_whose_answer_was_lost_is_counted_once(stream_world: StreamWorld) -> None:
    one = run(stream_world)

    assert stream_world.streams.appoint(one, "session 2", restart=True) is True
    assert stream_world.streams.appoint(one, "session 2", restart=True) is True

    assert stream_world.streams.read(one).restarts == 1
    stream_world.streams.take(one, "session 2", iso(stream_world.clock()))
    assert stream_world.streams.appoint(one, "session 2", restart=True) is True
    with pytest.raises(Superseded):
        stream_world.streams.take(one, "session 2", iso(stream_world.clock()))


def test_a_successor_goes_on_where_the_session_was(stream_world: StreamWorld) -> None:
    one = run(stream_world)
    stream_world.streams.save(
        dataclasses.replace(one, cursor=120, frames=118, gaps=2, turns=3, last_words="Hello?", heard_at=one.started_at),
        iso(stream_world.clock()),
    )

    stream_world.streams.appoint(one, "session 2", restart=False)
    taken = stream_world.streams.take(one, "session 2", iso(stream_world.clock()))

    assert (taken.cursor, taken.frames, taken.gaps, taken.turns) == (120, 118, 2, 3)
    assert (taken.last_words, taken.heard_at) == ("Hello?", one.started_at)
    assert (taken.session_id, taken.restarts) == ("session 2", 0)


def test_a_session_keeps_its_place_and_nothing_that_others_write(stream_world: StreamWorld) -> None:
    one = run(stream_world)
    stream_world.utterances.begin(one, utterance(one))
    stream_world.streams.raise_generation(one)
    now = iso(stream_world.clock())

    turn: dict[str, Any] = {"turns": 1, "last_words": "Hi.", "heard_at": "2026-11-22T08:00:13.000Z"}
    stream_world.streams.save(dataclasses.replace(one, cursor=7, frames=5, gaps=1, **turn), now)
    stream_world.streams.save(dataclasses.replace(one, cursor=9, frames=7, gaps=1, turns=1), now)

    assert stream_world.streams.read(one) == dataclasses.replace(
        one,
        cursor=9,
        frames=7,
        gaps=1,
        seen_at=now,
        **turn,
        saying="Hello. How can I help?",
        said_at="2026-11-22T08:00:11.000Z",
        generation=1,
    )


def test_a_session_that_is_replaced_cannot_save_even_before_the_other_begins(stream_world: StreamWorld) -> None:
    one = run(stream_world)
    stream_world.streams.appoint(one, "session 2", restart=True)

    with pytest.raises(Superseded):
        stream_world.streams.save(dataclasses.replace(one, cursor=9), iso(stream_world.clock()))

    assert stream_world.streams.read(one).cursor == 0


def test_a_stream_that_is_over_has_no_session_any_more(stream_world: StreamWorld) -> None:
    one = run(stream_world)
    stream_world.streams.appoint(one, "session 2", restart=False)
    appointed = stream_world.streams.read(one)
    end(stream_world, appointed)

    for session_id in ("session 2", "session 3"):
        assert stream_world.streams.appoint(appointed, session_id, restart=False) is False
    with pytest.raises(Superseded):
        stream_world.streams.take(one, "session 2", iso(stream_world.clock()))
    with pytest.raises(Superseded):
        stream_world.streams.save(appointed, iso(stream_world.clock()))


def test_nothing_is_made_of_a_stream_that_is_not_there(stream_world: StreamWorld) -> None:
    """Its retention may have run out between the look and the write."""
    stream_world.streams.raise_generation(FIRST)
    assert stream_world.streams.appoint(FIRST, "session 1", restart=False) is False
    assert end(stream_world, FIRST) is False
    with pytest.raises(Superseded):
        stream_world.streams.save(FIRST, iso(stream_world.clock()))

    assert stream_world.streams.of_call(FIRST.call_sid) is None
    assert events(stream_world) == []


# ----------------------------------------------------------------------------------------------- interrupting and ending


def test_every_interruption_raises_the_generation(stream_world: StreamWorld) -> None:
    one = opened(stream_world)

    for _ in range(3):
        stream_world.streams.raise_generation(one)

    assert stream_world.streams.read(one).generation == 3


def test_a_stream_ends_once_with_event_and_counts(stream_world: StreamWorld) -> None:
    one = run(stream_world)
    now = iso(stream_world.clock())

    assert end(stream_world, one, ended_at=now, end="no_reply", frames=100, gaps=3) is True
    assert end(stream_world, one, end="lost", frames=1) is False

    kept = stream_world.streams.read(one)
    assert kept == dataclasses.replace(one, ended_at=now, end="no_reply", frames=100, gaps=3)
    assert events(stream_world) == [f"VOICE_STREAM_ENDED#{one.stream_sid}"]
    assert stream_world.streams.active() == []
    assert stream_world.streams.of_connection(one.connection_id) == kept


# -------------------------------------------------------------------------------------------------- another connection


def test_a_stream_that_is_bound_to_another_connection_is_found_over_both(stream_world: StreamWorld) -> None:
    opened(stream_world)

    for _ in range(2):
        bound = stream_world.streams.rebind(FIRST, "connection-b=", "2026-11-22T08:05:00.000Z")

    assert (bound.connection_id, bound.seen_at) == ("connection-b=", "2026-11-22T08:05:00.000Z")
    assert stream_world.streams.read(FIRST) == bound
    assert stream_world.streams.of_connection(FIRST.connection_id) == bound
    assert stream_world.streams.of_connection("connection-b=") == bound
    assert events(stream_world) == []


def test_a_stream_that_is_over_is_bound_to_no_other_connection(stream_world: StreamWorld) -> None:
    end(stream_world, opened(stream_world))

    with pytest.raises(Superseded):
        stream_world.streams.rebind(FIRST, "connection-b=", "2026-11-22T08:05:00.000Z")

    assert stream_world.streams.of_connection("connection-b=") is None


def test_the_connection_of_another_stream_is_not_taken(stream_world: StreamWorld) -> None:
    opened(stream_world)
    open_(stream_world, SECOND)

    with pytest.raises(StreamRefused):
        stream_world.streams.rebind(FIRST, SECOND.connection_id, "2026-11-22T08:15:00.000Z")

    assert stream_world.streams.read(FIRST).connection_id == FIRST.connection_id
    assert stream_world.streams.of_connection(SECOND.connection_id) == stream_world.streams.read(SECOND)


# --------------------------------------------------------------------------------------------- turns that no session hears


def turn(one: Stream, number: int, words: str) -> Entry:
    return Entry(
        conversation_id=one.conversation_id,
        occurred_at=f"2026-11-22T08:05:{number:02d}.000Z",
        kind="speech",
        direction="inbound",
        message_sid=f"{one.stream_sid}-{number}",
        from_=one.theirs,
        to=one.ours,
        body=words,
        call_sid=one.call_sid,
    )


def test_a_turn_is_counted_and_kept_in_the_history(stream_world: StreamWorld) -> None:
    one = opened(stream_world)
    entry = turn(one, 1, "Are you open?")

    assert stream_world.turns.add(one, entry, "2026-11-22T08:05:01.000Z") is True

    kept = stream_world.streams.read(one)
    assert (kept.turns, kept.last_words, kept.heard_at) == (1, "Are you open?", "2026-11-22T08:05:01.000Z")
    assert stream_world.history.page(one.conversation_id, limit=10, before=None).entries == [entry]


def test_two_turns_that_saw_the_same_count_are_not_counted_as_one(stream_world: StreamWorld) -> None:
    one = opened(stream_world)
    stream_world.turns.add(one, turn(one, 1, "Are you open?"), "2026-11-22T08:05:01.000Z")

    assert stream_world.turns.add(one, turn(one, 2, "On Sunday?"), "2026-11-22T08:05:02.000Z") is False

    kept = stream_world.streams.read(one)
    assert (kept.turns, kept.last_words) == (1, "Are you open?")
    assert len(stream_world.history.page(one.conversation_id, limit=10, before=None).entries) == 1


def test_a_stream_that_is_over_has_no_more_turns(stream_world: StreamWorld) -> None:
    one = opened(stream_world)
    end(stream_world, one)

    assert stream_world.turns.add(one, turn(one, 1, "Hello?"), "2026-11-22T08:05:01.000Z") is False
    assert stream_world.history.page(one.conversation_id, limit=10, before=None).entries == []
