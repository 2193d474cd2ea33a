"""What the template must be, whatever is added to it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.template.conftest import ROOT
from twilio_plugin.runtime import config

CONFIGS: dict[str, Any] = {
    "sms-webhook": config.SmsWebhook,
    "status-webhook": config.StatusWebhook,
    "voice-webhook": config.VoiceWebhook,
    "make-call": config.MakeCall,
    "control-call": config.ControlCall,
    "call-state": config.CallState,
    "send-sms": config.Send,
    "send-mms": config.Send,
    "conversation-history": config.History,
    "event-relay": config.Relay,
    "reconcile": config.Reconcile,
}
LONGEST_STACK_NAME = 43


def test_every_function_folder_is_deployed(source: dict[str, Any]) -> None:
    deployed = {
        resource["Properties"]["CodeUri"].removeprefix("functions/")
        for resource in source["Resources"].values()
        if resource["Type"] == "AWS::Serverless::Function"
    }

    assert deployed == {path.parent.name for path in (ROOT / "functions").glob("*/app.py")}


def test_every_function_is_named_after_its_folder(functions: dict[str, dict[str, Any]]) -> None:
    assert set(functions) == {path.parent.name.replace("_", "-") for path in (ROOT / "functions").glob("*/app.py")}


@pytest.mark.parametrize("name", CONFIGS)
def test_a_functions_environment_is_exactly_its_config(functions: dict[str, dict[str, Any]], name: str) -> None:
    expected = {field.name.upper() for field in dataclasses.fields(CONFIGS[name])}

    assert set(functions[name]["Environment"]["Variables"]) == expected


def test_every_function_has_a_config_but_the_one_that_stands_alone(functions: dict[str, dict[str, Any]]) -> None:
    assert set(functions) == {*CONFIGS, "voice-fallback"}
    assert not {"Environment", "Layers"} & functions["voice-fallback"].keys()


def test_function_names_fit_for_the_longest_stack_name(functions: dict[str, dict[str, Any]]) -> None:
    assert all(len(name) + 1 + LONGEST_STACK_NAME <= 64 for name in functions)


def test_every_function_has_a_log_group_of_its_own_with_retention(
    functions: dict[str, dict[str, Any]], deployed: dict[str, Any]
) -> None:
    groups = [function["LoggingConfig"]["LogGroup"]["Ref"] for function in functions.values()]

    assert len(set(groups)) == len(functions)
    for name, group in zip(functions, groups, strict=True):
        properties = deployed["Resources"][group]["Properties"]
        assert properties["LogGroupName"] == {"Fn::Sub": f"/aws/lambda/${{AWS::StackName}}-{name}"}
        assert properties["RetentionInDays"] == {"Ref": "LogRetentionDays"}


def test_no_statement_of_ours_allows_every_action_or_every_resource(deployed: dict[str, Any]) -> None:
    for name, statement in _statements(deployed):
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        assert all("*" not in action for action in actions), name
        resources = statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]]
        assert "*" not in resources, name


def test_webhooks_cannot_invoke_or_publish_and_readers_cannot_write(deployed: dict[str, Any]) -> None:
    allowed = _actions(deployed)

    for webhook in ("SmsWebhookFunctionRole", "StatusWebhookFunctionRole"):
        assert not any(action.startswith(("lambda:", "events:", "sqs:")) for action in allowed[webhook])
    assert allowed["ConversationHistoryFunctionRole"] == {"dynamodb:BatchGetItem", "dynamodb:Query"}
    assert "secretsmanager:GetSecretValue" not in allowed["EventRelayFunctionRole"]


def test_nothing_depends_on_itself(deployed: dict[str, Any]) -> None:
    resources = deployed["Resources"]
    needs = {name: set(_references(resource)) & set(resources) for name, resource in resources.items()}

    ready: set[str] = set()
    while len(ready) < len(needs):
        now = {name for name, wanted in needs.items() if name not in ready and wanted <= ready}
        assert now, f"a cycle among {sorted(set(needs) - ready)}"
        ready |= now


def test_tables_keep_conversations_and_drop_the_outbox(deployed: dict[str, Any]) -> None:
    tables = {name: one for name, one in deployed["Resources"].items() if one["Type"] == "AWS::DynamoDB::Table"}

    conversations, outbox = tables["ConversationsTable"], tables["OutboxTable"]
    assert (conversations["DeletionPolicy"], conversations["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")
    assert conversations["Properties"]["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"]
    assert outbox["DeletionPolicy"] == "Delete"
    for table in tables.values():
        assert table["Properties"]["BillingMode"] == "PAY_PER_REQUEST"
        assert "TableName" not in table["Properties"], "a fixed name stops a second stack and every replacement"


def test_asynchronous_work_that_fails_is_kept(source: dict[str, Any], deployed: dict[str, Any]) -> None:
    for name in ("SendSmsFunction", "SendMmsFunction", "ReconcileFunction"):
        assert source["Resources"][name]["Properties"]["EventInvokeConfig"]["DestinationConfig"]["OnFailure"], name
    assert deployed["Resources"]["EventRelayStream"]["Properties"]["DestinationConfig"]["OnFailure"]["Destination"]


def test_every_alarm_tells_the_topic_and_exists_only_with_one(deployed: dict[str, Any]) -> None:
    alarms = [one for one in deployed["Resources"].values() if one["Type"] == "AWS::CloudWatch::Alarm"]

    assert len(alarms) >= 5
    for alarm in alarms:
        assert alarm["Condition"] == "HasAlarmTopic"
        assert alarm["Properties"]["AlarmActions"] == [{"Ref": "AlarmTopicArn"}]
        assert alarm["Properties"]["AlarmDescription"]


def test_every_parameter_is_described_grouped_and_bounded(source: dict[str, Any]) -> None:
    groups = source["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    grouped = [name for group in groups for name in group["Parameters"]]

    assert sorted(grouped) == sorted(source["Parameters"])
    for name, parameter in source["Parameters"].items():
        assert parameter["Description"], name
        bounded = {"AllowedPattern", "AllowedValues", "MaxValue", "NoEcho"} & set(parameter)
        assert bounded, f"{name} takes anything"


def test_secrets_are_not_in_any_environment_or_output(deployed: dict[str, Any]) -> None:
    secret = {"TwilioAuthToken", "TwilioApiKeySecret"}

    for name, resource in deployed["Resources"].items():
        if resource["Type"] != "AWS::SecretsManager::Secret":
            assert not secret & set(_references(resource)), name
    assert not secret & set(_references(deployed["Outputs"]))


def test_layers_carry_both_architectures(source: dict[str, Any]) -> None:
    layers = [one for one in source["Resources"].values() if one["Type"] == "AWS::Serverless::LayerVersion"]

    assert len(layers) == 2
    assert all(layer["Properties"]["CompatibleArchitectures"] == ["arm64", "x86_64"] for layer in layers)
    assert all(layer["Properties"]["RetentionPolicy"] == "Delete" for layer in layers)


def _statements(template: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, resource in template["Resources"].items():
        properties = resource.get("Properties", {})
        documents = [policy["PolicyDocument"] for policy in properties.get("Policies", [])] if "Role" in name else []
        if resource["Type"] == "AWS::IAM::ManagedPolicy":
            documents.append(properties["PolicyDocument"])
        for document in documents:
            statements = document["Statement"]
            yield from ((name, one) for one in (statements if isinstance(statements, list) else [statements]))


def _actions(template: dict[str, Any]) -> dict[str, set[str]]:
    allowed: dict[str, set[str]] = {}
    for name, statement in _statements(template):
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        allowed.setdefault(name, set()).update(actions)
    return allowed


def _references(value: Any) -> Iterator[str]:
    """Every name behind Ref, GetAtt, Sub and DependsOn."""
    if isinstance(value, list):
        for one in value:
            yield from _references(one)
    elif isinstance(value, dict):
        for key, one in value.items():
            if key == "Ref":
                yield one
            elif key == "Fn::GetAtt":
                yield one[0] if isinstance(one, list) else one.split(".")[0]
            elif key == "Fn::Sub":
                text = json.dumps(one)
                yield from (part.split("}")[0].split(".")[0] for part in text.split("${")[1:])
            elif key == "DependsOn":
                yield from one if isinstance(one, list) else [one]
            yield from _references(one)
