"""What was set on numbers and Messaging Services before: one item each, in a partition of the Conversations table.

It is kept for good, and is gone once it is put back. What could not be put back stays when the stack goes, as the table does.
"""

from __future__ import annotations

from twilio_plugin.adapters.dynamodb import DynamoDB, typed
from twilio_plugin.domain.number_settings import Before

PARTITION = "number-settings"


class NumberSettingsTable:
    """`SettingsBefore` on DynamoDB."""

    def __init__(self, database: DynamoDB, table: str) -> None:
        self._database = database
        self._table = table

    def all(self) -> list[Before]:
        items = self._database.pages(
            "query",
            TableName=self._table,
            KeyConditionExpression="conversation_id = :partition",
            ExpressionAttributeValues=typed({":partition": PARTITION}),
            ConsistentRead=True,
        )
        return [Before(item["sk"], item["settings"], tuple(item["roots"])) for item in items]

    def keep(self, before: Before) -> None:
        item = {**_key(before.key), "settings": dict(before.settings), "roots": list(before.roots)}
        self._database.write({"Put": {"TableName": self._table, "Item": typed(item)}})

    def forget(self, key: str) -> None:
        self._database.write({"Delete": {"TableName": self._table, "Key": typed(_key(key))}})


def _key(key: str) -> dict[str, str]:
    return {"conversation_id": PARTITION, "sk": key}
