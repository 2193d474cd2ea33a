"""The first deployment's questions, asked of a scripted person and checked with the stand-in; SAM is what it would be told."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import yaml

from local.twilio.standin import TwilioStandIn
from local.twilio.standing import Standing
from tests.unit import http_server
from tools.deploy.__main__ import main
from tools.deploy.questions import Terminal

from .account import ACCOUNT, NUMBER, TOKEN

OTHER = "+14155550101"


class Person:
    """Answers questions in order; keeps what was asked and told."""

    def __init__(self, *answers: str) -> None:
        self._answers = list(answers)
        self.asked: list[str] = []
        self.told: list[str] = []
        self.terminal = Terminal(self._answer, self._answer, self.told.append)

    def _answer(self, question: str) -> str:
        self.asked.append(question)
        return self._answers.pop(0)


class Sam:
    """What SAM was called with. The file of parameters is read while it is there."""

    def __init__(self, *exit_codes: int) -> None:
        self._exit_codes = list(exit_codes)
        self.commands: list[list[str]] = []
        self.parameters: dict[str, str] = {}
        self.file = Path()

    def __call__(self, arguments: Sequence[str]) -> int:
        self.commands.append(list(arguments))
        if "--parameter-overrides" in arguments:
            self.file = Path(arguments[-1].removeprefix("file://"))
            self.mode = stat.S_IMODE(self.file.stat().st_mode)
            self.parameters = yaml.safe_load(self.file.read_text())
        return self._exit_codes.pop(0) if self._exit_codes else 0


@pytest.fixture
def twilio() -> Iterator[TwilioStandIn]:
    with TwilioStandIn(ACCOUNT, TOKEN, [NUMBER, OTHER]) as standin:
        yield standin


NO_STACK = """<ErrorResponse><Error><Type>Sender</Type><Code>ValidationError</Code>
<Message>Stack with id twilio-plugin does not exist</Message></Error></ErrorResponse>"""


def stack(status: str) -> http_server.Answer:
    """CloudFormation's answer about a stack."""
    member = f"<StackName>phone</StackName><CreationTime>2026-11-29T10:00:00Z</CreationTime><StackStatus>{status}</StackStatus>"
    result = f"<DescribeStacksResult><Stacks><member>{member}</member></Stacks></DescribeStacksResult>"
    return http_server.Answer(200, f"<DescribeStacksResponse>{result}</DescribeStacksResponse>", "text/xml")


@pytest.fixture(autouse=True)
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[http_server.Server]:
    """A CloudFormation that has no stack."""
    with http_server.running() as server:
        server.script = [http_server.Answer(400, NO_STACK, "text/xml")]
        settings = {"ACCESS_KEY_ID": "x", "SECRET_ACCESS_KEY": "x", "DEFAULT_REGION": "eu-west-1"}
        for name, value in (settings | {"ENDPOINT_URL_CLOUDFORMATION": server.url}).items():
            monkeypatch.setenv(f"AWS_{name}", value)
        yield server


def deploy(
    twilio: TwilioStandIn, person: Person, *arguments: str, environment: dict[str, str] | None = None
) -> tuple[int, Sam]:
    sam = Sam()
    return main(arguments, person.terminal, environment or {}, sam, twilio.url), sam


def test_a_first_deployment_asks_what_it_must_know_and_gives_it_to_sam_in_a_file(twilio: TwilioStandIn) -> None:
    person = Person("AC1", ACCOUNT, TOKEN, "3", "2", "")

    code, sam = deploy(twilio, person)

    assert code == 0
    assert sam.parameters == {
        "TwilioAccountSid": ACCOUNT,
        "TwilioAuthToken": TOKEN,
        "TwilioPhoneNumber": OTHER,
        "VoiceMode": "stream",
    }
    assert [command[0] for command in sam.commands] == ["build", "deploy"]
    assert sam.commands[1][1:5] == ["--stack-name", "twilio-plugin", "--region", "eu-west-1"]
    assert sam.mode == 0o600
    assert not sam.file.exists()
    assert TOKEN not in repr((sam.commands, person.told, person.asked))
    assert [question.partition(" ")[0] for question in person.asked] == ["Account", "", "Auth", "Which", "", "Calls"]
    assert any("make doctor STACK=twilio-plugin" in said for said in person.told)


def test_a_trial_account_is_told_what_it_cannot_do_and_gathers(twilio: TwilioStandIn) -> None:
    twilio.standing = Standing(type="Trial")
    person = Person(ACCOUNT, TOKEN, "1", "")

    _, sam = deploy(twilio, person)

    assert sam.parameters["VoiceMode"] == "gather"
    assert any("verified numbers only" in said for said in person.told)


def test_what_the_environment_has_is_not_asked(twilio: TwilioStandIn) -> None:
    twilio.release_number(OTHER)
    names = {"TWILIO_ACCOUNT_SID": ACCOUNT, "TWILIO_AUTH_TOKEN": TOKEN, "TWILIO_PHONE_NUMBER": NUMBER}
    person = Person("relay")

    _, sam = deploy(twilio, person, "--yes", "--region", "us-west-2", "--set", "Language=en-GB", environment=names)

    assert len(person.asked) == 1
    assert sam.parameters["VoiceMode"] == "relay"
    assert sam.parameters["Language"] == "en-GB"
    assert "--no-confirm-changeset" in sam.commands[1]
    assert sam.commands[1][4] == "us-west-2"


@pytest.mark.parametrize(
    ("token", "number", "says"),
    [("0" * 32, NUMBER, "does not accept.*HTTP 401"), (TOKEN, "+14155550999", r"\*\*\*0999 is no number of this account")],
)
def test_what_twilio_does_not_know_is_said_before_anything_is_built(
    twilio: TwilioStandIn, token: str, number: str, says: str
) -> None:
    names = {"TWILIO_ACCOUNT_SID": ACCOUNT, "TWILIO_AUTH_TOKEN": token, "TWILIO_PHONE_NUMBER": number}
    person = Person()

    code, sam = deploy(twilio, person, environment=names)

    assert (code, sam.commands) == (1, [])
    assert re.search(says, person.told[-1])


def test_an_account_without_a_number_cannot_be_deployed(twilio: TwilioStandIn) -> None:
    for number in (NUMBER, OTHER):
        twilio.release_number(number)
    person = Person(ACCOUNT, TOKEN)

    assert deploy(twilio, person)[0] == 1
    assert "Buy a number" in person.told[-1]


def test_a_stack_that_is_there_keeps_its_parameters_but_for_those_that_are_set(
    twilio: TwilioStandIn, aws: http_server.Server
) -> None:
    aws.script = [stack("UPDATE_ROLLBACK_COMPLETE")]
    person = Person()

    kept, same = deploy(twilio, person, "--stack-name", "phone")
    changed, other = deploy(twilio, person, "--stack-name", "phone", "--set", "VoiceMode=gather")

    assert (kept, changed, person.asked) == (0, 0, [])
    assert same.commands[1] == ["deploy", "--stack-name", "phone", "--region", "eu-west-1"]
    assert other.parameters == {"VoiceMode": "gather"}


def test_a_first_deployment_that_failed_is_to_be_deleted_first(twilio: TwilioStandIn, aws: http_server.Server) -> None:
    aws.script = [stack("ROLLBACK_COMPLETE")]
    person = Person()

    code, sam = deploy(twilio, person)

    assert (code, sam.commands) == (1, [])
    assert "sam delete --stack-name twilio-plugin --region eu-west-1" in person.told[-1]


def test_a_build_that_fails_deploys_nothing(twilio: TwilioStandIn) -> None:
    sam = Sam(3)

    assert main([], Person(ACCOUNT, TOKEN, "1", "").terminal, {}, sam, twilio.url) == 3
    assert [command[0] for command in sam.commands] == ["build"]


def test_aws_that_nobody_is_signed_in_to_is_said(twilio: TwilioStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    person = Person()
    sam = Sam()

    assert main([], person.terminal, {}, sam, twilio.url) == 1
    assert "Sign in" in person.told[-1]
    assert sam.commands == []
