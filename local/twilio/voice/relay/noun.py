"""What a ``<ConversationRelay>`` asks for; :mod:`local.twilio.voice.verbs.relay` reads it."""

from dataclasses import dataclass, field

LANGUAGE = "en-US"
AUTO_SECONDS = 1.0  # of silence, after which speechTimeout="auto" takes a person to have finished


@dataclass
class Noun:
    """``interruptible``, ``greeting_interruptible`` and ``reports`` (input during our speech) are ``none``, ``dtmf``,
    ``speech`` or ``any``; ``events`` what is subscribed to; ``silence`` seconds of the call after which a person has finished.

    ``problem`` is the error, code and detail, that keeps the session from starting.
    """

    url: str
    greeting: str = ""
    greeting_interruptible: str = "any"
    interruptible: str = "any"
    reports: str = "none"
    preemptible: bool = False
    dtmf_detection: bool = False
    partial_prompts: bool = False
    partial_on_hangup: bool = False
    reconnects: bool = False
    language: str = LANGUAGE
    silence: float = AUTO_SECONDS
    events: frozenset[str] = frozenset()
    parameters: dict[str, str] = field(default_factory=dict)
    problem: tuple[int, str] | None = None
