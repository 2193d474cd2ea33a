from __future__ import annotations

import sys
from pathlib import Path

import pytest

from twilio_plugin.adapters.engines import load
from twilio_plugin.adapters.polly import PollySynthesizer
from twilio_plugin.errors import Misconfigured

BROUGHT = """
import json

class Voice:
    def __init__(self, language, voice="any"):
        self.said = (language, voice)

class Broken:
    def __init__(self, language):
        raise TypeError("inside")

voice = Voice("en-US")
"""


@pytest.fixture(autouse=True)
def _brought(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module as an engine's layer brings it, and one that lacks a package."""
    (tmp_path / "brought.py").write_text(BROUGHT)
    (tmp_path / "lacking.py").write_text("import no_such_package")
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("brought", "lacking"):
        monkeypatch.delitem(sys.modules, name, raising=False)


def test_an_engine_is_made_by_its_name_with_its_options() -> None:
    made = load("brought:Voice", language="de-DE", voice="Vicki")

    assert getattr(made, "said", None) == ("de-DE", "Vicki")


def test_the_engines_of_aws_have_such_names() -> None:
    assert isinstance(load("twilio_plugin.adapters.polly:PollySynthesizer", language="en-US", voice="Joanna"), PollySynthesizer)


def test_the_transcriber_of_aws_has_such_a_name() -> None:
    pytest.importorskip("aws_sdk_transcribe_streaming", reason="the SDK needs Python 3.12")

    made = load("twilio_plugin.adapters.transcribe:TranscribeStreaming", language="en-US")

    assert type(made).__name__ == "TranscribeStreaming"


@pytest.mark.parametrize(
    ("spec", "wrong"),
    [
        ("", "named like 'package.module:Class'"),
        ("brought", "named like"),
        ("brought:", "named like"),
        (":Voice", "named like"),
        ("brough:Voice", "No module named 'brough'.*layer"),
        ("brought.deeper:Voice", "cannot be imported"),
        ("lacking:Voice", "No module named 'no_such_package'"),
        ("brought:Voise", "brought has no class Voise"),
        ("brought:voice", "brought has no class voice"),
        ("brought:json", "brought has no class json"),
    ],
)
def test_a_name_that_leads_nowhere_is_misconfigured_and_named(spec: str, wrong: str) -> None:
    with pytest.raises(Misconfigured, match=wrong) as raised:
        load(spec, language="en-US")

    assert repr(spec) in str(raised.value)


def test_an_engine_that_takes_other_options_is_misconfigured() -> None:
    with pytest.raises(Misconfigured, match=r"must take language, tempo.*'tempo'"):
        load("brought:Voice", language="en-US", tempo="fast")
    with pytest.raises(Misconfigured, match=r"must take no options.*'language'"):
        load("brought:Voice")


def test_what_an_engine_raises_itself_is_passed_on() -> None:
    with pytest.raises(TypeError, match="inside"):
        load("brought:Broken", language="en-US")
