"""The README's tables are complete: nothing that others depend on is missing from them."""

from __future__ import annotations

import inspect
import re
from typing import Any

from tests.template.conftest import ROOT
from twilio_plugin import errors
from twilio_plugin.client import TwilioPlugin
from twilio_plugin.domain.actions import (
    ControlCall,
    DetectMachine,
    Forget,
    MakeCall,
    ReadCalls,
    ReadHistory,
    RunAction,
    Say,
    SendSms,
)
from twilio_plugin.domain.catalogue import ACTIONS, PROVIDERS, TOOLS
from twilio_plugin.domain.events import EVENTS
from twilio_plugin.domain.twilio_errors import TWILIO_ERRORS

README = (ROOT / "README.md").read_text()


ONLY_TWILIO_MEETS = (errors.WebhookRefused, errors.StreamRefused, errors.UnreadableMessage)
ONLY_THE_CLIENT_RAISES = errors.InvocationFailed


def section(title: str) -> str:
    """A part of the README, from its heading to the next that is no deeper."""
    depth = len(title.partition(" ")[0])
    return re.split(rf"\n#{{1,{depth}}} ", README.split(f"\n{title}\n")[1])[0]


def test_every_parameter_is_in_the_readme_with_its_default(source: dict[str, Any]) -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| `?([^|`]*?)`? ?\|", section("## Parameters"), re.MULTILINE))

    assert rows == {name: str(parameter.get("Default", "")) for name, parameter in source["Parameters"].items()}


def test_every_output_is_in_the_readme(source: dict[str, Any]) -> None:
    named = set(
        re.findall(r"`(\w+)`", "\n".join(line.split("|")[1] for line in section("## Outputs").splitlines() if "|" in line))
    )

    assert named == set(source["Outputs"])


def test_every_event_is_in_the_readme() -> None:
    assert set(re.findall(r"^\| `([A-Z_]+)` \|", section("### Events"), re.MULTILINE)) == {one.detail_type for one in EVENTS}


def test_every_error_a_caller_can_get_is_in_the_readme() -> None:
    raised = {
        name
        for name, one in inspect.getmembers(errors, inspect.isclass)
        if issubclass(one, errors.PluginError) and not issubclass(one, ONLY_TWILIO_MEETS) and one is not errors.PluginError
    }
    by_the_client = {name for name in raised if issubclass(getattr(errors, name), ONLY_THE_CLIENT_RAISES)}

    assert set(re.findall(r"^\| `(\w+)` \|", section("### Errors"), re.MULTILINE)) == raised - by_the_client
    assert set(re.findall(r"^\| `(\w+)` \|", section("### From Python"), re.MULTILINE)) == by_the_client


def test_every_method_of_the_client_is_in_the_readme() -> None:
    methods = {name for name in vars(TwilioPlugin) if not name.startswith("_")}

    assert methods == {name for name in methods if f"`{name}`" in section("### From Python") or f".{name}(" in README}


def test_every_error_is_in_the_tree_that_errors_shows() -> None:
    classes = {name for name, one in inspect.getmembers(errors, inspect.isclass) if issubclass(one, errors.PluginError)}

    assert set(re.findall(r"^[ │├└─]*\b([A-Z]\w+)", errors.__doc__ or "", re.MULTILINE)) >= classes


def test_every_input_field_is_in_the_readme() -> None:
    functions = section("### Functions")
    for model in (SendSms, Forget, ReadHistory, MakeCall, DetectMachine, Say, ControlCall, ReadCalls, RunAction):
        for name, field in model.model_fields.items():
            assert f"`{field.alias or name}`" in functions or f'"{name}"' in functions, name


def test_every_action_provider_and_tool_is_in_the_readme_with_its_function() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `([\w-]+)` \|", section("### Actions and tools"), re.MULTILINE)

    assert rows == [(one.name, one.function) for one in (*ACTIONS, *PROVIDERS, *TOOLS)]


def test_the_readme_shows_examples_that_are_tests() -> None:
    shown = re.findall(r"^\| `\w+` \| `[\w-]+` \| (.*\d.*) \|$", section("### Actions and tools"), re.MULTILINE)

    assert len(shown) == len(ACTIONS)
    assert set(shown) <= {example.says for action in ACTIONS for example in action.examples}


def test_every_make_target_is_explained_by_make() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE)) - {"dev", "stack"}

    assert targets == set(re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE))


def test_every_twilio_error_with_a_row_has_a_remedy_in_words() -> None:
    for code, error in TWILIO_ERRORS.items():
        assert error.code == code
        assert error.meaning.endswith(".")
        assert error.remedy.endswith(".")


def test_no_link_in_a_document_leads_nowhere() -> None:
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]:
        for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / link).exists(), f"{page.relative_to(ROOT)} → {link}"


def test_ci_runs_what_the_readme_says() -> None:
    assert "make check test" in README
    assert (ROOT / ".ci/run").read_text().rstrip().endswith("make check test")
