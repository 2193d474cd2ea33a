"""An agent that answers every text with its own words."""

import json
import os
from typing import Any

import boto3

lambda_client = boto3.client("lambda")


def lambda_handler(event: dict[str, Any], _context: Any) -> None:
    """Answer one SMS_RECEIVED event."""
    text = event["detail"]
    history = invoke("conversation-history", {"phone_number": text["from"], "our_number": text["to"], "limit": 10})
    reply = {
        "to": text["from"],
        "from": text["to"],
        "body": answer(text, history["turns"]),
        # EventBridge may deliver an event twice; the person gets one answer.
        "idempotency_key": text["event_id"],
    }
    invoke("send-sms", reply)


def answer(text: dict[str, Any], turns: list[dict[str, str]]) -> str:
    """Where your model goes. `turns` is the conversation so far, this text included, as chat models take it."""
    said = [turn for turn in turns if turn["role"] == "user"]
    if text["media"]:
        kinds = ", ".join(media["content_type"] for media in text["media"])
        return f"Thank you for the {kinds}."
    return f"You said: {text['body']} (turn {len(said)} of our conversation)"


def invoke(function: str, payload: dict[str, Any]) -> Any:
    """Call one of the plugin's functions."""
    name = f"{os.environ['PLUGIN_STACK_NAME']}-{function}"
    response = lambda_client.invoke(FunctionName=name, Payload=json.dumps(payload))
    result = json.load(response["Payload"])
    if response.get("FunctionError"):
        raise RuntimeError(f"{function}: {result['errorType']}: {result['errorMessage']}")
    return result
