from __future__ import annotations

import pytest

from twilio_plugin.domain.address import Address
from twilio_plugin.domain.message_status import FAILED, RANK, StatusUpdate, rank

# Twilio, "Message resource: status values": the ways a message can go.
TRUE_HISTORIES = [
    ["queued", "sending", "sent", "delivered"],
    ["accepted", "queued", "sending", "sent", "delivered", "read"],
    ["scheduled", "accepted", "queued", "sending", "sent", "undelivered"],
    ["scheduled", "canceled"],
    ["accepted", "queued", "failed"],
    ["queued", "sending", "sent", "partially_delivered", "delivered"],
]


@pytest.mark.parametrize("history", TRUE_HISTORIES, ids=lambda history: history[-1])
def test_every_true_history_climbs(history: list[str]) -> None:
    ranks = [rank(status) for status in history]
    assert ranks == sorted(set(ranks))


def test_final_states_do_not_replace_each_other_but_delivered_may_still_be_read() -> None:
    assert rank("delivered") == rank("undelivered") == rank("failed") == rank("canceled") == max(RANK.values()) - 10
    assert rank("read") > rank("delivered")


def test_a_failure_is_final() -> None:
    assert {rank(status) for status in FAILED} == {rank("delivered")}


def test_a_status_we_do_not_know_is_below_every_one_we_know() -> None:
    assert rank("teleported") < min(RANK.values())


def test_the_conversation_is_the_one_of_the_send() -> None:
    update = StatusUpdate("SM1", "AC1", "sent", Address("whatsapp", "+14155550100"), Address("whatsapp", "+14155550123"))
    assert update.conversation_id == "whatsapp|+14155550100|+14155550123"
