from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from twilio_plugin.adapters.event_bus import EventBridgeBus
from twilio_plugin.errors import StorageUnavailable
from twilio_plugin.services.ports import Announcement

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient


@pytest.fixture(scope="module")
def _client() -> EventBridgeClient:
    return boto3.client("events")


@pytest.fixture
def stub(_client: EventBridgeClient) -> Iterator[Stubber]:
    with Stubber(_client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


@pytest.fixture
def told() -> list[str]:
    """The ids of what the bus has taken."""
    return []


@pytest.fixture
def bus(_client: EventBridgeClient, stub: Stubber, told: list[str]) -> EventBridgeBus:
    return EventBridgeBus(_client, "phone", lambda taken: told.extend(one.event_id for one in taken))


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    slept: list[float] = []
    monkeypatch.setattr("twilio_plugin.adapters.event_bus.time.sleep", slept.append)
    return slept


def announcements(*numbers: int) -> list[Announcement]:
    return [Announcement(f"event {number}", "SMS_SENT", f'{{"n":{number}}}', "2026-11-22T08:00:00.123Z") for number in numbers]


def takes(stub: Stubber, numbers: Sequence[int], *, but: Sequence[int] = ()) -> None:
    """The next PutEvents must be of exactly these; the bus refuses some."""
    entries = [
        {
            "EventBusName": "phone",
            "Source": "twilio.plugin",
            "DetailType": "SMS_SENT",
            "Detail": f'{{"n":{number}}}',
            "Time": datetime(2026, 11, 22, 8, 0, 0, 123000, UTC),
        }
        for number in numbers
    ]
    answers = [{"ErrorCode": "ThrottlingException"} if number in but else {"EventId": str(number)} for number in numbers]
    stub.add_response("put_events", {"FailedEntryCount": len(but), "Entries": answers}, {"Entries": entries})


def test_an_event_goes_out_with_its_source_its_time_and_its_detail_as_it_is(bus: EventBridgeBus, stub: Stubber) -> None:
    takes(stub, [1])

    assert bus.publish(announcements(1)) == set()


def test_twenty_three_events_go_in_three_calls(bus: EventBridgeBus, stub: Stubber) -> None:
    takes(stub, range(10))
    takes(stub, range(10, 20))
    takes(stub, range(20, 23))

    assert bus.publish(announcements(*range(23))) == set()


def test_no_events_are_no_call(bus: EventBridgeBus, stub: Stubber) -> None:
    assert bus.publish([]) == set()


def test_only_what_the_bus_refused_is_tried_again(bus: EventBridgeBus, stub: Stubber, pauses: list[float]) -> None:
    takes(stub, range(5), but=[1, 3])
    takes(stub, [1, 3], but=[3])
    takes(stub, [3])

    assert bus.publish(announcements(*range(5))) == set()
    assert pauses == sorted(pauses)
    assert 0 < sum(pauses) < 1


def test_what_the_bus_keeps_refusing_is_named_and_the_rest_goes_on(
    bus: EventBridgeBus, stub: Stubber, pauses: list[float]
) -> None:
    takes(stub, range(10), but=[0, 9])
    takes(stub, [0, 9], but=[0, 9])
    takes(stub, [0, 9], but=[9])
    takes(stub, [10, 11])

    assert bus.publish(announcements(*range(12))) == {"event 9"}


@pytest.mark.parametrize("code", ["AccessDeniedException", "InternalException", "ResourceNotFoundException"])
def test_a_bus_that_refuses_everything_is_one_error_with_its_cause(bus: EventBridgeBus, stub: Stubber, code: str) -> None:
    stub.add_client_error("put_events", code)

    with pytest.raises(StorageUnavailable) as refused:
        bus.publish(announcements(1))

    assert isinstance(refused.value.__cause__, ClientError)


def test_what_the_bus_took_is_told_once_and_what_it_refused_is_not(
    bus: EventBridgeBus, stub: Stubber, pauses: list[float], told: list[str]
) -> None:
    takes(stub, range(3), but=[1, 2])
    takes(stub, [1, 2], but=[2])
    takes(stub, [2], but=[2])

    assert bus.publish(announcements(*range(3))) == {"event 2"}
    assert told == ["event 0", "event 1"]
