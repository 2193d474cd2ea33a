"""Timers of ConversationRelay sessions: SQS messages that are delayed, each by its own time."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from twilio_plugin.domain.relay_timer import RelayTimer
from twilio_plugin.errors import StorageUnavailable

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


class SqsRelayTimers:
    """`RelayTimers` on SQS. A message may come twice, and late, but never early."""

    def __init__(self, client: SQSClient, url: str) -> None:
        self._client = client
        self._url = url

    def set(self, timer: RelayTimer, seconds: int) -> None:
        try:
            self._client.send_message(
                QueueUrl=self._url, MessageBody=json.dumps(dataclasses.asdict(timer)), DelaySeconds=seconds
            )
        except (ClientError, BotoCoreError) as error:
            raise StorageUnavailable(f"SQS did not take a timer: {type(error).__name__}.") from error

    def retry_in(self, receipt_handle: str, seconds: int) -> None:
        """Let a message that is being worked on come back sooner than it would. Raises StorageUnavailable."""
        try:
            self._client.change_message_visibility(QueueUrl=self._url, ReceiptHandle=receipt_handle, VisibilityTimeout=seconds)
        except (ClientError, BotoCoreError) as error:
            raise StorageUnavailable(f"SQS did not put a timer back: {type(error).__name__}.") from error


def read(body: str) -> RelayTimer:
    """A message's body."""
    return RelayTimer(**json.loads(body))
