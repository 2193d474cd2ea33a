"""A relayed call through the handlers as `functions/` builds them: document, words, interruption, silence, hand-off, end."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from tests.unit.deployed import PUBLIC, SOCKET, THEIRS, Stack, webhook
from tests.unit.fakes import LambdaContext
from tests.unit.test_twiml import Verb, verbs
from tests.unit.test_wiring_calls import CALL, CONNECTION, HANGUP, OK, RINGING, token_in
from twilio_plugin.domain.media_stream import END_OF_STREAM
from twilio_plugin.errors import Misconfigured
from twilio_plugin.runtime.wiring import calls, relay, streams, upkeep

SESSION = "VX" + "1" * 32
RELAYED = "mode=relay"


@dataclass
class Phone:
    """A person's call to us, as Twilio, API Gateway and Lambda bring it to the functions."""

    stack: Stack
    context: LambdaContext

    def __post_init__(self) -> None:
        self.conversation_relay = relay.conversation_relay()

    def document(self, query: str = RELAYED, **fields: str) -> str:
        answer = calls.voice_webhook()(webhook(RINGING | fields, path="/voice", query=query), self.context)
        assert answer["statusCode"] == 200
        document: str = answer["body"]
        return document

    def receive(self, connection: str = CONNECTION, **message: Any) -> None:
        context = {"connectionId": connection, "routeKey": "$default", "eventType": "MESSAGE"}
        assert self.conversation_relay({"requestContext": context, "body": json.dumps(message)}, self.context) == OK

    def setup(self, token: str, connection: str = CONNECTION) -> None:
        self.receive(
            connection, type="setup", sessionId=SESSION, callSid=CALL, accountSid="AC1", customParameters={"token": token}
        )

    def call(self) -> str:
        """It comes in and has its session. All of that is looked at; the session's token."""
        token = token_in(self.document())
        self.setup(token)
        self.stack.announced()
        self.stack.invoked()
        self.timers()
        return token

    def prompt(self, words: str) -> None:
        self.receive(type="prompt", voicePrompt=words, lang="en-GB", last=True)

    def disconnect(self, connection: str = CONNECTION) -> None:
        context = {"connectionId": connection, "routeKey": "$disconnect", "eventType": "DISCONNECT"}
        assert streams.media_stream()({"requestContext": context}, self.context) == OK

    def timers(self) -> list[dict[str, Any]]:
        """What was set since the last look, as the queue delivers it; and `delay`, the seconds until then."""
        asked = [(one, json.loads(one.body)) for one in self.stack.aws.asked if '"MessageBody"' in one.body]
        self.stack.aws.asked = [one for one in self.stack.aws.asked if '"MessageBody"' not in one.body]
        assert {message["QueueUrl"] for _, message in asked} <= {self.stack.timers_url}
        return [
            {"messageId": "m", "receiptHandle": "r", "body": message["MessageBody"], "delay": message["DelaySeconds"]}
            for _, message in asked
        ]

    def ring(self, timer: dict[str, Any]) -> list[Any]:
        record = timer | {"attributes": {"ApproximateReceiveCount": "1"}}
        failed: list[Any] = relay.relay_timer()({"Records": [record]}, self.context)["batchItemFailures"]
        return failed

    def say(self, **request: Any) -> dict[str, Any]:
        return dict(streams.say()({"call_sid": CALL} | request, self.context))

    @property
    def stream(self) -> dict[str, Any]:
        found: dict[str, Any] = self.stack.kept(self.stack.calls)["STREAM#000"]
        return found

    def types(self) -> list[str]:
        return [detail_type for detail_type, _ in self.stack.announced()]

    def history(self) -> list[tuple[str, str]]:
        kept = self.stack.kept(self.stack.conversations)
        return [(kept[key]["direction"], kept[key]["body"]) for key in sorted(kept) if key.startswith("ENTRY#")]


@pytest.fixture
def phone(stack: Stack, context: LambdaContext, monkeypatch: pytest.MonkeyPatch) -> Phone:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", stack.aws.url)
    return Phone(stack, context)


# --------------------------------------------------------------------------------------------------------- the document


def test_twilio_greets_and_opens_a_session_with_what_the_stack_says_of_it(phone: Phone) -> None:
    document = phone.document()

    (connect,) = verbs(document)
    token: Verb = ("Parameter", {"name": "token", "value": token_in(document)}, "")
    attributes = {
        "url": SOCKET,
        "welcomeGreeting": "Hello.",
        "language": "en-GB",
        "interruptible": "any",
        "dtmfDetection": "true",
        "reportInputDuringAgentSpeech": "any",
        "events": "tokens-played",
        "applicationReconnect": "true",
    }
    action = f"{PUBLIC}/voice?mode=relay&leg=1&reopened=1#rc=1&rp=5xx,ct&rt=5000"
    assert connect == ("Connect", {"action": action, "method": "POST"}, [("ConversationRelay", attributes, [token])])
    assert phone.types() == ["CALL_RECEIVED"]
    warm = {"warm": True}
    assert phone.stack.invoked() == [("phone-conversation-relay", warm), ("phone-stream-authorizer", warm)]


def test_a_call_of_ours_is_not_greeted_and_recorded_by_its_document(phone: Phone) -> None:
    answered = {"Direction": "outbound-api", "CallStatus": "in-progress"}

    start, connect = verbs(phone.document("mode=relay&record=true", **answered))

    recording = {
        "recordingStatusCallback": f"{PUBLIC}/status#rc=3&rp=5xx,ct,rt",
        "recordingStatusCallbackEvent": "completed absent",
    }
    assert start == ("Start", {}, [("Recording", recording, "")])
    assert "welcomeGreeting" not in connect[2][0][1]


def test_attributes_that_are_none_are_said_as_the_function_starts(phone: Phone, monkeypatch: pytest.MonkeyPatch) -> None:
    for wrong in ("{", "[]", '{"a": 1}'):
        monkeypatch.setenv("RELAY_ATTRIBUTES", wrong)
        with pytest.raises(Misconfigured, match="RELAY_ATTRIBUTES"):
            calls.voice_webhook()


# ------------------------------------------------------------------------------------------------------------ the session


def test_a_session_is_kept_announced_and_watched(phone: Phone) -> None:
    token = token_in(phone.document())
    phone.stack.announced()

    for _ in range(2):
        phone.setup(token)

    assert (phone.stream["stream_sid"], phone.stream["mode"], phone.stream["connection_id"]) == (SESSION, "relay", CONNECTION)
    ((detail_type, detail),) = phone.stack.announced()
    assert (detail_type, detail["mode"], detail["from"]) == ("VOICE_STREAM_STARTED", "relay", THEIRS)
    (timer,) = phone.timers()
    assert (json.loads(timer["body"])["kind"], timer["delay"]) == ("reply", 30)
    assert phone.stack.sent() == []


def test_a_session_without_our_token_is_closed(phone: Phone) -> None:
    phone.document()

    phone.setup("0.99999999999.00")

    assert phone.stack.sent() == [("DELETE", CONNECTION, None)]
    assert set(phone.stack.kept(phone.stack.calls)) == {"CALL"}


def test_words_go_both_ways_and_what_was_heard_is_the_history(phone: Phone) -> None:
    phone.call()

    phone.prompt("Are you open?")
    said = phone.say(text="Yes. From nine to five.")
    phone.receive(type="info", name="tokensPlayed", value="Yes.")
    phone.receive(type="interrupt", utteranceUntilInterrupt="Yes. From nine", durationUntilInterruptMs=900)

    texts = [{"type": "text", "token": "Yes. ", "last": False}, {"type": "text", "token": "From nine to five.", "last": True}]
    assert phone.stack.sent() == [("POST", CONNECTION, text) for text in texts]
    assert phone.history() == [("inbound", "Are you open?"), ("outbound", "Yes. From nine")]
    ((detail_type, detail),) = phone.stack.announced()  # what was heard went to the bus itself
    assert (detail_type, detail["utterance_id"], detail["heard"]) == (
        "SPEECH_INTERRUPTED",
        said["utterance_id"],
        "Yes. From nine",
    )


def test_an_engine_that_is_not_there_is_not_missed(phone: Phone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNTHESIZER", "tests.unit.engines:Whistle")
    phone.call()

    assert phone.say(text="Good morning!")["status"] == "accepted"


@pytest.mark.parametrize(
    "message",
    [
        {"event": "connected", "protocol": "Call", "version": "1.0.0"},
        {"type": "error", "description": 'Invalid message received: {"token":"Your balance"}'},
        {"type": "prompt"},
        {"type": "prompt", "voicePrompt": "Hello?", "last": True},
        {"type": "interrupt", "utteranceUntilInterrupt": "Hello"},
        {"type": "info", "name": "tokensPlayed", "value": "Hello"},
        {"type": "dtmf", "digit": "1"},
        {"type": "somethingNew"},
    ],
)
def test_whatever_comes_over_a_connection_without_a_session_is_answered_and_changes_nothing(
    phone: Phone, message: dict[str, Any]
) -> None:
    phone.receive(**message)

    assert phone.stack.kept(phone.stack.calls) == {}
    assert phone.stack.sent() == []
    assert phone.types() == []


def test_a_message_that_cannot_be_kept_is_answered_too(phone: Phone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLS_TABLE", "nowhere")
    phone.conversation_relay = relay.conversation_relay()

    phone.prompt("Hello?")
    phone.setup("0.99999999999.00")


def test_keys_and_warm_ups_are_taken(phone: Phone) -> None:
    phone.call()

    phone.receive(type="dtmf", digit="5")

    ((detail_type, detail),) = phone.stack.announced()
    assert (detail_type, detail["digit"]) == ("DTMF_RECEIVED", "5")
    assert phone.conversation_relay({"warm": True}, phone.context) == OK


# ------------------------------------------------------------------------------------------- silence, and lost connections


def test_a_person_left_waiting_hears_a_sentence(phone: Phone, monkeypatch: pytest.MonkeyPatch) -> None:
    token = token_in(phone.document())
    phone.setup(token)
    (timer,) = phone.timers()
    phone.stack.announced()
    assert phone.ring(timer) == []
    assert "end" not in phone.stream

    monkeypatch.setenv("REPLY_TIMEOUT", "0")
    assert phone.ring(timer) == []

    assert phone.stack.sent() == [("POST", CONNECTION, {"type": "end"})]
    assert phone.types() == ["VOICE_STREAM_ENDED"]
    ended = {"CallStatus": "in-progress", "SessionId": SESSION, "SessionStatus": "ended", "SessionDuration": "30"}
    assert verbs(phone.document("mode=relay&leg=1&reopened=1", **ended)) == [("Say", {}, calls.SORRY), HANGUP]


def test_a_timer_that_cannot_be_looked_at_comes_back(phone: Phone, monkeypatch: pytest.MonkeyPatch) -> None:
    token_in(phone.document())
    phone.call()
    phone.prompt("Hello?")
    (timer,) = phone.timers()
    monkeypatch.setenv("CALLS_TABLE", "nowhere")

    assert phone.ring(timer) == [{"itemIdentifier": timer["messageId"]}]


def test_a_lost_connection_is_waited_for_and_the_session_goes_on_over_another(phone: Phone) -> None:
    token = phone.call()

    phone.disconnect()
    (timer,) = phone.timers()
    assert (json.loads(timer["body"])["kind"], timer["delay"]) == ("reconnect", 30)
    assert str(END_OF_STREAM) not in phone.stack.kept(phone.stack.frames)
    phone.setup(token, connection="next=")
    assert phone.ring(timer) == []
    phone.say(text="Still here.")

    assert [connection for _, connection, _ in phone.stack.sent()] == ["next="]
    assert phone.types() == []


def test_a_connection_that_does_not_come_back_was_the_end(phone: Phone) -> None:
    phone.call()
    phone.disconnect()
    (timer,) = phone.timers()

    phone.ring(timer)

    assert phone.stream["end"] == "closed"
    assert phone.types() == ["VOICE_STREAM_ENDED"]


# ------------------------------------------------------------------------------------------------------------------ ends


def over(phone: Phone, query: str = "mode=relay&leg=1&reopened=1", **fields: str) -> list[Verb]:
    """What Twilio is told to do when the session is over."""
    told = {"CallStatus": "in-progress", "SessionId": SESSION, "SessionStatus": "ended", "SessionDuration": "12"}
    return verbs(phone.document(query, **(told | fields)))


def test_a_hand_off_connects_the_person_and_is_told(phone: Phone) -> None:
    phone.call()
    handed_over = {"call_sid": CALL, "action": "hand_off", "to": "+14155550199", "handoff_data": {"reason": "billing"}}
    calls.control_call()(handed_over, phone.context)
    ((_, connection, message),) = phone.stack.sent()
    assert (connection, message["type"]) == (CONNECTION, "end")

    assert over(phone, HandoffData=message["handoffData"]) == [
        ("Dial", {"callerId": RINGING["To"]}, [("Number", {}, "+14155550199")])
    ]

    ((detail_type, detail),) = phone.stack.announced()
    assert (detail_type, detail["reason"]) == ("VOICE_STREAM_ENDED", "stopped")
    assert detail["handoff_data"] == {"reason": "billing", "to": "+14155550199"}


def test_a_hand_off_to_nobody_keeps_the_line_open_for_whoever_takes_over(phone: Phone) -> None:
    phone.call()

    assert over(phone, HandoffData="{}") == [("Pause", {"length": "30"}, "")]


def test_a_session_that_broke_has_a_successor(phone: Phone) -> None:
    phone.call()

    (connect,) = over(phone, SessionStatus="failed", ErrorCode="64105", ErrorMessage="The socket ended.")

    assert "leg=2&reopened=2" in connect[1]["action"]
    assert "welcomeGreeting" not in connect[2][0][1]
    ((_, detail),) = phone.stack.announced()
    assert detail["reason"] == "failed"


def test_a_session_that_breaks_again_and_again_has_none(phone: Phone) -> None:
    phone.call()

    verbs_ = over(phone, "mode=relay&leg=6&reopened=6", SessionStatus="failed", ErrorCode="64101")

    assert [verb[0] for verb in verbs_] == ["Say", "Hangup"]


def test_when_the_person_has_hung_up_the_session_is_over_with_the_call(phone: Phone) -> None:
    phone.call()

    assert over(phone, CallStatus="completed", SessionStatus="completed") == [HANGUP]

    ((_, detail),) = phone.stack.announced()
    assert detail["reason"] == "call_ended"


def test_twilio_may_ask_twice_what_comes_next(phone: Phone) -> None:
    phone.call()

    first, second = (over(phone, HandoffData='{"a": 1}') for _ in range(2))

    assert first == second
    assert phone.types() == ["VOICE_STREAM_ENDED"]


def test_the_end_of_another_session_ends_nothing(phone: Phone) -> None:
    phone.call()

    over(phone, SessionId="VX" + "2" * 32)

    assert "end" not in phone.stream


def test_a_calls_end_is_its_sessions_end(phone: Phone) -> None:
    phone.call()

    upkeep.status_webhook()(webhook(RINGING | {"CallStatus": "completed", "CallDuration": "60"}, path="/status"), phone.context)

    assert phone.types() == ["CALL_ENDED", "VOICE_STREAM_ENDED"]
    assert phone.stack.kept(phone.stack.frames) == {}
