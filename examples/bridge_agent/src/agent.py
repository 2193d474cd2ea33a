"""An agent behind the bridge: it is asked, and returns what to say. It answers with the person's own words, and remembers."""

from typing import Any


def lambda_handler(request: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Answer one turn. `reply` is where your model goes."""
    if "call" in request and is_goodbye(request["input"]["text"]):
        return {"reply": "Goodbye.", "end_call": True}
    return {"reply": reply(request["turns"], request["input"])}


def reply(turns: list[dict[str, str]], said: dict[str, Any]) -> str:
    """`turns` is the conversation before what was said, as chat models take it."""
    if said["media"]:
        return f"Thank you for the {', '.join(media['content_type'] for media in said['media'])}."
    earlier = [turn["content"] for turn in turns if turn["role"] == "user"]
    before = f" Before that, you said: {earlier[-1]}" if earlier else ""
    return f"You said: {said['text']}{before}"


def is_goodbye(text: str) -> bool:
    """Whether the person wants to hang up."""
    return text.strip(" .!").lower() in ("bye", "goodbye")
