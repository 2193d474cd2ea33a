"""The agent's function, invoked and waited for."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ReadTimeoutError
from pydantic import ValidationError

from twilio_plugin.domain.agent import AgentAnswer, AgentRequest
from twilio_plugin.services.ports import NoAnswer

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

# Twice this and what comes after it is within the 15 minutes that the bridge may run. botocore must not repeat the invocation:
# the agent may be at work when a connection breaks.
CONFIG = Config(connect_timeout=2, read_timeout=400, tcp_keepalive=True, retries={"total_max_attempts": 1})
_ERROR_TYPE = re.compile(r"[A-Za-z_][A-Za-z0-9_.]{0,99}")


class LambdaAgent:
    """`Agent` on Lambda."""

    def __init__(self, client: LambdaClient, function: str) -> None:
        self._client = client
        self._function = function

    def ask(self, request: AgentRequest) -> AgentAnswer:
        asked = request.model_dump_json(by_alias=True, exclude_none=True).encode()
        try:
            response = self._client.invoke(FunctionName=self._function, InvocationType="RequestResponse", Payload=asked)
            answered = response["Payload"].read()
        except ReadTimeoutError as error:
            raise NoAnswer("Timeout") from error
        except ClientError as error:
            raise NoAnswer(error.response["Error"]["Code"]) from error
        except BotoCoreError as error:
            raise NoAnswer(type(error).__name__) from error
        if response.get("FunctionError"):
            raise NoAnswer(_error_type(answered))
        return _answer(answered)


def _answer(payload: bytes) -> AgentAnswer:
    try:
        answer = json.loads(payload or b"null") or {}
        json.dumps(answer, ensure_ascii=False).encode()  # JSON can say half of an emoji; nothing that comes after can
        return AgentAnswer.model_validate(answer)
    except (ValidationError, ValueError):
        # Pydantic's text quotes the answer; only that it is none goes on.
        raise NoAnswer("InvalidAnswer") from None


def _error_type(payload: bytes) -> str:
    """The name of what was raised, and nothing else of it. Lambda names none where a function ran out of time or memory."""
    try:
        error_type = json.loads(payload)["errorType"]
    except (ValueError, TypeError, KeyError):
        return "Unhandled"
    return error_type if isinstance(error_type, str) and _ERROR_TYPE.fullmatch(error_type) else "Unhandled"
