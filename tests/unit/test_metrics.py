from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import BaseModel

from tests.unit.fakes import LambdaContext
from tools import samples
from twilio_plugin.domain.actions import ReadCalls
from twilio_plugin.domain.events import EVENTS, Event
from twilio_plugin.domain.metrics import METRICS, NAMESPACE, UNCOUNTED, Measured, of_event
from twilio_plugin.errors import InvalidRequest, NoMediaStream
from twilio_plugin.runtime.http import twiml, webhook
from twilio_plugin.runtime.invocation import function
from twilio_plugin.runtime.metrics import count, emit
from twilio_plugin.runtime.websocket import authorizer
from twilio_plugin.services.ports import Announcement

SAMPLES = {event.detail_type: event for event in samples.EVENTS}


def announcement(event: Event) -> Announcement:
    return Announcement(event.event_id, event.detail_type, json.dumps(event.detail()), event.occurred_at)


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def counted(detail_type: str, **detail: Any) -> dict[tuple[str, str], float]:
    """Values by metric and dimension."""
    return {
        (one.name, ",".join(f"{name}={value}" for name, value in one.dimensions)): one.value
        for one in of_event(detail_type, detail)
    }


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.detail_type)
def test_every_event_counts_as_something_or_is_named_as_one_that_does_not(event: type[Event]) -> None:
    counts = {metric.event for metric in METRICS}

    assert (event.detail_type in counts) is (event.detail_type not in UNCOUNTED)


def test_no_metric_counts_an_event_that_there_is_not() -> None:
    assert {metric.event for metric in METRICS if metric.event} | UNCOUNTED <= {event.detail_type for event in EVENTS}
    assert len({metric.name for metric in METRICS}) == len(METRICS)


@pytest.mark.parametrize("metric", [one for one in METRICS if one.event], ids=lambda metric: metric.name)
def test_every_metric_has_a_value_in_the_sample_of_its_event_and_every_dimension_a_field(metric: Any) -> None:
    """A field that was renamed would count nothing, for ever."""
    detail = SAMPLES[metric.event].detail()

    assert isinstance(metric.value(detail), int | float)
    assert metric.dimension is None or metric.dimension in detail


def test_a_text_counts_with_its_segments() -> None:
    assert counted("SMS_SENT", segments=3) == {("TextsSent", ""): 1, ("SegmentsSent", ""): 3}


def test_a_failure_counts_in_all_and_by_its_code() -> None:
    assert counted("SMS_FAILED", error_code=30034) == {("TextsFailed", ""): 1, ("TextsFailed", "error_code=30034"): 1}
    assert counted("SMS_FAILED") == {("TextsFailed", ""): 1}


def test_what_is_not_said_is_not_counted() -> None:
    assert counted("CALL_ENDED", status="not_made") == {("CallsEnded", ""): 1, ("CallsEnded", "status=not_made"): 1}


def test_a_silent_stream_counts_its_silence() -> None:
    assert counted("VOICE_STREAM_ENDED", reason="stopped", frames=0, gaps=0)[("FramesHeard", "")] == 0


def test_values_of_the_same_dimensions_share_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    emit([Measured("A", "Count", 1), Measured("B", "Seconds", 2.5), Measured("A", "Count", 3)])

    (line,) = lines(capsys)
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert (directive["Namespace"], directive["Dimensions"]) == (NAMESPACE, [["service"]])
    assert {one["Name"]: one["Unit"] for one in directive["Metrics"]} == {"A": "Count", "B": "Seconds"}
    assert (line["service"], line["A"], line["B"]) == ("phone", [1.0, 3.0], [2.5])


def test_another_dimension_is_another_line(capsys: pytest.CaptureFixture[str]) -> None:
    count([announcement(SAMPLES["SMS_FAILED"])])

    plain, by_code = lines(capsys)
    assert (plain["service"], plain["TextsFailed"]) == ("phone", [1.0])
    assert by_code["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["error_code", "service"]]
    assert (by_code["service"], by_code["error_code"], by_code["TextsFailed"]) == ("phone", "30034", [1.0])


def test_nothing_to_count_is_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    count([])
    count([announcement(SAMPLES["SPEECH_PARTIAL"])])

    assert lines(capsys) == []


def test_more_values_than_a_line_takes_are_all_counted(capsys: pytest.CaptureFixture[str]) -> None:
    count([announcement(SAMPLES["SMS_RECEIVED"])] * 250)

    assert sum(sum(line["TextsReceived"]) for line in lines(capsys)) == 250


def test_no_number_sid_or_word_is_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    count([announcement(event) for event in samples.EVENTS])

    written = capsys.readouterr().out
    for secret in (samples.THEIRS, samples.OURS, samples.CALL, samples.MESSAGE, samples.ACCOUNT, "Is this the one"):
        assert secret not in written


def test_what_is_refused_is_counted_in_all_and_by_why(capsys: pytest.CaptureFixture[str]) -> None:
    def refuses(_request: BaseModel, _request_id: str) -> BaseModel:
        raise NoMediaStream("nobody is there")

    with pytest.raises(NoMediaStream):
        function(ReadCalls, refuses)({}, LambdaContext())

    assert told("Refusals", capsys) == [{"service": "phone"}, {"service": "phone", "error_type": "NoMediaStream"}]


def test_an_input_that_is_none_is_counted_as_refused(capsys: pytest.CaptureFixture[str]) -> None:
    def never(_request: BaseModel, _request_id: str) -> BaseModel:
        raise AssertionError

    with pytest.raises(InvalidRequest):
        function(ReadCalls, never)({"nonsense": 1}, LambdaContext())

    assert told("Refusals", capsys)[-1]["error_type"] == "InvalidRequest"


def test_a_forged_webhook_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    handler = webhook(
        lambda _form, _query: None,
        lambda *_: False,
        "https://example.com/webhooks/twilio",
        twiml(),
        admits_source=lambda _: True,
    )
    headers = {"content-type": "application/x-www-form-urlencoded", "x-twilio-signature": "forged"}

    assert handler({"headers": headers, "body": "Body=x", "requestContext": {}}, LambdaContext())["statusCode"] == 403

    assert told("WebhooksRefused", capsys)[-1] == {"service": "phone", "reason": "InvalidSignature"}


def test_a_forged_handshake_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    handler = authorizer(lambda *_: False, "wss://example.com/live", admits_source=lambda _: True)
    event = {
        "methodArn": "arn:aws:execute-api:eu-central-1:1:api/live/$connect",
        "headers": {"X-Twilio-Signature": "forged"},
        "requestContext": {"domainName": "example.com", "stage": "live"},
    }

    assert handler(event, LambdaContext())["principalId"] == "stranger"

    assert told("WebhooksRefused", capsys)[-1] == {"service": "phone", "reason": "InvalidSignature"}


def told(metric: str, capsys: pytest.CaptureFixture[str]) -> list[dict[str, str]]:
    """The dimensions under which a metric was counted, once each."""
    found = [line for line in lines(capsys) if "_aws" in line and metric in line]
    assert all(line[metric] == [1.0] for line in found)
    return [{name: line[name] for name in line["_aws"]["CloudWatchMetrics"][0]["Dimensions"][0][::-1]} for line in found]
