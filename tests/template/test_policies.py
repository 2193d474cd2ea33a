"""Every function may do what its adapters do, and no more.

What an adapter's method asks of AWS is watched; which methods a function uses is written down here, by what its wiring builds
and its services call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import botocore.exceptions
import pytest

from tests.unit.test_adapters import on_aws
from twilio_plugin.adapters.number_settings import PARTITION
from twilio_plugin.errors import StorageUnavailable

Grant = tuple[str, str]
"""An action, and what it is done to."""

CHECK_SIGNATURES = {"SigningSecret.auth_tokens", "SigningSecret.fresh_auth_tokens"}
ASK_TWILIO = {"RestSecret.credentials", "RestSecret.fresh_credentials"}
END = {"StreamsTable.end", "UtterancesTable.end", "UtterancesTable.find", "UtterancesTable.open"}
ANNOUNCE_END = END | {"MediaFrames.put_end", "StreamsReader.of_call"}
LISTEN = {"TranscriptionsTable.find", "TranscriptionsTable.settle", "TranscriptionsTable.waiting"}
INTERRUPT = {
    "ApiGatewayConnections.send",
    "StreamsTable.raise_generation",
    "UtterancesTable.end",
    "UtterancesTable.find",
    "UtterancesTable.open",
}
GUARD = {"CountersTable.give_back", "CountersTable.refuse", "CountersTable.take"}
HOLD = {"CountersTable.hold", "CountersTable.release"}
SEND = {
    *GUARD,
    "ConversationsTable.change_ledger",
    "ConversationsTable.contact_state",
    "ConversationsTable.received_at",
    "LedgerKey.key",
    "S3Media.find",
    "SendsTable.claim",
    "SendsTable.mark_unknown",
    "SendsTable.record_sent",
    "SendsTable.release",
    *ASK_TWILIO,
}
SAY = {
    *INTERRUPT,
    "StreamsReader.of_call",
    "StreamsReader.read",
    "GatheringTable.wake",
    *ASK_TWILIO,
    "UtterancesTable.add_pieces",
    "UtterancesTable.begin",
    "UtterancesTable.hold",
    "UtterancesTable.let_go",
}
MAKE = {
    *GUARD,
    *HOLD,
    "CallRequestsTable.claim",
    "CallRequestsTable.mark_unknown",
    "CallRequestsTable.record_made",
    "CallRequestsTable.release",
    *ASK_TWILIO,
}
USES: dict[str, set[str]] = {
    "bridge": {
        *SEND,
        *SAY,
        "AgentTurnsTable.admit",
        "AgentTurnsTable.last",
        "AgentTurnsTable.refuse",
        "AgentTurnsTable.settle",
        "AgentTurnsTable.take",
        "HistoryTable.page",
        "OutboxTable.add",
        "TranscriptionsReader.of_call",
    },
    "bridge-queue": set(),
    "call-session": {
        *END,
        *INTERRUPT,
        "ApiGatewayConnections.close",
        "ApiGatewayConnections.is_open",
        "CallsReader.call",
        "ConversationsTable.add_turn",
        "EventBridgeBus.publish",
        "MediaFrames.after",
        "StreamsReader.of_call",
        "StreamsReader.read",
        "StreamsTable.appoint",
        "StreamsTable.save",
        "StreamsTable.take",
    },
    "call-state": {
        "CallsReader.active",
        "CallsReader.call",
        "StreamsReader.active",
        "StreamsReader.of_call",
        "TranscriptionsReader.active",
        "TranscriptionsReader.of_call",
    },
    "configure-number": {
        *ASK_TWILIO,
        "NumberSettingsTable.all",
        "NumberSettingsTable.forget",
        "NumberSettingsTable.keep",
    },
    "control-call": {
        *ASK_TWILIO,
        *END,
        "ApiGatewayConnections.send",
        "CountersTable.refuse",
        "StreamsReader.of_call",
        "TranscriptionsReader.of_call",
    },
    "conversation-relay": {
        *END,
        "ApiGatewayConnections.close",
        "CallsReader.call",
        "EventBridgeBus.publish",
        "OutboxTable.add",
        "PersonTurnsTable.add",
        "StreamsReader.of_call",
        "StreamsReader.of_connection",
        "StreamsReader.read",
        "StreamsTable.open",
        "StreamsTable.raise_generation",
        "StreamsTable.rebind",
        *CHECK_SIGNATURES,
        "UtterancesTable.heard",
    },
    "conversation-history": {"HistoryTable.page"},
    "copy-media": {
        "MediaBucket.delete",
        "MediaBucket.put",
        "MediaCopiesTable.media_of",
        "MediaCopiesTable.settle",
        *ASK_TWILIO,
    },
    "event-relay": {"EventBridgeBus.publish", "OutboxTable.delete"},
    "forget": {
        "MediaBucket.delete_below",
        "PersonalDataTables.count_frames",
        *ASK_TWILIO,
    },
    "frame-ingest": {"MediaFrames.put"},
    "gather-webhook": {
        *END,
        "GatheringTable.give_out",
        "GatheringTable.hear",
        "GatheringTable.notice",
        "OutboxTable.add",
        "StreamsReader.of_call",
        "StreamsReader.read",
        *CHECK_SIGNATURES,
    },
    "make-call": MAKE,
    "media-stream": {
        *CHECK_SIGNATURES,
        *ANNOUNCE_END,
        *INTERRUPT,
        "ApiGatewayConnections.close",
        "CallsReader.call",
        "OutboxTable.add",
        "StreamsReader.of_connection",
        "StreamsReader.read",
        "StreamsTable.appoint",
        "StreamsTable.open",
        "UtterancesTable.heard",
    },
    "reconcile": {
        *ASK_TWILIO,
        *END,
        *LISTEN,
        "TranscriptionsReader.active",
        "TranscriptionsTable.end",
        "CallRequestsTable.record_made",
        "CallRequestsTable.record_not_made",
        "CallRequestsTable.requested_by",
        "CallRequestsTable.unsettled",
        "CallsReader.call",
        "CallsTable.apply_status",
        "CallsTable.no_longer_active",
        "CallsTable.unended",
        "CountersTable.release",
        "EventBridgeBus.publish",
        "OutboxTable.delete",
        "OutboxTable.leftovers",
        "SendsTable.record_not_sent",
        "SendsTable.record_sent",
        "SendsTable.senders_of",
        "SendsTable.unsettled",
        "StreamsReader.active",
    },
    "relay-timer": {*END, "ApiGatewayConnections.send", "StreamsReader.of_call", "UtterancesTable.heard"},
    "run-action": MAKE | SEND,
    "say": SAY,
    "send-mms": SEND,
    "send-sms": SEND,
    "serve-media": {"LedgerKey.key", "S3Media.find", "S3Media.read"},
    "sms-webhook": {
        *CHECK_SIGNATURES,
        *GUARD,
        "ConversationsTable.add_received",
        "ConversationsTable.contact_state",
        "LedgerKey.key",
    },
    "status-webhook": {
        *CHECK_SIGNATURES,
        *ANNOUNCE_END,
        *LISTEN,
        "TranscriptionsTable.add",
        "TranscriptionsTable.open",
        "CallsReader.call",
        "CallsTable.add_recording",
        "CallsTable.apply_answered_by",
        "CallsTable.apply_status",
        "ConversationsTable.apply_status",
        "ConversationsTable.change_ledger",
        "ConversationsTable.contact_state",
        "CountersTable.release",
        "LedgerKey.key",
    },
    "stream-authorizer": CHECK_SIGNATURES,
    "voice-fallback": set(),
    "voice-webhook": {
        *CHECK_SIGNATURES,
        *END,
        "CallsReader.call",
        "CallsTable.add_received",
        "CallsTable.apply_status",
        "CountersTable.hold",
        "CountersTable.refuse",
        "StreamsReader.of_call",
        "StreamsReader.read",
        "StreamsTable.open",
        "UtterancesTable.heard",
    },
}
# What a method does after its first request; only that is watched.
AFTERWARDS: dict[str, set[Grant]] = {
    "S3Media.find": {("s3:GetObject", "source/*")},  # the users' bucket, if there is one
    "HistoryTable.page": {("dynamodb:BatchGetItem", "conversations")},
    "CountersTable.refuse": {("dynamodb:PutItem", "outbox"), ("dynamodb:UpdateItem", "conversations")},
    "CountersTable.release": {("dynamodb:UpdateItem", "conversations")},
    "StreamsTable.open": {("dynamodb:GetItem", "calls")},
    "StreamsTable.take": {("dynamodb:GetItem", "calls")},
    "TranscriptionsTable.open": {("dynamodb:GetItem", "calls")},
}
# What no table of ours is asked for: functions to start, engines, and what Lambda itself does in a function's name.
BESIDES: dict[str, set[Grant]] = {
    "bridge": {
        ("lambda:InvokeFunction", "AgentFunctionArn"),
        ("polly:SynthesizeSpeech", "*"),
        ("sqs:ChangeMessageVisibility", "AgentQueue"),
        ("sqs:DeleteMessage", "AgentQueue"),
        ("sqs:GetQueueAttributes", "AgentQueue"),
        ("sqs:ReceiveMessage", "AgentQueue"),
    },
    "bridge-queue": {("sqs:SendMessage", "AgentQueue")},
    "call-session": {("lambda:InvokeFunction", "call-session"), ("transcribe:StartStreamTranscription", "*")},
    "event-relay": {
        ("dynamodb:DescribeStream", "outbox's stream"),
        ("dynamodb:GetRecords", "outbox's stream"),
        ("dynamodb:GetShardIterator", "outbox's stream"),
        ("dynamodb:ListStreams", "outbox's streams"),
        ("sqs:SendMessage", "RelayFailures"),
    },
    "conversation-relay": {("sqs:SendMessage", "RelayTimers")},
    "forget": {
        # Three tables, whichever a page is of.
        *(
            (f"dynamodb:{action}", table)
            for action in ("BatchWriteItem", "Scan", "UpdateItem")
            for table in ("calls", "conversations", "outbox")
        ),
        ("dynamodb:Query", "calls"),
        ("dynamodb:BatchWriteItem", "frames"),
        ("s3:DeleteObject", "media/inbound"),
        ("s3:DeleteObjectVersion", "media/inbound"),
    },
    "media-stream": {("lambda:InvokeFunction", "call-session"), ("sqs:SendMessage", "RelayTimers")},
    "relay-timer": {
        ("sqs:ChangeMessageVisibility", "RelayTimers"),
        ("sqs:DeleteMessage", "RelayTimers"),
        ("sqs:GetQueueAttributes", "RelayTimers"),
        ("sqs:ReceiveMessage", "RelayTimers"),
    },
    "say": {("polly:SynthesizeSpeech", "*")},
    "voice-webhook": {
        ("lambda:InvokeFunction", "call-session"),
        ("lambda:InvokeFunction", "conversation-relay"),
        ("lambda:InvokeFunction", "gather-webhook"),
        ("lambda:InvokeFunction", "media-stream"),
        ("lambda:InvokeFunction", "stream-authorizer"),
    },
}
CONNECTIONS = {"post_to_connection": "POST", "delete_connection": "DELETE", "get_connection": "GET"}
WRITES = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem"}
IN_THE_TEMPLATE = {
    "AgentFunctionArn": "AgentFunctionArn",
    "AgentQueue.Arn": "AgentQueue",
    "CallsTable.Arn": "calls",
    "CallsTable.Arn/index/active_calls": "calls/active_calls",
    "ConversationsTable.Arn": "conversations",
    "ConversationsTable.Arn/index/unsettled_sends": "conversations/unsettled_sends",
    "MediaFramesTable.Arn": "frames",
    "OutboxTable.Arn": "outbox",
    "OutboxTable.StreamArn": "outbox's stream",
    "OutboxTable.Arn/stream/*": "outbox's streams",
    "EventBus.Arn": "bus",
    "LedgerKey": "ledger",
    "MediaBucket.Arn": "media",
    "MediaBucket.Arn/*": "media/*",
    "MediaBucket.Arn/inbound/*": "media/inbound",
    "InvocationFailures.Arn": "InvocationFailures",
    "RelayFailures.Arn": "RelayFailures",
    "RelayTimers.Arn": "RelayTimers",
    "ConversationRelayFunction.Arn": "conversation-relay",
    "CallSessionFunction.Arn": "call-session",
    "GatherWebhookFunction.Arn": "gather-webhook",
    "MediaStreamFunction.Arn": "media-stream",
    "StreamAuthorizerFunction.Arn": "stream-authorizer",
}


class Watched:
    """A client of AWS's that notes the first request's grants, and then is broken."""

    def __init__(self) -> None:
        self.grants: set[Grant] = set()

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        def call(**arguments: Any) -> Any:
            self.grants = set(_grants(operation, arguments))
            raise botocore.exceptions.BotoCoreError

        return call


def _grants(operation: str, arguments: dict[str, Any]) -> list[Grant]:
    if operation == "transact_write_items":
        writes = [next(iter(write.items())) for write in arguments["TransactItems"]]
        return [(f"dynamodb:{WRITES[kind]}", write["TableName"]) for kind, write in writes]
    action = "".join(word.capitalize() for word in operation.split("_"))
    if operation.startswith("batch_"):
        return [(f"dynamodb:{action}", table) for table in arguments["RequestItems"]]
    if operation in CONNECTIONS:
        return [("execute-api:ManageConnections", CONNECTIONS[operation])]
    if operation == "put_events":
        return [(f"events:{action}", arguments["Entries"][0]["EventBusName"])]
    if operation == "list_object_versions":
        return [("s3:ListBucketVersions", arguments["Bucket"])]
    if operation in ("put_object", "delete_object"):
        return [(f"s3:{action}", f"{arguments['Bucket']}/{arguments['Key'].split('/')[0]}")]
    if operation in ("head_object", "get_object"):
        return [("s3:GetObject", f"{arguments['Bucket']}/*")]
    if operation == "get_secret_value":
        return [(f"secretsmanager:{action}", arguments["SecretId"])]
    index = f"/{arguments['IndexName']}" if "IndexName" in arguments else ""
    return [(f"dynamodb:{action}", arguments["TableName"] + index)]


def needed(method: str) -> set[Grant]:
    """What a method of an adapter asks of AWS."""
    client = Watched()
    with pytest.raises(StorageUnavailable):
        on_aws(client)[method]()
    assert client.grants
    return client.grants | AFTERWARDS.get(method, set())


def allowed(function: dict[str, Any]) -> set[Grant]:
    """What the template lets a function do."""
    statements = [one for policy in function["Properties"].get("Policies", []) for one in policy["Statement"]]
    return {
        (action, _resource(resource))
        for statement in statements
        for action in _as_list(statement["Action"])
        for resource in _as_list(statement["Resource"])
    }


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _resource(written: Any) -> str:
    if isinstance(written, str):
        return written
    ((function, value),) = written.items()
    if function == "Fn::If":
        resources = {"MakesSecret": "signing secret", "HasApiKey": "REST secret", "HasMediaSourceBucket": "source/*"}
        return resources[value[0]]
    name = ".".join(value) if isinstance(value, list) else value.replace("${", "").replace("}", "")
    if "/@connections/" in name:
        api, _, method = name.removesuffix("/@connections/*").rpartition("/")
        assert api.endswith(":WebSocketApi/live")
        return str(method)
    if ":function:" in name:
        return str(name.rpartition("AWS::StackName-")[2])
    return IN_THE_TEMPLATE[name]


def functions(source: dict[str, Any]) -> dict[str, Any]:
    """The functions by the names of their folders, with dashes."""
    found = [one for one in source["Resources"].values() if one["Type"] == "AWS::Serverless::Function"]
    return {one["Properties"]["CodeUri"].removeprefix("functions/").replace("_", "-"): one for one in found}


def test_every_function_is_known_here(source: dict[str, Any]) -> None:
    assert set(USES) == set(functions(source))


@pytest.mark.parametrize("name", USES)
def test_a_function_may_do_exactly_what_it_does(source: dict[str, Any], name: str) -> None:
    does = {grant for method in USES[name] for grant in needed(method)} | BESIDES.get(name, set())

    assert allowed(functions(source)[name]) == does


def test_nobody_reads_both_secrets_and_who_answers_webhooks_cannot_call_twilio(source: dict[str, Any]) -> None:
    readers: dict[str, set[str]] = {}
    for name, function in functions(source).items():
        for action, resource in allowed(function):
            if action == "secretsmanager:GetSecretValue":
                readers.setdefault(resource, set()).add(name)

    assert readers.keys() == {"signing secret", "REST secret", "ledger"}
    signing, rest = readers["signing secret"], readers["REST secret"]
    assert not signing & rest
    assert {name for name in functions(source) if name.endswith("webhook")} | {
        "conversation-relay",
        "media-stream",
        "stream-authorizer",
    } == signing
    assert rest == {
        "bridge",
        "configure-number",
        "control-call",
        "copy-media",
        "forget",
        "make-call",
        "reconcile",
        "run-action",
        "say",
        "send-mms",
        "send-sms",
    }
    # Who may know whether somebody said STOP, or makes or checks links to media.
    assert readers["ledger"] == {
        "bridge",
        "run-action",
        "send-mms",
        "send-sms",
        "serve-media",
        "sms-webhook",
        "status-webhook",
    }


@pytest.mark.parametrize("name", ["send-sms", "send-mms", "make-call", "run-action", "control-call"])
def test_what_sends_and_calls_cannot_read_history(source: dict[str, Any], name: str) -> None:
    """Items whose keys it knows, claims and the ledger, and no conversation."""
    reads = {action for action, resource in allowed(functions(source)[name]) if resource.startswith("conversations")}

    assert not reads & {"dynamodb:BatchGetItem", "dynamodb:Query", "dynamodb:Scan"}


def test_what_points_the_numbers_reaches_no_conversation(source: dict[str, Any]) -> None:
    (policy,) = functions(source)["configure-number"]["Properties"]["Policies"]
    (statement,) = [one for one in policy["Statement"] if "dynamodb:Query" in one["Action"]]

    assert statement["Condition"] == {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": [PARTITION]}}


@pytest.mark.parametrize(
    ("parameters", "rest"),
    [
        ({"TwilioAuthToken": "t"}, "TwilioSecret"),
        ({"TwilioSecretName": "mine"}, "mine"),
        ({"TwilioAuthToken": "t", "TwilioApiKeySid": "SK1", "TwilioApiKeySecret": "k"}, "TwilioApiKey"),
        ({"TwilioSecretName": "mine", "TwilioApiKeySid": "SK1", "TwilioApiKeySecret": "k"}, "TwilioApiKey"),
        ({"TwilioSecretName": "mine", "TwilioApiKeySecretName": "key"}, "key"),
    ],
)
def test_the_api_key_is_used_where_there_is_one_and_the_token_only_where_there_is_none(
    source: dict[str, Any], parameters: dict[str, str], rest: str
) -> None:
    given = {
        name: parameters.get(name, "") for name, one in source["Parameters"].items() if "Secret" in name or one.get("NoEcho")
    }
    given["TwilioApiKeySid"] = parameters.get("TwilioApiKeySid", "")
    variables = functions(source)["send-sms"]["Properties"]["Environment"]["Variables"]

    assert _resolved(source, variables["TWILIO_REST_SECRET"], given) == rest
    (statement,) = [
        one
        for one in functions(source)["send-sms"]["Properties"]["Policies"][0]["Statement"]
        if one["Action"] == "secretsmanager:GetSecretValue" and one["Resource"] != {"Ref": "LedgerKey"}
    ]
    granted = _resolved(source, statement["Resource"], given)
    assert granted == rest or granted.endswith(f":secret:{rest}-??????")


def _resolved(source: dict[str, Any], value: Any, given: dict[str, str]) -> str:
    """What an expression comes to: resources by their names."""
    if isinstance(value, str):
        return value
    ((function, argument),) = value.items()
    if function == "Fn::If":
        condition, if_true, if_false = argument
        return _resolved(source, if_true if _holds(source, source["Conditions"][condition], given) else if_false, given)
    if function == "Fn::Sub":
        for name, text in given.items():
            argument = argument.replace(f"${{{name}}}", text)
        return str(argument)
    return str(given.get(argument, argument))


def _holds(source: dict[str, Any], condition: dict[str, Any], given: dict[str, str]) -> bool:
    ((function, argument),) = condition.items()
    if function == "Condition":
        return _holds(source, source["Conditions"][argument], given)
    if function == "Fn::Not":
        return not _holds(source, argument[0], given)
    if function == "Fn::Or":
        return any(_holds(source, one, given) for one in argument)
    left, right = (_resolved(source, one, given) for one in argument)
    return left == right
