"""The MediaFrames table: a connection's audio by sequence number, and behind it the mark that no more comes.

=================  =============================================================================================
a frame            ``connection_id sequence_number stream_sid chunk timestamp track payload ttl``
the mark           ``connection_id sequence_number end last ttl``, its sequence number being `END_OF_STREAM`
=================  =============================================================================================

The route ``media`` of the WebSocket API writes the same item without us; see ``template.yaml``.
"""

from __future__ import annotations

from typing import Any

from twilio_plugin.adapters.dynamodb import DynamoDB, Item, typed
from twilio_plugin.domain.media_stream import END_OF_STREAM, Frame
from twilio_plugin.domain.stream import StreamEnd
from twilio_plugin.services.ports import Arrived


class MediaFrames:
    """`Frames` on DynamoDB."""

    def __init__(self, database: DynamoDB, table: str) -> None:
        self._database = database
        self._table = table

    def put(self, connection_id: str, frame: Frame, *, stream_sid: str, expires_at: int) -> None:
        self._database.write({"Put": {"TableName": self._table, "Item": row(connection_id, frame, stream_sid, expires_at)}})

    def put_end(self, connection_id: str, end: StreamEnd, *, last: int | None, expires_at: int) -> None:
        values = {"end": end, "ttl": expires_at} | ({} if last is None else {"last": last})
        write = {
            "TableName": self._table,
            "Key": typed({"connection_id": connection_id, "sequence_number": END_OF_STREAM}),
            "UpdateExpression": "SET " + ", ".join(f"#{name} = if_not_exists(#{name}, :{name})" for name in values),
            "ExpressionAttributeNames": {f"#{name}": name for name in values},
            "ExpressionAttributeValues": typed({f":{name}": value for name, value in values.items()}),
        }
        self._database.write({"Update": write})

    def after(self, connection_id: str, cursor: int, *, limit: int) -> Arrived:
        # One page, cut where it may be: the mark sorts behind all frames, so it is on the last page or on none.
        items = self._database.query(
            TableName=self._table,
            KeyConditionExpression="connection_id = :connection AND sequence_number > :cursor",
            ExpressionAttributeValues=typed({":connection": connection_id, ":cursor": cursor}),
            ConsistentRead=True,
            Limit=limit,
        )
        if items and items[-1]["sequence_number"] == END_OF_STREAM:
            *items, mark = items
            return Arrived([_frame(item) for item in items], mark["end"], mark.get("last"))
        return Arrived([_frame(item) for item in items])


def row(connection_id: str, frame: Frame, stream_sid: str, expires_at: int) -> dict[str, Any]:
    """A frame as the table holds it, in DynamoDB's own form."""
    return typed(
        {
            "connection_id": connection_id,
            "sequence_number": frame.sequence_number,
            "stream_sid": stream_sid,
            "chunk": frame.chunk,
            "timestamp": frame.timestamp,
            "track": frame.track,
            "payload": frame.payload,
            "ttl": expires_at,
        }
    )


def _frame(item: Item) -> Frame:
    return Frame(
        sequence_number=item["sequence_number"],
        chunk=item["chunk"],
        timestamp=item["timestamp"],
        track=item["track"],
        payload=bytes(item["payload"]),
    )
