"""The template as SAM transforms it: what CloudFormation will really see."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import boto3
import pytest
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="session")
def source() -> dict[str, Any]:
    """template.yaml as it is written."""
    template: dict[str, Any] = yaml_parse((ROOT / "template.yaml").read_text())
    return template


@pytest.fixture(scope="session")
def deployed() -> dict[str, Any]:
    """template.yaml as it is deployed."""
    template = yaml_parse((ROOT / "template.yaml").read_text())
    for resource in template["Resources"].values():
        # SAM CLI puts the uploaded archives here.
        properties = resource.get("Properties", {})
        for name in ("CodeUri", "ContentUri"):
            if name in properties:
                properties[name] = "s3://bucket/key"
    session = boto3.Session(region_name="us-east-1")
    parameters = {name: parameter.get("Default", "x") for name, parameter in template["Parameters"].items()}
    translated: dict[str, Any] = Translator({}, Parser(), boto_session=session).translate(template, parameters)
    return translated


@pytest.fixture(scope="session")
def functions(deployed: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The Lambda functions' properties by function name, as ``sms-webhook``."""
    found = {}
    for resource in deployed["Resources"].values():
        if resource["Type"] == "AWS::Lambda::Function":
            name = resource["Properties"]["FunctionName"]["Fn::Sub"].removeprefix("${AWS::StackName}-")
            found[name] = resource["Properties"]
    return found
