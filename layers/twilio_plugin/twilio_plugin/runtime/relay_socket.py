"""Where ConversationRelay's messages meet the services. As with every message of the socket, none is answered but with 200."""

from __future__ import annotations

from typing import Any, Protocol

from twilio_plugin.domain.relay import (
    Interrupt,
    Prompt,
    RelayError,
    RelayKey,
    RelaySetup,
    TokensPlayed,
    read_relay_message,
)
from twilio_plugin.runtime.observability import logger
from twilio_plugin.runtime.websocket import Event, Handler, Response, answered


class RelayCases(Protocol):
    """What happens in a session."""

    def setup(self, connection_id: str, setup: RelaySetup) -> None:
        """It begins, or comes over another connection."""

    def prompt(self, connection_id: str, prompt: Prompt) -> None:
        """The person speaks."""

    def interrupt(self, connection_id: str, interrupt: Interrupt) -> None:
        """They have cut off what was being spoken."""

    def played(self, connection_id: str, played: TokensPlayed) -> None:
        """Some of it has been spoken."""

    def key(self, connection_id: str, key: RelayKey) -> None:
        """They pressed a key."""


def relay_messages(cases: RelayCases) -> Handler:
    """A handler for what no other route takes, and for warm-ups. What is not ConversationRelay's says nothing."""

    @logger.inject_lambda_context(clear_state=True)
    def lambda_handler(event: Event, _context: Any) -> Response:
        if "requestContext" in event:
            answered(event, lambda: _dispatch(event, cases))
        return {"statusCode": 200}

    return lambda_handler


def _dispatch(event: Event, cases: RelayCases) -> None:
    connection_id = event["requestContext"]["connectionId"]
    match read_relay_message(event["body"]):
        case RelaySetup() as setup:
            logger.append_keys(call_sid=setup.call_sid, stream_sid=setup.session_id)
            cases.setup(connection_id, setup)
        case Prompt() as prompt:
            cases.prompt(connection_id, prompt)
        case Interrupt() as interrupt:
            cases.interrupt(connection_id, interrupt)
        case TokensPlayed() as played:
            cases.played(connection_id, played)
        case RelayKey() as key:
            cases.key(connection_id, key)
        case RelayError() as error:
            logger.warning("twilio refused a message", extra={"description": error.description})
