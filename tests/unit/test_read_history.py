from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from tests.unit.fakes import ACCOUNT, FakeTexting, World
from tests.unit.fakes_guards import inbound_guard, outbound_guard
from tests.unit.fakes_media import FakeBuckets
from twilio_plugin.domain.actions import History, ReadHistory, SendSms
from twilio_plugin.domain.conversation import Entry
from twilio_plugin.domain.message import inbound_message
from twilio_plugin.domain.timestamp import iso
from twilio_plugin.errors import InvalidPageToken, InvalidPhoneNumber, InvalidRequest
from twilio_plugin.services.read_history import read_history
from twilio_plugin.services.receive_sms import receive_sms
from twilio_plugin.services.send_message import Sender, send_message
from twilio_plugin.services.track_status import status_update, track_status

OURS, THEIRS = "+14155550100", "+14155550123"


def hear(world: World, number: int, body: str = "", *, sender: str = THEIRS, to: str = OURS) -> None:
    form = {"AccountSid": ACCOUNT, "Body": body or f"text {number}", "From": sender, "MessageSid": f"SM{number:04d}", "To": to}
    assert receive_sms(inbound_message(form), world.conversations, inbound_guard(world.clock), world.clock)


def say(world: World, body: str, texting: FakeTexting) -> str:
    by = Sender(
        *(world.conversations, world.sends, texting, outbound_guard(world.clock), world.clock),
        phone_number=OURS,
        default_region="US",
        account_sid=ACCOUNT,
        media=FakeBuckets(),
        not_recorded=lambda _sid: None,
    )
    request = SendSms(to=THEIRS, body=body)
    return send_message(request, f"request {len(texting.asked)}", by).messages[0].message_sid


def hear_of(world: World, sid: str, status: str, code: str = "") -> None:
    form = {"MessageSid": sid, "AccountSid": ACCOUNT, "MessageStatus": status, "From": OURS, "To": THEIRS, "ErrorCode": code}
    assert track_status(status_update(form, {}), world.conversations, world.clock)


def read(world: World, **request: Any) -> History:
    asked = ReadHistory.model_validate({"phone_number": THEIRS} | request)
    return read_history(asked, world.history, phone_number=OURS, default_region="US")


def test_a_long_conversation_is_read_page_by_page_each_oldest_first(world: World) -> None:
    for number in range(25):
        hear(world, number)

    pages, token = [], None
    for _ in range(3):
        page = read(world, limit=10, next_token=token)
        pages.append([one.message_sid for one in page.messages])
        token = page.next_token

    assert pages == [
        [f"SM{number:04d}" for number in range(15, 25)],
        [f"SM{number:04d}" for number in range(5, 15)],
        [f"SM{number:04d}" for number in range(5)],
    ]
    assert token is None


def test_texts_of_both_sides_are_joined_with_what_became_of_ours(world: World) -> None:
    texting = FakeTexting()
    hear(world, 1, "Are you open?")
    arrived, lost, waiting = (say(world, body, texting) for body in ("Yes", "Until nine", "Come in"))
    hear_of(world, arrived, "delivered")
    hear_of(world, lost, "undelivered", "30003")
    hear(world, 2, "On my way")

    page = read(world)

    assert [(one.direction, one.body, one.status, one.error_code) for one in page.messages] == [
        ("inbound", "Are you open?", None, None),
        ("outbound", "Yes", "delivered", None),
        ("outbound", "Until nine", "undelivered", 30003),
        ("outbound", "Come in", "queued", None),
        ("inbound", "On my way", None, None),
    ]
    assert [one.message_sid for one in page.messages[1:4]] == [arrived, lost, waiting]
    assert [turn.model_dump() for turn in page.turns] == [
        {"role": "user", "content": "Are you open?"},
        {"role": "assistant", "content": "Yes\nCome in"},
        {"role": "user", "content": "On my way"},
    ]
    assert [line.partition("] ")[2] for line in page.text.split("\n")] == [
        "User: Are you open?",
        "Assistant: Yes",
        "Assistant: Until nine (not delivered, error 30003)",
        "Assistant: Come in",
        "User: On my way",
    ]


def test_stop_is_in_the_text_and_not_in_the_turns(fake_world: World) -> None:
    hear(fake_world, 1, "Hello")
    hear(fake_world, 2, "STOP")

    page = read(fake_world)

    assert page.messages[1].opt_out_type == "STOP"
    assert page.text.endswith("User: STOP (STOP)")
    assert [turn.content for turn in page.turns] == ["Hello"]


def test_a_conversation_that_never_was_is_empty_and_says_so(fake_world: World) -> None:
    page = read(fake_world)

    assert page.model_dump(by_alias=True) == {
        "conversation_id": f"phone|{OURS}|{THEIRS}",
        "text": "No messages yet.",
        "messages": [],
        "turns": [],
        "next_token": None,
    }


def test_a_message_reads_under_twilios_names(fake_world: World) -> None:
    hear(fake_world, 1)

    (message,) = json.loads(read(fake_world).model_dump_json(by_alias=True))["messages"]

    assert (message["from"], message["to"], message["kind"]) == (THEIRS, OURS, "sms")


def test_what_was_said_in_a_call_stands_between_the_texts_with_its_call(world: World) -> None:
    texting, call_sid = FakeTexting(), "CA" + "1" * 32
    hear(world, 1, "Call me")
    for direction, body in (("outbound", "Hello!"), ("inbound", "Hi, it is me.")):
        ours, theirs = (OURS, THEIRS) if direction == "outbound" else (THEIRS, OURS)
        turn: Any = {"kind": "speech", "direction": direction, "body": body, "from_": ours, "to": theirs}
        now = iso(world.clock())
        world.conversations.add_turn(
            Entry(conversation_id=f"phone|{OURS}|{THEIRS}", occurred_at=now, message_sid=body, call_sid=call_sid, **turn)
        )
    say(world, "Thanks for calling", texting)

    page = read(world)

    assert [(one.kind, one.body, one.call_sid, one.status) for one in page.messages] == [
        ("sms", "Call me", None, None),
        ("speech", "Hello!", call_sid, None),
        ("speech", "Hi, it is me.", call_sid, None),
        ("sms", "Thanks for calling", None, "queued"),
    ]
    assert [turn.content for turn in page.turns] == ["Call me", "Hello!", "Hi, it is me.", "Thanks for calling"]


@pytest.mark.parametrize("written", ["(415) 555-0123", "+1 415 555 0123", "14155550123"])
def test_a_number_is_found_however_it_is_written(fake_world: World, written: str) -> None:
    hear(fake_world, 1)

    assert len(read(fake_world, phone_number=written, our_number="415-555-0100").messages) == 1


def test_our_other_number_and_short_codes_have_conversations_of_their_own(fake_world: World) -> None:
    hear(fake_world, 1, to="+14155550199")
    hear(fake_world, 2, sender="74454")

    assert [one.message_sid for one in read(fake_world, our_number="+14155550199").messages] == ["SM0001"]
    assert [one.message_sid for one in read(fake_world, phone_number="74454").messages] == ["SM0002"]
    assert read(fake_world).messages == []


@pytest.mark.parametrize(
    "request_",
    [
        {"phone_number": f"whatsapp:{THEIRS}"},
        {"phone_number": THEIRS, "channel": "whatsapp"},
        {"phone_number": f"whatsapp:{THEIRS}", "channel": "whatsapp", "our_number": f"whatsapp:{OURS}"},
    ],
)
def test_a_channel_may_be_named_in_front_or_beside(fake_world: World, request_: dict[str, Any]) -> None:
    hear(fake_world, 1, sender=f"whatsapp:{THEIRS}", to=f"whatsapp:{OURS}")

    assert len(read(fake_world, **request_).messages) == 1
    assert read(fake_world).messages == []


def test_channels_that_contradict_each_other_are_refused(fake_world: World) -> None:
    with pytest.raises(InvalidRequest, match="`channel` is rcs and `phone_number` is on whatsapp"):
        read(fake_world, phone_number=f"whatsapp:{THEIRS}", channel="rcs")


def test_what_is_no_number_is_refused(fake_world: World) -> None:
    with pytest.raises(InvalidPhoneNumber):
        read(fake_world, phone_number="+1415555010012345")


@pytest.mark.parametrize(
    "token",
    [
        *("garbage", "äöü", "\ud83d", "====", "A", "AAAA", " ", "/w==", "_____w=="),
        base64.urlsafe_b64encode(b"ENTRY#2026-11-22T08:00:00.000Z#SM0001").decode(),
        base64.urlsafe_b64encode(b"\xff\xfe").decode(),
    ],
)
def test_a_token_that_is_not_ours_is_refused(fake_world: World, token: str) -> None:
    with pytest.raises(InvalidPageToken):
        read(fake_world, next_token=token)


def test_a_token_of_another_conversation_is_refused(world: World) -> None:
    for number in range(3):
        hear(world, number)
    token = read(world, limit=2).next_token

    assert token
    with pytest.raises(InvalidPageToken, match="another conversation"):
        read(world, next_token=token, phone_number="+14155550199")
    with pytest.raises(InvalidPageToken):
        read(world, next_token=token, our_number="+14155550199")
    with pytest.raises(InvalidPageToken):
        read(world, next_token=token[:10])
    assert len(read(world, next_token=token).messages) == 1
