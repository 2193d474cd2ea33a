"""Rules on events: each one shown fits the sample of its event, and nothing else."""

from __future__ import annotations

import copy
import json
import re
from typing import Any

import pytest
import yaml
from moto.events.models import EventPattern, EventPatternParser
from samtranslator.yaml_helper import yaml_parse

from tests.template.conftest import ROOT
from tools.rules import RULES
from twilio_plugin.domain.events import EVENTS

SAMPLES: dict[str, dict[str, Any]] = {
    kind.detail_type: json.loads((ROOT / f"events/bus/{kind.detail_type}.json").read_text()) for kind in EVENTS
}


def fits(pattern: dict[str, Any], event: dict[str, Any]) -> bool:
    """What EventBridge would say, by moto's word."""
    raw = json.dumps(pattern)
    return bool(EventPattern(raw, EventPatternParser(raw).parse()).matches_event(event))  # type: ignore[arg-type]


def shown() -> dict[str, dict[str, Any]]:
    """The rule below every event in docs/events.md, by the event."""
    sections = re.split(r"^## ", (ROOT / "docs/events.md").read_text(), flags=re.MULTILINE)[1:]
    found = {}
    for section in sections:
        (block,) = re.findall(r"```yaml\n(.*?)```", section, re.DOTALL)
        found[section.partition("\n")[0]] = yaml.safe_load(block)
    return found


def test_a_rule_on_every_event_is_shown() -> None:
    assert shown() == {rule.kind.detail_type: rule.pattern for rule in RULES}
    assert shown().keys() == SAMPLES.keys()
    assert len(RULES) == len(EVENTS)


@pytest.mark.parametrize("detail_type", SAMPLES)
def test_a_rule_fits_the_sample_of_its_event_and_no_other(detail_type: str) -> None:
    assert {name for name, sample in SAMPLES.items() if fits(shown()[detail_type], sample)} == {detail_type}


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.detail], ids=lambda rule: rule.kind.detail_type)
def test_what_narrows_a_rule_names_fields_of_the_event(rule: Any) -> None:
    schema = json.loads((ROOT / f"events/schemas/{rule.kind.detail_type}.schema.json").read_text())

    assert rule.detail.keys() <= schema["properties"]["detail"]["properties"].keys()


@pytest.mark.parametrize(
    ("detail_type", "change"),
    [
        ("SMS_RECEIVED", {"opt_out_type": "STOP"}),
        ("MEDIA_STORED", {"content_type": "audio/ogg"}),
        ("MEDIA_REFUSED", {"reason": "too_large"}),
        ("SMS_SENT", {"to": "+4915550142"}),
        ("SMS_STATUS_CHANGED", {"status": "sent"}),
        ("SMS_FAILED", {"error_class": "transient"}),
        ("OPT_OUT_CHANGED", {"state": "opted_in"}),
        ("CALL_RECEIVED", {"from": "anonymous"}),
        ("CALL_STATUS_CHANGED", {"status": "ringing"}),
        ("CALL_STATUS_CHANGED", {"direction": "inbound"}),
        ("CALL_ENDED", {"duration": None}),
        ("CALL_ENDED", {"status": "busy"}),
        ("CALL_ANSWERED_BY", {"answered_by": "human"}),
        ("CALL_RECORDED", {"status": "absent"}),
        ("CALL_RECORDED", {"source": "DialVerb"}),
        ("VOICE_STREAM_STARTED", {"leg": 1}),
        ("VOICE_STREAM_STARTED", {"direction": "outbound"}),
        ("SPEECH_INTERRUPTED", {"cause": "say"}),
        ("DTMF_RECEIVED", {"digit": "2"}),
        ("GUARD_REFUSED", {"opens_at": None}),
        ("SPEECH_TRANSCRIBED", {"speaker": "callee"}),
    ],
)
def test_a_narrowed_rule_leaves_out_what_it_says(detail_type: str, change: dict[str, Any]) -> None:
    event = copy.deepcopy(SAMPLES[detail_type])
    for name, value in change.items():
        event["detail"][name] = value
        if value is None:
            del event["detail"][name]

    assert not fits(shown()[detail_type], event)


def test_every_narrowed_rule_is_tried_on_what_it_leaves_out() -> None:
    (tried,) = (mark.args[1] for mark in test_a_narrowed_rule_leaves_out_what_it_says.pytestmark if mark.name == "parametrize")

    assert {one[0] for one in tried} == {rule.kind.detail_type for rule in RULES if rule.detail}


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*/template.yaml")), ids=lambda path: path.parent.name)
def test_the_rules_of_an_example_fit_events_that_there_are(path: Any) -> None:
    resources = yaml_parse(path.read_text())["Resources"].values()
    sources = [source for one in resources for source in one.get("Properties", {}).get("Events", {}).values()]
    patterns = [source["Properties"]["Pattern"] for source in sources if source["Type"] == "EventBridgeRule"]

    for pattern in patterns:
        assert {name for name, sample in SAMPLES.items() if fits(pattern, sample)} == set(pattern["detail-type"])
