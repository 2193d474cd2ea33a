"""The agents of `examples/`, with Lambda and Bedrock stubbed: every request is held to botocore's model of the API."""

from __future__ import annotations

import importlib
import io
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from botocore.stub import ANY, Stubber

from twilio_plugin.domain.agent import AgentAnswer, AgentCall, AgentInput, AgentRequest

EXAMPLES = Path(__file__).parents[2] / "examples"
TOOLS = Path(__file__).parents[2] / "events" / "tools" / "bedrock_converse.json"
OURS, THEIRS = "+14155550100", "+14155550123"
TEXT = {"event_id": "SMS_RECEIVED#SM1", "from": THEIRS, "to": OURS, "body": "Are you open?", "media": []}
SPEECH = {
    "event_id": "SPEECH_RECEIVED#MZ1#1",
    "call_sid": "CA1",
    "from": THEIRS,
    "to": OURS,
    "direction": "inbound",
    "text": "Hi",
}
HISTORY = {"turns": [{"role": "assistant", "content": "Welcome!"}, {"role": "user", "content": "Are you open?"}]}

Load = Callable[[str, str], ModuleType]


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """Import a module of an example as Lambda does: from its own folder, with its environment."""
    known = set(sys.modules)
    for name, value in {"PLUGIN_STACK_NAME": "phone", "MODEL_ID": "a-model", "SYSTEM_PROMPT": "You are Ada."}.items():
        monkeypatch.setenv(name, value)

    def load(example: str, module: str) -> ModuleType:
        monkeypatch.syspath_prepend(str(EXAMPLES / example / "src"))
        return importlib.import_module(module)

    yield load
    for name in set(sys.modules) - known:
        if str(EXAMPLES) in (getattr(sys.modules[name], "__file__", None) or ""):
            del sys.modules[name]


class Bedrock:
    """The Bedrock agent, whose model and functions answer as they are told, in this order."""

    def __init__(self, load: Load) -> None:
        self.agent, self.converse = load("bedrock_agent", "agent"), load("bedrock_agent", "converse")
        self.plugin = load("bedrock_agent", "plugin")
        self.model, self.functions = Stubber(self.converse.bedrock), Stubber(self.plugin.lambda_client)
        self.asked: list[Any] = []
        self.invoked: list[tuple[str, Any]] = []
        self.converse.bedrock.meta.events.register("provide-client-params.bedrock-runtime.Converse", self._ask)
        self.plugin.lambda_client.meta.events.register("provide-client-params.lambda.Invoke", self._invoke)

    def _ask(self, params: Any, **_: Any) -> None:
        self.asked.append(json.loads(json.dumps(params)))

    def _invoke(self, params: Any, **_: Any) -> None:
        self.invoked.append((params["FunctionName"], json.loads(params["Payload"])))

    def __enter__(self) -> Bedrock:
        self.model.activate()
        self.functions.activate()
        return self

    def __exit__(self, *_: object) -> None:
        self.model.assert_no_pending_responses()
        self.functions.assert_no_pending_responses()

    def says(self, *content: dict[str, Any]) -> None:
        """The model's next answer."""
        answer = {
            "output": {"message": {"role": "assistant", "content": list(content)}},
            "stopReason": "tool_use" if "toolUse" in content[-1] else "end_turn",
            "usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2},
            "metrics": {"latencyMs": 1},
        }
        expected = dict.fromkeys(("modelId", "system", "messages", "toolConfig", "inferenceConfig"), ANY)
        self.model.add_response("converse", answer, expected)

    def uses(self, tool: str, fields: Any, use_id: str = "tooluse_1") -> dict[str, Any]:
        return {"toolUse": {"toolUseId": use_id, "name": tool, "input": fields}}

    def answers(self, payload: Any, **more: Any) -> None:
        """What the next function invoked answers."""
        body = io.BytesIO(json.dumps(payload).encode())
        self.functions.add_response("invoke", {"StatusCode": 200, "Payload": body, **more})

    def handle(self, detail_type: str, detail: Any) -> None:
        self.agent.lambda_handler({"detail-type": detail_type, "detail": detail}, None)


@pytest.fixture
def bedrock(load: Load) -> Iterator[Bedrock]:
    with Bedrock(load) as agent:
        yield agent


def test_the_model_answers_a_text(bedrock: Bedrock) -> None:
    bedrock.answers(HISTORY)
    bedrock.says({"text": "Yes, until five."})
    bedrock.answers({})

    bedrock.handle("SMS_RECEIVED", TEXT)

    (asked,) = bedrock.asked
    assert asked["modelId"] == "a-model"
    assert asked["system"][0]["text"].startswith(f"You are Ada. You are talking with {THEIRS} by texts.")
    assert asked["messages"] == [{"role": "user", "content": [{"text": "Are you open?"}]}], "it begins with the person"
    assert bedrock.invoked[1] == (
        "phone-send-sms",
        {"to": THEIRS, "from": OURS, "body": "Yes, until five.", "idempotency_key": "SMS_RECEIVED#SM1"},
    )


def test_the_model_uses_a_tool_and_is_told_what_it_did(bedrock: Bedrock) -> None:
    sent = {"conversation_id": "x", "messages": [{"message_sid": "SM2"}]}
    bedrock.answers(HISTORY)
    bedrock.says({"text": "One moment."}, bedrock.uses("send_sms", {"to": "+14155550199", "body": "Ada is here"}))
    bedrock.answers(sent)
    bedrock.says({"text": "I have told them."})
    bedrock.answers({})

    bedrock.handle("SMS_RECEIVED", TEXT)

    assert bedrock.invoked[1] == (
        "phone-send-sms",
        {"to": "+14155550199", "body": "Ada is here", "idempotency_key": "SMS_RECEIVED#SM1#0.0"},
    )
    use, results = bedrock.asked[1]["messages"][1:]
    assert use["role"] == "assistant"
    assert results == {
        "role": "user",
        "content": [{"toolResult": {"toolUseId": "tooluse_1", "content": [{"json": sent}], "status": "success"}}],
    }
    assert bedrock.invoked[2][1]["body"] == "I have told them."


def test_what_a_tool_refuses_goes_back_to_the_model(bedrock: Bedrock) -> None:
    bedrock.answers(HISTORY)
    bedrock.says(bedrock.uses("make_call", {"to": "12"}), bedrock.uses("fly", {}, "tooluse_2"))
    bedrock.answers(
        {"errorType": "InvalidPhoneNumber", "errorMessage": "'***12' is not a phone number."}, FunctionError="Unhandled"
    )
    bedrock.says({"text": "Which number?"})
    bedrock.answers({})

    bedrock.handle("SMS_RECEIVED", TEXT)

    refused, unknown = [one["toolResult"] for one in bedrock.asked[1]["messages"][-1]["content"]]
    assert (refused["status"], unknown["status"]) == ("error", "error")
    assert "is not a phone number" in refused["content"][0]["text"]
    assert "There is no such tool" in unknown["content"][0]["text"]


def test_the_loop_ends(bedrock: Bedrock) -> None:
    bedrock.answers(HISTORY)
    for _ in range(bedrock.converse.ROUNDS):
        bedrock.says(bedrock.uses("call_state", {}))
        bedrock.answers({"text": "No active calls.", "calls": []})
    bedrock.answers({})

    bedrock.handle("SMS_RECEIVED", TEXT)

    assert bedrock.invoked[-1][1]["body"] == bedrock.converse.UNFINISHED


def test_the_model_speaks_in_a_call(bedrock: Bedrock) -> None:
    bedrock.answers(HISTORY)
    bedrock.says({"text": "Hello!"})
    bedrock.answers({})

    bedrock.handle("SPEECH_RECEIVED", SPEECH)

    assert "call_sid CA1" in bedrock.asked[0]["system"][0]["text"]
    assert bedrock.invoked[1] == ("phone-say", {"call_sid": "CA1", "text": "Hello!", "interrupt": True})


def test_in_a_call_of_ours_the_conversation_is_the_persons_too(bedrock: Bedrock) -> None:
    bedrock.answers({"turns": []})

    bedrock.handle("SPEECH_RECEIVED", SPEECH | {"direction": "outbound", "from": OURS, "to": THEIRS})

    assert bedrock.invoked == [("phone-conversation-history", {"phone_number": THEIRS, "our_number": OURS, "limit": 20})]


@pytest.mark.parametrize("error_type", ["NoMediaStream", "SpeakerBusy"])
def test_who_has_hung_up_is_no_trouble(bedrock: Bedrock, error_type: str) -> None:
    bedrock.answers(HISTORY)
    bedrock.says({"text": "Hello!"})
    bedrock.answers({"errorType": error_type, "errorMessage": "…"}, FunctionError="Unhandled")

    if error_type == "NoMediaStream":
        bedrock.handle("SPEECH_RECEIVED", SPEECH)
    else:
        with pytest.raises(bedrock.plugin.PluginRefused, match="SpeakerBusy"):
            bedrock.handle("SPEECH_RECEIVED", SPEECH)


def test_what_has_an_answer_already_is_left(bedrock: Bedrock) -> None:
    bedrock.answers({"turns": [*HISTORY["turns"], {"role": "assistant", "content": "Yes."}]})

    bedrock.handle("SMS_RECEIVED", TEXT)

    assert bedrock.asked == []


def test_each_tool_of_the_model_has_a_function(bedrock: Bedrock) -> None:
    names = [tool["toolSpec"]["name"] for tool in bedrock.converse.TOOLS["tools"]]

    assert sorted(names) == sorted(bedrock.converse.FUNCTIONS)


def test_the_models_tools_are_the_plugins() -> None:
    if not TOOLS.exists():
        pytest.skip("the plugin's own are not generated here")
    own = json.loads((EXAMPLES / "bedrock_agent" / "src" / "tools.json").read_text())["tools"]

    assert own == [tool for tool in json.loads(TOOLS.read_text())["tools"] if tool["toolSpec"]["name"] != "say"]


# ------------------------------------------------------------------------------------------------------ behind the bridge


def ask(agent: ModuleType, text: str, **more: Any) -> AgentAnswer:
    """As the bridge asks, and reads the answer."""
    facts: dict[str, Any] = {"channel": "phone", "conversation_id": "x", "from": THEIRS, "to": OURS, "turns": []}
    request = AgentRequest.model_validate(facts | {"input": AgentInput(text=text)} | more)
    return AgentAnswer.model_validate(
        agent.lambda_handler(request.model_dump(mode="json", by_alias=True, exclude_none=True), None)
    )


def test_the_agent_behind_the_bridge_answers_and_remembers(load: Load) -> None:
    agent = load("bridge_agent", "agent")
    turns = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "You said: Hello"}]

    assert ask(agent, "Hello").reply == "You said: Hello"
    assert ask(agent, "Again", turns=turns).reply == "You said: Again Before that, you said: Hello"
    picture = {"text": "", "media": [{"url": "https://example.com/a", "content_type": "image/png"}]}
    assert ask(agent, "", input=picture).reply == "Thank you for the image/png."


def test_the_agent_behind_the_bridge_hangs_up_when_asked_to(load: Load) -> None:
    agent = load("bridge_agent", "agent")
    call = AgentCall(call_sid="CA1", stream_sid="MZ1", direction="inbound")

    assert ask(agent, "Goodbye.", call=call).end_call
    assert not ask(agent, "Goodbye.").end_call
