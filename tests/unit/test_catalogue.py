"""The catalogue's examples, word for word."""

from __future__ import annotations

from pathlib import Path

import pytest

from twilio_plugin.domain.catalogue import ACTIONS, PROVIDERS, TOOLS, ActionDescription, Example
from twilio_plugin.domain.natural_text.request import Question, Request
from twilio_plugin.domain.natural_text.understand import understand

ROOT = Path(__file__).parents[2]
EXAMPLES = [(one, example) for one in ACTIONS for example in one.examples]


@pytest.mark.parametrize(("action", "example"), EXAMPLES, ids=[example.says for _, example in EXAMPLES])
def test_an_example_of_an_action_is_understood_as_it_says(action: ActionDescription, example: Example) -> None:
    understood = understand(example.says, "US")

    assert isinstance(understood, Request), understood
    assert (understood.action, understood.fields) == (action.name, example.input)


@pytest.mark.parametrize("one", [*ACTIONS, *PROVIDERS], ids=lambda one: one.name)
def test_an_examples_fields_are_its_functions_input(one: ActionDescription) -> None:
    assert one.examples
    for example in one.examples:
        assert one.input.model_validate(example.input).model_dump(by_alias=True, exclude_unset=True) == example.input


@pytest.mark.parametrize("example", [example for one in PROVIDERS for example in one.examples], ids=lambda one: one.says)
def test_what_asks_a_provider_is_no_action(example: Example) -> None:
    assert isinstance(understand(example.says, "US"), Question)


def test_a_provider_answers_with_a_text_for_a_prompt() -> None:
    for provider in PROVIDERS:
        assert provider.output.model_fields["text"].annotation is str


def test_everything_in_the_catalogue_is_a_function_and_described() -> None:
    functions = {path.parent.name.replace("_", "-") for path in (ROOT / "functions").glob("*/app.py")}

    for one in (*ACTIONS, *PROVIDERS, *TOOLS):
        assert one.function in functions
        assert one.description.endswith(".")
    assert [one.name for one in ACTIONS] == ["SEND_SMS", "SEND_MMS", "MAKE_CALL"]
    assert [one.name for one in PROVIDERS] == ["conversationHistory", "callState"]


def test_there_is_a_tool_for_every_action_and_provider() -> None:
    assert {(one.function, one.input) for one in (*ACTIONS, *PROVIDERS)} <= {(one.function, one.input) for one in TOOLS}
