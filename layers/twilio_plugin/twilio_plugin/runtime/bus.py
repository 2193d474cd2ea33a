"""Where events of the plugin's own bus meet the services."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from twilio_plugin.runtime.observability import correlate, logger


def subscriber(use_case: Callable[[Mapping[str, Any]], str]) -> Callable[[Any, Any], None]:
    """A handler for an event: ``use_case`` is given its detail, and says what it did."""

    @logger.inject_lambda_context(clear_state=True)
    def lambda_handler(event: Any, _context: Any) -> None:
        detail = event["detail"]
        logger.append_keys(event_id=detail["event_id"])
        correlate(detail["event_id"], detail.get("call_sid"))
        logger.info("event handled", extra={"outcome": use_case(detail)})

    return lambda_handler
