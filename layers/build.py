"""Build a layer: ``python3 build.py dependencies|twilio_plugin <artifacts folder>``. Needs nothing but the standard library.

The dependencies layer holds the wheels of *both* architectures: pure Python is the same for both, and compiled modules
(``….cpython-313-aarch64-linux-gnu.so``) carry theirs in their names, so Python picks its own. One layer then fits whatever
the ``Architecture`` parameter says.

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
PLATFORMS = {"uv": ("aarch64-manylinux2014", "x86_64-manylinux2014"), "pip": ("manylinux2014_aarch64", "manylinux2014_x86_64")}

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
)


def main() -> None:
    """Build what the command line asks for."""
    layer, artifacts = sys.argv[1], Path(sys.argv[2]) / "python"
    artifacts.mkdir(parents=True, exist_ok=True)
    version = os.environ.get("LAYER_PYTHON_VERSION", LAMBDA_PYTHON)
    if layer == "dependencies":
        _install(artifacts, version)
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


def _install(artifacts: Path, version: str) -> None:
    uv = os.environ.get("LAYER_UV") or shutil.which("uv")
    first, second = PLATFORMS["uv" if uv else "pip"]
    _packages(uv, artifacts, first, version)
    with tempfile.TemporaryDirectory() as folder:
        other = Path(folder)
        _packages(uv, other, second, version)
        for module in other.rglob("*.so"):
            target = artifacts / module.relative_to(other)
            if target.exists():
                raise SystemExit(f"{module.name} has the same name on both architectures; it needs a layer of its own.")
            shutil.copy2(module, target)


def _packages(uv: str | None, target: Path, platform: str, version: str) -> None:
    installer = [uv, "pip", "install", "--python-platform"] if uv else [sys.executable, "-m", "pip", "install", "--platform"]
    options = ["--python-version", version, "--only-binary", ":all:", "--no-deps", "--target", str(target), "--quiet"]
    subprocess.run([*installer, platform, *options, "--requirement", str(HERE / "requirements.txt")], check=True)


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
