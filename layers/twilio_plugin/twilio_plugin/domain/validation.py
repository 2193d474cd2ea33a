"""What callers put in, checked: one sentence names every wrong field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from twilio_plugin.errors import InvalidRequest

Input = TypeVar("Input", bound=BaseModel)


def validated(expects: type[Input], fields: Mapping[str, Any]) -> Input:
    """Read `fields` as `expects`.

    Raises:
        InvalidRequest: a field is missing, unknown or of the wrong type.
    """
    try:
        return expects.model_validate(fields)
    except ValidationError as error:
        # Pydantic's own text quotes the input; only names and reasons go on.
        wrong = "; ".join(f"`{'.'.join(map(str, one['loc'])) or 'payload'}`: {one['msg']}" for one in error.errors())
        raise InvalidRequest(f"{wrong}. The fields are: {', '.join(_names(expects))}.") from None


def _names(expects: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in expects.model_fields.items()]
