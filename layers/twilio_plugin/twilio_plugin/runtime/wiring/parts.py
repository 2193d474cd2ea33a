"""What several functions are built of. Each builder imports inside it: a caller waits for every import of a cold start."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Protocol

import boto3
from botocore.config import Config

from twilio_plugin.errors import UnverifiedSignature
from twilio_plugin.runtime import config

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient

    from twilio_plugin.adapters.calls import CallsTable
    from twilio_plugin.adapters.connections import ApiGatewayConnections
    from twilio_plugin.adapters.conversations import ConversationsTable
    from twilio_plugin.adapters.counters import CountersTable
    from twilio_plugin.adapters.dynamodb import DynamoDB
    from twilio_plugin.adapters.event_bus import EventBridgeBus
    from twilio_plugin.adapters.gathering import GatheringTable
    from twilio_plugin.adapters.media_frames import MediaFrames
    from twilio_plugin.adapters.outbox import OutboxTable
    from twilio_plugin.adapters.relay_timers import SqsRelayTimers
    from twilio_plugin.adapters.s3_media import S3Media
    from twilio_plugin.adapters.secrets import RestSecret, SigningSecret
    from twilio_plugin.adapters.sessions import LambdaSessions, LambdaWarmer
    from twilio_plugin.adapters.streams import StreamsReader, StreamsTable
    from twilio_plugin.adapters.transcriptions import TranscriptionsReader, TranscriptionsTable
    from twilio_plugin.adapters.twilio_calls import TwilioCalls
    from twilio_plugin.adapters.twilio_messages import TwilioMessages
    from twilio_plugin.adapters.twilio_rest import TwilioRest
    from twilio_plugin.adapters.utterances import UtterancesTable
    from twilio_plugin.domain.gather import Manner
    from twilio_plugin.domain.outbound_media import S3Object
    from twilio_plugin.runtime.http import Form, IsSigned
    from twilio_plugin.services.call_minutes import CallMinutes
    from twilio_plugin.services.inbound_guard import InboundGuard
    from twilio_plugin.services.outbound_guard import OutboundGuard
    from twilio_plugin.services.start_stream import AuthTokens

# Short, because Twilio waits 15 s and a person on the phone less; boto3 repeats what is safe to repeat.
AWS = Config(connect_timeout=2, read_timeout=4, retries={"mode": "standard", "total_max_attempts": 3})
# A medium may have megabytes. Pre-signed URLs of newer regions take this signature only.
MEDIA = AWS.merge(Config(read_timeout=20, signature_version="s3v4"))


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


class _WithManner(Protocol):
    @property
    def endpointing_milliseconds(self) -> str: ...
    @property
    def language(self) -> str: ...
    @property
    def say_voice(self) -> str: ...
    @property
    def twilio_webhook_url(self) -> str: ...


class _WithMediaBuckets(Protocol):
    @property
    def media_buckets(self) -> str: ...


class _WithTwilio(Protocol):
    @property
    def twilio_account_sid(self) -> str: ...
    @property
    def twilio_api_base_url(self) -> str: ...
    @property
    def twilio_rest_secret(self) -> str: ...


class _WithCallbacks(_WithTwilio, Protocol):
    @property
    def twilio_webhook_url(self) -> str: ...


class _WithGuards(_WithOutbox, Protocol):
    @property
    def conversations_table(self) -> str: ...
    @property
    def guards(self) -> str: ...


class _WithOutboundGuards(_WithGuards, Protocol):
    @property
    def twilio_account_sid(self) -> str: ...
    @property
    def twilio_phone_number(self) -> str: ...


def tables(env: _WithConversations, ledger_secret: str | None = None) -> tuple[OutboxTable, ConversationsTable]:
    """The outbox and the conversations; with the secret of its key, the opt-out ledger too."""
    from twilio_plugin.adapters.conversations import ConversationsTable

    events = outbox(env)
    days = config.number(env.retention_days, "RETENTION_DAYS")
    key = ledger_key(ledger_secret) if ledger_secret else None
    table = env.conversations_table
    return events, ConversationsTable(dynamodb(), table, events, retention_days=days, ledger_key=key)


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


def transcriptions(env: _WithCalls, events: OutboxTable, conversations: ConversationsTable) -> TranscriptionsTable:
    """What is heard in calls that are only listened to."""
    from twilio_plugin.adapters.transcriptions import TranscriptionsTable

    days = config.number(env.retention_days, "RETENTION_DAYS")
    return TranscriptionsTable(dynamodb(), env.calls_table, events, conversations, retention_days=days)


def transcriptions_reader(table: str) -> TranscriptionsReader:
    """The transcriptions of calls, to be read only."""
    from twilio_plugin.adapters.transcriptions import TranscriptionsReader

    return TranscriptionsReader(dynamodb(), table)


def utterances(env: _WithCalls, events: OutboxTable, conversations: ConversationsTable) -> UtterancesTable:
    """What is said in calls."""
    from twilio_plugin.adapters.utterances import UtterancesTable

    days = config.number(env.retention_days, "RETENTION_DAYS")
    return UtterancesTable(dynamodb(), env.calls_table, events, conversations, retention_days=days)


def gathering(env: _WithCalls, events: OutboxTable, conversations: ConversationsTable) -> GatheringTable:
    """Calls that are held by documents."""
    from twilio_plugin.adapters.gathering import GatheringTable

    return GatheringTable(dynamodb(), env.calls_table, events, conversations)


def manner(env: _WithManner) -> Manner:
    """How Twilio speaks and listens in them."""
    from twilio_plugin.domain.gather import Manner

    return Manner(
        webhook_url=env.twilio_webhook_url,
        voice=env.say_voice,
        language=env.language,
        endpoint=timedelta(milliseconds=config.number(env.endpointing_milliseconds, "ENDPOINTING_MILLISECONDS")),
    )


def reply_timeout(written: str) -> timedelta:
    """How long a person waits for a word of the agent."""
    return timedelta(seconds=config.number(written, "REPLY_TIMEOUT"))


def counters(env: _WithGuards) -> CountersTable:
    """What is used of each ceiling."""
    from twilio_plugin.adapters.counters import CountersTable

    return CountersTable(dynamodb(), env.conversations_table, outbox(env))


def outbound_guard(env: _WithOutboundGuards) -> OutboundGuard:
    """What texts and calls of ours are held to."""
    from twilio_plugin.domain.destination import allowed_countries
    from twilio_plugin.services.outbound_guard import OutboundGuard

    limits = config.limits(env.guards)
    countries = allowed_countries(limits.allowed_countries, env.twilio_phone_number)
    return OutboundGuard(limits, countries, counters(env), now, env.twilio_account_sid)


def inbound_guard(env: _WithGuards) -> InboundGuard:
    """What people's texts and calls are held to."""
    from twilio_plugin.services.inbound_guard import InboundGuard

    return InboundGuard(config.limits(env.guards), counters(env), now)


def call_minutes(env: _WithGuards) -> CallMinutes:
    """The minutes that calls hold."""
    from twilio_plugin.services.call_minutes import CallMinutes

    return CallMinutes(config.limits(env.guards), counters(env), now)


def frames(table: str) -> MediaFrames:
    """Audio on its way."""
    from twilio_plugin.adapters.media_frames import MediaFrames

    return MediaFrames(dynamodb(), table)


def connections(management_url: str) -> ApiGatewayConnections:
    """The open sockets."""
    from twilio_plugin.adapters.connections import CONFIG, ApiGatewayConnections

    client = boto3.client("apigatewaymanagementapi", endpoint_url=management_url, config=CONFIG)
    return ApiGatewayConnections(client)


def relay_timers(url: str) -> SqsRelayTimers:
    """What is looked at later."""
    from twilio_plugin.adapters.relay_timers import SqsRelayTimers

    return SqsRelayTimers(boto3.client("sqs", config=AWS), url)


def sessions(function_name: str) -> LambdaSessions:
    """Where call sessions run."""
    from twilio_plugin.adapters.sessions import LambdaSessions

    return LambdaSessions(boto3.client("lambda", config=AWS), function_name)


def warmer() -> LambdaWarmer:
    """What starts functions that will be needed in a moment."""
    from twilio_plugin.adapters.sessions import LambdaWarmer

    return LambdaWarmer(boto3.client("lambda", config=AWS))


def texting(env: _WithCallbacks, ledger_secret: str | None = None) -> TwilioMessages:
    """Twilio's Messages; with the secret of the ledger's key, links to media in S3 too."""
    from twilio_plugin.adapters.twilio_messages import TwilioMessages

    link = _link(ledger_key(ledger_secret), env.twilio_webhook_url) if ledger_secret else None
    return TwilioMessages(twilio(env), status_url=f"{env.twilio_webhook_url}/status", link=link)


def _link(key: Callable[[], bytes], webhook_url: str) -> Callable[[S3Object], str]:
    from twilio_plugin.domain.outbound_media import LINK_SECONDS, media_token
    from twilio_plugin.domain.timestamp import epoch

    return lambda at: f"{webhook_url}/media/{media_token(key(), at, expires_at=epoch(now()) + LINK_SECONDS)}"


def outbound_media(env: _WithMediaBuckets) -> S3Media:
    """What can be sent from S3."""
    from twilio_plugin.adapters.s3_media import S3Media

    return S3Media(s3, env.media_buckets.split(","))


def calling(env: _WithCallbacks) -> TwilioCalls:
    """Twilio's Calls."""
    from twilio_plugin.adapters.twilio_calls import TwilioCalls

    return TwilioCalls(twilio(env), webhook_url=env.twilio_webhook_url)


def twilio(env: _WithTwilio) -> TwilioRest:
    """Twilio's REST API."""
    from twilio_plugin.adapters.twilio_rest import TwilioRest

    secret = rest_secret(env.twilio_rest_secret)
    return TwilioRest(env.twilio_account_sid, secret, api_base_url=env.twilio_api_base_url)


def is_signed(secret_name: str) -> IsSigned:
    """Whether Twilio signed a form, by the tokens of the secret. Raises UnverifiedSignature where that cannot be told now."""
    from twilio_plugin.adapters import twilio_signature

    secret = signing_secret(secret_name)

    def check(signature: str, urls: Iterable[str], form: Form) -> bool:
        candidates = list(urls)
        return twilio_signature.is_possible(signature, form) and _fits(
            secret, lambda tokens: twilio_signature.is_signed(signature, candidates, form, tokens)
        )

    return check


def is_signed_handshake(secret_name: str) -> Callable[[str, list[str]], bool]:
    """Whether Twilio signed a WebSocket handshake, by the tokens of the secret. Raises UnverifiedSignature, as `is_signed`."""
    from twilio_plugin.adapters import twilio_signature

    secret = signing_secret(secret_name)

    def check(signature: str, urls: list[str]) -> bool:
        possible = twilio_signature.is_possible(signature)
        return possible and _fits(secret, lambda tokens: twilio_signature.is_signed_handshake(signature, urls, tokens))

    return check


def auth_tokens(secret_name: str) -> AuthTokens:
    """The account's auth tokens, from the secret."""
    secret = signing_secret(secret_name)

    def tokens(*, fresh: bool) -> Sequence[str]:
        return (fresh and secret.fresh_auth_tokens()) or secret.auth_tokens()

    return tokens


def _fits(secret: SigningSecret, is_one_of: Callable[[tuple[str, ...]], bool]) -> bool:
    known = secret.auth_tokens()
    if is_one_of(known):
        return True
    # The token may have been rotated since the secret was read.
    fresh = secret.fresh_auth_tokens()
    if fresh is None:
        raise UnverifiedSignature("X-Twilio-Signature fits no known token, and the secret cannot be looked at again just now.")
    return fresh != known and is_one_of(fresh)


@cache
def signing_secret(name: str) -> SigningSecret:
    """The secret with what Twilio signs with, read once for whatever a function needs it for."""
    from twilio_plugin.adapters.secrets import SigningSecret

    return SigningSecret(secrets_manager, name)


def rest_secret(name: str) -> RestSecret:
    """The secret with what requests are made with."""
    from twilio_plugin.adapters.secrets import RestSecret

    return RestSecret(secrets_manager, name)


@cache
def ledger_key(secret_name: str) -> Callable[[], bytes]:
    """The stack's own key, read once for whatever a function needs it for."""
    from twilio_plugin.adapters.secrets import LedgerKey

    return LedgerKey(secrets_manager, secret_name).key


def secrets_manager() -> SecretsManagerClient:
    """Secrets Manager."""
    return boto3.client("secretsmanager", config=AWS)


@cache
def s3() -> S3Client:
    """S3, one client a process."""
    return boto3.client("s3", config=MEDIA)


@cache
def dynamodb() -> DynamoDB:
    """DynamoDB, one client a process."""
    from twilio_plugin.adapters.dynamodb import DynamoDB

    return DynamoDB(boto3.client("dynamodb", config=AWS))


def now() -> datetime:
    """The clock of everything."""
    return datetime.now(UTC)
