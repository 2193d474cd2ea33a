"""What a session tells our side beside the conversation, as far as ``events`` subscribes to it."""

import time

from .messages import speaker_event, tokens_played
from .post import Post


class News:
    """Says who begins to speak and who stops, and what the person has heard."""

    def __init__(self, post: Post, events: frozenset[str]) -> None:
        self._post, self._events = post, events

    def speaks(self, who: str, *, on: bool) -> None:
        """``agent`` or ``client`` begins or stops."""
        if "speaker-events" in self._events:
            self._post.put(speaker_event(f"{who}Speaking", on=on, at=time.time()))

    def played(self, words: str) -> None:
        """The person has heard these words."""
        if "tokens-played" in self._events:
            self._post.put(tokens_played(words))
