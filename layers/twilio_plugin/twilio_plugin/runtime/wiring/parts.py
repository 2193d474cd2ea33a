"""What several functions are built of. Each builder imports inside it: a caller waits for every import of a cold start."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Protocol

import boto3
from botocore.config import Config

from twilio_plugin.runtime import config

if TYPE_CHECKING:
    from twilio_plugin.adapters.calls import CallsTable
    from twilio_plugin.adapters.connections import ApiGatewayConnections
    from twilio_plugin.adapters.conversations import ConversationsTable
    from twilio_plugin.adapters.dynamodb import DynamoDB
    from twilio_plugin.adapters.event_bus import EventBridgeBus
    from twilio_plugin.adapters.media_frames import MediaFrames
    from twilio_plugin.adapters.outbox import OutboxTable
    from twilio_plugin.adapters.secrets import TwilioSecret
    from twilio_plugin.adapters.sessions import LambdaSessions, LambdaWarmer
    from twilio_plugin.adapters.streams import StreamsReader, StreamsTable
    from twilio_plugin.adapters.twilio_calls import TwilioCalls
    from twilio_plugin.adapters.twilio_messages import TwilioMessages
    from twilio_plugin.adapters.twilio_rest import TwilioRest
    from twilio_plugin.adapters.utterances import UtterancesTable
    from twilio_plugin.runtime.http import Form, IsSigned
    from twilio_plugin.services.start_stream import AuthTokens

# Short, because Twilio waits 15 s and a person on the phone less; boto3 repeats what is safe to repeat.
AWS = Config(connect_timeout=2, read_timeout=4, retries={"mode": "standard", "total_max_attempts": 3})
# A wrong signature makes the secret worth another look, but strangers must not make us read it at will.
_SECRET_SECOND_LOOK_SECONDS = 10.0


class _WithOutbox(Protocol):
    @property
    def outbox_table(self) -> str: ...


class _WithConversations(_WithOutbox, Protocol):
    @property
    def conversations_table(self) -> str: ...
    @property
    def retention_days(self) -> str: ...


class _WithCalls(Protocol):
    @property
    def calls_table(self) -> str: ...
    @property
    def retention_days(self) -> str: ...


class _WithTwilio(Protocol):
    @property
    def twilio_account_sid(self) -> str: ...
    @property
    def twilio_api_base_url(self) -> str: ...
    @property
    def twilio_secret(self) -> str: ...
    @property
    def twilio_webhook_url(self) -> str: ...


def tables(env: _WithConversations) -> tuple[OutboxTable, ConversationsTable]:
    """The outbox and the conversations."""
    from twilio_plugin.adapters.conversations import ConversationsTable

    events = outbox(env)
    days = config.number(env.retention_days, "RETENTION_DAYS")
    return events, ConversationsTable(dynamodb(), env.conversations_table, events, retention_days=days)


def outbox(env: _WithOutbox) -> OutboxTable:
    """The outbox."""
    from twilio_plugin.adapters.outbox import OutboxTable

    return OutboxTable(dynamodb(), env.outbox_table)


def bus(name: str) -> EventBridgeBus:
    """The bus; what it takes is counted."""
    from twilio_plugin.adapters.event_bus import EventBridgeBus
    from twilio_plugin.runtime.metrics import count

    return EventBridgeBus(boto3.client("events", config=AWS), name, count)


def calls(env: _WithCalls, events: OutboxTable) -> CallsTable:
    """The calls."""
    from twilio_plugin.adapters.calls import CallsTable

    days = config.number(env.retention_days, "RETENTION_DAYS")
    return CallsTable(dynamodb(), env.calls_table, events, retention_days=days)


def streams(env: _WithCalls, events: OutboxTable) -> StreamsTable:
    """The streams of calls."""
    from twilio_plugin.adapters.streams import StreamsTable

    days = config.number(env.retention_days, "RETENTION_DAYS")
    return StreamsTable(dynamodb(), env.calls_table, events, retention_days=days)


def streams_reader(table: str) -> StreamsReader:
    """The streams of calls, to be read only."""
    from twilio_plugin.adapters.streams import StreamsReader

    return StreamsReader(dynamodb(), table)


def utterances(env: _WithCalls, events: OutboxTable, conversations: ConversationsTable) -> UtterancesTable:
    """What is said in calls."""
    from twilio_plugin.adapters.utterances import UtterancesTable

    days = config.number(env.retention_days, "RETENTION_DAYS")
    return UtterancesTable(dynamodb(), env.calls_table, events, conversations, retention_days=days)


def frames(table: str) -> MediaFrames:
    """Audio on its way."""
    from twilio_plugin.adapters.media_frames import MediaFrames

    return MediaFrames(dynamodb(), table)


def connections(management_url: str) -> ApiGatewayConnections:
    """The open sockets."""
    from twilio_plugin.adapters.connections import CONFIG, ApiGatewayConnections

    client = boto3.client("apigatewaymanagementapi", endpoint_url=management_url, config=CONFIG)
    return ApiGatewayConnections(client)


def sessions(function_name: str) -> LambdaSessions:
    """Where call sessions run."""
    from twilio_plugin.adapters.sessions import LambdaSessions

    return LambdaSessions(boto3.client("lambda", config=AWS), function_name)


def warmer() -> LambdaWarmer:
    """What starts functions that will be needed in a moment."""
    from twilio_plugin.adapters.sessions import LambdaWarmer

    return LambdaWarmer(boto3.client("lambda", config=AWS))


def texting(env: _WithTwilio) -> TwilioMessages:
    """Twilio's Messages."""
    from twilio_plugin.adapters.twilio_messages import TwilioMessages

    return TwilioMessages(twilio(env), status_url=f"{env.twilio_webhook_url}/status")


def calling(env: _WithTwilio) -> TwilioCalls:
    """Twilio's Calls."""
    from twilio_plugin.adapters.twilio_calls import TwilioCalls

    return TwilioCalls(twilio(env), webhook_url=env.twilio_webhook_url)


def twilio(env: _WithTwilio) -> TwilioRest:
    """Twilio's REST API."""
    from twilio_plugin.adapters.twilio_rest import TwilioRest

    return TwilioRest(env.twilio_account_sid, secret(env.twilio_secret).credentials, api_base_url=env.twilio_api_base_url)


def is_signed(secret_name: str) -> IsSigned:
    """Whether Twilio signed a form, by the tokens of the secret."""
    from twilio_plugin.adapters import twilio_signature

    tries = _with_tokens(secret_name)

    def check(signature: str, urls: Iterable[str], form: Form) -> bool:
        return tries(lambda tokens: twilio_signature.is_signed(signature, urls, form, tokens))

    return check


def is_signed_handshake(secret_name: str) -> Callable[[str, list[str]], bool]:
    """Whether Twilio signed a WebSocket handshake, by the tokens of the secret."""
    from twilio_plugin.adapters import twilio_signature

    tries = _with_tokens(secret_name)
    return lambda signature, urls: tries(lambda tokens: twilio_signature.is_signed_handshake(signature, urls, tokens))


def auth_tokens(secret_name: str) -> AuthTokens:
    """The account's auth tokens, from the secret."""
    credentials = secret(secret_name).credentials

    def tokens(*, fresh: bool) -> Sequence[str]:
        known = credentials(newer_than_seconds=_SECRET_SECOND_LOOK_SECONDS) if fresh else credentials()
        return known.auth_tokens

    return tokens


def _with_tokens(secret_name: str) -> Callable[[Callable[[tuple[str, ...]], bool]], bool]:
    credentials = secret(secret_name).credentials

    def tries(fits: Callable[[tuple[str, ...]], bool]) -> bool:
        known = credentials()
        if fits(known.auth_tokens):
            return True
        # The token may have been rotated since the secret was read.
        fresh = credentials(newer_than_seconds=_SECRET_SECOND_LOOK_SECONDS)
        return fresh is not known and fits(fresh.auth_tokens)

    return tries


def secret(name: str) -> TwilioSecret:
    """The secret with the credentials."""
    from twilio_plugin.adapters.secrets import TwilioSecret

    return TwilioSecret(lambda: boto3.client("secretsmanager", config=AWS), name)


@cache
def dynamodb() -> DynamoDB:
    """DynamoDB, one client a process."""
    from twilio_plugin.adapters.dynamodb import DynamoDB

    return DynamoDB(boto3.client("dynamodb", config=AWS))


def now() -> datetime:
    """The clock of everything."""
    return datetime.now(UTC)
