"""The local stack as measurements use it: the real template deployed, and functions run beside it with its own environment."""

from __future__ import annotations

import io
import itertools
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from local.engine import CREDENTIALS, ROOT
from local.stack import STACK_NAME, LocalStack
from local.twilio.standin import TwilioStandIn
from tests.bench.layout import Layout
from tests.bench.payloads import Payload, Twilio
from twilio_plugin.adapters.dynamodb import plain, typed
from twilio_plugin.adapters.streams import stream_key

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

BATCH = 25  # BatchWriteItem takes no more
# Guards that count and refuse nothing.
_OUT_OF_REACH = {
    "TextsPerRecipientPerDay": "1000000",
    "SegmentsPerDay": "100000000",
    "CallsPerRecipientPerDay": "1000000",
    "CallMinutesPerDay": "100000000",
    "InboundTextsPerSenderPerHour": "1000000",
}


class Stage:
    """Use as a context manager. Functions are named as their folders are."""

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        self._stack = LocalStack(folder=folder, say=say)
        self._open = ExitStack()
        self._people = itertools.count(1)

    def __enter__(self) -> Stage:
        with ExitStack() as opening:
            opening.enter_context(self._stack)
            account = self._stack.account
            # Accepts what it is given and delivers nothing: no callbacks come in while something else is measured.
            quiet = TwilioStandIn(account.account_sid, account.auth_token, [account.phone_number], delivery_seconds=3600)
            self._twilio_url = opening.enter_context(quiet).url
            self._stack.deploy(Transcriber="engines:Timed", EngineLayerArn=self._engines(), **_OUT_OF_REACH)
            self.client: Callable[..., Any] = self._stack.engine.client
            self.database: DynamoDBClient = self.client("dynamodb")
            self.twilio = Twilio(account, self._stack.webhook_url)
            self._open = opening.pop_all()
        return self

    def __exit__(self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self._open.close()

    def output(self, name: str) -> str:
        """An output of the stack."""
        return self._stack.outputs[name]

    @property
    def our_number(self) -> str:
        """The stack's number."""
        return self._stack.account.phone_number

    @property
    def account_sid(self) -> str:
        """Of the account."""
        return self._stack.account.account_sid

    @property
    def auth_token(self) -> str:
        """What its webhooks are signed with."""
        return self._stack.account.auth_token

    @property
    def phone(self) -> TwilioStandIn:
        """Where people call us from, and hear us."""
        if self._stack.twilio is None:
            raise RuntimeError("There is no stand-in for Twilio.")
        return self._stack.twilio

    def invoke(self, function: str, payload: Payload) -> Any:
        """Invoke a deployed function; raises InvocationFailed as it does."""
        return self._stack.invoke(function, payload)

    def person(self) -> str:
        """A phone number that was not used before."""
        return f"+1555556{next(self._people):04d}"

    def environment(self, function: str) -> dict[str, str]:
        """The deployed function's variables, with the local engine for AWS."""
        name = f"{STACK_NAME}-{function.replace('_', '-')}"
        deployed = self.client("lambda").get_function_configuration(FunctionName=name)["Environment"]["Variables"]
        own = {"TWILIO_API_BASE_URL": self._twilio_url} if "TWILIO_API_BASE_URL" in deployed else {}
        return {
            **CREDENTIALS,
            **deployed,
            **own,
            "AWS_ENDPOINT_URL": self._stack.engine.url,
            "AWS_LAMBDA_FUNCTION_NAME": name,
        }

    def serve(self, layout: Layout, function: str, payloads: Sequence[Payload]) -> Mapping[str, Any]:
        """What `tests.bench.worker` says of serving these payloads.

        Raises:
            RuntimeError: the handler raised, or refused one of them.
        """
        job = {"path": layout.path(function), "function": function, "payloads": list(payloads)}
        script = str(Path(__file__).with_name("worker.py"))
        done: dict[str, Any] = json.loads(layout.run([script], self.environment(function), given=json.dumps(job)).output)
        if refused := [status for status in done["statuses"] if status >= 300]:
            raise RuntimeError(f"{function} answered {refused}")
        return done

    def find_stream(self, call_sid: str) -> dict[str, Any] | None:
        """The first stream of a call, as the table has it now."""
        key = typed(stream_key(call_sid, 0))
        found = self.database.get_item(TableName=self.output("CallsTableName"), Key=key, ConsistentRead=True).get("Item")
        return plain(found) if found else None

    def stream(self, call_sid: str) -> dict[str, Any]:
        """The same; raises RuntimeError where there is none."""
        if (found := self.find_stream(call_sid)) is None:
            raise RuntimeError(f"{call_sid} has no stream.")
        return found

    def stop_relay(self) -> None:
        """Events stay in the outbox from now on, and the engine has nothing else to do while a function is measured."""
        mappings = self.client("lambda")
        for mapping in mappings.list_event_source_mappings()["EventSourceMappings"]:
            mappings.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)

    def rows(self, table: str) -> Iterator[dict[str, Any]]:
        """Every item of a table, as DynamoDB writes them."""
        for page in self.database.get_paginator("scan").paginate(TableName=table, ConsistentRead=True):
            yield from page["Items"]

    def empty_outbox(self) -> None:
        """Forget all events."""
        outbox = self.output("OutboxTableName")
        self._write(outbox, [{"DeleteRequest": {"Key": {"event_id": row["event_id"]}}} for row in self.rows(outbox)])

    def put(self, table: str, items: Sequence[Mapping[str, Any]]) -> None:
        """Write items, as DynamoDB writes them."""
        self._write(table, [{"PutRequest": {"Item": item}} for item in items])

    def forget(self, table: str, keys: Sequence[Mapping[str, Any]]) -> None:
        """Delete items by their keys, as DynamoDB writes them."""
        self._write(table, [{"DeleteRequest": {"Key": key}} for key in keys])

    def _engines(self) -> str:
        """The local stack's engines in a layer, and the one among ours that says how long it took."""
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as layer:
            for path in sorted((ROOT / "local" / "speech" / "local_speech").glob("*.py")):
                layer.write(path, f"python/local_speech/{path.name}")
            layer.write(Path(__file__).with_name("engines.py"), "python/engines.py")
        published = self._stack.engine.client("lambda").publish_layer_version(
            LayerName="bench-engines", Content={"ZipFile": archive.getvalue()}
        )
        return str(published["LayerVersionArn"])

    def _write(self, table: str, requests: Sequence[Any]) -> None:
        for at in range(0, len(requests), BATCH):
            self.database.batch_write_item(RequestItems={table: requests[at : at + BATCH]})
