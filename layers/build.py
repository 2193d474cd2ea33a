"""Build a layer: ``python3 build.py dependencies|speech|twilio_plugin <artifacts folder>``. Needs only the standard library.

The first two hold the wheels of *both* architectures: pure Python is the same for both, and compiled modules
(``….cpython-313-aarch64-linux-gnu.so``) carry theirs in their names, so Python picks its own. One layer then fits whatever
the ``Architecture`` parameter says. A module of the stable ABI (``….abi3.so``) is named without it, so it is renamed: Python
loads it under the longer name as well.

Environment: ``LAYER_PYTHON_VERSION`` is the Python that will run the layer, by default Lambda's. ``LAYER_PYTHON`` is such an
interpreter, by default the one on PATH; where there is none the layer has no bytecode: everything works, and cold starts are
slower. ``LAYER_UV`` is uv; without it, pip does the work.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
LAMBDA_PYTHON = "3.13"
MACHINES = ("aarch64", "x86_64")
REQUIREMENTS = {"dependencies": "requirements.txt", "speech": "speech-requirements.txt"}

# What no function uses, by glob below the layer's root. Checked against the bench's import times and the layer's size.
PRUNED = (
    "**/__pycache__",
    "bin",
    "phonenumbers/geodata",
    "phonenumbers/carrierdata",
    "phonenumbers/tzdata",
    "**/*.pyi",
    "**/*.pyx",
    "**/*.c",
    "**/tests",
    "multidict/_testcapi*",
)


def main() -> None:
    """Build what the command line asks for."""
    layer, artifacts = sys.argv[1], Path(sys.argv[2]) / "python"
    artifacts.mkdir(parents=True, exist_ok=True)
    version = os.environ.get("LAYER_PYTHON_VERSION", LAMBDA_PYTHON)
    if layer in REQUIREMENTS:
        _install(HERE / REQUIREMENTS[layer], artifacts, version)
        _prune(artifacts)
    else:
        source = HERE / "twilio_plugin" / "twilio_plugin"
        shutil.copytree(source, artifacts / "twilio_plugin", ignore=shutil.ignore_patterns("__pycache__"))
    _compile(artifacts, version)


def _interpreter(version: str) -> str | None:
    """One that runs and is what it says: pyenv's shims look like interpreters and may not be."""
    for candidate in (os.environ.get("LAYER_PYTHON"), shutil.which(f"python{version}")):
        if candidate and _version(candidate) == version:
            return candidate
    return None


def _version(interpreter: str) -> str:
    asked = [interpreter, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    answer = subprocess.run(asked, capture_output=True, text=True, check=False)
    return answer.stdout.strip()


def _install(requirements: Path, artifacts: Path, version: str) -> None:
    first, second = MACHINES
    _packages(requirements, artifacts, first, version)
    with tempfile.TemporaryDirectory() as folder:
        other = Path(folder)
        _packages(requirements, other, second, version)
        for module in other.rglob("*.so*"):  # libraries that modules bring along are numbered: ….so.2.1.1
            target = artifacts / module.relative_to(other)
            if target.exists():
                raise SystemExit(f"{module.name} has the same name on both architectures; it needs a layer of its own.")
            shutil.copy2(module, target)


def _packages(requirements: Path, target: Path, machine: str, version: str) -> None:
    uv = os.environ.get("LAYER_UV") or shutil.which("uv")
    if uv:
        installer = [uv, "pip", "install", "--python-platform", f"{machine}-manylinux2014"]
    elif "python_full_version" in requirements.read_text() and _version(sys.executable) != version:
        raise SystemExit(
            f"pip judges {requirements.name} by the Python it runs on: install uv, or run this with Python {version}."
        )
    else:
        installer = [sys.executable, "-m", "pip", "install", "--platform", f"manylinux2014_{machine}"]
    options = ["--python-version", version, "--only-binary", ":all:", "--no-deps", "--target", str(target), "--quiet"]
    subprocess.run([*installer, *options, "--requirement", str(requirements)], check=True)
    name_by_machine(target, machine, version)


def name_by_machine(folder: Path, machine: str, version: str) -> None:
    """Give modules of the stable ABI the name of a module for this Python on this machine."""
    tag = f"cpython-{version.replace('.', '')}-{machine}-linux-gnu"
    for module in list(folder.rglob("*.abi3.so")):
        module.rename(module.with_name(f"{module.name.removesuffix('.abi3.so')}.{tag}.so"))


def _prune(artifacts: Path) -> None:
    for pattern in PRUNED:
        for found in list(artifacts.glob(pattern)):
            shutil.rmtree(found) if found.is_dir() else found.unlink(missing_ok=True)


def _compile(artifacts: Path, version: str) -> None:
    """Add bytecode that Python trusts unseen: ``/opt`` cannot be written, so a cold start would compile all it imports."""
    interpreter = _interpreter(version)
    if not interpreter:
        print(f"No Python {version} here: the layer has no bytecode, and cold starts are slower.", file=sys.stderr)
        return
    mode = ["--invalidation-mode", "unchecked-hash"]
    # Paths in tracebacks as they are in Lambda.
    where = ["-s", str(artifacts), "-p", "/opt/python"]
    subprocess.run([interpreter, "-m", "compileall", "-q", "-j", "0", *mode, *where, str(artifacts)], check=True)


if __name__ == "__main__":
    main()
