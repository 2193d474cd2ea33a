"""What a cold start spends on imports, against boto3 alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import median

from local.engine import CREDENTIALS
from tests.bench.layout import FUNCTIONS, STREAMS, WEBHOOKS, Layout
from tests.bench.report import Row, Table, Target
from tests.bench.workbench import Workbench
from tests.unit.deployed import guards

ROUNDS = 12
TARGET_RATIO = 1.6  # of a webhook, against boto3 and one client

# Handlers read their configuration when they are imported, and reach for nothing that these name.
ENVIRONMENT = {
    **CREDENTIALS,
    "AWS_LAMBDA_FUNCTION_NAME": "bench",
    "CALL_SESSION_FUNCTION": "call-session",
    "CALLS_TABLE": "calls",
    "CONVERSATIONS_TABLE": "conversations",
    "ENDPOINTING_MILLISECONDS": "700",
    "EVENT_BUS_NAME": "bus",
    "COPY_MEDIA": "true",
    "GREETING": "Hello.",
    "GUARDS": guards(),
    "LANGUAGE": "en-US",
    "LEDGER_SECRET": "ledger",
    "MEDIA_BUCKETS": "media",
    "MEDIA_FRAMES_TABLE": "frames",
    "MEDIA_STREAM_FUNCTION": "media-stream",
    "OUTBOX_TABLE": "outbox",
    "PARTIAL_TRANSCRIPTS": "false",
    "PHONE_DEFAULT_REGION": "US",
    "REPLY_TIMEOUT": "30",
    "RETENTION_DAYS": "365",
    "STREAM_AUTHORIZER_FUNCTION": "stream-authorizer",
    "SYNTHESIZER": "twilio_plugin.adapters.polly:PollySynthesizer",
    "TRANSCRIBER": "twilio_plugin.adapters.transcribe:TranscribeStreaming",
    "TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
    "TWILIO_API_BASE_URL": "https://api.twilio.com",
    "TWILIO_PHONE_NUMBER": "+15555550100",
    "TWILIO_REST_SECRET": "secret",
    "TWILIO_SECRET": "secret",
    "TWILIO_WEBHOOK_URL": "https://example.com/webhooks/twilio",
    "TWILIO_WEBSOCKET_URL": "wss://example.com/live",
    "VOICE": "Joanna",
    "WEBSOCKET_MANAGEMENT_URL": "https://example.com/live",
}

_BARE, _BOTO3 = "bare interpreter", "boto3 and one client"


def measure(bench: Workbench) -> list[Table]:
    """CPU ms of each function's import, and its ratio to boto3's."""
    candidates = _candidates(bench.layout)
    taken: dict[str, list[float]] = {name: [] for name in candidates}
    for number in range(1, ROUNDS + 1):
        bench.say(f"Importing each function in a fresh interpreter: round {number} of {ROUNDS}")
        for name, program in candidates.items():
            taken[name].append(bench.layout.run(["-c", program], ENVIRONMENT).cpu_s)
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

    return {
        _BARE: program([str(layout.runtime)], "pass"),
        _BOTO3: program([str(layout.runtime)], "import boto3; boto3.client('dynamodb')"),
        **{function: program(layout.path(function), "from app import lambda_handler") for function in (*FUNCTIONS, *STREAMS)},
    }


def _row(name: str, cpu_ms: float, ratio: float, median_ratio: float) -> Row:
    target = Target("median_ratio", "≤", TARGET_RATIO) if name in WEBHOOKS else None
    return Row(name, {"cpu_ms": cpu_ms, "ratio": ratio, "median_ratio": median_ratio}, target)
