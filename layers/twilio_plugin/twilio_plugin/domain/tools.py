"""The catalogue's tools as models' vendors want them described, and a model's call of one as a payload.

All keep to what the strictest vendor takes: a name of letters, digits and underscores that begins with a letter, at most 64; an
object on top; types, enums, items and descriptions and no other keyword. Bounds stand in the descriptions, in words.

* OpenAI, Chat Completions (the Responses API takes the inner object, with ``type`` beside its name): strict, so that arguments
  always parse and have the right names. Strict wants every property required and ``additionalProperties`` false; what may be
  left out is nullable, and `tool_call` leaves null out again.
* Anthropic, Messages: not strict. Its strict mode limits optional fields and unions over all tools of a request, and an agent
  brings tools of its own.
* Bedrock, Converse: not strict, and without ``additionalProperties``: Amazon Nova takes no more than type, properties and
  required on top.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from twilio_plugin.domain.catalogue import TOOLS, ToolDescription
from twilio_plugin.domain.validation import validated
from twilio_plugin.errors import InvalidRequest

Json = dict[str, Any]

_BOUNDS = {
    "minimum": "At least {}.",
    "maximum": "At most {}.",
    "maxLength": "At most {} characters.",
    "pattern": "Matches {}.",
}


def openai() -> list[Json]:
    """``tools`` of a Chat Completions request."""
    return [
        {
            "type": "function",
            "function": {
                "name": tool.name,
                "description": tool.description,
                "strict": True,
                "parameters": _strict(_schema(tool)),
            },
        }
        for tool in TOOLS
    ]


def anthropic() -> list[Json]:
    """``tools`` of a Messages request."""
    return [
        {
            "name": tool.name,
            "description": tool.description,
            "input_schema": _schema(tool) | {"additionalProperties": False},
        }
        for tool in TOOLS
    ]


def bedrock_converse() -> Json:
    """``toolConfig`` of a Converse request."""
    return {
        "tools": [
            {"toolSpec": {"name": tool.name, "description": tool.description, "inputSchema": {"json": _schema(tool)}}}
            for tool in TOOLS
        ]
    }


def tool_call(name: str, arguments: str | Mapping[str, Any], *, call_id: str | None = None) -> tuple[str, Json]:
    """A model's call of a tool as the function to invoke (``send-sms``) and its payload.

    `arguments` is JSON, as OpenAI hands it over, or an object. `call_id`, the model's own id of this call, becomes the
    idempotency key where the function has one: a loop that runs the call twice then acts once.

    Raises:
        InvalidRequest: there is no such tool, or the arguments are wrong. Give the model the sentence as the tool's result.
    """
    tool = next((one for one in TOOLS if one.name == name), None)
    if tool is None:
        raise InvalidRequest(f"There is no tool {name[:64]!r}. The tools are: {', '.join(one.name for one in TOOLS)}.")
    given = {field: value for field, value in _object(arguments).items() if value is not None}
    _refuse_wrong_names(tool, given)
    payload = given | dict(tool.always)
    if call_id and "idempotency_key" in tool.input.model_fields:
        payload["idempotency_key"] = call_id
    validated(tool.input, payload, names=(*tool.needs, *tool.takes))
    return tool.function, payload


def _object(arguments: str | Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments or "{}")
        except json.JSONDecodeError as error:
            raise InvalidRequest(f"The arguments are not JSON: {error.msg} at character {error.pos}.") from None
    if not isinstance(arguments, Mapping):
        raise InvalidRequest("The arguments must be a JSON object.")
    return dict(arguments)


def _refuse_wrong_names(tool: ToolDescription, given: Mapping[str, Any]) -> None:
    names = (*tool.needs, *tool.takes)
    missing = [f"`{name}` is missing" for name in tool.needs if given.get(name) in (None, "", [])]
    unknown = [f"{name[:64]!r} is not a field" for name in given if name not in names]
    if missing or unknown:
        raise InvalidRequest(f"{'; '.join([*missing, *unknown])}. The fields of {tool.name} are: {', '.join(names)}.")


def _schema(tool: ToolDescription) -> Json:
    shapes = tool.input.model_json_schema()["properties"]
    properties = {name: _property(shapes[name], tool) for name in (*tool.needs, *tool.takes)}
    return {"type": "object", "properties": properties, "required": list(tool.needs)}


def _property(shape: Json, tool: ToolDescription) -> Json:
    kind = next((one for one in shape.get("anyOf", []) if one.get("type") != "null"), shape)
    description = " ".join([_in_words(shape["description"], tool), *_bounds(kind)])
    plain: Json = {"type": kind["type"], "description": description}
    if "enum" in kind:
        plain["enum"] = kind["enum"]
    if "items" in kind:
        plain["items"] = {"type": kind["items"]["type"]}
    return plain


def _in_words(docstring: str, tool: ToolDescription) -> str:
    """A field's docstring, without its condition where the tool always meets it: "With ``transfer``: the number …"."""
    text = " ".join(docstring.replace("``", "`").split())
    condition = re.match(r"With `(\w+)`: ", text)
    if condition and condition[1] in tool.always.values():
        text = text[condition.end() :]
    return text[0].upper() + text[1:]


def _bounds(kind: Json) -> list[str]:
    return [sentence.format(kind[name]) for name, sentence in _BOUNDS.items() if name in kind]


def _strict(schema: Json) -> Json:
    optional = set(schema["properties"]) - set(schema["required"])
    properties = {name: _nullable(one) if name in optional else one for name, one in schema["properties"].items()}
    return schema | {"properties": properties, "required": list(properties), "additionalProperties": False}


def _nullable(shape: Json) -> Json:
    with_null = shape | {"type": [shape["type"], "null"]}
    return with_null | {"enum": [*shape["enum"], None]} if "enum" in shape else with_null
