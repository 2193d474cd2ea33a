"""The dashboard shows what is really emitted, and every alarm can fire."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.template.conftest import ROOT
from tests.unit.fakes import LambdaContext
from tools import samples
from twilio_plugin import errors
from twilio_plugin.domain.metrics import METRICS, NAMESPACE, REFUSALS, WEBHOOKS_REFUSED, of_event, of_refusal
from twilio_plugin.runtime.http import twiml, webhook
from twilio_plugin.runtime.metrics import emit

# What AWS emits by itself, with the dimension that tells ours from others; None for one of the whole account.
# https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-metrics.html
# https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-logging.html
# https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/metrics-dimensions.html
OF_AWS = {
    ("AWS/ApiGateway", "4xx"): "ApiId",
    ("AWS/ApiGateway", "5xx"): "ApiId",
    ("AWS/ApiGateway", "ClientError"): "ApiId",
    ("AWS/ApiGateway", "ConnectCount"): "ApiId",
    ("AWS/ApiGateway", "Count"): "ApiId",
    ("AWS/ApiGateway", "IntegrationError"): "ApiId",
    ("AWS/ApiGateway", "Latency"): "ApiId",
    ("AWS/ApiGateway", "MessageCount"): "ApiId",
    ("AWS/DynamoDB", "WriteThrottleEvents"): "TableName",
    ("AWS/Lambda", "ConcurrentExecutions"): None,
    ("AWS/Lambda", "Errors"): "FunctionName",
    ("AWS/Lambda", "IteratorAge"): "FunctionName",
    ("AWS/Lambda", "Throttles"): None,
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible"): "QueueName",
}
OURS = {metric.name: metric for metric in METRICS}
STACK = "phone"
Key = tuple[str, str, tuple[tuple[str, str], ...]]
"""Namespace, name, and dimensions by name."""


@pytest.fixture(scope="session")
def dashboard(deployed: dict[str, Any]) -> list[dict[str, Any]]:
    body = deployed["Resources"]["PhoneDashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    widgets: list[dict[str, Any]] = json.loads(body.replace("${AWS::StackName}", STACK))["widgets"]
    return widgets


@pytest.fixture(scope="session")
def alarms(deployed: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        name: resource["Properties"]
        for name, resource in deployed["Resources"].items()
        if resource["Type"] == "AWS::CloudWatch::Alarm"
    }


# ------------------------------------------------------------------------------------------------------- the dashboard


def shown(widgets: list[dict[str, Any]]) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Namespace, name and names of dimensions of everything on the dashboard, ``.`` being what stands above."""
    for widget in widgets:
        above: list[str] = []
        for row in widget["properties"]["metrics"]:
            if isinstance(row[0], dict):
                schema, name = re.fullmatch(
                    r"SEARCH\('\{([^}]+)\} .*MetricName=\"(\w+)\"', 'Sum', 300\)", row[0]["expression"]
                ).groups()  # type: ignore[union-attr]
                namespace, *dimensions = schema.split(",")
                yield namespace, name, tuple(dimensions)
                continue
            facts = [cell for cell in row if isinstance(cell, str)]
            facts = [above[at] if cell == "." else cell for at, cell in enumerate(facts)]
            above = facts
            yield facts[0], facts[1], tuple(facts[2::2])


def test_everything_on_the_dashboard_is_emitted_with_these_dimensions(dashboard: list[dict[str, Any]]) -> None:
    for namespace, name, dimensions in shown(dashboard):
        if namespace == NAMESPACE:
            further = OURS[name].dimension
            assert dimensions in {("service",), ("service", further)}, name
        else:
            dimension = OF_AWS[namespace, name]
            assert dimensions == ((dimension,) if dimension else ()), name


def test_every_metric_is_on_the_dashboard(dashboard: list[dict[str, Any]]) -> None:
    assert OURS.keys() == {name for namespace, name, _ in shown(dashboard) if namespace == NAMESPACE}


def test_the_dashboard_names_only_resources_that_are_always_there(
    deployed: dict[str, Any], dashboard: list[dict[str, Any]]
) -> None:
    named = set(re.findall(r"\$\{(\w+)(?:\.\w+)?\}", json.dumps(dashboard)))

    assert named
    for resource in named:
        assert "Condition" not in deployed["Resources"][resource], resource


def test_widgets_fill_the_dashboards_24_columns_without_lying_on_each_other(dashboard: list[dict[str, Any]]) -> None:
    cells = [
        (x, y)
        for widget in dashboard
        for x in range(widget["x"], widget["x"] + widget["width"])
        for y in range(widget["y"], widget["y"] + widget["height"])
    ]

    assert len(cells) == len(set(cells)) == 24 * (1 + max(y for _, y in cells))


# ---------------------------------------------------------------------------------------------------------- the alarms


def of_ours(alarm: dict[str, Any]) -> list[Key]:
    """The metrics that an alarm looks at."""
    stats = [one["MetricStat"]["Metric"] for one in alarm.get("Metrics", []) if "MetricStat" in one] or [alarm]
    return [key(one) for one in stats]


def key(metric: Mapping[str, Any]) -> Key:
    dimensions = sorted((one["Name"], filled(one["Value"])) for one in metric.get("Dimensions", []))
    return metric["Namespace"], metric["MetricName"], tuple(dimensions)


def filled(value: Any) -> str:
    return STACK if value == {"Ref": "AWS::StackName"} else json.dumps(value) if isinstance(value, dict) else str(value)


def emitted(capsys: pytest.CaptureFixture[str]) -> dict[Key, float]:
    """The sums that CloudWatch would have of what was printed."""
    sums: dict[Key, float] = defaultdict(float)
    for written in capsys.readouterr().out.splitlines():
        line = json.loads(written)
        for directive in line.get("_aws", {}).get("CloudWatchMetrics", []):
            (names,) = directive["Dimensions"]
            dimensions = tuple(sorted((name, line[name]) for name in names))
            for metric in directive["Metrics"]:
                sums[directive["Namespace"], metric["Name"], dimensions] += sum(line[metric["Name"]])
    return sums


def fires(alarm: dict[str, Any], sums: Mapping[Key, float]) -> bool:
    """Whether the alarm goes off over a period with these sums. Knows the operators that the template uses."""
    if "Metrics" not in alarm:
        value = sums.get(key(alarm))
    else:
        values = {one["Id"]: sums.get(key(one["MetricStat"]["Metric"])) for one in alarm["Metrics"] if "MetricStat" in one}
        (expression,) = [one["Expression"] for one in alarm["Metrics"] if "Expression" in one]
        known: dict[str, Any] = {
            "FILL": lambda one, other: other if one is None else one,
            "IF": lambda is_so, one, other: one if is_so else other,
        }
        value = eval(expression, {"__builtins__": {}}, known | values)
    if value is None:
        assert alarm["TreatMissingData"] == "notBreaching"
        return False
    above = alarm["ComparisonOperator"] == "GreaterThanThreshold"
    return bool(value > alarm["Threshold"] if above else value >= alarm["Threshold"])


def blocked(code: int, times: int, sent: int) -> None:
    for _ in range(sent):
        emit(of_event("SMS_SENT", {"segments": 1}))
    for _ in range(times):
        emit(of_event("SMS_FAILED", {"error_code": code}))


def forged(times: int) -> None:
    handler = webhook(lambda _form, _query: None, lambda *_: False, samples.WEBHOOK_URL, twiml(), admits_source=lambda _: True)
    headers = {"content-type": "application/x-www-form-urlencoded", "x-twilio-signature": "forged"}
    for _ in range(times):
        handler({"headers": headers, "body": "Body=x", "requestContext": {}}, LambdaContext())


def guarded(times: int) -> None:
    for _ in range(times):
        emit(of_event("GUARD_REFUSED", {"guard": "countries"}))


def in_trouble(error: type[errors.PluginError], times: int) -> None:
    for _ in range(times):
        emit(of_refusal(REFUSALS, error.__name__))


TROUBLE: dict[str, Any] = {
    "BlockedTextsAlarm": [
        (lambda: blocked(30034, 6, 100), True),
        (lambda: blocked(30007, 6, 100), True),
        (lambda: blocked(30007, 5, 100), False),
        (lambda: blocked(30034, 6, 0), True),  # what was sent before
        (lambda: blocked(30003, 50, 100), False),
    ],
    "RefusedWebhooksAlarm": [(lambda: forged(21), True), (lambda: forged(20), False)],
    "GuardRefusalsAlarm": [(lambda: guarded(21), True), (lambda: guarded(20), False)],
    "TwilioTroubleAlarm": [
        (lambda: in_trouble(errors.TwilioUnavailable, 6), True),
        (lambda: in_trouble(errors.SendOutcomeUnknown, 6), True),
        (lambda: in_trouble(errors.Misconfigured, 6), True),
        (lambda: in_trouble(errors.TwilioUnavailable, 5), False),
        (lambda: in_trouble(errors.RecipientOptedOut, 60), False),
    ],
}


@pytest.mark.parametrize(
    ("name", "trouble", "goes_off"), [(name, trouble, goes_off) for name in TROUBLE for trouble, goes_off in TROUBLE[name]]
)
def test_an_alarm_goes_off_by_what_the_code_emits_and_not_before(
    alarms: dict[str, Any], capsys: pytest.CaptureFixture[str], name: str, trouble: Any, goes_off: bool
) -> None:
    trouble()

    assert fires(alarms[name], emitted(capsys)) is goes_off


def test_an_alarm_on_our_metrics_has_such_a_test_and_is_quiet_when_nothing_happens(alarms: dict[str, Any]) -> None:
    on_ours = {name for name, alarm in alarms.items() if any(namespace == NAMESPACE for namespace, *_ in of_ours(alarm))}

    assert on_ours == TROUBLE.keys()
    assert not [name for name in on_ours if fires(alarms[name], {})]


def test_an_alarm_on_aws_metrics_names_one_that_there_is_by_its_dimension_and_goes_off(alarms: dict[str, Any]) -> None:
    for name, alarm in alarms.items():
        if name in TROUBLE:
            continue
        for namespace, metric, dimensions in of_ours(alarm):
            dimension = OF_AWS[namespace, metric]
            assert [one for one, _ in dimensions] == ([dimension] if dimension else []), name
        assert fires(alarm, dict.fromkeys(of_ours(alarm), alarm["Threshold"] + 1)), name
        assert not fires(alarm, {}), name


def test_every_alarm_tells_the_topic_when_it_begins_and_ends_and_says_where_to_look(alarms: dict[str, Any]) -> None:
    for alarm in alarms.values():
        assert alarm["AlarmActions"] == alarm["OKActions"] == [{"Ref": "AlarmTopicArn"}]
        assert re.search(r"(Look (at|for)|[Ll]ooks? at|[Ss]end yourself|docs/|The queue)", alarm["AlarmDescription"])


# ------------------------------------------------------------------------------------------------------------ the docs


def test_the_docs_have_every_metric_with_its_unit_and_every_alarm(alarms: dict[str, Any]) -> None:
    text = (ROOT / "docs" / "monitoring.md").read_text()

    rows = dict(re.findall(r"^\| `(\w+)` \| (\w+) \|", text, re.MULTILINE))
    assert rows == {metric.name: metric.unit for metric in METRICS}
    assert set(re.findall(r"^\| `(\w+Alarm)` \|", text, re.MULTILINE)) == alarms.keys()


def test_the_refusals_that_are_counted_are_metrics() -> None:
    assert {REFUSALS, WEBHOOKS_REFUSED} <= set(METRICS)
