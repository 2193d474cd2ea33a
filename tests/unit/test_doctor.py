"""The doctor where the local stack cannot be made ill: AWS's own answers, and addresses that answer otherwise."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.exceptions import NoCredentialsError
from botocore.stub import ANY, Stubber

from tests.unit.http_server import Answer, Hangup, Server, running
from tools.doctor.checks import CHECKS, account, aws, delivery, lately, limits, permissions, reachability
from tools.doctor.examine import Check, Look, examine
from tools.doctor.findings import Examination, Finding, exit_code
from tools.doctor.once import asked_once
from tools.doctor.report import Text, as_json
from tools.doctor.stack import CannotLook, Stack, Stored, Where

SINCE = datetime(2026, 11, 29, tzinfo=UTC)
NAME, TOKEN = "twilio-plugin", "0f" * 16


class Patient(Stack):
    """A stack whose AWS is a script."""

    def __init__(self, *, region: str | None = "us-east-1", endpoint_url: str | None = None, **parameters: str) -> None:
        session = boto3.Session(aws_access_key_id="x", aws_secret_access_key="x", region_name=region)
        super().__init__(Where(NAME, session, endpoint_url), since=SINCE)
        self.parameters = {"TwilioPhoneNumber": "+14155550100", "VoiceMode": "stream", **parameters}
        self.outputs = {"EventBusName": NAME, "OutboxTableName": "outbox"}
        self.credentials = Stored((TOKEN,), None)
        self.resources = {}

    def answers(self, service: str, operation: str, answer: dict[str, Any], expected: Any = None) -> Stubber:
        """The next answer of AWS."""
        stubber = Stubber(self.client(service))
        stubber.add_response(operation, answer, expected)
        stubber.activate()
        return stubber

    def refuses(self, service: str, operation: str, code: str, message: str = "") -> None:
        """The next answer is an error."""
        stubber = Stubber(self.client(service))
        stubber.add_client_error(operation, code, message)
        stubber.activate()


def seen(stack: Stack, look: Look) -> Examination:
    (examination,) = examine(stack, [Check("it", "Group", "it", look)])
    return examination


def finding(stack: Stack, look: Look) -> Finding:
    (found,) = seen(stack, look).findings
    return found


# ------------------------------------------------------------------------------------------------------------ running them


def test_a_check_stands_behind_those_it_needs_and_has_a_name_of_its_own() -> None:
    names = [check.name for check in CHECKS]

    assert len(set(names)) == len(names) > 25
    for place, check in enumerate(CHECKS):
        assert set(check.needs) <= set(names[:place]), check.name


def test_a_check_that_breaks_says_so_and_hides_nothing_else() -> None:
    def breaks(_stack: Stack, _seen: Examination) -> None:
        raise ZeroDivisionError("of the doctor's")

    checks = [Check("broken", "G", "", breaks), Check("other", "G", "", lambda _, one: one.fact("fine"))]
    broken, other = examine(Patient(), checks)

    assert [(one.severity, "ZeroDivisionError" in one.what) for one in broken.findings] == [("unknown", True)]
    assert (other.outcome, other.facts) == ("healthy", ["fine"])


def test_what_needs_a_check_that_found_an_error_is_skipped_for_it_and_what_needs_that_too() -> None:
    looked = []
    checks = [
        Check("first", "G", "", lambda _, one: one.error("Wrong.", "Right it.")),
        Check("second", "G", "", lambda *_: looked.append("second"), ("first",)),
        Check("third", "G", "", lambda *_: looked.append("third"), ("second",)),
        Check("warned", "G", "", lambda _, one: one.warning("Hm.", "Mind.")),
        Check("after", "G", "", lambda *_: looked.append("after"), ("warned",)),
    ]

    outcomes = [(one.check, one.outcome, one.skipped_for) for one in examine(Patient(), checks)]

    assert looked == ["after"]
    assert outcomes == [
        *[("first", "found", None), ("second", "skipped", "first"), ("third", "skipped", "first")],
        *[("warned", "found", None), ("after", "healthy", None)],
    ]


@pytest.mark.parametrize(
    ("severities", "code"),
    [([], 0), (["note"], 0), (["warning"], 0), (["unknown", "warning"], 2), (["unknown", "error"], 1), (["error"], 1)],
)
def test_the_exit_code_says_whether_there_are_errors_or_something_was_not_seen(severities: list[Any], code: int) -> None:
    one = Examination("it", "G", "", findings=[Finding("it", severity, "", "") for severity in severities])

    assert exit_code([one]) == code


def test_aws_that_does_not_let_us_ask_is_named_with_what_it_would_take() -> None:
    stack = Patient()
    stack.refuses("sts", "get_caller_identity", "AccessDenied")

    found = finding(stack, aws.credentials)

    assert found.severity == "unknown"
    assert "GetCallerIdentity" in found.what
    assert "role that may do GetCallerIdentity" in found.remedy


def test_what_the_local_engine_does_not_have_is_a_note() -> None:
    deployed = Patient(Transcriber="twilio_plugin.adapters.transcribe:T")
    deployed.refuses("service-quotas", "list_service_quotas", "400")
    local = Patient(Transcriber="twilio_plugin.adapters.transcribe:T", endpoint_url="http://127.0.0.1:1")
    local.refuses("service-quotas", "list_service_quotas", "400")

    assert finding(deployed, limits.streams_at_once).severity == "unknown"
    there = seen(local, limits.streams_at_once)
    assert ([one.severity for one in there.findings], there.outcome) == (["note"], "healthy")


def test_no_credentials_and_no_region_are_said_with_how_to_have_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")

    def signs(_stack: Stack, _seen: Examination) -> None:
        raise NoCredentialsError

    assert "aws sso login" in finding(Patient(), signs).remedy
    without = finding(Patient(region=None), aws.credentials)
    assert (without.severity, "AWS_REGION" in without.remedy) == ("error", True)


def test_twilio_that_cannot_be_reached_is_something_not_seen() -> None:
    stack = Patient(TwilioAccountSid="AC" + "0" * 32, TwilioApiBaseUrl="http://127.0.0.1:1")

    found = finding(stack, account.credentials)

    assert found.severity == "unknown"
    assert "Twilio cannot be reached" in found.what


def test_twilio_that_answers_an_error_of_its_own_is_something_not_seen() -> None:
    with running() as server:
        server.script = [Answer(503, '{"code": 20503, "message": "no", "status": 503}')]
        stack = Patient(TwilioAccountSid="AC" + "0" * 32, TwilioApiBaseUrl=server.url)

        found = [finding(stack, look) for look in (account.credentials, permissions.toll_free)]

    assert {(one.severity, "HTTP 503" in one.what) for one in found} == {("unknown", True)}


def test_what_several_checks_want_is_asked_once() -> None:
    class Slow(Patient):
        asked = 0

        @asked_once
        def answer(self) -> int:
            time.sleep(0.05)
            self.asked += 1
            return 42

    stack, answers = Slow(), []
    checks = [Check(f"{number}", "G", "", lambda slow, _: answers.append(slow.answer)) for number in range(8)]  # type: ignore[attr-defined]

    list(examine(stack, checks))

    assert answers == [42] * 8
    assert stack.asked == 1


# --------------------------------------------------------------------------------------------------------------------- AWS


@pytest.mark.parametrize(
    ("status", "severity"),
    [
        ("CREATE_COMPLETE", None),
        ("UPDATE_COMPLETE", None),
        ("UPDATE_ROLLBACK_COMPLETE", "warning"),
        ("UPDATE_IN_PROGRESS", "warning"),
        ("ROLLBACK_COMPLETE", "error"),
        ("UPDATE_ROLLBACK_FAILED", "error"),
    ],
)
def test_the_stacks_state_is_judged(status: str, severity: str | None) -> None:
    stack = Patient()
    stack.description = {"StackStatus": status}

    assert [one.severity for one in seen(stack, aws.state).findings] == ([severity] if severity else [])


def test_a_stack_of_another_version_lacks_outputs() -> None:
    found = finding(Patient(), aws.outputs)

    assert "WebhookUrl" in found.what
    assert "make deploy" in found.remedy
    with pytest.raises(CannotLook):
        Patient().output("WebhookUrl")


def test_a_function_that_lambda_could_not_set_up_is_named_with_the_reason() -> None:
    stack = Patient()
    stack.resources = {"SayFunction": ("AWS::Lambda::Function", f"{NAME}-say")}
    stubber = Stubber(stack.client("lambda"))
    failed = {"LastUpdateStatus": "Failed", "LastUpdateStatusReason": "The role is gone."}
    stubber.add_response("get_function_configuration", failed, {"FunctionName": f"{NAME}-say"})
    stubber.add_response("get_function_concurrency", {}, {"FunctionName": f"{NAME}-say"})
    stubber.activate()

    found = finding(stack, aws.functions)

    assert f"{NAME}-say: The role is gone." in found.what


def test_a_new_accounts_ten_functions_are_few() -> None:
    stack = Patient()
    stack.answers("lambda", "get_account_settings", {"AccountLimit": {"ConcurrentExecutions": 10}})

    found = finding(stack, limits.functions_at_once)

    assert found.severity == "warning"
    assert "at most 10 functions" in found.what
    assert "Service Quotas" in found.remedy


def test_transcribes_streams_are_found_by_the_quotas_name() -> None:
    names = {
        "Number of concurrent streams for StartStreamTranscription": 5.0,
        "Number of concurrent medical transcription streams": 1.0,
        "Number of concurrent batch transcription jobs": 250.0,
    }
    quotas = {"Quotas": [{"QuotaName": name, "Value": value} for name, value in names.items()]}
    few, other = Patient(Transcriber="twilio_plugin.adapters.transcribe:T"), Patient(Transcriber="mine:T")
    few.answers("service-quotas", "list_service_quotas", quotas, {"ServiceCode": "transcribe"})

    assert "at most 5 people" in finding(few, limits.streams_at_once).what
    assert seen(other, limits.streams_at_once).facts == ["Transcribe is not used"]


def test_a_bus_that_nobody_listens_to_has_its_remedy() -> None:
    stack = Patient()
    stubber = Stubber(stack.client("events"))
    stubber.add_response("describe_event_bus", {"Name": NAME}, {"Name": NAME})
    schedule = {"Name": "every-five-minutes", "ScheduleExpression": "rate(5 minutes)", "State": "ENABLED"}
    stubber.add_response("list_rules", {"Rules": [schedule]}, {"EventBusName": NAME})
    stubber.activate()

    found = finding(stack, delivery.bus)

    assert "nobody answers" in found.what
    assert "examples/echo_agent" in found.remedy


def test_events_that_wait_for_the_bus_are_counted() -> None:
    stack = Patient()
    items = [{"occurred_at": {"S": f"2026-11-29T10:0{minute}:00.000Z"}} for minute in (5, 1)]
    stack.answers(
        "dynamodb",
        "scan",
        {"Items": items},
        {
            "TableName": "outbox",
            "FilterExpression": "occurred_at < :before",
            "ExpressionAttributeValues": ANY,
            "ProjectionExpression": "occurred_at",
        },
    )

    found = finding(stack, delivery.outbox)

    assert (found.severity, "2 events have not" in found.what, "10:01" in found.what) == ("error", True, True)


def test_an_alarm_that_is_on_says_what_its_description_says() -> None:
    stack = Patient()
    stack.resources = {"WebhookErrorsAlarm": ("AWS::CloudWatch::Alarm", "plugin-WebhookErrorsAlarm-1")}
    alarm = {"AlarmName": "plugin-WebhookErrorsAlarm-1", "AlarmDescription": "Look at the logs."}
    asked = {"AlarmNames": ["plugin-WebhookErrorsAlarm-1"], "StateValue": "ALARM"}
    stack.answers("cloudwatch", "describe_alarms", {"MetricAlarms": [alarm]}, asked)

    found = finding(stack, lately.alarms)

    assert (found.severity, found.remedy) == ("warning", "Look at the logs.")
    assert seen(Patient(), lately.alarms).outcome == "healthy"


def test_on_aws_only_lines_that_tell_of_errors_are_asked_for() -> None:
    stack = Patient()
    stack.resources = {"SayLogs": ("AWS::Logs::LogGroup", "/aws/lambda/say")}
    pattern = '?"ERROR" ?"Task timed out" ?"Runtime.ImportModuleError" ?"Runtime.ExitError" ?"Runtime.OutOfMemory"'
    asked = {"logGroupName": "/aws/lambda/say", "startTime": ANY, "filterPattern": pattern, "limit": 200}
    stack.answers("logs", "filter_log_events", {"events": [{"message": "RequestId: 1 Error: Runtime.ExitError"}]}, asked)

    assert "“Runtime.ExitError” once" in finding(stack, lately.function_errors).what


# --------------------------------------------------------------------------------------------------------------- addresses


@contextmanager
def served(*answers: Answer | Hangup, **parameters: str) -> Iterator[tuple[Patient, Server]]:
    """A stack whose webhooks and socket are at a server that answers so."""
    with running() as server:
        server.script = list(answers)
        stack = Patient(**parameters)
        stack.outputs = {
            "WebhookUrl": f"{server.url}/webhooks/twilio",
            "WebSocketUrl": server.url.replace("http", "ws") + "/live",
        }
        yield stack, server


def test_an_address_that_twilio_cannot_reach_is_an_error_only_where_twilio_is_the_real_one() -> None:
    with served() as (real, _), served(TwilioApiBaseUrl="http://127.0.0.1:1") as (local, _other):
        assert [one.severity for one in seen(real, reachability.public).findings] == ["error", "error"]
        assert seen(local, reachability.public).findings == []


def test_a_webhook_that_believes_strangers_is_an_error() -> None:
    with served(Answer(204, "")) as (stack, _):
        found = seen(stack, reachability.strangers).findings

    assert len(found) == 3
    assert "answered 204, not 403" in found[0].what


def test_a_webhook_that_refuses_our_signature_is_told_from_one_that_breaks() -> None:
    refused = Answer(403, '{"error": "InvalidSignature"}')
    broken = Answer(503, '{"error": "StorageUnavailable"}')
    well = Answer(400, '{"error": "UnreadableWebhook"}')
    with served(refused, broken, well) as (stack, server):
        wrong, down = seen(stack, reachability.signed).findings

    assert [one.path for one in server.asked] == [f"/webhooks/twilio/{path}" for path in ("sms", "voice", "status")]
    assert {tuple(one.form) for one in server.asked} == {("Probe",)}, "it names no message and no call"
    assert "/sms refuses what is signed" in wrong.what
    assert "TwilioWebhookUrl" in wrong.remedy
    assert "/voice answers 503 StorageUnavailable" in down.what
    assert f"/aws/lambda/{NAME}-voice-webhook" in down.remedy


def test_a_fallback_without_words_and_a_host_that_is_not_there_are_errors() -> None:
    with served(Answer(200, "<Response/>")) as (stack, _):
        assert "no words for a caller" in finding(stack, reachability.fallback).what
    found = finding(stack, reachability.fallback)
    assert "cannot be reached: [Errno 111]" in found.what
    assert "certificate" in found.remedy


@pytest.mark.parametrize(
    ("twilio", "strangers", "says"),
    [(101, 403, None), (101, 101, "opens a socket for anybody"), (403, 403, "with 403, not 101"), (500, 403, "with 500")],
)
def test_a_socket_is_for_twilio_only(twilio: int, strangers: int, says: str | None) -> None:
    with served(Answer(strangers, ""), Answer(twilio, "")) as (stack, server):
        found = seen(stack, reachability.socket).findings

    assert [says in one.what for one in found if says] == ([True] if says else [])
    assert len(server.asked) == 2


def test_a_socket_that_is_not_there_is_an_error() -> None:
    with served() as (stack, _):
        pass

    assert "cannot be reached" in finding(stack, reachability.socket).what


# ------------------------------------------------------------------------------------------------------------------ report


def test_the_report_is_coloured_on_a_terminal_only_and_has_a_line_for_each_healthy_check() -> None:
    well = Examination("number-urls", "Numbers", "", facts=["they lead here"])
    ill = Examination("numbers", "Numbers", "", findings=[Finding("numbers", "error", "A " * 80 + "wrong.", "Right it.")])
    skipped = Examination("trial", "Twilio account", "", skipped_for="secret")

    plain, coloured = Text(coloured=False), Text(coloured=True)
    lines = [line for one in (well, ill, skipped) for line in plain.lines(one)]

    assert lines[:2] == ["\nNumbers", "  ✓ number-urls           they lead here"]
    assert all(len(line) <= 120 for text in lines for line in text.splitlines())
    assert lines[-1].split() == ["–", "trial", "not", "looked", "at:", "see", "secret"]
    assert "\033" not in "".join(lines)
    assert "\033[31m✗\033[0m" in "".join(coloured.lines(ill))
    assert plain.verdict([well, ill]) == "\n1 error."
    assert plain.verdict([well]) == "\n✓ Nothing is wrong."


def test_json_has_every_check_and_counts() -> None:
    ill = Examination("numbers", "Numbers", "our numbers", findings=[Finding("numbers", "warning", "Hm.", "Mind.")])

    report = as_json(Patient(), [ill])

    assert (report["exit_code"], report["counts"]["warning"], report["checks"][0]["outcome"]) == (0, 1, "found")
    assert report["checks"][0]["findings"] == [{"check": "numbers", "severity": "warning", "what": "Hm.", "remedy": "Mind."}]
