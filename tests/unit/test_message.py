from __future__ import annotations

from typing import Any

import pytest

from twilio_plugin.domain.address import Address
from twilio_plugin.domain.message import Media, inbound_message
from twilio_plugin.errors import UnreadableWebhook

TEXT = {
    "AccountSid": "AC" + "0" * 32,
    "ApiVersion": "2010-04-01",
    "Body": "Hello 👋 &+=%",
    "From": "+14155550123",
    "MessageSid": "SM" + "1" * 32,
    "NumMedia": "0",
    "NumSegments": "2",
    "SmsMessageSid": "SM" + "1" * 32,
    "SmsSid": "SM" + "1" * 32,
    "SmsStatus": "received",
    "To": "+14155550100",
}


def form(**changes: str) -> dict[str, str]:
    return TEXT | changes


def media(count: int) -> dict[str, str]:
    return {
        "NumMedia": str(count),
        **{f"MediaUrl{index}": f"https://api.twilio.com/media/{index}" for index in range(count)},
        **{f"MediaContentType{index}": f"image/{index}" for index in range(count)},
    }


def test_a_text_is_read_field_by_field() -> None:
    message = inbound_message(TEXT)

    assert message.message_sid == TEXT["MessageSid"]
    assert message.account_sid == TEXT["AccountSid"]
    assert message.sender == Address("phone", "+14155550123")
    assert message.recipient == Address("phone", "+14155550100")
    assert message.body == "Hello 👋 &+=%"
    assert message.media == ()
    assert message.kind == "sms"
    assert message.num_segments == 2
    assert message.messaging_service_sid is None
    assert message.twilio_opt_out_type == ""
    assert message.fields == {}
    assert message.conversation_id == "phone|+14155550100|+14155550123"


@pytest.mark.parametrize(
    ("sender", "recipient", "conversation"),
    [
        ("whatsapp:+14155550123", "whatsapp:+14155550100", "whatsapp|+14155550100|+14155550123"),
        ("rcs:+14155550123", "rcs:acme_agent", "rcs|acme_agent|+14155550123"),
        ("messenger:123", "messenger:456", "messenger|456|123"),
        ("74454", "+14155550100", "phone|+14155550100|74454"),
        ("ACME", "+14155550100", "phone|+14155550100|ACME"),
    ],
)
def test_a_message_of_any_channel_is_read(sender: str, recipient: str, conversation: str) -> None:
    assert inbound_message(form(From=sender, To=recipient)).conversation_id == conversation


def test_ten_media_are_read_in_order() -> None:
    message = inbound_message(form(**media(10)))

    assert message.media == tuple(Media(f"https://api.twilio.com/media/{index}", f"image/{index}") for index in range(10))
    assert message.kind == "mms"
    assert message.fields == {}


def test_media_beyond_the_count_or_without_an_address_are_left_out() -> None:
    fields = form(**media(3)) | {"NumMedia": "2", "MediaUrl0": ""}

    assert inbound_message(fields).media == (Media("https://api.twilio.com/media/1", "image/1"),)


@pytest.mark.parametrize("kind", [None, ""])
def test_media_without_a_content_type_are_bytes(kind: str | None) -> None:
    fields = form(NumMedia="1", MediaUrl0="https://api.twilio.com/media/0")
    if kind is not None:
        fields["MediaContentType0"] = kind

    assert inbound_message(fields).media[0].content_type == "application/octet-stream"


NO_COUNTS = ["30000000", "-1", "abc", "１", "1.0", " 1", "101", "²", "9" * 5000, "0x1", "1e1"]


@pytest.mark.parametrize(
    ("field", "count"),
    [*[("NumMedia", count) for count in ["11", *NO_COUNTS]], *[("NumSegments", count) for count in NO_COUNTS]],
)
def test_a_count_that_is_none_is_refused_with_the_fields_name(field: str, count: str) -> None:
    with pytest.raises(UnreadableWebhook, match=field) as refused:
        inbound_message(form(**{field: count}))
    assert len(str(refused.value)) < 150


@pytest.mark.parametrize("changes", [{"NumMedia": "", "NumSegments": ""}, {"NumMedia": None, "NumSegments": None}])
def test_counts_that_are_blank_or_missing_are_no_media_and_one_segment(changes: dict[str, Any]) -> None:
    fields = {name: value for name, value in (TEXT | changes).items() if value is not None}

    message = inbound_message(fields)

    assert message.media == ()
    assert message.num_segments == 1


@pytest.mark.parametrize("name", ["MessageSid", "AccountSid", "From", "To"])
@pytest.mark.parametrize("blank", [True, False])
def test_a_webhook_without_a_field_we_need_is_refused_with_its_name(name: str, blank: bool) -> None:
    fields = dict(TEXT)
    del fields[name]

    with pytest.raises(UnreadableWebhook, match=f"^{name} is missing"):
        inbound_message(fields | ({name: ""} if blank else {}))


@pytest.mark.parametrize("changes", [{"Body": ""}, {"Body": None}])
def test_a_message_may_have_no_text(changes: dict[str, Any]) -> None:
    fields = {name: value for name, value in (TEXT | changes).items() if value is not None}

    assert inbound_message(fields).body == ""


def test_fields_we_do_not_know_are_kept_and_blank_ones_are_not() -> None:
    extra = {
        "ProfileName": "Ada",
        "WaId": "14155550123",
        "ButtonPayload": "yes",
        "Latitude": "37.7",
        "FromCity": "SAN FRANCISCO",
        "SomethingNew": "1",
        "ToZip": "",
    }

    assert inbound_message(form(**extra)).fields == {name: value for name, value in extra.items() if value}


def test_the_messaging_service_and_twilios_opt_out_type_have_a_place_of_their_own() -> None:
    message = inbound_message(form(MessagingServiceSid="MG" + "2" * 32, OptOutType="stop"))

    assert message.messaging_service_sid == "MG" + "2" * 32
    assert message.twilio_opt_out_type == "STOP"
    assert message.fields == {}
    assert inbound_message(form(MessagingServiceSid="", OptOutType="")).messaging_service_sid is None
