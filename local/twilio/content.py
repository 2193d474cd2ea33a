"""Content templates, and WhatsApp's window for free texts.

https://www.twilio.com/docs/content/send-templates-created-with-the-content-template-builder and errors 21654-21656, 63016.
"""

import json
import re
from datetime import timedelta

from .messages import MessageLog, now
from .refusals import refusal

WINDOW = timedelta(hours=24)
OUTSIDE_THE_WINDOW = 63016
_PLACEHOLDER = re.compile(r"\{\{(\w+)\}\}")


def rendered(templates: dict[str, str], sid: str | None, variables: str | None) -> str | None:
    """What a template comes to; None where none was asked for. Raises the Refusal of what is wrong with it."""
    if sid is None:
        if variables is not None:
            raise refusal(21654)
        return None
    if sid not in templates:
        raise refusal(21655)
    try:
        given = json.loads(variables or "{}")
    except ValueError:
        raise refusal(21656) from None
    if not isinstance(given, dict) or not all(isinstance(value, str) and value for value in given.values()):
        raise refusal(21656)
    if set(_PLACEHOLDER.findall(templates[sid])) != set(given):
        raise refusal(21656)
    return _PLACEHOLDER.sub(lambda found: str(given[found[1]]), templates[sid])


def window_is_open(log: MessageLog, person: str, number: str | None) -> bool:
    """Whether the person wrote to the number within a day: only then a business may write to them what it likes."""
    since = now() - WINDOW
    return any(
        message.direction == "inbound" and message.date_created >= since and (message.from_, message.to) == (person, number)
        for message in log
    )
