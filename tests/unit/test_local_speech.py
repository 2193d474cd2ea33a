from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from local.callers import NOISES, SAID, STORY, caller
from local_speech import flite
from local_speech.resampling import Resampler
from tests.unit.test_turns import PAUSE, hear, written
from twilio_plugin.domain.audio import decode, loudness
from twilio_plugin.errors import SpeechUnavailable

ROOT = Path(__file__).parents[2]
LAYERS = [str(ROOT / "local" / "speech"), str(ROOT / "layers" / "twilio_plugin")]

ENGINE = ROOT / ".local" / "engine" / "bin" / "python"
has_flite = pytest.mark.skipif(not shutil.which("flite"), reason="flite is not installed")


def engine_has(package: str) -> pytest.MarkDecorator:
    there = ENGINE.exists() and not subprocess.run([ENGINE, "-c", f"import {package}"], capture_output=True).returncode
    return pytest.mark.skipif(not there, reason=f"the engine's environment has no {package}")


def on_engine(program: str, given: object = None) -> Any:
    """What a program prints as JSON, run by the interpreter that functions have on the local engine."""
    ran = subprocess.run(
        [ENGINE, "-c", f"import json, sys; sys.path[:0] = {LAYERS!r}; given = json.load(sys.stdin)\n{program}"],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


# ---- resampling ----


def tone(frequency: float, rate: int, seconds: float = 0.2) -> list[int]:
    return [round(10_000 * math.sin(math.tau * frequency * at / rate)) for at in range(round(rate * seconds))]


def power(samples: list[int]) -> float:
    middle = samples[len(samples) // 4 : -len(samples) // 4]
    return 10 * math.log10(sum(sample * sample for sample in middle) / len(middle) / (10_000**2 / 2) + 1e-12)


@pytest.mark.parametrize("rate", [16_000, 22_050])
def test_a_tone_within_the_band_of_a_telephone_keeps_its_level_and_its_place(rate: int) -> None:
    resampler = Resampler(rate, 8000)

    narrow = resampler.feed(tone(1000, rate)) + resampler.flush()

    assert len(narrow) == 1600
    expected = tone(1000, 8000)
    assert max(abs(a - b) for a, b in zip(narrow[40:-40], expected[40:-40], strict=True)) < 100


@pytest.mark.parametrize("rate", [16_000, 22_050])
@pytest.mark.parametrize("frequency", [4500, 6000, 7500])
def test_a_tone_above_it_is_gone(rate: int, frequency: int) -> None:
    resampler = Resampler(rate, 8000)

    assert power(resampler.feed(tone(frequency, rate)) + resampler.flush()) < -40


def test_sound_in_pieces_becomes_what_it_becomes_in_one() -> None:
    sound, whole, pieces = tone(700, 22_050), Resampler(22_050, 8000), Resampler(22_050, 8000)
    out: list[int] = []
    for at in range(0, len(sound), 37):
        out += pieces.feed(sound[at : at + 37])

    assert out + pieces.flush() == whole.feed(sound) + whole.flush()


def test_what_is_too_loud_is_clipped() -> None:
    resampler = Resampler(16_000, 8000)

    assert max(resampler.feed([32767, 32767] * 8 + [-32768] * 16 + [32767] * 200)) == 32767


# ---- speaking ----


@has_flite
def test_what_flite_says_is_as_long_and_loud_as_speech() -> None:
    audio = flite.speak("what are your opening hours", "rms")

    assert 1.5 < len(audio) / 8000 < 3
    assert max(loudness(decode(audio[at : at + 160])) for at in range(0, len(audio), 160)) > -40


@has_flite
def test_the_committed_audio_is_what_flite_says() -> None:
    assert len(flite.speak(SAID["yes"].words, SAID["yes"].voice)) == pytest.approx(len(caller("yes")), rel=0.1)


@has_flite
def test_words_that_look_like_options_are_said() -> None:
    assert len(flite.speak("--version")) > 4000


def test_nothing_is_said_for_nothing() -> None:
    assert flite.speak(" \n") == b""


@has_flite
def test_a_voice_of_another_engine_is_replaced() -> None:
    assert flite.LocalSynthesizer(language="en-US", voice="Joanna").synthesize("yes") == flite.speak("yes", "rms")


def test_without_any_voice_the_engine_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)

    with pytest.raises(SpeechUnavailable, match="Neither"):
        flite.speak("hello")


def test_a_flite_that_fails_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: "/bin/false")

    with pytest.raises(SpeechUnavailable, match="kal16"):
        flite.speak("hello")


@engine_has("espeakng_loader")
def test_where_flite_is_missing_espeak_speaks() -> None:
    lengths = on_engine(
        "import shutil; shutil.which = lambda name: None\n"
        "from local_speech.flite import LocalSynthesizer\n"
        "from twilio_plugin.domain.audio import decode, loudness\n"
        "said = [LocalSynthesizer().synthesize(text) for text in ('one', 'one moment please', 'one')]\n"
        "print(json.dumps([[len(audio), loudness(decode(audio))] for audio in said]))"
    )

    (short, level), (long, _), (again, _) = lengths
    assert 2000 < short < long < 20_000
    assert again == pytest.approx(short, rel=0.1)
    assert level > -45


# ---- hearing ----

HEAR = """
import threading, time
from local_speech.pocketsphinx import PocketsphinxTranscriber
engine = PocketsphinxTranscriber(language="en-US")
def wait(turn):
    while turn.result() is None: time.sleep(0.01)
    return turn.result().text
"""


@engine_has("pocketsphinx")
def test_the_committed_audio_is_understood_word_for_word() -> None:
    turns = {name: written(hear(PAUSE + caller(name) + PAUSE)).hex() for name in SAID if name != STORY}

    understood = on_engine(
        HEAR
        + "texts = {}\n"
        + "for name, audio in given.items():\n"
        + "    audio, turn = bytes.fromhex(audio), engine.begin()\n"
        + "    for at in range(0, len(audio), 800): turn.write(audio[at:at+800])\n"
        + "    turn.finish(); texts[name] = wait(turn)\n"
        + "print(json.dumps(texts))",
        turns,
    )

    assert understood == {name: SAID[name].words for name in turns}


@engine_has("pocketsphinx")
def test_turns_that_overlap_a_cancelled_one_and_one_without_words() -> None:
    turns = [written(hear(PAUSE + caller(name) + PAUSE)).hex() for name in ("yes", "no")]

    seen = on_engine(
        HEAR
        + "yes, no = map(bytes.fromhex, given)\n"
        + "first, cancelled, second, nothing = (engine.begin() for _ in range(4))\n"
        + "second.write(no); first.write(yes); cancelled.write(no); cancelled.cancel(); nothing.finish(); second.finish()\n"
        + "began = time.monotonic()\n"
        + "while not first.partial() and time.monotonic() - began < 60: time.sleep(0.01)\n"
        + "partial, early = first.partial(), first.result()\n"
        + "first.finish(); texts = [wait(first), wait(second), wait(nothing)]\n"
        + "print(json.dumps([partial, early, texts, cancelled.result()]))",
        turns,
    )

    partial, early, texts, cancelled = seen
    assert partial
    assert early is None
    assert texts == ["yes please", "no thank you", ""]
    assert cancelled is None


@engine_has("pocketsphinx")
def test_a_turn_is_heard_as_if_it_were_the_first() -> None:
    adaptation = on_engine(
        HEAR
        + "seen = []\n"
        + "for _ in range(2):\n"
        + "    with engine.decoder() as decoder: seen.append(decoder.get_cmn(False))\n"
        + "    turn = engine.begin(); turn.write(bytes.fromhex(given)); turn.finish(); wait(turn)\n"
        + "print(json.dumps([seen, engine._decoder.get_cmn(True)]))",
        caller("yes").hex(),
    )

    (before, after), adapted = adaptation
    assert before == after != adapted


def test_there_is_audio_and_it_stays_small() -> None:
    sizes = {name: len(caller(name)) for name in (*SAID, *NOISES)}

    assert sum(sizes.values()) < 400_000
    assert 14 < sizes[STORY] / 8000 < 18
