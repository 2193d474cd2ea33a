"""What an agent says of what it does."""

from __future__ import annotations

from twilio_plugin.domain.actions import MakeCall, SendMessage, SendMms


def reply(request: SendMessage | MakeCall, to: str) -> str:
    """A sentence for the person who asked. `to` is the recipient as it was understood, E.164: the person can check it."""
    if isinstance(request, MakeCall):
        return f"I'll call {to}{_to_hear(request)}"
    kind = "an MMS" if isinstance(request, SendMms) else "an SMS"
    message = [f"the message '{request.body}'"] if request.body else []
    return f"I'll send {kind} to {to} with {' and '.join([*message, *_attachments(request)])}"


def _to_hear(request: MakeCall) -> str:
    if request.say is not None:
        return f" and say '{request.say}'"
    return "" if request.twiml is None and request.url is None else " and play the document that I was given"


def _attachments(request: SendMessage) -> list[str]:
    count = len(request.media_url)
    return [f"{count} attachment{'s' if count > 1 else ''}"] if count else []
