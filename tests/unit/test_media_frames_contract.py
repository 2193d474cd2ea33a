"""What every `Frames` does: the fake, and the table as it is deployed."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.fakes_streams import StreamWorld
from twilio_plugin.domain.media_stream import END_OF_STREAM, Frame
from twilio_plugin.services.ports import Arrived

LINE, EXPIRES = "L0SM9cOFvHcCIhw=", 1_795_000_000


def frame(number: int, payload: bytes = b"\xff" * 160) -> Frame:
    return Frame(sequence_number=number, chunk=number - 1, timestamp=20 * number, track="inbound", payload=payload)


def put(world: StreamWorld, numbers: Iterable[int], connection_id: str = LINE) -> None:
    for number in numbers:
        world.frames.put(connection_id, frame(number), stream_sid="MZ1", expires_at=EXPIRES)


def numbers(arrived: Arrived) -> list[int]:
    return [one.sequence_number for one in arrived.frames]


def test_a_frame_is_kept_as_it_came(stream_world: StreamWorld) -> None:
    every_byte = frame(2, bytes(range(256)))
    empty = frame(3, b"")

    for one in (every_byte, empty):
        stream_world.frames.put(LINE, one, stream_sid="MZ1", expires_at=EXPIRES)

    assert stream_world.frames.after(LINE, 0, limit=10) == Arrived([every_byte, empty])
    assert all(type(one.payload) is bytes for one in stream_world.frames.after(LINE, 0, limit=10).frames)


def test_frames_come_in_order_however_they_arrived(stream_world: StreamWorld) -> None:
    put(stream_world, (10, 9, 100, 2))

    assert numbers(stream_world.frames.after(LINE, 0, limit=10)) == [2, 9, 10, 100]


def test_the_same_frame_twice_is_one(stream_world: StreamWorld) -> None:
    put(stream_world, (2, 3, 2))

    assert stream_world.frames.after(LINE, 0, limit=10).frames == [frame(2), frame(3)]


def test_only_what_is_beyond_the_cursor_comes_and_no_more_than_is_asked_for(stream_world: StreamWorld) -> None:
    put(stream_world, range(2, 9))

    assert numbers(stream_world.frames.after(LINE, 4, limit=2)) == [5, 6]
    assert numbers(stream_world.frames.after(LINE, 6, limit=2)) == [7, 8]
    assert stream_world.frames.after(LINE, 8, limit=2) == Arrived([])


def test_one_connection_hears_nothing_of_another(stream_world: StreamWorld) -> None:
    put(stream_world, (2, 3))
    put(stream_world, (4,), "another")
    stream_world.frames.put_end("another", "closed", last=None, expires_at=EXPIRES)

    assert stream_world.frames.after(LINE, 0, limit=10) == Arrived([frame(2), frame(3)])
    assert stream_world.frames.after("a third", 0, limit=10) == Arrived([])


def test_the_end_comes_behind_all_frames_with_where_twilio_stopped(stream_world: StreamWorld) -> None:
    stream_world.frames.put_end(LINE, "stopped", last=5, expires_at=EXPIRES)
    put(stream_world, (2, 3))

    assert stream_world.frames.after(LINE, 0, limit=10) == Arrived([frame(2), frame(3)], "stopped", 5)
    put(stream_world, (4,))
    assert stream_world.frames.after(LINE, 3, limit=10) == Arrived([frame(4)], "stopped", 5)
    assert stream_world.frames.after(LINE, 4, limit=10) == Arrived([], "stopped", 5)


def test_an_end_that_nobody_explained_has_no_last_number(stream_world: StreamWorld) -> None:
    stream_world.frames.put_end(LINE, "closed", last=None, expires_at=EXPIRES)

    assert stream_world.frames.after(LINE, 0, limit=10) == Arrived([], "closed")


def test_a_page_that_is_cut_right_before_the_end_does_not_have_it_and_the_next_has(stream_world: StreamWorld) -> None:
    put(stream_world, (2, 3))
    stream_world.frames.put_end(LINE, "closed", last=None, expires_at=EXPIRES)

    assert stream_world.frames.after(LINE, 0, limit=1) == Arrived([frame(2)])
    assert stream_world.frames.after(LINE, 0, limit=2) == Arrived([frame(2), frame(3)])
    assert stream_world.frames.after(LINE, 3, limit=2) == Arrived([], "closed")
    assert stream_world.frames.after(LINE, 3, limit=1) == Arrived([], "closed")


def test_the_first_reason_for_the_end_stays_and_learns_the_last_number(stream_world: StreamWorld) -> None:
    """The socket's close and Twilio's `stop` are handled at once."""
    stream_world.frames.put_end(LINE, "closed", last=None, expires_at=EXPIRES)
    stream_world.frames.put_end(LINE, "stopped", last=7, expires_at=EXPIRES)
    stream_world.frames.put_end(LINE, "failed", last=None, expires_at=EXPIRES)
    stream_world.frames.put_end(LINE, "failed", last=9, expires_at=EXPIRES)

    assert stream_world.frames.after(LINE, 0, limit=10) == Arrived([], "closed", 7)


def test_nothing_is_behind_the_end(stream_world: StreamWorld) -> None:
    stream_world.frames.put_end(LINE, "closed", last=None, expires_at=EXPIRES)

    assert stream_world.frames.after(LINE, END_OF_STREAM, limit=10) == Arrived([])


_lines = iter(range(10**9))


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sets(st.integers(2, 60), max_size=25), st.integers(1, 9), st.booleans())
def test_reading_page_by_page_gives_every_frame_once_and_the_end_behind_them(
    stream_world: StreamWorld, sent: set[int], limit: int, over: bool
) -> None:
    line = f"line {next(_lines)}"
    put(stream_world, sorted(sent, key=lambda number: number % 7), line)
    if over:
        stream_world.frames.put_end(line, "stopped", last=61, expires_at=EXPIRES)

    read: list[int] = []
    while (page := stream_world.frames.after(line, read[-1] if read else 0, limit=limit)).frames and not page.end:
        read += numbers(page)
    read += numbers(page)

    assert read == sorted(sent)
    assert (page.end, page.last) == (("stopped", 61) if over else (None, None))
