"""The local AWS engine, as a child process on loopback."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any

import boto3
from botocore.config import Config

ROOT = Path(__file__).resolve().parent.parent
REGION = "us-east-1"
ACCOUNT = "000000000000"
# What the engine takes for credentials: an account id as the key id.
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": ACCOUNT,
    "AWS_SECRET_ACCESS_KEY": "local",
    "AWS_REGION": REGION,
    "AWS_DEFAULT_REGION": REGION,
}


class Engine:
    """AWS on one port. Use as a context manager; what it keeps is gone with it."""

    def __init__(self, log: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = log
        self._folder = Path(tempfile.mkdtemp(prefix="engine-"))
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Engine:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TWILIO_"))}
        environment |= {
            **CREDENTIALS,
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(self.port),
            "TMPDIR": str(self._folder),
            "LOG_LEVEL": "WARNING",
            "PYTHONUNBUFFERED": "1",
        }
        python = ROOT / ".local" / "engine" / "bin" / "python"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [str(python), str(ROOT / "local" / "engine_process.py")],
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for us: we end it in order
            )
        self._wait_until_ready()
        return self

    def __exit__(self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        if self._process and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGTERM)
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def processes(self) -> list[Path]:
        """The folders below ``/proc`` of the engine and of all its functions' workers."""
        assert self._process
        mine = self._process.pid  # it leads a session of its own
        return [folder for folder in Path("/proc").glob("[0-9]*") if _session(int(folder.name)) == mine]

    def client(self, service: str, **options: Any) -> Any:
        """A boto3 client for the engine."""
        config = Config(retries={"total_max_attempts": 1}, read_timeout=60, max_pool_connections=50).merge(Config(**options))
        return boto3.client(
            service,  # type: ignore[call-overload]
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=ACCOUNT,
            aws_secret_access_key="local",
            config=config,
        )

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if self._process and self._process.poll() is not None:
                raise RuntimeError(f"The local engine did not start; {self._log} says why.")
            try:
                with urllib.request.urlopen(f"{self.url}/_ministack/health", timeout=1):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        raise RuntimeError(f"The local engine was not ready in 30 s; {self._log} says why.")


def _session(process: int) -> int:
    try:
        return os.getsid(process)
    except ProcessLookupError:
        return 0


def free_port() -> int:
    """A port that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
