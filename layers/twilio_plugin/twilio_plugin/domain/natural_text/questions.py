"""Every question that comes back. What they quote are the caller's own numbers and words."""

from __future__ import annotations

from collections.abc import Sequence

from twilio_plugin.domain.natural_text.request import ActionName, Question

_DOING: dict[ActionName, str] = {"SEND_SMS": "text", "SEND_MMS": "send it to", "MAKE_CALL": "call"}


def which_action(number: str | None) -> Question:
    """Nothing says what to do. `number` is the only one that was named."""
    if number:
        return Question(f"Should I text or call {number}?")
    return Question("What should I do: send a text, send a picture, or make a call? And to which number?")


def text_or_call(number: str | None) -> Question:
    """Both were asked for."""
    return Question(f"Should I text or call {number or 'them'}? I do one thing at a time.")


def picture_or_link(number: str) -> Question:
    """Nothing was named but a URL to send."""
    return Question(f"Should I send that to {number} as a picture, or as a link in a text?")


def which_of_two(asked: ActionName, understood: ActionName) -> Question:
    """The action that was named is not the one that the text asks for."""
    return Question(f"Should I do {asked} or {understood}? The action says the one, and the text the other.")


def which_number(action: ActionName, candidates: Sequence[str]) -> Question:
    """None was named, or several; or one, but it is not said how."""
    doing = _DOING[action]
    if not candidates:
        return Question(f"Which number should I {doing}? I need all of its digits.")
    if len(candidates) == 1:
        return Question(f"Should I {doing} {candidates[0]}? I did not understand the rest.")
    return Question(f"Which number should I {doing}: {', '.join(candidates[:-1])} or {candidates[-1]}?")


def where_does_the_number_end(action: ActionName, written: str) -> Question:
    """Its last digits may belong to the words."""
    return Question(
        f"Does all of {written} belong to the number I should {_DOING[action]}? Please put a colon behind the number."
    )


def no_extension(written: str) -> Question:
    """A number with an extension was named."""
    return Question(f"{written} has an extension, which I cannot reach. Which number should I use?")


def which_picture(number: str) -> Question:
    """A picture was named and no URL of one."""
    return Question(f"Which picture should I send to {number}? I need its address, https://…")


def what_words(action: ActionName, number: str, doubtful: str = "") -> Question:
    """There are none, or it is not sure which they are; `doubtful` may be, or hold, the words."""
    ask = f"What should I say to {number}?" if action == "MAKE_CALL" else f"What should I write to {number}?"
    if not doubtful:
        return Question(ask)
    short = doubtful if len(doubtful) <= 80 else f"{doubtful[:80]}…"
    return Question(f"{ask} I am not sure about “{short}”: please put the exact words in quotes.")


def whose_question_mark(number: str, text: str) -> Question:
    """The request is a question itself: "Can you text X saying dinner is ready?"."""
    return Question(f"Is the message to {number} a question, “{text}”, or is it “{text.rstrip('? ')}”?")
