"""Listening in on the plugin's bus, as any subscriber could: a rule, and a queue behind it."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from typing import Any

from local.engine import Engine

Event = dict[str, Any]


class BusListener:
    """Every event of the plugin since this was made, in the order of arrival."""

    def __init__(self, engine: Engine, bus_name: str) -> None:
        self.events: list[Event] = []
        self._sqs = engine.client("sqs")
        name = f"listener-{uuid.uuid4().hex[:8]}"
        self._queue = self._sqs.create_queue(QueueName=name)["QueueUrl"].replace("localhost", "127.0.0.1")
        arn = self._sqs.get_queue_attributes(QueueUrl=self._queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        events = engine.client("events")
        pattern = json.dumps({"source": ["twilio.plugin"]})
        events.put_rule(Name=name, EventBusName=bus_name, EventPattern=pattern)
        events.put_targets(Rule=name, EventBusName=bus_name, Targets=[{"Id": "queue", "Arn": arn}])

    def wait_for(self, wanted: Callable[[Event], bool], *, timeout: float = 30) -> Event:
        """The first event, old or new, that is wanted.

        Raises:
            TimeoutError: with the types of what came instead.
        """
        deadline = time.monotonic() + timeout
        while True:
            for event in self.events:
                if wanted(event):
                    return event
            if time.monotonic() > deadline:
                came = ", ".join(event["detail-type"] for event in self.events[-20:]) or "nothing"
                raise TimeoutError(f"The event did not come in {timeout:.0f} s; the bus had {came}.")
            self.listen()

    def listen(self, seconds: int = 1) -> list[Event]:
        """Events that came in since the last call, waiting up to `seconds` for the first."""
        answer = self._sqs.receive_message(QueueUrl=self._queue, MaxNumberOfMessages=10, WaitTimeSeconds=seconds)
        messages = answer.get("Messages", [])
        for message in messages:
            self._sqs.delete_message(QueueUrl=self._queue, ReceiptHandle=message["ReceiptHandle"])
        new = [json.loads(message["Body"]) for message in messages]
        self.events += new
        return new

    def of(self, detail_type: str, **detail: Any) -> list[Event]:
        """The events of a type so far whose detail has these values."""
        return [
            event for event in self.events if event["detail-type"] == detail_type and detail.items() <= event["detail"].items()
        ]


def is_event(detail_type: str, **detail: Any) -> Callable[[Event], bool]:
    """For `wait_for`: an event of a type whose detail has these values (``from_`` for ``from``)."""
    wanted = {name.rstrip("_"): value for name, value in detail.items()}
    return lambda event: event["detail-type"] == detail_type and all(event["detail"].get(n) == v for n, v in wanted.items())
