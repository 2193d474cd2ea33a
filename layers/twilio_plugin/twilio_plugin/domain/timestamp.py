"""Times as events, keys and responses carry them: ISO 8601, UTC, milliseconds, ``Z``. They sort as text."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


def iso(moment: datetime) -> str:
    """``2026-11-22T08:13:41.123Z``."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def epoch(moment: datetime, *, days: float = 0) -> int:
    """Seconds since 1970, ``days`` later: what DynamoDB's TTL wants."""
    return int((moment + timedelta(days=days)).timestamp())
