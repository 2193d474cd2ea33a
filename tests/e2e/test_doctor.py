"""The doctor on the deployed stack: nothing to find on a healthy one, and each planted fault is found and has its remedy."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import boto3
import jsonschema
import pytest

from local.bus import is_event
from local.engine import ACCOUNT, REGION, ROOT
from local.stack import STACK_NAME
from local.twilio.services import Service
from tests.e2e.conftest import Phone
from tools.doctor import __main__ as command
from tools.doctor.checks import CHECKS
from tools.doctor.examine import examine
from tools.doctor.findings import Examination, Finding
from tools.doctor.stack import TEST_NUMBER, Stack, Where

OTHERS = "https://demo.example.com/welcome"
TOLL_FREE = "+18885550100"
Plant = Callable[[Phone], AbstractContextManager[None]]


@pytest.fixture(scope="module", autouse=True)
def healthy(phone: Phone) -> Iterator[None]:
    """What other tests have left behind is no fault; and carriers know our numbers."""
    for name in ("InvocationFailuresQueueUrl", "RelayFailuresQueueUrl"):
        phone.stack.engine.client("sqs").purge_queue(QueueUrl=phone.stack.outputs[name])
    phone.twilio.register_campaign()
    yield
    for sid in phone.twilio.services:
        phone.twilio.remove_service(sid)


@pytest.fixture(autouse=True)
def nobody_to_test_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TEST_NUMBER, raising=False)


@cache
def where(name: str, endpoint_url: str) -> Where:
    session = boto3.Session(aws_access_key_id=ACCOUNT, aws_secret_access_key="local", region_name=REGION)
    return Where(name, session, endpoint_url)


def examined(
    phone: Phone, *, since: datetime | None = None, kind: type[Stack] = Stack, name: str = STACK_NAME
) -> list[Examination]:
    """What the doctor sees; of what went wrong lately only what does from now on."""
    since = since or datetime.now(UTC) + timedelta(seconds=1)
    return list(examine(kind(where(name, phone.stack.engine.url), since=since), CHECKS))


def found(examinations: list[Examination]) -> list[Finding]:
    return [finding for one in examinations for finding in one.findings if finding.severity != "note"]


def test_a_healthy_stack_has_nothing_wrong(phone: Phone) -> None:
    seen = examined(phone)

    assert found(seen) == []
    assert {one.outcome for one in seen} == {"healthy"}
    assert [one.check for one in seen] == [check.name for check in CHECKS]


# ------------------------------------------------------------------------------------------------------ planted faults


@contextmanager
def secret(phone: Phone, text: str) -> Iterator[None]:
    manager, name = phone.stack.engine.client("secretsmanager"), _secret(phone)
    before = manager.get_secret_value(SecretId=name)["SecretString"]
    manager.put_secret_value(SecretId=name, SecretString=text)
    try:
        yield
    finally:
        manager.put_secret_value(SecretId=name, SecretString=before)


def _secret(phone: Phone) -> str:
    configuration = phone.lambda_.get_function_configuration(FunctionName=f"{STACK_NAME}-sms-webhook")
    return str(configuration["Environment"]["Variables"]["TWILIO_SECRET"])


@contextmanager
def number(phone: Phone, **settings: str) -> Iterator[None]:
    before = phone.twilio.number(phone.ours)
    phone.twilio.set_number(phone.ours, **settings)
    try:
        yield
    finally:
        phone.twilio.set_number(phone.ours, **{name: getattr(before, name) for name in settings})


@contextmanager
def released(phone: Phone) -> Iterator[None]:
    before, (service,) = phone.twilio.release_number(phone.ours), phone.twilio.services
    settings = {name: value for name, value in vars(before).items() if name != "phone_number"}
    try:
        yield
    finally:
        phone.twilio.set_number(phone.ours, **settings)
        phone.twilio.remove_service(service)
        phone.twilio.register_campaign()


@contextmanager
def standing(phone: Phone, **taken: Any) -> Iterator[None]:
    before = phone.twilio.standing
    phone.twilio.standing = replace(before, **taken)
    try:
        yield
    finally:
        phone.twilio.standing = before


@contextmanager
def campaign(phone: Phone, status: str) -> Iterator[None]:
    before = phone.twilio.standing
    with standing(phone, campaigns=dict.fromkeys(before.campaigns, status)):
        yield


@contextmanager
def service(phone: Phone, **settings: Any) -> Iterator[None]:
    """One more Messaging Service that has the number."""
    sid = phone.twilio.add_service(Service("Leads", [phone.ours], **settings))
    try:
        yield
    finally:
        phone.twilio.remove_service(sid)


@contextmanager
def front(phone: Phone, *, http: bool) -> Iterator[None]:
    """Requests, or else sockets, lead to an API that is not there."""
    pass_to, api = (phone.stack.front.pass_to, "HttpApi") if http else (phone.stack.front.pass_sockets_to, "WebSocketApi")
    pass_to("elsewhere")
    try:
        yield
    finally:
        pass_to(_id(phone, api))


def _id(phone: Phone, logical_id: str) -> str:
    described = phone.stack.engine.client("cloudformation").describe_stack_resource(
        StackName=STACK_NAME, LogicalResourceId=logical_id
    )
    return str(described["StackResourceDetail"]["PhysicalResourceId"])


@contextmanager
def switched_off(phone: Phone) -> Iterator[None]:
    name = f"{STACK_NAME}-call-state"
    phone.lambda_.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    try:
        yield
    finally:
        phone.lambda_.delete_function_concurrency(FunctionName=name)


@contextmanager
def failed_invocation(phone: Phone) -> Iterator[None]:
    sqs, queue = phone.stack.engine.client("sqs"), phone.stack.outputs["InvocationFailuresQueueUrl"]
    sqs.send_message(QueueUrl=queue, MessageBody="{}")
    try:
        yield
    finally:
        sqs.purge_queue(QueueUrl=queue)


@contextmanager
def rule(phone: Phone, state: str) -> Iterator[None]:
    """A rule without a target."""
    events, bus = phone.stack.engine.client("events"), phone.stack.outputs["EventBusName"]
    pattern = json.dumps({"source": ["twilio.plugin"]})
    events.put_rule(Name="an-agents", EventBusName=bus, EventPattern=pattern, State=state)
    try:
        yield
    finally:
        events.delete_rule(Name="an-agents", EventBusName=bus)


@dataclass(frozen=True)
class Fault:
    """What is planted, and what the doctor is to say of it: check and severity, words, words of the remedy."""

    name: str
    plant: Plant
    check: str
    severity: str
    says: str
    remedy: str
    times: int = 1


TRIAL = {"type": "Trial", "verified_callers": ["+15555550142"]}
FAULTS = [
    Fault("no JSON in the secret", lambda phone: secret(phone, "token"), "secret", "error", "must be JSON", "Secrets Manager"),
    Fault(
        "an example in the secret",
        lambda phone: secret(phone, '{"auth_token": "your_auth_token"}'),
        *("secret", "error", "15 characters, where Twilio's are 32", "first page"),
    ),
    Fault(
        "another account's token",
        lambda phone: secret(phone, json.dumps({"auth_token": "0" * 32})),
        *("twilio-credentials", "error", r"does not accept the stored auth token.*HTTP 401", "first page"),
    ),
    Fault(
        "another account's API key",
        lambda phone: secret(
            phone,
            json.dumps({"auth_token": phone.stack.account.auth_token, "api_key_sid": "SK" + "1" * 32, "api_key_secret": "s"}),
        ),
        *("twilio-credentials", "error", r"API key SK…1111 \(HTTP 401\)", "Make a new API key"),
    ),
    Fault(
        "a suspended account",
        lambda phone: standing(phone, status="suspended"),
        *("account", "error", "is suspended", "the balance"),
    ),
    Fault(
        "a trial account that would stream",
        lambda phone: standing(phone, **TRIAL),
        *("trial", "error", "takes <Stream> out", "VoiceMode=gather"),
    ),
    Fault(
        "calls that are off", lambda phone: standing(phone, no_calls_to=["US"]), "calling-permissions", "error", "21215", "Geo"
    ),
    Fault(
        "texts that are off", lambda phone: standing(phone, no_texts_to=["US"]), "texting-permissions", "error", "21408", "Geo"
    ),
    Fault("a number of others", released, "numbers", "error", r"\*\*\*0100 is no number of this", "TwilioPhoneNumber"),
    Fault(
        "a number without a voice",
        lambda phone: standing(phone, lacks={phone.ours: ["voice"]}),
        *("numbers", "error", "cannot call", "with VOICE"),
    ),
    Fault(
        "texts that go elsewhere",
        lambda phone: number(phone, sms_url=OTHERS + "?key=s3cret"),
        *("number-urls", "error", rf'"A message comes in".* is {OTHERS}, not', r"/sms#rc=2&rp=5xx,ct,rt"),
    ),
    Fault(
        "calls that go nowhere",
        lambda phone: number(phone, voice_url=""),
        *("number-urls", "error", '"A call comes in".* is not set', r"/voice#rc=1&rp=5xx,ct&rt=5000"),
    ),
    Fault("texts by GET", lambda phone: number(phone, sms_method="GET"), "number-urls", "error", "asked by GET", "HTTP POST"),
    Fault(
        "texts that are not repeated",
        lambda phone: number(phone, sms_url=f"{phone.stack.webhook_url}/sms#rc=2&rp=ct"),
        *("number-urls", "warning", "no connection override", r"/sms#rc=2&rp=5xx,ct,rt"),
    ),
    Fault(
        "no fallback",
        lambda phone: number(phone, voice_fallback_url=""),
        *("number-urls", "warning", '"Primary handler fails".*not set', "/voice/fallback"),
    ),
    Fault(
        "ends of calls that nobody hears of",
        lambda phone: number(phone, status_callback=""),
        *("number-urls", "warning", '"Call status changes".*not set', "/status#rc=3"),
    ),
    Fault(
        "a TwiML App for texts",
        lambda phone: number(phone, sms_application_sid="AP" + "1" * 32),
        *("number-overrides", "error", "texts through the TwiML App", "Webhook instead"),
    ),
    Fault(
        "a trunk for calls",
        lambda phone: number(phone, trunk_sid="TK" + "1" * 32),
        *("number-overrides", "error", "go to the SIP trunk", "out of the trunk"),
    ),
    Fault(
        "a Messaging Service that drops texts",
        service,
        *("messaging-services", "error", "Leads.* drops the texts", "Defer to sender's webhook"),
    ),
    Fault(
        "a Messaging Service that has texts sent elsewhere",
        lambda phone: service(phone, inbound_request_url=OTHERS),
        *("messaging-services", "error", f"sends texts to {OTHERS}", "Defer to sender's webhook"),
    ),
    Fault(
        "no A2P campaign",
        lambda phone: standing(phone, campaigns={}),
        *("us-registration", "error", "no A2P 10DLC campaign.*30034", "Register a brand and a campaign"),
    ),
    Fault(
        "a campaign under review", lambda phone: campaign(phone, "IN_PROGRESS"), "us-registration", "warning", "30034", "Wait"
    ),
    Fault(
        "a campaign that failed", lambda phone: campaign(phone, "FAILED"), "us-registration", "error", "is FAILED", "correct it"
    ),
    Fault(
        "webhooks that lead elsewhere",
        lambda phone: front(phone, http=True),
        *("strangers", "error", "does not exist.*404", "TwilioWebhookUrl", 3),
    ),
    Fault(
        "a tunnel that passes no sockets",
        lambda phone: front(phone, http=False),
        *("socket", "error", "with 403, not 101.*31920", "passes no WebSockets"),
    ),
    Fault(
        "a function that is off",
        switched_off,
        "functions",
        "error",
        "call-state is switched off",
        "delete-function-concurrency",
    ),
    Fault("a failed invocation", failed_invocation, "queues", "warning", "InvocationFailures has 1", "payload and error"),
    Fault("a rule that is off", lambda phone: rule(phone, "DISABLED"), "bus", "warning", "an-agents.*is disabled", "Enable it"),
    Fault(
        "a rule that wakes nobody",
        lambda phone: rule(phone, "ENABLED"),
        "bus",
        "warning",
        "has no target",
        "the agent's function",
    ),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_planted_fault_is_found_with_its_remedy_and_nothing_else_is(phone: Phone, fault: Fault) -> None:
    with fault.plant(phone):
        findings = found(examined(phone))

    assert {(one.check, one.severity) for one in findings} == {(fault.check, fault.severity)}
    assert len(findings) == fault.times
    assert re.search(fault.says, findings[0].what), findings[0].what
    assert re.search(fault.remedy, findings[0].remedy), findings[0].remedy
    assert "s3cret" not in repr(findings)
    assert phone.stack.account.auth_token not in repr(findings)


def test_a_numbers_own_url_does_not_matter_where_its_messaging_service_sends_texts_here(phone: Phone) -> None:
    here = f"{phone.stack.webhook_url}/sms#rc=2&rp=5xx,ct,rt"
    with service(phone, inbound_request_url=here), number(phone, sms_url=OTHERS):
        assert found(examined(phone)) == []


def test_there_is_no_stack_of_that_name(phone: Phone) -> None:
    seen = examined(phone, name="nobodys")

    assert [(one.check, one.severity) for one in found(seen)] == [("stack", "error")]
    assert "make doctor STACK=" in found(seen)[0].remedy
    assert {one.skipped_for for one in seen if one.outcome == "skipped"} == {"stack"}


def test_a_trial_account_that_can_reach_nobody(phone: Phone, monkeypatch: pytest.MonkeyPatch) -> None:
    with standing(phone, type="Trial"):
        assert any("No number is verified" in one.what for one in found(examined(phone)))
    monkeypatch.setenv(TEST_NUMBER, "+15555550177")
    with standing(phone, **TRIAL):
        findings = found(examined(phone))

    assert any("***0177, is not verified" in one.what and "Verified Caller IDs" in one.remedy for one in findings)
    assert "+15555550177" not in repr(findings)


@pytest.mark.parametrize(
    ("status", "severity", "says"),
    [(None, "error", "never asked for"), ("PENDING_REVIEW", "warning", "under way"), ("TWILIO_REJECTED", "error", "rejected")],
)
def test_a_toll_free_number_that_is_not_verified(phone: Phone, status: str | None, severity: str, says: str) -> None:
    class WithTollFree(Stack):
        numbers = property(lambda _self: [TOLL_FREE])

    ours = phone.twilio.number(phone.ours)
    phone.twilio.set_number(TOLL_FREE, **{name: value for name, value in vars(ours).items() if name != "phone_number"})
    try:
        with standing(phone, toll_free={TOLL_FREE: status} if status else {}):
            (finding,) = found(examined(phone, kind=WithTollFree))
        with standing(phone, toll_free={TOLL_FREE: "TWILIO_APPROVED"}):
            assert found(examined(phone, kind=WithTollFree)) == []
    finally:
        phone.twilio.release_number(TOLL_FREE)

    assert (finding.check, finding.severity) == ("toll-free", severity)
    assert says in finding.what
    assert "30032" in finding.what


def test_what_went_wrong_lately_is_told_by_its_code_and_once_for_all_of_a_kind(phone: Phone) -> None:
    time.sleep(1)  # Twilio's log of messages is filtered by the second
    since = datetime.now(UTC)
    with number(phone, sms_url=f"{phone.stack.webhook_url}/nothing"):
        phone.twilio.receive_text(phone.person(), "Anybody there?")
        phone.twilio.receive_text(phone.person(), "Anybody there?")
    phone.twilio.faults.add("undelivered", error_code=30034)
    person = phone.person()
    phone.stack.invoke("send-sms", {"to": person, "body": "Hello?"})
    phone.bus.wait_for(is_event("SMS_FAILED", to=person))
    logs, group = phone.stack.engine.client("logs"), f"/aws/lambda/{STACK_NAME}-say"
    logs.create_log_stream(logGroupName=group, logStreamName="planted")
    lines = [json.dumps({"level": "ERROR", "message": "webhook failed", "exception_name": "KeyError", "to": person})]
    lines += [
        json.dumps({"level": "INFO", "message": "no ERROR at all"}),
        "2026-11-29T10:00:00Z 1 Task timed out after 10.00 seconds",
    ]
    stamped = [{"timestamp": int(time.time() * 1000), "message": line} for line in lines]
    logs.put_log_events(logGroupName=group, logStreamName="planted", logEvents=stamped)

    findings = found(examined(phone, since=since))
    logs.delete_log_stream(logGroupName=group, logStreamName="planted")

    assert {(one.check, one.severity) for one in findings} == {
        *[("twilio-alerts", "warning"), ("undelivered", "warning"), ("function-errors", "warning")]
    }
    said = {one.what: one.remedy for one in findings}
    assert any("11200 2 times" in what and "Monitor > Logs > Errors" in remedy for what, remedy in said.items())
    assert any("once: 30034" in what and "Register an A2P 10DLC campaign" in remedy for what, remedy in said.items())
    assert any("“webhook failed” (KeyError) once" in what for what in said)
    assert any("“Task timed out” once" in what for what in said)
    assert person not in repr(findings)


def test_the_command_says_it_in_words_in_json_and_by_its_exit_code(
    phone: Phone, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    phone.stack.write_down()
    monkeypatch.setattr(command, "LOCAL_STACK", phone.stack.folder / "stack.json")
    nothing_before = f"--since={-1 / 3600}"

    assert command.main([nothing_before]) == 0
    assert "✓ Nothing is wrong." in capsys.readouterr().out
    with number(phone, sms_url=OTHERS):
        assert command.main([nothing_before, "--local"]) == 1
        said = capsys.readouterr().out
        assert command.main([nothing_before, "--json"]) == 1
        report = json.loads(capsys.readouterr().out)

    assert re.search(rf'✗ number-urls +"A message comes in" of \*\*\*0100 is\s+{OTHERS}', said)
    assert "→ Set it to" in said
    assert phone.stack.account.auth_token not in said
    jsonschema.validate(report, json.loads((ROOT / "docs" / "doctor.schema.json").read_text()))
    assert report["exit_code"] == 1
    assert report["counts"]["error"] == 1
