"""STOP, START and HELP, as Twilio handles them for long codes before any webhook.

Keywords: https://www.twilio.com/docs/messaging/tutorials/advanced-opt-out (the default list); answers: Twilio's article
223134027. Only a text that is one keyword and nothing else counts; it is passed on to the webhook all the same.
"""

STOP = frozenset({"STOP", "UNSUBSCRIBE", "END", "QUIT", "STOPALL", "REVOKE", "OPTOUT", "CANCEL"})
START = frozenset({"START", "YES", "UNSTOP"})
HELP = frozenset({"HELP", "INFO"})

STOP_ANSWER = (
    "You have successfully been unsubscribed. You will not receive any more messages from this number. "
    "Reply START to resubscribe."
)
START_ANSWER = (
    "You have successfully been re-subscribed to messages from this number. Reply HELP for help. "
    "Reply STOP to unsubscribe. Msg&Data Rates May Apply."
)
HELP_ANSWER = "Reply STOP to unsubscribe. Msg&Data Rates May Apply."


class OptOuts:
    """The (person, number) pairs that Twilio blocks."""

    def __init__(self) -> None:
        self._blocked: set[tuple[str, str]] = set()

    def hear(self, person: str, number: str, body: str) -> str | None:
        """Act on a keyword. Returns the answer that Twilio itself texts, or None.

        A START of someone who is not blocked is an ordinary text: else every "yes" to an agent would be answered by Twilio.
        """
        word, pair = body.strip().upper(), (person, number)
        if word in STOP and pair not in self._blocked:
            self._blocked.add(pair)
            return STOP_ANSWER
        if word in START and pair in self._blocked:
            self._blocked.discard(pair)
            return START_ANSWER
        if word in HELP and pair not in self._blocked:
            return HELP_ANSWER
        return None

    def blocks(self, person: str, numbers: list[str]) -> bool:
        """Whether that person stopped one of those numbers; a Messaging Service shares its opt-outs over its numbers."""
        return any((person, number) in self._blocked for number in numbers)
