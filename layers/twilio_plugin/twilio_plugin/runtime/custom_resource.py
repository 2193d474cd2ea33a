"""Where CloudFormation meets the services: a custom resource's request in, an answer out, whatever happens.

crhelper reads the request, answers it, and answers before Lambda ends a function that takes too long: a deploy fails with a
sentence and does not wait for one that never comes.
"""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any, Protocol
from urllib.parse import urlsplit

from crhelper import CfnResource

from twilio_plugin.errors import PluginError
from twilio_plugin.runtime.observability import logger

Handler = Callable[[Any, Any], None]
_TRIES = 3
_SECONDS = 5.0


class Cases(Protocol):
    """What is to be done with the resource. Each says what it did, for the log."""

    def put(self, properties: Mapping[str, Any]) -> Mapping[str, Any]:
        """It is made or changed."""

    def delete(self) -> Mapping[str, Any]:
        """It is deleted, or its making failed."""


def custom_resource(physical_id: str, build: Callable[[], Cases]) -> Handler:
    """A handler for a resource of which a stack has one, so that its physical id never changes.

    `build` is called for each request: what is wrong with the environment is an answer too.
    """
    # crhelper would log the request, whose ResponseURL lets anybody answer it.
    resource = _Resource(log_level="CRITICAL", boto_level="CRITICAL", sleep_on_delete=0)

    @resource.create
    @resource.update
    def put(event: Mapping[str, Any], _context: Any) -> str:
        _logged(lambda: build().put(event["ResourceProperties"]))
        return physical_id

    @resource.delete
    def delete(_event: Mapping[str, Any], _context: Any) -> str:
        _logged(lambda: build().delete())
        return physical_id

    @logger.inject_lambda_context(clear_state=True)
    def lambda_handler(event: Any, context: Any) -> None:
        logger.append_keys(request_type=event["RequestType"])
        resource(event, context)

    return lambda_handler


def _logged(case: Callable[[], Mapping[str, Any]]) -> None:
    """What is raised here is what CloudFormation shows."""
    try:
        logger.info("done", extra=dict(case()))
    except PluginError as error:
        logger.warning("refused", extra={"error_type": type(error).__name__, "reason": str(error)})
        raise
    except Exception:
        logger.exception("failed unexpectedly")
        raise PluginError("Something went wrong on our side; the function's log has it.") from None


class _Resource(CfnResource):
    """crhelper's own way of answering tries for ever, and over TLS only: a local engine has none."""

    def _send(self, status: str | None = None, reason: str = "", send_response: Any = None) -> None:
        super()._send(status, reason, send_response or _answer)  # type: ignore[misc]  # its stubs leave it out


def _answer(url: str, body: Mapping[str, Any], _verify: object) -> None:
    """Raises OSError where CloudFormation takes no answer; it then waits for as long as the resource's ServiceTimeout."""
    parts = urlsplit(url)
    if parts.scheme != "https" and parts.hostname not in ("127.0.0.1", "localhost"):
        raise PluginError("CloudFormation's ResponseURL is not https.")
    # The address is signed for no content type.
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": ""}, method="PUT")  # noqa: S310
    for attempt in range(1, _TRIES + 1):
        try:
            with urllib.request.urlopen(request, timeout=_SECONDS):  # noqa: S310
                return
        except OSError:
            if attempt == _TRIES:
                raise
            time.sleep(attempt)
