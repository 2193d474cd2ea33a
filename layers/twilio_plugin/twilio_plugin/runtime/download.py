"""Where Twilio fetches media from us: API Gateway events in (payload format 2.0), bytes out. Nobody signs these requests."""

from __future__ import annotations

import base64
from typing import Any, Protocol

from twilio_plugin.errors import PluginError
from twilio_plugin.runtime.http import Handler, Response
from twilio_plugin.runtime.observability import logger
from twilio_plugin.services.serve_media import Served


class UseCase(Protocol):
    """Token in, medium out; None where there is nothing to see."""

    def __call__(self, token: str, *, with_body: bool) -> Served | None: ...


def download(use_case: UseCase) -> Handler:
    """A handler for GET and HEAD. Whatever is wrong with a request is a 404: nobody learns what there is."""

    @logger.inject_lambda_context(clear_state=True)
    def lambda_handler(event: dict[str, Any], _context: Any) -> Response:
        method = event["requestContext"]["http"]["method"]
        token = (event.get("pathParameters") or {}).get("token", "")
        try:
            served = use_case(token, with_body=method != "HEAD")
        except PluginError:
            logger.exception("media not served")
            return {"statusCode": 503, "headers": {"retry-after": "1"}}
        logger.info("media", extra={"method": method, "served": served is not None})
        return _answer(served) if served else {"statusCode": 404}

    return lambda_handler


def _answer(served: Served) -> Response:
    headers = {"content-type": served.content_type, "cache-control": "private, no-store"}
    if served.location:
        return {"statusCode": 302, "headers": {**headers, "location": served.location}}
    # On a HEAD there is no body to count.
    headers["content-length"] = str(served.size)
    body = base64.b64encode(served.body or b"").decode()
    return {"statusCode": 200, "headers": headers, "body": body, "isBase64Encoded": True}
