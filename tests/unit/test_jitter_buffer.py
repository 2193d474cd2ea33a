"""Frames in the order they were spoken."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from twilio_plugin.domain.audio import SILENCE
from twilio_plugin.domain.jitter_buffer import JitterBuffer
from twilio_plugin.domain.media_stream import Frame


def frame(chunk: int, track: str = "inbound") -> Frame:
    """The chunk-th frame of 20 ms; `start` was message 1."""
    return Frame(
        sequence_number=chunk + 1, chunk=chunk, timestamp=(chunk - 1) * 20, track=track, payload=bytes([chunk % 200]) * 160
    )


def through(buffer: JitterBuffer, *batches: list[Frame]) -> list[Frame]:
    given_out: list[Frame] = []
    for batch in batches:
        buffer.put(batch)
        given_out += buffer.take()
    return given_out + list(buffer.take(flush=True))


def test_frames_in_order_pass_at_once() -> None:
    buffer = JitterBuffer()
    buffer.put([frame(1), frame(2)])

    assert list(buffer.take()) == [frame(1), frame(2)]
    assert (buffer.frames, buffer.gaps) == (2, 0)


def test_a_missing_frame_is_waited_for() -> None:
    buffer = JitterBuffer()
    buffer.put([frame(1), frame(3), frame(4)])
    assert list(buffer.take()) == [frame(1)]

    buffer.put([frame(2)])
    assert list(buffer.take()) == [frame(2), frame(3), frame(4)]
    assert buffer.gaps == 0


def test_after_200_ms_it_is_silence() -> None:
    buffer = JitterBuffer()
    buffer.put([frame(1), *map(frame, range(3, 13))])
    assert list(buffer.take()) == [frame(1)]

    buffer.put([frame(13)])
    taken = list(buffer.take())

    assert [one.chunk for one in taken] == list(range(2, 14))
    assert taken[0].payload == SILENCE * 160
    assert taken[0].timestamp == frame(2).timestamp
    assert taken[0].sequence_number == frame(2).sequence_number
    assert (buffer.frames, buffer.gaps) == (12, 1)


def test_one_that_comes_later_still_is_dropped() -> None:
    buffer = JitterBuffer()
    through(buffer, [frame(1), *map(frame, range(3, 15))])

    buffer.put([frame(2)])

    assert list(buffer.take(flush=True)) == []
    assert (buffer.frames, buffer.gaps) == (13, 1)


def test_one_that_comes_twice_counts_once() -> None:
    buffer = JitterBuffer()

    assert through(buffer, [frame(1), frame(1)], [frame(1), frame(2)], [frame(2)]) == [frame(1), frame(2)]
    assert buffer.frames == 2


def test_our_own_voice_is_not_heard() -> None:
    assert through(JitterBuffer(), [frame(1), frame(1, "outbound"), frame(2, "outbound"), frame(2)]) == [frame(1), frame(2)]


def test_it_goes_on_where_another_session_was() -> None:
    buffer = JitterBuffer(frames=90, gaps=10, chunk=100)
    buffer.put([frame(101), frame(103)])

    assert [one.chunk for one in buffer.take(flush=True)] == [101, 102, 103]
    assert (buffer.frames, buffer.gaps) == (92, 11)


def test_numbers_that_jump_by_minutes_are_taken_as_they_are() -> None:
    buffer = JitterBuffer()

    assert [one.chunk for one in through(buffer, [frame(1), frame(90_000)])] == [1, 90_000]
    assert buffer.gaps == 0


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 120))
def test_shuffled_within_200_ms_and_doubled_it_is_as_spoken(seed: int, count: int) -> None:
    """However late each frame comes, and however the arrivals are cut into reads."""
    chance = random.Random(seed)
    spoken = [frame(chunk) for chunk in range(1, count + 1)]
    sent = spoken + chance.sample(spoken, count // 10)
    arriving = sorted(sent, key=lambda one: one.timestamp + chance.uniform(0, 199))
    batches = []
    while arriving:
        size = chance.randint(1, 12)
        batches.append(arriving[:size])
        arriving = arriving[size:]

    buffer = JitterBuffer()

    assert through(buffer, *batches) == spoken
    assert (buffer.frames, buffer.gaps) == (count, 0)


@settings(deadline=None)
@given(st.sets(st.integers(2, 99)))
def test_whatever_is_missing_the_rest_keeps_its_place_in_time(missing: set[int]) -> None:
    buffer = JitterBuffer()

    heard = through(buffer, [frame(chunk) for chunk in range(1, 101) if chunk not in missing])

    assert [one.timestamp for one in heard] == [frame(chunk).timestamp for chunk in range(1, 101)]
    assert {one.chunk for one in heard if one.payload == SILENCE * 160} == missing
    assert (buffer.frames, buffer.gaps) == (100 - len(missing), len(missing))
