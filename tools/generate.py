"""Write what follows from the code: ``python -m tools.generate``, or with ``--check`` only say what is out of date.

`events/schemas` and `docs/events.md` come from `domain/events`, `events/tools` from `domain/catalogue`, the samples from
`tools.samples`, the rules on events from `tools.rules`, and the layers' requirements from ``uv.lock``.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import json
import subprocess
import sys
import textwrap
from collections.abc import Iterable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from tools import samples
from tools.rules import RULES
from twilio_plugin.domain.events import EVENTS, SOURCE, Event
from twilio_plugin.domain.tools import anthropic, bedrock_converse, openai

ROOT = Path(__file__).resolve().parent.parent
# Of twilio's async client, which nothing here uses.
UNUSED = ("aiohappyeyeballs", "aiohttp", "aiohttp-retry", "aiosignal", "attrs", "frozenlist", "multidict", "propcache", "yarl")
# Of smithy's other transport, which knows no HTTP/2 (yarl is imported all the same); and what the dependencies layer holds.
UNUSED_SPEECH = ("aiohappyeyeballs", "aiohttp", "aiosignal", "attrs", "frozenlist", "idna", "typing-extensions")

_INTRODUCTION = """\
# Events

Everything that happens on the phone comes out on the stack's EventBridge bus (output `EventBusName`), with source
`twilio.plugin`. This page, `events/schemas` and `events/bus` are generated from
`layers/twilio_plugin/twilio_plugin/domain/events.py`.

* **At least once.** An event can come twice; `event_id` is the same both times. Pass it as `idempotency_key` when you answer by
  text; `say` takes none, so remember it when you answer by voice.
* **In no order.** A status may be announced before `SMS_SENT`. `occurred_at` tells when things happened.
* **Complete.** Every event carries what is needed to act on it. Fields without a value are left out.

Below every event is the pattern of a rule on it. In a SAM template it goes under `Pattern` of an `EventBridgeRule`, beside
`EventBusName`; without `detail` it fits every event of that kind.
"""


def main() -> None:
    """Write every file, or check it."""
    checking = "--check" in sys.argv[1:]
    stale = [path for path, text in files().items() if not path.exists() or path.read_text() != text]
    for path in stale:
        print(f"{'out of date' if checking else 'written'}: {path.relative_to(ROOT)}")
        if not checking:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(files()[path])
    if checking and stale:
        raise SystemExit("Run `make generate` and commit what it writes.")


def files() -> dict[Path, str]:
    """Every generated file and its text."""
    generated = {
        ROOT / "docs/events.md": _page(),
        ROOT / "layers/requirements.txt": _requirements("--no-dev", without=UNUSED),
        ROOT / "layers/speech-requirements.txt": _requirements("--only-group", "speech", without=UNUSED_SPEECH),
    }
    for event in samples.EVENTS:
        name = event.detail_type
        generated[ROOT / f"events/bus/{name}.json"] = _json(samples.on_the_bus(event))
        generated[ROOT / f"events/schemas/{name}.schema.json"] = _json(schema(type(event)))
    for vendor, definitions in (("openai", openai()), ("anthropic", anthropic()), ("bedrock_converse", bedrock_converse())):
        generated[ROOT / f"events/tools/{vendor}.json"] = _json(definitions)
    for name, payload in samples.invocations().items():
        generated[ROOT / f"events/invocations/{name}.json"] = _json(payload)
    return generated


def schema(kind: type[Event]) -> dict[str, Any]:
    """The JSON Schema of an event as a rule's target receives it."""
    detail = TypeAdapter(kind).json_schema()
    definitions = detail.pop("$defs", {})
    descriptions = field_descriptions(kind)
    properties = {}
    for name, shape in detail["properties"].items():
        properties[name.rstrip("_")] = {**_never_null(shape), "description": descriptions[name]}
    for definition in definitions.values():
        definition["properties"] = {name: _never_null(shape) for name, shape in definition["properties"].items()}
    for shape in [*properties.values(), *definitions.values()]:
        _untitled(shape)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": kind.detail_type,
        "description": summary(kind),
        "type": "object",
        "properties": {
            "source": {"const": SOURCE},
            "detail-type": {"const": kind.detail_type},
            "detail": {"type": "object", "properties": properties, "required": [*map(_public, _always_there(kind))]},
        },
        "required": ["source", "detail-type", "detail"],
        **({"$defs": definitions} if definitions else {}),
    }


def summary(kind: type[Event]) -> str:
    """An event in a sentence or two."""
    return inspect.cleandoc(kind.__doc__ or "").replace("``", "`").replace("\n", " ")


def field_descriptions(kind: type[Event]) -> dict[str, str]:
    """The docstring under each field, the base class's too."""
    found: dict[str, str] = {}
    for one in reversed(kind.__mro__[:-1]):
        body = ast.parse(textwrap.dedent(inspect.getsource(one))).body[0]
        statements = body.body if isinstance(body, ast.ClassDef) else []
        for field, text in pairwise(statements):
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(text, ast.Expr):
                found[field.target.id] = " ".join(str(ast.literal_eval(text.value)).replace("``", "`").split())
    return found


def _always_there(kind: type[Event]) -> list[str]:
    """A detail leaves out only what is None."""
    return [field.name for field in dataclasses.fields(kind) if field.default is not None]


def _never_null(shape: dict[str, Any]) -> dict[str, Any]:
    """What has no value is left out."""
    shapes: list[dict[str, Any]] = [one for one in shape.pop("anyOf", [shape]) if one.get("type") != "null"]
    return shapes[0]


def _public(name: str) -> str:
    return name.rstrip("_")


def _untitled(shape: dict[str, Any]) -> None:
    """Pydantic's titles only repeat the names."""
    shape.pop("title", None)
    shape.pop("default", None)
    for inner in shape.get("properties", {}).values():
        _untitled(inner)


def _page() -> str:
    return "\n".join([_INTRODUCTION, *(_section(event) for event in samples.EVENTS)])


def _section(event: Event) -> str:
    kind = type(event)
    described = schema(kind)["properties"]["detail"]
    rows = [
        f"| `{name}` | {_type(shape)} | {'yes' if name in described['required'] else ''} | {_cell(shape['description'])} |"
        for name, shape in described["properties"].items()
    ]
    table = "\n".join(["| field | type | always | |", "|---|---|---|---|", *rows])
    parts = (f"## {kind.detail_type}", summary(kind), table, f"```json\n{_json(event.detail())}```", _rule(kind))
    return "\n\n".join(parts) + "\n"


def _rule(kind: type[Event]) -> str:
    (rule,) = (one for one in RULES if one.kind is kind)
    # A line for each part; JSON in a line is YAML as well.
    lines = [f"{name}: {json.dumps(value)}" for name, value in rule.pattern.items()]
    return "\n".join([f"{rule.purpose}:", "", "```yaml", *lines, "```"])


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _type(shape: Mapping[str, Any]) -> str:
    if "const" in shape:
        return f"`{shape['const']}`"
    if "enum" in shape:
        return ", ".join(f"`{value}`" for value in shape["enum"])
    if "items" in shape:
        return "list of " + ("`{url, content_type, s3_key?}`" if "$ref" in shape["items"] else _type(shape["items"]))
    return "object" if shape.get("type") == "object" else str(shape["type"])


def _requirements(*which: str, without: Iterable[str]) -> str:
    """What a layer installs, with hashes: `layers/build.py` may find pip and no uv."""
    unused = [argument for name in without for argument in ("--no-emit-package", name)]
    command = [str(ROOT / ".local/uv/bin/uv"), "export", "--quiet", "--frozen", "--no-emit-project", "--no-header"]
    ran = subprocess.run([*command, "--no-annotate", *which, *unused], capture_output=True, text=True, check=True, cwd=ROOT)
    return ran.stdout


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    assert len(EVENTS) == len(samples.EVENTS), "every event has a sample"
    main()
