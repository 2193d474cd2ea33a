"""The tables of docs/ are complete too: environment names, error codes, the doctor's checks, what a live account settles."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest

from tests.live import test_settles
from tests.template.conftest import ROOT
from tools.doctor.checks import CHECKS
from tools.doctor.checks.lately import ALERTS
from twilio_plugin.domain.twilio_errors import TWILIO_ERRORS
from twilio_plugin.runtime import config

DOCS = ROOT / "docs"
MAKEFILE = (ROOT / "Makefile").read_text()
# What is read by what a person runs, and by the examples.
PROGRAMS = ("local", "tools", "tests/live", "layers/build.py", "examples")
OTHERS = {"PATH", "TWILIO_APPROVED"}  # the latter is a status of Twilio's


def part(page: str, title: str) -> str:
    """A page's part under a heading, up to the next of its depth."""
    found = re.split(rf"^{title}$", (DOCS / page).read_text(), flags=re.MULTILINE)
    assert len(found) == 2, f"{page} has no part {title!r}"
    return re.split(rf"^{title.partition(' ')[0]} ", found[1], flags=re.MULTILINE)[0]


def rows(text: str) -> list[list[str]]:
    """The cells of every row of the tables in a text, without their heads."""
    lines = [line.strip() for line in text.splitlines()]
    heads = {place - 1 for place, line in enumerate(lines) if re.fullmatch(r"\|[-|]+\|", line)}
    body = [
        line for place, line in enumerate(lines) if line.startswith("|") and place not in heads and not line.startswith("|-")
    ]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in body]


def names(text: str) -> list[str]:
    return [cells[0].strip(" `|") for cells in rows(text)]


def read_of_the_environment(path: Path) -> Iterator[str]:
    """Names that a program looks up in its environment; and everything that is called like our own variables."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get":
            if re.search(r"\benviron(ment)?$", ast.unparse(node.func.value)):
                yield from (one.value for one in node.args[:1] if isinstance(one, ast.Constant) and isinstance(one.value, str))
        elif isinstance(node, ast.Subscript) and ast.unparse(node.value).endswith("environ"):
            yield str(ast.literal_eval(node.slice))
        elif (
            isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch(r"TWILIO_[A-Z_]*[A-Z]", node.value)
        ):
            yield node.value


def test_every_name_that_a_person_can_set_is_in_the_table() -> None:
    files = [file for one in PROGRAMS for file in ([ROOT / one] if one.endswith(".py") else (ROOT / one).rglob("*.py"))]
    read = {name for file in files for name in read_of_the_environment(file)}
    made_here = set(re.findall(r"^(?:export )?([A-Z_]+)\s*:?=", MAKEFILE, re.MULTILINE))
    by_make = set(re.findall(r"\$\((?:if \$\(|or \$\()?([A-Z_]+)\)?", MAKEFILE)) - made_here - {"MAKEFILE_LIST", "CURDIR"}
    told = {field.name.upper() for kind in configurations() for field in dataclasses.fields(kind)}

    table = names(part("environment.md", "## What you set"))

    assert len(set(table)) == len(table)
    assert {"TWILIO_TEST_PHONE_NUMBER", "RECORD"} <= read
    assert {"STACK", "SET"} <= by_make
    wanted = (read - OTHERS) | by_make
    assert set(table) <= wanted
    assert wanted - set(table) <= told, "the doctor reads what functions are told; all else is in the table"


def configurations() -> list[type]:
    kinds = [one for _, one in inspect.getmembers(config, dataclasses.is_dataclass) if isinstance(one, type)]
    return [one for one in kinds if one.__module__ == config.__name__]


def test_every_name_that_a_function_is_told_is_in_the_table() -> None:
    told = sorted({field.name.upper() for kind in configurations() for field in dataclasses.fields(kind)})

    assert names(part("environment.md", "## What the functions are told")) == told


def test_every_error_code_is_in_the_table_with_its_meaning_and_remedy() -> None:
    texts, alerts = (rows(one) for one in part("troubleshooting.md", "## Twilio's error codes").split("In Twilio's debugger"))

    assert texts == [[str(code), one.meaning, one.remedy] for code, one in sorted(TWILIO_ERRORS.items())]
    assert alerts == [[str(code), *words] for code, words in sorted(ALERTS.items())]


def test_every_check_of_the_doctor_is_in_the_table_in_its_order() -> None:
    table = rows(part("doctor.md", "## What it looks at"))

    assert table == [
        [f"`{check.name}`", check.looks_at, ", ".join(f"`{name}`" for name in check.needs) or "–"] for check in CHECKS
    ]


def test_what_only_a_live_account_can_settle_is_a_check_each() -> None:
    tests = [int(found[1]) for name in vars(test_settles) if (found := re.match(r"test_(\d+)_", name))]
    table = rows(part("live.md", "## What only a live account can settle"))

    assert sorted(tests) == [int(cells[0]) for cells in table] == list(range(1, 11))


def test_every_version_has_upgrade_notes() -> None:
    versions = re.findall(r"^## \[?(\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    (ours,) = re.findall(r'^version = "(.*)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)

    assert {*versions, ours} <= set(re.findall(r"^### (.+)$", (DOCS / "upgrading.md").read_text(), re.MULTILINE))


@pytest.mark.parametrize(
    "page", ["README.md", "docs/doctor.md", "docs/live.md", "docs/upgrading.md", "docs/troubleshooting.md"]
)
def test_a_page_names_make_targets_and_variables_that_there_are(page: str) -> None:
    text = (ROOT / page).read_text()
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    told = re.findall(r"(?:^|`|(?:…|twilio|\]) )make ([a-z-]+(?: [a-z-]+)*)(?= *(?:$|`|#|[A-Z]+=))", text, re.MULTILINE)

    assert {target for one in told for target in one.split()} <= targets
    assert set(re.findall(r"make [a-z]+ ([A-Z]+)=", text)) <= set(names(part("environment.md", "## What you set")))


def test_the_schema_of_the_doctors_report_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(json.loads((DOCS / "doctor.schema.json").read_text()))
