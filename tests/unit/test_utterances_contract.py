"""What every `Utterances` does: the fake, and the table as it is deployed."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from tests.unit.fakes import ACCOUNT
from tests.unit.fakes_calls import OURS, PAIR, THEIRS
from tests.unit.fakes_streams import StreamWorld, stream, utterance
from tests.unit.test_streams_contract import FIRST, SECOND, end, events, open_, opened
from twilio_plugin.domain.conversation import Entry
from twilio_plugin.domain.events import Event, SpeechInterrupted, SpeechPlayed, event_id
from twilio_plugin.domain.speech import Piece, Utterance, UtteranceState
from twilio_plugin.domain.timestamp import iso
from twilio_plugin.errors import NoMediaStream

HELLO, HELP = Piece("Hello. ", 620), Piece("How can I help?", 1000)
ONE = utterance(FIRST)
T = [f"2026-11-22T08:01:{second:02d}.000Z" for second in range(40)]


def begun(world: StreamWorld, one: Utterance = ONE, *more: Piece, complete: bool = False) -> Utterance:
    """An utterance of an open stream, with pieces of it made."""
    if world.streams.of_call(FIRST.call_sid) is None:
        opened(world)
    world.utterances.begin(FIRST, one)
    if more:
        assert world.utterances.add_pieces(one, more, complete=complete)
    return kept(world, one)


def kept(world: StreamWorld, one: Utterance = ONE) -> Utterance:
    found = world.utterances.find(one.call_sid, one.utterance_id)
    assert found is not None
    return found


def entry(world: StreamWorld, one: Utterance) -> Entry:
    return Entry(
        conversation_id=PAIR,
        occurred_at=iso(world.clock()),
        kind="speech",
        direction="outbound",
        message_sid=one.utterance_id,
        from_=OURS,
        to=THEIRS,
        body=one.heard_text,
        call_sid=one.call_sid,
    )


def event(world: StreamWorld, one: Utterance) -> Event:
    facts: dict[str, Any] = {
        "occurred_at": iso(world.clock()),
        "account_sid": ACCOUNT,
        "conversation_id": PAIR,
        "call_sid": one.call_sid,
        "stream_sid": one.stream_sid,
        "from_": THEIRS,
        "to": OURS,
        "direction": "inbound",
        "utterance_id": one.utterance_id,
        "text": one.text,
    }
    if one.state == "played":
        return SpeechPlayed(event_id=event_id(SpeechPlayed, one.utterance_id), duration_ms=1620, **facts)
    facts |= {"heard": one.heard_text, "heard_ms": one.heard_milliseconds, "cause": "speech"}
    return SpeechInterrupted(event_id=event_id(SpeechInterrupted, one.utterance_id), **facts)


def close(world: StreamWorld, one: Utterance, state: UtteranceState = "interrupted", *, entry_too: bool = True) -> bool:
    over = dataclasses.replace(one, state=state)
    return world.utterances.end(over, event(world, over), entry(world, over) if entry_too else None)


def spoken(world: StreamWorld) -> list[tuple[str, str]]:
    return [(one.message_sid, one.body) for one in world.history.page(PAIR, limit=20, before=None).entries]


def still_open(world: StreamWorld) -> list[str]:
    return [one.utterance_id for one in world.utterances.open(FIRST.call_sid)]


# ----------------------------------------------------------------------------------------------------------- the speaker


def test_one_speaks_at_a_time(stream_world: StreamWorld) -> None:
    one = opened(stream_world)

    assert stream_world.utterances.hold(one, "a", until=T[10], now=T[0]) is True
    assert stream_world.utterances.hold(one, "b", until=T[11], now=T[1]) is False
    assert stream_world.utterances.hold(one, "a", until=T[12], now=T[2]) is True
    assert stream_world.utterances.hold(one, "b", until=T[21], now=T[11]) is False


def test_the_right_to_speak_runs_out(stream_world: StreamWorld) -> None:
    one = opened(stream_world)
    stream_world.utterances.hold(one, "a", until=T[10], now=T[0])

    assert stream_world.utterances.hold(one, "b", until=T[20], now=T[10]) is False
    assert stream_world.utterances.hold(one, "b", until=T[21], now=T[11]) is True
    assert stream_world.utterances.hold(one, "a", until=T[22], now=T[12]) is False


def test_who_lets_go_frees_only_what_is_theirs(stream_world: StreamWorld) -> None:
    one = opened(stream_world)
    stream_world.utterances.let_go(one, "a")
    stream_world.utterances.hold(one, "a", until=T[10], now=T[0])

    stream_world.utterances.let_go(one, "b")
    assert stream_world.utterances.hold(one, "b", until=T[11], now=T[1]) is False
    stream_world.utterances.let_go(one, "a")
    assert stream_world.utterances.hold(one, "b", until=T[11], now=T[1]) is True


def test_speaking_into_one_leg_holds_no_other(stream_world: StreamWorld) -> None:
    end(stream_world, opened(stream_world))
    open_(stream_world, SECOND)
    stream_world.utterances.hold(FIRST, "a", until=T[10], now=T[0])

    assert stream_world.utterances.hold(SECOND, "b", until=T[11], now=T[1]) is True


def test_the_right_to_speak_is_no_part_of_what_a_stream_shows(stream_world: StreamWorld) -> None:
    one = opened(stream_world)

    stream_world.utterances.hold(one, "a", until=T[10], now=T[0])

    assert stream_world.streams.read(one) == one


def test_nobody_speaks_where_there_is_no_stream(stream_world: StreamWorld) -> None:
    assert stream_world.utterances.hold(FIRST, "a", until=T[10], now=T[0]) is False
    stream_world.utterances.let_go(FIRST, "a")

    assert stream_world.streams.of_call(FIRST.call_sid) is None


# ------------------------------------------------------------------------------------------------------------ utterances


def test_an_utterance_is_kept_as_it_is_and_the_stream_says_it(stream_world: StreamWorld) -> None:
    opened(stream_world)

    stream_world.utterances.begin(FIRST, ONE)

    assert kept(stream_world) == ONE
    assert stream_world.streams.read(FIRST) == dataclasses.replace(FIRST, saying=ONE.text, said_at=ONE.started_at)
    assert stream_world.utterances.find(FIRST.call_sid, "02") is None
    assert stream_world.utterances.find("CA" + "f" * 32, "01") is None


def test_an_utterance_that_begins_again_goes_on(stream_world: StreamWorld) -> None:
    one = begun(stream_world, ONE, HELLO)

    stream_world.utterances.begin(FIRST, ONE)

    assert kept(stream_world) == one


def test_nothing_begins_in_a_stream_that_is_over(stream_world: StreamWorld) -> None:
    begun(stream_world)
    end(stream_world, FIRST)

    for one in (ONE, utterance(FIRST, "02", text="Are you there?")):
        with pytest.raises(NoMediaStream):
            stream_world.utterances.begin(FIRST, one)

    assert still_open(stream_world) == ["01"]
    assert stream_world.streams.read(FIRST).saying == ONE.text


def test_nothing_begins_where_there_is_no_stream(stream_world: StreamWorld) -> None:
    with pytest.raises(NoMediaStream):
        stream_world.utterances.begin(FIRST, ONE)

    assert still_open(stream_world) == []
    assert stream_world.streams.of_call(FIRST.call_sid) is None


def test_pieces_are_added_in_order_until_they_are_all(stream_world: StreamWorld) -> None:
    one = begun(stream_world)

    assert stream_world.utterances.add_pieces(one, [HELLO], complete=False) is True
    assert kept(stream_world) == dataclasses.replace(ONE, pieces=(HELLO,))
    assert stream_world.utterances.add_pieces(one, [HELP, Piece("", 40)], complete=True) is True
    assert kept(stream_world) == dataclasses.replace(ONE, pieces=(HELLO, HELP, Piece("", 40)), complete=True)


def test_an_utterance_without_more_pieces_can_be_completed(stream_world: StreamWorld) -> None:
    one = begun(stream_world, ONE, HELLO)

    assert stream_world.utterances.add_pieces(one, [], complete=True) is True

    assert kept(stream_world) == dataclasses.replace(ONE, pieces=(HELLO,), complete=True)


def test_no_piece_is_added_to_what_is_over_or_never_began(stream_world: StreamWorld) -> None:
    close(stream_world, begun(stream_world, ONE, HELLO))

    assert stream_world.utterances.add_pieces(ONE, [HELP], complete=True) is False
    assert stream_world.utterances.add_pieces(utterance(FIRST, "02"), [HELP], complete=True) is False

    assert kept(stream_world).pieces == (HELLO,)
    assert stream_world.utterances.find(FIRST.call_sid, "02") is None


def test_what_was_heard_only_grows_and_not_after_the_end(stream_world: StreamWorld) -> None:
    one = begun(stream_world, ONE, HELLO, HELP)

    heard = []
    for pieces in (1, 2, 1):
        stream_world.utterances.heard(one, pieces)
        heard.append(kept(stream_world).heard)
    assert heard == [1, 2, 2]

    close(stream_world, kept(stream_world))
    stream_world.utterances.heard(one, 3)
    stream_world.utterances.heard(utterance(FIRST, "02"), 1)

    assert kept(stream_world).heard == 2
    assert stream_world.utterances.find(FIRST.call_sid, "02") is None


def test_those_that_are_not_over_come_oldest_first(stream_world: StreamWorld) -> None:
    for number in ("02", "01", "03", "04"):
        begun(stream_world, utterance(FIRST, number))
    close(stream_world, utterance(FIRST, "03"))

    assert stream_world.utterances.open(FIRST.call_sid) == [utterance(FIRST, number) for number in ("01", "02", "04")]
    assert stream_world.utterances.open("CA" + "f" * 32) == []


@pytest.mark.parametrize(("over", "waiting"), [(0, 25), (25, 0), (15, 12), (9, 1)])
def test_those_that_are_not_over_are_found_behind_many_that_are(stream_world: StreamWorld, over: int, waiting: int) -> None:
    opened(stream_world)
    for number in range(over + waiting):
        one = utterance(FIRST, f"{number:02d}")
        stream_world.utterances.begin(FIRST, one)
        if number < over:
            close(stream_world, one, entry_too=False)

    assert still_open(stream_world) == [f"{number:02d}" for number in range(over, over + waiting)]


def test_those_being_played_are_found_behind_some_that_were_given_up(stream_world: StreamWorld) -> None:
    opened(stream_world)
    for number in range(1, 14):
        one = utterance(FIRST, f"{number:02d}")
        stream_world.utterances.begin(FIRST, one)
        if number not in (1, 7):
            close(stream_world, one, entry_too=False)

    assert still_open(stream_world) == ["01", "07"]


def test_what_was_played_is_announced_and_in_the_history_once(stream_world: StreamWorld) -> None:
    one = begun(stream_world, ONE, HELLO, HELP, complete=True)
    stream_world.utterances.heard(one, 2)
    one = kept(stream_world)

    assert close(stream_world, one, "played") is True
    assert close(stream_world, one, "interrupted") is False

    assert kept(stream_world) == dataclasses.replace(one, state="played")
    assert events(stream_world) == ["SPEECH_PLAYED#01"]
    assert spoken(stream_world) == [("01", "Hello. How can I help?")]
    assert still_open(stream_world) == []


def test_an_interruption_that_missed_a_mark_changes_nothing(stream_world: StreamWorld) -> None:
    one = begun(stream_world, ONE, HELLO, HELP)
    stream_world.utterances.heard(one, 1)

    assert close(stream_world, one) is False
    assert events(stream_world) == []
    assert spoken(stream_world) == []
    assert still_open(stream_world) == ["01"]

    assert close(stream_world, kept(stream_world)) is True
    assert kept(stream_world).state == "interrupted"
    assert spoken(stream_world) == [("01", "Hello.")]


@pytest.mark.parametrize("marks", [[], [1], [1, 2]])
def test_the_last_mark_may_overtake_the_others(stream_world: StreamWorld, marks: list[int]) -> None:
    """It says that all was played, whichever of the others came before it; those that come later change nothing."""
    one = begun(stream_world, ONE, HELLO, HELP, complete=True)
    for pieces in marks:
        stream_world.utterances.heard(one, pieces)

    assert close(stream_world, dataclasses.replace(one, heard=2), "played") is True
    stream_world.utterances.heard(one, 1)

    assert kept(stream_world) == dataclasses.replace(one, state="played", heard=2)
    assert events(stream_world) == ["SPEECH_PLAYED#01"]
    assert spoken(stream_world) == [("01", "Hello. How can I help?")]


def test_what_nobody_heard_is_announced_without_an_entry(stream_world: StreamWorld) -> None:
    one = begun(stream_world, ONE, HELLO)

    assert close(stream_world, one, entry_too=False) is True

    assert events(stream_world) == ["SPEECH_INTERRUPTED#01"]
    assert spoken(stream_world) == []


def test_what_never_began_cannot_end(stream_world: StreamWorld) -> None:
    opened(stream_world)

    assert close(stream_world, ONE) is False

    assert events(stream_world) == []
    assert spoken(stream_world) == []


# --------------------------------------------------------------------------------------------------------- the history


def test_what_both_say_is_in_the_history_with_its_call_and_without_a_status(stream_world: StreamWorld) -> None:
    said = entry(stream_world, begun(stream_world, ONE, HELLO))
    close(stream_world, ONE)
    turn = dataclasses.replace(
        entry(stream_world, ONE), direction="inbound", message_sid=f"{stream().stream_sid}-1", from_=THEIRS, to=OURS, body="Hi."
    )

    stream_world.conversations.add_turn(turn)

    ours, theirs = stream_world.history.page(PAIR, limit=10, before=None).entries
    assert ours == dataclasses.replace(said, occurred_at=ours.occurred_at)
    assert ours.call_sid == FIRST.call_sid
    assert theirs == turn


def test_a_turn_that_is_added_again_is_one(stream_world: StreamWorld) -> None:
    turn = dataclasses.replace(entry(stream_world, ONE), direction="inbound", message_sid="MZ1-1", body="Hi.")

    stream_world.conversations.add_turn(turn)
    stream_world.conversations.add_turn(dataclasses.replace(turn, body="Hi!"))

    assert spoken(stream_world) == [("MZ1-1", "Hi!")]
