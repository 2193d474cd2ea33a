"""Tool definitions against the vendors' published constraints, and models' calls of tools."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import botocore.session
import jsonschema
import pytest
from botocore.validate import ParamValidator

from twilio_plugin.domain.catalogue import TOOLS, ToolDescription
from twilio_plugin.domain.tools import anthropic, bedrock_converse, openai, tool_call
from twilio_plugin.errors import InvalidRequest

CALL = "CA0123456789abcdef0123456789abcdef"
# One call of each tool with all it needs, and one with all it takes besides.
CALLS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "send_sms": ({"to": "+15555551234", "body": "Hello"}, {"from": "+15555550100"}),
    "send_mms": ({"to": "+15555551234", "media_url": ["https://example.com/a.png"]}, {"body": "Look", "from": "+15555550100"}),
    "make_call": ({"to": "+15555551234"}, {"say": "Hello", "from": "+15555550100"}),
    "conversation_history": (
        {"phone_number": "+15555551234"},
        {"limit": 5, "our_number": "+15555550100", "channel": "whatsapp", "next_token": "next"},
    ),
    "call_state": ({}, {"call_sid": CALL}),
    "say": ({"call_sid": CALL, "text": "Hello"}, {"interrupt": True, "allow_barge_in": False}),
    "transfer_call": ({"call_sid": CALL, "to": "+15555551234"}, {}),
    "send_digits": ({"call_sid": CALL, "digits": "1w2#"}, {}),
    "end_call": ({"call_sid": CALL}, {}),
}
# What every vendor's subset of JSON Schema has; each has more, and each something else.
KEYWORDS = {"type", "properties", "required", "items", "enum", "description", "additionalProperties"}
VENDORS: dict[str, dict[str, dict[str, Any]]] = {
    "openai": {one["function"]["name"]: one["function"]["parameters"] for one in openai()},
    "anthropic": {one["name"]: one["input_schema"] for one in anthropic()},
    "bedrock": {one["toolSpec"]["name"]: one["toolSpec"]["inputSchema"]["json"] for one in bedrock_converse()["tools"]},
}


@pytest.fixture(params=VENDORS)
def schemas(request: pytest.FixtureRequest) -> dict[str, dict[str, Any]]:
    return VENDORS[request.param]


@pytest.fixture(params=TOOLS, ids=lambda one: one.name)
def tool(request: pytest.FixtureRequest) -> ToolDescription:
    found: ToolDescription = request.param
    return found


# -------------------------------------------------------------------------------------------------------- definitions


def test_every_tool_is_there_under_a_name_that_every_vendor_takes(schemas: dict[str, Any]) -> None:
    assert list(schemas) == [one.name for one in TOOLS] == list(CALLS)
    for name in schemas:
        assert re.fullmatch(r"[a-zA-Z][a-zA-Z0-9_]{0,63}", name)


def test_every_schema_is_a_json_schema_in_the_common_subset(schemas: dict[str, Any]) -> None:
    for schema in schemas.values():
        jsonschema.Draft202012Validator.check_schema(schema)
        assert schema["type"] == "object"
        for shape in _shapes(schema):
            assert set(shape) <= KEYWORDS, "no $ref, default, format, pattern, anyOf"
        for name, shape in schema["properties"].items():
            assert re.fullmatch(r"[a-zA-Z0-9_.-]{1,64}", name)
            assert shape["description"].endswith((".", "$."))
            assert "chunk_limit" not in shape["description"], "a field that the model does not have"


def test_a_schema_takes_what_the_function_takes_and_nothing_else(schemas: dict[str, Any]) -> None:
    strict = schemas is VENDORS["openai"]
    for name, schema in schemas.items():
        needed, optional = CALLS[name]
        nulls = dict.fromkeys(optional) if strict else {}
        jsonschema.validate(needed | nulls, schema)
        jsonschema.validate(needed | optional, schema)
        assert set(schema["properties"]) == {*needed, *optional}
        for field in needed:
            with pytest.raises(jsonschema.ValidationError, match=field):
                jsonschema.validate({key: value for key, value in (needed | nulls).items() if key != field}, schema)


def test_openai_is_strict_and_keeps_to_what_strict_wants() -> None:
    for tool in openai():
        assert (tool["type"], tool["function"]["strict"]) == ("function", True)
    for schema in VENDORS["openai"].values():
        assert schema["additionalProperties"] is False
        assert schema["required"] == list(schema["properties"])
    channel = VENDORS["openai"]["conversation_history"]["properties"]["channel"]
    assert (channel["type"], channel["enum"]) == (["string", "null"], ["phone", "whatsapp", "rcs", "messenger", None])


def test_anthropic_takes_no_combination_on_top() -> None:
    for tool in anthropic():
        assert set(tool) == {"name", "description", "input_schema"}
        assert set(tool["input_schema"]) == {"type", "properties", "required", "additionalProperties"}


def test_bedrock_takes_the_tool_configuration() -> None:
    model = botocore.session.get_session().get_service_model("bedrock-runtime")
    shape = model.shape_for("ConverseRequest")

    def errors(configuration: Any) -> str:
        message = {"role": "user", "content": [{"text": "Call Ada."}]}
        parameters = {"modelId": "a", "messages": [message], "toolConfig": configuration}
        return str(ParamValidator().validate(parameters, shape).generate_report())

    assert errors(bedrock_converse()) == ""
    assert "toolSpec" in errors({"tools": anthropic()})
    specification = model.shape_for("ToolName").metadata
    for name in VENDORS["bedrock"]:
        assert re.fullmatch(specification["pattern"], name)
        assert specification["min"] <= len(name) <= specification["max"]


def test_amazon_nova_takes_the_schemas_too() -> None:
    """It ignores or refuses a tool with anything else on top."""
    for schema in VENDORS["bedrock"].values():
        assert set(schema) == {"type", "properties", "required"}


def test_what_only_the_program_may_say_is_not_offered() -> None:
    for schema in VENDORS["anthropic"].values():
        assert not {"twiml", "url", "audio", "idempotency_key", "messaging_service_sid", "action"} & set(schema["properties"])


def test_bounds_are_told_in_words() -> None:
    history, say = VENDORS["anthropic"]["conversation_history"], VENDORS["anthropic"]["say"]

    assert history["properties"]["limit"]["description"] == "The newest messages to return. At least 1. At most 100."
    assert say["properties"]["text"]["description"] == "Words to speak. At most 3000 characters."


def test_a_condition_that_a_tool_always_meets_is_not_told() -> None:
    assert VENDORS["anthropic"]["transfer_call"]["properties"]["to"]["description"] == "The number to connect the person to."


# -------------------------------------------------------------------------------------------------------------- calls


def test_a_call_becomes_a_payload_of_its_function(tool: ToolDescription) -> None:
    for arguments in (CALLS[tool.name][0], CALLS[tool.name][0] | CALLS[tool.name][1]):
        for written in (arguments, json.dumps(arguments)):
            function, payload = tool_call(tool.name, written)

            assert function == tool.function
            assert payload == arguments | dict(tool.always)
            tool.input.model_validate(payload)


def test_each_thing_to_do_with_a_call_is_an_action_of_control_call() -> None:
    assert tool_call("end_call", {"call_sid": CALL}) == ("control-call", {"call_sid": CALL, "action": "end"})
    assert tool_call("transfer_call", {"call_sid": CALL, "to": "+1"})[1]["action"] == "transfer"
    assert tool_call("send_digits", {"call_sid": CALL, "digits": "1"})[1]["action"] == "send_digits"


def test_nulls_of_strict_mode_are_left_out() -> None:
    assert tool_call("send_sms", '{"to": "+1", "body": "Hello", "from": null}')[1] == {"to": "+1", "body": "Hello"}


def test_the_calls_own_id_makes_what_is_sent_repeatable_and_stays_out_of_the_rest() -> None:
    assert tool_call("send_sms", CALLS["send_sms"][0], call_id="call_1")[1]["idempotency_key"] == "call_1"
    assert tool_call("make_call", CALLS["make_call"][0], call_id="call_1")[1]["idempotency_key"] == "call_1"
    assert "idempotency_key" not in tool_call("say", CALLS["say"][0], call_id="call_1")[1]


@pytest.mark.parametrize(
    ("name", "arguments", "sentence"),
    [
        ("fax", {}, "There is no tool 'fax'. The tools are: send_sms, send_mms, make_call, conversation_history, call_state, "),
        ("send_sms", "{to", "The arguments are not JSON: "),
        ("send_sms", "[]", "The arguments must be a JSON object."),
        ("send_sms", {"to": "+1"}, "`body` is missing. The fields of send_sms are: to, body, from."),
        (
            "send_sms",
            {"to": "", "body": None},
            "`to` is missing; `body` is missing. The fields of send_sms are: to, body, from.",
        ),
        ("send_mms", {"to": "+1", "media_url": []}, "`media_url` is missing. The fields of send_mms are: to, media_url, "),
        (
            "send_sms",
            {"to": "+1", "body": "a", "text": "b", "twiml": "c"},
            "'text' is not a field; 'twiml' is not a field. The fields of send_sms are: to, body, from.",
        ),
        ("send_sms", {"to": 5, "body": "a"}, "`to`: Input should be a valid string. The fields are: to, body, from."),
        (
            "end_call",
            {"call_sid": "the call"},
            "`call_sid`: String should match pattern '^CA[0-9a-fA-F]{32}$'. The fields are: ",
        ),
        (
            "conversation_history",
            {"phone_number": "+1", "channel": "fax", "limit": 500},
            "`limit`: Input should be less than or equal to 100; "
            "`channel`: Input should be 'phone', 'whatsapp', 'rcs' or 'messenger'. The fields are: phone_number, limit, ",
        ),
    ],
)
def test_a_wrong_call_comes_back_as_a_sentence_that_says_what_to_correct(name: str, arguments: Any, sentence: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        tool_call(name, arguments)

    assert str(refused.value).startswith(sentence)


def _shapes(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield schema
    for shape in (*schema.get("properties", {}).values(), *([schema["items"]] if "items" in schema else [])):
        yield from _shapes(shape)
