from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws

from tools import logs as tool
from tools import samples

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient

NOW = datetime.now(UTC)
AN_HOUR_AGO = NOW - timedelta(hours=1)
_stacks = (f"phone{number}" for number in itertools.count())


@pytest.fixture
def stack() -> str:
    """A name that no other test has used: the mocked account is one for all."""
    return next(_stacks)


@pytest.fixture(scope="module")
def logs() -> Iterator[CloudWatchLogsClient]:
    with mock_aws():
        yield boto3.client("logs")


def write(logs: CloudWatchLogsClient, group: str, *messages: str | dict[str, Any], ago: float = 60) -> None:
    """Lines of one function, a second apart."""
    logs.create_log_group(logGroupName=f"/aws/lambda/{group}")
    logs.create_log_stream(logGroupName=f"/aws/lambda/{group}", logStreamName="one")
    at = int((datetime.now(UTC) - timedelta(seconds=ago)).timestamp() * 1000)
    events = [
        {"timestamp": at + 1000 * number, "message": one if isinstance(one, str) else json.dumps(one)}
        for number, one in enumerate(messages)
    ]
    logs.put_log_events(logGroupName=f"/aws/lambda/{group}", logStreamName="one", logEvents=events)  # type: ignore[arg-type]


def line(message: str, level: str = "INFO", **fields: Any) -> dict[str, Any]:
    return {"level": level, "message": message, "service": "phone", "cold_start": False, **fields}


def test_the_lines_of_all_functions_come_in_the_order_of_time(logs: CloudWatchLogsClient, stack: str) -> None:
    write(logs, f"{stack}-sms-webhook", line("text received"), ago=60)
    write(logs, f"{stack}-send-sms", line("done"), ago=40)
    write(logs, f"{stack}-event-relay", line("relayed"), ago=50)
    write(logs, f"{stack}2-sms-webhook", line("of another stack"))

    found = tool.lines(logs, stack, since=AN_HOUR_AGO)

    assert [(one.function, one.fields["message"]) for one in found] == [
        ("sms-webhook", "text received"),
        ("event-relay", "relayed"),
        ("send-sms", "done"),
    ]


def test_only_what_is_about_one_text_is_shown(logs: CloudWatchLogsClient, stack: str) -> None:
    write(logs, f"{stack}-sms-webhook", line("one", correlation_id=samples.MESSAGE), line("other", correlation_id="SM2"))
    write(logs, f"{stack}-event-relay", line("relayed", correlation_ids=[samples.REPLY, samples.MESSAGE]), line("no"))

    found = tool.lines(logs, stack, since=AN_HOUR_AGO, about=samples.MESSAGE)

    assert {one.fields["message"] for one in found} == {"one", "relayed"}


def test_a_level_shows_itself_and_what_is_worse(logs: CloudWatchLogsClient, stack: str) -> None:
    write(logs, f"{stack}-say", *(line(level, level) for level in tool.LEVELS))

    found = tool.lines(logs, stack, since=AN_HOUR_AGO, level="WARNING")

    assert [one.level for one in found] == ["WARNING", "ERROR", "CRITICAL"]


def test_what_is_not_a_line_of_the_plugins_is_left_out(logs: CloudWatchLogsClient, stack: str) -> None:
    metric = {"_aws": {}, "TextsReceived": [1.0]}
    write(logs, f"{stack}-say", "REPORT RequestId: 1 Duration: 3 ms", "[1]", metric, line("done"))

    assert [one.fields["message"] for one in tool.lines(logs, stack, since=AN_HOUR_AGO)] == ["done"]


def test_what_was_before_is_not_shown(logs: CloudWatchLogsClient, stack: str) -> None:
    write(logs, f"{stack}-say", line("old"), ago=7200)
    write(logs, f"{stack}-call-state", line("new"))

    assert [one.fields["message"] for one in tool.lines(logs, stack, since=AN_HOUR_AGO)] == ["new"]


def test_following_shows_every_line_once(logs: CloudWatchLogsClient, stack: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write(logs, f"{stack}-say", line("first"), ago=1)
    looks = itertools.count(1)

    def sleep(_seconds: float) -> None:
        look = next(looks)
        if look == 1:
            write(logs, f"{stack}-send-sms", line("second"), ago=0)
        if look == 3:
            raise TimeoutError  # enough was seen

    monkeypatch.setattr("tools.logs.time.sleep", sleep)
    coming = tool.follow(logs, stack, since=AN_HOUR_AGO, about=None, level="DEBUG")

    assert [next(coming).fields["message"] for _ in range(2)] == ["first", "second"]
    with pytest.raises(TimeoutError):  # after the third look, which showed nothing again
        next(coming)


@pytest.mark.parametrize(("ago", "seconds"), [("90s", 90), ("10m", 600), ("2h", 7200), ("1d", 86400)])
def test_a_time_is_read(ago: str, seconds: int) -> None:
    assert tool.moment(ago, NOW) == NOW - timedelta(seconds=seconds)


def test_a_line_shows_what_belongs_to_it_and_not_what_every_line_has() -> None:
    at = datetime(2026, 11, 29, 8, 13, 41, 123456, UTC)
    one = tool.Line(at, "say", line("done", correlation_id="CA1", count=3), "1")

    assert str(one).split() == ["08:13:41.123", "say", "INFO", "done", "correlation_id=CA1", "count=3"]


def test_the_command_prints_and_says_where_it_found_nothing(
    logs: CloudWatchLogsClient, stack: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write(logs, f"{stack}-say", line("done"))

    assert tool.main(["--stack-name", stack]) == 0
    assert "done" in capsys.readouterr().out
    assert tool.main(["--stack-name", stack, "--id", "SM9"]) == 1
    assert f"{stack} in {logs.meta.region_name}" in capsys.readouterr().err


def test_a_time_that_is_none_is_refused_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert tool.main(["--stack-name", "phone", "--since", "yesterday"]) == 1
    assert "'yesterday' is no time" in capsys.readouterr().err


def test_no_region_is_said_with_how_to_name_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.delenv("AWS_REGION", raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))

    assert tool.main(["--stack-name", "phone"]) == 1
    assert "REGION=us-east-1" in capsys.readouterr().err
