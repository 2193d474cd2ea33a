"""What went wrong lately: at Twilio, at the carriers, in the functions, by the alarms."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from tools.doctor.findings import Examination
from tools.doctor.stack import Stack
from twilio_plugin.domain.twilio_errors import explain

_AT_MOST = 200
# How Lambda itself ends a function.
_ENDED = ("Task timed out", "Runtime.ImportModuleError", "Runtime.ExitError", "Runtime.OutOfMemory")
# Twilio's debugger, about us: https://www.twilio.com/docs/api/errors. Those of messages are in `domain.twilio_errors`.
ALERTS = {
    11200: (
        "a webhook was not answered with 2xx",
        "Find the request in the Twilio console (Monitor > Logs > Errors): its status says where to look in "
        "docs/troubleshooting.md.",
    ),
    11205: ("a webhook could not be reached", "Look at the check `addresses`; with a tunnel or domain, at whether it is up."),
    11750: ("a document was too long", "Shorten what `control-call` or `make-call` is given as `twiml`."),
    12100: ("a document was no XML", "Correct what `control-call` or `make-call` is given as `twiml`."),
    12300: ("a webhook answered another content type", "Another service answers at that URL: see the checks on webhooks."),
    13224: ("a call was connected to a number Twilio does not call", "Correct `transfer_to` or `to`."),
    31920: ("a stream's handshake was refused", "See docs/troubleshooting.md, 31920: the log of stream-authorizer says why."),
    31921: ("a stream's socket was closed by us", "See docs/troubleshooting.md, 31921: the log of media-stream says why."),
    31951: (
        "a stream was sent what is no message",
        "See docs/troubleshooting.md, 31951: an integration fails or is throttled.",
    ),
}


def alerts(stack: Stack, seen: Examination) -> None:
    """Twilio's debugger, by code; what is about other URLs is not ours."""
    ours = (stack.output("WebhookUrl"), stack.output("WebSocketUrl"))
    rows = stack.twilio.monitor.v1.alerts.list(start_date=stack.since, limit=_AT_MOST)
    about_us = [row for row in rows if not row.request_url or str(row.request_url).startswith(ours)]
    for code, times in _counted(row.error_code for row in about_us):
        meaning, remedy = ALERTS.get(code or 0) or (explain(code).meaning, explain(code).remedy)
        seen.warning(f"Twilio reported {code} {_times(times)}: {meaning.rstrip('.')}.", remedy)
    if others := len(rows) - len(about_us):
        seen.note(f"{others} of Twilio's reports are about other addresses than this stack's.")
    seen.fact("no errors in Twilio's debugger")


def undelivered(stack: Stack, seen: Examination) -> None:
    """Texts of ours that did not arrive, by Twilio's error code."""
    failed = [
        message
        for number in stack.numbers
        for message in stack.twilio.messages.list(from_=number, date_sent_after=stack.since, limit=_AT_MOST)
        if message.status in ("undelivered", "failed")
    ]
    for code, times in _counted(message.error_code for message in failed):
        error = explain(code)
        seen.warning(f"Texts did not arrive, {_times(times)}: {code or 'no code'}, {error.meaning}", error.remedy)
    seen.fact("all texts arrived")


def function_errors(stack: Stack, seen: Examination) -> None:
    """What the functions logged as errors, and how Lambda ended them. Only message and kind are shown: no fields."""
    logs, since = stack.client("logs"), int(stack.since.timestamp() * 1000)
    # The local engine does not know such patterns, and has little to look through.
    pattern = {} if stack.local else {"filterPattern": " ".join(f'?"{sign}"' for sign in ("ERROR", *_ENDED)), "limit": _AT_MOST}
    for group in sorted(stack.of_type("AWS::Logs::LogGroup").values()):
        found = logs.filter_log_events(logGroupName=group, startTime=since, **pattern)
        for what, times in Counter(filter(None, (_error_in(event["message"]) for event in found["events"]))).items():
            seen.warning(f"{group} has {what} {_times(times)}.", f"`aws logs tail {group} --since 1d` shows the whole line.")
    seen.fact("no errors in the logs")


def alarms(stack: Stack, seen: Examination) -> None:
    """Alarms of the stack that are on."""
    names = list(stack.of_type("AWS::CloudWatch::Alarm").values())
    if not names:
        seen.note("The stack has no alarms.", "Deploy with AlarmTopicArn to be told of trouble.")
        return
    on = stack.client("cloudwatch").describe_alarms(AlarmNames=names, StateValue="ALARM")["MetricAlarms"]
    for alarm in on:
        seen.warning(f"The alarm {alarm['AlarmName']} is on.", str(alarm.get("AlarmDescription") or "See its metric."))
    seen.fact(f"{len(names)} alarms, none is on")


def _error_in(line: str) -> str | None:
    """What kind of error a line tells of; None for one that only has the word."""
    for sign in _ENDED:
        if sign in line:
            return f"“{sign}”"
    try:
        logged: Any = json.loads(line)
    except ValueError:
        return None
    if not isinstance(logged, dict) or logged.get("level") != "ERROR":
        return None
    kind = f" ({logged['exception_name']})" if logged.get("exception_name") else ""
    return f"“{str(logged.get('message', ''))[:80]}”{kind}"


def _counted(codes: Any) -> list[tuple[int | None, int]]:
    """Each code with how often it came, the most frequent first."""
    return Counter(int(code) if code else None for code in codes).most_common()


def _times(times: int) -> str:
    return "once" if times == 1 else f"{times} times"
