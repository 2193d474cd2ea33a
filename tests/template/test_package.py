"""`pip install ./layers/twilio_plugin`: the client for a laptop, with all it needs and nothing that only Lambda runs."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

import twilio_plugin
from tests.template.conftest import ROOT

FOLDER = ROOT / "layers" / "twilio_plugin"
LOADED = """
import json, sys
import twilio_plugin.client, twilio_plugin.lambda_errors, twilio_plugin.domain.events
print(json.dumps({name: module.__file__ for name, module in sys.modules.items() if name.startswith("twilio_plugin")}))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package as pip builds it. uv is its own build backend, so nothing is fetched."""
    folder = tmp_path_factory.mktemp("wheel")
    uv = str(ROOT / ".local" / "uv" / "bin" / "uv")
    subprocess.run([uv, "build", "--offline", "--quiet", "--wheel", "--out-dir", str(folder), str(FOLDER)], check=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return tomllib.loads((FOLDER / "pyproject.toml").read_text())["project"]  # type: ignore[no-any-return]


def test_the_wheel_has_the_client_and_not_what_only_lambda_runs(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    found = {name for name in names if name.startswith("twilio_plugin/") and not name.endswith("/")}

    package = FOLDER / "twilio_plugin"
    mine = {str(path.relative_to(FOLDER)) for path in [*package.glob("*.py"), *(package / "domain").rglob("*.py")]}
    assert found == mine | {"twilio_plugin/py.typed"}
    assert "twilio_plugin/client.py" in found


def test_what_is_installed_is_what_the_client_imports(wheel: Path, project: dict[str, Any], tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path)
    ran = subprocess.run(
        [sys.executable, "-c", LOADED], env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, check=True
    )
    loaded = {name: Path(file) for name, file in json.loads(ran.stdout).items()}

    assert loaded["twilio_plugin.client"] == tmp_path / "twilio_plugin" / "client.py"
    nodes = [node for file in loaded.values() for node in ast.walk(ast.parse(file.read_text()))]
    names = {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    names |= {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    packages = {name.partition(".")[0] for name in names} - set(sys.stdlib_module_names) - {"twilio_plugin"}
    # botocore comes with boto3; the stubs are there for types only.
    assert packages - {"botocore", "mypy_boto3_lambda"} == {re.split("[>=<]", one)[0] for one in project["dependencies"]}


def test_the_package_is_the_plugins_own_version(wheel: Path, project: dict[str, Any]) -> None:
    plugin = tomllib.loads((ROOT / "pyproject.toml").read_text())

    assert project["version"] == plugin["project"]["version"] == twilio_plugin.__version__
    assert project["requires-python"] == plugin["project"]["requires-python"]
    assert set(project["dependencies"]) <= {*plugin["project"]["dependencies"], *map(str, plugin["dependency-groups"]["dev"])}
    assert wheel.name == f"twilio_plugin-{twilio_plugin.__version__}-py3-none-any.whl"
