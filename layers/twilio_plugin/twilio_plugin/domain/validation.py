"""What callers put in, checked: one sentence names every wrong field."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from twilio_plugin.errors import InvalidRequest

Input = TypeVar("Input", bound=BaseModel)


def validated(expects: type[Input], fields: Any, *, names: Sequence[str] = ()) -> Input:
    """Read `fields` as `expects`. `names` are the fields to show to a caller who was not offered all of them.

    Raises:
        InvalidRequest: names every field that is wrong, why, and the fields there are. It quotes nothing of the input.
    """
    try:
        return expects.model_validate(fields)
    except ValidationError as error:
        # Pydantic's own text quotes the input; only names and reasons go on.
        wrong = "; ".join(f"`{'.'.join(map(str, one['loc'])) or 'payload'}`: {one['msg']}" for one in error.errors())
        raise InvalidRequest(f"{wrong}. The fields are: {', '.join(names or _names(expects))}.") from None


def _names(expects: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in expects.model_fields.items()]
