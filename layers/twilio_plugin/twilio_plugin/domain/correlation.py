"""One id from a webhook to the reply and what becomes of it: the SID of the text or call that it began with.

An agent that answers with the event's id as idempotency key hands the SID on without knowing: it is in both.
"""

from __future__ import annotations

import re

_SID = re.compile(r"(?<![0-9A-Za-z])(?:SM|MM|CA)[0-9a-fA-F]{32}(?![0-9A-Za-z])")


def correlation_id(*facts: str | None) -> str | None:
    """The first SID of a message or a call in any of these: keys, event ids, SIDs. What else is in them may be private."""
    found = (_SID.search(fact) for fact in facts if fact)
    return next((match.group() for match in found if match), None)
