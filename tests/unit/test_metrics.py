from __future__ import annotations

import json
from typing import Any

import pytest

from tools import samples
from twilio_plugin.domain.events import EVENTS, Event
from twilio_plugin.domain.metrics import METRICS, NAMESPACE, UNCOUNTED, Measured, of_event
from twilio_plugin.runtime.metrics import counter, emit
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
    assert {metric.event for metric in METRICS} | UNCOUNTED <= {event.detail_type for event in EVENTS}
    assert len({metric.name for metric in METRICS}) == len(METRICS)


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
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
    emit("phone", [Measured("A", "Count", 1), Measured("B", "Seconds", 2.5), Measured("A", "Count", 3)])

    (line,) = lines(capsys)
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert (directive["Namespace"], directive["Dimensions"]) == (NAMESPACE, [["stack"]])
    assert {one["Name"]: one["Unit"] for one in directive["Metrics"]} == {"A": "Count", "B": "Seconds"}
    assert (line["stack"], line["A"], line["B"]) == ("phone", [1.0, 3.0], [2.5])


def test_another_dimension_is_another_line(capsys: pytest.CaptureFixture[str]) -> None:
    counter("phone")([announcement(SAMPLES["SMS_FAILED"])])

    plain, by_code = lines(capsys)
    assert (plain["stack"], plain["TextsFailed"]) == ("phone", [1.0])
    assert by_code["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["stack", "error_code"]]
    assert (by_code["stack"], by_code["error_code"], by_code["TextsFailed"]) == ("phone", "30034", [1.0])


def test_nothing_to_count_is_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    counter("phone")([])
    counter("phone")([announcement(SAMPLES["SPEECH_PARTIAL"])])

    assert lines(capsys) == []


def test_more_values_than_a_line_takes_are_all_counted(capsys: pytest.CaptureFixture[str]) -> None:
    counter("phone")([announcement(SAMPLES["SMS_RECEIVED"])] * 250)

    assert sum(sum(line["TextsReceived"]) for line in lines(capsys)) == 250


def test_no_number_sid_or_word_is_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    counter("phone")([announcement(event) for event in samples.EVENTS])

    written = capsys.readouterr().out
    for secret in (samples.THEIRS, samples.OURS, samples.CALL, samples.MESSAGE, samples.ACCOUNT, "Is this the one"):
        assert secret not in written
