"""How much memory a function's process needs, which is what its MemorySize must hold."""

from __future__ import annotations

from itertools import islice

from tests.bench.conversation import conversation
from tests.bench.layout import FUNCTIONS, WEBHOOKS
from tests.bench.payloads import SHORT_TEXT, Payload, stream_batch
from tests.bench.report import Row, Table, Target
from tests.bench.stage import Stage
from tests.bench.workbench import Workbench

REQUESTS = 50
EVENTS = 10  # in a batch of the relay
MB = 1_000_000  # bytes
TARGET_MB = 128  # of a webhook
PICTURE = "https://example.com/picture.jpg"


def measure(bench: Workbench) -> list[Table]:
    """Peak resident MB after the import, and after the requests."""
    stage = bench.stage
    stage.stop_relay()
    rows = []
    # A call that is made brings callbacks, which would keep the engine busy: make_call and control_call are left out. They
    # import what send_sms does.
    for function in [name for name in FUNCTIONS if name not in ("make_call", "control_call")]:
        bench.say(f"Serving {REQUESTS} requests for the memory of {function}")
        done = stage.serve(bench.layout, function, _payloads(stage, function))
        target = Target("peak_mb", "<", TARGET_MB) if function in WEBHOOKS else None
        rows.append(Row(function, {"imported_mb": done["imported_bytes"] / MB, "peak_mb": done["peak_bytes"] / MB}, target))
    method = (
        "The most resident memory, in MB of 1,000,000 bytes, of a process that imported the handler and served a cold request "
        f"and {REQUESTS} warm ones: raw, as the system under the bench counts it for Python. Lambda's own client comes on top."
    )
    return [Table("Peak memory", method, rows)]


def _payloads(stage: Stage, function: str) -> list[Payload]:
    count, twilio = REQUESTS + 1, stage.twilio
    if function == "sms_webhook":
        return [twilio.text_in(stage.person()).event() for _ in range(count)]
    if function == "status_webhook":
        return [twilio.status(stage.person(), "delivered").event() for _ in range(count)]
    if function == "voice_webhook":
        return [twilio.call_in(stage.person()).event() for _ in range(count)]
    if function == "call_state":
        return [{}] * count
    if function == "send_sms":
        return [{"to": stage.person(), "body": SHORT_TEXT} for _ in range(count)]
    if function == "send_mms":
        return [{"to": stage.person(), "media_url": [PICTURE]} for _ in range(count)]
    if function == "conversation_history":
        return [{"phone_number": conversation(stage, 20)}] * count
    if function == "event_relay":
        rows = list(islice(stage.rows(stage.output("OutboxTableName")), EVENTS))
        return [stream_batch(rows)] * count
    stage.empty_outbox()
    return [{}] * count
