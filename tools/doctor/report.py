"""The doctor's report: for people, one line a healthy check; for programs, JSON as `docs/doctor.schema.json` says."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

from tools.doctor.findings import Examination, Severity, exit_code
from tools.doctor.stack import Stack

VERSION = 1
_WIDTH, _NAME = 120, 21
_SIGN: dict[Severity, str] = {"error": "✗", "warning": "!", "unknown": "?", "note": "·"}
_COLOUR: dict[Severity, int] = {"error": 31, "warning": 33, "unknown": 35, "note": 2}
_VERDICT = {
    "error": ("error", "errors"),
    "warning": ("warning", "warnings"),
    "unknown": ("check could not look", "checks could not look"),
}
_GREEN, _DIM, _BOLD = 32, 2, 1


class Text:
    """Lines as they become known; `coloured` for a terminal."""

    def __init__(self, *, coloured: bool) -> None:
        self._coloured = coloured
        self._group = ""

    def lines(self, examination: Examination) -> Iterator[str]:
        """What one check says, under the heading of its group."""
        if examination.group != self._group:
            self._group = examination.group
            yield self._styled(_BOLD, f"\n{self._group}")
        if examination.skipped_for:
            yield self._line("–", _DIM, examination.check, f"not looked at: see {examination.skipped_for}")
            return
        if examination.outcome == "healthy" and examination.facts:
            yield self._line("✓", _GREEN, examination.check, "; ".join(examination.facts))
        for one in examination.findings:
            yield self._line(_SIGN[one.severity], _COLOUR[one.severity], examination.check, one.what)
            if one.severity != "note":
                yield _indented(f"→ {one.remedy}")

    def verdict(self, examinations: Iterable[Examination]) -> str:
        """How it stands, in a line."""
        counts = _counts(examinations)
        if not any(counts[severity] for severity in ("error", "warning", "unknown")):
            return self._styled(_GREEN, "\n✓ Nothing is wrong.")
        said = ", ".join(
            f"{counts[severity]} {one if counts[severity] == 1 else more}"
            for severity, (one, more) in _VERDICT.items()
            if counts[severity]
        )
        return self._styled(_COLOUR["error" if counts["error"] else "warning"], f"\n{said}.")

    def _line(self, sign: str, colour: int, check: str, text: str) -> str:
        return f"  {self._styled(colour, sign)} {check:{_NAME}} {_indented(text).lstrip()}"

    def _styled(self, code: int, text: str) -> str:
        return f"\033[{code}m{text}\033[0m" if self._coloured else text


def as_json(stack: Stack, examinations: list[Examination]) -> dict[str, Any]:
    """The whole report."""
    return {
        "version": VERSION,
        "stack": stack.name,
        "region": stack.region,
        "local": stack.local,
        "exit_code": exit_code(examinations),
        "counts": {severity: _counts(examinations)[severity] for severity in _SIGN},
        "checks": [
            {
                "check": one.check,
                "group": one.group,
                "looks_at": one.looks_at,
                "outcome": one.outcome,
                "skipped_for": one.skipped_for,
                "facts": one.facts if one.outcome == "healthy" else [],
                "findings": [asdict(finding) for finding in one.findings],
            }
            for one in examinations
        ],
    }


def _counts(examinations: Iterable[Examination]) -> Counter[str]:
    return Counter(finding.severity for examination in examinations for finding in examination.findings)


def _indented(text: str) -> str:
    indent = " " * (_NAME + 5)
    return textwrap.fill(
        text, _WIDTH, initial_indent=indent, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
