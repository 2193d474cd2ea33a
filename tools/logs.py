"""Show a stack's logs, all functions in one order: ``python -m tools.logs`` (``make logs``).

Of the local stack if one is up here and no other is named; else of the stack in the AWS account that boto3 finds.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError, NoRegionError

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient

STACK_JSON = Path(__file__).resolve().parent.parent / ".local" / "stack.json"
DEFAULT_STACK = "twilio-plugin"
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_POLL_SECONDS = 2.0
_LATE = timedelta(seconds=10)  # CloudWatch shows a line some seconds after it was written
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_SHOWN_APART = {"level", "location", "message", "timestamp", "service", "_aws"}
# What is the same in every line of a function, or only of use to machines.
_LEFT_OUT = {"cold_start", "function_arn", "function_memory_size", "function_name", "function_request_id", "xray_trace_id"}
_COLOURS = {"WARNING": "33", "ERROR": "31", "CRITICAL": "31"}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a function's log."""

    at: datetime
    function: str
    """Without the stack's name."""
    fields: dict[str, Any]
    event_id: str
    """CloudWatch's own, by which a line is known again."""

    @property
    def level(self) -> str:
        return str(self.fields.get("level", "INFO"))

    def __str__(self) -> str:
        facts = [
            f"{name}={value if isinstance(value, str) else json.dumps(value)}"
            for name, value in self.fields.items()
            if name not in _SHOWN_APART | _LEFT_OUT
        ]
        head = f"{self.at:%H:%M:%S.%f}"[:-3] + f"  {self.function:<20} {self.level:<8} {self.fields.get('message', '')}"
        return "  ".join([head, *facts])


def lines(
    logs: CloudWatchLogsClient, stack: str, *, since: datetime, about: str | None = None, level: str = "DEBUG"
) -> list[Line]:
    """The plugin's own lines since a moment, oldest first: those that hold the words `about`, of this level and above."""
    prefix = f"/aws/lambda/{stack}-"
    found: list[Line] = []
    for page in logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=prefix):
        for group in page["logGroups"]:
            found += _lines_of(logs, group["logGroupName"], prefix, since, about)
    wanted = LEVELS[LEVELS.index(level) :]
    return sorted((line for line in found if line.level in wanted), key=lambda line: line.at)


def moment(ago: str, now: datetime) -> datetime:
    """``90s``, ``10m``, ``2h``, ``1d``: so long before now. Raises ValueError."""
    match = re.fullmatch(r"(\d+)([smhd])", ago)
    if not match:
        raise ValueError(f"{ago!r} is no time: write 90s, 10m, 2h or 1d.")
    return now - timedelta(**{_UNITS[match[2]]: int(match[1])})


def follow(logs: CloudWatchLogsClient, stack: str, *, since: datetime, about: str | None, level: str) -> Iterator[Line]:
    """Lines as they come, each once. Does not end."""
    seen: set[str] = set()
    while True:
        there = lines(logs, stack, since=since, about=about, level=level)
        yield from (line for line in there if line.event_id not in seen)
        seen = {line.event_id for line in there}
        since = max(since, datetime.now(UTC) - _LATE - timedelta(seconds=_POLL_SECONDS))
        time.sleep(_POLL_SECONDS)


def _lines_of(logs: CloudWatchLogsClient, group: str, prefix: str, since: datetime, about: str | None) -> Iterator[Line]:
    milliseconds = int(since.timestamp() * 1000)
    pattern = json.dumps(about) if about else ""
    pages = logs.get_paginator("filter_log_events")
    for page in pages.paginate(logGroupName=group, startTime=milliseconds, filterPattern=pattern):
        for event in page["events"]:
            fields = _read(event["message"])
            # Not what Lambda writes around an invocation, nor metrics.
            if fields and "message" in fields and (not about or about in event["message"]):
                at = datetime.fromtimestamp(event["timestamp"] / 1000, UTC)
                yield Line(at, group.removeprefix(prefix), fields, event.get("eventId", event["message"]))


def _read(message: str) -> dict[str, Any] | None:
    try:
        fields = json.loads(message)
    except ValueError:
        return None
    return fields if isinstance(fields, dict) else None


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make logs", description="A stack's logs, all functions in one order.")
    parser.add_argument("--stack-name", default="", help="STACK=: the stack; without it the local one if it is up")
    parser.add_argument("--since", default="", help="SINCE=: how far back, like 90s, 10m, 2h, 1d (default: 10m)")
    parser.add_argument(
        "--id", default="", dest="about", help="ID=: only lines with this in them, as a message's or a call's SID"
    )
    parser.add_argument("--level", default="", type=str.upper, choices=("", *LEVELS), help="LEVEL=: this one and above")
    parser.add_argument("--region", default="", help="REGION=: where the stack is")
    parser.add_argument("--follow", nargs="?", const="1", default="", help="FOLLOW=1: go on with what comes, until Ctrl-C")
    return parser.parse_args(argv)


def _place(stack_name: str, region: str) -> tuple[CloudWatchLogsClient, str, str]:
    """A client, the stack's name, and where that is, in words."""
    if not stack_name and STACK_JSON.exists():
        where = json.loads(STACK_JSON.read_text())
        local = boto3.client(
            "logs",
            endpoint_url=where["aws_endpoint_url"],
            region_name=where["region"],
            aws_access_key_id="local",
            aws_secret_access_key="local",
        )
        return local, where["stack_name"], "on the local stack"
    client = boto3.client("logs", region_name=region or None)
    return client, stack_name or DEFAULT_STACK, f"in {client.meta.region_name}"


def main(argv: list[str] | None = None) -> int:
    """Print what there is. 1 where there is nothing to show, with the reason."""
    asked = _arguments(argv)
    try:
        since = moment(asked.since or "10m", datetime.now(UTC))
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    try:
        logs, stack, where = _place(asked.stack_name, asked.region)
        level, about = asked.level or "DEBUG", asked.about or None
        if asked.follow:
            for line in follow(logs, stack, since=since, about=about, level=level):
                _show(line)
        found = lines(logs, stack, since=since, about=about, level=level)
    except NoRegionError:
        sys.stderr.write(
            "No AWS region is set: say REGION=us-east-1, or wherever the stack is. "
            "The local stack's logs are read as soon as `make run` says that it is up.\n"
        )
        return 1
    except (BotoCoreError, ClientError) as error:
        sys.stderr.write(f"The logs cannot be read: {error}\n")
        return 1
    for line in found:
        _show(line)
    if not found:
        sys.stderr.write(
            f"The functions of {stack} {where} have written nothing like that in the last {asked.since or '10m'}. "
            "Try SINCE=1d, another STACK= or REGION=.\n"
        )
    return 0 if found else 1


def _show(line: Line) -> None:
    colour = _COLOURS.get(line.level)
    written = f"\x1b[{colour}m{line}\x1b[0m" if colour and sys.stdout.isatty() else str(line)
    sys.stdout.write(f"{written}\n")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(0)
