"""What each function is told by its environment. The only reader of ``os.environ``.

A class lists exactly the variables its function has in `template.yaml`, field ``conversations_table`` being
``CONVERSATIONS_TABLE``; a test compares the two. Read on cold start, so that a mistake shows at once and says its name.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, fields
from ipaddress import ip_network
from typing import TYPE_CHECKING, TypeVar

from twilio_plugin.domain.guards import Limits
from twilio_plugin.errors import Misconfigured

if TYPE_CHECKING:
    from twilio_plugin.domain.call import VoiceMode


@dataclass(frozen=True, slots=True)
class StatusWebhook:
    """status_webhook."""

    calls_table: str
    conversations_table: str
    guards: str
    ledger_secret: str
    media_frames_table: str
    outbox_table: str
    retention_days: str
    twilio_secret: str
    twilio_webhook_url: str


@dataclass(frozen=True, slots=True)
class VoiceWebhook:
    """voice_webhook."""

    call_session_function: str
    calls_table: str
    conversation_relay_function: str
    conversations_table: str
    endpointing_milliseconds: str
    gather_webhook_function: str
    greeting: str
    guards: str
    language: str
    media_stream_function: str
    outbox_table: str
    relay_attributes: str
    reply_timeout: str
    retention_days: str
    say_voice: str
    stream_authorizer_function: str
    twilio_secret: str
    twilio_webhook_url: str
    twilio_websocket_url: str
    voice_mode: str


@dataclass(frozen=True, slots=True)
class GatherWebhook:
    """gather_webhook."""

    calls_table: str
    conversations_table: str
    endpointing_milliseconds: str
    guards: str
    language: str
    outbox_table: str
    partial_transcripts: str
    reply_timeout: str
    retention_days: str
    say_voice: str
    twilio_secret: str
    twilio_webhook_url: str


@dataclass(frozen=True, slots=True)
class StreamAuthorizer:
    """stream_authorizer."""

    guards: str
    twilio_secret: str
    twilio_websocket_url: str


@dataclass(frozen=True, slots=True)
class FrameIngest:
    """frame_ingest."""

    media_frames_table: str


@dataclass(frozen=True, slots=True)
class MediaStream:
    """media_stream."""

    call_session_function: str
    calls_table: str
    conversations_table: str
    media_frames_table: str
    outbox_table: str
    relay_timers_url: str
    retention_days: str
    twilio_secret: str
    websocket_management_url: str


@dataclass(frozen=True, slots=True)
class ConversationRelay:
    """conversation_relay."""

    calls_table: str
    conversations_table: str
    event_bus_name: str
    outbox_table: str
    relay_timers_url: str
    reply_timeout: str
    retention_days: str
    twilio_secret: str
    websocket_management_url: str


@dataclass(frozen=True, slots=True)
class RelayTimer:
    """relay_timer."""

    calls_table: str
    conversations_table: str
    outbox_table: str
    relay_timers_url: str
    reply_timeout: str
    retention_days: str
    timer_attempts: str
    websocket_management_url: str


@dataclass(frozen=True, slots=True)
class CallSession:
    """call_session."""

    call_session_function: str
    calls_table: str
    conversations_table: str
    endpointing_milliseconds: str
    event_bus_name: str
    language: str
    media_frames_table: str
    outbox_table: str
    partial_transcripts: str
    reply_timeout: str
    retention_days: str
    transcriber: str
    websocket_management_url: str


@dataclass(frozen=True, slots=True)
class Say:
    """say."""

    calls_table: str
    conversations_table: str
    language: str
    outbox_table: str
    retention_days: str
    synthesizer: str
    twilio_account_sid: str
    twilio_api_base_url: str
    twilio_rest_secret: str
    twilio_webhook_url: str
    voice: str
    websocket_management_url: str


@dataclass(frozen=True, slots=True)
class MakeCall:
    """make_call."""

    calls_table: str
    conversations_table: str
    guards: str
    language: str
    outbox_table: str
    phone_default_region: str
    retention_days: str
    twilio_account_sid: str
    twilio_api_base_url: str
    twilio_phone_number: str
    twilio_rest_secret: str
    twilio_webhook_url: str


@dataclass(frozen=True, slots=True)
class RunAction:
    """run_action: what sending and calling need."""

    calls_table: str
    conversations_table: str
    guards: str
    language: str
    ledger_secret: str
    media_buckets: str
    outbox_table: str
    phone_default_region: str
    retention_days: str
    twilio_account_sid: str
    twilio_api_base_url: str
    twilio_phone_number: str
    twilio_rest_secret: str
    twilio_webhook_url: str


@dataclass(frozen=True, slots=True)
class ControlCall:
    """control_call."""

    calls_table: str
    conversations_table: str
    guards: str
    language: str
    outbox_table: str
    phone_default_region: str
    reply_timeout: str
    retention_days: str
    twilio_account_sid: str
    twilio_api_base_url: str
    twilio_phone_number: str
    twilio_rest_secret: str
    twilio_webhook_url: str
    websocket_management_url: str


@dataclass(frozen=True, slots=True)
class CallState:
    """call_state."""

    calls_table: str


@dataclass(frozen=True, slots=True)
class SmsWebhook:
    """sms_webhook."""

    conversations_table: str
    copy_media: str
    guards: str
    ledger_secret: str
    outbox_table: str
    retention_days: str
    twilio_secret: str
    twilio_webhook_url: str


@dataclass(frozen=True, slots=True)
class CopyMedia:
    """copy_media."""

    conversations_table: str
    max_media_bytes: str
    media_bucket: str
    outbox_table: str
    twilio_account_sid: str
    twilio_api_base_url: str
    twilio_rest_secret: str


@dataclass(frozen=True, slots=True)
class ServeMedia:
    """serve_media."""

    ledger_secret: str
    media_buckets: str


@dataclass(frozen=True, slots=True)
class Forget:
    """forget."""

    calls_table: str
    conversations_table: str
    media_bucket: str
    media_frames_table: str
    outbox_table: str
    phone_default_region: str
    twilio_account_sid: str
    twilio_api_base_url: str
    twilio_phone_number: str
    twilio_rest_secret: str


@dataclass(frozen=True, slots=True)
class Send:
    """send_sms, send_mms."""

    conversations_table: str
    guards: str
    ledger_secret: str
    media_buckets: str
    outbox_table: str
    phone_default_region: str
    retention_days: str
    twilio_account_sid: str
    twilio_api_base_url: str
    twilio_phone_number: str
    twilio_rest_secret: str
    twilio_webhook_url: str


@dataclass(frozen=True, slots=True)
class History:
    """conversation_history."""

    conversations_table: str
    phone_default_region: str
    twilio_phone_number: str


@dataclass(frozen=True, slots=True)
class Relay:
    """event_relay."""

    event_bus_name: str
    outbox_table: str


@dataclass(frozen=True, slots=True)
class Reconcile:
    """reconcile."""

    calls_table: str
    conversations_table: str
    event_bus_name: str
    guards: str
    media_frames_table: str
    outbox_table: str
    retention_days: str
    twilio_account_sid: str
    twilio_api_base_url: str
    twilio_rest_secret: str
    twilio_webhook_url: str


@dataclass(frozen=True, slots=True)
class BridgeQueue:
    """bridge_queue."""

    agent_queue_url: str


@dataclass(frozen=True, slots=True)
class Bridge:
    """bridge."""

    agent_attempts: str
    agent_function: str
    agent_queue_url: str
    calls_table: str
    conversations_table: str
    guards: str
    language: str
    ledger_secret: str
    media_buckets: str
    outbox_table: str
    phone_default_region: str
    reply_timeout: str
    retention_days: str
    synthesizer: str
    turns_per_hour: str
    twilio_account_sid: str
    twilio_api_base_url: str
    twilio_phone_number: str
    twilio_rest_secret: str
    twilio_webhook_url: str
    voice: str
    websocket_management_url: str


@dataclass(frozen=True, slots=True)
class ConfigureNumber:
    """configure_number."""

    conversations_table: str
    twilio_account_sid: str
    twilio_api_base_url: str
    twilio_rest_secret: str


Config = TypeVar(
    "Config",
    Bridge,
    BridgeQueue,
    CallSession,
    CallState,
    ConfigureNumber,
    ControlCall,
    ConversationRelay,
    CopyMedia,
    Forget,
    FrameIngest,
    GatherWebhook,
    History,
    MakeCall,
    MediaStream,
    Reconcile,
    Relay,
    RelayTimer,
    RunAction,
    Say,
    Send,
    ServeMedia,
    SmsWebhook,
    StatusWebhook,
    StreamAuthorizer,
    VoiceWebhook,
)


def read(kind: type[Config]) -> Config:
    """Raises Misconfigured, naming what is missing."""
    names = [field.name for field in fields(kind)]
    missing = [name.upper() for name in names if not os.environ.get(name.upper())]
    if missing:
        raise Misconfigured(f"Environment variables are missing or empty: {', '.join(missing)}.")
    return kind(**{name: os.environ[name.upper()] for name in names})


def voice_mode(written: str) -> VoiceMode:
    """The variable VOICE_MODE. Raises Misconfigured, naming it."""
    from twilio_plugin.domain.call import voice_mode as named

    mode = named(written)
    if mode is None:
        raise Misconfigured(f"The environment variable VOICE_MODE is {written[:20]!r}; it is stream, relay or gather.")
    return mode


def texts(written: str, name: str) -> dict[str, str]:
    """A variable that is an object of texts, as JSON; without the empty ones. Raises Misconfigured, naming it."""
    import json

    try:
        found = json.loads(written)
    except ValueError as error:
        raise Misconfigured(f"The environment variable {name} is no JSON.") from error
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise Misconfigured(f"The environment variable {name} is no object of texts.")
    return {key: value for key, value in found.items() if value}


def number(written: str, name: str) -> int:
    """A variable that is a whole number. Raises Misconfigured, naming it."""
    if not (written.isascii() and written.isdigit()):
        raise Misconfigured(f"The environment variable {name} is {written[:20]!r}; a whole number was expected.")
    return int(written)


def limits(written: str) -> Limits:
    """The variable GUARDS: a JSON object with every field of `Limits`, lists as comma-separated text.

    Raises:
        Misconfigured: it is not that; a limit that cannot be read is never taken for none.
    """
    try:
        said = json.loads(written)
        if {*said} != {field.name for field in fields(Limits)}:
            raise ValueError("not the names of the limits")
        lists = {
            "inbound_allow_list": frozenset(_items(said["inbound_allow_list"])),
            "source_cidrs": tuple(ip_network(one) for one in _items(said["source_cidrs"])),
        }
        for name in {*said} - {*lists, "allowed_countries"}:
            number(str(said[name]), f"GUARDS, {name}")
        return Limits(**(said | lists))
    except (AttributeError, TypeError, ValueError) as error:
        raise Misconfigured(f"The environment variable GUARDS cannot be read: {error}.") from error


def _items(written: str) -> list[str]:
    return [one.strip() for one in written.split(",") if one.strip()]
