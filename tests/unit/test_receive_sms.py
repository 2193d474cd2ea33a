from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

import pytest

from tests.unit.fakes import FakeConversations, FakeWorld, World
from tests.unit.fakes_guards import inbound_guard
from twilio_plugin.domain.conversation import Entry
from twilio_plugin.domain.events import Event
from twilio_plugin.domain.message import inbound_message
from twilio_plugin.domain.opt_out import ContactState
from twilio_plugin.errors import StorageUnavailable
from twilio_plugin.services.ports import LedgerChange, LedgerMoved
from twilio_plugin.services.receive_sms import receive_sms

PAIR = "phone|+14155550100|+14155550123"


def receive(world: World, sid: str, body: str, **fields: str) -> bool:
    form = {
        "AccountSid": "AC1",
        "Body": body,
        "From": "+14155550123",
        "MessageSid": sid,
        "NumMedia": "0",
        "NumSegments": "1",
        "To": "+14155550100",
    }
    return receive_sms(inbound_message(form | fields), world.conversations, inbound_guard(world.clock), world.clock)


def announced(world: World) -> list[dict[str, Any]]:
    return [{"detail_type": one.detail_type, **json.loads(one.detail)} for one in world.announced()]


def types(world: World) -> list[str]:
    return [event["detail_type"] for event in announced(world)]


def state(world: World) -> ContactState:
    return world.conversations.contact_state(PAIR)


def test_a_text_is_stored_and_announced(world: World) -> None:
    assert receive(world, "SM1", "Hello 👋", ProfileName="Ada", MessagingServiceSid="MG1", NumSegments="2") is True

    (event,) = announced(world)
    (entry,) = world.history.page(PAIR, limit=10, before=None).entries
    assert event == {
        "detail_type": "SMS_RECEIVED",
        "version": "1",
        "event_id": "SMS_RECEIVED#SM1",
        "occurred_at": entry.occurred_at,
        "account_sid": "AC1",
        "conversation_id": PAIR,
        "message_sid": "SM1",
        "channel": "phone",
        "from": "+14155550123",
        "to": "+14155550100",
        "body": "Hello 👋",
        "media": [],
        "num_segments": 2,
        "messaging_service_sid": "MG1",
        "fields": {"ProfileName": "Ada"},
    }
    assert (entry.body, entry.kind, entry.direction, entry.from_, entry.to, entry.opt_out_type) == (
        *("Hello 👋", "sms", "inbound", "+14155550123", "+14155550100"),
        None,
    )


def test_an_mms_is_stored_and_announced_with_its_media(world: World) -> None:
    receive(world, "MM1", "", NumMedia="1", MediaUrl0="https://api.twilio.com/0", MediaContentType0="image/png")

    (event,) = announced(world)
    (entry,) = world.history.page(PAIR, limit=10, before=None).entries
    assert event["media"] == [{"url": "https://api.twilio.com/0", "content_type": "image/png"}]
    assert (entry.kind, entry.body, entry.media[0].url) == ("mms", "", "https://api.twilio.com/0")


def test_a_text_on_whatsapp_is_a_conversation_of_its_own(fake_world: World) -> None:
    receive(fake_world, "SM1", "Hello", From="whatsapp:+14155550123", To="whatsapp:+14155550100")

    (event,) = announced(fake_world)
    assert event["channel"] == "whatsapp"
    assert event["conversation_id"] == "whatsapp|+14155550100|+14155550123"
    assert (event["from"], event["to"]) == ("whatsapp:+14155550123", "whatsapp:+14155550100")


def test_a_replayed_webhook_is_stored_and_announced_once(world: World) -> None:
    assert receive(world, "SM1", "Hello") is True
    assert receive(world, "SM1", "Hello") is False

    assert types(world) == ["SMS_RECEIVED"]
    assert len(world.history.page(PAIR, limit=10, before=None).entries) == 1


def test_stop_closes_the_ledger_and_is_announced_as_both(world: World) -> None:
    receive(world, "SM1", "Stop.")

    text, opt_out = sorted(announced(world), key=lambda event: str(event["detail_type"]), reverse=True)
    assert (text["detail_type"], text["opt_out_type"]) == ("SMS_RECEIVED", "STOP")
    assert opt_out == {
        "detail_type": "OPT_OUT_CHANGED",
        "version": "1",
        "event_id": "OPT_OUT_CHANGED#SM1",
        "occurred_at": text["occurred_at"],
        "account_sid": "AC1",
        "conversation_id": PAIR,
        "channel": "phone",
        "from": "+14155550123",
        "to": "+14155550100",
        "state": "opted_out",
        "cause": "keyword",
        "message_sid": "SM1",
    }
    assert state(world) == "opted_out"
    assert world.history.page(PAIR, limit=1, before=None).entries[0].opt_out_type == "STOP"


def test_a_second_stop_is_a_text_and_no_change(fake_world: World) -> None:
    receive(fake_world, "SM1", "STOP")
    announced(fake_world)
    receive(fake_world, "SM2", "STOP")

    (event,) = announced(fake_world)
    assert (event["detail_type"], event["opt_out_type"]) == ("SMS_RECEIVED", "STOP")
    assert state(fake_world) == "opted_out"


def test_a_replayed_stop_after_a_start_does_not_close_the_ledger_again(world: World) -> None:
    receive(world, "SM1", "STOP")
    receive(world, "SM2", "START")

    assert receive(world, "SM1", "STOP") is False
    assert state(world) == "opted_in"


def test_start_reopens_the_ledger(fake_world: World) -> None:
    receive(fake_world, "SM1", "STOP")
    announced(fake_world)
    receive(fake_world, "SM2", "start")

    assert sorted(types(fake_world)) == ["OPT_OUT_CHANGED", "SMS_RECEIVED"]
    assert state(fake_world) == "opted_in"


def test_start_from_who_never_stopped_is_a_text_and_no_change(fake_world: World) -> None:
    receive(fake_world, "SM1", "START")

    (event,) = announced(fake_world)
    assert (event["detail_type"], event["opt_out_type"]) == ("SMS_RECEIVED", "START")


@pytest.mark.parametrize("stopped", [True, False])
def test_help_is_marked_and_changes_nothing(fake_world: World, stopped: bool) -> None:
    if stopped:
        receive(fake_world, "SM1", "STOP")
    before = state(fake_world)
    announced(fake_world)
    receive(fake_world, "SM2", "Help")

    (event,) = announced(fake_world)
    assert event["opt_out_type"] == "HELP"
    assert state(fake_world) == before


def test_yes_is_an_answer_to_the_agent(fake_world: World) -> None:
    receive(fake_world, "SM1", "YES")

    (event,) = announced(fake_world)
    assert "opt_out_type" not in event
    assert state(fake_world) == "opted_in"


def test_yes_after_a_stop_reopens(fake_world: World) -> None:
    receive(fake_world, "SM1", "STOP")
    announced(fake_world)
    receive(fake_world, "SM2", "Yes")

    events = announced(fake_world)
    assert {event["detail_type"] for event in events} == {"SMS_RECEIVED", "OPT_OUT_CHANGED"}
    assert [event["opt_out_type"] for event in events if event["detail_type"] == "SMS_RECEIVED"] == ["START"]
    assert state(fake_world) == "opted_in"


def test_what_advanced_opt_out_says_counts_and_not_the_words(fake_world: World) -> None:
    receive(fake_world, "SM1", "leave me alone", OptOutType="STOP")
    assert state(fake_world) == "opted_out"

    receive(fake_world, "SM2", "STOP", OptOutType="HELP")
    assert state(fake_world) == "opted_out"

    receive(fake_world, "SM3", "come back", OptOutType="START")
    assert state(fake_world) == "opted_in"


def test_a_sentence_with_stop_in_it_goes_to_the_agent_without_a_look_at_the_ledger(fake_world: FakeWorld) -> None:
    receive(fake_world, "SM1", "please stop calling it that")

    (event,) = announced(fake_world)
    assert "opt_out_type" not in event
    assert fake_world.conversations.contact_reads == 0


def test_a_ledger_that_moves_meanwhile_is_read_again(fake_world: FakeWorld) -> None:
    receive(fake_world, "SM1", "STOP")
    fake_world.conversations.meanwhile = [lambda: receive(fake_world, "SM2", "START")]
    announced(fake_world)

    assert receive(fake_world, "SM3", "yes") is True

    texts = {event["message_sid"]: event for event in announced(fake_world) if event["detail_type"] == "SMS_RECEIVED"}
    assert texts["SM2"]["opt_out_type"] == "START"
    assert "opt_out_type" not in texts["SM3"]
    assert state(fake_world) == "opted_in"


def test_two_stops_at_once_are_one_change(fake_world: FakeWorld) -> None:
    fake_world.conversations.meanwhile = [lambda: receive(fake_world, "SM2", "STOP")]

    assert receive(fake_world, "SM1", "STOP") is True

    assert sorted(types(fake_world)) == ["OPT_OUT_CHANGED", "SMS_RECEIVED", "SMS_RECEIVED"]


class RestlessConversations(FakeConversations):
    """Somebody else is always faster."""

    def add_received(self, entry: Entry, events: Sequence[Event], ledger: LedgerChange | None) -> bool:
        raise LedgerMoved


def test_a_ledger_that_never_holds_still_makes_twilio_try_again(fake_world: FakeWorld) -> None:
    restless = dataclasses.replace(fake_world, conversations=RestlessConversations(fake_world.outbox))

    with pytest.raises(StorageUnavailable, match="ledger"):
        receive(restless, "SM1", "STOP")

    assert announced(restless) == []


def test_storage_that_fails_is_reported_so_that_twilio_delivers_again(fake_world: FakeWorld) -> None:
    fake_world.conversations.unavailable = {"add_received"}
    with pytest.raises(StorageUnavailable):
        receive(fake_world, "SM1", "Hello")
    fake_world.conversations.unavailable = set()

    assert receive(fake_world, "SM1", "Hello") is True
    assert types(fake_world) == ["SMS_RECEIVED"]
