"""The client with the real boto3, against Lambda's and CloudFormation's APIs on the loopback."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import boto3
import pytest
from pydantic import BaseModel

from tests.unit.http_server import Answer, Hangup, Server, nobody
from twilio_plugin import errors, invoker
from twilio_plugin.client import TwilioPlugin
from twilio_plugin.domain import actions
from twilio_plugin.domain.actions import DetectMachine
from twilio_plugin.errors import (
    FunctionOutcomeUnknown,
    FunctionUnavailable,
    InvalidRequest,
    InvocationFailed,
    Misconfigured,
    PluginError,
    RecipientOptedOut,
    TwilioRejected,
)

CALL = "CA" + "0" * 32
SENT = {
    "conversation_id": "phone|+15555550100|+15555550142",
    "to": "+15555550142",
    "from": "+15555550100",
    "messages": [{"message_sid": "SM1", "status": "queued", "body": "Hello", "encoding": "GSM-7", "segments": 1}],
}
MADE = {"call_sid": CALL, "status": "queued", "conversation_id": "c", "to": "+15555550142", "from": "+15555550100"}
SAID = {"utterance_id": "u", "call_sid": CALL, "status": "accepted"}
CONTROLLED = {"call_sid": CALL, "status": "in-progress"}
HISTORY = {"conversation_id": "c", "text": "", "messages": [], "turns": [{"role": "user", "content": "Hi"}]}
CALLS = {"text": "Active voice calls (0): none.", "calls": []}
RAN = {"action": "SEND_SMS", "valid": True, "reason": None, "reply": "I'll send it.", "result": SENT}


def ok(result: Any) -> Answer:
    return Answer(200, json.dumps(result))


def function_error(**said: str) -> Answer:
    return Answer(200, json.dumps(said), headers={"X-Amz-Function-Error": "Unhandled"})


def lambda_error(status: int, code: str, message: str = "No.") -> Answer:
    return Answer(status, json.dumps({"Message": message}), headers={"x-amzn-ErrorType": code})


@contextmanager
def plugin(endpoint_url: str, **options: Any) -> Iterator[TwilioPlugin]:
    """A client whose connections end with it."""
    phone = TwilioPlugin("my-phone", endpoint_url=endpoint_url, **options)
    yield phone
    if phone._invoker._made:
        phone._invoker._made.close()


@pytest.fixture
def server(aws: Server) -> Server:
    aws.reset()
    return aws


@pytest.fixture(scope="module")
def _shared(aws: Server) -> Iterator[TwilioPlugin]:
    with plugin(aws.url) as phone:
        yield phone


@pytest.fixture
def phone(_shared: TwilioPlugin, server: Server, monkeypatch: pytest.MonkeyPatch) -> TwilioPlugin:
    """One for all tests: making a boto3 client takes longer than using it."""
    monkeypatch.setattr(invoker, "PAUSES", (0.0, 0.0))
    return _shared


def invoked(server: Server) -> list[tuple[str, Any]]:
    """Every function that was invoked, and its payload."""
    found = []
    for one in server.asked:
        assert one.method == "POST"
        name = unquote(one.path).removeprefix("/2015-03-31/functions/").removesuffix("/invocations")
        found.append((name, json.loads(one.body)))
    return found


def failing(
    phone: TwilioPlugin, server: Server, *script: Answer | Hangup, call: Callable[..., Any] | None = None
) -> PluginError:
    server.script = list(script)
    with pytest.raises(PluginError) as failure:
        (call or (lambda one: one.conversation_history("+15555550142")))(phone)
    return failure.value


# ------------------------------------------------------------------------------------------------------------- what is sent

# (method, arguments, function, payload, answer, input model)
Case = tuple[str, dict[str, Any], str, dict[str, Any], dict[str, Any], type[BaseModel]]
SENDS: list[Case] = [
    (
        "send_sms",
        {"to": "(555) 555-0142", "body": "Hello", "idempotency_key": "k"},
        "send-sms",
        {"to": "(555) 555-0142", "body": "Hello", "idempotency_key": "k"},
        SENT,
        actions.SendSms,
    ),
    (
        "send_sms",
        {
            "to": "whatsapp:+15555550142",
            "body": "Hello",
            "media_url": ["https://example.com/a.png"],
            "from_": "+15555550100",
            "messaging_service_sid": "MG" + "a" * 32,
            "chunk_limit": 160,
            "strip_markdown": True,
            "smart_encoded": True,
            "idempotency_key": "k",
        },
        "send-sms",
        {
            "to": "whatsapp:+15555550142",
            "body": "Hello",
            "media_url": ["https://example.com/a.png"],
            "from": "+15555550100",
            "messaging_service_sid": "MG" + "a" * 32,
            "chunk_limit": 160,
            "strip_markdown": True,
            "smart_encoded": True,
            "idempotency_key": "k",
        },
        SENT,
        actions.SendSms,
    ),
    (
        "send_sms",
        {
            "to": "whatsapp:+15555550142",
            "content_sid": "HX" + "a" * 32,
            "content_variables": {"1": "Ada"},
            "idempotency_key": "k",
        },
        "send-sms",
        {
            "to": "whatsapp:+15555550142",
            "content_sid": "HX" + "a" * 32,
            "content_variables": {"1": "Ada"},
            "idempotency_key": "k",
        },
        SENT,
        actions.SendSms,
    ),
    (
        "send_mms",
        {
            "to": "+15555550142",
            "media_url": ["https://example.com/a.png"],
            "body": "Look",
            "from_": "+15555550100",
            "messaging_service_sid": "MG" + "a" * 32,
            "chunk_limit": 160,
            "strip_markdown": True,
            "smart_encoded": True,
            "idempotency_key": "k",
        },
        "send-mms",
        {
            "to": "+15555550142",
            "media_url": ["https://example.com/a.png"],
            "body": "Look",
            "from": "+15555550100",
            "messaging_service_sid": "MG" + "a" * 32,
            "chunk_limit": 160,
            "strip_markdown": True,
            "smart_encoded": True,
            "idempotency_key": "k",
        },
        SENT,
        actions.SendMms,
    ),
    (
        "make_call",
        {
            "to": "+15555550142",
            "say": "Good morning.",
            "from_": "+15555550100",
            "record": True,
            "transcribe": True,
            "machine_detection": DetectMachine(on_machine="hang_up"),
            "time_limit": 60,
            "idempotency_key": "k",
        },
        "make-call",
        {
            "to": "+15555550142",
            "say": "Good morning.",
            "from": "+15555550100",
            "record": True,
            "transcribe": True,
            "machine_detection": {"on_machine": "hang_up"},
            "time_limit": 60,
            "idempotency_key": "k",
        },
        MADE,
        actions.MakeCall,
    ),
    (
        "make_call",
        {"to": "+15555550142", "twiml": "<Response/>", "idempotency_key": "k"},
        "make-call",
        {"to": "+15555550142", "twiml": "<Response/>", "idempotency_key": "k"},
        MADE,
        actions.MakeCall,
    ),
    (
        "make_call",
        {"to": "+15555550142", "url": "https://example.com/twiml", "idempotency_key": "k"},
        "make-call",
        {"to": "+15555550142", "url": "https://example.com/twiml", "idempotency_key": "k"},
        MADE,
        actions.MakeCall,
    ),
    (
        "make_call",
        {"to": "+15555550142", "voice_mode": "gather", "idempotency_key": "k"},
        "make-call",
        {"to": "+15555550142", "voice_mode": "gather", "idempotency_key": "k"},
        MADE,
        actions.MakeCall,
    ),
    (
        "run_action",
        {"input": "Call (555) 555-0142", "action": "MAKE_CALL", "dry_run": True, "idempotency_key": "k"},
        "run-action",
        {"input": "Call (555) 555-0142", "action": "MAKE_CALL", "dry_run": True, "idempotency_key": "k"},
        RAN,
        actions.RunAction,
    ),
]
READS: list[Case] = [
    (
        "conversation_history",
        {"phone_number": "+15555550142"},
        "conversation-history",
        {"phone_number": "+15555550142"},
        HISTORY,
        actions.ReadHistory,
    ),
    (
        "conversation_history",
        {"phone_number": "1", "our_number": "2", "limit": 5, "channel": "whatsapp", "next_token": "t"},
        "conversation-history",
        {"phone_number": "1", "our_number": "2", "limit": 5, "channel": "whatsapp", "next_token": "t"},
        HISTORY,
        actions.ReadHistory,
    ),
    ("call_state", {}, "call-state", {}, CALLS, actions.ReadCalls),
    ("call_state", {"call_sid": CALL}, "call-state", {"call_sid": CALL}, CALLS, actions.ReadCalls),
]
CONTROLS: list[Case] = [
    ("say", {"call_sid": CALL, "text": "Yes."}, "say", {"call_sid": CALL, "text": "Yes."}, SAID, actions.Say),
    (
        "say",
        {"call_sid": CALL, "audio": "/w==", "interrupt": True, "allow_barge_in": False},
        "say",
        {"call_sid": CALL, "audio": "/w==", "interrupt": True, "allow_barge_in": False},
        SAID,
        actions.Say,
    ),
    ("end_call", {"call_sid": CALL}, "control-call", {"call_sid": CALL, "action": "end"}, CONTROLLED, actions.ControlCall),
    (
        "transfer_call",
        {"call_sid": CALL, "to": "+15555550199"},
        "control-call",
        {"call_sid": CALL, "action": "transfer", "to": "+15555550199"},
        CONTROLLED,
        actions.ControlCall,
    ),
    (
        "transfer_call",
        {"call_sid": CALL, "to": "+15555550199", "transcribe": True, "record": True},
        "control-call",
        {"call_sid": CALL, "action": "transfer", "to": "+15555550199", "transcribe": True, "record": True},
        CONTROLLED,
        actions.ControlCall,
    ),
    (
        "start_transcription",
        {"call_sid": CALL, "outbound_track": "callee"},
        "control-call",
        {"call_sid": CALL, "action": "start_transcription", "outbound_track": "callee"},
        CONTROLLED | {"transcription_sid": "GT1"},
        actions.ControlCall,
    ),
    (
        "stop_transcription",
        {"call_sid": CALL},
        "control-call",
        {"call_sid": CALL, "action": "stop_transcription"},
        CONTROLLED,
        actions.ControlCall,
    ),
    (
        "record_message",
        {"call_sid": CALL, "say": "After the beep.", "max_length": 60, "then": "listen"},
        "control-call",
        {"call_sid": CALL, "action": "record_message", "say": "After the beep.", "max_length": 60, "then": "listen"},
        CONTROLLED,
        actions.ControlCall,
    ),
    (
        "send_digits",
        {"call_sid": CALL, "digits": "1w2#"},
        "control-call",
        {"call_sid": CALL, "action": "send_digits", "digits": "1w2#"},
        CONTROLLED,
        actions.ControlCall,
    ),
    (
        "play",
        {"call_sid": CALL, "url": "https://example.com/hold.mp3", "loop": 3},
        "control-call",
        {"call_sid": CALL, "action": "play", "url": "https://example.com/hold.mp3", "loop": 3},
        CONTROLLED,
        actions.ControlCall,
    ),
    (
        "set_call_language",
        {"call_sid": CALL, "tts_language": "sv-SE", "transcription_language": "en-US"},
        "control-call",
        {"call_sid": CALL, "action": "set_language", "tts_language": "sv-SE", "transcription_language": "en-US"},
        CONTROLLED,
        actions.ControlCall,
    ),
    (
        "hand_off_call",
        {"call_sid": CALL, "to": "+15555550199", "handoff_data": {"tries": 2}},
        "control-call",
        {"call_sid": CALL, "action": "hand_off", "to": "+15555550199", "handoff_data": {"tries": 2}},
        CONTROLLED,
        actions.ControlCall,
    ),
    (
        "limit_call",
        {"call_sid": CALL, "time_limit": 600},
        "control-call",
        {"call_sid": CALL, "action": "limit", "time_limit": 600},
        CONTROLLED,
        actions.ControlCall,
    ),
    (
        "update_call",
        {"call_sid": CALL, "say": "One moment."},
        "control-call",
        {"call_sid": CALL, "action": "update", "say": "One moment."},
        CONTROLLED,
        actions.ControlCall,
    ),
]
for _field, _value in (("twiml", "<Response/>"), ("url", "https://example.com/twiml")):
    _asked = {"call_sid": CALL, _field: _value}
    CONTROLS.append(("update_call", _asked, "control-call", {**_asked, "action": "update"}, CONTROLLED, actions.ControlCall))
CASES = [*SENDS, *READS, *CONTROLS]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]}-{len(case[1])}")
def test_a_method_sends_what_its_function_takes_and_gives_what_it_answers(
    phone: TwilioPlugin, server: Server, case: Case
) -> None:
    method, arguments, function, payload, answer, model = case
    server.script = [ok(answer)]

    result = getattr(phone, method)(**arguments)

    assert invoked(server) == [(f"my-phone-{function}", payload)]
    model.model_validate(payload)
    assert result.model_dump(mode="json", by_alias=True, exclude_none=True) == {
        name: value for name, value in answer.items() if value is not None
    }


def test_every_argument_of_every_method_is_in_a_case() -> None:
    methods = {name for name in vars(TwilioPlugin) if not name.startswith("_")} - {"from_stack_outputs"}

    assert {case[0] for case in CASES} == methods
    for method in methods:
        arguments = inspect.signature(getattr(TwilioPlugin, method)).parameters.keys() - {"self"}
        assert {name for case in CASES if case[0] == method for name in case[1]} == arguments


def test_every_field_of_every_input_model_is_an_argument_of_a_method() -> None:
    def arguments(*methods: str) -> set[str]:
        return {name for method in methods for name in inspect.signature(getattr(TwilioPlugin, method)).parameters} - {"self"}

    assert arguments("send_sms") == set(actions.SendSms.model_fields)
    assert arguments("send_mms") == set(actions.SendMms.model_fields)
    assert arguments("make_call") == set(actions.MakeCall.model_fields)
    assert arguments("say") == set(actions.Say.model_fields)
    assert arguments("conversation_history") == set(actions.ReadHistory.model_fields)
    assert arguments("call_state") == set(actions.ReadCalls.model_fields)
    assert arguments("run_action") == set(actions.RunAction.model_fields)
    controls = arguments(
        *("end_call", "transfer_call", "send_digits", "update_call", "hand_off_call", "limit_call"),
        *("start_transcription", "stop_transcription", "record_message", "play", "set_call_language"),
    )
    assert controls == set(actions.ControlCall.model_fields) - {"action"}


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda phone: phone.send_sms("+15555550142", "x", chunk_limit=20), "`chunk_limit`"),
        (lambda phone: phone.send_sms("+15555550142", 7), "`body`"),
        (lambda phone: phone.send_sms("+15555550142", "x", from_=7), "`from`"),
        (lambda phone: phone.send_sms("+15555550142", "x", idempotency_key=""), "`idempotency_key`"),
        (lambda phone: phone.make_call("+15555550142", time_limit=1), "`time_limit`"),
        (lambda phone: phone.say("CA1", "x"), "`call_sid`"),
        (lambda phone: phone.send_digits(CALL, "one"), "`digits`"),
        (lambda phone: phone.conversation_history("+15555550142", limit=1000), "`limit`"),
        (lambda phone: phone.call_state("CA1"), "`call_sid`"),
    ],
)
def test_a_wrong_field_is_refused_without_an_invocation(
    phone: TwilioPlugin, server: Server, call: Callable[[TwilioPlugin], Any], field: str
) -> None:
    with pytest.raises(InvalidRequest, match=field):
        call(phone)

    assert not server.asked


def test_an_older_stack_is_not_sent_fields_that_nobody_used(phone: TwilioPlugin, server: Server) -> None:
    server.script = [ok(SENT)]

    phone.send_sms("+15555550142", "Hello", strip_markdown=False)

    ((_, payload),) = invoked(server)
    assert payload.keys() == {"to", "body", "idempotency_key"}


def test_fields_that_a_newer_stack_answers_are_no_trouble_and_missing_ones_are_told(
    phone: TwilioPlugin, server: Server
) -> None:
    server.script = [ok({**CALLS, "tomorrow": 1})]
    assert phone.call_state().calls == []

    failure = failing(phone, server, ok({"conversation_id": "c", "text": "private"}))

    assert type(failure) is InvocationFailed
    assert "(messages, turns)" in str(failure)
    assert "private" not in str(failure)


# ---------------------------------------------------------------------------------------------------------------- sent once


@pytest.mark.parametrize("case", SENDS, ids=lambda case: case[0])
def test_a_send_without_a_key_gets_a_new_one_each_time(phone: TwilioPlugin, server: Server, case: Case) -> None:
    method, arguments, *_ = case
    server.script = [ok(case[4])]

    for _ in range(2):
        getattr(phone, method)(**{name: value for name, value in arguments.items() if name != "idempotency_key"})

    first, second = (payload["idempotency_key"] for _, payload in invoked(server))
    assert first != second
    assert len(first) == 36


@pytest.mark.parametrize("lost", [Hangup(), lambda_error(500, "ServiceException"), lambda_error(502, "EC2UnexpectedException")])
def test_a_send_whose_answer_was_lost_is_repeated_under_the_same_key(
    phone: TwilioPlugin, server: Server, lost: Answer | Hangup
) -> None:
    server.script = [lost, lost, ok(SENT)]

    assert phone.send_sms("+15555550142", "Hello").messages[0].message_sid == "SM1"

    keys = [payload["idempotency_key"] for _, payload in invoked(server)]
    assert len(keys) == 3
    assert len(set(keys)) == 1


@pytest.mark.parametrize("case", CONTROLS, ids=lambda case: case[0])
@pytest.mark.parametrize("lost", [Hangup(), lambda_error(500, "ServiceException")], ids=["hangup", "500"])
def test_what_has_no_key_is_never_repeated_once_lambda_may_have_run_it(
    phone: TwilioPlugin, server: Server, case: Case, lost: Answer | Hangup
) -> None:
    failure = failing(phone, server, lost, ok(case[4]), call=lambda one: getattr(one, case[0])(**case[1]))

    assert type(failure) is FunctionOutcomeUnknown
    assert not failure.retryable
    assert "could happen twice" in str(failure)
    assert len(server.asked) == 1


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]}-{len(case[1])}")
@pytest.mark.parametrize(
    "not_run",
    [
        lambda_error(429, "TooManyRequestsException", "Rate Exceeded."),
        lambda_error(409, "ResourceConflictException", "Pending"),
    ],
    ids=["throttled", "pending"],
)
def test_what_lambda_did_not_run_is_tried_again_whatever_it_is(
    phone: TwilioPlugin, server: Server, case: Case, not_run: Answer
) -> None:
    server.script = [not_run, not_run, ok(case[4])]

    getattr(phone, case[0])(**case[1])

    assert len(server.asked) == 3


def test_what_stays_throttled_is_a_retryable_error_after_three_tries(phone: TwilioPlugin, server: Server) -> None:
    failure = failing(phone, server, lambda_error(429, "TooManyRequestsException"), call=lambda one: one.end_call(CALL))

    assert type(failure) is FunctionUnavailable
    assert failure.retryable
    assert "nothing was done" in str(failure)
    assert len(server.asked) == 3


def test_tries_are_apart_in_time(phone: TwilioPlugin, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(invoker, "PAUSES", (0.2, 1.0))
    monkeypatch.setattr("twilio_plugin.invoker.time.sleep", slept.append)

    failing(phone, server, lambda_error(429, "TooManyRequestsException"))

    assert 0.1 <= slept[0] <= 0.2 < 0.5 <= slept[1] <= 1.0
    assert len(slept) == 2


def test_boto3_repeats_nothing_by_itself_whatever_the_environment_says(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "5")
    monkeypatch.setenv("AWS_RETRY_MODE", "standard")

    with plugin(server.url) as phone:
        failing(phone, server, Hangup(), call=lambda one: one.say(CALL, "x"))

    assert len(server.asked) == 1


def test_an_error_says_under_which_key_to_repeat_the_send(phone: TwilioPlugin, server: Server) -> None:
    def send(one: TwilioPlugin) -> Any:
        return one.send_sms("+15555550142", "Hello")

    failure = failing(phone, server, function_error(errorType="SendInProgress", errorMessage="Being sent."), call=send)

    assert failure.retryable
    assert failure.idempotency_key == invoked(server)[0][1]["idempotency_key"]
    server.script = [ok(SENT)]
    phone.send_sms("+15555550142", "Hello", idempotency_key=failure.idempotency_key)
    assert invoked(server)[1][1]["idempotency_key"] == failure.idempotency_key


def test_reads_and_controls_have_no_key(phone: TwilioPlugin, server: Server) -> None:
    refusal = function_error(errorType="StorageUnavailable", errorMessage="Later.")

    assert failing(phone, server, refusal).idempotency_key is None
    assert failing(phone, server, refusal, call=lambda one: one.end_call(CALL)).idempotency_key is None


# ------------------------------------------------------------------------------------------------------------------- errors

MIRRORED = sorted(
    name
    for name, one in inspect.getmembers(errors, inspect.isclass)
    if issubclass(one, PluginError) and one.__module__ == errors.__name__
)


@pytest.mark.parametrize("name", MIRRORED)
def test_every_error_comes_through_by_its_name(phone: TwilioPlugin, server: Server, name: str) -> None:
    failure = failing(phone, server, function_error(errorType=name, errorMessage="The sentence."))

    assert type(failure) is getattr(errors, name)
    assert str(failure) == "The sentence."
    assert failure.retryable is getattr(errors, name).retryable
    assert len(server.asked) == 1


def test_there_are_errors_to_look_at() -> None:
    assert {"RecipientOptedOut", "TwilioRejected", "StorageUnavailable"} <= set(MIRRORED)


def test_an_opted_out_recipient_has_twilios_code(phone: TwilioPlugin, server: Server) -> None:
    failure = failing(phone, server, function_error(errorType="RecipientOptedOut", errorMessage="STOP"))

    assert isinstance(failure, RecipientOptedOut)
    assert failure.twilio_code == 21610


@pytest.mark.parametrize(
    ("message", "code", "status"),
    [
        ("Twilio refused the text to ***0142 (HTTP 400): 21211: The recipient is not a phone number.", 21211, 400),
        ("Part 2 of 3 (1 sent): Twilio refused the text to ***0142 (HTTP 403): 30007: Filtered.", 30007, 403),
        ("Twilio refused the call (HTTP 401): Twilio gave no further reason.", None, 401),
        ("Something else altogether: 21211", None, None),
    ],
)
def test_twilios_code_and_status_come_back_out_of_the_sentence(
    phone: TwilioPlugin, server: Server, message: str, code: int | None, status: int | None
) -> None:
    failure = failing(phone, server, function_error(errorType="TwilioRejected", errorMessage=message))

    assert isinstance(failure, TwilioRejected)
    assert (failure.twilio_code, failure.status, str(failure)) == (code, status, message)


@pytest.mark.parametrize("name", ["KeyError", "Tomorrow", "Runtime.ImportModuleError", "__name__", ""])
def test_a_type_that_is_not_ours_is_named(phone: TwilioPlugin, server: Server, name: str) -> None:
    failure = failing(phone, server, function_error(errorType=name, errorMessage="'body'"))

    assert isinstance(failure, InvocationFailed)
    assert type(failure) is InvocationFailed
    assert failure.error_type == name
    assert f"my-phone-conversation-history raised {name or 'an error'}" in str(failure)
    assert not failure.retryable


@pytest.mark.parametrize(
    "said",
    [
        {"errorType": "Sandbox.Timedout", "errorMessage": "RequestId: 1 Error: Task timed out after 60.00 seconds"},
        {"errorMessage": "2026-11-22T08:13:41.123Z 6a7e8feb Task timed out after 60.06 seconds"},
        {"errorType": "Runtime.ExitError", "errorMessage": "RequestId: 1 Error: Runtime exited with error: signal: killed"},
        {"errorType": "Extension.Crash", "errorMessage": "RequestId: 1 Error: exit code 1"},
    ],
    ids=lambda said: said.get("errorType", "no type"),
)
def test_a_function_that_broke_off_may_be_repeated_if_that_does_no_harm(
    phone: TwilioPlugin, server: Server, said: dict[str, str]
) -> None:
    read = failing(phone, server, function_error(**said))
    said_once = failing(phone, server, function_error(**said), call=lambda one: one.say(CALL, "Yes."))

    assert (type(read), read.retryable) == (FunctionUnavailable, True)
    assert (type(said_once), said_once.retryable) == (FunctionOutcomeUnknown, False)
    assert isinstance(read, InvocationFailed)
    assert read.error_type == said.get("errorType", "")
    assert len(server.asked) == 2, "a minute was lost already: whoever called decides"


def test_no_permission_names_the_function_and_the_policy(phone: TwilioPlugin, server: Server) -> None:
    message = "User: arn:aws:sts::123456789012:assumed-role/agent is not authorized to perform: lambda:InvokeFunction"

    failure = failing(phone, server, lambda_error(403, "AccessDeniedException", message))

    assert type(failure) is Misconfigured
    assert "my-phone-conversation-history" in str(failure)
    assert "InvokePolicyArn" in str(failure)
    assert message in str(failure)
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("answer", "kind", "says"),
    [
        (lambda_error(404, "ResourceNotFoundException", "Function not found"), Misconfigured, "no function my-phone-conv"),
        (lambda_error(403, "ExpiredTokenException", "The security token is expired"), Misconfigured, "ExpiredTokenException"),
        (lambda_error(413, "RequestTooLargeException", "6291556 byte"), InvalidRequest, "6291556 byte"),
        (Answer(200, "<html>"), InvocationFailed, "no JSON"),
    ],
)
def test_other_refusals_of_lambda_say_what_to_do(
    phone: TwilioPlugin, server: Server, answer: Answer, kind: type[PluginError], says: str
) -> None:
    failure = failing(phone, server, answer)

    assert type(failure) is kind
    assert says in str(failure)
    assert len(server.asked) == 1


def test_a_lambda_out_of_reach_is_a_retryable_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(invoker, "PAUSES", (0.0, 0.0))
    with plugin(nobody()) as phone, pytest.raises(FunctionUnavailable) as failure:
        phone.say(CALL, "Yes.")

    assert "nothing was done" in str(failure.value)


def test_an_answer_that_does_not_come_in_time_is_not_waited_for_twice(server: Server) -> None:
    server.script = [ok(SENT)]
    server.gate = threading.Event()
    with plugin(server.url, timeout=0.2) as phone:
        with pytest.raises(FunctionUnavailable, match="same idempotency key") as sending:
            phone.send_sms("+15555550142", "Hello")
        with pytest.raises(FunctionOutcomeUnknown):
            phone.say(CALL, "Yes.")
        server.gate.set()

    assert sending.value.idempotency_key
    assert len(server.asked) == 2


def test_the_functions_end_before_the_client_gives_up_on_them() -> None:
    assert TwilioPlugin()._invoker._timeout > 60


def test_without_credentials_or_a_region_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    with pytest.raises(Misconfigured, match="region"):
        TwilioPlugin().call_state()

    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(Misconfigured, match="credentials"):
        TwilioPlugin(region="eu-central-1").call_state()


# -------------------------------------------------------------------------------------------------- which functions, and how

DESCRIBED = """<DescribeStacksResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><DescribeStacksResult><Stacks>
<member><StackName>elsewhere</StackName><StackStatus>CREATE_COMPLETE</StackStatus><CreationTime>2026-11-22T08:13:41Z</CreationTime>
<Outputs>{}</Outputs></member></Stacks></DescribeStacksResult></DescribeStacksResponse>"""
NO_STACK = """<ErrorResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><Error><Type>Sender</Type>
<Code>ValidationError</Code><Message>Stack with id elsewhere does not exist</Message></Error></ErrorResponse>"""


def described(**outputs: str) -> Answer:
    members = "".join(
        f"<member><OutputKey>{key}</OutputKey><OutputValue>{value}</OutputValue></member>" for key, value in outputs.items()
    )
    return Answer(200, DESCRIBED.format(members), "text/xml")


def test_the_stacks_outputs_are_looked_up_once_and_say_where_the_functions_are(server: Server) -> None:
    arn = "arn:aws:lambda:eu-west-1:123456789012:function:renamed-history"
    server.script = [described(ConversationHistoryFunctionArn=arn, WebhookUrl="https://example.com"), ok(HISTORY)]

    phone = TwilioPlugin.from_stack_outputs("elsewhere", region="eu-west-1", endpoint_url=server.url)
    phone.conversation_history("+15555550142")
    phone.conversation_history("+15555550142")

    lookup, *invocations = server.asked
    assert lookup.form["Action"] == ["DescribeStacks"]
    assert lookup.form["StackName"] == ["elsewhere"]
    assert [unquote(one.path).split("/")[3] for one in invocations] == [arn, arn]
    assert "/eu-west-1/lambda/" in invocations[0].authorization
    with pytest.raises(Misconfigured, match="SendSmsFunctionArn"):
        phone.send_sms("+15555550142", "Hello")
    assert len(server.asked) == 3


def test_a_stack_that_is_not_there_is_told_at_once(server: Server) -> None:
    server.script = [Answer(400, NO_STACK, "text/xml")]

    with pytest.raises(Misconfigured, match=r"elsewhere cannot be read: .*does not exist"):
        TwilioPlugin.from_stack_outputs("elsewhere", endpoint_url=server.url)


def test_a_session_of_ones_own_is_used(server: Server) -> None:
    server.script = [ok(CALLS)]
    session = boto3.Session(aws_access_key_id="mine", aws_secret_access_key="x", region_name="ap-south-1")

    with plugin(server.url, session=session) as phone:
        phone.call_state()

    assert "Credential=mine/" in server.asked[0].authorization
    assert "/ap-south-1/lambda/" in server.asked[0].authorization


def test_threads_share_one_client(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.script = [ok(CALLS)]
    made: list[Any] = []
    new_client = boto3.Session.client

    def client(self: boto3.Session, *args: Any, **kwargs: Any) -> Any:
        made.append(args)
        return new_client(self, *args, **kwargs)

    monkeypatch.setattr(boto3.Session, "client", client)
    with plugin(server.url) as phone, ThreadPoolExecutor(5) as five:
        list(five.map(lambda _: phone.call_state(), range(10)))

    assert len(server.asked) == 10
    assert len(made) == 1


IMPORTED = """
import json, sys
before = set(sys.modules)
from twilio_plugin.client import TwilioPlugin
TwilioPlugin("my-phone", region="eu-central-1")
print(json.dumps(sorted(set(sys.modules) - before)))
"""


def test_making_a_client_imports_neither_boto3_nor_what_only_the_functions_need() -> None:
    package = Path(errors.__file__).parents[1]
    ran = subprocess.run(
        [sys.executable, "-c", IMPORTED], env={"PYTHONPATH": str(package)}, capture_output=True, text=True, check=True
    )
    imported = set(json.loads(ran.stdout))

    assert "twilio_plugin.invoker" in imported
    heavy = {"boto3", "botocore", "twilio", "phonenumbers", "markdown_it", "aws_lambda_powertools", "urllib3", "requests"}
    assert not heavy & {name.partition(".")[0] for name in imported}
    inner = tuple(f"twilio_plugin.{part}" for part in ("adapters", "services", "runtime"))
    assert not [name for name in imported if name.startswith(inner)]
