"""``python -m tools.deploy``: ask what a first deployment has to know, then ``sam build`` and ``sam deploy``.

A stack that is there keeps its parameters; ``--set Name=Value`` changes one. SAM asks before it changes anything.
"""

from __future__ import annotations

import argparse
import getpass
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import boto3
import yaml
from botocore.exceptions import BotoCoreError, ClientError

from tools.deploy.questions import NotDeployed, Terminal, parameters
from twilio_plugin.adapters.twilio_rest import TWILIO_API

ROOT = Path(__file__).resolve().parents[2]
SAM = ROOT / ".local" / "sam" / "bin" / "sam"
DEFAULT_NAME = "twilio-plugin"

Run = Callable[[Sequence[str]], int]


def main(
    arguments: Sequence[str],
    terminal: Terminal | None = None,
    environment: Mapping[str, str] = os.environ,
    run: Run | None = None,
    api_base_url: str = TWILIO_API,
) -> int:
    """The exit code: SAM's, or 1 where it did not come to that."""
    asked = _parser().parse_args(arguments)
    terminal = terminal or Terminal(input, getpass.getpass, print)
    run = run or _sam
    try:
        wanted = dict(one.split("=", 1) for one in asked.set)
        session = boto3.Session(region_name=asked.region or None)
        region = session.region_name or terminal.ask("AWS region [us-east-1]: ").strip() or "us-east-1"
        if not _exists(session, region, asked.stack_name):
            terminal.tell(f"There is no stack {asked.stack_name} in {region} yet.")
            wanted = parameters(terminal, environment, api_base_url) | wanted
        else:
            terminal.tell(
                f"{asked.stack_name} in {region} keeps its parameters{' but for ' + ', '.join(wanted) if wanted else ''}."
            )
    except (NotDeployed, EOFError) as reason:
        terminal.tell(str(reason) or "The questions need a terminal, or TWILIO_ACCOUNT_SID and the others in the environment.")
        return 1
    except (BotoCoreError, ClientError) as error:
        terminal.tell(f"AWS cannot be asked: {error} Sign in (`aws sso login`, or set AWS_PROFILE) and start again.")
        return 1
    return (
        run(["build"])
        or _deploy(run, asked.stack_name, region, wanted, yes=asked.yes)
        or _next(terminal, asked.stack_name, region)
    )


def _exists(session: boto3.Session, region: str, name: str) -> bool:
    try:
        stacks = session.client("cloudformation", region_name=region).describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if "does not exist" in str(error):
            return False
        raise
    status = stacks[0]["StackStatus"]
    if status in ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED"):
        raise NotDeployed(
            f"{name} is {status}: its first deployment failed. The stack's events in the CloudFormation console say why. Then "
            f"`sam delete --stack-name {name} --region {region}`, and start again."
        )
    return bool(status != "REVIEW_IN_PROGRESS")  # a change set that nobody carried out: there are no values to keep


def _deploy(run: Run, name: str, region: str, wanted: Mapping[str, str], *, yes: bool) -> int:
    command = ["deploy", "--stack-name", name, "--region", region, *(["--no-confirm-changeset"] if yes else [])]
    if not wanted:
        return run(command)
    # A file that only we can read: a command line is everybody's to see. SAM does not print what is not echoed.
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "parameters.yaml")
        file.touch(mode=0o600)
        file.write_text(yaml.safe_dump(dict(wanted)))
        return run([*command, "--parameter-overrides", f"file://{file}"])


def _sam(arguments: Sequence[str]) -> int:
    return subprocess.run(
        [str(SAM), *arguments], check=False, cwd=ROOT, env={**os.environ, "SAM_CLI_TELEMETRY": "0"}
    ).returncode


def _next(terminal: Terminal, name: str, region: str) -> int:
    terminal.tell(f"\nDeployed. What is still to do, if anything:\n\n  AWS_REGION={region} make doctor STACK={name}\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.deploy", description=__doc__, allow_abbrev=False)
    parser.add_argument("--stack-name", default=DEFAULT_NAME, help=f"{DEFAULT_NAME} if left out")
    parser.add_argument("--region", help="if not the one that AWS's tools are set to")
    parser.add_argument("--set", nargs="*", default=[], metavar="Name=Value", help="parameters of template.yaml")
    parser.add_argument("--yes", action="store_true", help="deploy without showing the change set first")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
