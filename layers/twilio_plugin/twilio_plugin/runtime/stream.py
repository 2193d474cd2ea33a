"""Where a DynamoDB stream meets the services: records in, the first failure out, so that Lambda repeats from there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twilio_plugin.domain.correlation import correlation_id
from twilio_plugin.runtime.observability import logger
from twilio_plugin.services.ports import Announcement

Response = dict[str, list[dict[str, str]]]


def relay(
    read: Callable[[Any], Announcement], use_case: Callable[[Sequence[Announcement]], set[str]]
) -> Callable[[Any, Any], Response]:
    """A handler for outbox inserts. ``use_case`` returns the ids of the events that are not on the bus."""

    @logger.inject_lambda_context(clear_state=True)
    def lambda_handler(event: Any, _context: Any) -> Response:
        changes = [record["dynamodb"] for record in event["Records"] if record["eventName"] == "INSERT"]
        announcements = [read(change["NewImage"]) for change in changes]
        failed = use_case(announcements)
        about = sorted({sid for one in announcements if (sid := correlation_id(one.event_id))})
        done = len(announcements) - len(failed)
        logger.info("relayed", extra={"events": done, "failed": len(failed), "correlation_ids": about})
        numbers = [
            change["SequenceNumber"] for change, one in zip(changes, announcements, strict=True) if one.event_id in failed
        ]
        return {"batchItemFailures": [{"itemIdentifier": number} for number in numbers]}

    return lambda_handler
