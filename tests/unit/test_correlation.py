from __future__ import annotations

import io
import json
from typing import Any

import pytest
from pydantic import BaseModel

from tests.unit.fakes import LambdaContext
from tools import samples
from twilio_plugin.domain.actions import SendSms
from twilio_plugin.domain.correlation import correlation_id
from twilio_plugin.domain.events import SmsReceived, event_id
from twilio_plugin.runtime.http import no_content, twiml, webhook
from twilio_plugin.runtime.invocation import function
from twilio_plugin.runtime.observability import logger
from twilio_plugin.runtime.stream import relay
from twilio_plugin.services.ports import Announcement

RECEIVED = event_id(SmsReceived, samples.MESSAGE)


class Nothing(BaseModel):
    pass


def lines(log: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.getvalue().splitlines()]


@pytest.mark.parametrize(
    ("facts", "found"),
    [
        ([samples.CALL], samples.CALL),
        ([RECEIVED], samples.MESSAGE),
        ([None, "", "dinner", samples.MESSAGE, samples.CALL], samples.MESSAGE),
        ([f"{RECEIVED}#2"], samples.MESSAGE),
        (["dinner for +14155550123"], None),
        ([f"X{samples.MESSAGE}"], None),
        ([f"{samples.MESSAGE}0"], None),
        ([], None),
    ],
)
def test_a_sid_is_found_wherever_it_stands_and_nothing_else_is_taken(facts: list[str | None], found: str | None) -> None:
    assert correlation_id(*facts) == found


def test_a_text_its_reply_and_what_becomes_of_the_reply_have_one_id(log: io.StringIO) -> None:
    url = "https://example.com/webhooks/twilio"

    def post(body: str, query: str = "") -> None:
        handler = webhook(
            lambda _form, _query: logger.info("in hand"), lambda *_: True, url, no_content(), admits_source=lambda _: True
        )
        headers = {"content-type": "application/x-www-form-urlencoded", "x-twilio-signature": "x"}
        handler({"headers": headers, "body": body, "rawQueryString": query, "requestContext": {}}, LambdaContext())

    def send(_request: BaseModel, _request_id: str) -> BaseModel:
        logger.info("sent")
        return Nothing()

    post(f"MessageSid={samples.MESSAGE}")
    function(SendSms, send)({"to": samples.THEIRS, "body": "x", "idempotency_key": RECEIVED}, LambdaContext())
    post(f"MessageSid={samples.REPLY}", f"send={RECEIVED.replace('#', '%23')}&part=1")

    assert {line.get("correlation_id") for line in lines(log)} == {samples.MESSAGE}


def test_an_invocation_that_names_nothing_has_its_request_id_and_keys_are_never_logged(log: io.StringIO) -> None:
    context = LambdaContext()

    def send(_request: BaseModel, _request_id: str) -> BaseModel:
        return Nothing()

    function(SendSms, send)({"to": samples.THEIRS, "body": "x", "idempotency_key": "a private key"}, context)

    assert [line["correlation_id"] for line in lines(log)] == [context.aws_request_id]
    assert "a private key" not in log.getvalue()


def test_one_invocations_id_is_not_the_nexts(log: io.StringIO) -> None:
    handler = webhook(
        lambda _form, _query: logger.info("in hand"),
        lambda *_: True,
        "https://example.com",
        twiml(),
        admits_source=lambda _: True,
    )
    headers = {"content-type": "application/x-www-form-urlencoded", "x-twilio-signature": "x"}
    for body in (f"CallSid={samples.CALL}", "Body=x"):
        handler({"headers": headers, "body": body, "requestContext": {}}, LambdaContext())

    first, second = lines(log)
    assert first["correlation_id"] == samples.CALL
    assert "correlation_id" not in second


def test_the_relay_says_whose_events_it_put_on_the_bus(log: io.StringIO) -> None:
    def read(image: str) -> Announcement:
        return Announcement(image, "SMS_RECEIVED", "{}", samples.NOW)

    records = [
        {"eventName": "INSERT", "dynamodb": {"NewImage": name, "SequenceNumber": "1"}} for name in (RECEIVED, "a private key")
    ]
    relay(read, lambda _: set())({"Records": records}, LambdaContext())

    (line,) = lines(log)
    assert line["correlation_ids"] == [samples.MESSAGE]
    assert "a private key" not in log.getvalue()
