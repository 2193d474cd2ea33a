"""The bridge's contract with an agent's function: what it is asked, and what it may answer.

The bridge is for authors who do not want to write the loop: their function is invoked with a turn and returns what to say.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

from twilio_plugin.domain.actions import HistoryMedia, HistoryTurn
from twilio_plugin.domain.address import Channel
from twilio_plugin.domain.call import CallDirection
from twilio_plugin.domain.message import MAX_MEDIA

_MediaUrl = Annotated[str, Field(pattern=r"^(https?://[^\s/]+\S*|s3://[^\s/]+/.+)$")]


class AgentInput(BaseModel):
    """What the person said: all that nobody has answered yet."""

    text: str
    """Several texts are lines of one, in the order they came."""
    media: list[HistoryMedia] = []
    """The attachments of all of them. Reading one at Twilio needs the account's credentials while it protects media; a copy, if
    there is to be one, may come seconds later."""


class AgentCall(BaseModel):
    """The call in which it was said."""

    call_sid: str
    stream_sid: str
    direction: CallDirection


class AgentRequest(BaseModel):
    """What the agent's function is invoked with."""

    model_config = ConfigDict(populate_by_name=True)

    channel: Channel
    conversation_id: str
    from_: Annotated[str, Field(alias="from")]
    """The person, in calls of ours too; ``anonymous`` where a caller hides their number."""
    to: str
    """Our address."""
    input: AgentInput
    turns: list[HistoryTurn]
    """The conversation before the input, as `conversation_history` gives it. Where the last turn is the person's (the answer to
    it did not arrive), the input goes on with it."""
    call: AgentCall | None = None
    """Only there if it was said in a call: then the reply is spoken."""


class AgentAnswer(BaseModel):
    """What the agent's function returns. Nothing at all, or null, says nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reply: str | None = None
    """The words to send or to speak."""
    media_url: Annotated[list[_MediaUrl], Field(max_length=MAX_MEDIA)] = []
    """Public http(s) URLs or ``s3://bucket/key``, or one; they go with a text, and nowhere in a call."""
    end_call: bool = False
    """In a call: hang up, after the reply was heard."""
    transfer_to: Annotated[str, Field(min_length=1)] | None = None
    """In a call: connect the person to this number, after the reply was heard."""

    @field_validator("media_url", mode="before")
    @classmethod
    def _one_or_several(cls, value: object) -> object:
        if value is None:
            return []
        return [value] if isinstance(value, str) else value

    @property
    def words(self) -> str:
        """The reply; empty where there is none."""
        return self.reply if self.reply and self.reply.strip() else ""

    @property
    def says_something(self) -> bool:
        """Whether there is anything to send as a text."""
        return bool(self.words or self.media_url)
