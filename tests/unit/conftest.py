"""The tables of `template.yaml` on moto, the ports on fakes or on those tables, and no network but the loopback's."""

from __future__ import annotations

import io
import os
import socket
import uuid
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
import yaml
from hypothesis import settings
from moto import mock_aws

from tests.unit.deployed import Stack
from tests.unit.fakes import FakeClock, FakeWorld, LambdaContext, World
from tests.unit.fakes_streams import FakeStreamWorld, StreamWorld, real_stream_world
from tests.unit.http_server import Server, running
from twilio_plugin.adapters.conversations import ConversationsTable
from twilio_plugin.adapters.dynamodb import DynamoDB
from twilio_plugin.adapters.history import HistoryTable
from twilio_plugin.adapters.outbox import OutboxTable
from twilio_plugin.adapters.sends import SendsTable
from twilio_plugin.runtime.observability import logger
from twilio_plugin.runtime.wiring import parts

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TEMPLATE = Path(__file__).parents[2] / "template.yaml"
_OF_A_TABLE = ("KeySchema", "AttributeDefinitions", "GlobalSecondaryIndexes", "BillingMode")

# Examples add up from run to run; a busy machine is no failure.
settings.register_profile("unit", max_examples=50, deadline=None)
settings.load_profile("unit")


class _Template(yaml.SafeLoader):
    """YAML with CloudFormation's short forms, each read as the value behind its tag."""


def _behind_the_tag(loader: yaml.SafeLoader, _tag: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_scalar(node)  # type: ignore[arg-type]


_Template.add_multi_constructor("!", _behind_the_tag)


@cache
def deployed_tables() -> dict[str, dict[str, Any]]:
    """What `create_table` needs of every table in the template, by logical name."""
    resources = yaml.load(TEMPLATE.read_text(), _Template)["Resources"]  # a SafeLoader
    return {
        name: {key: resource["Properties"][key] for key in _OF_A_TABLE if key in resource["Properties"]}
        for name, resource in resources.items()
        if resource["Type"] == "AWS::DynamoDB::Table"
    }


@pytest.fixture(scope="package", autouse=True)
def _no_account() -> Iterator[None]:
    """Nobody's AWS account, profile or proxy gets into these tests; other test folders keep theirs."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.upper().startswith("AWS_") or name.upper().endswith("_PROXY"):
                patch.delenv(name)
        for name, value in {"ACCESS_KEY_ID": "none", "SECRET_ACCESS_KEY": "none", "DEFAULT_REGION": "eu-central-1"}.items():
            patch.setenv(f"AWS_{name}", value)
        yield


@pytest.fixture(scope="package", autouse=True)
def _no_network() -> Iterator[None]:
    connect = socket.socket.connect

    def only_loopback(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise AssertionError(f"A unit test wants to connect to {address}.")
        connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", only_loopback)
        yield


@pytest.fixture(scope="module")
def dynamodb() -> Iterator[DynamoDBClient]:
    """A client of moto's DynamoDB; all of moto is on while a module uses it."""
    with mock_aws():
        yield boto3.client("dynamodb")


@pytest.fixture
def new_table(dynamodb: DynamoDBClient) -> Iterator[Callable[[str], str]]:
    """Make a fresh table as the template has it, and give its name."""
    made: list[str] = []

    def make(logical_name: str) -> str:
        made.append(f"{logical_name}-{uuid.uuid4().hex}")
        dynamodb.create_table(TableName=made[-1], **deployed_tables()[logical_name])
        return made[-1]

    yield make
    for name in made:  # moto copies every table there is at each transaction
        dynamodb.delete_table(TableName=name)


@pytest.fixture
def real_world(dynamodb: DynamoDBClient, new_table: Callable[[str], str]) -> World:
    """The ports on the deployed tables."""
    clock, database, table = FakeClock(), DynamoDB(dynamodb), new_table("ConversationsTable")
    outbox = OutboxTable(database, new_table("OutboxTable"))
    conversations = ConversationsTable(database, table, outbox, retention_days=365, ledger_key=lambda: b"a ledger's key")
    sends = SendsTable(database, table, outbox, conversations, clock)
    return World(outbox, conversations, sends, HistoryTable(database, table), clock)


@pytest.fixture
def fake_world() -> FakeWorld:
    """The ports in memory."""
    return FakeWorld.new()


@pytest.fixture(params=["fake", "dynamodb"])
def world(request: pytest.FixtureRequest) -> World:
    """Once the one, once the other."""
    found: World = request.getfixturevalue({"fake": "fake_world", "dynamodb": "real_world"}[request.param])
    return found


@pytest.fixture(params=["fake", "dynamodb"])
def stream_world(request: pytest.FixtureRequest) -> StreamWorld:
    """Once the one, once the other; another test folder can bring a third."""
    if request.param == "fake":
        return FakeStreamWorld.new()
    return real_stream_world(request.getfixturevalue("dynamodb"), request.getfixturevalue("new_table"))


@pytest.fixture(scope="module")
def aws() -> Iterator[Server]:
    """APIs of AWS that moto does not have as we need them."""
    with running() as server:
        yield server


@pytest.fixture
def stack(
    dynamodb: DynamoDBClient, new_table: Callable[[str], str], aws: Server, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Stack]:
    """A deployed stack, whose environment every function has."""
    stack = Stack.deploy(dynamodb, new_table, aws)
    for name, value in stack.environment.items():
        monkeypatch.setenv(name, value)
    parts.dynamodb.cache_clear()
    parts.s3.cache_clear()
    yield stack
    parts.dynamodb.cache_clear()
    parts.s3.cache_clear()


@pytest.fixture
def context() -> LambdaContext:
    """Lambda's second argument."""
    return LambdaContext()


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What the plugin's logger writes."""
    written = io.StringIO()
    handler: Any = logger.registered_handler
    before = handler.setStream(written)
    yield written
    handler.setStream(before)
