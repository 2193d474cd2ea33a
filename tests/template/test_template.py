"""What the template must be, whatever is added to it."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.template.conftest import ROOT
from twilio_plugin.adapters import agent_lambda
from twilio_plugin.domain.actions import ControlCall
from twilio_plugin.domain.catalogue import ACTIONS, PROVIDERS, TOOLS
from twilio_plugin.domain.events import CallAnsweredBy, CallReceived, SmsReceived, SpeechReceived
from twilio_plugin.domain.guards import Limits
from twilio_plugin.runtime import config

CONFIGS: dict[str, Any] = {
    "sms-webhook": config.SmsWebhook,
    "status-webhook": config.StatusWebhook,
    "voice-webhook": config.VoiceWebhook,
    "gather-webhook": config.GatherWebhook,
    "stream-authorizer": config.StreamAuthorizer,
    "frame-ingest": config.FrameIngest,
    "media-stream": config.MediaStream,
    "conversation-relay": config.ConversationRelay,
    "relay-timer": config.RelayTimer,
    "call-session": config.CallSession,
    "say": config.Say,
    "make-call": config.MakeCall,
    "control-call": config.ControlCall,
    "call-state": config.CallState,
    "run-action": config.RunAction,
    "send-sms": config.Send,
    "send-mms": config.Send,
    "conversation-history": config.History,
    "event-relay": config.Relay,
    "reconcile": config.Reconcile,
    "configure-number": config.ConfigureNumber,
    "bridge": config.Bridge,
    "bridge-queue": config.BridgeQueue,
    "copy-media": config.CopyMedia,
    "serve-media": config.ServeMedia,
    "forget": config.Forget,
}
LONGEST_STACK_NAME = 43
# What the logger and the metrics of every function read by themselves.
OF_EVERY_FUNCTION = {"POWERTOOLS_SERVICE_NAME"}
# AWS has no resource to name for these.
WITHOUT_RESOURCES = {"polly:SynthesizeSpeech", "transcribe:StartStreamTranscription"}


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

    assert set(functions[name]["Environment"]["Variables"]) == expected | OF_EVERY_FUNCTION


def test_every_function_has_a_config_but_the_one_that_stands_alone(functions: dict[str, dict[str, Any]]) -> None:
    assert set(functions) == {*CONFIGS, "voice-fallback"}
    assert "Layers" not in functions["voice-fallback"]
    assert set(functions["voice-fallback"]["Environment"]["Variables"]) == OF_EVERY_FUNCTION


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
        assert "*" not in resources or set(actions) <= WITHOUT_RESOURCES, name


def test_webhooks_cannot_invoke_or_publish_and_readers_cannot_write(deployed: dict[str, Any]) -> None:
    allowed = _actions(deployed)

    for webhook in ("SmsWebhookFunctionRole", "StatusWebhookFunctionRole", "GatherWebhookFunctionRole"):
        assert not any(action.startswith(("lambda:", "events:", "sqs:")) for action in allowed[webhook])
    assert allowed["ConversationHistoryFunctionRole"] == {"dynamodb:BatchGetItem", "dynamodb:Query"}
    assert "secretsmanager:GetSecretValue" not in allowed["EventRelayFunctionRole"]


def test_an_action_may_do_what_sending_and_calling_may_and_no_more(deployed: dict[str, Any]) -> None:
    allowed: dict[str, set[tuple[str, str]]] = {}
    for name, statement in _statements(deployed):
        resource = json.dumps(statement["Resource"])
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        allowed.setdefault(name, set()).update((action, resource) for action in actions)

    both = allowed["SendSmsFunctionRole"] | allowed["MakeCallFunctionRole"]
    assert allowed["RunActionFunctionRole"] == both


def test_an_agents_role_may_invoke_every_function_that_is_for_agents(source: dict[str, Any]) -> None:
    (statement,) = source["Resources"]["InvokePolicy"]["Properties"]["PolicyDocument"]["Statement"]
    described = {one.function for one in (*ACTIONS, *PROVIDERS, *TOOLS)} | {"run-action"}
    functions = {f"{''.join(part.title() for part in name.split('-'))}Function" for name in described}

    assert {one["Fn::GetAtt"][0] for one in statement["Resource"]} == functions
    assert {f"{name}Arn" for name in functions} <= set(source["Outputs"])


def test_what_meets_a_stranger_on_the_socket_can_do_next_to_nothing(deployed: dict[str, Any]) -> None:
    allowed = _actions(deployed)

    assert allowed["StreamAuthorizerFunctionRole"] == {"secretsmanager:GetSecretValue"}
    assert allowed["FrameIngestFunctionRole"] == allowed["FrameWriter"] == {"dynamodb:PutItem"}
    assert [
        statement["Resource"] for name, statement in _statements(deployed) if name in ("FrameWriter", "FrameIngestFunctionRole")
    ] == [{"Fn::GetAtt": ["MediaFramesTable", "Arn"]}] * 2


def test_a_connection_is_authorized_before_anything_else_is_done_with_it(source: dict[str, Any]) -> None:
    routes = {one["Properties"]["RouteKey"]: one["Properties"] for one in _of_the_socket(source, "Route")}

    assert set(routes) == {"$connect", "connected", "media", "start", "mark", "dtmf", "stop", "$disconnect", "$default"}
    assert (routes["$connect"]["AuthorizationType"], routes["$connect"]["AuthorizerId"]) == (
        "CUSTOM",
        {"Ref": "StreamAuthorizer"},
    )
    authorizer = source["Resources"]["StreamAuthorizer"]["Properties"]
    assert (authorizer["AuthorizerType"], authorizer["IdentitySource"]) == ("REQUEST", [])


def test_nothing_is_answered_on_the_socket_by_an_integration(source: dict[str, Any]) -> None:
    """A route response would make it two-way: Twilio would take what comes back for an invalid message."""
    assert not [one for one in source["Resources"].values() if one["Type"] == "AWS::ApiGatewayV2::RouteResponse"]
    assert not [route for route in _of_the_socket(source, "Route") if "RouteResponseSelectionExpression" in route["Properties"]]


def test_audio_leaves_webhooks_and_replies_their_share_of_the_accounts_requests(source: dict[str, Any]) -> None:
    (stage,) = _of_the_socket(source, "Stage")
    audio = stage["Properties"]["DefaultRouteSettings"]
    webhooks = source["Resources"]["HttpStage"]["Properties"]["DefaultRouteSettings"]

    assert audio["ThrottlingRateLimit"] + 2 * webhooks["ThrottlingRateLimit"] < 10_000
    assert audio["ThrottlingBurstLimit"] + 2 * webhooks["ThrottlingBurstLimit"] < 5_000


def test_frames_go_one_of_two_ways(source: dict[str, Any]) -> None:
    direct = {name for name, one in source["Resources"].items() if one.get("Condition") == "FramesDirect"}
    by_lambda = {name for name, one in source["Resources"].items() if one.get("Condition") == "FramesByLambda"}

    assert direct == {"FrameTableIntegration", "FrameWriter"}
    assert by_lambda == {"FrameIngestIntegration", "FrameIngestPermission", "FrameIngestFunction", "FrameIngestLogs"}
    assert source["Parameters"]["FrameIngest"]["AllowedValues"] == ["direct", "lambda"]


def test_a_session_that_dies_is_restarted_by_us_and_not_by_lambda(deployed: dict[str, Any]) -> None:
    (config_,) = [
        one["Properties"]
        for one in deployed["Resources"].values()
        if one["Type"] == "AWS::Lambda::EventInvokeConfig"
        and one["Properties"]["FunctionName"] == {"Ref": "CallSessionFunction"}
    ]

    assert config_["MaximumRetryAttempts"] == 0
    assert config_["DestinationConfig"]["OnFailure"]["Destination"] == {"Fn::GetAtt": ["MediaStreamFunction", "Arn"]}
    session = deployed["Resources"]["CallSessionFunction"]["Properties"]
    assert (session["Timeout"], session["RecursiveLoop"]) == (900, "Allow")
    assert "lambda:InvokeFunction" in _actions(deployed)["CallSessionFunctionRole"]


def test_what_has_no_route_of_its_own_is_for_relayed_calls_and_wakes_nothing_of_the_others(source: dict[str, Any]) -> None:
    targets = {
        one["Properties"]["RouteKey"]: json.dumps(one["Properties"].get("Target")) for one in _of_the_socket(source, "Route")
    }

    assert "ConversationRelayIntegration" in targets["$default"]
    assert [route for route, target in targets.items() if "ConversationRelay" in target] == ["$default"]


def test_timers_are_looked_at_until_they_are_dealt_with_and_are_gone_with_their_calls(deployed: dict[str, Any]) -> None:
    queue, mapping = (deployed["Resources"][name]["Properties"] for name in ("RelayTimers", "RelayTimersMapping"))
    timer = deployed["Resources"]["RelayTimerFunction"]["Properties"]

    assert queue["RedrivePolicy"]["deadLetterTargetArn"] == {"Fn::GetAtt": ["InvocationFailures", "Arn"]}
    assert str(queue["RedrivePolicy"]["maxReceiveCount"]) == timer["Environment"]["Variables"]["TIMER_ATTEMPTS"]
    assert queue["VisibilityTimeout"] >= 6 * timer.get("Timeout", 10)
    assert queue["MessageRetentionPeriod"] > 900 + queue["VisibilityTimeout"] * queue["RedrivePolicy"]["maxReceiveCount"]
    assert (mapping["BatchSize"], mapping["FunctionResponseTypes"]) == (1, ["ReportBatchItemFailures"])


def test_only_what_hears_and_speaks_takes_a_layer_of_the_users(functions: dict[str, dict[str, Any]]) -> None:
    extra = {"Fn::If": ["HasEngineLayer", {"Ref": "EngineLayerArn"}, {"Ref": "AWS::NoValue"}]}

    assert {name for name, one in functions.items() if extra in one.get("Layers", [])} == {"bridge", "call-session", "say"}
    assert [name for name, one in functions.items() if any("Speech" in str(layer) for layer in one.get("Layers", []))] == [
        "call-session"
    ]


def test_an_answered_call_is_told_what_its_event_says(deployed: dict[str, Any]) -> None:
    rule = _rule_of(deployed, "ControlCallFunction", CallAnsweredBy.detail_type)["Properties"]

    assert rule["EventBusName"] == {"Ref": "EventBus"}
    assert rule["Targets"][0]["InputPath"] == "$.detail.control"


def test_a_persons_call_is_given_its_time_limit_once_it_goes_on(deployed: dict[str, Any]) -> None:
    rule = _rule_of(deployed, "ControlCallFunction", CallReceived.detail_type)["Properties"]
    transformer = rule["Targets"][0]["InputTransformer"]
    event = json.loads((ROOT / "events/bus/CALL_RECEIVED.json").read_text())

    assert rule["EventBusName"] == {"Ref": "EventBus"}
    assert transformer["InputPathsMap"] == {"call_sid": "$.detail.call_sid"}
    payload = transformer["InputTemplate"]["Fn::Sub"].replace("<call_sid>", event["detail"]["call_sid"])
    asked = ControlCall.model_validate_json(payload.replace("${MaxCallSeconds}", "3600"))
    assert (asked.call_sid, asked.action, asked.time_limit) == (event["detail"]["call_sid"], "limit", 3600)


def test_the_guards_are_the_parameters_of_their_names(source: dict[str, Any], functions: dict[str, dict[str, Any]]) -> None:
    guarded = {name: one["Environment"]["Variables"]["GUARDS"] for name, one in functions.items() if "GUARDS" in str(one)}
    written: str = guarded["send-sms"]["Fn::Sub"]

    assert all(one == guarded["send-sms"] for one in guarded.values())
    named = dict(re.findall(r'"(\w+)": "?\$\{(\w+)\}"?', written))
    assert named == {field.name: "".join(map(str.capitalize, field.name.split("_"))) for field in dataclasses.fields(Limits)}
    defaults = {name: str(one.get("Default")) for name, one in source["Parameters"].items()}
    limits = config.limits(re.sub(r"\$\{(\w+)\}", lambda found: defaults[found[1]], written))
    assert (limits.segments_per_day, limits.max_call_seconds, limits.source_cidrs) == (5000, 3600, ())


def test_what_the_guards_are_told_fits_into_an_environment(source: dict[str, Any]) -> None:
    """Lambda takes 4 KB in all."""
    lists = [source["Parameters"][name] for name in ("InboundAllowList", "SourceCidrs")]

    assert sum(one["MaxLength"] for one in lists) <= 1600
    assert "{0,99}" in source["Parameters"]["AllowedCountries"]["AllowedPattern"]


def test_without_an_agent_there_is_no_bridge(source: dict[str, Any], deployed: dict[str, Any]) -> None:
    conditions = ("HasAgent", "HasAgentAndAlarmTopic")
    bridge = {name for name, one in deployed["Resources"].items() if one.get("Condition") in conditions}
    needs_it = {
        name
        for name, one in deployed["Resources"].items()
        if {"AgentQueue", "AgentFailures", "BridgeFunction"} & {*_references(one)}
    }

    assert source["Conditions"]["HasAgent"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "AgentFunctionArn"}, ""]}]}
    assert source["Parameters"]["AgentFunctionArn"]["Default"] == ""
    assert {"BridgeFunction", "BridgeQueueFunction", "AgentQueue", "AgentFailures", "BridgeTexts"} <= bridge
    assert needs_it <= bridge, "everything that refers to a part of it is under its condition"
    assert {name for name, one in deployed["Resources"].items() if "Bridge" in name} <= bridge, "rules and permissions too"


def test_the_bridge_gets_ordinary_texts_and_everything_spoken(deployed: dict[str, Any]) -> None:
    texts = _rule_of(deployed, "BridgeQueueFunction")["Properties"]["EventPattern"]
    speech = _rule_of(deployed, "BridgeFunction")["Properties"]["EventPattern"]

    assert texts["detail-type"] == [SmsReceived.detail_type]
    assert texts["detail"] == {"opt_out_type": [{"exists": False}]}
    assert speech == {"source": ["twilio.plugin"], "detail-type": [SpeechReceived.detail_type]}


def test_texts_wait_in_order_for_a_bridge_that_may_fail(deployed: dict[str, Any]) -> None:
    queue, failures = (deployed["Resources"][name]["Properties"] for name in ("AgentQueue", "AgentFailures"))
    bridge = deployed["Resources"]["BridgeFunction"]["Properties"]
    texts = deployed["Resources"]["BridgeTexts"]["Properties"]

    assert queue["FifoQueue"] is failures["FifoQueue"] is True
    assert queue["DelaySeconds"] == {"Ref": "BurstWindowSeconds"}
    assert queue["VisibilityTimeout"] > bridge["Timeout"]
    assert str(queue["RedrivePolicy"]["maxReceiveCount"]) == bridge["Environment"]["Variables"]["AGENT_ATTEMPTS"]
    assert queue["RedrivePolicy"]["deadLetterTargetArn"] == {"Fn::GetAtt": ["AgentFailures", "Arn"]}
    assert (texts["BatchSize"], texts["FunctionResponseTypes"]) == (1, ["ReportBatchItemFailures"])
    assert 2 * agent_lambda.CONFIG.read_timeout < bridge["Timeout"], "a spoken turn asks twice"  # type: ignore[attr-defined]


def test_the_bridge_can_invoke_the_agent_and_nothing_else(deployed: dict[str, Any]) -> None:
    invoked = [
        statement["Resource"]
        for name, statement in _statements(deployed)
        if name == "BridgeFunctionRole" and "lambda:InvokeFunction" in statement["Action"]
    ]

    assert invoked == [{"Ref": "AgentFunctionArn"}]
    assert _actions(deployed)["BridgeQueueFunctionRole"] == {"sqs:SendMessage"}


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
    assert tables["MediaFramesTable"]["DeletionPolicy"] == "Delete"
    assert tables["MediaFramesTable"]["Properties"]["TimeToLiveSpecification"] == {"AttributeName": "ttl", "Enabled": True}
    assert (conversations["DeletionPolicy"], conversations["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")
    assert conversations["Properties"]["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"]
    assert outbox["DeletionPolicy"] == "Delete"
    for table in tables.values():
        assert table["Properties"]["BillingMode"] == "PAY_PER_REQUEST"
        assert "TableName" not in table["Properties"], "a fixed name stops a second stack and every replacement"


def test_the_bucket_of_media_is_private_encrypted_and_forgets_in_time(source: dict[str, Any]) -> None:
    bucket = source["Resources"]["MediaBucket"]
    properties = bucket["Properties"]

    assert (bucket["DeletionPolicy"], bucket["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")
    assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
    assert len(properties["PublicAccessBlockConfiguration"]) == 4
    assert properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert "BucketName" not in properties
    condition, rules, otherwise = properties["LifecycleConfiguration"]["Fn::If"]
    assert (condition, otherwise) == ("ForgetsByTime", {"Ref": "AWS::NoValue"})
    assert rules["Rules"] == [
        {"Id": "retention", "Status": "Enabled", "Prefix": "inbound/", "ExpirationInDays": {"Ref": "RetentionDays"}}
    ]
    (statement,) = source["Resources"]["MediaBucketPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})


def test_media_are_copied_only_where_that_is_asked_for(source: dict[str, Any], deployed: dict[str, Any]) -> None:
    rule = _rule_of(deployed, "CopyMediaFunction")

    assert rule["Condition"] == "CopiesMedia"
    assert rule["Properties"]["EventPattern"]["detail-type"] == [SmsReceived.detail_type]
    assert rule["Properties"]["EventPattern"]["detail"] == {"media": {"s3_key": [{"exists": True}]}}
    assert source["Parameters"]["CopyMedia"]["Default"] == "false"
    conditions = {name for name, one in deployed["Resources"].items() if one.get("Condition") == "CopiesMedia"}
    assert {name for name in deployed["Resources"] if name.startswith("CopyMedia")} <= conditions


def test_what_serves_media_is_throttled_and_reads_nothing_else(source: dict[str, Any], deployed: dict[str, Any]) -> None:
    stage = source["Resources"]["HttpStage"]
    routes = {
        one["Properties"]["RouteKey"] for one in source["Resources"].values() if one["Type"] == "AWS::ApiGatewayV2::Route"
    }
    public = {route for route in routes if not route.startswith("POST ") and " " in route}

    assert public == {"GET /webhooks/twilio/media/{token}", "HEAD /webhooks/twilio/media/{token}"}
    assert set(stage["Properties"]["RouteSettings"]) == public
    assert set(stage["DependsOn"]) == {"MediaGetRoute", "MediaHeadRoute"}
    assert all(one["ThrottlingRateLimit"] <= 50 for one in stage["Properties"]["RouteSettings"].values())
    assert _actions(deployed)["ServeMediaFunctionRole"] == {"s3:GetObject", "secretsmanager:GetSecretValue"}
    assert "path" not in stage["Properties"]["AccessLogSettings"]["Format"].lower(), "the token is in it"


def test_only_an_operator_may_forget(source: dict[str, Any]) -> None:
    def invokes(policy: str) -> str:
        return json.dumps(source["Resources"][policy]["Properties"]["PolicyDocument"])

    assert "ForgetFunction" not in invokes("InvokePolicy")
    assert "ForgetFunction" in invokes("ForgetPolicy")


def test_the_ledgers_key_stays_with_the_table_and_is_nobodys_to_choose(source: dict[str, Any]) -> None:
    key = source["Resources"]["LedgerKey"]

    assert (key["DeletionPolicy"], key["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")
    assert key["Properties"]["GenerateSecretString"]["PasswordLength"] >= 32
    assert "SecretString" not in key["Properties"]


def test_asynchronous_work_that_fails_is_kept(source: dict[str, Any], deployed: dict[str, Any]) -> None:
    for name in ("SendSms", "SendMms", "Say", "MediaStream", "Reconcile", "RunAction", "Bridge", "CopyMedia"):
        assert source["Resources"][f"{name}Function"]["Properties"]["EventInvokeConfig"]["DestinationConfig"]["OnFailure"], name
    assert deployed["Resources"]["EventRelayStream"]["Properties"]["DestinationConfig"]["OnFailure"]["Destination"]


def test_every_alarm_tells_the_topic_and_exists_only_with_one(deployed: dict[str, Any]) -> None:
    alarms = [one for one in deployed["Resources"].values() if one["Type"] == "AWS::CloudWatch::Alarm"]

    assert len(alarms) >= 5
    for alarm in alarms:
        assert alarm["Condition"] in ("HasAlarmTopic", "HasAgentAndAlarmTopic")
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

    assert len(layers) == 3
    assert all(layer["Properties"]["CompatibleArchitectures"] == ["arm64", "x86_64"] for layer in layers)
    assert all(layer["Properties"]["RetentionPolicy"] == "Delete" for layer in layers)


def _statements(template: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, resource in template["Resources"].items():
        properties = resource.get("Properties", {})
        documents = [policy["PolicyDocument"] for policy in properties.get("Policies", [])] if _is_role(resource) else []
        if resource["Type"] == "AWS::IAM::ManagedPolicy":
            documents.append(properties["PolicyDocument"])
        for document in documents:
            statements = document["Statement"]
            yield from ((name, one) for one in (statements if isinstance(statements, list) else [statements]))


def _is_role(resource: dict[str, Any]) -> bool:
    return bool(resource["Type"] == "AWS::IAM::Role")


def _rule_of(template: dict[str, Any], function: str, detail_type: str = "") -> dict[str, Any]:
    """The rule that wakes a function; the one for an event where there are several."""
    (rule,) = [
        one
        for one in template["Resources"].values()
        if one["Type"] == "AWS::Events::Rule"
        and [target["Arn"] for target in one["Properties"]["Targets"]] == [{"Fn::GetAtt": [function, "Arn"]}]
        and (not detail_type or one["Properties"]["EventPattern"]["detail-type"] == [detail_type])
    ]
    found: dict[str, Any] = rule
    return found


def _of_the_socket(template: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    """The WebSocket API's resources of a kind."""
    return [
        one
        for one in template["Resources"].values()
        if one["Type"] == f"AWS::ApiGatewayV2::{kind}" and one["Properties"]["ApiId"] == {"Ref": "WebSocketApi"}
    ]


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
