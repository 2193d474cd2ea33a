from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tools.forget import forget


def test_the_tool_goes_on_until_it_is_complete_and_says_what_it_did() -> None:
    asked: list[dict[str, Any]] = []
    answers = [
        {"phone_number": "***0142", "complete": False, "next_token": "t", "conversations": 3, "kept": []},
        {"phone_number": "***0142", "complete": True, "conversations": 1, "kept": ["Backups.", "Logs."]},
    ]

    def invoke(payload: Mapping[str, Any]) -> Mapping[str, Any]:
        asked.append(dict(payload))
        return answers[len(asked) - 1]

    said: list[str] = []
    forget({"phone_number": "+15555550142", "dry_run": False}, invoke, said.append)

    assert [one.get("next_token") for one in asked] == [None, "t"]
    assert said == ["***0142: conversations 3", "***0142: conversations 1", "What remains:\n* Backups.\n* Logs."]
