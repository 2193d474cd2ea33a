"""One execution environment of one function: imports its handler, serves requests one after the other, and says what they cost.

Runs as a script in a fresh interpreter, with nothing but the standard library until the function brings its own. Reads a job
as JSON from standard input: ``path`` (put before the standard library), ``function``, ``payloads``. Writes JSON to standard
output, which the function's own logs do not reach.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
import uuid
from pathlib import Path
from typing import Any


class Context:
    """Lambda's context object, as far as handlers read it. Every invocation has a new one."""

    memory_limit_in_mb = 512

    def __init__(self, function: str) -> None:
        self.function_name = function
        self.invoked_function_arn = f"arn:aws:lambda:us-east-1:000000000000:function:{function}"
        self.aws_request_id = str(uuid.uuid4())


def main() -> None:
    """Serve the job's payloads, the first one cold."""
    job = json.load(sys.stdin)
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.path[:0] = job["path"]
    from app import lambda_handler  # type: ignore[import-not-found]

    imported = peak_rss_bytes()
    cpu_s: list[float] = []
    statuses: set[int] = set()
    for payload in job["payloads"]:
        context = Context(job["function"])
        started = time.process_time()
        result: Any = lambda_handler(payload, context)
        cpu_s.append(time.process_time() - started)
        statuses.add(result.get("statusCode", 200))
    done = {"cpu_s": cpu_s, "imported_bytes": imported, "peak_bytes": peak_rss_bytes(), "statuses": sorted(statuses)}
    answer.write(json.dumps(done))
    answer.close()


def peak_rss_bytes() -> int:
    """The most resident memory that this process has had. Linux's ``ru_maxrss`` would start with that of our parent."""
    try:
        line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    main()
