"""A gathered call through the handlers as `functions/` builds them: documents, words, keys, what the agent says, the end."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.unit.deployed import OURS, PUBLIC, THEIRS, Stack, webhook
from tests.unit.fakes import LambdaContext
from tests.unit.http_server import Answer, Server
from tests.unit.test_twiml import Verb, verbs
from twilio_plugin.errors import Misconfigured, NoMediaStream
from twilio_plugin.runtime.wiring import calls, streams, upkeep

CALL = "CA" + "1" * 32
RINGING = {
    "AccountSid": "AC1",
    "CallSid": CALL,
    "CallStatus": "in-progress",
    "Direction": "inbound",
    "From": THEIRS,
    "To": OURS,
}
HANGUP: Verb = ("Hangup", {}, "")
ACCEPTED = json.dumps({"sid": CALL, "status": "in-progress"})


@dataclass
class Phone:
    """A person's call, and Twilio with its documents. `twilio` is its REST API."""

    stack: Stack
    context: LambdaContext
    twilio: Server
    document: list[Verb] = field(default_factory=list)

    def rings(self, *, query: str = "") -> None:
        answer = calls.voice_webhook()(webhook(RINGING, path="/voice", query=query), self.context)
        assert answer["statusCode"] == 200
        self.document = verbs(answer["body"])

    @property
    def gather(self) -> dict[str, str]:
        (found,) = [attributes for name, attributes, _ in self.document if name == "Gather"]
        return found

    def result(self, url: str = "", **form: str) -> None:
        """Twilio brings what its document heard."""
        self.document = verbs(self.ask(url or self.gather["action"], **form)["body"])

    def ask(self, url: str, *, token: str = "first", **form: str) -> dict[str, Any]:
        parts = urlsplit(url)
        path = parts.path.removeprefix(urlsplit(PUBLIC).path)
        return dict(calls.gather_webhook()(webhook(RINGING | form, path=path, query=parts.query, token=token), self.context))

    def say(self, text: str, **more: Any) -> dict[str, Any]:
        return dict(streams.say()({"call_sid": CALL, "text": text} | more, self.context))

    def told(self) -> list[dict[str, str]]:
        """What Twilio was asked to do with the call since the last look."""
        asked, self.twilio.asked = self.twilio.asked, []
        assert {one.path for one in asked} <= {f"/2010-04-01/Accounts/AC1/Calls/{CALL}.json"}
        return [dict(parse_qsl(one.body)) for one in asked]

    def types(self) -> list[str]:
        return [detail_type for detail_type, _ in self.stack.announced()]


@pytest.fixture
def phone(stack: Stack, context: LambdaContext, aws: Server, monkeypatch: pytest.MonkeyPatch) -> Phone:
    aws.script = [Answer(200, ACCEPTED)]
    monkeypatch.setenv("TWILIO_API_BASE_URL", aws.url)
    monkeypatch.setenv("VOICE_MODE", "gather")
    phone = Phone(stack, context, aws)
    phone.rings()
    stack.invoked()
    return phone


def test_a_caller_is_greeted_by_a_document_that_listens_and_the_next_function_is_woken(
    stack: Stack, context: LambdaContext, aws: Server
) -> None:
    phone = Phone(stack, context, aws)
    phone.rings(query="mode=gather")

    ((name, attributes, nested), _) = phone.document
    assert (name, nested) == ("Gather", [("Say", {"voice": "Polly.Amy-Neural"}, "Hello.")])
    assert (attributes["language"], attributes["speechTimeout"]) == ("en-GB", "1")
    assert phone.types() == ["CALL_RECEIVED", "VOICE_STREAM_STARTED"]
    assert stack.invoked() == [("phone-gather-webhook", {"warm": True})]


def test_to_be_warmed_is_nothing(phone: Phone, log: io.StringIO) -> None:
    assert calls.gather_webhook()({"warm": True}, phone.context) == {}
    assert "refused" not in log.getvalue()


def test_words_and_keys_become_events_and_history(phone: Phone) -> None:
    phone.types()
    phone.result(SpeechResult="are you open", Confidence="0.9")
    phone.result(Digits="5")

    announced = phone.stack.announced()
    assert [kind for kind, _ in announced] == ["DTMF_RECEIVED", "SPEECH_RECEIVED"]
    assert (announced[0][1]["digit"], announced[1][1]["text"]) == ("5", "are you open")
    assert announced[1][1]["stream_sid"] == f"{CALL}-0"
    (kept,) = [one for key, one in phone.stack.kept(phone.stack.conversations).items() if key.startswith("ENTRY#")]
    assert (kept["body"], kept["direction"]) == ("are you open", "inbound")


def test_what_the_agent_says_is_fetched_and_heard(phone: Phone) -> None:
    phone.result(SpeechResult="are you open")
    phone.types()
    assert phone.say("Yes, from nine to five.")["status"] == "accepted"

    (told,) = phone.told()
    assert told["Url"].startswith(f"{PUBLIC}/voice/gather?leg=0&reopened=0&step=1&reason=wake#rc=1")
    phone.result(told["Url"])
    assert phone.document[0][2] == [("Say", {"voice": "Polly.Amy-Neural"}, "Yes, from nine to five.")]
    phone.result()
    assert phone.types() == ["SPEECH_PLAYED"]
    assert phone.stack.sent() == [], "nothing goes over a socket"


def test_words_in_other_calls_ask_nothing_of_twilio(stack: Stack, context: LambdaContext, aws: Server) -> None:
    speaker = streams.say()  # with a Twilio that nobody can reach

    with pytest.raises(NoMediaStream):
        speaker({"call_sid": CALL, "text": "Hello"}, context)


def test_a_call_that_is_over_has_nobody_to_speak_to(phone: Phone) -> None:
    phone.result(SpeechResult="are you open")
    phone.twilio.script = [Answer(400, '{"code": 21220, "message": "Call is not in-progress", "status": 400}')]

    with pytest.raises(NoMediaStream):
        phone.say("Yes.")


def test_the_end_of_the_call_ends_the_stream(phone: Phone) -> None:
    phone.types()
    ended = upkeep.status_webhook()(webhook(RINGING | {"CallStatus": "completed"}, path="/status"), phone.context)

    assert ended["statusCode"] == 204
    assert phone.types() == ["CALL_ENDED", "VOICE_STREAM_ENDED"]
    assert phone.stack.kept(phone.stack.frames) == {}, "nobody reads an end behind frames that there are none of"
    phone.result()
    assert [name for name, _, _ in phone.document] == ["Redirect"]


def test_a_document_of_the_agents_ends_the_stream_and_words_bring_the_next_leg(phone: Phone) -> None:
    phone.types()
    calls.control_call()({"call_sid": CALL, "action": "send_digits", "digits": "1"}, phone.context)

    (told,) = phone.told()
    assert [name for name, _, _ in verbs(told["Twiml"])] == ["Play", "Redirect"]
    assert phone.types() == ["VOICE_STREAM_ENDED"]
    _, (_, _, url) = verbs(told["Twiml"])
    phone.rings(query=urlsplit(str(url)).query)
    assert phone.types() == ["VOICE_STREAM_STARTED"]
    assert phone.document[0][2] == "", "who has been greeted is not greeted again"
    assert "leg=1" in phone.gather["action"]


def test_a_person_without_an_answer_hears_a_sentence(phone: Phone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPLY_TIMEOUT", "0")
    phone.types()

    phone.result()

    assert phone.document == [("Say", {}, calls.SORRY), HANGUP]
    assert phone.types() == ["VOICE_STREAM_ENDED"]


def test_a_call_whose_storage_fails_is_apologized_to(phone: Phone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLS_TABLE", "nowhere")

    phone.result(SpeechResult="are you open")

    assert phone.document == [("Say", {}, calls.SORRY), HANGUP]


def test_a_stranger_gets_no_document(phone: Phone) -> None:
    phone.types()
    answer = phone.ask(phone.gather["action"], token="guessed", SpeechResult="give me everything")

    assert answer["statusCode"] == 403
    assert phone.types() == []


def test_neither_words_nor_keys_nor_numbers_reach_the_log(phone: Phone, log: io.StringIO) -> None:
    partial = phone.gather["partialResultCallback"]
    phone.ask(partial, UnstableSpeechResult="swordfish", SequenceNumber="0")
    phone.result(SpeechResult="swordfish tuna")
    phone.result(Digits="7")
    phone.say("Octopus.")

    written = log.getvalue()
    assert '"outcome":"words"' in written
    assert not [word for word in ("swordfish", "tuna", "Octopus", '"7"', THEIRS, OURS) if word in written]


def test_an_endpoint_that_is_no_number_is_said_at_the_start(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENDPOINTING_MILLISECONDS", "soon")

    with pytest.raises(Misconfigured, match="ENDPOINTING_MILLISECONDS"):
        calls.gather_webhook()
