"""Who may import whom: functions → runtime → services → domain, adapters at the side, and cold starts that stay small."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.unit.deployed import guards

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "layers" / "twilio_plugin" / "twilio_plugin"
HANDLERS = sorted((ROOT / "functions").glob("*/app.py"))
MODULES = sorted(PACKAGE.rglob("*.py"))

# What each part of the package may import of the package; whatever is below a name is meant too.
MAY_IMPORT = {
    "errors": (),
    "domain": ("domain", "errors"),
    "services": ("services", "domain", "errors"),
    "adapters": ("adapters", "services.ports", "domain", "errors"),
    "runtime": ("runtime", "services", "domain", "errors"),
    "runtime.custom_resource": ("runtime", "errors"),
    "runtime.wiring": ("adapters", "runtime", "services", "domain", "errors"),
    "client": ("invoker", "domain", "errors"),
    "invoker": ("lambda_errors", "errors"),
    "lambda_errors": ("domain", "errors"),
}
# Of packages that are not in the standard library. None: whatever the part needs.
MAY_USE: dict[str, set[str] | None] = {
    "errors": set(),
    "domain": {"pydantic", "regex", "phonenumbers", "markdown_it", "twilio"},
    "services": set(),
    "adapters": None,
    "runtime": {"aws_lambda_powertools", "pydantic"},
    "runtime.custom_resource": {"aws_lambda_powertools", "crhelper"},
    "runtime.wiring": {"boto3", "botocore"},
    "client": {"pydantic"},
    "invoker": {"boto3", "botocore"},
    "lambda_errors": {"botocore"},
}
# What would make a part depend on the world around it.
IMPURE = {
    "os",
    "time",
    "random",
    "secrets",
    "socket",
    "subprocess",
    "threading",
    "asyncio",
    "logging",
    "pathlib",
    "urllib.request",
}


def module_name(path: Path) -> str:
    """``services.ports`` for ``services/ports.py``, ``domain`` for its ``__init__.py``, empty for the package's own."""
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix("__init__").removesuffix(".")


def ruled_as(module: str) -> str:
    """The rule of a module: its own, or that of the nearest folder that has one."""
    while module and module not in MAY_IMPORT:
        module = module.rpartition(".")[0]
    return module


PURE = [path for path in MODULES if ruled_as(module_name(path)) in ("errors", "domain", "services")]


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def imports(path: Path) -> Iterator[str]:
    """Every module a file imports, wherever in it: ``from a import b`` counts as ``a.b``."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports say less"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def for_types_only(path: Path) -> set[str]:
    """What a file imports under ``if TYPE_CHECKING``."""
    blocks = [
        node
        for node in ast.walk(tree(path))
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    ]
    nested = [node for block in blocks for node in ast.walk(block) if isinstance(node, ast.ImportFrom)]
    return {f"{node.module}.{alias.name}" for node in nested for alias in node.names}


def of_the_package(path: Path) -> Iterator[str]:
    for name in imports(path):
        package, _, rest = name.partition(".")
        if package == "twilio_plugin":
            yield rest


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_a_module_imports_only_what_its_place_allows(path: Path) -> None:
    module = module_name(path)
    if not module:
        assert not list(imports(path))
        return
    allowed = MAY_IMPORT[ruled_as(module)]

    wrong = [name for name in of_the_package(path) if not f"{name}.".startswith(tuple(f"{one}." for one in allowed))]

    assert not wrong, f"{module} may import {', '.join(allowed) or 'nothing of the package'}"


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_a_module_uses_only_the_packages_its_place_allows(path: Path) -> None:
    module = module_name(path)
    allowed = MAY_USE[ruled_as(module)] if module else set()
    if allowed is None:
        return
    used = {name.partition(".")[0] for name in set(imports(path)) - for_types_only(path)}

    assert used - set(sys.stdlib_module_names) - {"twilio_plugin"} <= allowed


@pytest.mark.parametrize("path", PURE, ids=module_name)
def test_domain_and_services_read_no_clock_environment_or_network(path: Path) -> None:
    used = {name for name in imports(path) for impure in IMPURE if f"{name}.".startswith(f"{impure}.")}
    clocks = [
        node.attr
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute) and node.attr in ("now", "utcnow", "today", "uuid4", "uuid1")
    ]

    assert not used
    assert not clocks


@pytest.mark.parametrize("path", [*MODULES, *HANDLERS], ids=lambda path: str(path.relative_to(ROOT)))
def test_only_the_configuration_reads_the_environment(path: Path) -> None:
    if path == PACKAGE / "runtime" / "config.py":
        return
    reads = [node for node in ast.walk(tree(path)) if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv")]

    assert not reads
    assert not {"os.environ", "os.getenv"} & set(imports(path))


def test_the_wiring_imports_adapters_where_they_are_needed_and_not_before() -> None:
    """An adapter imported at the top would be in every function's cold start."""
    wiring = [path for path in MODULES if ruled_as(module_name(path)) == "runtime.wiring"]
    at_the_top = [node for path in wiring for node in tree(path).body if isinstance(node, ast.ImportFrom)]

    assert at_the_top

    names = {f"{node.module}.{alias.name}" for node in at_the_top for alias in node.names}
    assert not [name for name in names if name.startswith(("twilio_plugin.adapters", "twilio_plugin.services"))]


def test_no_broad_except_outside_the_runtime() -> None:
    broad = [
        module_name(path)
        for path in MODULES
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or (isinstance(node.type, ast.Name) and node.type.id in ("Exception", "BaseException")))
    ]

    assert set(broad) <= {"runtime.custom_resource", "runtime.http", "runtime.websocket"}


@pytest.mark.parametrize("path", HANDLERS, ids=lambda path: path.parent.name)
def test_a_function_is_a_few_lines_without_logic(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 25
    assert {name for name in imports(path) if not name.startswith("twilio_plugin.runtime")} == set()
    assert sorted(one.name for one in path.parent.iterdir() if one.name != "__pycache__") == ["app.py"]
    body = [type(node) for node in tree(path).body]
    if path.parent.name == "voice_fallback":  # stands alone: it imports nothing that could fail
        assert body == [ast.Expr, ast.Assign, ast.FunctionDef]
        return
    assert body == [ast.Expr, ast.ImportFrom, ast.Assign], "a docstring, an import and lambda_handler = …"


def test_there_are_functions_and_modules_to_look_at() -> None:
    assert len(HANDLERS) >= 7
    assert len(MODULES) >= 30


COLD_START = """
import json, runpy, sys
before = set(sys.modules)
for app in sys.argv[1:]:
    runpy.run_path(app)["lambda_handler"]
print(json.dumps(sorted(set(sys.modules) - before)))
"""


def imported_at_cold_start(*functions: str) -> set[str]:
    """What these functions import, in an interpreter of its own."""
    names = (
        "AGENT_QUEUE_URL",
        "CALL_SESSION_FUNCTION",
        "CALLS_TABLE",
        "CONVERSATION_RELAY_FUNCTION",
        "CONVERSATIONS_TABLE",
        "EVENT_BUS_NAME",
        "GATHER_WEBHOOK_FUNCTION",
        "GREETING",
        "LEDGER_SECRET",
        "MEDIA_BUCKET",
        "MEDIA_BUCKETS",
        "MEDIA_FRAMES_TABLE",
        "MEDIA_STREAM_FUNCTION",
        "OUTBOX_TABLE",
        "PHONE_DEFAULT_REGION",
        "RELAY_TIMERS_URL",
        "SAY_VOICE",
        "STREAM_AUTHORIZER_FUNCTION",
        "TWILIO_ACCOUNT_SID",
        "TWILIO_API_BASE_URL",
        "TWILIO_PHONE_NUMBER",
        "TWILIO_REST_SECRET",
        "TWILIO_SECRET",
        "VOICE",
    )
    environment = dict.fromkeys(names, "x") | {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(PACKAGE.parent),
        "AWS_DEFAULT_REGION": "eu-central-1",
        "ENDPOINTING_MILLISECONDS": "700",
        "COPY_MEDIA": "true",
        "GUARDS": guards(),
        "LANGUAGE": "en-US",
        "MAX_MEDIA_BYTES": "1048576",
        "PARTIAL_TRANSCRIPTS": "false",
        "RELAY_ATTRIBUTES": "{}",
        "REPLY_TIMEOUT": "30",
        "RETENTION_DAYS": "365",
        "SYNTHESIZER": "twilio_plugin.adapters.polly:PollySynthesizer",
        "TRANSCRIBER": "twilio_plugin.adapters.transcribe:TranscribeStreaming",
        "TWILIO_WEBHOOK_URL": "https://example.com/webhooks/twilio",
        "TWILIO_WEBSOCKET_URL": "wss://example.com/live",
        "VOICE_MODE": "stream",
        "WEBSOCKET_MANAGEMENT_URL": "https://example.com/live",
    }
    apps = [str(ROOT / "functions" / name / "app.py") for name in functions]
    ran = subprocess.run(
        [sys.executable, "-c", COLD_START, *apps], env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return set(json.loads(ran.stdout.splitlines()[-1]))


def test_the_webhooks_and_the_relay_start_without_what_only_sending_needs() -> None:
    heavy = {"twilio.rest", "twilio.twiml", "pydantic", "phonenumbers", "markdown_it", "regex", "requests"}

    imported = imported_at_cold_start("sms_webhook", "status_webhook", "event_relay")

    assert "twilio_plugin.services.receive_sms" in imported
    assert not heavy & imported


def test_what_moves_media_starts_without_what_only_sending_needs() -> None:
    heavy = {"twilio.rest", "twilio.twiml", "pydantic", "phonenumbers", "markdown_it", "regex", "requests"}

    imported = imported_at_cold_start("copy_media", "serve_media")

    assert {"twilio_plugin.services.copy_media", "twilio_plugin.services.serve_media"} <= imported
    assert not heavy & imported


def test_what_answers_the_socket_starts_without_what_only_sending_needs() -> None:
    heavy = {"twilio.rest", "twilio.twiml", "pydantic", "phonenumbers", "markdown_it", "regex", "requests"}

    imported = imported_at_cold_start("stream_authorizer", "media_stream", "frame_ingest", "conversation_relay")

    assert "twilio_plugin.runtime.websocket" in imported
    assert not heavy & imported


def test_what_answers_a_call_starts_with_documents_and_without_what_only_calling_needs() -> None:
    heavy = {"twilio.rest", "pydantic", "phonenumbers", "markdown_it", "regex", "requests"}

    imported = imported_at_cold_start("voice_webhook", "gather_webhook")

    assert "twilio.twiml" in imported
    assert not heavy & imported


def test_what_speaks_starts_without_twilio() -> None:
    imported = imported_at_cold_start("say")

    assert "twilio_plugin.services.speak" in imported
    assert not {"twilio", "twilio.rest", "phonenumbers", "markdown_it", "requests"} & imported


def test_what_hears_starts_without_twilio() -> None:
    imported = imported_at_cold_start("call_session")

    assert "twilio_plugin.services.listen" in imported
    assert not {"twilio", "twilio.rest", "pydantic", "phonenumbers", "markdown_it", "requests"} & imported


def test_a_text_is_queued_for_the_agent_without_what_only_answering_needs() -> None:
    imported = imported_at_cold_start("bridge_queue")

    assert "twilio_plugin.adapters.text_queue" in imported
    assert not {"twilio.rest", "pydantic", "phonenumbers", "markdown_it", "regex", "requests"} & imported


def test_reading_history_starts_without_what_only_sending_needs() -> None:
    imported = imported_at_cold_start("conversation_history")

    assert "twilio_plugin.services.read_history" in imported
    assert not {"twilio", "twilio.rest", "markdown_it", "requests"} & imported
