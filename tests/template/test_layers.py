"""How `layers/build.py` makes one layer for both architectures."""

from __future__ import annotations

import importlib.util
import platform
import shutil
import subprocess
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from types import ModuleType

import pytest

from tests.template.conftest import ROOT

VERSION = "{}.{}".format(*sys.version_info)


@pytest.fixture(scope="module")
def build() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build", ROOT / "layers" / "build.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_stable_abi_module_gets_the_name_that_python_looks_for_first(build: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "package").mkdir()
    for name in ("one.abi3.so", "package/two.abi3.so", "package/three.py"):
        (tmp_path / name).touch()

    build.name_by_machine(tmp_path, platform.machine(), VERSION)

    suffix = EXTENSION_SUFFIXES[0]
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.*")) == sorted(
        [f"one{suffix}", f"package/two{suffix}", "package/three.py"]
    )


def test_python_loads_a_stable_abi_module_under_that_name(build: ModuleType, tmp_path: Path) -> None:
    found = importlib.util.find_spec("_awscrt")
    if not found or not found.origin:
        pytest.skip("awscrt needs Python 3.12 here")
    shutil.copy(found.origin, tmp_path)
    build.name_by_machine(tmp_path, platform.machine(), VERSION)

    program = f"import sys; sys.path[:] = [{str(tmp_path)!r}, *sys.path]; import _awscrt; print(_awscrt.__file__)"
    ran = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=True)

    assert Path(ran.stdout.strip()) == tmp_path / f"_awscrt{EXTENSION_SUFFIXES[0]}"


def test_modules_that_meet_under_one_name_stop_the_build(
    build: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "_packages", lambda _requirements, target, _machine, _version: (target / "same.so").touch())

    with pytest.raises(SystemExit, match=r"same\.so has the same name on both"):
        build._install(tmp_path / "requirements.txt", tmp_path, VERSION)


def test_libraries_of_both_machines_are_in_the_layer(
    build: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def install(_requirements: Path, target: Path, machine: str, _version: str) -> None:
        (target / "some.libs").mkdir()
        (target / "some.libs" / f"libsome-{machine}.so.2.1").touch()

    monkeypatch.setattr(build, "_packages", install)

    build._install(tmp_path / "requirements.txt", tmp_path, VERSION)

    assert {path.name for path in tmp_path.rglob("lib*")} == {"libsome-aarch64.so.2.1", "libsome-x86_64.so.2.1"}


def test_pip_is_not_asked_where_it_would_judge_by_the_wrong_python(
    build: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LAYER_UV", raising=False)
    monkeypatch.setattr(shutil, "which", lambda _name: None)

    with pytest.raises(SystemExit, match=r"speech-requirements\.txt.*install uv"):
        build._packages(ROOT / "layers" / "speech-requirements.txt", tmp_path, "aarch64", "3.99")
