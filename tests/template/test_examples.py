"""Every example can be deployed, and listens to events that there are."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import boto3
import pytest
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

from tests.template.conftest import ROOT
from twilio_plugin.domain.events import EVENTS

TEMPLATES = sorted((ROOT / "examples").glob("*/template.yaml"))


@pytest.fixture(params=TEMPLATES, ids=lambda path: path.parent.name)
def example(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


def deployed(example: Path) -> dict[str, Any]:
    """Its template as SAM transforms it."""
    template = yaml_parse(example.read_text())
    for resource in template["Resources"].values():
        resource["Properties"]["CodeUri"] = "s3://bucket/key"
    parameters = {name: parameter["Default"] for name, parameter in template["Parameters"].items()}
    session = boto3.Session(region_name="us-east-1")
    translated: dict[str, Any] = Translator({}, Parser(), boto_session=session).translate(template, parameters)
    return translated


def test_there_are_examples() -> None:
    assert {path.parent.name for path in TEMPLATES} >= {"bedrock_agent", "bridge_agent", "echo_agent"}


def test_an_example_is_a_stack_of_its_own_whose_handler_is_there(example: Path) -> None:
    functions = [one["Properties"] for one in deployed(example)["Resources"].values() if one["Type"] == "AWS::Lambda::Function"]

    assert functions
    for function in functions:
        module, handler = function["Handler"].split(".")
        tree = ast.parse((example.parent / "src" / f"{module}.py").read_text())
        assert handler in [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
        assert "FunctionName" not in function, "two stacks of it can stand beside each other"


def test_an_example_listens_to_events_that_there_are(example: Path) -> None:
    rules = [one["Properties"] for one in deployed(example)["Resources"].values() if one["Type"] == "AWS::Events::Rule"]

    for rule in rules:
        assert rule["EventBusName"] == {"Ref": "PluginStackName"} or rule["EventBusName"] == "twilio-plugin"
        assert rule["EventPattern"]["source"] == ["twilio.plugin"]
        assert {*rule["EventPattern"]["detail-type"]} <= {event.detail_type for event in EVENTS}


def test_an_example_may_invoke_the_functions_it_names_and_no_others(example: Path) -> None:
    """What it invokes stands in its code as the name of a function: ``"send-sms"``."""
    written = {
        node.value
        for path in (example.parent / "src").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    functions = {path.parent.name.replace("_", "-") for path in (ROOT / "functions").glob("*/app.py")}
    source = example.read_text()

    allowed = {name for name in functions if f'"${{PluginStackName}}-{name}"' in source}

    assert allowed == functions & written
