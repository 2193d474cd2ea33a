"""The bridge on a stack of its own, with an agent that was there before it: bursts, order, and an agent that fails."""

from __future__ import annotations

import io
import json
import time
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest

from local.bus import is_event
from local.callers import SAID, caller
from local.engine import ACCOUNT
from local.stack import LocalStack
from tests.e2e.conftest import Phone
from tests.e2e.test_voice import event, events, on_the_phone

pytestmark = pytest.mark.stack

AGENT = "test-agent"
TURNS = "test-agent-turns"
# It notes every turn before it answers, and fails as often as the text says.
CODE = f"""
import json, time, uuid
import boto3

table = boto3.resource("dynamodb").Table({TURNS!r})

def handler(event, context):
    person, text = event["from"], event["input"]["text"]
    earlier = table.query(KeyConditionExpression="person = :p", ExpressionAttributeValues={{":p": person}})["Count"]
    table.put_item(Item={{"person": person, "at": str(time.time()), "event": json.dumps(event)}})
    if "fail" in text and earlier < int(text.split("fail ")[1].split()[0]):
        raise ValueError("the words of " + person)
    if "slowly" in text or text.endswith("order is"):
        time.sleep(4)
    if "no thank you" in text:
        return {{"reply": "Goodbye.", "end_call": True}}
    return {{"reply": f"You said: {{text}}" + (" and sent a picture" if event["input"]["media"] else "")}}
"""


class Agent:
    """A phone with an agent behind it."""

    def __init__(self, phone: Phone) -> None:
        self.phone = phone
        self.twilio = phone.twilio
        self.engine = phone.stack.engine
        queues = self.engine.client("sqs").list_queues()["QueueUrls"]
        self.queue = next(url for url in queues if "AgentQueue" in url).replace("localhost", "127.0.0.1")

    def turns(self, person: str) -> list[Any]:
        """What the agent was asked about a person, in order."""
        found = self.engine.client("dynamodb").query(
            TableName=TURNS,
            KeyConditionExpression="person = :p",
            ExpressionAttributeValues={":p": {"S": person}},
            ConsistentRead=True,
        )
        return [json.loads(item["event"]["S"]) for item in found["Items"]]

    def inputs(self, person: str) -> list[str]:
        return [turn["input"]["text"] for turn in self.turns(person)]

    def reply(self, person: str, number: int = 1) -> str:
        """The text of that number on the person's phone, once it is there."""
        return self.twilio.wait_for_text(person, after=number - 1, timeout=60).body

    def replies(self, person: str) -> list[str]:
        return [text.body for text in self.twilio.texts_to(person)]

    def wait_until_idle(self) -> None:
        """Nothing waits in the queue or is being worked on."""
        names = ["", "NotVisible", "Delayed"]
        attributes = [f"ApproximateNumberOfMessages{name}" for name in names]
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            found = self.engine.client("sqs").get_queue_attributes(QueueUrl=self.queue, AttributeNames=attributes)
            if not any(int(count) for count in found["Attributes"].values()):
                return
            time.sleep(0.2)
        raise TimeoutError(f"Texts still wait for the agent: {found['Attributes']}")


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agent]:
    with LocalStack(folder=tmp_path_factory.mktemp("bridged"), time_scale=0.3) as stack:
        arn = _agent_function(stack)
        stack.deploy(AgentFunctionArn=arn, BurstWindowSeconds="2", TurnsPerHour="4")
        assert stack.twilio
        yield Agent(Phone(stack, stack.twilio))


def _agent_function(stack: LocalStack) -> str:
    stack.engine.client("dynamodb").create_table(
        TableName=TURNS,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("person", "at")],
        KeySchema=[{"AttributeName": "person", "KeyType": "HASH"}, {"AttributeName": "at", "KeyType": "RANGE"}],
    )
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as written:
        written.writestr("agent.py", CODE)
    created = stack.engine.client("lambda").create_function(
        FunctionName=AGENT,
        Runtime="python3.13",
        Handler="agent.handler",
        Role=f"arn:aws:iam::{ACCOUNT}:role/agent",
        Code={"ZipFile": archive.getvalue()},
        Timeout=30,
    )
    return str(created["FunctionArn"])


def test_three_texts_within_two_seconds_are_one_turn_with_the_three_in_order(agent: Agent) -> None:
    person = agent.phone.person()

    agent.twilio.receive_text(person, "Hello!")
    agent.twilio.receive_text(person, "Is this", media=[("image/png", b"a cat")])
    agent.twilio.receive_text(person, "the one?")

    assert agent.reply(person) == "You said: Hello!\nIs this\nthe one? and sent a picture"
    agent.wait_until_idle()
    (turn,) = agent.turns(person)
    assert turn["input"]["text"] == "Hello!\nIs this\nthe one?"
    assert [media["content_type"] for media in turn["input"]["media"]] == ["image/png"]
    assert turn["turns"] == []
    assert len(agent.replies(person)) == 1


def test_the_next_turn_knows_the_conversation_and_what_came_while_the_agent_was_thinking_is_not_lost(agent: Agent) -> None:
    person = agent.phone.person()
    agent.twilio.receive_text(person, "Think slowly")
    deadline = time.monotonic() + 30
    while not agent.turns(person):
        assert time.monotonic() < deadline
        time.sleep(0.1)

    agent.twilio.receive_text(person, "And quickly")

    assert agent.reply(person, 2) == "You said: And quickly"
    assert agent.inputs(person) == ["Think slowly", "And quickly"]
    assert agent.turns(person)[1]["turns"] == [
        {"role": "user", "content": "Think slowly"},
        {"role": "assistant", "content": "You said: Think slowly"},
    ]


def test_conversations_wait_beside_each_other_and_texts_of_one_behind_each_other(agent: Agent) -> None:
    """The local engine polls such a queue with one hand, so what is shown is what the queue would give to several."""
    lambda_, sqs = agent.phone.lambda_, agent.engine.client("sqs")
    (mapping,) = [
        one for one in lambda_.list_event_source_mappings()["EventSourceMappings"] if "AgentQueue" in one["EventSourceArn"]
    ]
    lambda_.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    time.sleep(2)
    one, other = agent.phone.person(), agent.phone.person()
    for person in (one, other, one, other):
        agent.twilio.receive_text(person, "Hello")
    time.sleep(4)

    def receive() -> list[Any]:
        answer = sqs.receive_message(
            QueueUrl=agent.queue, MaxNumberOfMessages=1, MessageSystemAttributeNames=["MessageGroupId"], WaitTimeSeconds=1
        )
        return list(answer.get("Messages", []))

    taken = [*receive(), *receive(), *receive()]
    for message in taken:
        sqs.change_message_visibility(QueueUrl=agent.queue, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)
    lambda_.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)

    assert len({message["Attributes"]["MessageGroupId"] for message in taken}) == len(taken) == 2
    assert [json.loads(message["Body"])["person"] for message in taken] == [one, other]
    for person in (one, other):
        assert agent.reply(person) == "You said: Hello\nHello"


def test_an_agent_that_fails_twice_and_then_works_replies_once(agent: Agent) -> None:
    person = agent.phone.person()

    agent.twilio.receive_text(person, "Please fail 2 times")

    assert agent.reply(person) == "You said: Please fail 2 times"
    agent.wait_until_idle()
    agent.twilio.settle()
    assert agent.inputs(person) == ["Please fail 2 times"] * 3
    assert len(agent.replies(person)) == 1
    assert agent.phone.bus.of("AGENT_FAILED") == []


def test_an_agent_that_never_works_is_announced_and_the_text_is_kept(agent: Agent) -> None:
    person = agent.phone.person()

    agent.twilio.receive_text(person, "Please fail 9 times")

    failed = agent.phone.bus.wait_for(is_event("AGENT_FAILED", from_=person), timeout=90)["detail"]
    assert (failed["reason"], failed["error_type"], failed["attempts"]) == ("no_answer", "ValueError", 4)
    assert "the words of" not in json.dumps(failed)
    sqs, failures = agent.engine.client("sqs"), agent.phone.stack.outputs["AgentFailuresQueueUrl"]
    agent.wait_until_idle()
    answer = sqs.receive_message(QueueUrl=failures.replace("localhost", "127.0.0.1"), WaitTimeSeconds=5)
    (kept,) = answer["Messages"]
    assert json.loads(kept["Body"])["event_id"] == failed["in_reply_to"]
    agent.twilio.receive_text(person, "Then say hello")
    assert agent.reply(person) == "You said: Then say hello"


def test_stop_gets_no_reply_and_a_loop_ends(agent: Agent) -> None:
    loop, person = agent.phone.person(), agent.phone.person()

    agent.twilio.receive_text(person, "Stop")
    for number in range(1, 6):
        agent.twilio.receive_text(loop, f"Ping {number}")
        if number < 5:
            agent.reply(loop, number)

    too_many = agent.phone.bus.wait_for(is_event("AGENT_FAILED", from_=loop), timeout=30)["detail"]
    assert too_many["reason"] == "too_many_turns"
    agent.wait_until_idle()
    assert len(agent.replies(loop)) == 4
    assert agent.turns(person) == []


def test_a_caller_is_answered_and_hung_up_on_once_they_have_heard_the_goodbye(agent: Agent) -> None:
    call = on_the_phone(agent.phone)

    call.play_sound(caller("closing_time"), wait=True)
    played = event(agent.phone, "SPEECH_PLAYED", call)
    call.play_sound(caller("no"), wait=True)
    goodbye = event(agent.phone, "SPEECH_PLAYED", call, text="Goodbye.")

    assert played["text"] == f"You said: {SAID['closing_time'].words}"
    ended = agent.phone.bus.wait_for(is_event("CALL_ENDED", call_sid=call.sid))["detail"]
    assert ended["occurred_at"] > goodbye["occurred_at"]
    first, second = agent.turns(call.from_)
    assert (first["call"]["call_sid"], first["turns"], first["from"]) == (call.sid, [], call.from_)
    assert second["turns"] == [
        {"role": "user", "content": SAID["closing_time"].words},
        {"role": "assistant", "content": played["text"]},
    ]


def test_a_caller_who_goes_on_while_the_agent_thinks_is_answered_once_for_both(agent: Agent) -> None:
    call = on_the_phone(agent.phone)
    words = [SAID[name].words for name in ("my_order", "my_name")]

    call.play_sound(caller("my_order"), wait=True)
    event(agent.phone, "SPEECH_RECEIVED", call, text=words[0])
    call.play_sound(caller("my_name"), wait=True)

    played = event(agent.phone, "SPEECH_PLAYED", call)
    assert played["text"] == "You said: " + "\n".join(words)
    assert agent.inputs(call.from_) == [words[0], "\n".join(words)]
    assert len(events(agent.phone, call, "SPEECH_PLAYED", "SPEECH_INTERRUPTED")) == 1
    call.hang_up()
