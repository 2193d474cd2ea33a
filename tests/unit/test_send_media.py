"""Sends with objects of S3, and with content templates: what is refused, what Twilio is asked for, and what is kept."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.fakes import FakeWorld, World
from tests.unit.fakes_media import BUCKET, PNG
from tests.unit.test_send_message import OURS, THEIRS, Phone
from twilio_plugin.domain.actions import SendMms, SendSms
from twilio_plugin.domain.outbound import Receipt, TwilioMessage
from twilio_plugin.domain.validation import validated
from twilio_plugin.errors import IdempotencyKeyReused, InvalidMessage, InvalidRequest, MediaNotAllowed, SendOutcomeUnknown
from twilio_plugin.services.reconcile import Reconciler, reconcile

MENU = f"s3://{BUCKET}/menu.png"
TEMPLATE = "HX" + "0" * 32
WHATSAPP = f"whatsapp|{OURS}|{THEIRS}"


@pytest.fixture
def phone(world: World) -> Phone:
    phone = Phone(world)
    phone.media.add(MENU)
    return phone


def mms(*urls: str, **more: Any) -> SendMms:
    return SendMms.model_validate({"to": THEIRS, "media_url": list(urls or [MENU])} | more)


def template(**more: Any) -> SendSms:
    fields = {"to": f"whatsapp:{THEIRS}", "content_sid": TEMPLATE, "content_variables": {"1": "Ada", "2": "€ 5"}}
    return SendSms.model_validate(fields | more)


# ------------------------------------------------------------------------------------------------------------------ from S3


def test_what_lies_in_s3_goes_out_and_is_kept_under_its_own_name(phone: Phone) -> None:
    phone.send(mms(MENU, "https://example.com/a.png"))

    (part,) = phone.texting.asked
    assert part.media_url == (MENU, "https://example.com/a.png")
    (event,) = phone.announced()
    assert event["media_url"] == [MENU, "https://example.com/a.png"]
    (entry,) = phone.world.history.page(part.conversation_id, limit=1, before=None).entries
    assert next((one.url, one.content_type) for one in entry.media) == (MENU, "image/png")


@pytest.mark.parametrize(
    ("url", "content", "content_type", "says"),
    [
        ("s3://someone-elses/menu.png", PNG, "image/png", "not a bucket that is sent from"),
        (f"s3://{BUCKET}/missing.png", None, "", "is not there"),
        (f"s3://{BUCKET}/menu.png", PNG, "binary/octet-stream", "Content-Type 'binary/octet-stream'"),
        (f"s3://{BUCKET}/menu.svg", PNG, "image/svg+xml", "which Twilio does not take"),
        (f"s3://{BUCKET}/film.mp4", b"x" * (5 * 1024 * 1024 + 1), "video/mp4", "at most 5,242,880"),
    ],
)
def test_what_twilio_would_not_take_is_refused_before_it_and_the_key_stays_free(
    phone: Phone, url: str, content: bytes | None, content_type: str, says: str
) -> None:
    if content is not None:
        phone.media.add(url, content, content_type)

    with pytest.raises(MediaNotAllowed, match=says):
        phone.send(mms(url, idempotency_key="menu"))

    assert not phone.texting.asked
    phone.media.add(MENU)
    assert phone.send(mms(idempotency_key="menu")).messages


def test_the_limit_is_for_all_media_of_a_message_and_higher_on_whatsapp(phone: Phone) -> None:
    urls = [f"s3://{BUCKET}/{number}.mp4" for number in range(2)]
    for url in urls:
        phone.media.add(url, b"x" * 3 * 1024 * 1024, "video/mp4")

    with pytest.raises(MediaNotAllowed, match="6,291,456 bytes together"):
        phone.send(mms(*urls))
    assert phone.send(mms(*urls, to=f"whatsapp:{THEIRS}"), "request 2").messages


def test_the_same_key_answers_the_same_after_the_object_is_gone(phone: Phone) -> None:
    first = phone.send(mms(idempotency_key="menu"))
    phone.media.objects.clear()

    assert phone.send(mms(idempotency_key="menu")) == first
    assert len(phone.texting.asked) == 1


@pytest.mark.parametrize("url", ["s3://bucket", "s3://bucket/", "s3:///key", "S3://bucket/key", "arn:aws:s3:::bucket/key"])
def test_what_names_no_object_is_no_medium(phone: Phone, url: str) -> None:
    with pytest.raises(MediaNotAllowed, match="not a public http"):
        phone.send(mms(url))


# ----------------------------------------------------------------------------------------------------------------- templates


def test_a_template_goes_out_alone_and_is_kept_by_its_name(phone: Phone) -> None:
    sent = phone.send(template())

    (part,) = phone.texting.asked
    assert part.template
    assert (part.template.sid, part.template.variables) == (TEMPLATE, '{"1": "Ada", "2": "€ 5"}')
    assert (part.body, part.media_url, part.kind, part.segments) == ("", (), "sms", 1)
    shown = f'[template {TEMPLATE}: {{"1": "Ada", "2": "€ 5"}}]'
    assert sent.conversation_id == WHATSAPP
    assert sent.messages[0].body == shown
    assert phone.history(WHATSAPP) == [shown]
    (event,) = phone.announced()
    assert (event["body"], event["content_sid"], event["channel"]) == (shown, TEMPLATE, "whatsapp")


def test_what_twilio_says_it_came_to_is_what_is_kept_and_answered_again(phone: Phone) -> None:
    phone.texting.answers = [Receipt("SM1", "AC1", "queued", template_text="Hello Ada, € 5 please.")]

    first = phone.send(template(idempotency_key="hello"))

    assert first.messages[0].body == "Hello Ada, € 5 please."
    assert phone.history(WHATSAPP) == ["Hello Ada, € 5 please."]
    assert phone.send(template(idempotency_key="hello")) == first
    assert len(phone.texting.asked) == 1


def test_other_variables_under_the_same_key_are_another_message(phone: Phone) -> None:
    phone.send(template(idempotency_key="hello"))

    with pytest.raises(IdempotencyKeyReused):
        phone.send(template(idempotency_key="hello", content_variables={"1": "Bob"}))


def test_the_order_of_variables_is_no_difference(phone: Phone) -> None:
    first = phone.send(template(idempotency_key="hello"))

    assert phone.send(template(idempotency_key="hello", content_variables={"2": "€ 5", "1": "Ada"})) == first


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"body": "Hello"}, "leave out `body`"),
        ({"media_url": ["https://example.com/a.png"]}, "leave out `body` and `media_url`"),
        ({"content_sid": None}, "give its `content_sid`"),
    ],
)
def test_a_template_and_words_exclude_each_other(phone: Phone, fields: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidMessage, match=says):
        phone.send(template(**fields))


@pytest.mark.parametrize("wrong", [{"content_sid": "HX1"}, {"content_variables": {"1": ""}}, {"content_variables": {"1": 5}}])
def test_what_twilio_calls_invalid_is_invalid_here(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest, match=next(iter(wrong))):
        validated(SendSms, {"to": THEIRS, "content_sid": TEMPLATE} | wrong)


def test_a_template_whose_answer_was_lost_is_found_and_not_sent_again(fake_world: FakeWorld) -> None:
    phone = Phone(fake_world, texting=fake_world.texting)
    fake_world.texting.answers = [SendOutcomeUnknown("No answer.")]
    with pytest.raises(SendOutcomeUnknown):
        phone.send(template(idempotency_key="hello"))
    receipt = Receipt("SM9", "AC1", "sent", template_text="Hello Ada")
    fake_world.texting.listed = [TwilioMessage(receipt, "Hello Ada", 0)]
    fake_world.clock.advance(minutes=16)

    by = Reconciler(
        fake_world.outbox, fake_world.bus, fake_world.sends, fake_world.texting, fake_world.clock, account_sid="AC1"
    )
    assert reconcile(by).found_sent == 1
    assert phone.history(WHATSAPP) == ["Hello Ada"]


def test_a_claim_that_was_never_settled_is_read_back_with_its_template(phone: Phone) -> None:
    phone.texting.answers = [SendOutcomeUnknown("No answer.")]
    with pytest.raises(SendOutcomeUnknown):
        phone.send(template(idempotency_key="hello"))
    phone.world.clock.advance(minutes=1)

    ((part, _),) = list(phone.world.sends.unsettled(before=phone.world.clock()))

    assert part.template == phone.texting.asked[0].template
