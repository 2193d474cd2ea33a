"""Where callers' invocations meet the services: a JSON payload in, a JSON result out, errors by their class name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import BaseModel

from twilio_plugin.domain.metrics import REFUSALS, of_refusal
from twilio_plugin.domain.validation import Input, validated
from twilio_plugin.errors import PluginError
from twilio_plugin.runtime.metrics import emit
from twilio_plugin.runtime.observability import correlate, logger

Handler = Callable[[Any, Any], Any]


def function(expects: type[Input], use_case: Callable[[Input, str], BaseModel]) -> Handler:
    """A handler that reads the payload as `expects` and calls `use_case` with it and the request id.

    Lambda reports what is raised: ``errorType`` is the class name, ``errorMessage`` its sentence.
    """

    @logger.inject_lambda_context(clear_state=True)
    def lambda_handler(payload: Any, context: Any) -> Any:
        correlate(*_named(payload), otherwise=context.aws_request_id)
        try:
            result = use_case(validated(expects, payload), context.aws_request_id)
        except PluginError as error:
            logger.warning("refused", extra={"error_type": type(error).__name__, "reason": str(error)})
            emit(of_refusal(REFUSALS, type(error).__name__))
            raise
        logger.info("done")
        return result.model_dump(mode="json", by_alias=True, exclude_none=True)

    return lambda_handler


def _named(payload: Any) -> list[str | None]:
    """What says which text or call this is about."""
    names = ("idempotency_key", "call_sid")
    values = [payload.get(name) for name in names] if isinstance(payload, dict) else []
    return [value for value in values if isinstance(value, str)]
