"""Where a queue meets the services: messages in, those that failed out. A failed one comes back soon, later each time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from twilio_plugin.errors import PluginError
from twilio_plugin.runtime.observability import logger
from twilio_plugin.services.answer_text import TryAgain

Message = TypeVar("Message")
Response = dict[str, list[dict[str, str]]]


def consumer(
    read: Callable[[str], Message],
    use_case: Callable[[Message, int], str],
    retry_in: Callable[[str, int], None],
    *,
    attempts: int,
) -> Callable[[Any, Any], Response]:
    """A handler for a queue whose batches are of one message.

    ``use_case`` is given the message and the number of the attempt, from 1, and says what it did. ``retry_in`` lets a message
    (by its receipt handle) come back after so many seconds; the queue's own visibility timeout is for functions that died.
    """

    @logger.inject_lambda_context(clear_state=True)
    def lambda_handler(event: Any, _context: Any) -> Response:
        (record,) = event["Records"]
        attempt = int(record["attributes"]["ApproximateReceiveCount"])
        done = False
        try:
            logger.append_keys(attempt=attempt)
            logger.info("message handled", extra={"outcome": use_case(read(record["body"]), attempt)})
            done = True
        except (TryAgain, PluginError) as trouble:
            error_type = trouble.error_type if isinstance(trouble, TryAgain) else type(trouble).__name__
            logger.warning("failed", extra={"error_type": error_type})
        finally:
            if not done:
                _come_back(record["receiptHandle"], attempt)
        return {"batchItemFailures": [] if done else [{"itemIdentifier": record["messageId"]}]}

    def _come_back(receipt_handle: str, attempt: int) -> None:
        # After the last attempt the queue itself puts it aside, and lets the conversation go on, when it is seen again.
        seconds = 2**attempt if attempt < attempts else 0
        try:
            retry_in(receipt_handle, seconds)
        except PluginError as trouble:
            logger.warning("it comes back late", extra={"reason": str(trouble)})

    return lambda_handler
