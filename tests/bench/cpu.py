"""What a warm request costs in CPU, with its database and Twilio requests."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.bench.conversation import conversation
from tests.bench.payloads import SHORT_TEXT, Payload
from tests.bench.report import Row, Table, Target
from tests.bench.stage import Stage
from tests.bench.workbench import Workbench

WARM_UP = 10
BATCHES = 6  # the mean of the best one counts: the others were disturbed
TARGET_MS = 3.0  # of a webhook with one database request


@dataclass(frozen=True, slots=True)
class Case:
    """One kind of request."""

    what: str
    function: str
    payload: Callable[[], Payload]
    requests: int = 300
    target: Target | None = None


def measure(bench: Workbench) -> list[Table]:
    """CPU ms per request."""
    bench.stage.stop_relay()
    rows = []
    for case in _cases(bench.stage):
        bench.say(f"Serving {case.requests} requests for the CPU of {case.what}")
        payloads = [case.payload() for _ in range(WARM_UP + case.requests)]
        rows.append(Row(case.what, _figures(bench.stage.serve(bench.layout, case.function, payloads)), case.target))
    method = (
        f"CPU of the function's process per request, after {WARM_UP} to warm up: the mean of the best sixth in a row, of all, "
        "and of the very first, which reads the secret. Signing, JSON and sockets to the local engine and the Twilio stand-in "
        "are in it; TLS, which AWS adds, is not. The engine takes half a second for a page of 10,000 entries, in which the "
        "processor's caches forget the function: fewer requests, and a higher figure for the same work."
    )
    return [Table("CPU per warm request", method, rows)]


def _cases(stage: Stage) -> Iterator[Case]:
    target = Target("best_ms", "≤", TARGET_MS)
    yield Case("sms_webhook", "sms_webhook", lambda: stage.twilio.text_in(stage.person()).event(), target=target)
    yield Case("status_webhook", "status_webhook", lambda: stage.twilio.status(stage.person(), "sent").event(), target=target)
    yield Case("voice_webhook", "voice_webhook", lambda: stage.twilio.call_in(stage.person()).event(), target=target)
    yield Case("send_sms, one part", "send_sms", lambda: {"to": stage.person(), "body": SHORT_TEXT})
    short, long = conversation(stage, 10), conversation(stage, 10_000)
    yield Case("history, 10 of 10", "conversation_history", lambda: {"phone_number": short, "limit": 10})
    yield Case("history, 10 of 10,000", "conversation_history", lambda: {"phone_number": long, "limit": 10}, requests=30)


def _figures(done: Mapping[str, Any]) -> dict[str, int | float]:
    all_ms = [seconds * 1000 for seconds in done["cpu_s"]]
    warm = all_ms[WARM_UP:]
    length = len(warm) // BATCHES
    means = [sum(warm[at : at + length]) / length for at in range(0, length * BATCHES, length)]
    return {"requests": len(warm), "best_ms": min(means), "mean_ms": sum(warm) / len(warm), "first_ms": all_ms[0]}
