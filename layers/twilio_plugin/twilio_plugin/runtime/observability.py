"""Logs: JSON, one line an invocation, with no number, token or text of anybody's in them."""

from __future__ import annotations

import logging

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter

from twilio_plugin.domain.address import mask_numbers
from twilio_plugin.domain.correlation import correlation_id


class MaskingFormatter(LambdaPowertoolsFormatter):
    """Masks phone numbers wherever they stand: in a message, a key, an exception's text."""

    def format(self, record: logging.LogRecord) -> str:
        return mask_numbers(super().format(record))


# The service is the stack's name, from the variable POWERTOOLS_SERVICE_NAME.
logger = Logger(logger_formatter=MaskingFormatter())


def correlate(*facts: str | None, otherwise: str | None = None) -> None:
    """Put into every further line of this invocation what it belongs to: see `domain.correlation`."""
    if found := correlation_id(*facts) or otherwise:
        logger.set_correlation_id(found)
