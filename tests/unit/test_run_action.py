from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.unit.fakes import ACCOUNT, FakeWorld
from tests.unit.fakes_calls import FakeCallWorld
from tests.unit.fakes_guards import outbound_guard
from tests.unit.fakes_media import FakeBuckets
from twilio_plugin.domain.actions import MadeCall, MakeCall, RanAction, RunAction, SendMms, SendResult, SendSms
from twilio_plugin.domain.reply import reply
from twilio_plugin.errors import (
    SendOutcomeUnknown,
    StorageUnavailable,
    TwilioRejected,
    TwilioUnavailable,
)
from twilio_plugin.services.make_call import Caller
from twilio_plugin.services.run_action import Agent, run_action
from twilio_plugin.services.send_message import Sender

OURS, ADA = "+15555550100", "+15555551234"
CAT = "https://example.com/cat.png"
REFUSED = TwilioRejected("Twilio refused the text to ***1234: 21211", twilio_code=21211, status=400)
REFUSED_FOR_STOP = TwilioRejected("Twilio refused the text to ***1234: 21610", twilio_code=21610, status=400)


@dataclass
class Phone:
    """A stack over storages in memory and a faked Twilio."""

    texts: FakeWorld = field(default_factory=FakeWorld.new)
    calls: FakeCallWorld = field(default_factory=FakeCallWorld.new)

    def run(self, input_: Any, request_id: str = "request 1", **more: Any) -> RanAction:
        sender = Sender(
            conversations=self.texts.conversations,
            sends=self.texts.sends,
            texting=self.texts.texting,
            guard=outbound_guard(self.texts.clock),
            clock=self.texts.clock,
            phone_number=OURS,
            default_region="US",
            account_sid=ACCOUNT,
            media=FakeBuckets(),
            not_recorded=lambda _sid: None,
        )
        caller = Caller(
            requests=self.calls.requests,
            calling=self.calls.calling,
            guard=outbound_guard(self.calls.clock),
            clock=self.calls.clock,
            phone_number=OURS,
            default_region="US",
            language="en-US",
            webhook_url="https://example.com/webhooks/twilio",
            not_recorded=lambda _sid: None,
        )
        return run_action(RunAction.model_validate({"input": input_} | more), request_id, Agent(sender, caller))

    @property
    def done(self) -> int:
        """How many texts and calls Twilio was asked for."""
        return len(self.texts.texting.asked) + len(self.calls.calling.asked)


@pytest.fixture
def phone() -> Phone:
    return Phone()


# ----------------------------------------------------------------------------------------------------------- in words


def test_a_text_in_words_is_sent_and_told(phone: Phone) -> None:
    ran = phone.run("Send a text to +15555551234 saying Hello!")

    assert (ran.action, ran.valid, ran.reason) == ("SEND_SMS", True, None)
    assert ran.reply == "I'll send an SMS to +15555551234 with the message 'Hello!'"
    assert isinstance(ran.result, SendResult)
    assert [(str(one.recipient), one.body) for one in phone.texts.texting.asked] == [(ADA, "Hello!")]
    assert [one.message_sid for one in ran.result.messages] == ["SM" + f"{1:032x}"]


def test_a_picture_in_words_is_sent_and_told(phone: Phone) -> None:
    ran = phone.run(f"Send a picture to (555) 555-1234 {CAT}")

    assert (ran.action, ran.reply) == ("SEND_MMS", "I'll send an MMS to +15555551234 with 1 attachment")
    assert [one.media_url for one in phone.texts.texting.asked] == [(CAT,)]


def test_a_call_in_words_is_made_and_told(phone: Phone) -> None:
    ran = phone.run("Call (555) 555-1234 and say dinner is ready")

    assert (ran.action, ran.reply) == ("MAKE_CALL", "I'll call +15555551234 and say 'dinner is ready'")
    assert isinstance(ran.result, MadeCall)
    assert ["dinner is ready" in (one.twiml or "") for one in phone.calls.calling.asked] == [True]


def test_what_is_not_sure_is_asked_and_nothing_is_done(phone: Phone) -> None:
    ran = phone.run("Text +15555551234 and +15555559876 saying hi")

    question = "Which number should I text: +15555551234 or +15555559876?"
    assert ran == RanAction(valid=False, reason=question, reply=question)
    assert phone.done == 0


def test_a_text_that_asks_for_another_action_than_the_one_named_is_not_done(phone: Phone) -> None:
    ran = phone.run("Call +15555551234", action="SEND_SMS")

    assert (ran.action, ran.valid) == ("SEND_SMS", False)
    assert ran.reply.startswith("Should I do SEND_SMS or MAKE_CALL?")
    assert phone.done == 0


# ---------------------------------------------------------------------------------------------------------- by fields


def test_an_action_is_done_by_its_fields(phone: Phone) -> None:
    ran = phone.run({"to": "555-555-1234", "body": "Hi", "media_url": [CAT]}, action="SEND_MMS")

    assert (ran.valid, ran.reply) == (True, "I'll send an MMS to +15555551234 with the message 'Hi' and 1 attachment")
    assert phone.done == 1


@pytest.mark.parametrize(
    ("input_", "action", "reason"),
    [
        (
            {"to": ADA, "body": "Hi"},
            None,
            "`action` is missing. With fields it says what they are for: SEND_SMS, SEND_MMS, MAKE",
        ),
        ({"to": ADA}, "SEND_FAX", "`action` is 'SEND_FAX'. It is one of: SEND_SMS, SEND_MMS, MAKE_CALL."),
        ("Text +15555551234: hi", "text", "`action` is 'text'. It is one of: SEND_SMS, SEND_MMS, MAKE_CALL."),
        ({"body": "Hi"}, "SEND_SMS", "`to`: Field required. The fields are: to, body, media_url, from, "),
        ({"to": ADA, "text": "Hi"}, "SEND_SMS", "`text`: Extra inputs are not permitted. The fields are: to, body, "),
        ({"to": ADA, "time_limit": 1}, "MAKE_CALL", "`time_limit`: Input should be greater than or equal to 5. The fields"),
        ({"to": ADA}, "SEND_SMS", "`body` is empty."),
        ({"to": ADA, "body": "Hi"}, "SEND_MMS", "`media_url` is empty."),
        ({"to": ADA, "media_url": ["cat.png"]}, "SEND_MMS", "'cat.png' is not a public http(s) URL"),
        ({"to": "my beloved wife", "body": "Hi"}, "SEND_SMS", "'***wife' is not a phone number."),
        ({"to": OURS, "say": "Hi"}, "MAKE_CALL", "`to` is our own number"),
    ],
)
@pytest.mark.parametrize("dry_run", [False, True])
def test_what_the_caller_can_correct_is_said_and_not_done(
    phone: Phone, input_: Any, action: str | None, reason: str, dry_run: bool
) -> None:
    ran = phone.run(input_, action=action, dry_run=dry_run)

    assert not ran.valid
    assert ran.reason
    assert ran.reason.startswith(reason)
    assert ran.reply == f"I can't do that. {ran.reason}"
    assert ran.action == (action if action in ("SEND_SMS", "SEND_MMS", "MAKE_CALL") else None)
    assert phone.done == 0


# ------------------------------------------------------------------------------------------------------------ dry run


@pytest.mark.parametrize(
    "sentence", [f"Text {ADA}: hi", f"Send a picture to {ADA} {CAT}", f"Call {ADA} and say hi"], ids=["text", "picture", "call"]
)
def test_a_dry_run_says_the_same_and_changes_nothing(sentence: str) -> None:
    dry, wet = Phone(), Phone()

    ran = dry.run(sentence, dry_run=True)

    assert ran.result is None
    assert ran == wet.run(sentence).model_copy(update={"result": None})
    assert (dry.done, wet.done) == (0, 1)
    assert not dry.texts.sends.records
    assert dry.texts.announced() == []
    assert dry.calls.announced() == []


# ------------------------------------------------------------------------------------------------------------- errors


def test_a_person_who_said_stop_is_no_error_but_a_reason(phone: Phone) -> None:
    phone.texts.texting.answers = [REFUSED_FOR_STOP]
    first = phone.run(f"Text {ADA}: hi", "request 1")
    second = phone.run(f"Text {ADA}: hi", "request 2", dry_run=True)

    assert not first.valid
    assert second.reason
    assert "said STOP" in second.reason
    assert second.action == "SEND_SMS"
    assert phone.done == 1


@pytest.mark.parametrize("error", [REFUSED, TwilioUnavailable("busy"), SendOutcomeUnknown("lost")])
def test_what_twilio_refuses_or_loses_is_an_error(phone: Phone, error: Any) -> None:
    phone.texts.texting.answers = [error]
    with pytest.raises(type(error)):
        phone.run(f"Text {ADA}: hi")

    phone.calls.calling.answers = [error]
    with pytest.raises(type(error)):
        phone.run(f"Call {ADA}")


def test_storage_that_is_down_is_an_error(phone: Phone) -> None:
    phone.texts.sends.unavailable = {"claim"}

    with pytest.raises(StorageUnavailable):
        phone.run(f"Text {ADA}: hi")


# ------------------------------------------------------------------------------------------------------- once for a key


def test_a_key_acts_once_and_answers_the_same(phone: Phone) -> None:
    text, call = f"Text {ADA}: hi", f"Call {ADA} and say hi"

    for sentence in (text, call):
        first = phone.run(sentence, "request 1", idempotency_key="key")
        assert phone.run(sentence, "request 2", idempotency_key="key") == first
    assert phone.done == 2


def test_lambdas_own_retry_acts_once(phone: Phone) -> None:
    assert phone.run(f"Text {ADA}: hi", "request 1") == phone.run(f"Text {ADA}: hi", "request 1")
    assert phone.done == 1


def test_a_key_that_was_used_for_something_else_is_a_reason(phone: Phone) -> None:
    phone.run(f"Text {ADA}: hi", idempotency_key="key")

    assert not phone.run(f"Text {ADA}: ho", idempotency_key="key").valid
    assert phone.done == 1


def test_the_key_among_the_fields_goes_before_the_one_beside_them(phone: Phone) -> None:
    fields = {"to": ADA, "body": "hi", "idempotency_key": "inner"}
    phone.run(fields, action="SEND_SMS", idempotency_key="outer")

    assert [send_id for send_id, _ in phone.texts.sends.records] == ["inner"]


# ------------------------------------------------------------------------------------------------------------- replies


@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        (SendSms(to=ADA, body="It's me"), f"I'll send an SMS to {ADA} with the message 'It's me'"),
        (SendSms(to=ADA, body="Hi", media_url=[CAT]), f"I'll send an SMS to {ADA} with the message 'Hi' and 1 attachment"),
        (SendMms(to=ADA, media_url=[CAT, CAT]), f"I'll send an MMS to {ADA} with 2 attachments"),
        (MakeCall(to=ADA), f"I'll call {ADA}"),
        (MakeCall(to=ADA, say="Hi"), f"I'll call {ADA} and say 'Hi'"),
        (MakeCall(to=ADA, url="https://example.com/a"), f"I'll call {ADA} and play the document that I was given"),
    ],
)
def test_what_is_done_is_told_in_a_sentence(request_: Any, sentence: str) -> None:
    assert reply(request_, ADA) == sentence
