"""What a cold start spends on imports, against boto3 alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from statistics import median

from local.engine import CREDENTIALS
from tests.bench.layout import FUNCTIONS, STREAMS, WEBHOOKS, Layout
from tests.bench.report import Row, Table, Target
from tests.bench.workbench import Workbench
from tests.unit.deployed import guards
from twilio_plugin.runtime import config

ROUNDS = 12
TARGET_RATIO = 1.6  # of a webhook, against boto3 and one client

# Beside those that `cpu` measures: what a person waits for as well, and what else there is.
ALSO_WAITED_FOR = ("gather_webhook", "conversation_relay", "serve_media")
OTHERS = ("relay_timer", "copy_media", "configure_number", "forget", "run_action")


def _environment() -> dict[str, str]:
    """Handlers read their configuration when they are imported, and reach for nothing that it names."""
    kinds = [kind for kind in vars(config).values() if dataclasses.is_dataclass(kind) and kind.__module__ == config.__name__]
    names = {field.name.upper() for kind in kinds for field in dataclasses.fields(kind)}
    return dict.fromkeys(names, "x") | {
        **CREDENTIALS,
        "AWS_LAMBDA_FUNCTION_NAME": "bench",
        "ENDPOINTING_MILLISECONDS": "700",
        "GUARDS": guards(),
        "LANGUAGE": "en-US",
        "MAX_MEDIA_BYTES": "16777216",
        "RELAY_ATTRIBUTES": "{}",
        "REPLY_TIMEOUT": "30",
        "RETENTION_DAYS": "365",
        "SYNTHESIZER": "twilio_plugin.adapters.polly:PollySynthesizer",
        "TIMER_ATTEMPTS": "4",
        "TRANSCRIBER": "twilio_plugin.adapters.transcribe:TranscribeStreaming",
        "TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
        "TWILIO_API_BASE_URL": "https://api.twilio.com",
        "TWILIO_PHONE_NUMBER": "+14155550100",
        "TWILIO_WEBHOOK_URL": "https://example.com/webhooks/twilio",
        "TWILIO_WEBSOCKET_URL": "wss://example.com/live",
        "VOICE_MODE": "stream",
        "WEBSOCKET_MANAGEMENT_URL": "https://example.com/live",
    }


_BARE, _BOTO3 = "bare interpreter", "boto3 and one client"


def measure(bench: Workbench) -> list[Table]:
    """CPU ms of each function's import, and its ratio to boto3's."""
    candidates, environment = _candidates(bench.layout), _environment()
    taken: dict[str, list[float]] = {name: [] for name in candidates}
    for number in range(1, ROUNDS + 1):
        bench.say(f"Importing each function in a fresh interpreter: round {number} of {ROUNDS}")
        for name, program in candidates.items():
            taken[name].append(bench.layout.run(["-c", program], environment).cpu_s)
    least, middle = _net_ms(taken, min), _net_ms(taken, median)
    return [
        Table(
            "Import time",
            "CPU (user and system) of a fresh interpreter that imports the handler from the built layers, with boto3 behind "
            f"them as in Lambda, and ends there, minus a bare interpreter's; the least of {ROUNDS} interleaved rounds. "
            "The ratio is to importing boto3 and making one DynamoDB client; that of the medians is the one to judge by, "
            "because a single lucky round of one candidate moves the other.",
            [_row(name, least[name], least[name] / least[_BOTO3], middle[name] / middle[_BOTO3]) for name in least],
        )
    ]


def _net_ms(taken: Mapping[str, Sequence[float]], one_of: Callable[[Sequence[float]], float]) -> dict[str, float]:
    """One of each candidate's CPU times, minus that of the bare interpreter."""
    return {name: (one_of(seconds) - one_of(taken[_BARE])) * 1000 for name, seconds in taken.items() if name != _BARE}


def _candidates(layout: Layout) -> dict[str, str]:
    def program(path: list[str], then: str) -> str:
        # A Lambda does not tear its modules down, which would count for much of a large import.
        return f"import os, sys; sys.path[:0] = {path!r}; {then}; os._exit(0)"

    functions = (*FUNCTIONS, *STREAMS, *ALSO_WAITED_FOR, *OTHERS)
    return {
        _BARE: program([str(layout.runtime)], "pass"),
        _BOTO3: program([str(layout.runtime)], "import boto3; boto3.client('dynamodb')"),
        **{function: program(layout.path(function), "from app import lambda_handler") for function in functions},
    }


def _row(name: str, cpu_ms: float, ratio: float, median_ratio: float) -> Row:
    target = Target("median_ratio", "≤", TARGET_RATIO) if name in (*WEBHOOKS, *ALSO_WAITED_FOR) else None
    return Row(name, {"cpu_ms": cpu_ms, "ratio": ratio, "median_ratio": median_ratio}, target)
