"""What the doctor looks at: one stack, what AWS says of it, and the Twilio account that it belongs to.

Everything is asked when it is first needed and once. What cannot be had is a `CannotLook`, or an error of boto3 or twilio that
`tools.doctor.examine` turns into a finding.
"""

from __future__ import annotations

import json
import os
import threading
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import boto3
import phonenumbers
from botocore.config import Config
from botocore.exceptions import ClientError
from twilio.rest import Client

from tools.doctor import twilio_client
from tools.doctor.once import asked_once
from twilio_plugin.adapters.secrets import RestSecret, SigningSecret
from twilio_plugin.adapters.twilio_rest import TWILIO_API

TEST_NUMBER = "TWILIO_TEST_PHONE_NUMBER"
_AWS = Config(connect_timeout=5, read_timeout=15, retries={"total_max_attempts": 2}, max_pool_connections=20)


class CannotLook(Exception):
    """A check cannot look, and why. `remedy` says what would let it."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self.remedy = remedy


@dataclass(frozen=True, slots=True, repr=False)
class Stored:
    """The credentials that the functions read. Never printed: it has no repr."""

    auth_tokens: tuple[str, ...]
    """The one in force first, then the previous one if there is one."""
    api_key: tuple[str, str] | None
    """SID and secret."""


@dataclass(frozen=True, slots=True)
class Where:
    """Which stack. `endpoint_url` is set for the local one only; `session` signs for AWS or for the local engine."""

    stack_name: str
    session: boto3.Session
    endpoint_url: str | None = None
    _clients: dict[str, Any] = field(default_factory=dict, repr=False)
    _making: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def client(self, service: str) -> Any:
        """A boto3 client, made once. Clients may be shared by threads; a session may not."""
        with self._making:
            if service not in self._clients:
                self._clients[service] = self.session.client(
                    service,  # type: ignore[call-overload]
                    endpoint_url=self.endpoint_url,
                    config=_AWS,
                )
        return self._clients[service]

    @classmethod
    def local(cls, file: Path) -> Where:
        """The stack that runs on this machine, as ``stack.json`` tells."""
        try:
            where = json.loads(file.read_text())
        except FileNotFoundError:
            raise SystemExit(f"{file} is not there: no local stack is up. Start one with `make run`.") from None
        session = boto3.Session(aws_access_key_id="0" * 12, aws_secret_access_key="local", region_name=where["region"])
        return cls(where["stack_name"], session, where["aws_endpoint_url"])


class Stack:
    """One stack under examination. `since`: how far back the checks of what went wrong lately look."""

    def __init__(self, where: Where, *, since: datetime) -> None:
        self.name = where.stack_name
        self.region: str | None = where.session.region_name
        self.local = where.endpoint_url is not None
        self.since = since
        self.client = where.client

    # ------------------------------------------------------------------------------------------------- what AWS says

    @asked_once
    def description(self) -> dict[str, Any]:
        """DescribeStacks. Raises CannotLook where there is no such stack."""
        try:
            described = self.client("cloudformation").describe_stacks(StackName=self.name)
        except ClientError as error:
            if "does not exist" in str(error):
                raise CannotLook(
                    f"There is no stack {self.name} in {self.region}.",
                    "Deploy it (`make deploy`), or name another (`make doctor STACK=<name>`) and set AWS_REGION to its region.",
                ) from error
            raise
        stack: dict[str, Any] = described["Stacks"][0]
        return stack

    @asked_once
    def outputs(self) -> dict[str, str]:
        """The stack's outputs by name."""
        return {one["OutputKey"]: one["OutputValue"] for one in self.description.get("Outputs", [])}

    @asked_once
    def parameters(self) -> dict[str, str]:
        """The stack's parameters by name; a NoEcho one is stars."""
        return {one["ParameterKey"]: one.get("ParameterValue", "") for one in self.description.get("Parameters", [])}

    @asked_once
    def resources(self) -> dict[str, tuple[str, str]]:
        """Type and physical id of every resource, by its logical id."""
        pages = self.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=self.name)
        rows = [row for page in pages for row in page["StackResourceSummaries"]]
        return {row["LogicalResourceId"]: (row["ResourceType"], row.get("PhysicalResourceId", "")) for row in rows}

    def of_type(self, resource_type: str) -> dict[str, str]:
        """Physical ids of the resources of a type, by logical id."""
        return {logical: physical for logical, (kind, physical) in self.resources.items() if kind == resource_type}

    def output(self, name: str) -> str:
        """An output. Raises CannotLook where the stack has none of that name."""
        try:
            return self.outputs[name]
        except KeyError:
            raise CannotLook(f"The stack {self.name} has no output {name}.", "Deploy this version: `make deploy`.") from None

    def url(self, path: str) -> str:
        """Where Twilio reaches a webhook: ``url("sms")``."""
        return f"{self.output('WebhookUrl')}/{path}"

    def environment(self, function: str) -> dict[str, str]:
        """What a function is told: ``environment("send-sms")``."""
        configuration = self.client("lambda").get_function_configuration(FunctionName=f"{self.name}-{function}")
        variables: dict[str, str] = configuration.get("Environment", {}).get("Variables", {})
        return variables

    # ---------------------------------------------------------------------------------------------- what Twilio says

    @property
    def account_sid(self) -> str:
        """The account that the stack was deployed with."""
        return self.parameters.get("TwilioAccountSid", "")

    @property
    def numbers(self) -> list[str]:
        """Our numbers, the one that texts go out from first."""
        further = self.parameters.get("TwilioPhoneNumbers", "").split(",")
        return list(dict.fromkeys([self.parameters["TwilioPhoneNumber"], *(one.strip() for one in further if one.strip())]))

    @property
    def test_number(self) -> str | None:
        """The person of the live tests, if the environment names one."""
        return os.environ.get(TEST_NUMBER) or None

    @property
    def countries(self) -> list[str]:
        """Where people are texted and called as far as anybody has said: ours, the default, and the live tests'."""
        numbers = [*self.numbers, *([self.test_number] if self.test_number else [])]
        default = self.parameters.get("PhoneDefaultRegion", "US")
        return sorted({region_of(number) or default for number in numbers} | {default})

    @asked_once
    def credentials(self) -> Stored:
        """What webhooks are verified with and REST calls are made with.

        Raises:
            Misconfigured: the secret has another shape.
            StorageUnavailable: it cannot be read.
        """
        tokens = SigningSecret(self._secrets, self.environment("sms-webhook")["TWILIO_SECRET"]).auth_tokens()
        rest = RestSecret(self._secrets, self.environment("send-sms")["TWILIO_REST_SECRET"]).credentials()
        return Stored(tokens, rest.api_key)

    def _secrets(self) -> Any:
        return self.client("secretsmanager")

    @property
    def api_base_url(self) -> str:
        """Twilio's, or the stand-in's."""
        return self.parameters.get("TwilioApiBaseUrl") or TWILIO_API

    @asked_once
    def twilio(self) -> Client:
        """The account, by its auth token: a standard API key may not read all of it."""
        return twilio_client.client(self.account_sid, self.credentials.auth_tokens[0], self.account_sid, self.api_base_url)

    @asked_once
    def account(self) -> Any:
        """The Account resource."""
        return self.twilio.api.v2010.accounts(self.account_sid).fetch()

    @asked_once
    def incoming(self) -> dict[str, Any]:
        """The IncomingPhoneNumber resource of each of our numbers that the account has."""
        found = {}
        for number in self.numbers:
            for resource in self.twilio.incoming_phone_numbers.list(phone_number=number, limit=20):
                if resource.phone_number == number:
                    found[number] = resource
        return found

    @asked_once
    def messaging_services(self) -> list[tuple[Any, list[str]]]:
        """The account's Messaging Services with the numbers in each; those without one of ours are left out."""
        ours = set(self.numbers)
        services = []
        for service in self.twilio.messaging.v1.services.list(limit=100):
            numbers = [one.phone_number for one in self.twilio.messaging.v1.services(service.sid).phone_numbers.list(limit=400)]
            if mine := sorted(ours & set(numbers)):
                services.append((service, mine))
        return services

    @property
    def is_trial(self) -> bool:
        """Whether the account has yet to be upgraded."""
        return str(self.account.type).lower() == "trial"


def region_of(number: str) -> str | None:
    """The country of a number (ISO 3166); for a made-up one, that of its country code."""
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return None
    return phonenumbers.region_code_for_number(parsed) or phonenumbers.region_code_for_country_code(parsed.country_code or 0)
