"""An agent that answers every text and every spoken sentence with the person's own words."""

import json
import os
from typing import Any

import boto3

lambda_client = boto3.client("lambda")


def lambda_handler(event: dict[str, Any], _context: Any) -> None:
    """Answer one event of the plugin's bus."""
    detail = event["detail"]
    match event["detail-type"]:
        case "SMS_RECEIVED":
            answer_text(detail)
        case "SPEECH_RECEIVED":
            speak(detail, f"You said: {detail['text']}.")
        case "DTMF_RECEIVED":
            speak(detail, f"You pressed {detail['digit']}.")
        case "VOICE_STREAM_STARTED" if detail["direction"] == "outbound" and detail["leg"] == 0:
            speak(detail, "Hello, this is the echo agent. Please say something.")


def answer_text(text: dict[str, Any]) -> None:
    """Text back."""
    history = invoke("conversation-history", {"phone_number": text["from"], "our_number": text["to"], "limit": 10})
    reply = {
        "to": text["from"],
        "from": text["to"],
        "body": words(text, history["turns"]),
        # EventBridge may deliver an event twice; the person gets one answer.
        "idempotency_key": text["event_id"],
    }
    invoke("send-sms", reply)


def words(text: dict[str, Any], turns: list[dict[str, str]]) -> str:
    """Where your model goes. `turns` is the conversation so far, this text included, as chat models take it."""
    said = [turn for turn in turns if turn["role"] == "user"]
    if text["media"]:
        kinds = ", ".join(media["content_type"] for media in text["media"])
        return f"Thank you for the {kinds}."
    return f"You said: {text['body']} (turn {len(said)} of our conversation)"


def speak(call: dict[str, Any], text: str) -> None:
    """Say something to the person on the phone. They may have hung up meanwhile: then there is nobody to tell."""
    try:
        invoke("say", {"call_sid": call["call_sid"], "text": text})
    except PluginRefused as refusal:
        if refusal.error_type != "NoMediaStream":
            raise


def invoke(function: str, payload: dict[str, Any]) -> Any:
    """Call one of the plugin's functions."""
    name = f"{os.environ['PLUGIN_STACK_NAME']}-{function}"
    response = lambda_client.invoke(FunctionName=name, Payload=json.dumps(payload))
    result = json.load(response["Payload"])
    if response.get("FunctionError"):
        raise PluginRefused(function, result["errorType"], result["errorMessage"])
    return result


class PluginRefused(RuntimeError):
    """What one of the plugin's functions raised."""

    def __init__(self, function: str, error_type: str, message: str) -> None:
        super().__init__(f"{function}: {error_type}: {message}")
        self.error_type = error_type
