from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.unit.fakes import ACCOUNT, FakeTexting, FakeWorld, World
from tests.unit.fakes_guards import inbound_guard, outbound_guard
from tests.unit.fakes_media import FakeBuckets
from twilio_plugin.domain.actions import SendMessage, SendMms, SendResult, SendSms
from twilio_plugin.domain.address import Address, conversation_id
from twilio_plugin.domain.events import OptOutChanged
from twilio_plugin.domain.message import inbound_message
from twilio_plugin.domain.outbound import Receipt
from twilio_plugin.errors import (
    IdempotencyKeyReused,
    InvalidMessage,
    InvalidPhoneNumber,
    MediaNotAllowed,
    Misconfigured,
    PluginError,
    RecipientOptedOut,
    SendInProgress,
    SendOutcomeUnknown,
    StorageUnavailable,
    TwilioRejected,
    TwilioUnavailable,
)
from twilio_plugin.services.ports import LedgerChange
from twilio_plugin.services.receive_sms import receive_sms
from twilio_plugin.services.send_message import Sender, send_message

OURS, THEIRS = "+14155550100", "+14155550123"
PAIR = f"phone|{OURS}|{THEIRS}"
PICTURE = "https://example.com/a.png"
THREE_PARTS = "one " * 40 + "two " * 40 + "three " * 26
REFUSED_FOR_STOP = TwilioRejected("Twilio refused the text to ***0123: 21610", twilio_code=21610, status=400)


@dataclass
class Phone:
    """A stack's sending side: ports of a world, and Twilio faked."""

    world: World
    texting: FakeTexting = field(default_factory=FakeTexting)
    not_recorded: list[str] = field(default_factory=list)
    media: FakeBuckets = field(default_factory=FakeBuckets)

    def send(self, request: SendMessage, request_id: str = "request 1") -> SendResult:
        by = Sender(
            conversations=self.world.conversations,
            sends=self.world.sends,
            texting=self.texting,
            guard=outbound_guard(self.world.clock),
            clock=self.world.clock,
            phone_number=OURS,
            default_region="US",
            account_sid=ACCOUNT,
            media=self.media,
            not_recorded=self.not_recorded.append,
        )
        return send_message(request, request_id, by)

    def announced(self) -> list[dict[str, Any]]:
        return [{"detail_type": one.detail_type, **json.loads(one.detail)} for one in self.world.announced()]

    def history(self, conversation: str = PAIR) -> list[str]:
        return [entry.body for entry in self.world.history.page(conversation, limit=10, before=None).entries]


@pytest.fixture
def phone(world: World) -> Phone:
    return Phone(world)


@pytest.fixture
def fake_phone(fake_world: FakeWorld) -> Phone:
    return Phone(fake_world)


def sms(body: str = "Hello", **more: Any) -> SendSms:
    return SendSms.model_validate({"to": THEIRS, "body": body} | more)


def mms(**more: Any) -> SendMms:
    return SendMms.model_validate({"to": THEIRS, "media_url": [PICTURE]} | more)


def opt_out(world: World) -> None:
    event = OptOutChanged(
        event_id="OPT_OUT_CHANGED#SM0",
        occurred_at="2026-11-22T08:00:00.000Z",
        account_sid=ACCOUNT,
        conversation_id=PAIR,
        channel="phone",
        from_=THEIRS,
        to=OURS,
        state="opted_out",
        cause="keyword",
    )
    world.conversations.change_ledger(LedgerChange(PAIR, "opted_in", "opted_out"), event)
    world.announced()


# ------------------------------------------------------------------------------------------------------ what goes out


def test_a_text_is_sent_recorded_and_announced(phone: Phone) -> None:
    result = phone.send(sms("Hello 👋"))

    (part,) = phone.texting.asked
    assert (str(part.sender), str(part.recipient), part.body, part.number, part.parts) == (OURS, THEIRS, "Hello 👋", 1, 1)
    (message,) = result.messages
    assert result.model_dump(by_alias=True) == {
        "conversation_id": PAIR,
        "to": THEIRS,
        "from": OURS,
        "messages": [message.model_dump()],
    }
    assert message.model_dump() == {
        "message_sid": f"SM{1:032x}",
        "status": "queued",
        "body": "Hello 👋",
        "encoding": "UCS-2",
        "segments": 1,
    }
    (event,) = phone.announced()
    assert event["detail_type"] == "SMS_SENT"
    assert event["event_id"] == f"SMS_SENT#{message.message_sid}"
    assert (event["part"], event["parts"], event["send_id"], event["status"]) == (1, 1, "request 1", "queued")
    assert (event["encoding"], event["segments"], event["media_url"]) == ("UCS-2", 1, [])
    (entry,) = phone.world.history.page(PAIR, limit=10, before=None).entries
    assert (entry.direction, entry.kind, entry.body, entry.status) == ("outbound", "sms", "Hello 👋", "queued")


def test_a_reply_tells_how_long_the_person_waited_for_its_first_part(phone: Phone) -> None:
    sid = "SM" + "1" * 32
    text = inbound_message({"MessageSid": sid, "AccountSid": ACCOUNT, "From": THEIRS, "To": OURS, "Body": "Open?"})
    receive_sms(text, phone.world.conversations, inbound_guard(phone.world.clock), phone.world.clock)
    phone.world.clock.advance(seconds=3)
    phone.world.announced()

    phone.send(sms(THREE_PARTS, chunk_limit=160, idempotency_key=f"SMS_RECEIVED#{sid}"))
    phone.send(sms("Another thing", idempotency_key="a key of their own"))

    waited = [event.get("reply_ms") for event in phone.announced() if event["detail_type"] == "SMS_SENT"]
    assert waited == [pytest.approx(3000, abs=100), *[None] * (len(waited) - 1)]
    assert len(waited) > 2


def test_a_reply_goes_out_even_if_it_cannot_be_told_how_long_it_took(
    fake_phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_message_sid: str) -> str | None:
        raise StorageUnavailable("DynamoDB: throttled.")

    monkeypatch.setattr(fake_phone.world.conversations, "received_at", fail)
    fake_phone.send(sms(idempotency_key="SMS_RECEIVED#SM" + "1" * 32))

    assert [event.get("reply_ms") for event in fake_phone.announced()] == [None]
    assert fake_phone.not_recorded == []


def test_a_long_text_goes_out_in_parts_one_after_the_other(phone: Phone) -> None:
    result = phone.send(sms(THREE_PARTS, chunk_limit=160))

    assert [(part.number, part.parts) for part in phone.texting.asked] == [(1, 3), (2, 3), (3, 3)]
    assert "".join(part.body for part in phone.texting.asked) == THREE_PARTS
    assert [one.body for one in result.messages] == [part.body for part in phone.texting.asked]
    assert [one.segments for one in result.messages] == [1, 1, 1]
    assert phone.history() == [part.body for part in phone.texting.asked]
    assert [(event["part"], event["parts"]) for event in phone.announced()] == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize("from_", [None, OURS, f"whatsapp:{OURS}"])
def test_a_whatsapp_recipient_is_written_to_from_our_whatsapp_address(fake_phone: Phone, from_: str | None) -> None:
    result = fake_phone.send(sms(to="whatsapp:(415) 555-0123", **({"from": from_} if from_ else {})))

    (part,) = fake_phone.texting.asked
    assert (part.sender, part.recipient) == (Address("whatsapp", OURS), Address("whatsapp", THEIRS))
    assert result.conversation_id == f"whatsapp|{OURS}|{THEIRS}"
    assert fake_phone.announced()[0]["channel"] == "whatsapp"
    assert fake_phone.history(result.conversation_id) == ["Hello"]


def test_media_go_with_the_first_part_only(phone: Phone) -> None:
    result = phone.send(sms(THREE_PARTS, chunk_limit=160, media_url=[PICTURE, "http://example.com/b"]))

    assert [part.media_url for part in phone.texting.asked] == [(PICTURE, "http://example.com/b"), (), ()]
    assert result.messages[0].segments == 1
    entries = phone.world.history.page(PAIR, limit=10, before=None).entries
    assert [entry.kind for entry in entries] == ["mms", "sms", "sms"]
    assert [one.content_type for one in entries[0].media] == ["image/png", "application/octet-stream"]


def test_media_need_no_words(fake_phone: Phone) -> None:
    fake_phone.send(mms(media_url=[PICTURE] * 10))

    (part,) = fake_phone.texting.asked
    assert (part.body, len(part.media_url), part.parts) == ("", 10, 1)


# ---------------------------------------------------------------------------------------------- refused before Twilio


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (sms(""), InvalidMessage),
        (mms(media_url=[PICTURE] * 11), MediaNotAllowed),
        (sms(to="nobody"), InvalidPhoneNumber),
    ],
    ids=["nothing to send", "too many media", "to nobody"],
)
def test_what_cannot_be_sent_is_refused_before_twilio_and_holds_no_key(
    fake_phone: Phone, request_: SendMessage, error: type[PluginError]
) -> None:
    with pytest.raises(error):
        fake_phone.send(request_)

    assert fake_phone.texting.asked == []
    assert list(fake_phone.world.sends.unsettled(before=fake_phone.world.clock())) == []
    assert fake_phone.announced() == []


def test_who_said_stop_is_not_texted(fake_phone: Phone) -> None:
    opt_out(fake_phone.world)

    with pytest.raises(RecipientOptedOut, match="START") as refused:
        fake_phone.send(sms())

    assert refused.value.twilio_code == 21610
    assert THEIRS not in str(refused.value)
    assert fake_phone.texting.asked == []
    assert fake_phone.announced() == []


def test_a_stop_counts_for_the_number_it_was_said_to(fake_phone: Phone) -> None:
    opt_out(fake_phone.world)

    fake_phone.send(sms(**{"from": "+14155550199"}))
    fake_phone.send(sms(to=f"whatsapp:{THEIRS}"), "request 2")

    assert len(fake_phone.texting.asked) == 2


# ------------------------------------------------------------------------------------------------- refused by Twilio


def test_twilios_refusal_for_stop_teaches_the_ledger(phone: Phone) -> None:
    phone.texting.answers = [REFUSED_FOR_STOP]

    with pytest.raises(RecipientOptedOut, match="21610"):
        phone.send(sms())

    assert phone.world.conversations.contact_state(PAIR) == "opted_out"
    (event,) = phone.announced()
    assert (event["detail_type"], event["state"], event["cause"]) == ("OPT_OUT_CHANGED", "opted_out", "twilio_21610")
    assert (event["from"], event["to"]) == (THEIRS, OURS)
    assert event["event_id"] == f"OPT_OUT_CHANGED#request 1#{event['occurred_at']}"

    with pytest.raises(RecipientOptedOut):
        phone.send(sms(), "request 2")
    assert len(phone.texting.asked) == 1
    assert phone.announced() == []


def test_twilios_refusal_frees_the_key_for_a_corrected_message(fake_phone: Phone) -> None:
    fake_phone.texting.answers = [TwilioRejected("too long", twilio_code=21617, status=400)]
    with pytest.raises(TwilioRejected):
        fake_phone.send(sms("Hello", idempotency_key="key 1"))

    fake_phone.send(sms("Hi", idempotency_key="key 1"))

    assert fake_phone.history() == ["Hi"]


def test_a_send_stops_at_the_part_that_failed_and_says_which(fake_phone: Phone) -> None:
    fake_phone.texting.answers = [
        Receipt("SM1", ACCOUNT, "queued"),
        TwilioRejected("Twilio refused the text to ***0123: 30007", twilio_code=30007, status=400),
    ]

    with pytest.raises(TwilioRejected) as refused:
        fake_phone.send(sms(THREE_PARTS, chunk_limit=160))

    assert str(refused.value) == "Part 2 of 3 (1 sent): Twilio refused the text to ***0123: 30007"
    assert (refused.value.twilio_code, refused.value.status) == (30007, 400)
    assert [part.number for part in fake_phone.texting.asked] == [1, 2]
    assert [event["part"] for event in fake_phone.announced()] == [1]


def test_the_error_of_a_short_text_names_no_part(fake_phone: Phone) -> None:
    fake_phone.texting.answers = [TwilioUnavailable("Twilio took no request.")]

    with pytest.raises(TwilioUnavailable, match=r"^Twilio took no request\.$"):
        fake_phone.send(sms())


# ------------------------------------------------------------------------------------------------------- sending once


def test_the_same_key_sends_once_and_answers_the_same(phone: Phone) -> None:
    request = sms(THREE_PARTS, chunk_limit=160, idempotency_key="key 1")

    first, second = phone.send(request, "request 1"), phone.send(request, "request 2")

    assert first == second
    assert len(phone.texting.asked) == 3
    assert len(phone.announced()) == 3


def test_lambdas_own_repeat_of_an_invocation_sends_once(fake_phone: Phone) -> None:
    assert fake_phone.send(sms(), "request 1") == fake_phone.send(sms(), "request 1")
    assert len(fake_phone.texting.asked) == 1


def test_other_invocations_and_other_keys_are_other_messages(fake_phone: Phone) -> None:
    fake_phone.send(sms(), "request 1")
    fake_phone.send(sms(), "request 2")
    fake_phone.send(sms(idempotency_key="key 1"), "request 2")
    fake_phone.send(sms(idempotency_key="key 2"), "request 2")

    assert len(fake_phone.texting.asked) == 4


@pytest.mark.parametrize(
    "other",
    [
        {"body": "Bye"},
        {"to": "+14155550124"},
        {"to": f"whatsapp:{THEIRS}"},
        {"from": "+14155550199"},
        {"media_url": [PICTURE]},
        {"messaging_service_sid": "MG" + "0" * 32},
        {"body": "Hello " * 30, "chunk_limit": 70},
    ],
    ids=lambda other: " and ".join(other),
)
def test_a_key_used_for_another_message_is_refused(fake_phone: Phone, other: dict[str, Any]) -> None:
    fake_phone.send(sms(idempotency_key="key 1"))

    with pytest.raises(IdempotencyKeyReused):
        fake_phone.send(SendSms.model_validate({"to": THEIRS, "body": "Hello", "idempotency_key": "key 1"} | other))

    assert len(fake_phone.texting.asked) == 1


def test_the_same_message_written_another_way_is_the_same_message(fake_phone: Phone) -> None:
    first = fake_phone.send(sms("Hello", idempotency_key="key 1"))

    assert fake_phone.send(sms("**Hello**", to="(415) 555-0123", strip_markdown=True, idempotency_key="key 1")) == first


def test_the_same_key_works_again_after_twilio_took_nothing(phone: Phone) -> None:
    phone.texting.answers = [TwilioUnavailable("Twilio took no request.")]
    with pytest.raises(TwilioUnavailable):
        phone.send(sms(idempotency_key="key 1"))

    assert phone.send(sms(idempotency_key="key 1")).messages[0].status == "queued"
    assert phone.history() == ["Hello"]


@pytest.mark.parametrize(
    "error", [StorageUnavailable("Secrets Manager: AccessDenied."), Misconfigured("The secret must be JSON.")]
)
def test_credentials_that_cannot_be_read_send_nothing_and_free_the_key(fake_phone: Phone, error: PluginError) -> None:
    fake_phone.texting.answers = [error]
    with pytest.raises(type(error)):
        fake_phone.send(sms(idempotency_key="key 1"))

    assert fake_phone.send(sms(idempotency_key="key 1")).messages[0].status == "queued"


def test_what_may_have_been_sent_is_never_sent_again(phone: Phone) -> None:
    phone.texting.answers = [SendOutcomeUnknown("No answer from Twilio.")]
    request = sms(idempotency_key="key 1")

    for wait in (0, 30, 3600, 20 * 3600):
        phone.world.clock.advance(seconds=wait)
        with pytest.raises(SendOutcomeUnknown):
            phone.send(request)

    assert len(phone.texting.asked) == 1
    assert phone.announced() == []


def test_what_may_have_been_sent_is_reported_so_even_if_that_cannot_be_written_down(fake_world: FakeWorld) -> None:
    """StorageUnavailable would say that a repeat can do no harm."""
    phone = Phone(fake_world)
    fake_world.sends.unavailable = {"mark_unknown"}
    phone.texting.answers = [SendOutcomeUnknown("No answer from Twilio.")]

    with pytest.raises(SendOutcomeUnknown):
        phone.send(sms())


def test_a_refusal_is_reported_even_if_the_key_cannot_be_freed(fake_world: FakeWorld) -> None:
    """StorageUnavailable would say that a repeat can help."""
    phone = Phone(fake_world)
    fake_world.sends.unavailable = {"release"}
    phone.texting.answers = [TwilioRejected("no such number", twilio_code=21211, status=400)]

    with pytest.raises(TwilioRejected):
        phone.send(sms())


@pytest.mark.parametrize("trouble", [TwilioUnavailable("Twilio took no request."), StorageUnavailable("DynamoDB is down.")])
def test_a_send_that_broke_off_goes_on_where_it_stopped(fake_world: FakeWorld, trouble: PluginError) -> None:
    phone = Phone(fake_world)
    request = sms(THREE_PARTS, chunk_limit=160, idempotency_key="key 1")
    claim = fake_world.sends.claim

    def claim_but_not_part_2(part: Any) -> Receipt | None:
        if part.number == 2 and isinstance(trouble, StorageUnavailable):
            raise trouble
        return claim(part)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fake_world.sends, "claim", claim_but_not_part_2)
        phone.texting.answers = [Receipt("SM1", ACCOUNT, "queued"), trouble]
        with pytest.raises(type(trouble), match=r"Part 2 of 3 \(1 sent\)"):
            phone.send(request)
    phone.texting.asked, phone.texting.answers = [], []

    result = phone.send(request)

    assert [part.number for part in phone.texting.asked] == [2, 3]
    assert result.messages[0].message_sid == "SM1"
    assert "".join(one.body for one in result.messages) == THREE_PARTS


def test_a_crash_with_a_part_on_its_way_holds_the_send_there_until_the_part_is_settled(phone: Phone) -> None:
    class Killed(BaseException):
        """Lambda's time was up."""

    def send_until_killed(part: Any) -> Receipt:
        if part.number == 2:
            raise Killed
        return Receipt("SM1", ACCOUNT, "queued")

    request = sms(THREE_PARTS, chunk_limit=160, idempotency_key="key 1")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(phone.texting, "send", send_until_killed)
        with pytest.raises(Killed):
            phone.send(request)

    with pytest.raises(SendInProgress, match="Part 2 of 3"):
        phone.send(request)
    phone.world.clock.advance(seconds=91)
    with pytest.raises(SendOutcomeUnknown, match="Part 2 of 3"):
        phone.send(request)
    assert phone.texting.asked == []


def test_a_repeat_with_other_chunks_never_loses_or_doubles_words(fake_world: FakeWorld) -> None:
    phone = Phone(fake_world)
    text = "".join(f"word{number:03d} " for number in range(50))
    phone.texting.answers = [Receipt("SM1", ACCOUNT, "queued"), TwilioUnavailable("Twilio took no request.")]
    with pytest.raises(TwilioUnavailable):
        phone.send(sms(text, chunk_limit=300, idempotency_key="key 1"))
    sent = phone.texting.asked[:1]
    phone.texting.asked = []

    try:
        phone.send(sms(text, chunk_limit=250, idempotency_key="key 1"))
    except IdempotencyKeyReused:
        return
    assert "".join(part.body for part in sent + phone.texting.asked) == text


def test_a_text_that_is_out_but_not_recorded_is_a_success_and_somebody_is_told(fake_world: FakeWorld) -> None:
    phone = Phone(fake_world)
    fake_world.sends.unavailable = {"record_sent"}

    result = phone.send(sms(idempotency_key="key 1"))

    assert phone.not_recorded == [result.messages[0].message_sid]
    fake_world.sends.unavailable = set()
    with pytest.raises(SendInProgress):
        phone.send(sms(idempotency_key="key 1"))
    assert len(phone.texting.asked) == 1


def test_nothing_is_sent_that_cannot_be_claimed(fake_world: FakeWorld) -> None:
    phone = Phone(fake_world)
    fake_world.sends.unavailable = {"claim"}

    with pytest.raises(StorageUnavailable):
        phone.send(sms())

    assert phone.texting.asked == []


def test_the_conversation_of_a_send_is_the_one_its_answers_come_in_on(fake_phone: Phone) -> None:
    result = fake_phone.send(sms())

    assert result.conversation_id == conversation_id(ours=Address.parse(OURS), theirs=Address.parse(THEIRS))
