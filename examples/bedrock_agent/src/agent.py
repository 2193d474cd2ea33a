"""An agent on Amazon Bedrock: it answers texts and calls with a model that can use the phone itself."""

import os
from typing import Any

from converse import converse
from plugin import PluginRefused, invoke


def lambda_handler(event: dict[str, Any], _context: Any) -> None:
    """Answer one event of the plugin's bus."""
    detail = event["detail"]
    if event["detail-type"] == "SPEECH_RECEIVED":
        answer_speech(detail)
    else:
        answer_text(detail)


def answer_text(text: dict[str, Any]) -> None:
    """Text back."""
    reply = think(text["from"], text["to"], "texts. Answer in plain text, in a few sentences", text["event_id"])
    if reply:
        # EventBridge may deliver an event twice; the person gets one answer.
        message = {"to": text["from"], "from": text["to"], "body": reply, "idempotency_key": text["event_id"]}
        invoke("send-sms", message)


def answer_speech(speech: dict[str, Any]) -> None:
    """Say it to the person on the phone. They may have hung up meanwhile: then there is nobody to tell."""
    person, ours = speech["from"], speech["to"]
    if speech["direction"] == "outbound":
        person, ours = ours, person
    where = f"the phone (call_sid {speech['call_sid']}). Your answer is spoken: one or two short sentences"
    reply = think(person, ours, where, speech["event_id"])
    if reply:
        try:
            invoke("say", {"call_sid": speech["call_sid"], "text": reply[:3000], "interrupt": True})
        except PluginRefused as refusal:
            if refusal.error_type != "NoMediaStream":
                raise


def think(person: str, ours: str, where: str, event_id: str) -> str:
    """What the model says to the conversation so far; empty if it was not the person who spoke last."""
    history = invoke("conversation-history", {"phone_number": person, "our_number": ours, "limit": 20})
    system = f"{os.environ['SYSTEM_PROMPT']} You are talking with {person} by {where}. Your own number is {ours}."
    return converse(system, history["turns"], event_id)
