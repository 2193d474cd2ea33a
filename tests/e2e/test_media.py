"""Media both ways: copied from Twilio into the bucket, and served to Twilio from it; and templates on WhatsApp."""

from __future__ import annotations

import urllib.error
import urllib.request
from typing import Any

import pytest

from local.bus import is_event
from local.stack import InvocationFailed
from tests.e2e.conftest import Phone

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20
TEMPLATE = "HX" + "7" * 32


def bucket(phone: Phone) -> tuple[Any, str]:
    return phone.stack.engine.client("s3"), phone.stack.outputs["MediaBucketName"]


def media_events(phone: Phone, person: str, count: int) -> list[Any]:
    """What became of so many media of a person, in their order."""
    found: dict[int, Any] = {}
    for index in range(count):
        event = phone.bus.wait_for(lambda one, index=index: _is_of(one, person, index), timeout=30)  # type: ignore[misc]
        found[index] = event["detail"]
    return [found[index] for index in range(count)]


def _is_of(event: Any, person: str, index: int) -> bool:
    detail = event["detail"]
    kinds = ("MEDIA_STORED", "MEDIA_REFUSED")
    return event["detail-type"] in kinds and detail["from"] == person and detail["index"] == index


def test_a_picture_is_in_the_bucket_seconds_after_it_came_even_if_twilio_was_not_ready(phone: Phone) -> None:
    person = phone.person()
    phone.twilio.faults.add("media_not_ready")

    phone.twilio.receive_text(person, "Look", media=[("image/png", PNG)])

    (promised,) = phone.bus.wait_for(is_event("SMS_RECEIVED", from_=person))["detail"]["media"]
    (stored,) = media_events(phone, person, 1)
    client, name = bucket(phone)
    kept = client.get_object(Bucket=name, Key=promised["s3_key"])
    assert (kept["Body"].read(), kept["ContentType"]) == (PNG, "image/png")
    assert (stored["bucket"], stored["s3_key"], stored["size"]) == (name, promised["s3_key"], len(PNG))
    (message,) = phone.history(person)["messages"]
    assert message["media"] == [promised | {"size": len(PNG)}]


def test_what_is_not_twilios_leads_elsewhere_or_lies_is_refused_with_a_reason(phone: Phone) -> None:
    person = phone.person()
    phone.twilio.faults.add("media_redirect", url="http://169.254.169.254/latest/meta-data/iam/security-credentials/")
    phone.twilio.faults.add("media_length", bytes=5_000_000_000)
    phone.twilio.faults.add("media_endless")
    media: list[tuple[str, bytes] | str] = [("image/png", PNG)] * 3
    media += [("image/png", b"<html>"), "https://evil.example/a.png", ("text/html", b"<html>")]

    phone.twilio.receive_text(person, "Look", media=media)

    refused = media_events(phone, person, len(media))
    assert [one.get("reason") for one in refused] == [
        "redirected_elsewhere",
        "too_large",
        "too_large",
        "wrong_type",
        "not_from_twilio",
        "type_not_allowed",
    ]
    client, name = bucket(phone)
    assert "Contents" not in client.list_objects_v2(Bucket=name, Prefix=f"inbound/{refused[0]['message_sid']}/")
    (message,) = phone.history(person)["messages"]
    assert [one["refused"] for one in message["media"]] == [one["reason"] for one in refused]


def test_an_object_of_s3_reaches_the_phone_by_a_link_that_is_good_for_it_alone(phone: Phone) -> None:
    person = phone.person()
    client, name = bucket(phone)
    client.put_object(Bucket=name, Key="menus/today.png", Body=PNG, ContentType="image/png")

    result = phone.stack.invoke("send-mms", {"to": person, "media_url": [f"s3://{name}/menus/today.png"]})

    text = phone.twilio.wait_for_text(person)
    (link,) = text.media_urls
    assert link.startswith(f"{phone.stack.webhook_url}/media/")
    assert [one for one in phone.twilio.fetched if one.endswith(link)] == [f"HEAD {link}", f"GET {link}"]
    with urllib.request.urlopen(link, timeout=10) as answer:
        assert (answer.read(), answer.headers["Content-Type"]) == (PNG, "image/png")
    sent = phone.bus.wait_for(is_event("SMS_SENT", message_sid=result["messages"][0]["message_sid"]))
    assert sent["detail"]["media_url"] == [f"s3://{name}/menus/today.png"]
    for wrong in (link[:-1] + ("0" if link[-1] != "0" else "1"), link.rpartition(".")[0], link.rpartition("/")[0] + "/a"):
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(wrong, timeout=10)


def test_an_object_that_cannot_be_sent_is_refused_with_a_sentence(phone: Phone) -> None:
    _, name = bucket(phone)

    for url, says in ((f"s3://{name}/missing.png", "is not there"), ("s3://somebody-elses/a.png", "not a bucket")):
        with pytest.raises(InvocationFailed, match=says) as refused:
            phone.stack.invoke("send-mms", {"to": phone.person(), "media_url": [url]})
        assert refused.value.error_type == "MediaNotAllowed"


def test_whatsapp_takes_free_texts_for_a_day_and_templates_at_any_time(phone: Phone) -> None:
    person, ours = f"whatsapp:{phone.person()}", f"whatsapp:{phone.ours}"
    phone.twilio.templates[TEMPLATE] = "Hello {{1}}, your table is ready."

    phone.stack.invoke("send-sms", {"to": person, "body": "Too late"})

    failed = phone.bus.wait_for(is_event("SMS_FAILED", to=person))["detail"]
    assert (failed["error_code"], failed["error_class"], failed["channel"]) == (63016, "policy", "whatsapp")
    assert "content_sid" in failed["remedy"]

    template = {"to": person, "content_sid": TEMPLATE, "content_variables": {"1": "Ada"}}
    sent = phone.stack.invoke("send-sms", template)
    assert sent["messages"][0]["body"] == "Hello Ada, your table is ready."
    assert phone.twilio.wait_for_text(person).body == "Hello Ada, your table is ready."

    phone.twilio.receive_text(person, "On my way", to=ours)
    phone.stack.invoke("send-sms", {"to": person, "body": "See you"})
    assert phone.twilio.wait_for_text(person, after=1).body == "See you"
    bodies = [one["body"] for one in phone.history(person)["messages"]]
    assert bodies == ["Too late", "Hello Ada, your table is ready.", "On my way", "See you"]
