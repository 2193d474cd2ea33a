from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twilio_plugin.domain.actions import SendMessage, SendMms, SendSms
from twilio_plugin.domain.address import Address
from twilio_plugin.domain.composition import MAX_PARTS, compose
from twilio_plugin.domain.outbound import Part
from twilio_plugin.errors import InvalidMessage, InvalidPhoneNumber, InvalidRequest, MediaNotAllowed, PluginError

OURS, THEIRS = "+14155550100", "+14155550123"
PICTURE = "https://example.com/a.png"
THREE_PARTS = "one " * 40 + "two " * 40 + "three " * 26


def parts_of(request: SendMessage, send_id: str = "key 1") -> list[Part]:
    return compose(request, send_id, phone_number=OURS, default_region="US")


def sms(body: str = "Hello", **more: Any) -> SendSms:
    return SendSms.model_validate({"to": THEIRS, "body": body} | more)


def mms(**more: Any) -> SendMms:
    return SendMms.model_validate({"to": THEIRS, "media_url": [PICTURE]} | more)


# ------------------------------------------------------------------------------------------------------ what goes out


def test_a_short_text_is_one_part() -> None:
    (part,) = parts_of(sms("Hello 👋"))

    assert (part.send_id, part.number, part.parts, part.body, part.media_url) == ("key 1", 1, 1, "Hello 👋", ())
    assert (part.sender, part.recipient) == (Address("phone", OURS), Address("phone", THEIRS))
    assert (part.conversation_id, part.kind) == (f"phone|{OURS}|{THEIRS}", "sms")
    assert (part.encoding, part.segments, part.messaging_service_sid) == ("UCS-2", 1, None)


@given(st.text("ab 👋\n.", min_size=1, max_size=900), st.sampled_from([70, 160, 300, 1600]))
def test_the_parts_add_up_to_the_text_and_are_numbered(text: str, limit: int) -> None:
    if not text.strip():
        return
    parts = parts_of(sms(text, chunk_limit=limit))

    assert "".join(part.body for part in parts) == text
    assert [(part.number, part.parts) for part in parts] == [(n, len(parts)) for n in range(1, len(parts) + 1)]
    assert len({part.fingerprint for part in parts}) == 1


def test_at_160_every_part_is_one_segment_and_without_a_limit_the_carrier_joins_them() -> None:
    assert [part.segments for part in parts_of(sms(THREE_PARTS, chunk_limit=160))] == [1, 1, 1]
    assert [part.segments for part in parts_of(sms(THREE_PARTS))] == [4]


def test_a_text_of_a_hundred_parts_is_sent_and_a_longer_one_is_not() -> None:
    assert len(parts_of(sms("a" * 70 * MAX_PARTS, chunk_limit=70))) == MAX_PARTS
    with pytest.raises(InvalidMessage, match="101 messages"):
        parts_of(sms("a" * (70 * MAX_PARTS + 1), chunk_limit=70))


@pytest.mark.parametrize(
    ("from_", "sender"),
    [(None, OURS), ("", OURS), ("+14155550199", "+14155550199"), ("(415) 555-0199", "+14155550199"), ("74454", "74454")],
)
def test_the_sender_is_the_stacks_number_unless_another_is_given(from_: str | None, sender: str) -> None:
    assert parts_of(sms(from_=from_))[0].sender == Address("phone", sender)


@pytest.mark.parametrize("from_", [None, OURS, f"whatsapp:{OURS}"])
def test_a_whatsapp_recipient_is_written_to_from_our_whatsapp_address(from_: str | None) -> None:
    (part,) = parts_of(sms(to="whatsapp:(415) 555-0123", from_=from_))

    assert (part.sender, part.recipient) == (Address("whatsapp", OURS), Address("whatsapp", THEIRS))


def test_a_messaging_service_goes_beside_the_sender() -> None:
    (part,) = parts_of(sms(messaging_service_sid="MG" + "a" * 32))

    assert (part.messaging_service_sid, str(part.sender)) == ("MG" + "a" * 32, OURS)


def test_media_go_with_the_first_part_only() -> None:
    parts = parts_of(sms(THREE_PARTS, chunk_limit=160, media_url=[PICTURE, "HTTP://example.com:8080/b?c=d#e"]))

    assert [part.media_url for part in parts] == [(PICTURE, "HTTP://example.com:8080/b?c=d#e"), (), ()]
    assert [part.kind for part in parts] == ["mms", "sms", "sms"]


@pytest.mark.parametrize("body", ["", " \n"])
def test_ten_media_need_no_words(body: str) -> None:
    (part,) = parts_of(mms(media_url=[PICTURE] * 10, body=body))

    assert (part.body, len(part.media_url), part.segments) == ("", 10, 1)


def test_markdown_becomes_plain_text_if_asked_to() -> None:
    written = "**Open** [today](https://example.com)"

    assert parts_of(sms(written))[0].body == written
    assert parts_of(sms(written, strip_markdown=True))[0].body == "Open today (https://example.com)"


def test_typographic_punctuation_is_folded_if_asked_to() -> None:
    written = "“Yes” – it’s…"

    assert (parts_of(sms(written))[0].body, parts_of(sms(written))[0].encoding) == (written, "UCS-2")
    (folded,) = parts_of(sms(written, smart_encoded=True))
    assert (folded.body, folded.encoding) == ('"Yes" - it\'s...', "GSM-7")


# ------------------------------------------------------------------------------------------------- what is the same


@pytest.mark.parametrize(
    "other",
    [
        {"body": "Bye"},
        {"to": "+14155550124"},
        {"to": f"whatsapp:{THEIRS}"},
        {"from": "+14155550199"},
        {"media_url": [PICTURE]},
        {"messaging_service_sid": "MG" + "0" * 32},
        {"strip_markdown": True, "body": "Hello *you*"},
    ],
    ids=lambda other: " and ".join(other),
)
def test_another_message_has_another_fingerprint(other: dict[str, Any]) -> None:
    message = {"to": THEIRS, "body": "Hello"}

    assert parts_of(SendSms.model_validate(message | other))[0].fingerprint != parts_of(sms())[0].fingerprint


def test_another_way_of_cutting_is_another_message_and_a_limit_that_cuts_nothing_is_not() -> None:
    cut, uncut = (parts_of(sms(THREE_PARTS, chunk_limit=limit))[0].fingerprint for limit in (160, 150))
    assert cut != uncut
    assert parts_of(sms(chunk_limit=160))[0].fingerprint == parts_of(sms())[0].fingerprint


def test_the_same_message_written_another_way_is_the_same() -> None:
    other = sms("**Hello**", to="(415) 555-0123", from_="415 555 0100", strip_markdown=True, idempotency_key="key 2")

    assert parts_of(other, "key 2")[0].fingerprint == parts_of(sms())[0].fingerprint


# ------------------------------------------------------------------------------------------------------------ refused


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        pytest.param(sms(""), InvalidMessage, id="no words"),
        pytest.param(sms(" \n\t"), InvalidMessage, id="white space"),
        pytest.param(sms("", media_url=[PICTURE]), InvalidMessage, id="an SMS of media alone"),
        pytest.param(sms("---", strip_markdown=True), InvalidMessage, id="nothing left of the Markdown"),
        pytest.param(sms("\u200b\u200b", smart_encoded=True), InvalidMessage, id="nothing visible left"),
        pytest.param(mms(media_url=[]), InvalidMessage, id="an MMS without media"),
        pytest.param(mms(media_url=[PICTURE] * 11), MediaNotAllowed, id="eleven media"),
        pytest.param(sms(to=OURS), InvalidMessage, id="to ourselves"),
        pytest.param(sms(to=f"whatsapp:{OURS}"), InvalidMessage, id="to ourselves on WhatsApp"),
        pytest.param(sms(from_=f"whatsapp:{OURS}"), InvalidMessage, id="from WhatsApp to a phone"),
        pytest.param(sms(to="rcs:acme_agent"), InvalidPhoneNumber, id="to RCS"),
        pytest.param(sms(to="nobody"), InvalidPhoneNumber, id="to nobody"),
        pytest.param(sms(from_="+1415555010012345"), InvalidPhoneNumber, id="from no number"),
    ],
)
def test_what_cannot_be_sent_is_refused(request_: SendMessage, error: type[PluginError]) -> None:
    with pytest.raises(error):
        parts_of(request_)


@pytest.mark.parametrize(
    "url",
    [
        *(
            "ftp://example.com/a.png",
            "s3://bucket",
            "javascript:alert(1)",
            "file:///etc/passwd",
            "data:image/png;base64,AA",
        ),
        *("http://", "https:///", "https:/example.com/a.png", "example.com/a.png", "//example.com/a.png", "", "https:///a.png"),
        *("https:// ", "https://?a=b", "https://[::1", "https://example.com/a b.png", "https://example.com/a\n.png"),
    ],
)
def test_media_that_twilio_cannot_fetch_are_refused(url: str) -> None:
    with pytest.raises(MediaNotAllowed):
        parts_of(mms(media_url=[PICTURE, url]))


@pytest.mark.parametrize(
    "field",
    [{"body": "Hello \ud83d"}, {"to": f"{THEIRS}\ud83d"}, {"from": "ACME\ud83d"}, {"media_url": [f"{PICTURE}?\ud83d"]}],
    ids=lambda field: next(iter(field)),
)
def test_half_a_character_is_refused_with_its_field(field: dict[str, Any]) -> None:
    """JSON can say it (``"\\ud83d"``), as a caller does who cuts a text in the middle of an emoji."""
    with pytest.raises(InvalidRequest, match=f"`{next(iter(field))}`"):
        parts_of(SendSms.model_validate({"to": THEIRS, "body": "Hello"} | field))
