"""API Gateway's ``@connections``: messages to open WebSocket connections.

A message that is sent again is heard again, so the client must not repeat requests by itself: build it with `CONFIG`.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from twilio_plugin.errors import StorageUnavailable
from twilio_plugin.services.ports import ConnectionGone

if TYPE_CHECKING:
    from mypy_boto3_apigatewaymanagementapi import ApiGatewayManagementApiClient

CONFIG = Config(connect_timeout=2, read_timeout=4, retries={"mode": "standard", "total_max_attempts": 1})
_TRIES = 5
_PAUSE = (0.05, 0.2)  # seconds, from and to
_GONE, _TOO_LARGE, _TOO_MANY, _FORBIDDEN = 410, 413, 429, 403
_WHY = {
    _TOO_LARGE: "the message is over 128 KB",
    _TOO_MANY: "too many messages for the account or for this connection, after retries",
    _FORBIDDEN: "the function may not manage this API's connections; look at its permissions and at the endpoint",
}


class ApiGatewayConnections:
    """`Connections` on API Gateway."""

    def __init__(self, client: ApiGatewayManagementApiClient) -> None:
        self._client = client

    def send(self, connection_id: str, message: str) -> None:
        self._reach(lambda: self._client.post_to_connection(ConnectionId=connection_id, Data=message.encode()))

    def close(self, connection_id: str) -> None:
        try:
            self._reach(lambda: self._client.delete_connection(ConnectionId=connection_id))
        except ConnectionGone:
            return

    def is_open(self, connection_id: str) -> bool:
        try:
            self._reach(lambda: self._client.get_connection(ConnectionId=connection_id))
        except ConnectionGone:
            return False
        return True

    def _reach(self, request: Callable[[], object]) -> None:
        for left in reversed(range(_TRIES)):
            try:
                request()
            except ClientError as error:
                # By the status: the code comes in a header, which not every engine sends.
                status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
                if status == _GONE:
                    raise ConnectionGone from error
                if status != _TOO_MANY or not left:
                    why = _WHY.get(status or 0, error.response["Error"]["Code"])
                    raise StorageUnavailable(f"API Gateway refused to reach a connection: {why}.") from error
                time.sleep(random.uniform(*_PAUSE))  # noqa: S311  jitter
            except BotoCoreError as error:
                raise StorageUnavailable(f"API Gateway could not be reached: {type(error).__name__}.") from error
            else:
                return
