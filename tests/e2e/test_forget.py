"""Forgetting a person: nothing that the stack holds has their number any more."""

from __future__ import annotations

import json
import time
from typing import Any

import boto3
import pytest

from local.bus import is_event
from local.engine import ACCOUNT, REGION
from local.stack import STACK_NAME, InvocationFailed
from tests.e2e.conftest import Phone
from tests.e2e.test_media import PNG, bucket, media_events
from tools.forget import forget
from twilio_plugin.invoker import Invoker


def everything(phone: Phone) -> str:
    """Every item of every table, and every key and body of the bucket."""
    tables = [value for name, value in phone.stack.outputs.items() if name.endswith("TableName")]
    assert len(tables) == 4
    pages = [page for table in tables for page in phone.dynamodb.get_paginator("scan").paginate(TableName=table)]
    client, name = bucket(phone)
    objects = client.list_object_versions(Bucket=name).get("Versions", [])
    return json.dumps([[page["Items"] for page in pages], [one["Key"] for one in objects]], default=repr)


def drained(phone: Phone) -> None:
    """Wait until the relay has emptied the outbox."""
    deadline = time.monotonic() + 10
    while phone.dynamodb.scan(TableName=phone.outbox, Select="COUNT")["Count"] and time.monotonic() < deadline:
        time.sleep(0.2)


def by_make(phone: Phone, person: str) -> list[str]:
    """What `make forget` says, with a dry run."""
    session = boto3.Session(aws_access_key_id=ACCOUNT, aws_secret_access_key="local")
    url = phone.stack.engine.url
    invoker = Invoker(STACK_NAME, functions=None, session=session, region=REGION, endpoint_url=url, timeout=60)
    said: list[str] = []
    request = {"phone_number": person, "dry_run": True}
    forget(request, lambda payload: invoker.invoke("forget", payload, repeatable=True), said.append)
    return said


def test_after_forget_no_table_index_or_bucket_holds_the_number_and_a_stop_is_still_a_stop(phone: Phone) -> None:
    person = phone.person()
    call = phone.twilio.call_in(person)
    call.wait_for_stream(timeout=30)
    phone.bus.wait_for(is_event("VOICE_STREAM_STARTED", call_sid=call.sid))
    phone.stack.invoke("say", {"call_sid": call.sid, "text": "Hello."})
    phone.twilio.receive_text(person, f"I am {person}", media=[("image/png", PNG)])
    (stored,) = media_events(phone, person, 1)
    phone.stack.invoke("send-sms", {"to": person, "body": "Hello", "idempotency_key": f"hello-{person}"})
    call.hang_up()
    phone.bus.wait_for(is_event("CALL_ENDED", call_sid=call.sid))
    phone.bus.wait_for(is_event("SMS_STATUS_CHANGED", to=person, status="delivered"))
    other = phone.person()
    phone.twilio.receive_text(other, f"Do you know {person}?")
    phone.twilio.receive_text(person, "STOP")
    drained(phone)
    number = person.removeprefix("+1")
    assert number in everything(phone)

    done: Any = phone.stack.invoke("forget", {"phone_number": person, "at_twilio": True})

    held = everything(phone)
    assert number not in held
    assert call.sid not in held
    assert stored["s3_key"] not in held
    assert done["complete"]
    assert done["conversations"] > 5
    assert done["calls"] > 3
    assert done["media_frames"] > 10
    assert done["media"] == 1
    assert done["masked"] >= 1  # and one more, if a status was found before the message it is of
    assert phone.history(person)["messages"] == []
    assert [one["body"] for one in phone.history(other)["messages"]] == ["Do you know [forgotten]?"]
    assert person not in {address for one in phone.twilio.messages for address in (one.from_, one.to)}

    said = by_make(phone, person)
    assert said[0].endswith(": conversations 0, calls 0, media_frames 0, outbox 0, media 0, masked 0, at_twilio 0")
    assert person not in "\n".join(said)

    with pytest.raises(InvocationFailed) as refused:
        phone.stack.invoke("send-sms", {"to": person, "body": "Are you there?"})
    assert refused.value.error_type == "RecipientOptedOut"
    phone.twilio.receive_text(person, "START")
    assert phone.stack.invoke("send-sms", {"to": person, "body": "Welcome back"})["messages"]
