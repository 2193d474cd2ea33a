"""The record of calls on their way to Twilio: a claim for each (``send|<request id>`` / ``CALL``)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from twilio_plugin.adapters.calls import CallsTable, call_key, detection, detection_item
from twilio_plugin.adapters.claims import Claims, claim_partition
from twilio_plugin.adapters.dynamodb import ConditionFailed, DynamoDB, Item
from twilio_plugin.adapters.outbox import OutboxTable
from twilio_plugin.domain.address import Address
from twilio_plugin.domain.call import CallRequest, CallUpdate
from twilio_plugin.domain.events import Event


class CallRequestsTable:
    """`CallRequests` on DynamoDB: claims in the Conversations table, calls in the Calls table."""

    def __init__(self, database: DynamoDB, claims: Claims, calls_table: str, calls: CallsTable, outbox: OutboxTable) -> None:
        self._database = database
        self._claims = claims
        self._calls_table = calls_table
        self._calls = calls
        self._outbox = outbox

    def claim(self, request: CallRequest) -> CallUpdate | None:
        earlier = self._claims.claim(_key(request), request.fingerprint, _item(request))
        if earlier is None:
            return None
        return CallUpdate(
            call_sid=earlier["call_sid"],
            account_sid=earlier["account_sid"],
            direction="outbound",
            sender=request.sender,
            recipient=request.recipient,
            status=earlier["status"],
            request_id=request.request_id,
        )

    def release(self, request: CallRequest) -> None:
        self._claims.release(_key(request))

    def mark_unknown(self, request: CallRequest) -> None:
        self._claims.mark_unknown(_key(request))

    def record_made(self, request: CallRequest, made: CallUpdate, event: Event) -> bool:
        outcome = {"state": "sent", "call_sid": made.call_sid, "account_sid": made.account_sid, "status": made.status}
        ours = dataclasses.replace(made, request_id=request.request_id)
        known = self._calls.know(ours, event.occurred_at, machine_detection=request.machine_detection)
        return self._commit(request, outcome, [known], event)

    def record_not_made(self, request: CallRequest, event: Event) -> bool:
        return self._commit(request, {"state": "not_sent"}, [], event)

    def unsettled(self, *, before: datetime) -> Iterator[tuple[CallRequest, datetime]]:
        items = self._claims.unsettled(before=before)
        return ((_request(item), datetime.fromisoformat(item["claimed_at"])) for item in items)

    def requested_by(self, call_sids: Iterable[str]) -> Mapping[str, str | None]:
        sids = list(dict.fromkeys(call_sids))
        found: dict[str, str | None] = {}
        for at in range(0, len(sids), 100):
            keys = [call_key(sid) for sid in sids[at : at + 100]]
            for item in self._database.get_many(self._calls_table, keys, attributes=("call_sid", "request_id")):
                found[item["call_sid"]] = item.get("request_id")
        return found

    def _commit(self, request: CallRequest, outcome: Item, more: list[Item], event: Event) -> bool:
        try:
            self._database.transact([self._claims.settle(_key(request), outcome), *more, self._outbox.put(event)])
        except ConditionFailed:
            return False
        return True


def _key(request: CallRequest) -> dict[str, str]:
    return {"conversation_id": claim_partition(request.request_id), "sk": "CALL"}


def _item(request: CallRequest) -> Item:
    return {
        "from_": str(request.sender),
        "to": str(request.recipient),
        "time_limit": request.time_limit,
        "twiml": request.twiml,
        "url": request.url,
        "voice_mode": request.voice_mode,
        "record": request.record,
        **detection_item(request.machine_detection),
    }


def _request(item: Item) -> CallRequest:
    return CallRequest(
        request_id=item["conversation_id"].removeprefix(claim_partition("")),
        fingerprint=item["fingerprint"],
        sender=Address.parse(item["from_"]),
        recipient=Address.parse(item["to"]),
        time_limit=item["time_limit"],
        twiml=item.get("twiml"),
        url=item.get("url"),
        voice_mode=item.get("voice_mode"),
        record=item.get("record", False),
        machine_detection=detection(item),
    )
