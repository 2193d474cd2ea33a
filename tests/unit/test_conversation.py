from __future__ import annotations

from typing import Any

import pytest

from twilio_plugin.domain.conversation import Entry, as_text, as_turns
from twilio_plugin.domain.message import Media


def inbound(body: str, **more: Any) -> Entry:
    return entry("inbound", body, **more)


def outbound(body: str, **more: Any) -> Entry:
    return entry("outbound", body, **more)


def entry(direction: Any, body: str, **more: Any) -> Entry:
    return Entry(
        conversation_id="phone|+14155550100|+14155550123",
        occurred_at="2026-11-22T08:00:00.000Z",
        kind="sms",
        direction=direction,
        message_sid="SM1",
        from_="+14155550123",
        to="+14155550100",
        body=body,
        **more,
    )


def test_an_empty_conversation_says_so() -> None:
    assert as_text([]) == "No messages yet."
    assert as_turns([]) == []


def test_a_conversation_in_lines_tells_who_when_what_and_what_became_of_it() -> None:
    picture = Media("https://example.com/a.png", "image/png")
    entries = [
        inbound("Hello"),
        outbound("Hi there", status="delivered"),
        outbound("Are you there?", status="undelivered", error_code=30003),
        outbound("And now?", status="failed"),
        inbound("Look", media=(picture,)),
        inbound("", media=(picture, picture)),
        inbound("Stop", opt_out_type="STOP"),
    ]

    assert as_text(entries).split("\n") == [
        "[2026-11-22T08:00:00.000Z] User: Hello",
        "[2026-11-22T08:00:00.000Z] Assistant: Hi there",
        "[2026-11-22T08:00:00.000Z] Assistant: Are you there? (not delivered, error 30003)",
        "[2026-11-22T08:00:00.000Z] Assistant: And now? (not delivered)",
        "[2026-11-22T08:00:00.000Z] User: Look",
        "[image/png: https://example.com/a.png]",
        "[2026-11-22T08:00:00.000Z] User: [image/png: https://example.com/a.png]",
        "[image/png: https://example.com/a.png]",
        "[2026-11-22T08:00:00.000Z] User: Stop (STOP)",
    ]


def test_neighbours_of_one_side_become_one_turn() -> None:
    turns = as_turns([inbound("a"), inbound("b"), outbound("c"), outbound("d"), inbound("e")])

    assert turns == [
        {"role": "user", "content": "a\nb"},
        {"role": "assistant", "content": "c\nd"},
        {"role": "user", "content": "e"},
    ]


@pytest.mark.parametrize("status", ["failed", "undelivered"])
def test_turns_are_only_what_both_sides_saw(status: str) -> None:
    turns = as_turns(
        [
            inbound("a"),
            outbound("never arrived", status=status),
            inbound("STOP", opt_out_type="STOP"),
            inbound("START", opt_out_type="START"),
            inbound("HELP", opt_out_type="HELP"),
            inbound("b"),
            outbound("c", status="queued"),
        ]
    )

    assert turns == [{"role": "user", "content": "a\nb"}, {"role": "assistant", "content": "c"}]


def test_attachments_are_part_of_a_turn() -> None:
    picture = Media("https://example.com/a.png", "image/png")

    assert as_turns([inbound("Look", media=(picture,))]) == [
        {"role": "user", "content": "Look\n[image/png: https://example.com/a.png]"}
    ]


def test_whom_the_person_was_connected_with_is_not_taken_for_the_agent() -> None:
    said = [inbound("Is the table ready?", speaker="person"), outbound("It is.", speaker="callee")]

    assert [line.partition("] ")[2] for line in as_text(said).splitlines()] == ["User: Is the table ready?", "Callee: It is."]
    assert as_turns([outbound("Hello.", speaker="agent"), *said]) == [
        {"role": "assistant", "content": "Hello."},
        {"role": "user", "content": "Is the table ready?"},
        {"role": "assistant", "content": "[callee] It is."},
    ]
