"""From the webhooks to the agent: bus, outbox, and the queues of what failed for good."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tools.doctor.findings import Examination
from tools.doctor.stack import Stack
from twilio_plugin.domain.timestamp import iso

_QUEUES = {
    "InvocationFailuresQueueUrl": (
        "asynchronous invocations that failed for good",
        "Each has payload and error: read one in the SQS console (Poll for messages), correct the cause, invoke the function "
        "again, and purge the queue.",
    ),
    "RelayFailuresQueueUrl": (
        "stream positions that the relay gave up on",
        "Read the log of event-relay. The events are in the outbox, and reconcile publishes them; then purge the queue.",
    ),
    "AgentFailuresQueueUrl": (
        "texts that the agent behind the bridge did not answer",
        "AGENT_FAILED and the agent's log say why. Once the cause is gone, start a redrive in the SQS console.",
    ),
}
_LATE = timedelta(minutes=5)


def bus(stack: Stack, seen: Examination) -> None:
    """Whether anybody listens."""
    events, name = stack.client("events"), stack.output("EventBusName")
    events.describe_event_bus(Name=name)
    pages = events.get_paginator("list_rules").paginate(EventBusName=name)
    # A schedule is no listener.
    rules = [rule for page in pages for rule in page["Rules"] if rule.get("EventPattern")]
    off = [rule["Name"] for rule in rules if rule["State"] == "DISABLED"]
    on = [rule["Name"] for rule in rules if rule["State"] != "DISABLED"]
    without = [rule for rule in on if not events.list_targets_by_rule(Rule=rule, EventBusName=name)["Targets"]]
    for rule in off:
        seen.warning(f"The rule {rule} on the bus {name} is disabled.", "Enable it, if the agent is to wake up.")
    for rule in without:
        seen.warning(f"The rule {rule} on the bus {name} has no target.", "Give it the agent's function as its target.")
    if not rules:
        seen.warning(
            f"No rule listens to the bus {name}: texts and calls are kept, and nobody answers.",
            "Deploy an agent, such as examples/echo_agent with PluginStackName, or set AgentFunctionArn. A rule on the bus "
            '"default" hears nothing of the plugin.',
        )
    seen.fact(f"{name} is listened to by {', '.join(sorted(on))}")


def queues(stack: Stack, seen: Examination) -> None:
    """Whether something failed for good."""
    sqs = stack.client("sqs")
    for output, (what, remedy) in _QUEUES.items():
        if output not in stack.outputs:
            continue
        attributes = sqs.get_queue_attributes(QueueUrl=stack.outputs[output], AttributeNames=["ApproximateNumberOfMessages"])
        waiting = int(attributes["Attributes"]["ApproximateNumberOfMessages"])
        if waiting:
            seen.warning(f"The queue {output.removesuffix('QueueUrl')} has {waiting} {what}.", remedy)
    seen.fact("no failures kept")


def outbox(stack: Stack, seen: Examination) -> None:
    """Whether events wait for the bus. A scan, of a table that is all but empty."""
    before = iso(datetime.now(UTC) - _LATE)
    page = stack.client("dynamodb").scan(
        TableName=stack.output("OutboxTableName"),
        FilterExpression="occurred_at < :before",
        ExpressionAttributeValues={":before": {"S": before}},
        ProjectionExpression="occurred_at",
    )
    late = sorted(item["occurred_at"]["S"] for item in page["Items"])
    if late:
        more = " at least" if "LastEvaluatedKey" in page else ""
        seen.error(
            f"{len(late)} events{more} have not reached the bus, the oldest of {late[0]}.",
            "reconcile publishes them every five minutes. If they stay, read the logs of event-relay and reconcile.",
        )
    seen.fact("nothing waits in the outbox")
