"""What a warm request costs in CPU, with its database and Twilio requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.bench.conversation import write_conversation
from tests.bench.payloads import SHORT_TEXT, Payload
from tests.bench.report import Row, Table, Target
from tests.bench.workbench import Workbench

REQUESTS = 300
WARM_UP = 20
BATCH = 50  # the mean of the best batch counts: the rest was disturbed
TARGET_MS = 3.0  # of a webhook with one database request


def measure(bench: Workbench) -> list[Table]:
    """CPU ms per request."""
    stage, count = bench.stage, WARM_UP + REQUESTS
    stage.stop_relay()
    bench.say("Writing conversations of 10 and 10,000 entries")
    short, long = write_conversation(stage, 10), write_conversation(stage, 10_000)
    target = Target("best_ms", "≤", TARGET_MS)
    cases: list[tuple[str, str, Sequence[Payload], Target | None]] = [
        ("sms_webhook, a text", "sms_webhook", [stage.twilio.text_in(stage.person()).event() for _ in range(count)], target),
        (
            "status_webhook, a callback",
            "status_webhook",
            [stage.twilio.status(stage.person(), "sent").event() for _ in range(count)],
            target,
        ),
        ("send_sms, one part", "send_sms", [{"to": stage.person(), "body": SHORT_TEXT} for _ in range(count)], None),
        ("conversation_history, 10 of 10", "conversation_history", [{"phone_number": short, "limit": 10}] * count, None),
        ("conversation_history, 10 of 10,000", "conversation_history", [{"phone_number": long, "limit": 10}] * count, None),
    ]
    rows = []
    for what, function, payloads, aim in cases:
        bench.say(f"Serving {REQUESTS} requests for the CPU of {what}")
        rows.append(Row(what, _figures(stage.serve(bench.layout, function, payloads)), aim))
    method = (
        f"CPU of the function's process per request, over {REQUESTS} after {WARM_UP} to warm up: the mean of the best {BATCH} in a "
        "row, of all, and the very first, which reads the secret. Signing, JSON and sockets to the local engine and the Twilio "
        "stand-in are in it; TLS, which AWS adds, is not."
    )
    return [Table("CPU per warm request", method, rows)]


def _figures(done: Mapping[str, Any]) -> dict[str, float]:
    all_ms = [seconds * 1000 for seconds in done["cpu_s"]]
    warm = all_ms[WARM_UP:]
    batches = [warm[at : at + BATCH] for at in range(0, len(warm), BATCH)]
    return {
        "best_ms": min(sum(batch) / len(batch) for batch in batches),
        "mean_ms": sum(warm) / len(warm),
        "first_ms": all_ms[0],
    }
