"""Set up what the project's commands need: ``python3 local/bootstrap.py dev [engine] [sam]``.

Three environments, all pinned by ``uv.lock``: ``.venv`` to write and test the plugin, ``.local/engine`` for the local AWS
engine, ``.local/sam`` for AWS SAM. The last two pin packages that the plugin does not want to be pinned by. Runs on any Python
with nothing installed; uv itself comes from PyPI. What is up to date is left alone, so every command may call this first.

``.local/tools.json`` then says which interpreter and which uv there are.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCAL = ROOT / ".local"
UV_VERSION = "0.13.9"
LAMBDA_PYTHON = "3.13"  # the template's runtime
OLDEST_PYTHON = (3, 11)  # the code keeps to its syntax
QUIET_PIP = ("--disable-pip-version-check", "install", "--quiet")

ENVIRONMENTS = {
    "dev": (ROOT / ".venv", []),
    "engine": (LOCAL / "engine", ["--only-group", "engine"]),
    "sam": (LOCAL / "sam", ["--only-group", "sam"]),
}


def main() -> None:
    """Set up what the command line names."""
    uv = _uv()
    python = _python(uv)
    LOCAL.mkdir(exist_ok=True)
    version = ".".join(map(str, _version(python)))
    (LOCAL / "tools.json").write_text(json.dumps({"uv": str(uv), "python": python, "version": version}, indent=2) + "\n")
    for name in sys.argv[1:]:
        _sync(name, uv, python)


def _uv() -> Path:
    """A uv of our own: one on PATH may be too old for the lock."""
    folder = LOCAL / "uv"
    uv = folder / "bin" / "uv"
    if uv.exists() and f"uv {UV_VERSION} " in _output([str(uv), "--version"]) + " ":
        return uv
    started = _say(f"Fetching uv {UV_VERSION} …")
    shutil.rmtree(folder, ignore_errors=True)
    requirement = f"uv=={UV_VERSION}"
    try:
        _run([sys.executable, "-m", "venv", str(folder)])
        _run([str(folder / "bin" / "python"), "-m", "pip", *QUIET_PIP, requirement])
    except subprocess.CalledProcessError:
        # Some systems ship Python without venv; pip alone will do.
        shutil.rmtree(folder, ignore_errors=True)
        _run([sys.executable, "-m", "pip", *QUIET_PIP, "--target", str(folder), requirement])
    _done(started)
    return uv


def _python(uv: Path) -> str:
    """Lambda's Python if it can be had; else the newest that runs the code, and say so."""
    remembered = _remembered()
    if remembered:
        return remembered
    for find in (_on_path, _from_pyenv, lambda version: _from_uv(uv, version), lambda version: _fetched(uv, version)):
        found = find(LAMBDA_PYTHON)
        if found:
            return found
    for version in ("3.12", "3.11"):
        for find in (_on_path, _from_pyenv, lambda version: _from_uv(uv, version)):
            found = find(version)
            if found:
                print(f"No Python {LAMBDA_PYTHON} here; using {version}. Lambda will run {LAMBDA_PYTHON}.", file=sys.stderr)
                return found
    raise SystemExit(
        f"No Python {LAMBDA_PYTHON}, 3.12 or 3.11 was found: not on PATH, not in pyenv, and uv could fetch none. "
        f"Install Python {LAMBDA_PYTHON} and run this again."
    )


def _remembered() -> str | None:
    try:
        python = str(json.loads((LOCAL / "tools.json").read_text())["python"])
    except (OSError, ValueError, KeyError):
        return None
    return python if _version(python) >= OLDEST_PYTHON else None


def _on_path(version: str) -> str | None:
    """Each on PATH is run, not believed: pyenv's shims look like interpreters and may not be."""
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        candidate = Path(folder) / f"python{version}"
        if candidate.exists() and ".".join(map(str, _version(str(candidate)))) == version:
            return _real(str(candidate))
    return None


def _from_pyenv(version: str) -> str | None:
    if not shutil.which("pyenv"):
        return None
    latest = _output(["pyenv", "latest", version])
    prefix = _output(["pyenv", "prefix", latest]) if latest else ""
    candidate = Path(prefix) / "bin" / "python"
    return str(candidate) if prefix and _version(str(candidate)) >= OLDEST_PYTHON else None


def _from_uv(uv: Path, version: str) -> str | None:
    return _output([str(uv), "python", "find", "--no-project", version]) or None


def _fetched(uv: Path, version: str) -> str | None:
    started = _say(f"Looking for Python {version} to download …")
    subprocess.run([str(uv), "python", "install", "--quiet", version], capture_output=True, check=False, timeout=300)
    found = _from_uv(uv, version)
    _done(started, "" if found else "none to be had")
    return found


def _sync(name: str, uv: Path, python: str) -> None:
    folder, groups = ENVIRONMENTS[name]
    stamp = folder / ".set-up-from"
    wanted = hashlib.sha256(b"".join([python.encode(), *((ROOT / f).read_bytes() for f in ("uv.lock", "pyproject.toml"))]))
    if stamp.exists() and stamp.read_text() == wanted.hexdigest():
        return
    started = _say(f"Setting up {folder.relative_to(ROOT)} …")
    environment = {**os.environ, "UV_PROJECT_ENVIRONMENT": str(folder)}
    _run([str(uv), "sync", "--quiet", "--frozen", "--compile-bytecode", "--python", python, *groups], env=environment)
    stamp.write_text(wanted.hexdigest())
    _done(started)


def _version(python: str) -> tuple[int, int]:
    answer = _output([python, "-c", "import sys; print(*sys.version_info[:2])"]).split()
    return (int(answer[0]), int(answer[1])) if len(answer) == 2 else (0, 0)


def _real(python: str) -> str:
    """The interpreter behind a shim, which would ask its version manager each time."""
    return _output([python, "-c", "import sys; print(sys.executable)"]) or python


def _output(command: list[str]) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def _run(command: list[str], env: dict[str, str] | None = None) -> None:
    subprocess.run(command, check=True, cwd=ROOT, env=env)


def _say(what: str) -> float:
    print(what, end=" ", flush=True)
    return time.monotonic()


def _done(started: float, how: str = "") -> None:
    print(f"{how} ({time.monotonic() - started:.0f} s)".strip(), flush=True)


if __name__ == "__main__":
    main()
