from __future__ import annotations

import math
import random
import struct
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local.callers import SAID, STORY, caller
from twilio_plugin.adapters.voice_activity import WebRtcVoiceActivity
from twilio_plugin.domain.audio import FRAME_BYTES, SAMPLE_RATE, SILENCE, decode, encode
from twilio_plugin.domain.media_stream import Frame
from twilio_plugin.domain.noise import is_lively
from twilio_plugin.domain.turns import TurnAudio, TurnDetector, TurnEnded, TurnEvent, TurnStarted

PAUSE = SILENCE * SAMPLE_RATE  # a second
QUESTION = caller("opening_hours")
SENTENCES = [name for name in SAID if name != STORY]


def frames(audio: bytes, size: int = FRAME_BYTES, first: int = 1) -> Iterator[Frame]:
    """Audio as it comes; with a number left out now and then, as marks and keys have some of their own."""
    for count, at in enumerate(range(0, len(audio), size)):
        yield frame(first + count + count // 10, at, audio[at : at + size])


def frame(sequence_number: int, at: int, payload: bytes) -> Frame:
    return Frame(sequence_number, sequence_number, at * 1000 // SAMPLE_RATE, "inbound", payload)


def detector(cursor: int = 0, **options: int) -> TurnDetector:
    return TurnDetector(WebRtcVoiceActivity().is_voiced, cursor=cursor, **options)


def hear(audio: bytes, **options: int) -> list[TurnEvent]:
    return hear_frames(frames(audio), **options)


def hear_frames(heard: Iterable[Frame], **options: int) -> list[TurnEvent]:
    turns = detector(**options)
    return [event for frame in heard for event in turns.hear(frame)]


def started(events: Iterable[TurnEvent]) -> list[TurnStarted]:
    return [event for event in events if isinstance(event, TurnStarted)]


def ended(events: Iterable[TurnEvent]) -> list[TurnEnded]:
    return [event for event in events if isinstance(event, TurnEnded)]


def written(events: Iterable[TurnEvent]) -> bytes:
    """What a transcription gets."""
    return b"".join(event.audio for event in events if not isinstance(event, TurnEnded))


# ---- speech ----


@pytest.mark.parametrize("name", SENTENCES)
@pytest.mark.parametrize("decibels", [0, -10, -18], ids=["loud", "as on a phone", "soft"])
def test_a_sentence_is_one_turn(name: str, decibels: int) -> None:
    speech = louder(caller(name), decibels)
    audio = PAUSE + speech + PAUSE

    events = hear(audio)

    assert [type(event) for event in events if not isinstance(event, TurnAudio)] == [TurnStarted, TurnEnded]
    start, end = started(events)[0], ended(events)[0]
    assert 960 <= start.starts_at_ms <= 1320, "a second of silence comes first, and flite begins with some more"
    assert end.starts_at_ms == start.starts_at_ms
    spoken_ms = len(speech) // 8
    assert spoken_ms - 600 <= end.duration_ms <= spoken_ms + 60
    assert written(events) in audio


def test_a_turn_begins_with_what_came_just_before_the_words() -> None:
    audio = PAUSE + QUESTION + PAUSE
    events = hear_frames(frames(audio))
    start = started(events)[0]

    heard_from = audio.index(start.audio)
    assert start.starts_at_ms - heard_from // 8 == 300
    assert next(frame for frame in frames(audio) if frame.sequence_number == start.sequence_number).timestamp == heard_from // 8
    assert audio[heard_from:].startswith(written(events))


def test_a_turn_is_announced_soon_and_ends_with_the_silence_asked_for() -> None:
    turns = detector(endpoint_milliseconds=500)
    times: dict[type, int] = {}
    events = []
    for one in frames(PAUSE + caller("wait") + PAUSE):
        for event in turns.hear(one):
            times.setdefault(type(event), one.timestamp + 20)
            events.append(event)
    start, end = started(events)[0], ended(events)[0]

    assert 120 <= times[TurnStarted] - start.starts_at_ms <= 260
    assert times[TurnEnded] == end.starts_at_ms + end.duration_ms + 500


def test_a_pause_for_breath_does_not_end_a_turn() -> None:
    breath = SILENCE * 1600  # and flite leaves some 300 ms

    assert len(ended(hear(PAUSE + QUESTION + breath + caller("yes") + PAUSE))) == 1


def test_two_sentences_with_a_pause_are_two_turns() -> None:
    events = hear(PAUSE + QUESTION + PAUSE + caller("yes") + PAUSE)

    first, second = started(events)
    assert len(ended(events)) == 2
    assert ended(events)[0].sequence_number < second.sequence_number
    assert first.sequence_number < second.sequence_number


def test_a_story_is_one_turn() -> None:
    events = hear(PAUSE + caller(STORY) + PAUSE)

    assert len(started(events)) == 1
    assert ended(events)[0].duration_ms > 15_000


def test_a_turn_of_more_than_thirty_seconds_ends_at_the_next_pause() -> None:
    breath = SILENCE * 2400
    audio = PAUSE + (caller(STORY) + breath) * 3 + PAUSE

    ends = ended(hear(audio))

    assert 30_000 <= ends[0].duration_ms < 36_000
    assert len(ends) == 2


def test_a_turn_without_a_pause_is_cut_at_forty_seconds_and_nothing_is_lost() -> None:
    story = caller(STORY)[800:-1600].rstrip(SILENCE)
    audio = PAUSE + story * 4 + PAUSE

    events = hear(audio, endpoint_milliseconds=5000)
    lasted = [len(written(turn)) // 8 for turn in by_turn(events)]

    assert lasted[0] <= 40_000
    assert len(lasted) == 2
    assert started(events)[1].sequence_number > ended(events)[0].sequence_number, "what belonged to a turn is not heard twice"
    gap = started(events)[1].starts_at_ms - (ended(events)[0].starts_at_ms + ended(events)[0].duration_ms)
    assert gap <= 400


def by_turn(events: Iterable[TurnEvent]) -> list[list[TurnEvent]]:
    turns: list[list[TurnEvent]] = []
    for event in events:
        if isinstance(event, TurnStarted):
            turns.append([])
        turns[-1].append(event)
    return turns


def test_the_end_of_the_stream_ends_an_open_turn() -> None:
    turns = detector()
    events = [event for one in frames(PAUSE + QUESTION + b"\xf0" * 40) for event in turns.hear(one)]
    was_speaking = turns.speaking

    last = turns.finish()

    assert (was_speaking, turns.speaking) == (True, False)
    assert [type(event) for event in last] == [TurnAudio, TurnEnded]
    assert written(events + last).endswith(b"\xf0" * 40)
    assert turns.safe_cursor == ended(last)[0].sequence_number
    assert turns.finish() == []


# ---- what is no speech ----


def test_a_click_is_not_a_turn() -> None:
    click = caller("click")

    assert started(hear(PAUSE + click + PAUSE + hiss(2.0, -55) + click + hiss(2.0, -55))) == []


@pytest.mark.parametrize(("voiced", "turns"), [(5, 0), (6, 1)])
def test_a_turn_takes_120_milliseconds_of_voice(voiced: int, turns: int) -> None:
    windows = [
        at_level([math.sin(math.tau * 700 * at / 8000) for at in range(FRAME_BYTES)], -40 + 4 * n) for n in range(voiced)
    ]
    always = TurnDetector(lambda pcm: True)

    events = [event for one in frames(PAUSE + b"".join(windows) + PAUSE) for event in always.hear(one)]

    assert len(started(events)) == turns


def test_a_click_in_the_silence_after_a_turn_does_not_prolong_it() -> None:
    clicked = SILENCE * 2400 + caller("click")[:FRAME_BYTES] + SILENCE * 5440

    assert ended(hear(PAUSE + caller("wait") + clicked)) == ended(hear(PAUSE + caller("wait") + PAUSE)) != []


def test_clicks_one_after_another_are_not_a_turn() -> None:
    assert started(hear(PAUSE + (caller("click") + SILENCE * 1600) * 10 + PAUSE)) == []


def test_the_white_noise_of_the_folder_is_not_a_turn() -> None:
    assert started(hear(PAUSE + caller("white_noise") + PAUSE)) == []


@pytest.mark.parametrize("decibels", [-50, -40, -30, -20])
@pytest.mark.parametrize("colour", ["white", "pink", "rumble", "hum", "beep"])
@pytest.mark.parametrize("before", [b"", PAUSE], ids=["from the first frame", "out of silence"])
def test_steady_noise_is_not_a_turn(colour: str, decibels: int, before: bytes) -> None:
    assert started(hear(before + noise(colour, 3.0, decibels) + PAUSE)) == []


def test_a_key_that_is_pressed_is_not_a_turn() -> None:
    five = [math.sin(math.tau * 770 * at / 8000) + math.sin(math.tau * 1336 * at / 8000) for at in range(3200)]

    assert started(hear(PAUSE + at_level(five, -15) + PAUSE)) == []


@pytest.mark.parametrize("colour", ["white", "pink", "rumble"])
def test_a_sentence_over_steady_noise_is_one_turn_that_ends(colour: str) -> None:
    speech = louder(QUESTION, -8)
    audio = mixed(PAUSE * 2 + speech + PAUSE * 2, noise(colour, 8.0, -48))

    assert len(ended(hear(audio))) == 1


@pytest.mark.parametrize("lost", [2, 5])
def test_frames_that_never_came_neither_begin_nor_keep_a_turn(lost: int) -> None:
    chance = random.Random(lost)
    audio = mixed(PAUSE + PAUSE + QUESTION + PAUSE + PAUSE, noise("pink", 8.0, -45))
    arrived = [
        frame(one.sequence_number, one.timestamp * 8, SILENCE * len(one.payload)) if chance.random() * 100 < lost else one
        for one in frames(audio)
    ]

    events = hear_frames(arrived)

    assert len(started(events)) == len(ended(events)) == 1
    assert 1800 <= started(events)[0].starts_at_ms <= 2400


def test_a_tone_is_as_loud_all_along_and_a_voice_is_not() -> None:
    assert not is_lively([-30.0] * 20)
    assert not is_lively([-60.0, *[-30.0, -31.0] * 10, -50.0]), "where noise sets in and ends, a window is cut"
    assert is_lively([-40.0, -38.0, -33.0, -30.0, -29.0, -28.0, -28.0])
    assert not is_lively([-40.0, -20.0])


# ---- frames ----


@settings(deadline=None, max_examples=25)
@given(sizes=st.lists(st.integers(1, 700), min_size=1, max_size=40))
def test_turns_are_the_same_however_the_audio_is_cut(sizes: list[int]) -> None:
    audio = PAUSE[:4000] + QUESTION + PAUSE + caller("yes") + PAUSE
    cuts: list[Frame] = []
    at = 0
    while at < len(audio):
        size = sizes[len(cuts) % len(sizes)]
        cuts.append(frame(len(cuts) + 1, at, audio[at : at + size]))
        at += size

    events = hear_frames(cuts)

    expected = hear(audio)
    assert [event.duration_ms for event in ended(events)] == [event.duration_ms for event in ended(expected)]
    assert written(events) == written(expected)
    for found, wanted in zip(started(events), started(expected), strict=True):
        assert found.audio == wanted.audio
        assert abs(found.starts_at_ms - wanted.starts_at_ms) <= 1, "a timestamp has whole milliseconds"


@pytest.mark.parametrize("size", [80, 160, 200, 480])
def test_the_safe_cursor_never_stands_inside_a_turn_or_goes_back(size: int) -> None:
    audio = PAUSE + QUESTION + PAUSE + caller("yes") + PAUSE
    turns = detector(cursor=4)
    cursors, open_turn = [turns.safe_cursor], None
    assert cursors == [4]
    for one in frames(audio, size, first=5):
        for event in turns.hear(one):
            if isinstance(event, TurnStarted):
                assert cursors[-1] < event.sequence_number
                open_turn = event
            elif isinstance(event, TurnEnded):
                assert turns.safe_cursor <= event.sequence_number
                open_turn = None
        assert cursors[-1] <= turns.safe_cursor <= one.sequence_number
        assert turns.speaking is (open_turn is not None)
        assert open_turn is None or turns.safe_cursor < open_turn.sequence_number
        cursors.append(turns.safe_cursor)
    assert len(set(cursors)) > 10, "it moves"


@pytest.mark.parametrize("background", [None, -50])
def test_who_goes_on_at_the_safe_cursor_hears_the_same_turns(background: int | None) -> None:
    audio = PAUSE + QUESTION + PAUSE + caller("yes") + PAUSE
    if background is not None:
        audio = mixed(audio, noise("pink", 9.0, background))
    stream = list(frames(audio))
    turns = detector()
    announced = 0
    expected = ended(hear(audio))
    for number, one in enumerate(stream):
        announced += len(ended(turns.hear(one)))
        if number % 7:
            continue
        rest = [later for later in stream if later.sequence_number > turns.safe_cursor]
        found = ended(hear_frames(rest, cursor=turns.safe_cursor))
        assert len(found) == len(expected) - announced
        for again, once in zip(found, expected[announced:], strict=True):
            assert abs(again.starts_at_ms - once.starts_at_ms) <= 200
            assert abs(again.starts_at_ms + again.duration_ms - once.starts_at_ms - once.duration_ms) <= 100


def test_a_frame_without_sound_is_dealt_with() -> None:
    turns = detector()

    assert turns.hear(frame(1, 0, b"")) == []
    assert turns.safe_cursor == 1


# ---- sound ----


def samples(audio: bytes) -> tuple[int, ...]:
    return struct.unpack(f"<{len(audio)}h", decode(audio))


def coded(values: Iterable[float]) -> bytes:
    clipped = [max(-32768, min(32767, round(value))) for value in values]
    return encode(struct.pack(f"<{len(clipped)}h", *clipped))


def louder(audio: bytes, decibels: int) -> bytes:
    return coded(sample * 10 ** (decibels / 20) for sample in samples(audio))


def mixed(audio: bytes, other: bytes) -> bytes:
    assert len(audio) <= len(other)
    return coded(sum(pair) for pair in zip(samples(audio), samples(other), strict=False))


def at_level(values: list[float], decibels: float) -> bytes:
    """With so many dB of full scale on average."""
    power = sum(value * value for value in values) / len(values)
    gain = 32768 * 10 ** (decibels / 20) / math.sqrt(power)
    return coded(value * gain for value in values)


def hiss(seconds: float, decibels: float) -> bytes:
    return noise("white", seconds, decibels)


def noise(colour: str, seconds: float, decibels: float) -> bytes:
    count, chance = round(seconds * SAMPLE_RATE), random.Random(colour)
    times = [at / SAMPLE_RATE for at in range(count)]
    values: list[float] = []
    match colour:
        case "white":
            values = [chance.gauss(0, 1) for _ in times]
        case "pink":  # Voss: white noises, each held twice as long as the one before
            held = [0.0] * 10
            for at in range(count):
                held = [chance.gauss(0, 1) if at % (1 << row) == 0 else value for row, value in enumerate(held)]
                values.append(sum(held))
        case "rumble":  # of an engine
            value = 0.0
            for _ in times:
                value = 0.97 * value + chance.gauss(0, 1)
                values.append(value)
        case "hum":  # of the mains, with its overtones
            values = [sum(math.sin(math.tau * 50 * tone * time) / tone for tone in range(1, 12)) for time in times]
        case "beep":
            values = [math.sin(math.tau * 425 * time) for time in times]
    return at_level(values, decibels)
