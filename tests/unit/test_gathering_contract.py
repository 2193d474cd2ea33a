"""What every `Gathering` does: the fake, and the table as it is deployed."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from tests.unit.fakes_calls import OURS, PAIR, THEIRS
from tests.unit.fakes_streams import StreamWorld, stream, utterance
from tests.unit.test_streams_contract import end, opened
from twilio_plugin.domain.conversation import Entry
from twilio_plugin.domain.events import DtmfReceived, Event, SpeechReceived, event_id
from twilio_plugin.domain.speech import Piece, Utterance
from twilio_plugin.domain.stream import Stream
from twilio_plugin.domain.timestamp import iso

GATHERED = stream(1, stream_sid="CA1-0", connection_id="", mode="gather", seen_at="2026-11-22T08:00:10.000Z")
T = [f"2026-11-22T08:01:{second:02d}.000Z" for second in range(40)]
ONE = utterance(GATHERED, "01", pieces=(Piece("Hello.", 500),), complete=True, started_at=T[0])
TWO = utterance(GATHERED, "02", pieces=(Piece("Hi.", 300),), complete=True, started_at=T[1])


def turn(one: Stream, number: int = 1) -> Event:
    return SpeechReceived(
        event_id=event_id(SpeechReceived, one.stream_sid, number),
        occurred_at=T[2],
        turn=number,
        text="hello",
        starts_at_ms=0,
        duration_ms=400,
        **one.envelope,
    )


def key(one: Stream, number: int) -> Event:
    event = event_id(DtmfReceived, one.stream_sid, number)
    return DtmfReceived(event_id=event, occurred_at=T[2], digit=str(number), **one.envelope)


def entry(one: Stream) -> Entry:
    return Entry(
        conversation_id=PAIR,
        occurred_at=T[2],
        kind="speech",
        direction="inbound",
        message_sid=f"{one.stream_sid}-1",
        from_=THEIRS,
        to=OURS,
        body="hello",
        call_sid=one.call_sid,
    )


def hear(world: StreamWorld, one: Stream, step: int = 0) -> bool:
    after = dataclasses.replace(one, heard_step=step, turns=one.turns + 1, last_words="hello", heard_at=T[2])
    return world.gathering.hear(one, after, [turn(one)], entry(one))


def give_out(world: StreamWorld, one: Stream, *given: Utterance, **facts: Any) -> bool:
    after = dataclasses.replace(one, step=one.step + 1, seen_at=T[3], **facts)
    return world.gathering.give_out(one, after, [dataclasses.replace(saying, begins_at=T[4]) for saying in given])


def begun(world: StreamWorld, *utterances: Utterance) -> Stream:
    """A gathered call's stream, with these to be said."""
    one = opened(world, GATHERED)
    for saying in utterances:
        world.utterances.begin(one, saying)
    return world.streams.read(one)


def types(world: StreamWorld) -> list[str]:
    return sorted(announcement.detail_type for announcement in world.announced())


def test_a_stream_without_a_socket_is_opened_once_and_read_as_it_was(stream_world: StreamWorld) -> None:
    one = begun(stream_world)

    assert one == GATHERED
    assert stream_world.streams.open(GATHERED, turn(one)) is False
    other = dataclasses.replace(GATHERED, call_sid=GATHERED.call_sid, leg=1, stream_sid="CA1-1")
    assert stream_world.streams.open(other, turn(other)) is True, "streams without a socket share none"


def test_what_was_heard_is_kept_with_event_and_history_once(stream_world: StreamWorld) -> None:
    one = begun(stream_world)

    assert hear(stream_world, one) is True
    assert hear(stream_world, one) is False

    kept = stream_world.streams.read(one)
    assert (kept.heard_step, kept.turns, kept.last_words, kept.heard_at, kept.step) == (0, 1, "hello", T[2], 0)
    assert types(stream_world) == ["SPEECH_RECEIVED"]
    page = stream_world.history.page(PAIR, limit=5, before=None)
    assert [found.body for found in page.entries] == ["hello"]


def test_keys_are_announced_and_are_no_turn(stream_world: StreamWorld) -> None:
    one = begun(stream_world)

    heard = dataclasses.replace(one, heard_step=0)
    assert stream_world.gathering.hear(one, heard, [key(one, 1), key(one, 2)], None) is True

    kept = stream_world.streams.read(one)
    assert (kept.heard_step, kept.turns, kept.last_words) == (0, 0, None)
    assert types(stream_world) == ["DTMF_RECEIVED", "DTMF_RECEIVED"]
    assert stream_world.history.page(PAIR, limit=5, before=None).entries == []


def test_a_document_is_given_out_once_with_what_it_says(stream_world: StreamWorld) -> None:
    one = begun(stream_world, ONE, TWO)

    assert give_out(stream_world, one, ONE, TWO, prompt_ends_at=T[9]) is True
    assert give_out(stream_world, one) is False

    kept = stream_world.streams.read(one)
    assert (kept.step, kept.seen_at, kept.prompt_ends_at) == (1, T[3], T[9])
    assert [found.begins_at for found in stream_world.utterances.open(one.call_sid)] == [T[4], T[4]]
    assert give_out(stream_world, kept, prompt_ends_at=None) is True
    assert stream_world.streams.read(one).prompt_ends_at is None


@pytest.mark.parametrize("other", ["said", "woken", "over", "in another document"])
def test_a_document_that_overlooks_something_is_not_given_out(stream_world: StreamWorld, other: str) -> None:
    one = begun(stream_world, ONE)
    if other == "said":
        stream_world.utterances.begin(one, TWO)
    elif other == "woken":
        assert stream_world.gathering.wake(one)
    elif other == "over":
        end(stream_world, one)
    else:
        given = dataclasses.replace(one, step=one.step)
        assert stream_world.gathering.give_out(given, given, [dataclasses.replace(ONE, begins_at=T[8])])

    before = stream_world.utterances.find(ONE.call_sid, ONE.utterance_id)
    assert give_out(stream_world, one, ONE) is False

    assert stream_world.streams.read(one).step == 0
    assert stream_world.utterances.find(ONE.call_sid, ONE.utterance_id) == before


def test_twilio_is_told_to_leave_a_document_once(stream_world: StreamWorld) -> None:
    one = begun(stream_world)

    assert stream_world.gathering.wake(one) is True
    assert stream_world.gathering.wake(one) is False

    woken = stream_world.streams.read(one)
    assert woken.woken_step == 0
    assert give_out(stream_world, woken) is True
    assert stream_world.gathering.wake(woken) is False, "that document is gone"
    assert stream_world.gathering.wake(stream_world.streams.read(one)) is True


def test_the_first_report_that_a_person_speaks_stays_and_a_late_one_is_nothing(stream_world: StreamWorld) -> None:
    one = begun(stream_world)

    def notice(step: int, at: str) -> None:
        stream_world.gathering.notice(dataclasses.replace(one, spoken_step=step, spoken_at=at))

    notice(1, T[5])
    notice(1, T[6])
    notice(0, T[7])
    kept = stream_world.streams.read(one)
    assert (kept.spoken_step, kept.spoken_at) == (1, T[5])
    notice(2, T[8])
    kept = stream_world.streams.read(one)
    assert (kept.spoken_step, kept.spoken_at) == (2, T[8])


def test_nothing_is_written_to_a_stream_that_is_over(stream_world: StreamWorld) -> None:
    one = begun(stream_world)
    end(stream_world, one)
    over = stream_world.streams.read(one)
    stream_world.announced()

    assert hear(stream_world, one) is False
    assert stream_world.gathering.wake(one) is False
    stream_world.gathering.notice(dataclasses.replace(one, spoken_step=0, spoken_at=iso(stream_world.clock())))

    assert stream_world.streams.read(one) == over
    assert types(stream_world) == []
