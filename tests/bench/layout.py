"""The functions as Lambda lays them out, and fresh interpreters that see that and nothing else."""

from __future__ import annotations

import importlib.util
import json
import os
import resource
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from local.engine import ROOT

WEBHOOKS = ("sms_webhook", "status_webhook", "voice_webhook")
TEXTS = ("send_sms", "send_mms", "conversation_history")
CALLS = ("make_call", "control_call", "call_state")
STREAMS = ("stream_authorizer", "frame_ingest", "media_stream", "call_session", "say")
FUNCTIONS = (*WEBHOOKS, *TEXTS, *CALLS, "event_relay", "reconcile")
LAYERS = {"dependencies": "DependenciesLayer", "twilio_plugin": "PluginLayer", "speech": "SpeechLayer"}
# What Lambda's Python runtime brings: boto3 with all it needs.
RUNTIME = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six", "urllib3")


@dataclass(frozen=True, slots=True)
class Finished:
    """A process that ended well: its CPU seconds, user and system, and what it printed."""

    cpu_s: float
    output: str


@dataclass(frozen=True, slots=True)
class Layout:
    """``/opt`` with the layers, ``/var/runtime`` with boto3; a search path has them behind the function, as in Lambda."""

    built: Path
    """Where SAM put its build: one folder a layer."""
    opt: Path
    speech: Path
    """What call_session has in its ``/opt`` besides."""
    runtime: Path
    python: str
    """The interpreter that the layers' bytecode is for."""

    @classmethod
    def of(cls, built: Path, folder: Path) -> Layout:
        """Lay out below `folder`. The layers are linked, not copied: another build may replace them while we measure."""
        opt, speech, runtime = folder / "opt", folder / "speech", folder / "runtime"
        for stale in (opt, speech, runtime):
            shutil.rmtree(stale, ignore_errors=True)
        for name, layer in LAYERS.items():
            into = speech if name == "speech" else opt
            shutil.copytree(built / layer / "python", into, copy_function=os.link, dirs_exist_ok=True)
        runtime.mkdir(parents=True)
        for name in RUNTIME:
            source = _installed(name)
            (runtime / source.name).symlink_to(source)
        tools = json.loads((ROOT / ".local" / "tools.json").read_text())
        return cls(built, opt, speech, runtime, tools["python"])

    def path(self, function: str) -> list[str]:
        """What stands before the standard library on a function's search path."""
        speech = [str(self.speech)] if function == "call_session" else []
        return [str(ROOT / "functions" / function), str(self.opt), *speech, str(self.runtime)]

    def run(self, arguments: Sequence[str], environment: Mapping[str, str], *, given: str = "") -> Finished:
        """Run a fresh interpreter to its end: no site-packages, no variables but these, no bytecode written.

        Raises:
            RuntimeError: it failed; with its last words.
        """
        command = [self.python, "-I", "-S", "-B", *arguments]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        ran = subprocess.run(
            command, input=given, capture_output=True, text=True, check=False, env=dict(environment), timeout=180
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if ran.returncode:
            raise RuntimeError(f"{' '.join(arguments)[-200:]} failed: {ran.stderr[-2000:]}")
        return Finished(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, ran.stdout)


def _installed(name: str) -> Path:
    """Where a package or a module of this environment is."""
    found = importlib.util.find_spec(name)
    if found is None or found.origin is None:
        raise RuntimeError(f"{name} is not in this environment. Run python3 local/bootstrap.py dev.")
    origin = Path(found.origin)
    return origin.parent if found.submodule_search_locations else origin
