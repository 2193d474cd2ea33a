"""No exception of boto3, requests or the twilio package gets past an adapter: callers know `twilio_plugin.errors` only."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import io
import json
import pkgutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import botocore.exceptions
import pytest
import requests
import requests.exceptions
import twilio.base.exceptions

from tests.unit.fakes import ACCOUNT
from tests.unit.fakes_numbers import FakeRestSecret
from tests.unit.fakes_streams import stream, utterance
from tests.unit.fakes_transcriptions import report, transcription
from twilio_plugin import adapters
from twilio_plugin.adapters.agent_turns import AgentTurnsTable
from twilio_plugin.adapters.call_requests import CallRequestsTable
from twilio_plugin.adapters.calls import CallsTable
from twilio_plugin.adapters.claims import Claims
from twilio_plugin.adapters.connections import ApiGatewayConnections
from twilio_plugin.adapters.conversations import ConversationsTable
from twilio_plugin.adapters.counters import CountersTable
from twilio_plugin.adapters.dynamodb import DynamoDB
from twilio_plugin.adapters.event_bus import EventBridgeBus
from twilio_plugin.adapters.gathering import GatheringTable
from twilio_plugin.adapters.history import HistoryTable
from twilio_plugin.adapters.media_bucket import MediaBucket
from twilio_plugin.adapters.media_copies import MediaCopiesTable
from twilio_plugin.adapters.media_frames import MediaFrames
from twilio_plugin.adapters.number_settings import NumberSettingsTable
from twilio_plugin.adapters.outbox import OutboxTable
from twilio_plugin.adapters.person_turns import PersonTurnsTable
from twilio_plugin.adapters.personal_data import PersonalDataTables
from twilio_plugin.adapters.relay_timers import SqsRelayTimers
from twilio_plugin.adapters.s3_media import S3Media
from twilio_plugin.adapters.secrets import LedgerKey, RestSecret, SigningSecret
from twilio_plugin.adapters.sends import SendsTable
from twilio_plugin.adapters.sessions import LambdaSessions, LambdaWarmer
from twilio_plugin.adapters.streams import StreamsTable
from twilio_plugin.adapters.text_queue import SqsTextQueue
from twilio_plugin.adapters.transcriptions import TranscriptionsTable
from twilio_plugin.adapters.twilio_calls import TwilioCalls
from twilio_plugin.adapters.twilio_messages import TwilioMessages
from twilio_plugin.adapters.twilio_numbers import TwilioNumbers
from twilio_plugin.adapters.twilio_records import TwilioErasure
from twilio_plugin.adapters.twilio_rest import TwilioRest
from twilio_plugin.adapters.utterances import UtterancesTable
from twilio_plugin.domain.address import Address
from twilio_plugin.domain.call import CallRequest, CallUpdate
from twilio_plugin.domain.conversation import Entry, KeptMedia
from twilio_plugin.domain.events import GuardRefused, SmsStatusChanged
from twilio_plugin.domain.forgetting import Person
from twilio_plugin.domain.guards import Draw
from twilio_plugin.domain.inbound_turn import SettledTurn, TextTurn
from twilio_plugin.domain.media_copy import MediaMessage
from twilio_plugin.domain.media_stream import Frame
from twilio_plugin.domain.message_status import StatusUpdate
from twilio_plugin.domain.number_settings import Before, TwilioResource
from twilio_plugin.domain.outbound import Part, Receipt
from twilio_plugin.domain.outbound_media import S3Object
from twilio_plugin.domain.recording import Recording
from twilio_plugin.domain.relay_timer import RelayTimer
from twilio_plugin.errors import PluginError, StorageUnavailable
from twilio_plugin.services.ports import Announcement, Found, KeptIn, LedgerChange

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
OURS, THEIRS = Address("phone", "+14155550100"), Address("phone", "+14155550123")
PART = Part(send_id="key", number=1, parts=1, fingerprint="f", sender=OURS, recipient=THEIRS, body="Hello")
RECEIPT = Receipt("SM1", ACCOUNT, "queued")
ENTRY = Entry(
    conversation_id=PART.conversation_id,
    occurred_at="2026-11-22T08:00:00.000Z",
    kind="sms",
    direction="outbound",
    message_sid="SM1",
    from_="+14155550100",
    to="+14155550123",
    body="Hello",
)
EVENT = SmsStatusChanged(
    event_id="SMS_STATUS_CHANGED#SM1#sent",
    occurred_at="2026-11-22T08:00:00.000Z",
    account_sid=ACCOUNT,
    conversation_id=PART.conversation_id,
    message_sid="SM1",
    channel="phone",
    from_="+14155550100",
    to="+14155550123",
    status="sent",
)
REQUEST = CallRequest(request_id="key", fingerprint="f", sender=OURS, recipient=THEIRS, time_limit=60, twiml="<Response/>")
CALL = CallUpdate(call_sid="CA1", account_sid=ACCOUNT, direction="outbound", sender=OURS, recipient=THEIRS, status="ringing")
RECORDING = Recording(call_sid="CA1", account_sid=ACCOUNT, recording_sid="RE1", status="completed")
STREAM = stream()
UTTERANCE = utterance(STREAM)
TRANSCRIPTION, REPORT = transcription(), report(1, "Hello", received_at=EVENT.occurred_at)
FRAME = Frame(2, 1, 20, "inbound", b"")
SETTLED = SettledTurn(event_id="event", texts=("SM1",), up_to=f"{EVENT.occurred_at}#SM1")
DRAW = Draw(ceiling="texts_per_day", whose="", period="2026-11-22", units=1, limit=1)
REFUSED = GuardRefused(
    event_id="GUARD_REFUSED#1",
    occurred_at=EVENT.occurred_at,
    account_sid="AC1",
    conversation_id="phone|+1|+2",
    guard="texts_per_day",
    direction="outbound",
    kind="text",
    channel="phone",
    from_="+1",
    to="+2",
)
TEXT_TURN = TextTurn(
    event_id="event",
    account_sid=ACCOUNT,
    conversation_id="id",
    channel="phone",
    person=str(THEIRS),
    ours=str(OURS),
    message_sid="SM1",
)
BEFORE = Before("+14155550100", {"sms_url": ""}, ("https://x",))
NUMBER = TwilioResource("+14155550100", "PN1", {})
MEDIA_MESSAGE = MediaMessage("SM1", ACCOUNT, PART.conversation_id, ENTRY.occurred_at, "phone", str(THEIRS), str(OURS))
PERSON, OBJECT = Person("+14155550123"), S3Object("media", "a.png")
CHANGE = LedgerChange(PART.conversation_id, "opted_in", "opted_out")
PUT = {"Put": {"TableName": "t", "Item": {}}}


class Broken:
    """A client of AWS's whose every call raises."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __getattr__(self, _name: str) -> Callable[..., Any]:
        def call(**_arguments: Any) -> Any:
            raise self._error

        return call


TIMER = RelayTimer("reply", "CA1", "VX1", "a")


def on_aws(client: Any) -> dict[str, Callable[[], Any]]:
    """A call of every method that reaches AWS, on a client of whatever service."""
    database = DynamoDB(client)
    outbox = OutboxTable(database, "outbox")
    conversations = ConversationsTable(database, "conversations", outbox, retention_days=1, ledger_key=lambda: b"key")
    sends = SendsTable(database, "conversations", outbox, conversations, lambda: NOW)
    bus = EventBridgeBus(client, "bus")
    claims = Claims(database, "conversations", lambda: NOW, kind="call")
    calls = CallsTable(database, "calls", outbox, retention_days=1)
    streams = StreamsTable(database, "calls", outbox, retention_days=1)
    transcriptions = TranscriptionsTable(database, "calls", outbox, conversations, retention_days=1)
    utterances = UtterancesTable(database, "calls", outbox, conversations, retention_days=1)
    gathering = GatheringTable(database, "calls", outbox, conversations)
    frames = MediaFrames(database, "frames")
    connections = ApiGatewayConnections(client)
    counters = CountersTable(database, "conversations", outbox)
    requests_ = CallRequestsTable(database, claims, "calls", calls, outbox)
    turns = AgentTurnsTable(database, "conversations", outbox, conversations)
    queue = SqsTextQueue(client, "queue")
    before = NumberSettingsTable(database, "conversations")
    timers = SqsRelayTimers(client, "timers")
    person_turns = PersonTurnsTable(database, "calls", conversations)
    bucket, media = MediaBucket(lambda: client, "media"), S3Media(lambda: client, ["media"])
    copies = MediaCopiesTable(database, "conversations", outbox)
    kept: dict[KeptIn, str] = {"outbox": "outbox", "calls": "calls", "conversations": "conversations"}
    personal = PersonalDataTables(database, kept, frames_table="frames")
    found = Found(keys=[{"conversation_id": "a", "sk": "b"}])
    streamed = Found(connection_ids=["a"])
    return {
        "LedgerKey.key": lambda: LedgerKey(lambda: client, "ledger").key(),
        "MediaBucket.put": lambda: bucket.put("inbound/a", io.BytesIO(b""), "image/png"),
        "MediaBucket.delete": lambda: bucket.delete("inbound/a"),
        "MediaBucket.delete_below": lambda: bucket.delete_below("inbound/", dry_run=False),
        "MediaCopiesTable.media_of": lambda: copies.media_of(MEDIA_MESSAGE),
        "MediaCopiesTable.settle": lambda: copies.settle(MEDIA_MESSAGE, 0, KeptMedia("u", "image/png", "k", 1), EVENT),
        "PersonalDataTables.page": lambda: personal.page("calls", PERSON, None),
        "PersonalDataTables.delete": lambda: personal.delete("conversations", found),
        "PersonalDataTables.count_frames": lambda: personal.count_frames(streamed),
        "PersonalDataTables.mask": lambda: personal.mask("calls", PERSON, {"call_sid": "a", "sk": "b", "text": PERSON.number}),
        "S3Media.find": lambda: media.find(OBJECT),
        "S3Media.read": lambda: media.read(OBJECT),
        "S3Media.temporary_url": lambda: media.temporary_url(OBJECT),
        "DynamoDB.scan_page": lambda: database.scan_page("t", None),
        "AgentTurnsTable.last": lambda: turns.last("id"),
        "AgentTurnsTable.settle": lambda: turns.settle("id", SETTLED, after=None),
        "AgentTurnsTable.take": lambda: turns.take("event", EVENT.occurred_at),
        "AgentTurnsTable.admit": lambda: turns.admit("id", "hour", "event", ceiling=1, now=EVENT.occurred_at),
        "AgentTurnsTable.refuse": lambda: turns.refuse("id", "hour", EVENT),
        "SqsRelayTimers.set": lambda: timers.set(TIMER, 1),
        "SqsRelayTimers.retry_in": lambda: timers.retry_in("receipt", 1),
        "PersonTurnsTable.add": lambda: person_turns.add(STREAM, ENTRY, STREAM.started_at),
        "SqsTextQueue.put": lambda: queue.put(TEXT_TURN),
        "SqsTextQueue.retry_in": lambda: queue.retry_in("receipt", 1),
        "Claims.claim": lambda: claims.claim({"conversation_id": "send|a", "sk": "CALL"}, "f", {}),
        "Claims.release": lambda: claims.release({"conversation_id": "send|a", "sk": "CALL"}),
        "Claims.mark_unknown": lambda: claims.mark_unknown({"conversation_id": "send|a", "sk": "CALL"}),
        "Claims.unsettled": lambda: list(claims.unsettled(before=NOW)),
        "CountersTable.take": lambda: counters.take([DRAW]),
        "CountersTable.give_back": lambda: counters.give_back([DRAW]),
        "CountersTable.hold": lambda: counters.hold("a", DRAW),
        "CountersTable.release": lambda: counters.release("a", used=0),
        "CountersTable.refuse": lambda: counters.refuse(REFUSED, "2026-11-22"),
        "CallsReader.call": lambda: calls.call("CA1"),
        "CallsReader.active": calls.active,
        "CallsTable.add_received": lambda: calls.add_received(CALL, EVENT),
        "CallsTable.apply_status": lambda: calls.apply_status(CALL, EVENT),
        "CallsTable.apply_answered_by": lambda: calls.apply_answered_by("CA1", "human", EVENT),
        "CallsTable.add_recording": lambda: calls.add_recording(RECORDING, EVENT),
        "CallsTable.unended": lambda: list(calls.unended(before=NOW)),
        "CallsTable.no_longer_active": lambda: calls.no_longer_active("CA1"),
        "CallRequestsTable.claim": lambda: requests_.claim(REQUEST),
        "CallRequestsTable.release": lambda: requests_.release(REQUEST),
        "CallRequestsTable.mark_unknown": lambda: requests_.mark_unknown(REQUEST),
        "CallRequestsTable.record_made": lambda: requests_.record_made(REQUEST, CALL, EVENT),
        "CallRequestsTable.record_not_made": lambda: requests_.record_not_made(REQUEST, EVENT),
        "CallRequestsTable.unsettled": lambda: list(requests_.unsettled(before=NOW)),
        "CallRequestsTable.requested_by": lambda: requests_.requested_by(["CA1"]),
        "StreamsTable.open": lambda: streams.open(STREAM, EVENT),
        "StreamsReader.of_connection": lambda: streams.of_connection("a"),
        "StreamsReader.of_call": lambda: streams.of_call("CA1"),
        "StreamsReader.read": lambda: streams.read(STREAM),
        "StreamsReader.active": streams.active,
        "StreamsTable.appoint": lambda: streams.appoint(STREAM, "a", restart=True),
        "StreamsTable.take": lambda: streams.take(STREAM, "a", STREAM.started_at),
        "StreamsTable.save": lambda: streams.save(STREAM, STREAM.started_at),
        "StreamsTable.rebind": lambda: streams.rebind(STREAM, "b", STREAM.started_at),
        "StreamsTable.raise_generation": lambda: streams.raise_generation(STREAM),
        "StreamsTable.end": lambda: streams.end(STREAM, EVENT),
        "GatheringTable.hear": lambda: gathering.hear(STREAM, STREAM, [EVENT], ENTRY),
        "GatheringTable.give_out": lambda: gathering.give_out(STREAM, STREAM, [UTTERANCE]),
        "GatheringTable.wake": lambda: gathering.wake(STREAM),
        "GatheringTable.notice": lambda: gathering.notice(STREAM),
        "UtterancesTable.hold": lambda: utterances.hold(STREAM, "a", until=STREAM.started_at, now=STREAM.started_at),
        "UtterancesTable.let_go": lambda: utterances.let_go(STREAM, "a"),
        "UtterancesTable.begin": lambda: utterances.begin(STREAM, UTTERANCE),
        "UtterancesTable.add_pieces": lambda: utterances.add_pieces(UTTERANCE, [], complete=True),
        "UtterancesTable.find": lambda: utterances.find("CA1", "a"),
        "UtterancesTable.open": lambda: utterances.open("CA1"),
        "UtterancesTable.heard": lambda: utterances.heard(UTTERANCE, 1),
        "UtterancesTable.end": lambda: utterances.end(UTTERANCE, EVENT, ENTRY),
        "MediaFrames.put": lambda: frames.put("a", FRAME, stream_sid="MZ1", expires_at=1),
        "MediaFrames.put_end": lambda: frames.put_end("a", "closed", last=None, expires_at=1),
        "MediaFrames.after": lambda: frames.after("a", 0, limit=1),
        "ApiGatewayConnections.send": lambda: connections.send("a", "{}"),
        "ApiGatewayConnections.close": lambda: connections.close("a"),
        "ApiGatewayConnections.is_open": lambda: connections.is_open("a"),
        "LambdaSessions.start": lambda: LambdaSessions(client, "session").start(STREAM, "a"),
        "DynamoDB.transact": lambda: database.transact([PUT]),
        "DynamoDB.write": lambda: database.write(PUT),
        "DynamoDB.get": lambda: database.get("t", {"a": "b"}),
        "DynamoDB.get_many": lambda: database.get_many("t", [{"a": "b"}], attributes=("a",)),
        "DynamoDB.query": lambda: database.query(TableName="t"),
        "DynamoDB.pages": lambda: list(database.pages("scan", TableName="t")),
        "DynamoDB.delete_many": lambda: database.delete_many("t", [{"a": "b"}]),
        "OutboxTable.add": lambda: outbox.add(EVENT),
        "OutboxTable.delete": lambda: outbox.delete(["a"]),
        "OutboxTable.leftovers": lambda: list(outbox.leftovers(before=NOW)),
        "ConversationsTable.received_at": lambda: conversations.received_at("SM1"),
        "ConversationsTable.contact_state": lambda: conversations.contact_state("a"),
        "ConversationsTable.add_received": lambda: conversations.add_received(ENTRY, [EVENT], CHANGE),
        "ConversationsTable.apply_status": lambda: conversations.apply_status(
            StatusUpdate("SM1", ACCOUNT, "sent", OURS, THEIRS), EVENT
        ),
        "ConversationsTable.change_ledger": lambda: conversations.change_ledger(CHANGE, EVENT),
        "ConversationsTable.add_turn": lambda: conversations.add_turn(ENTRY),
        "HistoryTable.page": lambda: HistoryTable(database, "conversations").page("a", limit=1, before=None),
        "SendsTable.claim": lambda: sends.claim(PART),
        "SendsTable.release": lambda: sends.release(PART),
        "SendsTable.mark_unknown": lambda: sends.mark_unknown(PART),
        "SendsTable.record_sent": lambda: sends.record_sent(PART, RECEIPT, ENTRY, EVENT),
        "SendsTable.record_not_sent": lambda: sends.record_not_sent(PART, EVENT),
        "SendsTable.unsettled": lambda: list(sends.unsettled(before=NOW)),
        "SendsTable.senders_of": lambda: sends.senders_of(["SM1"]),
        "TranscriptionsReader.active": transcriptions.active,
        "TranscriptionsReader.of_call": lambda: transcriptions.of_call("CA1"),
        "TranscriptionsTable.add": lambda: transcriptions.add(REPORT),
        "TranscriptionsTable.end": lambda: transcriptions.end(TRANSCRIPTION, EVENT),
        "TranscriptionsTable.find": lambda: transcriptions.find("CA1", "GT1"),
        "TranscriptionsTable.open": lambda: transcriptions.open(TRANSCRIPTION),
        "TranscriptionsTable.settle": lambda: transcriptions.settle(TRANSCRIPTION, REPORT, TRANSCRIPTION, EVENT, ENTRY),
        "TranscriptionsTable.waiting": lambda: transcriptions.waiting(TRANSCRIPTION, after=0),
        "EventBridgeBus.publish": lambda: bus.publish([Announcement("a", "b", "{}", "2026-11-22T08:00:00.000Z")]),
        "SigningSecret.auth_tokens": lambda: SigningSecret(lambda: client, "signing secret").auth_tokens(),
        "SigningSecret.fresh_auth_tokens": lambda: SigningSecret(lambda: client, "signing secret").fresh_auth_tokens(),
        "RestSecret.credentials": lambda: RestSecret(lambda: client, "REST secret").credentials(),
        "RestSecret.fresh_credentials": lambda: RestSecret(lambda: client, "REST secret").fresh_credentials(),
        "NumberSettingsTable.all": before.all,
        "NumberSettingsTable.keep": lambda: before.keep(BEFORE),
        "NumberSettingsTable.forget": lambda: before.forget("+14155550100"),
    }


def texting(rest: TwilioRest) -> TwilioMessages:
    return TwilioMessages(rest, status_url="https://x/status", link=str)


ON_TWILIO: dict[str, Callable[[TwilioRest], Any]] = {
    "TwilioMessages.send": lambda rest: texting(rest).send(PART),
    "TwilioMessages.sent": lambda rest: texting(rest).sent(PART, since=NOW),
    "TwilioCalls.make": lambda rest: TwilioCalls(rest, webhook_url="https://x").make(REQUEST),
    "TwilioCalls.redirect": lambda rest: TwilioCalls(rest, webhook_url="https://x").redirect("CA1", twiml="<R/>"),
    "TwilioCalls.end": lambda rest: TwilioCalls(rest, webhook_url="https://x").end("CA1"),
    "TwilioCalls.limit": lambda rest: TwilioCalls(rest, webhook_url="https://x").limit("CA1", 60),
    "TwilioCalls.start_transcription": lambda rest: TwilioCalls(rest, webhook_url="https://x").start_transcription("CA1", {}),
    "TwilioCalls.stop_transcription": lambda rest: TwilioCalls(rest, webhook_url="https://x").stop_transcription("CA1", "GT1"),
    "TwilioCalls.fetch": lambda rest: TwilioCalls(rest, webhook_url="https://x").fetch("CA1"),
    "TwilioCalls.made": lambda rest: TwilioCalls(rest, webhook_url="https://x").made(REQUEST, since=NOW),
    "TwilioErasure.erase_message": lambda rest: TwilioErasure(rest).erase_message("SM1"),
    "TwilioErasure.erase_recording": lambda rest: TwilioErasure(rest).erase_recording("RE1"),
    "TwilioErasure.erase_call": lambda rest: TwilioErasure(rest).erase_call("CA1"),
    "TwilioRest.change": lambda rest: rest.change("it", lambda client: client.messages.create(to="x", from_="y", body="z")),
    "TwilioNumbers.find": lambda rest: TwilioNumbers(rest).find("+14155550100"),
    "TwilioNumbers.service_of": lambda rest: TwilioNumbers(rest).service_of(NUMBER),
    "TwilioNumbers.change": lambda rest: TwilioNumbers(rest).change(NUMBER, {"sms_url": ""}),
    "TwilioRest.settle": lambda rest: rest.settle("it", lambda client: client.messages.list(limit=1)),
    "TwilioRest.read": lambda rest: rest.read("it", lambda client: client.messages.list(limit=1)),
}
# Methods that reach nothing: they only compute, or build what a transaction then writes.
PURE = {
    *("CallsTable.know", "Claims.settle", "ConversationsTable.put_entry", "ConversationsTable.ttl", "OutboxTable.put"),
    "WebRtcVoiceActivity.is_voiced",
}
# Methods whose failure is an answer.
FAILS_SILENTLY = {"LambdaWarmer.warm"}

# Engines and agents fail in ways of their own, SpeechUnavailable and NoAnswer: test_polly.py, test_transcribe.py and
# test_agent_lambda.py hold them to that.
# What fetches people's media raises MediaNotTaken and MediaNotReady: test_twilio_media.py.
OF_ENGINES = (
    "LateSynthesizer.",
    "TwilioMedia.",
    "LambdaAgent.",
    "PollySynthesizer.",
    "TranscribeStreaming.",
    "TranscribedTurn.",
)

AWS_ERRORS = [
    botocore.exceptions.ClientError({"Error": {"Code": "AccessDeniedException", "Message": ""}}, "Operation"),
    botocore.exceptions.ClientError({"Error": {"Code": "InternalServerError", "Message": ""}}, "Operation"),
    botocore.exceptions.BotoCoreError(),
    botocore.exceptions.EndpointConnectionError(endpoint_url="https://aws"),
    botocore.exceptions.ConnectTimeoutError(endpoint_url="https://aws"),
    botocore.exceptions.ReadTimeoutError(endpoint_url="https://aws"),
    botocore.exceptions.ConnectionClosedError(endpoint_url="https://aws"),
    botocore.exceptions.HTTPClientError(error="broken"),
    botocore.exceptions.NoCredentialsError(),
    botocore.exceptions.ParamValidationError(report="wrong"),
]


def adapter_methods() -> set[str]:
    """Every public method of every adapter class."""
    modules = [
        importlib.import_module(f"{adapters.__name__}.{one.name}")
        for one in pkgutil.iter_modules(adapters.__path__)
        # Transcribe's SDK needs Python 3.12.
        if not one.name.startswith("transcribe") or importlib.util.find_spec("aws_sdk_transcribe_streaming")
    ]
    classes = [
        one
        for module in modules
        for _, one in inspect.getmembers(module, inspect.isclass)
        if one.__module__ == module.__name__ and not one.__name__.startswith("_") and not getattr(one, "_is_protocol", False)
    ]
    return {
        f"{one.__name__}.{name}"
        for one in classes
        if not issubclass(one, Exception)
        for name, member in vars(one).items()
        if inspect.isfunction(member) and not name.startswith("_")
    }


def test_every_method_of_every_adapter_is_held_to_this() -> None:
    held_here = {method for method in adapter_methods() if not method.startswith(OF_ENGINES)}

    assert held_here == on_aws(None).keys() | ON_TWILIO.keys() | PURE | FAILS_SILENTLY


@pytest.mark.parametrize("method", on_aws(None))
def test_every_failure_of_aws_is_storage_unavailable_with_its_cause(method: str) -> None:
    for error in AWS_ERRORS:
        with pytest.raises(StorageUnavailable) as raised:
            on_aws(Broken(error))[method]()

        assert raised.value.__cause__ is error


@pytest.mark.parametrize("error", AWS_ERRORS, ids=lambda error: type(error).__name__)
def test_what_cannot_be_warmed_is_an_answer(error: Exception) -> None:
    client: Any = Broken(error)

    assert LambdaWarmer(client).warm(["a", "b"]) == ["a", "b"]


def every_exception(module: Any, root: type[Exception]) -> Iterator[Exception]:
    kind: Any
    for _, kind in inspect.getmembers(module, inspect.isclass):
        if issubclass(kind, root):
            if issubclass(kind, json.JSONDecodeError):
                yield kind("broken", "", 0)
            elif issubclass(kind, twilio.base.exceptions.TwilioServiceException):
                yield kind(type_uri="about:blank", title="broken", status=500, code=20500)
            elif issubclass(kind, twilio.base.exceptions.TwilioRestException):
                yield kind(500, "/Messages")
            else:
                yield kind("broken")


TWILIO_ERRORS = [
    *every_exception(requests.exceptions, requests.exceptions.RequestException),
    *every_exception(twilio.base.exceptions, twilio.base.exceptions.TwilioException),
]


@pytest.mark.parametrize("error", TWILIO_ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("method", ON_TWILIO)
def test_every_failure_of_twilios_package_is_an_error_of_ours_with_its_cause(
    monkeypatch: pytest.MonkeyPatch, method: str, error: Exception
) -> None:
    def fail(*_args: Any, **_kwargs: Any) -> Any:
        raise error

    monkeypatch.setattr(requests.Session, "send", fail)
    rest = TwilioRest(ACCOUNT, FakeRestSecret(), pause=lambda _: None)

    with pytest.raises(PluginError) as raised:
        ON_TWILIO[method](rest)

    assert raised.value.__cause__ is error
