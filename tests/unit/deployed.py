"""A stack as the template deploys it: its tables, bus and secret on moto, and AWS's other APIs on a server of our own."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlencode

import boto3

from tests.unit.http_server import Answer, Server
from tests.unit.test_http import request
from tests.unit.test_twilio_signature import Fields, sign
from twilio_plugin.domain.guards import Limits

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PUBLIC, SOCKET = "https://example.com/webhooks/twilio", "wss://example.com/live"
OURS, THEIRS = "+14155550100", "+14155550123"


@dataclass
class Stack:
    """`aws` is where API Gateway's connections and Lambda's invocations are served; it takes everything."""

    dynamodb: DynamoDBClient
    aws: Server
    conversations: str
    outbox: str
    calls: str
    frames: str
    secret: str = field(init=False)
    queue_url: str = field(init=False)
    timers_url: str = field(init=False)

    def __post_init__(self) -> None:
        self.secret = f"twilio-{self.outbox}"
        boto3.client("secretsmanager").create_secret(Name=self.secret, SecretString='{"auth_token": "first"}')
        boto3.client("secretsmanager").create_secret(Name=self.ledger, SecretString="a ledger's key")
        boto3.client("s3").create_bucket(Bucket=self.bucket, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        boto3.client("events").create_event_bus(Name=self.bus)
        queue = boto3.client("sqs").create_queue(QueueName=f"{self.bus}.fifo", Attributes={"FifoQueue": "true"})
        self.queue_url = queue["QueueUrl"]
        self.timers_url = boto3.client("sqs").create_queue(QueueName=f"{self.bus}-timers")["QueueUrl"]
        self.aws.reset()
        self.aws.script = [Answer(200, "{}")]

    @classmethod
    def deploy(cls, dynamodb: DynamoDBClient, new_table: Callable[[str], str], aws: Server) -> Stack:
        names = ("ConversationsTable", "OutboxTable", "CallsTable", "MediaFramesTable")
        return cls(dynamodb, aws, *map(new_table, names))

    @property
    def bus(self) -> str:
        return f"phone-{self.outbox[-16:]}"

    @property
    def ledger(self) -> str:
        return f"ledger-{self.outbox}"

    @property
    def bucket(self) -> str:
        """The bucket of media."""
        return f"media-{self.outbox[-16:]}"

    @property
    def environment(self) -> dict[str, str]:
        """What the functions are told, all of them together, and where boto3 finds Lambda."""
        return {
            "AGENT_ATTEMPTS": "4",
            "AGENT_FUNCTION": "arn:aws:lambda:eu-central-1:123456789012:function:agent",
            "AGENT_QUEUE_URL": self.queue_url,
            "AWS_ENDPOINT_URL_LAMBDA": self.aws.url,
            "CALL_SESSION_FUNCTION": "phone-call-session",
            "CALLS_TABLE": self.calls,
            "CONVERSATION_RELAY_FUNCTION": "phone-conversation-relay",
            "CONVERSATIONS_TABLE": self.conversations,
            "ENDPOINTING_MILLISECONDS": "700",
            "EVENT_BUS_NAME": self.bus,
            "GATHER_WEBHOOK_FUNCTION": "phone-gather-webhook",
            "GREETING": "Hello.",
            "COPY_MEDIA": "true",
            "GUARDS": guards(),
            "LANGUAGE": "en-GB",
            "LEDGER_SECRET": self.ledger,
            "MAX_MEDIA_BYTES": "1048576",
            "MEDIA_BUCKET": self.bucket,
            "MEDIA_BUCKETS": self.bucket,
            "MEDIA_FRAMES_TABLE": self.frames,
            "MEDIA_STREAM_FUNCTION": "phone-media-stream",
            "OUTBOX_TABLE": self.outbox,
            "RELAY_ATTRIBUTES": '{"language": "en-GB", "voice": "", "interruptible": "any"}',
            "RELAY_TIMERS_URL": self.timers_url,
            "PARTIAL_TRANSCRIPTS": "false",
            "PHONE_DEFAULT_REGION": "US",
            "REPLY_TIMEOUT": "30",
            "RETENTION_DAYS": "365",
            "SAY_VOICE": "Polly.Amy-Neural",
            "STREAM_AUTHORIZER_FUNCTION": "phone-stream-authorizer",
            "TIMER_ATTEMPTS": "4",
            "SYNTHESIZER": "tests.unit.engines:Metronome",
            "TRANSCRIBER": "tests.unit.engines:Deaf",
            "TURNS_PER_HOUR": "60",
            "TWILIO_ACCOUNT_SID": "AC1",
            "TWILIO_API_BASE_URL": "http://127.0.0.1:9",
            "TWILIO_PHONE_NUMBER": OURS,
            "TWILIO_REST_SECRET": self.secret,
            "TWILIO_SECRET": self.secret,
            "TWILIO_WEBHOOK_URL": PUBLIC,
            "TWILIO_WEBSOCKET_URL": SOCKET,
            "VOICE": "Wooden",
            "VOICE_MODE": "stream",
            "WEBSOCKET_MANAGEMENT_URL": f"{self.aws.url}/live",
        }

    def rotate(self, *tokens: str) -> None:
        """The newest token first."""
        fields = dict(zip(("auth_token", "previous_auth_token"), tokens, strict=False))
        boto3.client("secretsmanager").put_secret_value(SecretId=self.secret, SecretString=json.dumps(fields))

    def outbox_rows(self) -> list[Any]:
        return list(self.dynamodb.scan(TableName=self.outbox)["Items"])

    def announced(self) -> list[tuple[str, dict[str, Any]]]:
        """Type and detail of the events since the last look, by their types; the outbox is empty after it."""
        rows = self.outbox_rows()
        for row in rows:
            self.dynamodb.delete_item(TableName=self.outbox, Key={"event_id": row["event_id"]})
        found = [(row["detail_type"]["S"], json.loads(row["detail"]["S"])) for row in rows]
        return sorted(found, key=lambda one: one[0])

    def kept(self, table: str) -> dict[str, Any]:
        """The items of a table by their range keys, each attribute as its text."""
        items = self.dynamodb.scan(TableName=table)["Items"]
        plain: list[dict[str, Any]] = [{name: next(iter(value.values())) for name, value in item.items()} for item in items]
        return {item.get("sk") or item["sequence_number"]: item for item in plain}

    def invoked(self) -> list[tuple[str, Any]]:
        """The functions that were invoked since the last look, with their payloads, by their names."""
        found = [(path.split("/")[-2], json.loads(body)) for _, path, body in self._asked("/functions/")]
        return sorted(found, key=lambda one: one[0])

    def sent(self) -> list[tuple[str, str, Any]]:
        """What was asked of connections since the last look, in order: method, connection, message."""
        found = self._asked("/@connections/")
        return [(method, path.rpartition("/")[2], json.loads(body) if body else None) for method, path, body in found]

    def _asked(self, part: str) -> list[tuple[str, str, str]]:
        found = [one for one in self.aws.asked if part in unquote(one.path)]
        self.aws.asked = [one for one in self.aws.asked if one not in found]
        return [(one.method, unquote(one.path), one.body) for one in found]


def guards(**limits: Any) -> str:
    """The variable GUARDS: these limits, and no others."""
    off = {field.name: 0 for field in dataclasses.fields(Limits)}
    lists = {"allowed_countries": "", "inbound_allow_list": "", "source_cidrs": ""}
    return json.dumps(off | lists | {"max_call_seconds": 14_400} | limits)


def webhook(fields: dict[str, str], *, path: str = "/sms", query: str = "", token: str = "first") -> dict[str, Any]:
    """A request of Twilio's, as API Gateway passes it on."""
    url = f"{PUBLIC}{path}" + (f"?{query}" if query else "")
    signature = sign(url, Fields(fields.items()), token)
    return request(urlencode(fields), signature, path=f"/webhooks/twilio{path}", query=query)
