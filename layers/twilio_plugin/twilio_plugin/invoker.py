"""How the client invokes the plugin's functions: Lambda's failures as errors of `twilio_plugin.errors`.

Invoking is not idempotent: an invocation that is repeated has a request id of its own, so the function cannot know it again. So
boto3's own retries are off. Repeated here is what surely did not run, and what does no harm twice.
"""

from __future__ import annotations

import json
import random
import re
import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from twilio_plugin.errors import InvocationFailed, Misconfigured

if TYPE_CHECKING:
    from boto3 import Session
    from mypy_boto3_lambda import LambdaClient

CONNECT_SECONDS = 5.0
# Before the second and the third try.
PAUSES = (0.2, 1.0)
_FUNCTION_ARN = "FunctionArn"


class Invoker:
    """One stack's functions, through one boto3 client that is made at first use. Threads may share it."""

    def __init__(
        self,
        stack_name: str,
        *,
        functions: Mapping[str, str] | None,
        session: Session | None,
        region: str | None,
        endpoint_url: str | None,
        timeout: float,
    ) -> None:
        self._stack_name = stack_name
        self._functions = functions
        self._session = session
        self._region = region
        self._endpoint_url = endpoint_url
        self._timeout = timeout
        self._made: LambdaClient | None = None
        self._making = threading.Lock()

    def invoke(self, function: str, payload: Mapping[str, Any], *, repeatable: bool) -> Any:
        """Invoke ``send-sms`` or another, and answer what it answers.

        `repeatable` says that doing it twice does no harm: it only reads, or the payload has an idempotency key.

        Raises:
            PluginError: what the function raised, by its name; or what kept it from answering.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        from twilio_plugin.lambda_errors import not_invoked, raised

        name = self._name(function)
        for pause in (*PAUSES, None):
            try:
                answer = self._client().invoke(FunctionName=name, Payload=json.dumps(payload))
                result = json.loads(answer["Payload"].read())
            except (BotoCoreError, ClientError) as error:
                failure, again = not_invoked(error, name, repeatable=repeatable)
                if pause is None or not again:
                    raise failure from error
                time.sleep(pause * random.uniform(0.5, 1))  # noqa: S311  jitter
            except ValueError as error:
                raise InvocationFailed(f"{name} answered no JSON: it is not a function of the plugin.") from error
            else:
                if answer.get("FunctionError"):
                    raise raised(result, name, repeatable=repeatable)
                return result
        raise AssertionError("unreachable")

    def _name(self, function: str) -> str:
        if self._functions is None:
            return f"{self._stack_name}-{function}"
        if function not in self._functions:
            raise Misconfigured(
                f"The stack {self._stack_name} has no output {output_name(function)}: is it of an older version?"
            )
        return self._functions[function]

    def _client(self) -> LambdaClient:
        with self._making:
            if self._made is None:
                import boto3
                from botocore.config import Config

                session = self._session or boto3.Session()
                # A minute without a byte is long for the NAT gateways between a VPC and Lambda: hence the keep-alive.
                config = Config(
                    connect_timeout=CONNECT_SECONDS,
                    read_timeout=self._timeout,
                    retries={"total_max_attempts": 1},
                    tcp_keepalive=True,
                )
                self._made = session.client("lambda", region_name=self._region, endpoint_url=self._endpoint_url, config=config)
            return self._made


def output_name(function: str) -> str:
    """The stack's output that has a function's ARN: ``SendSmsFunctionArn`` for ``send-sms``."""
    return "".join(word.title() for word in function.split("-")) + _FUNCTION_ARN


def function_name(output: str) -> str:
    """The other way round: ``send-sms`` for ``SendSmsFunctionArn``."""
    return re.sub(r"(?<!^)([A-Z])", r"-\1", output.removesuffix(_FUNCTION_ARN)).lower()


def function_arns(stack_name: str, *, session: Session | None, region: str | None, endpoint_url: str | None) -> dict[str, str]:
    """The ARNs in a stack's outputs, by function: ``send-sms``.

    Raises:
        Misconfigured: there is no such stack, or it may not be read.
    """
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        cloudformation = (session or boto3.Session()).client("cloudformation", region_name=region, endpoint_url=endpoint_url)
        (stack,) = cloudformation.describe_stacks(StackName=stack_name)["Stacks"]
    except (BotoCoreError, ClientError) as error:
        raise Misconfigured(f"The outputs of the stack {stack_name} cannot be read: {error}") from error
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
    return {function_name(name): value for name, value in outputs.items() if name.endswith(_FUNCTION_ARN)}
