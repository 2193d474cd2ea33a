"""What each request asks of DynamoDB, and what that costs."""

from __future__ import annotations

import io
import os
import runpy
import secrets
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from unittest.mock import patch

import boto3

from tests.bench.capacity import usd_per_million
from tests.bench.conversation import conversation
from tests.bench.layout import FUNCTIONS
from tests.bench.meter import Meter, Usage
from tests.bench.payloads import LONG_TEXT, SHORT_TEXT, Payload, stream_batch
from tests.bench.report import Row, Table
from tests.bench.stage import Stage
from tests.bench.workbench import Workbench
from tests.bench.worker import Context

EVENTS = 10  # in a batch of the relay
Invoke = Callable[[str, Payload], Usage]


def measure(bench: Workbench) -> list[Table]:
    """Requests by operation, units and dollars of each kind of request."""
    stage = bench.stage
    stage.stop_relay()
    bench.say("Counting database requests and units")
    with _metered_handlers(stage) as invoke:
        rows = [_row(what, usage) for what, usage in _cases(stage, invoke)]
    method = (
        "Counted where botocore sends. Units are computed from the sizes of the items by DynamoDB's published rules (the local "
        "engine's own figures ignore the size of reads), index included; a cancelled transaction counts in full. Dollars for a "
        "million of each, on demand in us-east-1: $0.625 a million write units, $0.125 a million read units. Streams, time to "
        "live, Lambda and the bus are not in it."
    )
    return [Table("DynamoDB per request", method, rows)]


def _cases(stage: Stage, invoke: Invoke) -> Iterator[tuple[str, Usage]]:
    person, twilio = stage.person(), stage.twilio
    for function, payload in _warming_up(stage):
        invoke(function, payload)
    text = twilio.text_in(person).event()
    yield "text in", invoke("sms_webhook", text)
    yield "text in, again", invoke("sms_webhook", text)
    yield "STOP", invoke("sms_webhook", twilio.text_in(person, "STOP").event())
    person = stage.person()
    yield "send of one part", invoke("send_sms", {"to": person, "body": SHORT_TEXT})
    sid = _last_sid(stage, person)
    yield "status callback", invoke("status_webhook", twilio.status(person, "delivered", message_sid=sid).event())
    yield "status callback, late", invoke("status_webhook", twilio.status(person, "sent", message_sid=sid).event())
    yield "send of three parts", invoke("send_sms", {"to": stage.person(), "body": LONG_TEXT, "chunk_limit": 160})
    call_sid = f"CA{secrets.token_hex(16)}"
    yield "call in", invoke("voice_webhook", twilio.call_in(stage.person(), call_sid).event())
    invoke("status_webhook", twilio.transcribed(call_sid, 1).event())
    yield "transcribed turn", invoke("status_webhook", twilio.transcribed(call_sid, 2).event())
    yield "transcribed turn, again", invoke("status_webhook", twilio.transcribed(call_sid, 2).event())
    yield "call out", invoke("make_call", {"to": stage.person(), "say": SHORT_TEXT})
    yield "active calls", invoke("call_state", {})
    for entries in (10, 10_000):
        page = {"phone_number": conversation(stage, entries), "limit": 10}
        yield f"history, 10 of {entries:,}", invoke("conversation_history", page)
    stage.empty_outbox()
    for _ in range(EVENTS):
        invoke("sms_webhook", twilio.text_in(stage.person()).event())
    batch = stream_batch(list(stage.rows(stage.output("OutboxTableName"))))
    yield f"relay, {EVENTS} events", invoke("event_relay", batch)
    yield "reconcile, idle", invoke("reconcile", {})


def _warming_up(stage: Stage) -> Iterator[tuple[str, Payload]]:
    """What reads the secret, so that nothing else does."""
    yield "sms_webhook", stage.twilio.text_in(stage.person()).event()
    yield "status_webhook", stage.twilio.status(stage.person(), "sent").event()
    yield "send_sms", {"to": stage.person(), "body": SHORT_TEXT}
    yield "voice_webhook", stage.twilio.call_in(stage.person()).event()
    yield "make_call", {"to": stage.person(), "say": SHORT_TEXT}


@contextmanager
def _metered_handlers(stage: Stage) -> Iterator[Invoke]:
    """The handlers in this process, with the deployed functions' variables and a session whose clients are metered."""
    meter = Meter(stage.database)
    variables: dict[str, str] = {}
    for function in FUNCTIONS:
        variables |= stage.environment(function)
    with patch.dict(os.environ, variables), redirect_stdout(io.StringIO()):
        session = boto3.Session()
        meter.attach(session)
        with patch.object(boto3, "DEFAULT_SESSION", session):
            handlers = {function: runpy.run_path(f"functions/{function}/app.py")["lambda_handler"] for function in FUNCTIONS}

        def invoke(function: str, payload: Payload) -> Usage:
            with meter.counting() as usage:
                answer = handlers[function](payload, Context(function))
            if answer.get("statusCode", 200) >= 300:
                raise RuntimeError(f"{function} answered {answer}")
            return usage

        yield invoke


def _last_sid(stage: Stage, person: str) -> str:
    """The message SID of the newest entry with a person."""
    entries = [row for row in stage.rows(stage.output("ConversationsTableName")) if row.get("to", {}).get("S") == person]
    return str(max(row["message_sid"]["S"] for row in entries if row["sk"]["S"].startswith("ENTRY#")))


def _row(what: str, usage: Usage) -> Row:
    return Row(
        what,
        {
            "requests": sum(usage.requests.values()),
            "write_units": usage.writes,
            "read_units": usage.reads,
            "usd_per_million": usd_per_million(writes=usage.writes, reads=usage.reads),
            "operations": _named(usage.requests),
        },
    )


def _named(requests: Counter[str]) -> str:
    return ", ".join(name if count == 1 else f"{count} {name}" for name, count in requests.items())
