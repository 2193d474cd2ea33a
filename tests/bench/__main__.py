"""Measure, print the report, and write it to ``.local/bench.json``. Exit code 1 if something could not be measured."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime

from botocore.exceptions import BotoCoreError, ClientError

from local.engine import ROOT
from tests.bench import calls, cpu, database, imports, layers, memory, minute, scaling, texts, voice
from tests.bench.report import Table, as_json, as_text
from tests.bench.workbench import Workbench
from twilio_plugin.errors import PluginError

REPORT = ROOT / ".local" / "bench.json"

# In this order, whatever the command line's: `texts` and `calls` need the relay, and what comes after stops it.
MEASUREMENTS: dict[str, Callable[[Workbench], list[Table]]] = {
    "layers": layers.measure,
    "imports": imports.measure,
    "texts": texts.measure,
    "calls": calls.measure,
    "memory": memory.measure,
    "cpu": cpu.measure,
    "database": database.measure,
    "voice": voice.measure,
    "minute": minute.measure,
    "scaling": scaling.measure,
}


def main() -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Measure the plugin.")
    parser.add_argument("measurements", nargs="*", metavar="measurement", help=f"{', '.join(MEASUREMENTS)}; all by default")
    named = parser.parse_args().measurements or list(MEASUREMENTS)
    if unknown := [name for name in named if name not in MEASUREMENTS]:
        parser.error(f"no measurement {unknown[0]!r}; there are {', '.join(MEASUREMENTS)}")
    started = time.monotonic()
    tables: dict[str, list[Table]] = {}
    failures: dict[str, str] = {}
    with Workbench() as bench:
        for name in [name for name in MEASUREMENTS if name in named]:
            try:
                tables[name] = MEASUREMENTS[name](bench)
            except (RuntimeError, OSError, subprocess.SubprocessError, BotoCoreError, ClientError, PluginError) as error:
                failures[name] = f"{type(error).__name__}: {error}"
                print(f"  could not measure {name}: {failures[name]}", file=sys.stderr)
    seconds = time.monotonic() - started
    _write(tables, failures, seconds)
    print("\n" + "\n\n".join(as_text(table) for group in tables.values() for table in group))
    print(f"\n{seconds:.0f} s; the same as JSON in {REPORT.relative_to(ROOT)}.")
    for name, why in failures.items():
        print(f"Not measured: {name} ({why.splitlines()[0]})", file=sys.stderr)
    return 1 if failures else 0


def _write(tables: dict[str, list[Table]], failures: dict[str, str], seconds: float) -> None:
    report = {
        "taken_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds),
        "python": platform.python_version(),
        "architecture": platform.machine(),
        "cores": os.cpu_count(),
        "measurements": {name: [as_json(table) for table in group] for name, group in tables.items()},
        "not_measured": failures,
    }
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    sys.exit(main())
