"""How large the layers are, unzipped."""

from __future__ import annotations

from pathlib import Path

from tests.bench.layout import LAYERS
from tests.bench.report import Row, Table, Target
from tests.bench.workbench import Workbench

MB = 1_000_000  # bytes
TARGET_MB = 60  # of the dependencies, before bytecode


def measure(bench: Workbench) -> list[Table]:
    """The apparent sizes of all files, added up."""
    target = Target("without_bytecode_mb", "≤", TARGET_MB)
    return [
        Table(
            "Unzipped size of the layers",
            "Apparent sizes of the files as built, in MB of 1,000,000 bytes. Lambda allows 262 MB for all layers and the code.",
            [
                _row(layer, bench.layout.built / folder, target if layer == "dependencies" else None)
                for layer, folder in LAYERS.items()
            ],
        )
    ]


def _row(layer: str, folder: Path, target: Target | None) -> Row:
    files = [path for path in folder.rglob("*") if path.is_file()]
    bytecode = sum(path.stat().st_size for path in files if path.suffix == ".pyc")
    everything = sum(path.stat().st_size for path in files)
    return Row(
        layer,
        {
            "files": sum(path.suffix != ".pyc" for path in files),
            "without_bytecode_mb": (everything - bytecode) / MB,
            "with_bytecode_mb": everything / MB,
        },
        target,
    )
