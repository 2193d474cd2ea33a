"""What is generated from the code is up to date, and true."""

from __future__ import annotations

import json
import re
from typing import Any

import jsonschema
import pytest

from tests.template.conftest import ROOT
from tools import generate, samples
from twilio_plugin.domain.events import EVENTS


@pytest.mark.parametrize("path", [path for path in generate.files() if path.suffix != ".txt"], ids=lambda path: path.name)
def test_a_generated_file_is_up_to_date(path: Any) -> None:
    assert path.read_text() == generate.files()[path], "run `make generate`"


def test_the_layer_installs_what_the_lock_says() -> None:
    locked = dict(re.findall(r'\[\[package\]\]\nname = "([^"]+)"\nversion = "([^"]+)"', (ROOT / "uv.lock").read_text()))
    installed = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / "layers/requirements.txt").read_text(), re.MULTILINE))

    assert installed.items() <= locked.items()
    assert {"twilio", "aws-lambda-powertools", "phonenumbers", "pydantic"} <= installed.keys()
    assert not {"boto3", "botocore", *generate.UNUSED} & installed.keys()


def test_the_speech_layer_installs_what_the_lock_says_and_only_what_the_dependencies_lack() -> None:
    locked = set(re.findall(r'\[\[package\]\]\nname = "([^"]+)"\nversion = "([^"]+)"', (ROOT / "uv.lock").read_text()))
    names = [ROOT / "layers" / name for name in ("speech-requirements.txt", "requirements.txt")]
    speech, dependencies = (dict(re.findall(r"^([a-z0-9-]+)==(\S+)", name.read_text(), re.MULTILINE)) for name in names)

    assert speech.items() <= locked
    assert {"aws-sdk-transcribe-streaming", "awscrt", "smithy-http", "webrtcvad-wheels", "yarl"} <= speech.keys()
    assert not {"boto3", "botocore", *generate.UNUSED_SPEECH, *dependencies} & speech.keys()
    assert {"idna", "typing-extensions"} <= dependencies.keys()


def test_every_event_has_a_sample_that_fits_its_schema() -> None:
    assert {event.detail_type for event in samples.EVENTS} == {kind.detail_type for kind in EVENTS}
    for event in samples.EVENTS:
        sample = json.loads((ROOT / f"events/bus/{event.detail_type}.json").read_text())
        schema = json.loads((ROOT / f"events/schemas/{event.detail_type}.schema.json").read_text())
        jsonschema.validate(sample, schema)


def test_a_schema_refuses_what_is_not_the_event() -> None:
    sample = json.loads((ROOT / "events/bus/SMS_RECEIVED.json").read_text())
    schema = json.loads((ROOT / "events/schemas/SMS_RECEIVED.schema.json").read_text())
    del sample["detail"]["event_id"]

    with pytest.raises(jsonschema.ValidationError, match="event_id"):
        jsonschema.validate(sample, schema)


def test_every_field_of_every_event_is_described() -> None:
    for kind in EVENTS:
        properties = generate.schema(kind)["properties"]["detail"]["properties"]
        assert all(shape["description"] for shape in properties.values())
        assert not [shape["description"] for shape in properties.values() if "\n" in shape["description"]], "a row is a line"
