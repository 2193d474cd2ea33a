from __future__ import annotations

import io
import json
from typing import Any

import pytest
from pydantic import BaseModel

from tests.unit.fakes import LambdaContext
from twilio_plugin.domain.actions import ReadHistory, SendMms, SendResult, SendSms
from twilio_plugin.errors import InvalidRequest, RecipientOptedOut
from twilio_plugin.runtime.invocation import function

PRIVATE = "Geheim +14155550123"
RESULT = SendResult(conversation_id="phone|a|b", to="b", from_="a", messages=[])


class Called:
    """A use case that notes what it is called with."""

    def __init__(self, result: BaseModel = RESULT) -> None:
        self.requests: list[Any] = []
        self.request_ids: list[str] = []
        self._result = result

    def __call__(self, request: Any, request_id: str) -> BaseModel:
        self.requests.append(request)
        self.request_ids.append(request_id)
        return self._result


def invoke(payload: Any, context: LambdaContext, expects: type[BaseModel] = SendSms) -> tuple[Any, Called]:
    called = Called()
    return function(expects, called)(payload, context), called


def refusal(payload: Any, context: LambdaContext, expects: type[BaseModel] = SendSms) -> str:
    called = Called()
    with pytest.raises(InvalidRequest) as refused:
        function(expects, called)(payload, context)
    assert called.requests == []
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__
    return str(refused.value)


def test_a_payload_reaches_the_use_case_with_the_request_id(context: LambdaContext) -> None:
    answer, called = invoke({"to": "+14155550123", "body": "Hello"}, context)

    assert called.requests == [SendSms(to="+14155550123", body="Hello")]
    assert called.request_ids == [context.aws_request_id]
    assert answer == {"conversation_id": "phone|a|b", "to": "b", "from": "a", "messages": []}


@pytest.mark.parametrize("name", ["from", "from_"])
def test_the_sender_is_called_from(context: LambdaContext, name: str) -> None:
    _, called = invoke({"to": "+14155550123", "body": "Hello", name: "+14155550100"}, context)

    assert called.requests[0].from_ == "+14155550100"


def test_an_answer_is_json_and_leaves_out_what_is_not_there(context: LambdaContext) -> None:
    class Answer(BaseModel):
        there: int = 1
        not_there: int | None = None
        nested: list[dict[str, str | None]] = [{"a": "b"}]

    answer = function(SendSms, Called(Answer()))({"to": "x"}, context)

    assert json.loads(json.dumps(answer)) == {"there": 1, "nested": [{"a": "b"}]}


@pytest.mark.parametrize("expects", [SendSms, SendMms])
def test_an_unknown_field_is_named_and_so_are_the_known_ones(context: LambdaContext, expects: type[BaseModel]) -> None:
    said = refusal({"to": "+14155550123", "text": PRIVATE}, context, expects)

    more = ", content_sid, content_variables" if expects is SendSms else ""
    assert said == (
        "`text`: Extra inputs are not permitted. The fields are: to, body, media_url, from, messaging_service_sid, "
        f"chunk_limit, idempotency_key, strip_markdown, smart_encoded{more}."
    )


@pytest.mark.parametrize(
    ("payload", "named"),
    [
        ({"body": PRIVATE}, "`to`"),
        ({"to": 14155550123}, "`to`"),
        ({"to": None}, "`to`"),
        ({"to": [PRIVATE]}, "`to`"),
        ({"to": "x", "body": {"text": PRIVATE}}, "`body`"),
        ({"to": "x", "media_url": PRIVATE}, "`media_url`"),
        ({"to": "x", "media_url": ["https://example.com", {"url": PRIVATE}]}, "`media_url.1`"),
        ({"to": "x", "from": {"number": PRIVATE}}, "`from`"),
        ({"to": "x", "messaging_service_sid": PRIVATE}, "`messaging_service_sid`"),
        ({"to": "x", "chunk_limit": 69}, "`chunk_limit`"),
        ({"to": "x", "chunk_limit": 1601}, "`chunk_limit`"),
        ({"to": "x", "chunk_limit": PRIVATE}, "`chunk_limit`"),
        ({"to": "x", "idempotency_key": ""}, "`idempotency_key`"),
        ({"to": "x", "idempotency_key": PRIVATE * 10}, "`idempotency_key`"),
        ({"to": "x", "strip_markdown": PRIVATE}, "`strip_markdown`"),
        (None, "`payload`"),
        ([PRIVATE], "`payload`"),
        (PRIVATE, "`payload`"),
        (json.dumps({"to": PRIVATE}), "`payload`"),
    ],
)
def test_what_breaks_the_contract_is_refused_by_name_and_is_not_quoted(
    context: LambdaContext, log: io.StringIO, payload: Any, named: str
) -> None:
    said = refusal(payload, context)

    assert said.startswith(named)
    for written in (said, log.getvalue()):
        assert "Geheim" not in written
        assert "4155550123" not in written


def test_several_mistakes_are_named_at_once(context: LambdaContext) -> None:
    said = refusal({"phone_number": 1, "limit": 101, "channel": "fax", "page": 2}, context, ReadHistory)

    assert [name for name in ("phone_number", "limit", "channel", "page") if f"`{name}`" in said] == [
        *("phone_number", "limit", "channel", "page")
    ]


def test_an_error_of_a_use_case_goes_to_the_caller_as_it_is_and_to_the_log(context: LambdaContext, log: io.StringIO) -> None:
    error = RecipientOptedOut("***0123 said STOP to ***0100.")

    def use_case(_request: SendSms, _request_id: str) -> SendResult:
        raise error

    with pytest.raises(RecipientOptedOut) as raised:
        function(SendSms, use_case)({"to": "x"}, context)

    assert raised.value is error
    written = json.loads(log.getvalue())
    assert (written["error_type"], written["reason"]) == ("RecipientOptedOut", "***0123 said STOP to ***0100.")


def test_the_log_of_a_send_holds_neither_its_text_nor_its_recipient(context: LambdaContext, log: io.StringIO) -> None:
    invoke({"to": "+14155550123", "body": "Geheim"}, context)

    assert json.loads(log.getvalue())["message"] == "done"
    assert "Geheim" not in log.getvalue()
    assert "4155550123" not in log.getvalue()
