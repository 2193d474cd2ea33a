"""A thousand texts through the whole local stack, from the HTTP request to the event on the bus."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import quantiles
from typing import Any

from aiohttp import ClientSession, TCPConnector
from yarl import URL

from tests.bench.payloads import Webhook
from tests.bench.report import Row, Table, Target
from tests.bench.stage import Stage
from tests.bench.workbench import Workbench

TEXTS = 1000
WARM_UP = 40
AT_ONCE = 8
PEOPLE = 50
PATIENCE_S = 60.0
RULE = "bench"


@dataclass(frozen=True, slots=True)
class Sent:
    """When a text was sent (monotonic seconds), how long its answer took, and what it was."""

    at: float
    seconds: float
    status: int


def measure(bench: Workbench) -> list[Table]:
    """Texts a second, latencies, the delay of the last event, and whether all arrived."""
    stage = bench.stage
    queue = _Queue(stage)
    people = [stage.person() for _ in range(PEOPLE)]
    webhooks = [stage.twilio.text_in(people[number % PEOPLE]) for number in range(WARM_UP + TEXTS)]
    bench.say(f"Sending {WARM_UP} texts to warm up")
    asyncio.run(_send(webhooks[:WARM_UP]))
    queue.wait_for(WARM_UP)
    bench.say(f"Sending {TEXTS:,} texts, {AT_ONCE} at once")
    sent = asyncio.run(_send(webhooks[WARM_UP:]))
    answered = max(one.at + one.seconds for one in sent)
    queue.wait_for(WARM_UP + TEXTS)
    on_the_bus = time.monotonic()
    if refused := [one.status for one in sent if one.status != 200]:
        raise RuntimeError(f"{len(refused)} texts were not answered 200 but {sorted(set(refused))}")
    return _tables(sent, on_the_bus - answered, _entries(stage, people) - WARM_UP, queue.drain() - WARM_UP)


def _tables(sent: Sequence[Sent], last_event_s: float, messages: int, events: int) -> list[Table]:
    seconds = max(one.at + one.seconds for one in sent) - min(one.at for one in sent)
    percentiles = quantiles([one.seconds * 1000 for one in sent], n=100)
    figures = {
        "texts_per_second": len(sent) / seconds,
        "p50_ms": percentiles[49],
        "p95_ms": percentiles[94],
        "p99_ms": percentiles[98],
        "last_event_after_s": last_event_s,
    }
    method = (
        f"{TEXTS:,} signed webhooks over HTTP to the deployed template on the local engine, {AT_ONCE} at once and after "
        f"{WARM_UP} to warm up. Stack, engine and sender share the processor, so this shows what changed, not what AWS does. "
        "The last event is on the bus that long after the last answer, as a rule with a queue sees it."
    )
    arrived = [
        Row("messages in the table", {"arrived": messages}, Target("arrived", "=", TEXTS)),
        Row("events on the bus", {"arrived": events}, Target("arrived", "=", TEXTS)),
    ]
    return [
        Table(f"{TEXTS:,} texts through the local stack", method, [Row("text in", figures)]),
        Table(
            "What arrived of them",
            "Different message SIDs among the table's entries, and different event ids in the queue.",
            arrived,
        ),
    ]


async def _send(webhooks: Sequence[Webhook]) -> list[Sent]:
    """All of them, each of the senders with its next one as soon as the last was answered."""
    waiting = iter(webhooks)
    sent: list[Sent] = []

    async def one_sender(session: ClientSession) -> None:
        for webhook in waiting:
            started = time.monotonic()
            async with session.post(URL(webhook.url, encoded=True), data=webhook.body, headers=webhook.headers) as answer:
                await answer.read()
                sent.append(Sent(started, time.monotonic() - started, answer.status))

    async with ClientSession(connector=TCPConnector(limit=AT_ONCE)) as session:
        await asyncio.gather(*(one_sender(session) for _ in range(AT_ONCE)))
    return sent


def _entries(stage: Stage, people: Sequence[str]) -> int:
    """How many different messages these people's conversations hold."""
    table = stage.output("ConversationsTableName")
    entries = [row for row in stage.rows(table) if row["sk"]["S"].startswith("ENTRY#") and row["from_"]["S"] in people]
    return len({row["message_sid"]["S"] for row in entries})


class _Queue:
    """A queue behind a rule on the bus: all texts received from now on."""

    def __init__(self, stage: Stage) -> None:
        self._sqs = stage.client("sqs")
        self._url = self._sqs.create_queue(QueueName="bench")["QueueUrl"]
        arn = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        bus, events = stage.output("EventBusName"), stage.client("events")
        events.put_rule(Name=RULE, EventBusName=bus, EventPattern=json.dumps({"detail-type": ["SMS_RECEIVED"]}))
        events.put_targets(Rule=RULE, EventBusName=bus, Targets=[{"Id": RULE, "Arn": arn}])

    def wait_for(self, count: int) -> None:
        """Until the queue holds that many, or as long as there is patience."""
        deadline = time.monotonic() + PATIENCE_S
        while self._length() < count and time.monotonic() < deadline:
            time.sleep(0.05)

    def drain(self) -> int:
        """Empty the queue and say how many different events it held."""
        found: set[str] = set()
        while messages := self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10).get("Messages"):
            found |= {json.loads(message["Body"])["detail"]["event_id"] for message in messages}
            handles: list[Any] = [{"Id": str(at), "ReceiptHandle": one["ReceiptHandle"]} for at, one in enumerate(messages)]
            self._sqs.delete_message_batch(QueueUrl=self._url, Entries=handles)
        return len(found)

    def _length(self) -> int:
        name = "ApproximateNumberOfMessages"
        return int(self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=[name])["Attributes"][name])
