"""The very payloads of `events/invocations`, through the handlers in this process, so that what they log can be read."""

from __future__ import annotations

import importlib.util
import io
import json
import logging
import secrets
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest

from local.engine import CREDENTIALS, ROOT
from tests.e2e.conftest import Phone
from tools import samples
from twilio_plugin.domain.timestamp import iso
from twilio_plugin.errors import PluginError
from twilio_plugin.runtime.observability import logger
from twilio_plugin.runtime.wiring import parts

CASES = sorted(path.relative_to(ROOT / "events/invocations") for path in (ROOT / "events/invocations").rglob("*.json"))
Run = Callable[[str, Any], Any]


class Context:
    """What Lambda passes beside the payload."""

    function_name = "in-process"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:us-east-1:000000000000:function:in-process"

    def __init__(self) -> None:
        self.aws_request_id = secrets.token_hex(8)

    def get_remaining_time_in_millis(self) -> int:
        """Half a minute, always."""
        return 30_000


@pytest.fixture
def logs() -> Iterator[io.StringIO]:
    """Everything that any logger writes, ours in its own format."""
    written = io.StringIO()
    (own,) = logger.handlers
    assert isinstance(own, logging.StreamHandler)
    stream = own.setStream(written)
    everything = logging.StreamHandler(written)
    logging.getLogger().addHandler(everything)
    yield written
    logging.getLogger().removeHandler(everything)
    own.setStream(stream)


@pytest.fixture
def run(phone: Phone, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Run a function's handler on a payload, with the deployed stack's tables behind it."""
    secret = phone.stack.engine.client("secretsmanager").create_secret(
        Name=f"samples-{secrets.token_hex(4)}", SecretString=json.dumps({"auth_token": samples.AUTH_TOKEN})
    )
    environment = (
        deployed_environment(phone)
        | CREDENTIALS
        | {
            "AWS_ENDPOINT_URL": phone.stack.engine.url,
            "RETENTION_DAYS": "1",
            "TWILIO_ACCOUNT_SID": samples.ACCOUNT,
            "TWILIO_PHONE_NUMBER": samples.OURS,
            "TWILIO_REST_SECRET": secret["ARN"],
            "TWILIO_SECRET": secret["ARN"],
            "TWILIO_WEBHOOK_URL": samples.WEBHOOK_URL,
            # Engines of AWS: they are built, and asked nothing.
            "SYNTHESIZER": "twilio_plugin.adapters.polly:PollySynthesizer",
            "TRANSCRIBER": "twilio_plugin.adapters.transcribe:TranscribeStreaming",
        }
    )
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    parts.dynamodb.cache_clear()
    parts.s3.cache_clear()
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # the next test's session is not to know these credentials

    def run(function: str, payload: Any) -> Any:
        path = ROOT / "functions" / function / "app.py"
        spec = importlib.util.spec_from_file_location(f"app_{function}", path)
        assert spec
        assert spec.loader
        app = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(app)
        return app.lambda_handler(payload, Context())

    yield run
    parts.dynamodb.cache_clear()
    parts.s3.cache_clear()


def deployed_environment(phone: Phone) -> dict[str, str]:
    """What the functions of the stack are told, all of them together."""
    variables: dict[str, str] = {}
    for function in phone.lambda_.list_functions()["Functions"]:
        variables |= function.get("Environment", {}).get("Variables", {})
    return variables


def keep_the_call(phone: Phone, call_sid: str) -> None:
    """The call that a callback is about, as `make_call` leaves it."""
    item = {
        "call_sid": call_sid,
        "sk": "CALL",
        "conversation_id": f"phone|{samples.OURS}|{samples.THEIRS}",
        "to": samples.THEIRS,
    }
    item |= {"from_": samples.OURS, "direction": "outbound", "status": "in-progress", "started_at": iso(datetime.now(UTC))}
    item |= {"account_sid": samples.ACCOUNT, "on_machine": "continue"}
    phone.dynamodb.put_item(TableName=phone.calls, Item={name: {"S": value} for name, value in item.items()})


def payload(case: Path) -> Any:
    return json.loads((ROOT / "events/invocations" / case).read_text())


@pytest.fixture
def nobody_waits(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """CloudFormation asked nothing, so it is answered nothing."""
    monkeypatch.setattr("twilio_plugin.runtime.custom_resource._answer", lambda _url, _body, _verify: None)
    level = logging.root.level
    yield
    logging.root.setLevel(level)


@pytest.mark.parametrize("case", [case for case in CASES if case.parts[0].endswith("_webhook")], ids=str)
def test_a_sample_webhook_is_answered_as_twilio_wants(run: Run, phone: Phone, case: Path) -> None:
    if case.stem in ("answered_by", "recording", "transcription_content", "transcription_error"):
        keep_the_call(phone, samples.CALL)

    answer = run(case.parts[0], payload(case))

    assert answer["statusCode"] == (204 if case.parts[0] == "status_webhook" else 200)


@pytest.mark.parametrize(
    "function",
    [
        "conversation_history",
        "conversation_relay",
        "event_relay",
        "reconcile",
        "relay_timer",
        "call_state",
        "voice_fallback",
        "serve_media",
    ],
)
def test_the_other_samples_run(run: Run, function: str) -> None:
    for case in CASES:
        if case.parts[0] == function:
            assert run(function, payload(case)) is not None


@pytest.mark.usefixtures("nobody_waits")
def test_logs_never_hold_bodies_tokens_or_whole_numbers(run: Run, phone: Phone, logs: io.StringIO) -> None:
    # The stand-in does not know this account, so sends are refused with 20003: the errors are logged too.
    # crhelper silences every logger but ours: its function comes last.
    for case in sorted(CASES, key=lambda case: case.parts[0] == "configure_number"):
        sends = ("send_", "make_call", "control_call", "say", "run_action")
        if case.parts[0].startswith(sends) and case.stem != "dry_run":
            with pytest.raises(PluginError):
                run(case.parts[0], payload(case))
        else:
            run(case.parts[0], payload(case))
    forged = payload(Path("sms_webhook/text.json"))
    forged["headers"]["x-twilio-signature"] = "forged"
    run("sms_webhook", forged)
    broken = payload(Path("sms_webhook/text.json"))
    broken["isBase64Encoded"] = "nonsense"
    broken["body"] = 5
    run("sms_webhook", broken)

    text = logs.getvalue()
    assert "text received" in text
    assert "refused" in text
    assert "unexpectedly" in text
    for private in (
        samples.THEIRS,
        samples.OURS,
        samples.AUTH_TOKEN,
        "555-1234",
        "%2B1555",
        "Dinner",
        "Hello 👋",
        "Menu",
        "4711",
        "X-Amz-Signature",
        "estimate",
    ):
        assert private not in text, private
    assert "***1234" in text
