"""Feed a new agent what happened before: ``python -m tools.replay`` (``make replay``).

Replays the events of an archive (extras/replay) onto the plugin's bus, but only to the rules that are named: another agent on
the same bus would answer people a second time. The plugin's own rules never get any.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from tools.logs import DEFAULT_STACK, moment
from twilio_plugin.adapters.claims import KEPT_DAYS

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_events import EventBridgeClient

_OVER = {"COMPLETED", "CANCELLED", "FAILED"}
_POLL_SECONDS = 5.0
_IDEMPOTENCY_HOURS = KEPT_DAYS * 24


class Refused(Exception):
    """It cannot be done as it was asked for; the message says what to do instead."""


@dataclass(frozen=True, slots=True)
class Replay:
    """What to replay to whom."""

    name: str
    archive_arn: str
    bus_arn: str
    rule_arns: tuple[str, ...]
    start: datetime
    end: datetime


def prepare(
    events: EventBridgeClient,
    cloudformation: CloudFormationClient,
    stack: str,
    *,
    start: datetime,
    end: datetime,
    rules: Sequence[str],
    all_rules: bool = False,
) -> Replay:
    """Find the bus, the archive and the rules.

    Raises:
        Refused: one of them is not there, is the plugin's own, or nobody was named.
    """
    if start >= end:
        raise Refused(f"FROM ({start:%Y-%m-%d %H:%M}) is not before TO ({end:%Y-%m-%d %H:%M}).")
    there = _rules(events, stack)
    own = _own_rules(cloudformation, stack)
    others = {name: arn for name, arn in there.items() if name not in own}
    wanted = list(others) if all_rules else list(rules)
    known = ", ".join(sorted(others)) or "none yet: deploy the new agent first"
    if not wanted:
        raise Refused(
            "Name the new agent's rule: RULE=…. Without one, every agent on the bus would get the events, and answer people "
            f"again. Rules of agents on {stack}: {known}."
        )
    for name in wanted:
        if name in own:
            raise Refused(f"{name} is the plugin's own rule: it would do to calls again what it did. Rules of agents: {known}.")
        if name not in others:
            raise Refused(f"There is no rule {name} on the bus {stack}. Rules of agents: {known}.")
    return Replay(
        name=f"{stack}-{datetime.now(UTC):%Y%m%dT%H%M%S}",
        archive_arn=_archive(events, stack),
        bus_arn=events.describe_event_bus(Name=stack)["Arn"],
        rule_arns=tuple(others[name] for name in wanted),
        start=start,
        end=end,
    )


def run(
    events: EventBridgeClient, replay: Replay, *, say: Callable[[str], None], sleep: Callable[[float], None] = time.sleep
) -> str:
    """Start it and tell how far it is, until it is over. Returns EventBridge's last state of it."""
    events.start_replay(
        ReplayName=replay.name,
        EventSourceArn=replay.archive_arn,
        EventStartTime=replay.start,
        EventEndTime=replay.end,
        Destination={"Arn": replay.bus_arn, "FilterArns": list(replay.rule_arns)},
    )
    while True:
        now = events.describe_replay(ReplayName=replay.name)
        say(f"{now['State'].lower()}{_progress(now, replay)}")
        if now["State"] in _OVER:
            if reason := now.get("StateReason"):
                say(reason)
            return now["State"]
        sleep(_POLL_SECONDS)


def _progress(now: Any, replay: Replay) -> str:
    last = now.get("EventLastReplayedTime")
    if last is None:
        return ""
    share = (last - replay.start) / (replay.end - replay.start)
    return f": events up to {last.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC ({min(max(share, 0.0), 1.0):.0%})"


def _rules(events: EventBridgeClient, bus: str) -> dict[str, str]:
    """ARNs by name."""
    found: dict[str, str] = {}
    for page in events.get_paginator("list_rules").paginate(EventBusName=bus):
        # What EventBridge made for its own archives is no agent's.
        found |= {rule["Name"]: rule["Arn"] for rule in page["Rules"] if not rule.get("ManagedBy")}
    return found


def _own_rules(cloudformation: CloudFormationClient, stack: str) -> set[str]:
    names: set[str] = set()
    for page in cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack):
        for resource in page["StackResourceSummaries"]:
            if resource["ResourceType"] == "AWS::Events::Rule":
                # `bus|rule` where the rule is on a bus of its own.
                names.add(resource.get("PhysicalResourceId", "").rpartition("|")[2])
    return names


def _archive(events: EventBridgeClient, stack: str) -> str:
    name = f"{stack}-events"
    try:
        return events.describe_archive(ArchiveName=name)["ArchiveArn"]
    except events.exceptions.ResourceNotFoundException as error:
        raise Refused(
            f"There is no archive {name}. Deploy extras/replay beside the plugin; it keeps what happens from then on."
        ) from error


def _moment(written: str, now: datetime) -> datetime:
    """``24h``, ``now``, or ISO 8601; UTC where no zone is written."""
    if written == "now":
        return now
    try:
        return moment(written, now)
    except ValueError:
        pass
    try:
        at = datetime.fromisoformat(written)
    except ValueError as error:
        raise Refused(f"{written!r} is no time: write 24h, now, or one like 2026-11-28T09:00.") from error
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make replay", description="Replay events to a new agent's rule.")
    parser.add_argument("--stack-name", default="", help="STACK=: the plugin's stack")
    parser.add_argument("--from", default="", dest="start", help="FROM=: 24h, or a time like 2026-11-28T09:00 (default: 24h)")
    parser.add_argument("--to", default="", dest="end", help="TO=: likewise (default: now)")
    parser.add_argument("--rule", default="", help="RULE=: the new agent's rule; several with commas")
    parser.add_argument("--all", nargs="?", const="1", default="", help="ALL=1: every rule but the plugin's own")
    parser.add_argument("--region", default="", help="REGION=: where the stack is")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """0 if everything was replayed."""
    asked = _arguments(argv)
    now = datetime.now(UTC)
    try:
        events = boto3.client("events", region_name=asked.region or None)
        replay = prepare(
            events,
            boto3.client("cloudformation", region_name=asked.region or None),
            asked.stack_name or DEFAULT_STACK,
            start=_moment(asked.start or "24h", now),
            end=_moment(asked.end or "now", now),
            rules=[name.strip() for name in asked.rule.split(",") if name.strip()],
            all_rules=bool(asked.all),
        )
        print(f"Replaying {replay.start:%Y-%m-%d %H:%M} to {replay.end:%Y-%m-%d %H:%M} UTC to:", *replay.rule_arns, sep="\n  ")
        if now.timestamp() - replay.start.timestamp() > _IDEMPOTENCY_HOURS * 3600:
            print(
                f"Some of it is older than {_IDEMPOTENCY_HOURS} hours: an idempotency key no longer keeps an answer to it from "
                "being sent again. An agent that should only learn must not send: events of a replay have `replay-name`."
            )
        return _watched(events, replay)
    except Refused as refusal:
        print(refusal, file=sys.stderr)
        return 1
    except (BotoCoreError, ClientError) as error:
        print(f"EventBridge or CloudFormation refused: {error}", file=sys.stderr)
        return 1


def _watched(events: EventBridgeClient, replay: Replay) -> int:
    try:
        return 0 if run(events, replay, say=lambda words: print(f"  {words}")) == "COMPLETED" else 1
    except KeyboardInterrupt:
        print(f"\nIt goes on. To stop it: aws events cancel-replay --replay-name {replay.name}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
