"""Lambda's failures as errors of `twilio_plugin.errors`, each with a sentence that says what to do."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    IncompleteReadError,
    ProxyConnectionError,
    ReadTimeoutError,
    SSLError,
)

from twilio_plugin import errors
from twilio_plugin.domain.twilio_errors import read_rejection
from twilio_plugin.errors import (
    FunctionOutcomeUnknown,
    FunctionUnavailable,
    InvalidRequest,
    InvocationFailed,
    Misconfigured,
    PluginError,
    TwilioRejected,
)

_FORBIDDEN, _NOT_FOUND, _CONFLICT, _TOO_LARGE, _TOO_MANY_REQUESTS, _SERVER_ERROR = 403, 404, 409, 413, 429, 500
_NEVER_SENT = (ConnectTimeoutError, EndpointConnectionError, ProxyConnectionError)
_ANSWER_LOST = (HTTPClientError, IncompleteReadError, SSLError)
# Lambda's words for an invocation that began and did not end. A time-out may come without a type.
_BROKEN_OFF = ("Sandbox.", "Extension.", "Runtime.ExitError", "Runtime.Unknown")
_TIMED_OUT = "Task timed out after"


def not_invoked(error: BotoCoreError | ClientError, name: str, *, repeatable: bool) -> tuple[PluginError, bool]:
    """What kept the function `name` from answering, and whether to try again at once."""
    if isinstance(error, ClientError):
        return _refused(error, name, repeatable=repeatable)
    kind = type(error).__name__
    if isinstance(error, _NEVER_SENT):
        return FunctionUnavailable(f"Lambda cannot be reached ({kind}); nothing was done. Try again later."), True
    if isinstance(error, _ANSWER_LOST):
        # After a read time-out another try would only wait as long again.
        return _lost(f"No answer from {name} ({kind}).", repeatable), repeatable and not isinstance(error, ReadTimeoutError)
    return Misconfigured(f"{name} cannot be invoked: {error}."), False


def raised(result: Any, name: str, *, repeatable: bool) -> PluginError:
    """What the function `name` raised; `result` is what Lambda answers with a ``FunctionError``."""
    said = result if isinstance(result, dict) else {}
    error_type, message = str(said.get("errorType") or ""), str(said.get("errorMessage") or "")
    kind = getattr(errors, error_type, None)
    if kind is TwilioRejected:
        return read_rejection(message)
    if isinstance(kind, type) and issubclass(kind, PluginError):
        return kind(message)
    if error_type.startswith(_BROKEN_OFF) or (not error_type and _TIMED_OUT in message):
        return _lost(f"{name} broke off ({error_type or 'timed out'}).", repeatable, error_type)
    return InvocationFailed(f"{name} raised {error_type or 'an error'}; its log says more. {message}", error_type=error_type)


def _refused(error: ClientError, name: str, *, repeatable: bool) -> tuple[PluginError, bool]:
    code, said = error.response["Error"]["Code"], error.response["Error"]["Message"]
    status = error.response["ResponseMetadata"]["HTTPStatusCode"]
    if status >= _SERVER_ERROR:
        return _lost(f"Lambda answered {status} ({code}) for {name}.", repeatable), repeatable
    if status in (_TOO_MANY_REQUESTS, _CONFLICT):
        return FunctionUnavailable(f"Lambda did not run {name} ({code}); nothing was done. Try again later."), True
    if status == _TOO_LARGE:
        return InvalidRequest(f"It is more than Lambda takes: {said}"), False
    if status == _NOT_FOUND:
        return Misconfigured(f"There is no function {name} here. Check the stack's name, the region and the account."), False
    if status == _FORBIDDEN and code.startswith("AccessDenied"):
        return Misconfigured(
            f"{name} may not be invoked: attach the managed policy of the plugin's output InvokePolicyArn to this role. {said}"
        ), False
    return Misconfigured(f"{name} cannot be invoked: {code}. {said}"), False


def _lost(what: str, repeatable: bool, error_type: str = "") -> InvocationFailed:
    if repeatable:
        return FunctionUnavailable(f"{what} It is safe to repeat, under the same idempotency key.", error_type=error_type)
    return FunctionOutcomeUnknown(
        f"{what} It may have been done. Look at the call before you repeat it: it could happen twice.", error_type=error_type
    )
