"""Functions of the stack that are started in the background: call sessions, and those that will be needed in a moment."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from twilio_plugin.domain.stream import Stream
from twilio_plugin.errors import StorageUnavailable

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient


class LambdaSessions:
    """`Sessions` on Lambda. Lambda may run one twice; only one of them can take the stream."""

    def __init__(self, client: LambdaClient, function_name: str) -> None:
        self._client = client
        self._function_name = function_name

    def start(self, stream: Stream, session_id: str) -> None:
        payload = {"call_sid": stream.call_sid, "leg": stream.leg, "session_id": session_id}
        try:
            _invoke(self._client, self._function_name, payload)
        except (ClientError, BotoCoreError) as error:
            raise StorageUnavailable(f"Lambda did not take a call session: {type(error).__name__}.") from error


class LambdaWarmer:
    """`Warmer` on Lambda: ``{"warm": true}`` to all functions at the same time."""

    def __init__(self, client: LambdaClient) -> None:
        self._client = client

    def warm(self, function_names: Sequence[str]) -> list[str]:
        with ThreadPoolExecutor(max_workers=max(1, len(function_names))) as threads:
            warmed = list(threads.map(self._warm, function_names))
        return [name for name, done in zip(function_names, warmed, strict=True) if not done]

    def _warm(self, function_name: str) -> bool:
        try:
            _invoke(self._client, function_name, {"warm": True})
        except (ClientError, BotoCoreError):
            return False
        return True


def _invoke(client: LambdaClient, function_name: str, payload: Mapping[str, Any]) -> None:
    client.invoke(FunctionName=function_name, InvocationType="Event", Payload=json.dumps(payload).encode())
