"""`sam build` and `sam deploy`, pointed at the local engine."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from local.engine import CREDENTIALS, ROOT, Engine

BUCKET = "local-artifacts"
ARCHITECTURE = "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64"
_SAM = ROOT / ".local" / "sam" / "bin" / "sam"


class DeploymentFailed(RuntimeError):
    """SAM's own last words."""


def build(template: Path) -> Path:
    """`sam build` below ``.local/build``, unless nothing has changed since the last. Returns the built template."""
    tools = json.loads((ROOT / ".local" / "tools.json").read_text())
    folder = ROOT / ".local" / "build" / template.parent.name
    built, stamp = folder / "template.yaml", folder / ".built-from"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another process may be at it: then it is built when our turn comes
        _build(template, built, stamp, tools)
    return built


def _build(template: Path, built: Path, stamp: Path, tools: Mapping[str, str]) -> None:
    wanted = _fingerprint(template, tools["python"])
    if not (built.exists() and stamp.exists() and stamp.read_text() == wanted):
        # The engine runs functions on its own interpreter, so its layers are built for that one.
        environment = {
            "LAYER_PYTHON": tools["python"],
            "LAYER_PYTHON_VERSION": tools["version"],
            "LAYER_UV": tools["uv"],
            "PYTHON": tools["python"],
        }
        _sam(["build", "--template-file", str(template), "--build-dir", str(built.parent)], environment)
        stamp.write_text(wanted)


def deploy(engine: Engine, built: Path, stack_name: str, parameters: Mapping[str, str]) -> dict[str, str]:
    """`sam deploy`, and the stack's outputs.

    Raises:
        DeploymentFailed: with what SAM said.
    """
    s3 = engine.client("s3")
    if BUCKET not in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]:
        s3.create_bucket(Bucket=BUCKET)
    overrides = [f"ParameterKey={name},ParameterValue={value}" for name, value in parameters.items()]
    try:
        _sam(
            [
                *("deploy", "--template-file", str(built), "--stack-name", stack_name, "--s3-bucket", BUCKET),
                *(["--parameter-overrides", *overrides] if overrides else []),
            ],
            {**CREDENTIALS, "AWS_ENDPOINT_URL": engine.url},
        )
    except DeploymentFailed as failure:
        # SAM's table breaks sentences into columns, above all that was then deleted again.
        raise DeploymentFailed("\n".join([str(failure), *reasons(engine, stack_name)])) from None
    return outputs(engine, stack_name)


def reasons(engine: Engine, stack_name: str) -> list[str]:
    """What CloudFormation says of what failed in the newest stack of that name, which may be gone; the newest last."""
    client = engine.client("cloudformation")
    stacks = [stack for stack in client.list_stacks()["StackSummaries"] if stack["StackName"] == stack_name]
    if not stacks:
        return []
    newest = max(stacks, key=lambda stack: stack["CreationTime"])
    pages = client.get_paginator("describe_stack_events").paginate(StackName=newest["StackId"])
    failed = [event for page in pages for event in page["StackEvents"] if event["ResourceStatus"].endswith("_FAILED")]
    return [f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', '')}" for event in reversed(failed)]


def outputs(engine: Engine, stack_name: str) -> dict[str, str]:
    """A stack's outputs by name."""
    stack: Any = engine.client("cloudformation").describe_stacks(StackName=stack_name)["Stacks"][0]
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


def _sam(arguments: list[str], environment: Mapping[str, str]) -> None:
    command = [str(_SAM), *arguments, "--config-file", str(ROOT / "local" / "samconfig.toml")]
    own = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TWILIO_"))}
    ran = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**own, **environment, "SAM_CLI_TELEMETRY": "0"}, cwd=ROOT
    )
    if ran.returncode:
        raise DeploymentFailed(f"sam {arguments[0]} failed:\n{ran.stdout[-4000:]}\n{ran.stderr[-4000:]}")


def _fingerprint(template: Path, python: str) -> str:
    digest = hashlib.sha256(python.encode())
    for path in sorted(_sources(template)):
        digest.update(str(path).encode() + path.read_bytes())
    return digest.hexdigest()


def _sources(template: Path) -> Iterator[Path]:
    yield template
    for folder in (template.parent / "layers", template.parent / "functions"):
        yield from (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
