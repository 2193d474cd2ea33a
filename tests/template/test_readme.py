"""What the README has to paste: it parses, names what there is, transforms, and runs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
from moto.events.models import EventPattern
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

from tests.template.conftest import ROOT
from tests.unit.http_server import Answer, Server, running
from twilio_plugin.client import TwilioPlugin
from twilio_plugin.domain.events import EVENTS

README, _, CALLS = (ROOT / "README.md").read_text().partition("\n### Calls\n")
SENT = {
    "conversation_id": "phone|+15555550100|+15555551234",
    "to": "+15555551234",
    "from": "+15555550100",
    "messages": [{"message_sid": "SM1", "status": "queued", "body": "x", "encoding": "GSM-7", "segments": 1}],
}
TURNS = [{"role": "user", "content": "Is this the one?"}]
HISTORY = {"conversation_id": SENT["conversation_id"], "text": "", "messages": [], "turns": TURNS}


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def templates() -> list[dict[str, Any]]:
    """Every YAML block as a template: one that shows a resource only is given what it refers to."""
    found = []
    for block in blocks("yaml"):
        shown = yaml_parse(block)
        found.append(shown if "Resources" in shown else {"Resources": shown})
    return found


SUBSCRIPTION, LAYERS = templates()


def test_what_calls_need_names_events_functions_and_methods_that_there_are(functions: dict[str, Any]) -> None:
    shown = yaml_parse(re.findall(r"```yaml\n(.*?)```", CALLS, re.DOTALL)[0])
    code = re.findall(r"```python\n(.*?)```", CALLS, re.DOTALL)[0]

    assert set(shown["Events"]["OnThePhone"]["Properties"]["Pattern"]["detail-type"]) <= {event.detail_type for event in EVENTS}
    assert set(re.findall(r"\$\{PluginStackName\}-([a-z-]+)", CALLS)) <= functions.keys()
    compile(code, "README.md", "exec")
    methods = set(re.findall(r"phone\.(\w+)\(", code))
    assert methods
    assert all(callable(getattr(TwilioPlugin, method)) for method in methods)


def test_there_is_yaml_for_a_rule_for_permission_and_for_the_layers() -> None:
    subscribed, layered = (one["Resources"]["AgentFunction"]["Properties"] for one in (SUBSCRIPTION, LAYERS))

    assert {"Events", "Policies"} <= subscribed.keys()
    assert {"Layers", "Policies"} <= layered.keys()


def test_the_functions_and_outputs_it_names_are_the_stacks(source: dict[str, Any], functions: dict[str, Any]) -> None:
    named = re.findall(r"\$\{PluginStackName\}-([a-z-]+)", "\n".join(blocks("yaml")))

    assert len(named) == 2
    assert set(named) <= functions.keys()
    assert LAYERS["Parameters"].keys() <= source["Outputs"].keys()
    referred = {value["Ref"] for value in _references(LAYERS["Resources"])}
    assert referred == LAYERS["Parameters"].keys()


def test_a_function_with_the_layers_runs_what_they_were_built_for(source: dict[str, Any]) -> None:
    function = LAYERS["Resources"]["AgentFunction"]["Properties"]

    assert function["Runtime"] == source["Globals"]["Function"]["Runtime"]
    layers = {source["Outputs"][layer["Ref"]]["Value"]["Ref"] for layer in function["Layers"]}
    assert {source["Resources"][layer]["Properties"]["CompatibleRuntimes"][0] for layer in layers} == {function["Runtime"]}
    send_timeout = source["Resources"]["SendSmsFunction"]["Properties"]["Timeout"]
    assert send_timeout < TwilioPlugin()._invoker._timeout < function["Timeout"]


def test_the_rule_fits_the_sample_of_its_event(source: dict[str, Any]) -> None:
    event = SUBSCRIPTION["Resources"]["AgentFunction"]["Properties"]["Events"]["TextReceived"]["Properties"]
    pattern = event["Pattern"]
    sample: Any = json.loads((ROOT / f"events/bus/{pattern['detail-type'][0]}.json").read_text())
    matcher = EventPattern(json.dumps(pattern), pattern)

    assert matcher.matches_event(sample)
    sample["detail"]["opt_out_type"] = "STOP"
    assert not matcher.matches_event(sample)
    assert event["EventBusName"] == {"Ref": "PluginStackName"}
    assert source["Resources"]["EventBus"]["Properties"]["Name"] == {"Ref": "AWS::StackName"}, "the bus is named like the stack"


@pytest.mark.parametrize("template", [SUBSCRIPTION, LAYERS], ids=["subscription", "layers"])
def test_sam_takes_it(template: dict[str, Any]) -> None:
    template = json.loads(json.dumps(template))
    properties = template["Resources"]["AgentFunction"]["Properties"]
    properties |= {"CodeUri": "s3://bucket/key", "Handler": "agent.lambda_handler", "Runtime": "python3.13"}
    parameters = template.setdefault("Parameters", {"PluginStackName": {"Type": "String"}})
    values = dict.fromkeys(parameters, "arn:aws:lambda:us-east-1:123456789012:layer:x:1")

    deployed = Translator({}, Parser(), boto_session=boto3.Session(region_name="us-east-1")).translate(template, values)

    kinds = {resource["Type"] for resource in deployed["Resources"].values()}
    assert {"AWS::Lambda::Function", "AWS::IAM::Role"} <= kinds
    assert ("AWS::Events::Rule" in kinds) is (template["Resources"]["AgentFunction"]["Properties"].get("Events") is not None)


# ------------------------------------------------------------------------------------------------------------------- Python


@contextmanager
def answering(monkeypatch: pytest.MonkeyPatch, *results: Any) -> Iterator[Server]:
    """A Lambda that answers so, one after the other."""
    with running() as server:
        server.script = [Answer(200, json.dumps(result)) for result in results]
        for name, value in {"ACCESS_KEY_ID": "x", "SECRET_ACCESS_KEY": "x", "DEFAULT_REGION": "us-east-1"}.items():
            monkeypatch.setenv(f"AWS_{name}", value)
        monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", server.url)
        yield server


def run(block: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile(block, "README.md", "exec"), names)
    return names


def test_the_lambdas_code_answers_a_text_under_the_events_id(monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = (block for block in blocks("python") if "lambda_handler" in block)
    event = json.loads((ROOT / "events/bus/SMS_RECEIVED.json").read_text())

    with answering(monkeypatch, HISTORY, SENT) as server:
        names = run(code)
        names["lambda_handler"](event, None)
        names["phone"]._invoker._made.close()

    asked = [(one.path.split("/")[3], json.loads(one.body)) for one in server.asked]
    assert asked == [
        ("twilio-plugin-conversation-history", {"phone_number": "+15555551234", "our_number": "+15555550100", "limit": 10}),
        (
            "twilio-plugin-send-sms",
            {
                "to": "+15555551234",
                "from": "+15555550100",
                "body": "You said: Is this the one?",
                "idempotency_key": event["detail"]["event_id"],
            },
        ),
    ]


def test_the_laptops_code_sends_and_prints(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = (block for block in blocks("python") if "boto3.Session" in block)

    with answering(monkeypatch, SENT, {"text": "No active voice calls.", "calls": []}) as server:
        run(code)["phone"]._invoker._made.close()

    assert [one.path.split("/")[3] for one in server.asked] == ["twilio-plugin-send-sms", "twilio-plugin-call-state"]
    assert capsys.readouterr().out == "queued No active voice calls.\n"


def test_every_python_block_is_run_here() -> None:
    assert len(blocks("python")) == 2


def _references(value: Any) -> Iterator[dict[str, str]]:
    if isinstance(value, dict):
        if "Ref" in value:
            yield value
        for inner in value.values():
            yield from _references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)
