"""What a check finds, and what all of it means for whoever asked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

# ``error``: something does not work. ``warning``: it works, and will not always. ``unknown``: the check could not look.
# ``note``: good to know, and nothing to do about.
Severity = Literal["error", "warning", "unknown", "note"]
# ``skipped``: another check has found what keeps this one from looking.
Outcome = Literal["healthy", "found", "skipped"]

HEALTHY, UNHEALTHY, BLIND = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Finding:
    """`what` names the thing and its value, masked where that is private; `remedy` is what to do."""

    check: str
    severity: Severity
    what: str
    remedy: str


@dataclass(slots=True)
class Examination:
    """What one check has seen. `facts` are what it says where all is well."""

    check: str
    group: str
    looks_at: str
    facts: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    skipped_for: str | None = None
    """The check that has found what keeps this one from looking."""

    def fact(self, text: str) -> None:
        """Something that is as it should be."""
        self.facts.append(text)

    def error(self, what: str, remedy: str) -> None:
        """Something does not work."""
        self.findings.append(Finding(self.check, "error", what, remedy))

    def warning(self, what: str, remedy: str) -> None:
        """It works, and will not always."""
        self.findings.append(Finding(self.check, "warning", what, remedy))

    def unknown(self, what: str, remedy: str) -> None:
        """It could not be looked at."""
        self.findings.append(Finding(self.check, "unknown", what, remedy))

    def note(self, what: str, remedy: str = "Nothing to do.") -> None:
        """Good to know."""
        self.findings.append(Finding(self.check, "note", what, remedy))

    @property
    def outcome(self) -> Outcome:
        """Notes alone are health."""
        if self.skipped_for:
            return "skipped"
        return "found" if any(one.severity != "note" for one in self.findings) else "healthy"

    @property
    def blocks(self) -> bool:
        """Whether checks that need this one cannot look."""
        return bool(self.skipped_for) or any(one.severity in ("error", "unknown") for one in self.findings)


def exit_code(examinations: Iterable[Examination]) -> int:
    """0: nothing is wrong, warnings and notes aside. 1: there are errors. 2: no error, but a check could not look."""
    severities = {finding.severity for examination in examinations for finding in examination.findings}
    if "error" in severities:
        return UNHEALTHY
    return BLIND if "unknown" in severities else HEALTHY
