"""Runs the checks: each looks once those it needs have, several at a time, and whatever goes wrong in one is its finding."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError
from requests.exceptions import RequestException
from twilio.base.exceptions import TwilioException

from tools.doctor.findings import Examination
from tools.doctor.stack import CannotLook, Stack
from tools.doctor.twilio_client import refusal
from twilio_plugin.domain.twilio_errors import TWILIO_ERRORS, explain
from twilio_plugin.errors import PluginError

Look = Callable[[Stack, Examination], None]

_AT_ONCE = 8
_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError"}


@dataclass(frozen=True, slots=True)
class Check:
    """`name` is what findings go by, `looks_at` says it in words; `needs` are checks without whose health it sees nothing."""

    name: str
    group: str
    looks_at: str
    look: Look
    needs: tuple[str, ...] = ()


def examine(stack: Stack, checks: Sequence[Check]) -> Iterator[Examination]:
    """What each check sees, in the order of the checks, as soon as it is known. What a check needs stands before it."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        futures: dict[str, Future[Examination]] = {}
        for check in checks:
            futures[check.name] = pool.submit(_run, check, stack, [futures[name] for name in check.needs])
        for future in futures.values():
            yield future.result()


def _run(check: Check, stack: Stack, needs: Sequence[Future[Examination]]) -> Examination:
    seen = Examination(check.name, check.group, check.looks_at)
    # Those were handed to the pool before this one, so somebody is at them.
    if blocker := next((one for one in (need.result() for need in needs) if one.blocks), None):
        seen.skipped_for = blocker.skipped_for or blocker.check
        return seen
    try:
        check.look(stack, seen)
    except CannotLook as error:
        seen.unknown(str(error), error.remedy)
    except ClientError as error:
        _aws_refused(error, stack, seen)
    except NoCredentialsError:
        seen.unknown("There are no AWS credentials here.", "Sign in (`aws sso login`, or set AWS_PROFILE) and look again.")
    except BotoCoreError as error:
        seen.unknown(f"AWS cannot be asked: {error}", "Check the network, AWS_REGION and AWS_PROFILE, and look again.")
    except TwilioException as error:
        _twilio_refused(error, seen)
    except RequestException as error:
        seen.unknown(f"Twilio cannot be reached: {type(error).__name__}.", "Check the network and status.twilio.com.")
    except PluginError as error:
        seen.unknown(str(error), "Correct what the sentence names, and look again.")
    except Exception as error:  # noqa: BLE001  a check that breaks must not hide what the others see
        seen.unknown(f"The check broke: {type(error).__name__}: {error}", "This is a bug of the doctor's; the others went on.")
    return seen


def _aws_refused(error: ClientError, stack: Stack, seen: Examination) -> None:
    code, operation = error.response.get("Error", {}).get("Code", ""), error.operation_name
    if code in _DENIED:
        seen.unknown(f"AWS does not let you ask ({operation}: {code}).", f"Look with a role that may do {operation}.")
    elif stack.local:
        seen.note(f"Not looked at here: the local engine does not answer {operation} ({code}).")
    else:
        message = error.response.get("Error", {}).get("Message", "")
        seen.unknown(f"AWS refused {operation}: {code} {message}".rstrip(), "Correct what AWS names, and look again.")


def _twilio_refused(error: TwilioException, seen: Examination) -> None:
    status, code = refusal(error)
    remedy = explain(code).remedy if code in TWILIO_ERRORS else "Look it up in the Twilio console, and look again."
    seen.unknown(f"Twilio does not tell (HTTP {status or '?'}{f', error {code}' if code else ''}).", remedy)
