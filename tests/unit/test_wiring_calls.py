"""A streamed call through the handlers as `functions/` builds them: document, handshake, audio, words, marks, keys, end."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from typing import Any

import pytest

from tests.unit.deployed import OURS, PUBLIC, SOCKET, THEIRS, Stack, webhook
from tests.unit.fakes import LambdaContext
from tests.unit.http_server import Answer
from tests.unit.test_twilio_signature import Fields, sign
from tests.unit.test_twiml import Verb, verbs
from tests.unit.test_websocket import Remaining
from twilio_plugin.domain.media_stream import END_OF_STREAM
from twilio_plugin.errors import Misconfigured, NoMediaStream, SpeechUnavailable, StorageUnavailable
from twilio_plugin.runtime.wiring import calls, parts, streams, upkeep

CALL, STREAM, CONNECTION = "CA" + "1" * 32, "MZ" + "1" * 32, "L0SM9cOFvHcCIhw="
RINGING = {"AccountSid": "AC1", "CallSid": CALL, "CallStatus": "ringing", "Direction": "inbound", "From": THEIRS, "To": OURS}
METHOD = "arn:aws:execute-api:eu-central-1:123456789012:abc123/live/$connect"
EXPIRES_AT = "1795346021"
OK = {"statusCode": 200}
HANGUP: Verb = ("Hangup", {}, "")


def token_in(document: str) -> str:
    """The stream's token in a document."""
    (found,) = re.findall(r'name="token" value="([^"]+)"', document)
    return str(found)


@dataclass
class Phone:
    """A person's call to us, as Twilio, API Gateway and Lambda bring it to the functions."""

    stack: Stack
    context: LambdaContext

    def __post_init__(self) -> None:
        self.media_stream = streams.media_stream()
        parts.signing_secret.cache_clear()  # the webhook is another process

    def document(self, *, query: str = "", token: str = "first") -> str:
        """What the call is told to do."""
        answer = calls.voice_webhook()(webhook(RINGING, path="/voice", query=query, token=token), self.context)
        assert (answer["statusCode"], answer["headers"]["content-type"]) == (200, "text/xml; charset=utf-8")
        document: str = answer["body"]
        return document

    def stream_token(self, *, query: str = "", token: str = "first") -> str:
        """What the document gives its stream along."""
        return token_in(self.document(query=query, token=token))

    def receive(self, event: str, *, connection: str = CONNECTION, **content: Any) -> None:
        """A message on the socket."""
        context = {"connectionId": connection, "routeKey": event, "eventType": "MESSAGE"}
        body = {"event": event, "sequenceNumber": "7", "streamSid": STREAM} | content
        authorizer = {"expires_at": EXPIRES_AT}
        message = {"requestContext": context | {"authorizer": authorizer}, "body": json.dumps(body)}
        assert self.media_stream(message, self.context) == OK

    def start(self, token: str, *, connection: str = CONNECTION, stream: str = STREAM) -> None:
        start = {
            "accountSid": "AC1",
            "callSid": CALL,
            "streamSid": stream,
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
            "customParameters": {"token": token},
        }
        self.receive("start", connection=connection, start=start)

    def disconnect(self) -> None:
        context = {"connectionId": CONNECTION, "routeKey": "$disconnect", "eventType": "DISCONNECT"}
        assert self.media_stream({"requestContext": context}, self.context) == OK

    def call(self) -> None:
        """It comes in and has its stream; a session is appointed. All of that is looked at."""
        self.start(self.stream_token())
        self.stack.announced()
        self.stack.invoked()
        self.stack.sent()

    def report(self, **fields: str) -> dict[str, Any]:
        """A status callback."""
        return dict(upkeep.status_webhook()(webhook(RINGING | fields, path="/status"), self.context))

    @property
    def stream(self) -> dict[str, Any]:
        found: dict[str, Any] = self.stack.kept(self.stack.calls)["STREAM#000"]
        return found

    def end_mark(self) -> dict[str, Any] | None:
        found: dict[str, Any] | None = self.stack.kept(self.stack.frames).get(str(END_OF_STREAM))
        return found

    def say(self, **request: Any) -> dict[str, Any]:
        return dict(streams.say()({"call_sid": CALL} | request, self.context))


@pytest.fixture
def phone(stack: Stack, context: LambdaContext) -> Phone:
    return Phone(stack, context)


def types(phone: Phone) -> list[str]:
    return [detail_type for detail_type, _ in phone.stack.announced()]


# --------------------------------------------------------------------------------------------------------- the document


def test_a_caller_is_greeted_and_heard_while_what_hears_wakes_up(phone: Phone) -> None:
    document = phone.document()

    say, connect, redirect = verbs(document)
    assert say == ("Say", {}, "Hello.")
    token: Verb = ("Parameter", {"name": "token", "value": token_in(document)}, "")
    stream: Verb = ("Stream", {"url": SOCKET, "statusCallback": f"{PUBLIC}/status#rc=3&rp=5xx,ct,rt"}, [token])
    assert connect == ("Connect", {}, [stream])
    assert redirect == ("Redirect", {"method": "POST"}, f"{PUBLIC}/voice?mode=stream&leg=1&reopened=1#rc=1&rp=5xx,ct&rt=5000")
    assert types(phone) == ["CALL_RECEIVED"]
    warm = {"warm": True}
    assert phone.stack.invoked() == [
        ("phone-call-session", warm),
        ("phone-media-stream", warm),
        ("phone-stream-authorizer", warm),
    ]


def test_functions_that_cannot_be_woken_keep_nobody_waiting(phone: Phone) -> None:
    phone.stack.aws.script = [Answer(403, "{}")]

    assert [verb[0] for verb in verbs(phone.document())] == ["Say", "Connect", "Redirect"]


def test_a_call_whose_storage_fails_is_apologized_to(phone: Phone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLS_TABLE", "nowhere")

    assert verbs(phone.document()) == [("Say", {}, calls.SORRY), HANGUP]
    assert types(phone) == []


def test_a_stranger_gets_no_document(phone: Phone) -> None:
    answer = calls.voice_webhook()(webhook(RINGING, path="/voice", token="guessed"), phone.context)

    assert answer["statusCode"] == 403
    assert phone.stack.kept(phone.stack.calls) == {}


# ---------------------------------------------------------------------------------------------------------- the handshake


def handshake(token: str, url: str = SOCKET) -> dict[str, Any]:
    context = {"routeKey": "$connect", "domainName": "abc123.execute-api.eu-central-1.amazonaws.com", "stage": "live"}
    return {"methodArn": METHOD, "headers": {"X-Twilio-Signature": sign(url, Fields([]), token)}, "requestContext": context}


def effects(phone: Phone, *tokens: str) -> list[str]:
    authorizer = streams.stream_authorizer()
    answers = [authorizer(handshake(token), phone.context) for token in tokens]
    return [answer["policyDocument"]["Statement"][0]["Effect"] for answer in answers]


def test_twilio_is_let_in_and_nobody_else(phone: Phone) -> None:
    assert effects(phone, "first", "guessed", "") == ["Allow", "Deny", "Deny"]


def test_both_tokens_let_twilio_in_while_one_replaces_the_other(phone: Phone) -> None:
    phone.stack.rotate("second", "first")

    assert effects(phone, "first", "second", "third") == ["Allow", "Allow", "Deny"]


def test_a_secret_that_is_not_there_lets_nobody_in(phone: Phone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWILIO_SECRET", "nowhere")

    assert effects(phone, "first") == ["Deny"]


# -------------------------------------------------------------------------------------------------------------- the start


def test_a_stream_with_the_documents_token_is_kept_announced_and_listened_to(phone: Phone) -> None:
    token = phone.stream_token()
    phone.stack.announced()
    phone.stack.invoked()

    for _ in range(2):
        phone.start(token)

    stream = phone.stream
    assert (stream["stream_sid"], stream["connection_id"]) == (STREAM, CONNECTION)
    assert (stream["session_state"], stream["active"], stream["restarts"]) == ("appointed", "stream", "0")
    session = {"call_sid": CALL, "leg": 0, "session_id": stream["session_id"]}
    assert phone.stack.invoked() == [("phone-call-session", session)]
    ((detail_type, detail),) = phone.stack.announced()
    assert (detail_type, detail["stream_sid"], detail["from"]) == ("VOICE_STREAM_STARTED", STREAM, THEIRS)
    assert phone.stack.sent() == []


def test_the_next_leg_has_a_token_of_its_own(phone: Phone) -> None:
    phone.call()

    phone.start(phone.stream_token(query="leg=1&reopened=1"), connection="next=", stream="MZ" + "2" * 32)

    assert phone.stack.kept(phone.stack.calls)["STREAM#001"]["connection_id"] == "next="


@pytest.mark.parametrize("wrong", ["", "0.99999999999.00"])
def test_a_stream_without_our_token_is_closed_and_nothing_is_kept_of_it(phone: Phone, wrong: str) -> None:
    phone.document()
    phone.stack.announced()
    phone.stack.invoked()

    phone.start(wrong)

    assert phone.stack.sent() == [("DELETE", CONNECTION, None)]
    assert set(phone.stack.kept(phone.stack.calls)) == {"CALL"}
    assert types(phone) == []
    assert phone.stack.invoked() == []


def test_a_token_made_under_the_secret_before_opens_its_stream(phone: Phone) -> None:
    token = phone.stream_token()
    phone.stack.rotate("second", "first")

    phone.start(token)

    assert phone.stream["connection_id"] == CONNECTION


def test_a_token_made_under_a_secret_that_was_rotated_since_is_found_at_a_second_look(phone: Phone) -> None:
    phone.call()
    phone.stack.rotate("second")

    phone.start(phone.stream_token(query="leg=1&reopened=1", token="second"), connection="next=", stream="MZ" + "2" * 32)

    assert phone.stack.kept(phone.stack.calls)["STREAM#001"]["connection_id"] == "next="


def test_where_no_session_starts_the_socket_is_closed(phone: Phone) -> None:
    token = phone.stream_token()
    phone.stack.aws.script = [Answer(403, "{}"), Answer(200, "{}")]

    phone.start(token)

    assert phone.stack.sent() == [("DELETE", CONNECTION, None)]


# -------------------------------------------------------------------------------------------------------- audio and words


def frame(phone: Phone, number: str, **more: Any) -> None:
    """A frame of silence, where a function stores it."""
    context = {"connectionId": CONNECTION, "routeKey": "media", "authorizer": {"expires_at": EXPIRES_AT}}
    media = {"track": "inbound", "chunk": "1", "timestamp": "5", "payload": base64.b64encode(b"\xff" * 160).decode()}
    body = {"event": "media", "sequenceNumber": number, "media": media, "streamSid": STREAM} | more
    assert streams.frame_ingest()({"requestContext": context, "body": json.dumps(body)}, phone.context) == OK


def test_a_frame_is_kept_once_where_the_session_reads_and_what_is_none_is_not(phone: Phone) -> None:
    for _ in range(2):
        frame(phone, "2")
    frame(phone, "3", media={})

    frames = phone.stack.kept(phone.stack.frames)
    assert set(frames) == {"2"}
    assert (frames["2"]["connection_id"], frames["2"]["payload"], frames["2"]["ttl"]) == (CONNECTION, b"\xff" * 160, EXPIRES_AT)


def said(phone: Phone) -> list[tuple[str, str]]:
    """What was sent to the person: ``media`` with the audio's length and beginning, ``mark`` with its name, ``clear``."""
    found = []
    for method, connection, message in phone.stack.sent():
        assert (method, connection, message["streamSid"]) == ("POST", CONNECTION, STREAM)
        audio = base64.b64decode(message["media"]["payload"]) if "media" in message else b""
        what = f"{len(audio)} {audio[:2].decode()}" if audio else message.get("mark", {}).get("name", "")
        found.append((message["event"], what))
    return found


def test_words_are_spoken_by_the_engine_of_the_stacks_choice_and_what_was_heard_is_told(phone: Phone) -> None:
    phone.call()

    answer = phone.say(text="Good morning!")

    assert (answer["status"], answer["call_sid"]) == ("accepted", CALL)
    name = answer["utterance_id"]
    assert said(phone) == [("media", "8000 eW"), ("mark", f"{name}:1"), ("media", "2400 eW"), ("mark", f"{name}:2")]
    assert phone.stream["saying"] == "Good morning!"
    phone.receive("mark", mark={"name": f"{name}:1"})
    assert phone.stack.kept(phone.stack.calls)[f"UTTERANCE#{name}"]["heard"] == "1"
    assert types(phone) == []

    phone.receive("mark", mark={"name": f"{name}:2"})

    ((detail_type, detail),) = phone.stack.announced()
    assert (detail_type, detail["text"], detail["duration_ms"]) == ("SPEECH_PLAYED", "Good morning!", 1300)
    (turn,) = phone.stack.kept(phone.stack.conversations).values()
    assert (turn["body"], turn["direction"], turn["call_sid"]) == ("Good morning!", "outbound", CALL)


def test_a_key_is_announced_and_interrupts(phone: Phone) -> None:
    phone.call()
    phone.say(text="Good morning!")
    phone.stack.sent()

    phone.receive("dtmf", dtmf={"track": "inbound_track", "digit": "5"})

    assert said(phone) == [("clear", "")]
    (key_type, key), (interrupted_type, interrupted) = phone.stack.announced()
    assert (key_type, key["digit"]) == ("DTMF_RECEIVED", "5")
    assert (interrupted_type, interrupted["cause"]) == ("SPEECH_INTERRUPTED", "key")
    assert phone.stream["generation"] == "1"


def test_a_message_that_api_gateway_answered_with_an_error_is_not_sent_again(phone: Phone) -> None:
    """It may have been delivered: the person would hear it twice."""
    phone.call()
    phone.stack.aws.script = [Answer(500, "{}")]

    with pytest.raises(StorageUnavailable):
        phone.say(text="Good morning!")

    assert len(phone.stack.sent()) == 1


def test_nothing_is_said_where_nobody_listens(phone: Phone) -> None:
    phone.document()

    with pytest.raises(NoMediaStream):
        phone.say(text="Good morning!")


def test_an_engine_that_stumbles_leaves_what_it_had_said(phone: Phone) -> None:
    phone.call()

    with pytest.raises(SpeechUnavailable):
        phone.say(text="Hello. This is unspeakable.")

    (utterance,) = (one for sk, one in phone.stack.kept(phone.stack.calls).items() if sk.startswith("UTTERANCE#"))
    assert (utterance["state"], utterance["complete"]) == ("speaking", True)
    assert [event for event, _ in said(phone)] == ["media", "mark"]


def test_an_engine_that_is_not_there_is_said_at_the_first_word(phone: Phone, monkeypatch: pytest.MonkeyPatch) -> None:
    """And not before: calls in which Twilio speaks need none."""
    monkeypatch.setenv("SYNTHESIZER", "tests.unit.engines:Whistle")
    phone.call()

    with pytest.raises(Misconfigured, match="Whistle"):
        phone.say(text="Good morning!")

    assert phone.stack.sent() == []


def test_a_session_hears_all_there_is_and_ends_the_stream_once(phone: Phone) -> None:
    phone.call()
    frame(phone, "2")
    phone.receive("stop", sequenceNumber="3", stop={})
    call_session = streams.call_session()
    payload = {"call_sid": CALL, "leg": 0, "session_id": phone.stream["session_id"]}

    for _ in range(2):
        call_session(payload, Remaining())

    assert (phone.stream["end"], phone.stream["frames"], phone.stream["session_state"]) == ("stopped", "1", "running")
    assert types(phone) == ["VOICE_STREAM_ENDED"]


# ---------------------------------------------------------------------------------------------------------------- the end


def test_twilios_stop_is_written_behind_the_audio_for_the_session_and_a_closed_socket_changes_it_no_more(phone: Phone) -> None:
    phone.call()

    phone.receive("stop", sequenceNumber="42", stop={"accountSid": "AC1", "callSid": CALL})
    phone.disconnect()

    mark = phone.end_mark()
    assert mark
    assert (mark["connection_id"], mark["end"], mark["last"]) == (CONNECTION, "stopped", "42")
    assert "ended_at" not in phone.stream
    assert types(phone) == []


def test_a_closed_socket_ends_a_stream_as_well(phone: Phone) -> None:
    phone.call()

    phone.disconnect()

    mark = phone.end_mark()
    assert mark
    assert (mark["end"], mark.get("last")) == ("closed", None)


def test_what_comes_over_a_connection_that_carries_no_stream_changes_nothing(phone: Phone) -> None:
    phone.disconnect()
    phone.receive("stop", stop={})
    phone.receive("mark", mark={"name": "a:1"})
    phone.receive("dtmf", dtmf={"digit": "1"})

    assert phone.stack.kept(phone.stack.calls) == {}
    assert phone.stack.kept(phone.stack.frames) == {}
    assert phone.stack.sent() == []
    assert types(phone) == []


def died(session_id: str) -> dict[str, Any]:
    """Lambda's on-failure destination."""
    payload = {"call_sid": CALL, "leg": 0, "session_id": session_id}
    return {"requestContext": {"condition": "RetriesExhausted"}, "requestPayload": payload}


def test_a_session_that_died_has_a_successor(phone: Phone) -> None:
    phone.call()
    dead = phone.stream["session_id"]

    for _ in range(2):
        assert phone.media_stream(died(dead), phone.context) == OK

    successor = phone.stream["session_id"]
    assert successor != dead
    assert phone.stream["restarts"] == "1"
    assert phone.stack.invoked() == [("phone-call-session", {"call_sid": CALL, "leg": 0, "session_id": successor})]


def test_a_session_that_could_not_be_replaced_is_lambdas_to_try_again(phone: Phone) -> None:
    phone.call()
    dead = phone.stream["session_id"]
    phone.stack.aws.script = [Answer(403, "{}")]

    with pytest.raises(StorageUnavailable):
        phone.media_stream(died(dead), phone.context)

    assert phone.stream["session_id"] == dead


# --------------------------------------------------------------------------------------------------- the status callbacks


def test_a_calls_end_is_its_streams_end(phone: Phone) -> None:
    phone.call()

    assert phone.report(CallStatus="completed", CallDuration="60") == {"statusCode": 204}

    assert types(phone) == ["CALL_ENDED"]
    mark = phone.end_mark()
    assert mark
    assert mark["end"] == "call_ended"


def test_a_call_that_goes_on_ends_no_stream(phone: Phone) -> None:
    phone.call()

    assert phone.report(CallStatus="in-progress") == {"statusCode": 204}

    assert phone.end_mark() is None


@pytest.mark.parametrize(
    ("fields", "end"),
    [
        ({"StreamEvent": "stream-started"}, None),
        ({"StreamEvent": "stream-stopped"}, "stopped"),
        ({"StreamEvent": "stream-error", "StreamError": "31921 - Stream"}, "failed"),
    ],
)
def test_a_streams_status_is_its_end_if_it_says_so(phone: Phone, fields: dict[str, str], end: str | None) -> None:
    phone.call()

    assert phone.report(StreamSid=STREAM, **fields) == {"statusCode": 204}

    assert (phone.end_mark() or {}).get("end") == end
    assert phone.stack.kept(phone.stack.calls)["CALL"]["status"] == "in-progress"


def test_a_stream_that_nobody_listens_to_ends_with_all_that_was_being_said(
    phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone.call()
    name = phone.say(text="Good morning!")["utterance_id"]
    phone.receive("mark", mark={"name": f"{name}:1"})
    monkeypatch.setattr("twilio_plugin.services.end_stream.is_heard", lambda *_: False)

    assert phone.report(StreamSid=STREAM, StreamEvent="stream-stopped") == {"statusCode": 204}

    assert types(phone) == ["SPEECH_INTERRUPTED", "VOICE_STREAM_ENDED"]
    assert phone.stream["end"] == "stopped"
    (turn,) = phone.stack.kept(phone.stack.conversations).values()
    assert turn["body"] == "Good"


def test_a_recording_is_kept_and_announced_once(phone: Phone) -> None:
    phone.call()
    recording = {"RecordingSid": "RE1", "RecordingStatus": "completed", "RecordingUrl": "https://api.twilio.com/RE1"}

    for _ in range(2):
        assert phone.report(**recording) == {"statusCode": 204}

    assert types(phone) == ["CALL_RECORDED"]
    assert "RECORDING#RE1#completed" in phone.stack.kept(phone.stack.calls)


def test_who_answered_a_call_that_did_not_ask_is_tried_again_by_twilio(phone: Phone) -> None:
    phone.call()
    form = {name: value for name, value in RINGING.items() if name != "CallStatus"} | {"AnsweredBy": "human"}

    answer = upkeep.status_webhook()(webhook(form, path="/status"), phone.context)

    assert answer["statusCode"] == 503
    assert types(phone) == []


def test_a_messages_status_is_none_of_a_calls(phone: Phone) -> None:
    status = {"AccountSid": "AC1", "From": OURS, "MessageSid": "SM2", "MessageStatus": "delivered", "To": THEIRS}

    answer = upkeep.status_webhook()(webhook(status, path="/status"), phone.context)

    assert answer == {"statusCode": 204}
    assert types(phone) == ["SMS_STATUS_CHANGED"]


# ------------------------------------------------------------------------------------------------------ reading and telling


def test_a_call_is_shown_with_what_is_said_in_it(phone: Phone) -> None:
    phone.call()
    phone.say(text="Good morning!")
    call_state = calls.call_state()

    for request in ({}, {"call_sid": CALL}):
        answer = call_state(request, phone.context)
        assert answer["calls"][0]["stream"]["saying"] == "Good morning!"
        assert 'saying "Good morning!"' in answer["text"]


def test_a_stream_that_nobody_ended_is_ended_by_reconciliation(phone: Phone) -> None:
    phone.call()
    assert upkeep.reconcile()({}, phone.context)["streams_ended"] == 0
    key = {"call_sid": {"S": CALL}, "sk": {"S": "STREAM#000"}}
    phone.stack.dynamodb.update_item(
        TableName=phone.stack.calls,
        Key=key,
        UpdateExpression="SET started_at = :then",
        ExpressionAttributeValues={":then": {"S": "2020-01-01T00:00:00.000Z"}},
    )

    assert upkeep.reconcile()({}, phone.context)["streams_ended"] == 1
    assert types(phone) == ["VOICE_STREAM_ENDED"]
    assert phone.stream["end"] == "lost"
