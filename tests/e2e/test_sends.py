"""A send: at most once, whatever happens on the way."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local.bus import is_event
from local.stack import InvocationFailed
from tests.e2e.conftest import Phone


def send(phone: Phone, function: str = "send-sms", **payload: Any) -> Any:
    return phone.stack.invoke(function, payload)


def refusal(phone: Phone, function: str = "send-sms", **payload: Any) -> InvocationFailed:
    with pytest.raises(InvocationFailed) as failure:
        send(phone, function, **payload)
    return failure.value


def make_older(phone: Phone, send_id: str, age: timedelta) -> None:
    """As if the part had been claimed so long ago. Reconciliation leaves young sends alone."""
    claimed_at = (datetime.now(UTC) - age).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    phone.dynamodb.update_item(
        TableName=phone.conversations,
        Key={"conversation_id": {"S": f"send|{send_id}"}, "sk": {"S": "PART#0001"}},
        UpdateExpression="SET claimed_at = :then",
        ExpressionAttributeValues={":then": {"S": claimed_at}},
    )


def test_a_text_reaches_the_phone_and_the_answer_says_how(phone: Phone) -> None:
    person = phone.person()

    result = send(phone, to=person, body="Hello 👋")

    assert result["conversation_id"] == f"phone|{phone.ours}|{person}"
    assert (result["to"], result["from"]) == (person, phone.ours)
    (message,) = result["messages"]
    assert message.keys() == {"message_sid", "status", "body", "encoding", "segments"}
    assert (message["body"], message["encoding"], message["segments"]) == ("Hello 👋", "UCS-2", 1)
    assert phone.twilio.wait_for_text(person).sid == message["message_sid"]
    phone.bus.wait_for(is_event("SMS_SENT", message_sid=message["message_sid"]))
    delivered = phone.bus.wait_for(is_event("SMS_STATUS_CHANGED", message_sid=message["message_sid"], status="delivered"))
    assert delivered["detail"]["to"] == person
    assert phone.history(person)["messages"][0]["status"] == "delivered"


def test_a_long_text_arrives_whole_and_in_order(phone: Phone) -> None:
    person = phone.person()
    body = "".join(f"Sentence number {number} of many. " for number in range(20))

    result = send(phone, to=person, body=body, chunk_limit=160)

    texts = [phone.twilio.wait_for_text(person, after=at).body for at in range(len(result["messages"]))]
    assert "".join(texts) == body
    assert all(message["segments"] == 1 for message in result["messages"])
    assert len(texts) > len(body) // 160


def test_pictures_go_out(phone: Phone) -> None:
    person = phone.person()
    urls = ["https://example.com/a.png", "https://example.com/b.jpg"]

    send(phone, "send-mms", to=person, media_url=urls)

    assert phone.twilio.wait_for_text(person).media_urls == urls
    assert phone.bus.wait_for(is_event("SMS_SENT", to=person))["detail"]["media_url"] == urls


def test_the_same_idempotency_key_ten_times_at_once_is_one_text(phone: Phone) -> None:
    person = phone.person()
    payload = {"to": person, "body": "only once", "idempotency_key": f"key-{person}"}

    def once(_: int) -> Any:
        try:
            return send(phone, **payload)["messages"]
        except InvocationFailed as failure:
            return failure.error_type

    with ThreadPoolExecutor(10) as ten:
        answers = list(ten.map(once, range(10)))

    assert {answer for answer in answers if isinstance(answer, str)} <= {"SendInProgress"}
    sent = [answer for answer in answers if not isinstance(answer, str)]
    assert all(answer == once(0) for answer in sent)
    phone.twilio.settle()
    assert [text.body for text in phone.twilio.texts_to(person)] == ["only once"]


def test_the_same_key_for_another_text_is_refused(phone: Phone) -> None:
    person = phone.person()
    send(phone, to=person, body="one", idempotency_key=f"reused-{person}")

    assert refusal(phone, to=person, body="two", idempotency_key=f"reused-{person}").error_type == "IdempotencyKeyReused"


def test_a_lost_answer_is_unknown_then_found_and_never_sent_again(phone: Phone) -> None:
    person = phone.person()
    key = f"lost-{person}"
    phone.twilio.faults.add("drop_after")

    assert refusal(phone, to=person, body="lost answer", idempotency_key=key).error_type == "SendOutcomeUnknown"
    assert refusal(phone, to=person, body="lost answer", idempotency_key=key).error_type == "SendOutcomeUnknown"
    phone.twilio.settle()
    make_older(phone, key, timedelta(minutes=3))
    assert phone.stack.invoke("reconcile", {})["found_sent"] == 1

    text = phone.twilio.wait_for_text(person)
    phone.bus.wait_for(is_event("SMS_SENT", message_sid=text.sid, send_id=key))
    assert send(phone, to=person, body="lost answer", idempotency_key=key)["messages"][0]["message_sid"] == text.sid
    assert len(phone.twilio.texts_to(person)) == 1
    assert [message["body"] for message in phone.history(person)["messages"]] == ["lost answer"]


def test_a_request_that_never_arrived_is_found_out_and_the_key_is_free_again(phone: Phone) -> None:
    person = phone.person()
    key = f"never-{person}"
    phone.twilio.faults.add("drop_before")
    assert refusal(phone, to=person, body="never arrived", idempotency_key=key).error_type == "SendOutcomeUnknown"

    make_older(phone, key, timedelta(minutes=3))
    assert phone.stack.invoke("reconcile", {})["still_unknown"] == 1
    make_older(phone, key, timedelta(hours=1))
    assert phone.stack.invoke("reconcile", {})["found_not_sent"] == 1

    failed = phone.bus.wait_for(is_event("SMS_FAILED", send_id=key))["detail"]
    assert (failed["status"], failed["remedy"]) == ("not_sent", "It is safe to send it again.")
    send(phone, to=person, body="never arrived", idempotency_key=key)
    assert phone.twilio.wait_for_text(person).body == "never arrived"


@pytest.mark.parametrize("status", [500, 503])
def test_a_server_error_of_twilios_is_an_unknown_outcome(phone: Phone, status: int) -> None:
    phone.twilio.faults.add("status", status=status)

    assert refusal(phone, to=phone.person(), body="x").error_type == "SendOutcomeUnknown"


def test_too_many_requests_are_waited_out(phone: Phone) -> None:
    person = phone.person()
    phone.twilio.faults.add("status", count=2, status=429)

    send(phone, to=person, body="patient")

    phone.twilio.settle()
    assert [text.body for text in phone.twilio.texts_to(person)] == ["patient"]


@pytest.mark.parametrize(
    ("payload", "error_type", "says"),
    [
        ({"to": "+15005550001", "body": "x"}, "TwilioRejected", "21211"),
        ({"to": "+15005550002", "body": "x"}, "TwilioRejected", "21612"),
        ({"to": "+15005550003", "body": "x"}, "TwilioRejected", "Geo permissions"),
        ({"to": "+15005550009", "body": "x"}, "TwilioRejected", "21614"),
        ({"to": "+15005550004", "body": "x"}, "RecipientOptedOut", "21610"),
        ({"to": "+15555551234", "body": "x", "from": "+15005550007"}, "TwilioRejected", "21606"),
        ({"to": "12", "body": "x"}, "InvalidPhoneNumber", "E.164"),
        ({"to": "+15555551234", "body": "  "}, "InvalidMessage", "`body` is empty"),
        ({"to": "+15555551234", "body": "x", "media_url": ["ftp://example.com/a.png"]}, "MediaNotAllowed", "ftp://"),
        ({"to": "+15555551234", "body": "x", "media_url": ["https://example.com/a.png"] * 11}, "MediaNotAllowed", "11 media"),
        ({"to": "+15555551234", "text": "x"}, "InvalidRequest", "`text`"),
        ({"to": "+15555551234", "body": "x", "chunk_limit": 20}, "InvalidRequest", "`chunk_limit`"),
    ],
)
def test_a_refusal_has_a_stable_type_and_says_what_to_do(
    phone: Phone, payload: dict[str, Any], error_type: str, says: str
) -> None:
    failure = refusal(phone, **payload)

    assert failure.error_type == error_type
    assert says in failure.message
    assert "+1" not in failure.message.replace("+14155550100", "")


def test_an_empty_mms_is_refused(phone: Phone) -> None:
    assert refusal(phone, "send-mms", to=phone.person(), body="no picture").error_type == "InvalidMessage"


def test_stop_closes_the_pair_and_start_reopens_it(phone: Phone) -> None:
    person = phone.person()

    phone.twilio.receive_text(person, "Stop")
    stopped = phone.bus.wait_for(is_event("SMS_RECEIVED", from_=person, opt_out_type="STOP"))
    assert phone.bus.wait_for(is_event("OPT_OUT_CHANGED", from_=person))["detail"]["state"] == "opted_out"
    before = len(phone.twilio.messages)
    assert refusal(phone, to=person, body="But wait").error_type == "RecipientOptedOut"
    assert len(phone.twilio.messages) == before, "refused locally"
    phone.twilio.receive_text(person, "START")
    phone.bus.wait_for(is_event("OPT_OUT_CHANGED", from_=person, state="opted_in"))

    send(phone, to=person, body="Welcome back")
    assert stopped["detail"]["body"] == "Stop"


def test_the_ledger_learns_from_twilios_refusal(phone: Phone) -> None:
    person = phone.person()
    phone.twilio.faults.add("reject", code=21610)

    assert refusal(phone, to=person, body="Hi").error_type == "RecipientOptedOut"

    learnt = phone.bus.wait_for(is_event("OPT_OUT_CHANGED", from_=person))["detail"]
    assert (learnt["state"], learnt["cause"]) == ("opted_out", "twilio_21610")
    before = len(phone.twilio.messages)
    assert refusal(phone, to=person, body="Hi").error_type == "RecipientOptedOut"
    assert len(phone.twilio.messages) == before
