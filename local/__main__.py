"""``python -m local run``: the local stack and a first conversation, until Ctrl-C. ``demo``: the same, then exit.

``run`` talks to the real Twilio when TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN, TWILIO_PHONE_NUMBER and TWILIO_WEBHOOK_URL (a
tunnel to the front's port, ending in /webhooks/twilio) are all set. ``demo`` never does. With RECORD=<folder>, ``run`` writes
down all that Twilio sends, masked (`local.recorder`); with RECORD_WORDS=1 too, what people say is left in.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from local.demo import Demo
from local.stack import LocalStack, TwilioAccount

PORT = int(os.environ.get("TWILIO_WEBHOOK_PORT") or 3000)
RECORD = os.environ.get("RECORD") or None


def main() -> int:
    """The exit code: 0 if every step was as expected."""
    stays = sys.argv[1:] == ["run"]
    if not stays and sys.argv[1:] != ["demo"]:
        raise SystemExit("usage: python -m local run|demo")
    account = TwilioAccount.real() if stays else None
    # Ended from outside, it ends what it has started, as it does on Ctrl-C.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    record = Path(RECORD) if RECORD and stays else None
    with LocalStack(account=account, port=PORT, record=record, record_words=os.environ.get("RECORD_WORDS") == "1") as stack:
        stack.deploy()
        if stack.twilio:
            stack.twilio.register_campaign()  # without one, carriers would refuse our texts
        stack.deploy_example("echo_agent")
        if not stays:
            stack.write_down()
        as_expected = Demo(stack, stack.twilio).play() if stack.twilio else True
        if stays:
            # Only now: whoever waits for the file finds the first conversation over.
            stack.write_down()
            _stay(stack)
    return 0 if as_expected else 1


def _stay(stack: LocalStack) -> None:
    print(f"\nThe stack is up. Webhooks: {stack.webhook_url}   Everything else: .local/stack.json")
    if stack.twilio:
        print(f"Text it as Ada would, or call and say something:\n  {_text(stack)}\n  {_call(stack)}")
    else:
        print(f"{stack.account.phone_number} is pointed at it, and back when it ends. Text or call the number.")
    print("Ctrl-C ends it.", flush=True)
    try:
        signal.pause()
    except KeyboardInterrupt:
        print("\nStopping.")


def _text(stack: LocalStack) -> str:
    return f"""curl -s {stack.twilio_api_url}/_standin/texts -d '{{"from": "+15555550142", "body": "Are you there?"}}'"""


def _call(stack: LocalStack) -> str:
    """A call in which Ada waits for the greeting, speaks, and hangs up when she has heard the answer."""
    script = '[{"wait": 5}, {"say": "what are your opening hours"}, {"wait": 15}, {"hang_up": true}]'
    return f"""curl -s {stack.twilio_api_url}/_standin/calls -d '{{"from": "+15555550142", "script": {script}}}'"""


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("\nStopped.")
