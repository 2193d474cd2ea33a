"""Delete all that is kept of a person: ``python -m tools.forget +15555550142``, with the operator's AWS credentials."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from typing import Any

from twilio_plugin.errors import PluginError
from twilio_plugin.invoker import Invoker

SECONDS = 910.0  # the function's own time, and a little
Invoke = Callable[[Mapping[str, Any]], Mapping[str, Any]]


def forget(request: Mapping[str, Any], invoke: Invoke, say: Callable[[str], None]) -> None:
    """Invoke until it is complete, and say what each run did."""
    payload = dict(request)
    while True:
        done = invoke(payload)
        counts = ", ".join(f"{name} {count}" for name, count in done.items() if isinstance(count, int) and name != "complete")
        say(f"{done['phone_number']}: {counts}")
        if done["complete"]:
            say("What remains:\n" + "\n".join(f"* {one}" for one in done["kept"]))
            return
        payload["next_token"] = done["next_token"]


def main() -> None:
    """Read the arguments."""
    parser = argparse.ArgumentParser(description="Delete all that a stack keeps of a person.")
    parser.add_argument("phone_number")
    parser.add_argument("--stack", default="twilio-plugin")
    parser.add_argument("--dry-run", action="store_true", help="only count")
    parser.add_argument("--at-twilio", action="store_true", help="erase it at Twilio too")
    given = parser.parse_args()
    invoker = Invoker(given.stack, functions=None, session=None, region=None, endpoint_url=None, timeout=SECONDS)
    request = {"phone_number": given.phone_number, "dry_run": given.dry_run, "at_twilio": given.at_twilio}
    try:
        forget(request, lambda payload: invoker.invoke("forget", payload, repeatable=True), print)
    except PluginError as error:
        sys.exit(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
