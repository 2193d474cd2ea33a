"""What the control routes are given."""

import json
from typing import Any

from aiohttp import web


async def json_object(request: web.Request) -> dict[str, Any]:
    """The body of a request. Raises ValueError where it is no JSON, TypeError where it is no object."""
    given = json.loads(await request.text())
    if not isinstance(given, dict):
        raise TypeError("the body is not a JSON object")
    return given
