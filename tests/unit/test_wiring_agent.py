"""run_action as `functions/` builds it, over moto and a server in Twilio's place."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from tests.unit.deployed import OURS, THEIRS, Stack
from tests.unit.fakes import LambdaContext
from tests.unit.http_server import Answer
from twilio_plugin.errors import InvalidRequest
from twilio_plugin.runtime.wiring import agent

SID = "0123456789abcdef0123456789abcdef"
RESOURCE = {"account_sid": "AC1", "status": "queued", "direction": "outbound-api", "error_code": None}
PAIR = f"phone|{OURS}|{THEIRS}"


@pytest.fixture
def run(stack: Stack, monkeypatch: pytest.MonkeyPatch, context: LambdaContext) -> Any:
    monkeypatch.setenv("TWILIO_API_BASE_URL", stack.aws.url)
    handler = agent.run_action()
    return lambda payload: handler(payload, context)


def test_a_sentence_becomes_a_text(stack: Stack, run: Any, log: io.StringIO) -> None:
    stack.aws.script = [Answer(201, json.dumps(RESOURCE | {"sid": f"SM{SID}", "body": "Geheim"}))]

    answer = run({"input": f"Send a text to {THEIRS} saying Geheim"})

    assert answer == {
        "action": "SEND_SMS",
        "valid": True,
        "reply": f"I'll send an SMS to {THEIRS} with the message 'Geheim'",
        "result": {
            "conversation_id": PAIR,
            "to": THEIRS,
            "from": OURS,
            "messages": [{"message_sid": f"SM{SID}", "status": "queued", "body": "Geheim", "encoding": "GSM-7", "segments": 1}],
        },
    }
    assert [kind for kind, _ in stack.announced()] == ["SMS_SENT"]
    assert THEIRS not in log.getvalue()
    assert "Geheim" not in log.getvalue()


def test_fields_become_a_call(stack: Stack, run: Any) -> None:
    stack.aws.script = [Answer(201, json.dumps(RESOURCE | {"sid": f"CA{SID}", "to": THEIRS, "from": OURS}))]

    answer = run({"action": "MAKE_CALL", "input": {"to": THEIRS, "say": "Hello"}})

    assert answer["reply"] == f"I'll call {THEIRS} and say 'Hello'"
    assert answer["result"] == {
        "call_sid": f"CA{SID}",
        "status": "queued",
        "conversation_id": PAIR,
        "to": THEIRS,
        "from": OURS,
    }
    assert [kind for kind, _ in stack.announced()] == ["CALL_STARTED"]


def test_a_question_is_an_answer_and_leaves_out_what_there_is_not(stack: Stack, run: Any, log: io.StringIO) -> None:
    answer = run({"input": f"Contact {THEIRS}"})

    question = f"Should I text or call {THEIRS}?"
    assert answer == {"valid": False, "reason": question, "reply": question}
    assert stack.announced() == []
    assert THEIRS not in log.getvalue()


def test_a_payload_that_is_none_is_an_error_as_everywhere(run: Any) -> None:
    with pytest.raises(
        InvalidRequest, match=r"`input`: Field required\. The fields are: action, input, dry_run, idempotency_key\."
    ):
        run({})
