"""The stack as AWS has it: credentials, state, outputs, functions."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from samtranslator.yaml_helper import yaml_parse

from tools.doctor.findings import Examination
from tools.doctor.stack import CannotLook, Stack

TEMPLATE = Path(__file__).resolve().parents[3] / "template.yaml"
_WELL = {"CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"}


def credentials(stack: Stack, seen: Examination) -> None:
    """Who we are to AWS, and where."""
    if not stack.region:
        seen.error(
            "No AWS region is set.",
            "Set AWS_REGION to the region that the stack is in, or pass --region. "
            "The local stack is looked at as soon as `make run` says that it is up.",
        )
        return
    account = stack.client("sts").get_caller_identity()["Account"]
    seen.fact(f"AWS account {account}, {stack.region}")


def state(stack: Stack, seen: Examination) -> None:
    """Whether the stack is there, and whole."""
    try:
        status = str(stack.description["StackStatus"])
    except CannotLook as error:
        seen.error(str(error), error.remedy)
        return
    if status == "UPDATE_ROLLBACK_COMPLETE":
        seen.warning(
            f"The last update of {stack.name} failed and was taken back ({status}).",
            "What runs is the version before. The stack's events in the CloudFormation console name the reason; deploy again.",
        )
    elif status.endswith("_IN_PROGRESS"):
        seen.warning(f"{stack.name} is being changed ({status}).", "Look again when CloudFormation is done.")
    elif status not in _WELL:
        seen.error(
            f"{stack.name} is {status}.",
            "The stack's events in the CloudFormation console name the reason. After a failed first deploy, delete the stack "
            f"(`sam delete --stack-name {stack.name}`) and deploy again.",
        )
    seen.fact(f"{stack.name} is {status}")


def outputs(stack: Stack, seen: Examination) -> None:
    """Whether the stack is of this version, by its outputs."""
    always = _outputs_of_this_version()
    if missing := sorted(always - stack.outputs.keys()):
        seen.error(
            f"The stack {stack.name} has no output {', '.join(missing)}: it is another version than this checkout, or no "
            "stack of the plugin.",
            "Deploy this version (`make deploy`), or name the right stack (`make doctor STACK=<name>`).",
        )
    seen.fact(f"all {len(always)} outputs")


@cache
def _outputs_of_this_version() -> frozenset[str]:
    template: Any = yaml_parse(TEMPLATE.read_text())
    return frozenset(name for name, output in template["Outputs"].items() if "Condition" not in output)


def functions(stack: Stack, seen: Examination) -> None:
    """Whether Lambda could run every function."""
    lambda_, names = stack.client("lambda"), stack.of_type("AWS::Lambda::Function").values()
    for name in sorted(names):
        configuration = lambda_.get_function_configuration(FunctionName=name)
        problem = configuration.get("State") == "Failed" or configuration.get("LastUpdateStatus") == "Failed"
        if problem:
            reason = configuration.get("StateReason") or configuration.get("LastUpdateStatusReason") or "without a reason"
            seen.error(f"Lambda cannot run {name}: {reason}", "Deploy again; if it stays, the reason names what is missing.")
        reserved = lambda_.get_function_concurrency(FunctionName=name).get("ReservedConcurrentExecutions")
        if reserved == 0:
            seen.error(
                f"{name} is switched off: its reserved concurrency is 0.",
                f"`aws lambda delete-function-concurrency --function-name {name}`",
            )
    seen.fact(f"{len(names)} functions can run")
