"""Metrics, as lines of the log that CloudWatch reads (its embedded metric format): no request, and nothing to wait for.

The dimension ``service`` is Powertools' own, from the variable POWERTOOLS_SERVICE_NAME: the stack's name.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from aws_lambda_powertools.metrics import EphemeralMetrics

from twilio_plugin.domain.metrics import NAMESPACE, Measured, of_event

if TYPE_CHECKING:
    from twilio_plugin.services.ports import Announcement


def count(published: Sequence[Announcement]) -> None:
    """Count events that are on the bus. One that is published again, which is rare, is counted again."""
    emit(value for one in published for value in of_event(one.detail_type, json.loads(one.detail)))


def emit(values: Iterable[Measured]) -> None:
    """One line for all values of the same dimensions."""

    def dimensions(one: Measured) -> tuple[tuple[str, str], ...]:
        return one.dimensions

    for names, group in groupby(sorted(values, key=dimensions), dimensions):
        line = EphemeralMetrics(namespace=NAMESPACE)
        for name, value in names:
            line.add_dimension(name, value)
        for one in group:
            line.add_metric(one.name, one.unit, one.value)
        line.flush_metrics()
