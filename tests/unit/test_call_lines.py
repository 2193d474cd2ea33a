from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

from tests.unit.fakes_calls import OURS, PAIR, THEIRS, sid
from tests.unit.fakes_streams import stream
from tests.unit.fakes_transcriptions import transcription
from twilio_plugin.domain.call import Call
from twilio_plugin.domain.call_lines import as_text

NOW = datetime(2026, 11, 22, 8, 1, 35, 900_000, tzinfo=UTC)
CALL = Call(
    call_sid=sid(1),
    conversation_id=PAIR,
    direction="inbound",
    from_=THEIRS,
    to=OURS,
    status="ringing",
    started_at="2026-11-22T08:00:00.100Z",
)
ANSWERED = dataclasses.replace(CALL, call_sid=sid(2), status="in-progress", answered_at="2026-11-22T08:00:09.500Z")


def test_no_calls_are_said_to_be_none() -> None:
    assert as_text([], {}, {}, NOW) == "No active voice calls."


def test_that_a_call_is_transcribed_stands_behind_it() -> None:
    heard = transcription(2, turns=3)

    (_, line) = as_text([ANSWERED], {}, {sid(2): heard}, NOW).splitlines()

    assert line.endswith("in-progress, since 08:00:09Z (86 s), is transcribed (3 so far)")


def test_each_call_is_a_line_with_who_calls_whom_and_since_when_they_speak() -> None:
    assert as_text([CALL, ANSWERED], {}, {}, NOW).splitlines() == [
        "Active voice calls (2):",
        f"{sid(1)} inbound {THEIRS} → {OURS}: ringing, since 08:00:00Z (95 s)",
        f"{sid(2)} inbound {THEIRS} → {OURS}: in-progress, since 08:00:09Z (86 s)",
    ]


def test_what_is_heard_and_said_stands_behind_the_call_of_the_stream_in_one_line() -> None:
    heard = stream(2, last_words="Are you\n open?", saying='We are "open".')

    assert as_text([CALL, ANSWERED], {sid(2): heard}, {}, NOW).splitlines()[1:] == [
        f"{sid(1)} inbound {THEIRS} → {OURS}: ringing, since 08:00:00Z (95 s)",
        f"{sid(2)} inbound {THEIRS} → {OURS}: in-progress, since 08:00:09Z (86 s)"
        ', hears "Are you open?", saying "We are "open"."',
    ]


def test_words_that_are_long_are_cut() -> None:
    (_, line) = as_text([ANSWERED], {sid(2): stream(2, last_words="ä" * 201)}, {}, NOW).splitlines()

    assert line.endswith(f'hears "{"ä" * 200}…"')


def test_who_answered_is_said() -> None:
    (_, line) = as_text([dataclasses.replace(ANSWERED, answered_by="machine_start")], {}, {}, NOW).splitlines()

    assert line.endswith("(86 s), answered by machine_start")


def test_a_call_that_is_over_is_shown_with_its_end_and_not_counted() -> None:
    busy = dataclasses.replace(CALL, status="busy", ended_at="2026-11-20T08:00:00.000Z")
    completed = dataclasses.replace(ANSWERED, status="completed", ended_at="2026-11-20T08:00:00.000Z", duration=42)

    assert as_text([busy, completed], {}, {}, NOW).splitlines() == [
        "No active voice calls.",
        f"{sid(1)} inbound {THEIRS} → {OURS}: busy, ended 2026-11-20T08:00:00.000Z",
        f"{sid(2)} inbound {THEIRS} → {OURS}: completed, ended 2026-11-20T08:00:00.000Z (42 s)",
    ]


def test_a_clock_that_is_behind_shows_no_negative_time() -> None:
    assert "(0 s)" in as_text([CALL], {}, {}, datetime(2026, 11, 22, 7, 59, tzinfo=UTC))
