"""A text in: stored once, announced once, answered at once."""

from __future__ import annotations

import base64
import json
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode

import pytest

from local.bus import is_event
from tests.e2e.conftest import Phone

EMPTY_TWIML = '<?xml version="1.0" encoding="UTF-8"?><Response/>'

# 503 where the last few wrong signatures were a moment ago: whether the token was changed since cannot be told yet.
REFUSED = {403, 503}


def test_the_same_webhook_twenty_times_at_once_is_one_message_one_event_and_twenty_equal_answers(phone: Phone) -> None:
    person = phone.person()
    fields = phone.fields(From=person, Body="once")

    with ThreadPoolExecutor(20) as twenty:
        answers = list(twenty.map(lambda _: phone.post("sms", fields), range(20)))

    assert {(answer.status, answer.body) for answer in answers} == {(200, EMPTY_TWIML)}
    assert [message["body"] for message in phone.history(person)["messages"]] == ["once"]
    phone.bus.wait_for(is_event("SMS_RECEIVED", message_sid=fields["MessageSid"]))
    phone.bus.listen(seconds=2)
    assert len(phone.bus.of("SMS_RECEIVED", message_sid=fields["MessageSid"])) == 1


def test_an_mms_carries_every_attachment(phone: Phone) -> None:
    person = phone.person()

    phone.twilio.receive_text(person, "Look", media=[(f"image/{kind}", b"GIF89a") for kind in ("png", "jpeg", "gif")])

    event = phone.bus.wait_for(is_event("SMS_RECEIVED", from_=person))
    assert [media["content_type"] for media in event["detail"]["media"]] == ["image/png", "image/jpeg", "image/gif"]
    (message,) = phone.history(person)["messages"]
    assert message["kind"] == "mms"
    names = ("url", "content_type", "s3_key")
    shown = [{name: media[name] for name in names} for media in message["media"]]
    assert shown == event["detail"]["media"]


@pytest.mark.parametrize(
    ("sender", "recipient", "conversation"),
    [
        ("whatsapp:+15555550177", "whatsapp:+15555550100", "whatsapp|+15555550100|+15555550177"),
        ("rcs:+15555550178", "rcs:my_agent", "rcs|my_agent|+15555550178"),
        ("12345", "+15555550100", "phone|+15555550100|12345"),
        ("MYBANK", "+15555550100", "phone|+15555550100|MYBANK"),
    ],
)
def test_every_kind_of_address_has_a_conversation(phone: Phone, sender: str, recipient: str, conversation: str) -> None:
    fields = phone.fields(From=sender, To=recipient, Body="Hi", ProfileName="Ada", SomethingNew="kept")

    assert phone.post("sms", fields).status == 200

    detail = phone.bus.wait_for(is_event("SMS_RECEIVED", message_sid=fields["MessageSid"]))["detail"]
    assert detail["conversation_id"] == conversation
    assert detail["fields"] == {"ProfileName": "Ada", "SomethingNew": "kept"}
    assert phone.history(sender, our_number=recipient)["conversation_id"] == conversation


@pytest.mark.parametrize(
    "fields",
    [
        {"Body": ""},
        {"Body": "a+b %41 100% & more = less"},
        {"Body": "👩‍👩‍👧 naïve\nλ"},
        {"Body": " spaces "},
        {"FromCity": "SAN FRANCISCO", "ToZip": ""},
        {"ChannelMetadata": '{"type":"rcs","data":{}}'},
    ],
)
def test_a_valid_signature_passes_whatever_the_fields_hold(phone: Phone, fields: dict[str, str]) -> None:
    person = phone.person()

    assert phone.post("sms", phone.fields(From=person, **fields)).status == 200

    assert phone.history(person)["messages"][0]["body"] == fields.get("Body", "")


def test_a_field_that_stands_twice_is_signed_with_both_values(phone: Phone) -> None:
    fields = phone.fields(Body="twice")
    body = urlencode([*fields.items(), ("AddOn", "b"), ("AddOn", "a")]).encode()
    # Twilio signs a repeated name with its values sorted.
    signature = phone.sign("sms", fields | {"AddOn": "a", "AddOnAddOn": ""})
    signed_by_hand = phone.sign("sms", {**fields, "AddOn": "aAddOnb"})

    assert phone.post("sms", body, signature=signed_by_hand).status == 200
    assert phone.post("sms", body, signature=signature).status in REFUSED


def test_nothing_unsigned_is_stored(phone: Phone) -> None:
    fields = phone.fields(From=phone.person(), Body="Pay me")
    body = urlencode(fields).encode()
    good = phone.sign("sms", fields)
    before = phone.stored()
    changed = [bytes([*body[:at], (body[at] + 1) % 256, *body[at + 1 :]]) for at in range(0, len(body), 7)]

    refusals = [
        phone.post("sms", fields, signature=None),
        phone.post("sms", fields, signature=base64.b64encode(b"0" * 20).decode()),
        phone.post("status", fields, signature=good),
        *(phone.post("sms", other, signature=good) for other in changed),
    ]

    assert {refusal.status for refusal in refusals} <= REFUSED
    assert phone.stored() == before


@pytest.mark.parametrize(
    ("body", "content_type", "status", "says"),
    [
        (b"", None, 400, "MessageSid is missing"),
        (b'{"MessageSid": "SM1"}', "application/json", 415, "application/x-www-form-urlencoded"),
        (b"MessageSid=SM1", "text/plain", 415, "application/x-www-form-urlencoded"),
        (b"&".join(b"F%d=x" % number for number in range(200_000)), None, 413, "128"),
        (b"&".join(b"F%d=x" % number for number in range(600)), None, 413, "500 fields"),
    ],
)
def test_bad_input_gets_a_clear_4xx(phone: Phone, body: bytes, content_type: str | None, status: int, says: str) -> None:
    kind = {} if content_type is None else {"content_type": content_type}

    answer = phone.post("sms", body, **kind)

    assert answer.status == status, answer
    assert says in answer.body
    assert "Traceback" not in answer.body


@pytest.mark.parametrize("body", [b"Body=%FF%FE", b"Body=\xff\xfe"])
def test_bytes_that_are_no_text_are_nothing_that_twilio_signed(phone: Phone, body: bytes) -> None:
    answer = phone.post("sms", body)

    assert answer.status in REFUSED, answer
    assert "Traceback" not in answer.body


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"MessageSid": ""}, "MessageSid is missing"),
        ({"From": ""}, "From is missing"),
        ({"NumMedia": "30000000"}, "NumMedia is '30000000'"),
        ({"NumMedia": "many"}, "NumMedia is 'many'"),
    ],
)
def test_a_signed_form_that_makes_no_sense_is_refused_with_the_fields_name(
    phone: Phone, fields: dict[str, str], says: str
) -> None:
    answer = phone.post("sms", phone.fields(**fields))

    assert answer.status == 400
    assert json.loads(answer.body)["error"] == "UnreadableWebhook"
    assert says in answer.body


def test_an_event_survives_a_relay_that_died(phone: Phone) -> None:
    relay = phone.lambda_.list_event_source_mappings(FunctionName="twilio-plugin-event-relay")["EventSourceMappings"][0]
    phone.lambda_.update_event_source_mapping(UUID=relay["UUID"], Enabled=False)
    try:
        fields = phone.fields(From=phone.person(), Body="still there")
        assert phone.post("sms", fields).status == 200
        event_id = f"SMS_RECEIVED#{fields['MessageSid']}"
        _make_older(phone, event_id)

        done = phone.stack.invoke("reconcile", {})
    finally:
        phone.lambda_.update_event_source_mapping(UUID=relay["UUID"], Enabled=True)

    assert done["republished"] >= 1
    phone.bus.wait_for(is_event("SMS_RECEIVED", event_id=event_id))
    left = phone.dynamodb.get_item(TableName=phone.outbox, Key={"event_id": {"S": event_id}})
    assert "Item" not in left


def test_a_relay_that_comes_back_delivers_what_it_missed(phone: Phone) -> None:
    relay = phone.lambda_.list_event_source_mappings(FunctionName="twilio-plugin-event-relay")["EventSourceMappings"][0]
    phone.lambda_.update_event_source_mapping(UUID=relay["UUID"], Enabled=False)
    fields = phone.fields(From=phone.person(), Body="late")
    assert phone.post("sms", fields).status == 200
    time.sleep(1)
    assert not phone.bus.of("SMS_RECEIVED", message_sid=fields["MessageSid"])

    phone.lambda_.update_event_source_mapping(UUID=relay["UUID"], Enabled=True)

    phone.bus.wait_for(is_event("SMS_RECEIVED", message_sid=fields["MessageSid"]))


def _make_older(phone: Phone, event_id: str) -> None:
    """As if it had been waiting for ten minutes."""
    phone.dynamodb.update_item(
        TableName=phone.outbox,
        Key={"event_id": {"S": event_id}},
        UpdateExpression="SET occurred_at = :long_ago",
        ExpressionAttributeValues={":long_ago": {"S": "2026-01-01T00:00:00.000Z"}},
    )
