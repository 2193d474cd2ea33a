from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws

from tools import replay as tool
from tools.replay import Refused, Replay, prepare

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_events import EventBridgeClient

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
_numbers = itertools.count()
REPLAY = Replay(
    "phone-1", "arn:aws:events:::archive/a", "arn:aws:events:::event-bus/phone", ("arn:rule",), NOON, NOON + timedelta(hours=4)
)


@pytest.fixture(scope="module")
def aws() -> Iterator[None]:
    with mock_aws():
        yield


@pytest.fixture
def events(aws: None) -> EventBridgeClient:
    return boto3.client("events")


@pytest.fixture
def stack(events: EventBridgeClient) -> str:
    """A bus with a rule of the plugin's own; two agents subscribe to it, and an archive keeps what comes."""
    name = f"phone{next(_numbers)}"
    arn = events.create_event_bus(Name=name)["EventBusArn"]
    for rule in (f"{name}-own", "old-agent", "new-agent"):
        events.put_rule(Name=rule, EventBusName=name, EventPattern='{"source": ["twilio.plugin"]}')
    events.create_archive(ArchiveName=f"{name}-events", EventSourceArn=arn)
    return name


@pytest.fixture
def cloudformation(stack: str) -> Iterator[CloudFormationClient]:
    """It knows the plugin's stack, and nothing else."""
    client = boto3.client("cloudformation")
    with Stubber(client) as stub:
        rule = {"ResourceType": "AWS::Events::Rule", "PhysicalResourceId": f"{stack}|{stack}-own"}
        bus = {"ResourceType": "AWS::Events::EventBus", "PhysicalResourceId": stack}
        about = {"LogicalResourceId": "X", "LastUpdatedTimestamp": NOON, "ResourceStatus": "CREATE_COMPLETE"}
        stub.add_response("list_stack_resources", {"StackResourceSummaries": [about | rule, about | bus]}, {"StackName": stack})
        yield client


def prepared(events: EventBridgeClient, cloudformation: CloudFormationClient, stack: str, *rules: str, **more: Any) -> Replay:
    return prepare(events, cloudformation, stack, rules=rules, **{"start": NOON, "end": NOON + timedelta(hours=4)} | more)


def test_only_the_rule_that_is_named_gets_the_events(
    events: EventBridgeClient, cloudformation: CloudFormationClient, stack: str
) -> None:
    replay = prepared(events, cloudformation, stack, "new-agent")

    (rule,) = replay.rule_arns
    assert rule.endswith("/new-agent")
    assert replay.archive_arn.endswith(f"/{stack}-events")
    assert replay.bus_arn.endswith(f"/{stack}")


def test_all_rules_are_all_but_the_plugins_own(
    events: EventBridgeClient, cloudformation: CloudFormationClient, stack: str
) -> None:
    replay = prepared(events, cloudformation, stack, all_rules=True)

    assert {arn.rpartition("/")[2] for arn in replay.rule_arns} == {"old-agent", "new-agent"}


@pytest.mark.parametrize(
    ("rules", "why"),
    [
        ((), "would get the events, and answer people again.*new-agent, old-agent"),
        (("newagent",), "There is no rule newagent.*new-agent, old-agent"),
        (("new-agent", "{stack}-own"), "is the plugin's own rule"),
    ],
)
def test_what_would_do_harm_is_refused_with_the_way_out(
    events: EventBridgeClient, cloudformation: CloudFormationClient, stack: str, rules: tuple[str, ...], why: str
) -> None:
    with pytest.raises(Refused, match=why):
        prepared(events, cloudformation, stack, *(rule.format(stack=stack) for rule in rules))


def test_a_stack_without_an_archive_is_told_where_one_comes_from(
    events: EventBridgeClient, cloudformation: CloudFormationClient, stack: str
) -> None:
    events.delete_archive(ArchiveName=f"{stack}-events")

    with pytest.raises(Refused, match="extras/replay"):
        prepared(events, cloudformation, stack, "new-agent")


def test_a_time_that_runs_backwards_is_refused(
    events: EventBridgeClient, cloudformation: CloudFormationClient, stack: str
) -> None:
    with pytest.raises(Refused, match="is not before"):
        prepared(events, cloudformation, stack, "new-agent", start=NOON, end=NOON)


def test_a_replay_is_started_with_its_rules_and_followed_to_its_end() -> None:
    client = boto3.client("events")
    said: list[str] = []
    pauses: list[float] = []
    with Stubber(client) as stub:
        stub.add_response(
            "start_replay",
            {"State": "STARTING"},
            {
                "ReplayName": "phone-1",
                "EventSourceArn": REPLAY.archive_arn,
                "EventStartTime": NOON,
                "EventEndTime": NOON + timedelta(hours=4),
                "Destination": {"Arn": REPLAY.bus_arn, "FilterArns": ["arn:rule"]},
            },
        )
        asked = {"ReplayName": "phone-1"}
        stub.add_response("describe_replay", {"State": "STARTING"}, asked)
        halfway = {"State": "RUNNING", "EventLastReplayedTime": NOON + timedelta(hours=2)}
        stub.add_response("describe_replay", halfway, asked)
        stub.add_response("describe_replay", {"State": "FAILED", "StateReason": "the bus is gone"}, asked)

        assert tool.run(client, REPLAY, say=said.append, sleep=pauses.append) == "FAILED"

    assert said == ["starting", "running: events up to 2026-11-28 14:00:00 UTC (50%)", "failed", "the bus is gone"]
    assert len(pauses) == 2


@pytest.fixture
def clients(events: EventBridgeClient, cloudformation: CloudFormationClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command's own clients are these."""
    made = {"events": events, "cloudformation": cloudformation}
    monkeypatch.setattr("tools.replay.boto3.client", lambda service, **_: made[service])
    monkeypatch.setattr("tools.replay.time.sleep", lambda _: None)


@pytest.mark.usefixtures("clients")
def test_the_command_replays_and_warns_of_what_is_too_old_to_be_known_again(
    stack: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tool.main(["--stack-name", stack, "--rule", "new-agent", "--from", "3d"]) == 0

    shown = capsys.readouterr().out
    assert "new-agent" in shown
    assert "old-agent" not in shown
    assert "older than 24 hours" in shown
    assert "completed" in shown


@pytest.mark.usefixtures("clients")
@pytest.mark.parametrize("when", ["soon", "2026-13-01"])
def test_the_command_refuses_a_time_that_is_none(stack: str, capsys: pytest.CaptureFixture[str], when: str) -> None:
    assert tool.main(["--stack-name", stack, "--rule", "new-agent", "--from", when]) == 1
    assert f"{when!r} is no time" in capsys.readouterr().err


def test_the_command_says_what_aws_refused(aws: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert tool.main(["--stack-name", "nowhere", "--rule", "new-agent"]) == 1
    assert "refused" in capsys.readouterr().err
