"""``python -m tools.doctor``: what is wrong with a stack, and what to do about it.

Exit code: 0 nothing (warnings and notes aside), 1 errors, 2 no error, but something could not be looked at.
"""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3

from tools.deploy.__main__ import DEFAULT_NAME
from tools.doctor.checks import CHECKS
from tools.doctor.examine import examine
from tools.doctor.findings import exit_code
from tools.doctor.report import Text, as_json
from tools.doctor.stack import Stack, Where

LOCAL_STACK = Path(__file__).resolve().parents[2] / ".local" / "stack.json"


def main(arguments: list[str]) -> int:
    """The exit code."""
    asked = _parser().parse_args(arguments)
    stack = Stack(_where(asked), since=datetime.now(UTC) - timedelta(hours=asked.since))
    examinations = []
    text = Text(coloured=sys.stdout.isatty())
    if not asked.json:
        where = " on this machine" if stack.local else f" in {stack.region}" if stack.region else ""
        print(f"Looking at {stack.name}{where} …", flush=True)
    for examination in examine(stack, CHECKS):
        examinations.append(examination)
        if not asked.json:
            print(*text.lines(examination), sep="\n", flush=True)
    print(json.dumps(as_json(stack, examinations), indent=2) if asked.json else text.verdict(examinations))
    return exit_code(examinations)


def _where(asked: argparse.Namespace) -> Where:
    """The stack that was named; or else the one that runs here; or else the one that `make deploy` makes."""
    if asked.local or (not asked.stack_name and not asked.region and LOCAL_STACK.exists()):
        return Where.local(LOCAL_STACK)
    return Where(asked.stack_name or DEFAULT_NAME, boto3.Session(region_name=asked.region or None))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.doctor", description=__doc__, allow_abbrev=False)
    parser.add_argument("--stack-name", help=f"a deployed stack; {DEFAULT_NAME} if left out and none runs on this machine")
    parser.add_argument("--region", help="its region, if not the one that AWS's tools are set to")
    parser.add_argument("--local", action="store_true", help="the stack that `make run` has started")
    parser.add_argument("--json", action="store_true", help="for programs: docs/doctor.schema.json")
    parser.add_argument("--since", type=float, default=24, metavar="HOURS", help="how far back errors count (24)")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
