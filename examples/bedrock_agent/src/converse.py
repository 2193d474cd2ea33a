"""The loop between a model and its tools, with Bedrock's Converse API."""

import json
import os
from pathlib import Path
from typing import Any

import boto3
from plugin import PluginRefused, invoke

bedrock = boto3.client("bedrock-runtime")

# What the plugin can do, as the model is told it: events/tools/bedrock_converse.json of the plugin, without `say`, because
# this agent speaks the model's answer itself.
TOOLS: dict[str, Any] = json.loads((Path(__file__).parent / "tools.json").read_text())
# The plugin's function behind each tool, and the fields that are the same in every call.
FUNCTIONS: dict[str, tuple[str, dict[str, str]]] = {
    "send_sms": ("send-sms", {}),
    "send_mms": ("send-mms", {}),
    "make_call": ("make-call", {}),
    "conversation_history": ("conversation-history", {}),
    "call_state": ("call-state", {}),
    "transfer_call": ("control-call", {"action": "transfer"}),
    "send_digits": ("control-call", {"action": "send_digits"}),
    "end_call": ("control-call", {"action": "end"}),
}
ONCE = ("send_sms", "send_mms", "make_call")
ROUNDS = 6
UNFINISHED = "Sorry, that is more than I can do at once."


def converse(system: str, turns: list[dict[str, str]], event_id: str) -> str:
    """The model's answer, after it has used its tools as often as it liked, but for `ROUNDS` times at most.

    `event_id` keeps an event that comes twice from sending twice what the model sends by its tools.
    """
    messages = as_messages(turns)
    if not messages or messages[-1]["role"] != "user":
        return ""
    for round_ in range(ROUNDS):
        answer = bedrock.converse(
            modelId=os.environ["MODEL_ID"],
            system=[{"text": system}],
            messages=messages,
            toolConfig=TOOLS,
            inferenceConfig={"maxTokens": 1000},
        )
        message = answer["output"]["message"]
        uses = [block["toolUse"] for block in message["content"] if "toolUse" in block]
        if not uses:
            return "\n".join(block["text"] for block in message["content"] if "text" in block).strip()
        results = [result(use, f"{event_id}#{round_}.{number}") for number, use in enumerate(uses)]
        messages += [message, {"role": "user", "content": results}]
    return UNFINISHED


def as_messages(turns: list[dict[str, str]]) -> list[dict[str, Any]]:
    """The turns as Converse takes them: a conversation begins with the person."""
    first = next((at for at, turn in enumerate(turns) if turn["role"] == "user"), len(turns))
    return [{"role": turn["role"], "content": [{"text": turn["content"]}]} for turn in turns[first:] if turn["content"].strip()]


def result(use: dict[str, Any], key: str) -> dict[str, Any]:
    """What a tool did, or why it did not: the model can correct itself."""
    try:
        content, status = {"json": call(use["name"], use["input"], key)}, "success"
    except PluginRefused as refusal:
        content, status = {"text": str(refusal)}, "error"
    return {"toolResult": {"toolUseId": use["toolUseId"], "content": [content], "status": status}}


def call(tool: str, fields: dict[str, Any], key: str) -> Any:
    """Invoke the function behind a tool."""
    if tool not in FUNCTIONS:
        raise PluginRefused(tool, "InvalidRequest", f"There is no such tool. The tools are: {', '.join(FUNCTIONS)}.")
    function, always = FUNCTIONS[tool]
    once = {"idempotency_key": key} if tool in ONCE else {}
    return invoke(function, {**fields, **always, **once})
