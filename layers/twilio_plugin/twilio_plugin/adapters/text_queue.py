"""The queue of texts that wait for the agent: SQS, first in, first out, a group for each conversation."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from twilio_plugin.domain.inbound_turn import TextTurn
from twilio_plugin.errors import StorageUnavailable

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


class SqsTextQueue:
    """`TextQueue` on SQS. The queue's own delay is the window in which texts count as one; a message cannot have another."""

    def __init__(self, client: SQSClient, url: str) -> None:
        self._client = client
        self._url = url

    def put(self, turn: TextTurn) -> None:
        try:
            self._client.send_message(
                QueueUrl=self._url,
                MessageBody=json.dumps(dataclasses.asdict(turn)),
                # The id of a conversation holds numbers; a group needs only to be the same.
                MessageGroupId=hashlib.sha256(turn.conversation_id.encode()).hexdigest(),
                MessageDeduplicationId=turn.event_id,
            )
        except (ClientError, BotoCoreError) as error:
            raise StorageUnavailable(f"SQS did not take a text: {type(error).__name__}.") from error

    def retry_in(self, receipt_handle: str, seconds: int) -> None:
        """Let a message that is being worked on come back sooner than it would. Raises StorageUnavailable."""
        try:
            self._client.change_message_visibility(QueueUrl=self._url, ReceiptHandle=receipt_handle, VisibilityTimeout=seconds)
        except (ClientError, BotoCoreError) as error:
            raise StorageUnavailable(f"SQS did not put a text back: {type(error).__name__}.") from error


def read(body: str) -> TextTurn:
    """A message's body."""
    return TextTurn(**json.loads(body))
