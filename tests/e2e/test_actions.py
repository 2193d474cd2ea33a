"""Requests in English, on the deployed stack."""

from __future__ import annotations

from local.bus import is_event
from tests.e2e.conftest import Phone


def test_a_sentence_reaches_the_phone_once(phone: Phone) -> None:
    person = phone.person()
    payload = {
        "input": f"Could you text {person} saying 'What a great Saturday at the lake'?",
        "idempotency_key": f"lake {person}",
    }

    answer = phone.stack.invoke("run-action", payload)

    assert answer == phone.stack.invoke("run-action", payload)
    assert answer["reply"] == f"I'll send an SMS to {person} with the message 'What a great Saturday at the lake'"
    text = phone.twilio.wait_for_text(person)
    assert (text.sid, text.body) == (answer["result"]["messages"][0]["message_sid"], "What a great Saturday at the lake")
    phone.bus.wait_for(is_event("SMS_SENT", message_sid=text.sid))


def test_a_sentence_in_doubt_and_a_dry_run_reach_nobody(phone: Phone) -> None:
    person = phone.person()

    asked = phone.stack.invoke("run-action", {"input": f"Text {person} the address"})
    dry = phone.stack.invoke("run-action", {"input": f"Call {person}", "dry_run": True})

    assert (asked["valid"], dry["valid"]) == (False, True)
    assert asked["reason"].startswith(f"What should I write to {person}?")
    assert dry == {"action": "MAKE_CALL", "valid": True, "reply": f"I'll call {person}"}
    assert phone.history(person)["messages"] == []
